/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/harness.h"
#include "tests/vreader/schsm/rig.h"

FIXTURE(card)
{
	struct rig rig;
};

FIXTURE_SETUP(card)
{
	rig_init(&self->rig);
	ASSERT_EQ(SW_OK, rig_initialize(&self->rig, ""));
}

FIXTURE_TEARDOWN(card)
{
	rig_deinit(&self->rig);
}

static uint16_t status(struct rig *rig, unsigned int reference)
{
	return rig_send(rig, 0x00, INS_VERIFY, reference, BYTES_NONE);
}

static uint16_t verify_so(struct rig *rig, const char *pin)
{
	return rig_send(rig, 0x00, INS_VERIFY, HSM_SO_PIN, BYTES(pin, strlen(pin)));
}

static uint16_t change(struct rig *rig, unsigned int reference, const char *old_and_new)
{
	return rig_send(rig, 0x00, INS_CHANGE, reference, BYTES(old_and_new, strlen(old_and_new)));
}

static uint16_t reset(struct rig *rig, unsigned int p1p2, const char *data)
{
	return rig_send(rig, 0x00, INS_UNBLOCK, p1p2, BYTES(data, strlen(data)));
}

TEST(a_card_that_was_never_initialised_has_no_pins)
{
	struct rig rig;

	rig_init(&rig);
	EXPECT_EQ(SW_NO_OBJECT, status(&rig, HSM_USER_PIN));
	EXPECT_EQ(SW_NO_OBJECT, status(&rig, HSM_SO_PIN));
	EXPECT_EQ(SW_NO_OBJECT, rig_verify(&rig, RIG_PIN));
	EXPECT_EQ(SW_NO_OBJECT, verify_so(&rig, RIG_SO_PIN));
	EXPECT_EQ(SW_NO_OBJECT, change(&rig, HSM_USER_PIN, "648219123456"));
	EXPECT_EQ(SW_NO_OBJECT, reset(&rig, 0x0081, RIG_SO_PIN "123456"));
	EXPECT_EQ(SW_NO_OBJECT, reset(&rig, 0x0281, "123456"));
	EXPECT_EQ(0u, rig.commits);
	rig_deinit(&rig);
}

TEST_F(card, tries_go_down_and_a_match_gives_them_back)
{
	struct rig *rig = &self->rig;

	EXPECT_EQ(SW_TRIES | 3, status(rig, HSM_USER_PIN));
	EXPECT_EQ(SW_TRIES | 2, rig_verify(rig, "000000"));
	EXPECT_EQ(SW_TRIES | 1, rig_verify(rig, "6482190"));
	EXPECT_EQ(SW_TRIES | 1, status(rig, HSM_USER_PIN));
	EXPECT_EQ(SW_OK, rig_verify(rig, RIG_PIN));
	EXPECT_EQ(SW_OK, status(rig, HSM_USER_PIN));
	EXPECT_EQ(SW_TRIES | 2, rig_verify(rig, "64821"));
	EXPECT_EQ(SW_TRIES | 2, status(rig, HSM_USER_PIN));	/* and logged out */
	rig_restart(rig);
	EXPECT_EQ(SW_TRIES | 2, status(rig, HSM_USER_PIN));
}

TEST_F(card, without_tries_the_right_pin_is_blocked_too)
{
	struct rig *rig = &self->rig;

	for (unsigned int i = 3; i > 0; i--)
		EXPECT_EQ(SW_TRIES | (i - 1), rig_verify(rig, "000000"));
	EXPECT_EQ(SW_BLOCKED, rig_verify(rig, RIG_PIN));
	EXPECT_EQ(SW_BLOCKED, status(rig, HSM_USER_PIN));
	EXPECT_EQ(SW_BLOCKED, change(rig, HSM_USER_PIN, RIG_PIN "123456"));
	rig_restart(rig);
	EXPECT_EQ(SW_BLOCKED, rig_verify(rig, RIG_PIN));
}

