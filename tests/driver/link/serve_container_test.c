/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes to a container and what comes back from one. */
#include "tests/driver/link/rig.h"

FIXTURE(container) { struct rig rig; };
FIXTURE_SETUP(container) { rig_init(&self->rig); }
FIXTURE_TEARDOWN(container) { rig_deinit(&self->rig); }

TEST_F(container, a_check_value_stands_in_the_struct)
{
	struct packet p = packet_request(KF_CONTAINER_INFO, 0, 0);
	const struct kf_container_info *info;

	((struct kf_container_info *)packet_body(&p))->entry.container = 12;
	EXPECT_EQ(0, rig_serve(&self->rig, &p));
	info = packet_read(&self->rig.reply);
	EXPECT_EQ(3u, info->check_len);
	EXPECT_MEMEQ("abc", info->check_value, 3);
	EXPECT_EQ(0u, packet_get(&self->rig.reply, kf_container_info, spki).n);
}

TEST_F(container, a_cipher_gets_its_parts)
{
	struct packet cipher = packet_request(KF_CIPHER, 0, 0);

	packet_set(&cipher, kf_cipher, input, BYTES("input", 5));
	EXPECT_EQ(0, rig_serve(&self->rig, &cipher));
	EXPECT_BYTES_EQ(BYTES("input", 5), note.in);
	EXPECT_EQ(7, ((const struct kf_cipher *)packet_read(&self->rig.reply))->tag[15]);
	EXPECT_BYTES_EQ(BYTES("text", 4), packet_get(&self->rig.reply, kf_cipher, output));
}
