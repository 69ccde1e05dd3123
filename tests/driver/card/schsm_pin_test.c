/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/driver/card/schsm_script.h"

FIXTURE(pin) { struct script s; };
FIXTURE_SETUP(pin) { schsm_script_open(&self->s); }
FIXTURE_TEARDOWN(pin)
{
	script_done(&self->s);
	script_close(&self->s);
}

#define VALUE(text)	BYTES(text, sizeof(text) - 1)
static const struct card_pin user = { .id = KF_PIN_USER, .value = VALUE("648219"), .new_value = VALUE("111222") };

static struct kf_pin_status status(struct fixture_pin *self, uint32_t id, uint16_t sw)
{
	struct kf_pin_status pin = { .pin = id };

	schsm_script_tries(&self->s, id == KF_PIN_USER ? 0x81 : 0x88, sw);
	EXPECT_EQ(0, schsm_card_driver.pin_status(script_begin(&self->s), &pin));
	EXPECT_EQ(0, self->s.card->said.sw);
	return pin;
}

/* [cards 2.3 VERIFY]: each thing an empty one can say. */
TEST_F(pin, status_tells_every_state)
{
	static const struct { uint16_t sw; uint32_t tries, flags; } rows[] = {
		{ 0x63c3, 3, 0 }, { 0x63c0, 0, KF_PIN_BLOCKED }, { 0x6983, 0, KF_PIN_BLOCKED },
		{ 0x9000, KF_TRIES_UNKNOWN, KF_PIN_VERIFIED }, { 0x6a88, KF_TRIES_UNKNOWN, 0 },
		{ 0x6984, KF_TRIES_UNKNOWN, KF_PIN_DEFAULT },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kf_pin_status pin = status(self, KF_PIN_USER, rows[i].sw);

		EXPECT_EQ(rows[i].tries, pin.tries_left);
		EXPECT_EQ(rows[i].flags, pin.flags);
		EXPECT_EQ(6u, pin.min_len);
		EXPECT_EQ(15u, pin.max_len);
	}
	EXPECT_EQ(KF_PIN_UNBLOCKS, status(self, KF_PIN_PUK, 0x63cf).flags);
	struct kf_pin_status none = { .pin = 5 };
	EXPECT_EQ(-ENOENT, schsm_card_driver.pin_status(script_begin(&self->s), &none));
	schsm_script_tries(&self->s, 0x81, 0x6f00);
	none.pin = KF_PIN_USER;
	EXPECT_EQ(-EREMOTEIO, schsm_card_driver.pin_status(script_begin(&self->s), &none));
}

TEST_F(pin, verify_is_sent_once_and_its_word_is_told)
{
	schsm_script_tries(&self->s, 0x81, 0x63c3);
	script_expect(&self->s, "00200081 06 363438323139", "63C2");
	EXPECT_EQ(-EKEYREJECTED, schsm_card_driver.pin_verify(script_begin(&self->s), &user));
	EXPECT_EQ(2u, self->s.card->said.detail);
	schsm_script_tries(&self->s, 0x81, 0x63c2);
	script_expect(&self->s, "00200081 06 363438323139", "6984");
	EXPECT_EQ(-EPERM, schsm_card_driver.pin_verify(script_begin(&self->s), &user));
	EXPECT_EQ(KF_REASON_PIN_TRANSPORT, self->s.card->said.reason);
}