TEST_F(card, the_so_pin_has_tries_of_its_own_and_opens_nothing_of_the_users)
{
	struct rig *rig = &self->rig;

	EXPECT_EQ(SW_TRIES | 15, status(rig, HSM_SO_PIN));
	EXPECT_EQ(SW_TRIES | 14, verify_so(rig, "00000000"));
	EXPECT_EQ(SW_OK, verify_so(rig, RIG_SO_PIN));
	EXPECT_EQ(SW_OK, status(rig, HSM_SO_PIN));
	EXPECT_EQ(SW_TRIES | 3, status(rig, HSM_USER_PIN));
	EXPECT_EQ(SW_PIN_NEEDED, rig_write(rig, 0xcf01, BYTES("x", 1)));
	for (unsigned int i = 15; i > 0; i--)
		EXPECT_EQ(SW_TRIES | (i - 1), verify_so(rig, "00000000"));
	EXPECT_EQ(SW_BLOCKED, verify_so(rig, RIG_SO_PIN));
	EXPECT_EQ(SW_BLOCKED, reset(rig, 0x0081, RIG_SO_PIN "123456"));
	EXPECT_EQ(SW_BLOCKED, rig_initialize(rig, ""));
}

/* The card is mute after the commit that counts: as if its power went before the answer. */
TEST_F(card, a_try_is_spent_before_anything_is_compared)
{
	struct rig *rig = &self->rig;

	for (unsigned int left = 3; left > 0; left--) {
		rig_fail_at(rig, 2, -EIO);		/* the one that gives the tries back */
		EXPECT_EQ(0u, rig_verify(rig, RIG_PIN));
		rig_restart(rig);
		EXPECT_EQ(left == 1 ? SW_BLOCKED : SW_TRIES | (left - 1), status(rig, HSM_USER_PIN));
	}
}

TEST_F(card, a_try_that_could_not_be_spent_is_no_try)
{
	struct rig *rig = &self->rig;

	rig_fail_at(rig, 1, -ENOSPC);
	EXPECT_EQ(SW_MEMORY, rig_verify(rig, RIG_PIN));
	EXPECT_EQ(SW_TRIES | 3, status(rig, HSM_USER_PIN));
	rig_fail_at(rig, 2, -ENOSPC);
	EXPECT_EQ(SW_MEMORY, rig_verify(rig, RIG_PIN));
	EXPECT_EQ(SW_TRIES | 2, status(rig, HSM_USER_PIN));
}

TEST_F(card, a_pin_is_changed_by_who_knows_it)
{
	struct rig *rig = &self->rig;

	EXPECT_EQ(SW_TRIES | 2, change(rig, HSM_USER_PIN, "000000" "123456"));
	EXPECT_EQ(SW_TRIES | 1, change(rig, HSM_USER_PIN, "64821"));
	EXPECT_EQ(SW_OK, change(rig, HSM_USER_PIN, RIG_PIN "1234567"));
	EXPECT_EQ(SW_OK, status(rig, HSM_USER_PIN));
	EXPECT_EQ(SW_TRIES | 2, rig_verify(rig, RIG_PIN));
	EXPECT_EQ(SW_OK, rig_verify(rig, "1234567"));
	EXPECT_EQ(SW_OK, change(rig, HSM_SO_PIN, RIG_SO_PIN "ABCDEFGH"));
	EXPECT_EQ(SW_OK, verify_so(rig, "ABCDEFGH"));
}

TEST_F(card, a_new_pin_of_a_length_it_cannot_have_costs_no_try)
{
	struct rig *rig = &self->rig;

	EXPECT_EQ(SW_DATA, change(rig, HSM_USER_PIN, RIG_PIN "12345"));
	EXPECT_EQ(SW_DATA, change(rig, HSM_USER_PIN, RIG_PIN "1234567890123456"));
	EXPECT_EQ(SW_DATA, change(rig, HSM_USER_PIN, RIG_PIN));
	EXPECT_EQ(SW_DATA, change(rig, HSM_SO_PIN, RIG_SO_PIN "ABCDEFG"));
	EXPECT_EQ(SW_DATA, change(rig, HSM_SO_PIN, RIG_SO_PIN "ABCDEFGHI"));
	EXPECT_EQ(SW_TRIES | 3, status(rig, HSM_USER_PIN));
	EXPECT_EQ(SW_TRIES | 15, status(rig, HSM_SO_PIN));
	EXPECT_EQ(SW_DATA, reset(rig, 0x0081, RIG_SO_PIN "12345"));
	EXPECT_EQ(SW_DATA, reset(rig, 0x0081, RIG_SO_PIN));
	EXPECT_EQ(SW_OK, change(rig, HSM_USER_PIN, RIG_PIN "123456789012345"));
}

