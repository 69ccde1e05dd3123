/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/ccid/desc.h"
#include "driver/ccid/exchange.h"
#include "driver/ccid/slot.h"
#include "tests/driver/card/script.h"

FIXTURE(pin) { struct script s; };
FIXTURE_SETUP(pin) { script_open(&self->s, 0); }
FIXTURE_TEARDOWN(pin)
{
	script_done(&self->s);
	script_close(&self->s);
}

#define VALUE(text)	BYTES(text, sizeof(text) - 1)
#define VERIFY		"00200081 06 313233343536"

static const struct card_pin user = { .id = KF_PIN_USER, .value = VALUE("123456") };

TEST_F(pin, status_tells_both_pins)
{
	struct kf_pin_status pin = { .pin = KF_PIN_USER }, puk = { .pin = KF_PIN_PUK };

	script_pin_state(&self->s, 0, 8, false);
	ASSERT_EQ(0, kf_card_driver.pin_status(script_begin(&self->s), &pin));
	EXPECT_EQ(KF_PIN_BLOCKED, pin.flags);
	EXPECT_EQ(3u, pin.tries_max);
	EXPECT_EQ(4u, pin.min_len);
	EXPECT_EQ(32u, pin.max_len);
	script_pin_state(&self->s, 3, 5, true);
	ASSERT_EQ(0, kf_card_driver.pin_status(script_begin(&self->s), &puk));
	EXPECT_EQ(KF_PIN_UNBLOCKS, puk.flags);
	EXPECT_EQ(5u, puk.tries_left);
	EXPECT_EQ(8u, puk.tries_max);
}

TEST_F(pin, a_pin_nobody_has_is_not_asked_for)
{
	struct kf_pin_status pin = { .pin = 5 };
	struct card_pin other = { .id = 7, .value = VALUE("123456"), .new_value = VALUE("123456") };

	EXPECT_EQ(-ENOENT, kf_card_driver.pin_status(script_begin(&self->s), &pin));
	EXPECT_EQ(-ENOENT, kf_card_driver.pin_verify(script_begin(&self->s), &other));
	EXPECT_EQ(-ENOENT, kf_card_driver.pin_change(script_begin(&self->s), &other));
	EXPECT_EQ(-ENOENT, kf_card_driver.pin_unblock(script_begin(&self->s), &other));
	other.id = KF_PIN_PUK;
	EXPECT_EQ(-EOPNOTSUPP, kf_card_driver.pin_verify(script_begin(&self->s), &other));
	EXPECT_EQ(-EOPNOTSUPP, kf_card_driver.pin_unblock(script_begin(&self->s), &other));
}

TEST_F(pin, verify_is_sent_once_and_its_word_is_told)
{
	script_pin_state(&self->s, 3, 8, false);
	script_expect(&self->s, VERIFY, "9000");
	EXPECT_EQ(0, kf_card_driver.pin_verify(script_begin(&self->s), &user));

	script_pin_state(&self->s, 3, 8, false);
	script_expect(&self->s, VERIFY, "63C2");
	EXPECT_EQ(-EKEYREJECTED, kf_card_driver.pin_verify(script_begin(&self->s), &user));
	EXPECT_EQ(KF_REASON_PIN_WRONG, self->s.card->said.reason);
	EXPECT_EQ(2u, self->s.card->said.detail);
	EXPECT_EQ(0x63c2, self->s.card->said.sw);

	script_pin_state(&self->s, 2, 8, false);
	script_expect(&self->s, VERIFY, "6983");
	EXPECT_EQ(-EKEYREVOKED, kf_card_driver.pin_verify(script_begin(&self->s), &user));
}

TEST_F(pin, the_last_try_is_kept_unless_it_is_asked_for)
{
	struct card_pin bold = user;

	script_pin_state(&self->s, 1, 8, false);
	EXPECT_EQ(-EPERM, kf_card_driver.pin_verify(script_begin(&self->s), &user));
	EXPECT_EQ(KF_REASON_PIN_LAST_TRY, self->s.card->said.reason);

	bold.last_try = true;
	script_pin_state(&self->s, 1, 8, false);
	script_expect(&self->s, VERIFY, "9000");
	EXPECT_EQ(0, kf_card_driver.pin_verify(script_begin(&self->s), &bold));

	script_pin_state(&self->s, 0, 8, false);
	EXPECT_EQ(-EKEYREVOKED, kf_card_driver.pin_verify(script_begin(&self->s), &bold));
}

