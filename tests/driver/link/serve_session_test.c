/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The offer of a card, and its session keys. */
#include "tests/driver/link/rig.h"

FIXTURE(session) { struct rig rig; };
FIXTURE_SETUP(session) { rig_init(&self->rig); }
FIXTURE_TEARDOWN(session) { rig_deinit(&self->rig); }

TEST_F(session, an_offer_brings_the_certificate_behind_its_statement)
{
	struct packet p = packet_request(KF_OFFER, 0, 0);

	EXPECT_EQ(0, rig_serve(&self->rig, &p));
	EXPECT_BYTES_EQ(BYTES("statement", 9), packet_get(&self->rig.reply, kf_offer, statement));
	EXPECT_BYTES_EQ(BYTES("chain", 5), packet_get(&self->rig.reply, kf_offer, chain));
	EXPECT_EQ(9u, ((const struct kf_offer *)packet_read(&self->rig.reply))->exchange_container);
}

static struct packet with_key(uint32_t request, uint64_t key)
{
	struct packet p = packet_request(request, 0, 0);

	*(uint64_t *)packet_body(&p) = key;
	return p;
}

TEST_F(session, a_session_key_lives_from_its_import_to_its_destruction)
{
	struct packet import = packet_request(KF_SESSION_IMPORT, 0, 0), p;
	uint64_t key;

	EXPECT_EQ(0, rig_serve(&self->rig, &import));
	key = ((const struct kf_session_import *)packet_read(&self->rig.reply))->key;
	EXPECT_EQ(note.key, key);
	EXPECT_EQ(3u, ((const struct kf_session_import *)packet_read(&self->rig.reply))->next_item);

	note.verbs = 0;
	p = with_key(KF_PROCESS, key + 1);
	EXPECT_EQ(-EBADF, rig_serve(&self->rig, &p));
	p = with_key(KF_KEY_DESTROY, key + 1);
	EXPECT_EQ(-EBADF, rig_serve(&self->rig, &p));
	EXPECT_EQ(0u, note.verbs);
	p = with_key(KF_PROCESS, key);
	EXPECT_EQ(0, rig_serve(&self->rig, &p));
	EXPECT_BYTES_EQ(BYTES("receipt", 7), packet_get(&self->rig.reply, kf_process, receipt));

	note.result = -EIO;			/* the card may have it still */
	p = with_key(KF_KEY_DESTROY, key);
	EXPECT_EQ(-EIO, rig_serve(&self->rig, &p));
	note.result = 0;
	EXPECT_EQ(0, rig_serve(&self->rig, &p));
	EXPECT_EQ(key, note.key);
	EXPECT_EQ(-EBADF, rig_serve(&self->rig, &p));
}

TEST_F(session, an_import_that_fails_takes_no_place)
{
	struct packet import = packet_request(KF_SESSION_IMPORT, 0, 0);

	note.result = -EREMOTEIO;
	for (int i = 0; i < 2 * CARD_SESSIONS_MAX; i++)
		EXPECT_EQ(-EREMOTEIO, rig_serve(&self->rig, &import));
	note.result = 0;
	for (int i = 0; i < CARD_SESSIONS_MAX; i++)
		EXPECT_EQ(0, rig_serve(&self->rig, &import));
	EXPECT_EQ(-ENOSPC, rig_serve(&self->rig, &import));
}