TEST_F(card, the_so_pin_unblocks_and_sets_a_new_pin)
{
	struct rig *rig = &self->rig;

	while (rig_verify(rig, "000000") != SW_BLOCKED)
		;
	EXPECT_EQ(SW_TRIES | 14, reset(rig, 0x0081, "00000000123456"));
	EXPECT_EQ(SW_BLOCKED, rig_verify(rig, RIG_PIN));
	EXPECT_EQ(SW_OK, reset(rig, 0x0081, RIG_SO_PIN "123456"));
	EXPECT_EQ(SW_TRIES | 3, status(rig, HSM_USER_PIN));
	EXPECT_EQ(SW_TRIES | 15, status(rig, HSM_SO_PIN));
	EXPECT_EQ(SW_OK, rig_verify(rig, "123456"));
	EXPECT_EQ(SW_OK, reset(rig, 0x0081, RIG_SO_PIN "654321"));
	EXPECT_EQ(SW_TRIES | 3, status(rig, HSM_USER_PIN));	/* whoever was in is out */
}

TEST_F(card, a_verified_so_pin_does_it_without_being_said_again)
{
	struct rig *rig = &self->rig;

	EXPECT_EQ(SW_PIN_NEEDED, reset(rig, 0x0281, "123456"));
	ASSERT_EQ(SW_OK, rig_verify(rig, RIG_PIN));
	EXPECT_EQ(SW_PIN_NEEDED, reset(rig, 0x0281, "123456"));
	ASSERT_EQ(SW_OK, verify_so(rig, RIG_SO_PIN));
	EXPECT_EQ(SW_OK, reset(rig, 0x0281, "123456"));
	EXPECT_EQ(SW_OK, rig_verify(rig, "123456"));
}

TEST(a_card_whose_options_forbid_it_is_not_unblocked)
{
	struct rig rig;

	rig_init(&rig);
	ASSERT_EQ(SW_OK, rig_send_hex(&rig, 0x80, HSM_INITIALIZE, 0x0000,
				      "80 02 0000 81 06 363438323139 82 08 3537363231383830"));
	EXPECT_EQ(SW_CONDITIONS, reset(&rig, 0x0081, RIG_SO_PIN "123456"));
	ASSERT_EQ(SW_OK, verify_so(&rig, RIG_SO_PIN));
	EXPECT_EQ(SW_CONDITIONS, reset(&rig, 0x0281, "123456"));
	EXPECT_EQ(SW_TRIES | 3, status(&rig, HSM_USER_PIN));
	rig_deinit(&rig);
}

TEST(a_transport_pin_has_to_be_changed_first)
{
	struct rig rig;

	rig_init(&rig);
	ASSERT_EQ(SW_OK, rig_send_hex(&rig, 0x80, HSM_INITIALIZE, 0x0000,
				      "80 02 0003 81 06 363438323139 82 08 3537363231383830"));
	EXPECT_EQ(SW_TRANSPORT_PIN, status(&rig, HSM_USER_PIN));
	EXPECT_EQ(SW_TRANSPORT_PIN, rig_verify(&rig, RIG_PIN));
	rig_restart(&rig);
	EXPECT_EQ(SW_TRANSPORT_PIN, rig_verify(&rig, RIG_PIN));
	EXPECT_EQ(SW_TRIES | 2, change(&rig, HSM_USER_PIN, "000000123456"));
	EXPECT_EQ(SW_OK, change(&rig, HSM_USER_PIN, RIG_PIN "123456"));
	EXPECT_EQ(SW_OK, status(&rig, HSM_USER_PIN));
	rig_restart(&rig);
	EXPECT_EQ(SW_OK, rig_verify(&rig, "123456"));
	rig_deinit(&rig);
}