TEST_F(pin, the_last_try_is_spent_only_when_offered_up)
{
	struct card_pin pin = user;

	schsm_script_tries(&self->s, 0x81, 0x63c1);
	EXPECT_EQ(-EPERM, schsm_card_driver.pin_verify(script_begin(&self->s), &pin));
	EXPECT_EQ(KF_REASON_PIN_LAST_TRY, self->s.card->said.reason);
	schsm_script_tries(&self->s, 0x81, 0x63c1);
	script_expect(&self->s, "00200081 06 363438323139", "9000");
	pin.last_try = true;
	EXPECT_EQ(0, schsm_card_driver.pin_verify(script_begin(&self->s), &pin));
	pin.last_try = false;
	schsm_script_tries(&self->s, 0x81, 0x63c1);
	EXPECT_EQ(-EPERM, schsm_card_driver.pin_change(script_begin(&self->s), &pin));
	pin.value = VALUE("3537363231383830");
	schsm_script_tries(&self->s, 0x88, 0x63c1);
	EXPECT_EQ(-EPERM, schsm_card_driver.pin_unblock(script_begin(&self->s), &pin));
	schsm_script_tries(&self->s, 0x81, 0x6983);
	EXPECT_EQ(-EKEYREVOKED, schsm_card_driver.pin_verify(script_begin(&self->s), &user));
}

/* An empty one would be a question, and answered 9000 if somebody else's PIN is in. */
TEST_F(pin, one_that_can_be_none_is_not_sent)
{
	static const struct bytes wrong[] = { BYTES_NONE, VALUE("12345"), VALUE("1234567890123456") };

	for (size_t i = 0; i < 3; i++) {
		struct card_pin pin = user;

		pin.value = wrong[i];
		EXPECT_EQ(-EINVAL, schsm_card_driver.pin_verify(script_begin(&self->s), &pin));
		EXPECT_EQ(-EINVAL, schsm_card_driver.pin_change(script_begin(&self->s), &pin));
		pin = user;
		pin.new_value = wrong[i];
		EXPECT_EQ(-EINVAL, schsm_card_driver.pin_change(script_begin(&self->s), &pin));
		pin.value = VALUE("57621880");
		EXPECT_EQ(-EINVAL, schsm_card_driver.pin_unblock(script_begin(&self->s), &pin));
	}
}

TEST_F(pin, old_and_new_go_back_to_back)
{
	struct card_pin pin = user;

	schsm_script_tries(&self->s, 0x81, 0x63c3);
	script_expect(&self->s, "00240081 0C 363438323139 313131323232", "9000");
	EXPECT_EQ(0, schsm_card_driver.pin_change(script_begin(&self->s), &pin));
	pin.value = VALUE("3537363231383830");
	schsm_script_tries(&self->s, 0x88, 0x63cf);
	script_expect(&self->s, "002C0081 0E 3537363231383830 313131323232", "9000");
	EXPECT_EQ(0, schsm_card_driver.pin_unblock(script_begin(&self->s), &pin));
	pin.id = KF_PIN_PUK;
	pin.new_value = VALUE("AbcdefABCDEF0123");
	schsm_script_tries(&self->s, 0x88, 0x63cf);
	script_expect(&self->s, "00240088 10 3537363231383830 ABCDEFABCDEF0123", "9000");
	EXPECT_EQ(0, schsm_card_driver.pin_change(script_begin(&self->s), &pin));
	EXPECT_EQ(-EOPNOTSUPP, schsm_card_driver.pin_verify(script_begin(&self->s), &pin));
	EXPECT_EQ(-EOPNOTSUPP, schsm_card_driver.pin_unblock(script_begin(&self->s), &pin));
}

TEST(an_so_pin_is_eight_bytes_or_their_digits)
{
	uint8_t out[KF_SO_PIN_SIZE];

	EXPECT_EQ(0, schsm_so_pin(VALUE("57621880"), out));
	EXPECT_MEMEQ("57621880", out, 8);
	EXPECT_EQ(0, schsm_so_pin(VALUE("3537363231383830"), out));
	EXPECT_MEMEQ("57621880", out, 8);
	EXPECT_EQ(-EINVAL, schsm_so_pin(VALUE("353736323138383x"), out));
	EXPECT_EQ(-EINVAL, schsm_so_pin(VALUE("5762188"), out));
	EXPECT_EQ(-EINVAL, schsm_so_pin(VALUE("576218801"), out));
	EXPECT_EQ(-EINVAL, schsm_so_pin(BYTES_NONE, out));
}
