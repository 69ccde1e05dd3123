/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes to a KEK and what comes back from one. */
#include "tests/driver/link/rig.h"

FIXTURE(kek) { struct rig rig; };
FIXTURE_SETUP(kek) { rig_init(&self->rig); }
FIXTURE_TEARDOWN(kek) { rig_deinit(&self->rig); }

TEST_F(kek, an_import_answers_with_receipt_and_public_key)
{
	struct packet p = packet_request(KF_BYOK_IMPORT, 0, 0);

	packet_set(&p, kf_byok_import, blob, BYTES("blob", 4));
	EXPECT_EQ(0, rig_serve(&self->rig, &p));
	EXPECT_EQ(1u, note.verbs);	/* it is done: no further one may fail */
	EXPECT_EQ(11u, ((const struct kf_byok_import *)packet_read(&self->rig.reply))->container);
	EXPECT_BYTES_EQ(BYTES("receipt", 7), packet_get(&self->rig.reply, kf_byok_import, receipt));
	EXPECT_BYTES_EQ(BYTES("spki", 4), packet_get(&self->rig.reply, kf_byok_import, spki));
	EXPECT_EQ(0u, packet_get(&self->rig.reply, kf_byok_import, blob).n);
}

TEST_F(kek, an_import_of_a_secret_key_answers_with_its_check_value)
{
	struct packet p = packet_request(KF_BYOK_IMPORT, 0, 0);
	const struct kf_byok_import *import;

	packet_set(&p, kf_byok_import, kid, BYTES("secret", 6));
	EXPECT_EQ(0, rig_serve(&self->rig, &p));
	EXPECT_EQ(1u, note.verbs);
	import = packet_read(&self->rig.reply);
	EXPECT_EQ(3u, import->check_len);
	EXPECT_MEMEQ("abc", import->check_value, 3);
	EXPECT_BYTES_EQ(BYTES("receipt", 7), packet_get(&self->rig.reply, kf_byok_import, receipt));
	EXPECT_EQ(0u, packet_get(&self->rig.reply, kf_byok_import, spki).n);
}

TEST_F(kek, a_kek_gets_its_parts)
{
	struct packet kek = packet_request(KF_KEK_CREATE, 0, 0);

	packet_set(&kek, kf_kek_create, puk, BYTES("12345678", 8));
	EXPECT_EQ(0, rig_serve(&self->rig, &kek));
	EXPECT_BYTES_EQ(BYTES("12345678", 8), note.in);
	EXPECT_EQ(9u, ((const struct kf_kek_create *)packet_read(&self->rig.reply))->container);
	EXPECT_BYTES_EQ(BYTES("attested", 8), packet_get(&self->rig.reply, kf_kek_create, attestation));
}
