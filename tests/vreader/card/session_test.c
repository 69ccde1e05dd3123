/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vreader/card/session.h"
#include "tests/harness.h"
#include "tests/vreader/card/tray.h"
#include "vreader/card/tlv.h"

FIXTURE(card)
{
	struct tray tray;
	struct sealing s;
};

FIXTURE_SETUP(card)
{
	tray_init(&self->tray, 1);
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	sealing_offer(&self->s, &self->tray, 2, 0xff);
	sealing_take_key(&self->s, TRAY_P256, KF_PURPOSE_SIGN);
	sealing_seal(&self->s);
}

FIXTURE_TEARDOWN(card)
{
	sealing_deinit(&self->s);
	tray_deinit(&self->tray);
}

static uint16_t import(struct fixture_card *self, const uint8_t *sid, struct bytes wrapped)
{
	uint8_t buf[700];
	struct packer p = pack_begin(buf, sizeof(buf));

	tlv_put(&p, 0x80, BYTES(sid, KF_SID_SIZE));
	tlv_put(&p, 0x81, wrapped);
	return tray_send(&self->tray, 0x80, INS_IMPORT_SESSION, 0x0200, pack_done(&p));
}

/* What opens and what does not answer alike, spend alike, and end in the same refusal. */
TEST_F(card, a_wrapped_key_that_does_not_open_shows_only_at_the_item)
{
	static const uint8_t answer[] = { 0x80, 0x01, 0x01 };
	uint8_t garbage[256] = { 0x00, 0x42 };
	unsigned int commits = self->tray.commits;

	EXPECT_EQ(SW_OK, import(self, self->s.statement.sid, BYTES_OF(garbage)));
	EXPECT_BYTES_EQ(BYTES_OF(answer), tray_data(&self->tray));
	EXPECT_EQ(commits, self->tray.commits);
	self->s.session = 1;
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	EXPECT_EQ(APP_TRIES - 1, self->tray.card->state->offers[0].tries);
}

TEST_F(card, a_key_wrapped_under_another_label_or_of_another_length_does_not_open)
{
	self->s.h[0] ^= 1;				/* another statement */
	EXPECT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	self->s.h[0] ^= 1;
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));

	self->s.s1.n = 31;
	EXPECT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	self->s.s1.n = 32;
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	EXPECT_EQ(32u, self->tray.card->sessions[self->s.session - 1].s1.n);
}

TEST_F(card, a_key_wrapped_for_a_substituted_exchange_key_does_not_open)
{
	self->s.exchange = tray_key(TRAY_RSA_OTHER);
	EXPECT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
}

TEST_F(card, public_facts_are_judged_before_the_key_is_asked)
{
	uint8_t wrapped[512] = { 0 }, sid[KF_SID_SIZE];

	EXPECT_EQ(SW_DATA, import(self, self->s.statement.sid, BYTES(wrapped, 255)));
	EXPECT_EQ(SW_DATA, import(self, self->s.statement.sid, BYTES(wrapped, 257)));
	memcpy(sid, self->s.statement.sid, sizeof(sid));
	sid[0] ^= 1;
	EXPECT_EQ(SW_REFUSED, import(self, sid, BYTES(wrapped, 256)));
	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_VERIFY, 0xff81, BYTES_NONE));
	EXPECT_EQ(SW_PIN_NEEDED, import(self, self->s.statement.sid, BYTES(wrapped, 256)));
}

TEST_F(card, four_sessions_and_no_more)
{
	for (unsigned int i = 1; i <= APP_SESSIONS_MAX; i++) {
		EXPECT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
		EXPECT_EQ(i, self->s.session);
	}
	EXPECT_EQ(SW_FULL, sealing_import(&self->s, &self->tray));
	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x80, INS_DESTROY_SESSION, 2, BYTES_NONE));
	EXPECT_TRUE(bytes_are_zero(BYTES(self->tray.card->sessions[1].s1.p, KF_S1_SIZE)));
	EXPECT_EQ(SW_NO_OBJECT, tray_send(&self->tray, 0x80, INS_DESTROY_SESSION, 2, BYTES_NONE));
	EXPECT_EQ(SW_NO_OBJECT, tray_send(&self->tray, 0x80, INS_DESTROY_SESSION, 0, BYTES_NONE));
	EXPECT_EQ(SW_NO_OBJECT, tray_send(&self->tray, 0x80, INS_DESTROY_SESSION, 5, BYTES_NONE));
	EXPECT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	EXPECT_EQ(2u, self->s.session);
}

TEST_F(card, all_sessions_of_a_finished_sid_are_gone)
{
	EXPECT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	EXPECT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	EXPECT_EQ(SW_OK, sealing_process(&self->s, &self->tray));
	for (unsigned int i = 0; i < APP_SESSIONS_MAX; i++)
		EXPECT_TRUE(bytes_are_zero(BYTES(self->tray.card->sessions[i].s1.p, KF_S1_SIZE)));
}

TEST_F(card, sessions_stay_across_select_and_unverify_but_not_across_power)
{
	static const uint8_t aid[] = APP_AID;

	EXPECT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_SELECT, 0x040c, BYTES_OF(aid)));
	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_VERIFY, 0xff81, BYTES_NONE));
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_NOT_NULL(session_find(self->tray.card, 1));
	card_power_off(self->tray.card);
	EXPECT_NULL(session_find(self->tray.card, 1));
	EXPECT_TRUE(bytes_are_zero(BYTES(self->tray.card->sessions[0].s1.p, KF_S1_SIZE)));

	tray_restart(&self->tray);			/* the offer is still there */
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	EXPECT_EQ(SW_OK, sealing_process(&self->s, &self->tray));
}
