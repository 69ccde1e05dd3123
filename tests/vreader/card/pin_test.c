/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/harness.h"
#include "tests/vreader/card/tray.h"
#include "vreader/card/tlv.h"

FIXTURE(card)
{
	struct tray tray;
};

FIXTURE_SETUP(card)
{
	tray_init(&self->tray, 0);
}

FIXTURE_TEARDOWN(card)
{
	tray_deinit(&self->tray);
}

static uint16_t change(struct tray *tray, uint8_t ins, unsigned int p2, const char *old,
		       const char *new)
{
	uint8_t buf[256];
	struct packer p = pack_begin(buf, sizeof(buf));

	tlv_put(&p, 0x80, BYTES(old, strlen(old)));
	tlv_put(&p, 0x81, BYTES(new, strlen(new)));
	return tray_send(tray, 0x00, ins, p2, pack_done(&p));
}

static uint16_t status(struct tray *tray)
{
	return tray_send(tray, 0x00, INS_VERIFY, 0x0081, BYTES_NONE);
}

TEST_F(card, the_right_pin_verifies_and_gives_the_tries_back)
{
	EXPECT_EQ(SW_TRIES | 3, status(&self->tray));
	EXPECT_EQ(SW_TRIES | 2, tray_verify(&self->tray, "000000"));
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_OK, status(&self->tray));
	EXPECT_EQ(3, self->tray.card->state->pin.tries);
}

TEST_F(card, pin_information_tells_tries_and_state)
{
	static const uint8_t before[] = { 0xe2, 0x0a, 0x81, 3, 2, 3, 0, 0x82, 3, 8, 8, 0 };
	static const uint8_t after[] = { 0xe2, 0x0a, 0x81, 3, 3, 3, 1, 0x82, 3, 8, 8, 0 };

	EXPECT_EQ(SW_TRIES | 2, tray_verify(&self->tray, "000000"));
	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_GET_DATA, 0x0102, BYTES_NONE));
	EXPECT_BYTES_EQ(BYTES_OF(before), tray_data(&self->tray));
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_GET_DATA, 0x0102, BYTES_NONE));
	EXPECT_BYTES_EQ(BYTES_OF(after), tray_data(&self->tray));
}

TEST_F(card, three_wrong_pins_block_and_the_puk_unblocks)
{
	EXPECT_EQ(SW_TRIES | 2, tray_verify(&self->tray, "1"));
	EXPECT_EQ(SW_TRIES | 1, tray_verify(&self->tray, "1234567"));
	EXPECT_EQ(SW_TRIES | 0, tray_verify(&self->tray, "123457"));
	EXPECT_EQ(SW_BLOCKED, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_BLOCKED, status(&self->tray));
	EXPECT_EQ(SW_BLOCKED, change(&self->tray, INS_CHANGE, 0x81, TRAY_PIN, "9999"));

	EXPECT_EQ(SW_TRIES | 7, change(&self->tray, INS_UNBLOCK, 0x81, "wrong", "9999"));
	EXPECT_EQ(SW_OK, change(&self->tray, INS_UNBLOCK, 0x81, TRAY_PUK, "9999"));
	EXPECT_EQ(SW_TRIES | 3, status(&self->tray));		/* not verified by that */
	EXPECT_EQ(8, self->tray.card->state->puk.tries);
	EXPECT_EQ(SW_TRIES | 2, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, "9999"));
}

TEST_F(card, a_wrong_pin_ends_the_verified_state)
{
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_TRIES | 2, tray_verify(&self->tray, "000000"));
	EXPECT_EQ(SW_TRIES | 2, status(&self->tray));
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_TRIES | 2, change(&self->tray, INS_CHANGE, 0x81, "000000", "9999"));
	EXPECT_EQ(SW_TRIES | 2, status(&self->tray));
}

TEST_F(card, eight_wrong_puks_block_for_good)
{
	for (int left = 7; left >= 0; left--)
		EXPECT_EQ(SW_TRIES | left, change(&self->tray, INS_UNBLOCK, 0x81, "wrong", "9999"));
	EXPECT_EQ(SW_BLOCKED, change(&self->tray, INS_UNBLOCK, 0x81, TRAY_PUK, "9999"));
	EXPECT_EQ(SW_BLOCKED, change(&self->tray, INS_CHANGE, 0x82, TRAY_PUK, "99999999"));
}