/* Whatever is typed there: it is asked before the keypad is. */
TEST_F(pin, the_last_try_is_kept_at_a_keypad_too)
{
	const struct ccid_desc desc = { .pin_support = 3 };
	struct exchange x = { .desc = &desc };
	struct slot slot = { .state = SLOT_READY, .x = &x };
	const struct card_pin typed = { .id = KF_PIN_USER }, puk = { .id = KF_PIN_PUK };

	self->s.io->slot = &slot;
	script_pin_state(&self->s, 1, 8, false);
	EXPECT_EQ(-EPERM, kf_card_driver.pin_pad_verify(script_begin(&self->s), &typed));
	EXPECT_EQ(KF_REASON_PIN_LAST_TRY, self->s.card->said.reason);
	script_pin_state(&self->s, 1, 8, false);
	EXPECT_EQ(-EPERM, kf_card_driver.pin_pad_change(script_begin(&self->s), &typed));
	EXPECT_EQ(KF_REASON_PIN_LAST_TRY, self->s.card->said.reason);
	script_pin_state(&self->s, 3, 1, false);
	EXPECT_EQ(-EPERM, kf_card_driver.pin_pad_change(script_begin(&self->s), &puk));
	EXPECT_EQ((uint32_t)KF_PIN_PUK, self->s.card->said.detail);
	script_pin_state(&self->s, 0, 8, false);
	EXPECT_EQ(-EKEYREVOKED, kf_card_driver.pin_pad_verify(script_begin(&self->s), &typed));
	self->s.io->slot = NULL;
}

TEST_F(pin, a_value_no_pin_can_have_never_reaches_the_card)
{
	static const char long_one[] = "123456789012345678901234567890123";
	struct card_pin pin = { .id = KF_PIN_USER };

	EXPECT_EQ(-EINVAL, kf_card_driver.pin_verify(script_begin(&self->s), &pin));
	pin.value = VALUE("123");
	EXPECT_EQ(-EINVAL, kf_card_driver.pin_verify(script_begin(&self->s), &pin));
	pin.value = VALUE(long_one);
	EXPECT_EQ(-EINVAL, kf_card_driver.pin_verify(script_begin(&self->s), &pin));
	pin.value = VALUE("123456");
	EXPECT_EQ(-EINVAL, kf_card_driver.pin_change(script_begin(&self->s), &pin));
	EXPECT_EQ(-EINVAL, kf_card_driver.pin_unblock(script_begin(&self->s), &pin));
}

TEST_F(pin, change_names_the_pin_in_p2)
{
	struct card_pin pin = {
		.id = KF_PIN_USER, .value = VALUE("1234"), .new_value = VALUE("56789"),
	};

	script_pin_state(&self->s, 3, 8, false);
	script_expect(&self->s, "00240081 0D 8004 31323334 8105 3536373839", "9000");
	EXPECT_EQ(0, kf_card_driver.pin_change(script_begin(&self->s), &pin));
	pin.id = KF_PIN_PUK;
	script_pin_state(&self->s, 3, 8, false);
	script_expect(&self->s, "00240082 0D 8004 31323334 8105 3536373839", "63C7");
	EXPECT_EQ(-EKEYREJECTED, kf_card_driver.pin_change(script_begin(&self->s), &pin));
	EXPECT_EQ(7u, self->s.card->said.detail);
}

TEST_F(pin, unblocking_minds_the_tries_of_the_puk)
{
	struct card_pin pin = {
		.id = KF_PIN_USER, .value = VALUE("12345678"), .new_value = VALUE("4321"),
	};

	script_pin_state(&self->s, 0, 8, false);
	script_expect(&self->s, "002C0081 10 8008 3132333435363738 8104 34333231", "9000");
	EXPECT_EQ(0, kf_card_driver.pin_unblock(script_begin(&self->s), &pin));
	script_pin_state(&self->s, 3, 1, false);
	EXPECT_EQ(-EPERM, kf_card_driver.pin_unblock(script_begin(&self->s), &pin));
	EXPECT_EQ((uint32_t)KF_PIN_PUK, self->s.card->said.detail);
}

TEST_F(pin, drop_is_verify_ff)
{
	script_expect(&self->s, "0020FF81", "9000");
	EXPECT_EQ(0, kf_card_driver.drop(script_begin(&self->s)));
}

TEST_F(pin, a_state_that_is_cut_or_padded_is_refused)
{
	static const uint8_t state[] = { 0xe2, 10, 0x81, 3, 3, 3, 0, 0x82, 3, 8, 8, 0, 0 };
	struct kf_pin_status pin = { .pin = KF_PIN_USER };

	for (size_t i = 0; i <= sizeof(state); i++) {
		if (i == 12)
			continue;	/* that one is whole */
		script_get_data(&self->s, 0x0102, BYTES(state, i), 0x9000);
		EXPECT_EQ(-EBADMSG, kf_card_driver.pin_status(script_begin(&self->s), &pin));
	}
}

TEST_F(pin, a_pin_lost_on_the_way_is_not_sent_again)
{
	script_pin_state(&self->s, 3, 8, false);
	script_break(&self->s, VERIFY, -ETIMEDOUT, true);
	EXPECT_EQ(-ETIMEDOUT, kf_card_driver.pin_verify(script_begin(&self->s), &user));
	EXPECT_EQ(KF_REASON_ON_CARD, self->s.card->said.reason);
	EXPECT_TRUE(self->s.card->lost);
}
