/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PINs on their way to the card: each part where its verb expects it. */
#include "tests/driver/link/rig.h"

FIXTURE(card) { struct rig rig; };
FIXTURE_SETUP(card) { rig_init(&self->rig); }
FIXTURE_TEARDOWN(card) { rig_deinit(&self->rig); }

TEST_F(card, a_pin_reaches_its_verb_with_what_shall_replace_it)
{
	struct packet verify = packet_request(KF_PIN_VERIFY, 0, 0);
	struct packet change = packet_request(KF_PIN_CHANGE, 0, 0);
	struct packet unblock = packet_request(KF_PIN_UNBLOCK, 0, 0);

	((struct kf_pin_verify *)packet_body(&verify))->pin = KF_PIN_USER;
	packet_set(&verify, kf_pin_verify, value, BYTES("1234", 4));
	EXPECT_EQ(0, rig_serve(&self->rig, &verify));
	EXPECT_EQ(KF_PIN_USER, note.pin);
	EXPECT_BYTES_EQ(BYTES("1234", 4), note.in);
	packet_set(&change, kf_pin_change, old_value, BYTES("1234", 4));
	packet_set(&change, kf_pin_change, new_value, BYTES("5678", 4));
	EXPECT_EQ(0, rig_serve(&self->rig, &change));
	EXPECT_BYTES_EQ(BYTES("12345678", 8), note.in);
	packet_set(&unblock, kf_pin_unblock, puk, BYTES("9999", 4));
	packet_set(&unblock, kf_pin_unblock, new_value, BYTES("5678", 4));
	EXPECT_EQ(0, rig_serve(&self->rig, &unblock));
	EXPECT_BYTES_EQ(BYTES("99995678", 8), note.in);
	EXPECT_EQ(3u, note.verbs);
}

TEST_F(card, the_last_try_is_spent_by_who_says_so)
{
	static const uint32_t requests[] = {
		KF_PIN_VERIFY, KF_PIN_CHANGE, KF_PIN_UNBLOCK, KF_PIN_PAD_VERIFY, KF_PIN_PAD_CHANGE,
	};

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct packet p = packet_request(requests[i], 0, 0);

		EXPECT_EQ(0, rig_serve(&self->rig, &p));
		EXPECT_FALSE(note.last_try);
		((struct kf_pin_verify *)packet_body(&p))->flags = KF_PIN_LAST_TRY;
		EXPECT_EQ(0, rig_serve(&self->rig, &p));
		EXPECT_TRUE(note.last_try);
	}
}