TEST_F(card, change_verifies_the_old_value_and_sets_the_new_one)
{
	EXPECT_EQ(SW_OK, change(&self->tray, INS_CHANGE, 0x81, TRAY_PIN, "9999"));
	EXPECT_EQ(SW_OK, status(&self->tray));
	tray_restart(&self->tray);
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, "9999"));

	EXPECT_EQ(SW_OK, change(&self->tray, INS_CHANGE, 0x82, TRAY_PUK, "88888888"));
	EXPECT_EQ(SW_TRIES | 7, change(&self->tray, INS_UNBLOCK, 0x81, TRAY_PUK, "7777"));
	EXPECT_EQ(SW_OK, change(&self->tray, INS_UNBLOCK, 0x81, "88888888", "7777"));
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, "7777"));
}

TEST_F(card, a_new_value_nobody_could_enter_costs_no_try)
{
	EXPECT_EQ(SW_DATA, change(&self->tray, INS_CHANGE, 0x81, TRAY_PIN, "123"));
	EXPECT_EQ(SW_DATA, change(&self->tray, INS_CHANGE, 0x81, "000000", "123"));
	EXPECT_EQ(SW_DATA, change(&self->tray, INS_UNBLOCK, 0x81, "wrong",
				  "123456789012345678901234567890123"));
	EXPECT_EQ(SW_OK, change(&self->tray, INS_CHANGE, 0x81, TRAY_PIN,
				"12345678901234567890123456789012"));
	EXPECT_EQ(3, self->tray.card->state->pin.tries);
	EXPECT_EQ(8, self->tray.card->state->puk.tries);
}

TEST_F(card, select_reset_power_and_unverify_end_the_verified_state)
{
	static const uint8_t aid[] = APP_AID;

	EXPECT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_SELECT, 0x040c, BYTES_OF(aid)));
	EXPECT_EQ(SW_TRIES | 3, status(&self->tray));
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_VERIFY, 0xff81, BYTES_NONE));
	EXPECT_EQ(SW_TRIES | 3, status(&self->tray));
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	card_power_on(self->tray.card);
	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_SELECT, 0x040c, BYTES_OF(aid)));
	EXPECT_EQ(SW_TRIES | 3, status(&self->tray));
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	card_power_off(self->tray.card);
	EXPECT_FALSE(self->tray.card->pin_verified);
}

/* The try is on the disk before anybody hears whether the PIN was right. */
TEST_F(card, a_power_cut_during_verify_never_saves_a_try)
{
	tray_fail_at(&self->tray, 1, -ENOSPC);
	EXPECT_EQ(SW_MEMORY, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_TRIES | 3, status(&self->tray));		/* nothing was compared */

	tray_fail_at(&self->tray, 2, -ENOSPC);
	EXPECT_EQ(SW_MEMORY, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_TRIES | 2, status(&self->tray));
	tray_fail_at(&self->tray, 2, -EIO);
	EXPECT_EQ(0, tray_verify(&self->tray, TRAY_PIN));
	tray_restart(&self->tray);
	EXPECT_EQ(SW_TRIES | 1, status(&self->tray));
	EXPECT_EQ(SW_TRIES | 0, tray_verify(&self->tray, "000000"));
	tray_restart(&self->tray);
	EXPECT_EQ(SW_BLOCKED, tray_verify(&self->tray, TRAY_PIN));
}

TEST_F(card, a_power_cut_during_change_leaves_one_of_the_two_values)
{
	tray_fail_at(&self->tray, 2, -ENOSPC);
	EXPECT_EQ(SW_MEMORY, change(&self->tray, INS_CHANGE, 0x81, TRAY_PIN, "9999"));
	EXPECT_FALSE(self->tray.card->pin_verified);
	tray_restart(&self->tray);
	EXPECT_EQ(SW_TRIES | 1, tray_verify(&self->tray, "9999"));
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
}
