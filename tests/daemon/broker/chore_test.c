/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What must not stay in the card goes before anybody's turn. */
#include "tests/daemon/broker/card_rig.h"

TEST_F(card, a_pin_does_not_stay_behind_when_its_client_leaves)
{
	verify(self, &self->a, self->ca);
	self->a.fd = fd_close(self->a.fd);
	rig_run(&self->rig);
	EXPECT_ASKED(&self->rig, NR(KF_DRV_DROP));
}

TEST_F(card, logging_out_drops_the_pin_at_once)
{
	verify(self, &self->a, self->ca);
	EXPECT_EQ(0, plain(self, &self->a, KF_PIN_LOGOUT, self->ca));
	EXPECT_ASKED(&self->rig, NR(KF_DRV_DROP));
	EXPECT_EQ(0u, verified(self, &self->a, self->ca));
}

TEST_F(card, a_driver_that_cannot_drop_is_given_up)
{
	struct packet reply;

	verify(self, &self->a, self->ca);
	self->rig.fail = NR(KF_DRV_DROP);
	self->rig.fail_result = -EIO;
	EXPECT_EQ(-EIO, call(self, &self->b, ask(KF_SIGN, self->cb), &reply));
	EXPECT_FALSE(link_up(&self->rig.reader->device->link));
	EXPECT_EQ((uint32_t)KF_READER_STARTING, self->rig.reader->entry.state);
	EXPECT_ASKED(&self->rig, NR(KF_DRV_DROP));
}

TEST_F(card, a_key_whose_client_left_meanwhile_is_destroyed)
{
	struct packet p = ask(KF_SESSION_IMPORT, self->ca);

	self->rig.hold = true;
	peer_send(&self->a, &p);
	rig_run(&self->rig);
	self->a.fd = fd_close(self->a.fd);
	(void)loop_turn(&self->rig.broker.loop, 0);
	self->rig.hold = false;
	driver_answer(&self->rig, &self->rig.held);
	rig_run(&self->rig);
	EXPECT_ASKED(&self->rig, NR(KF_SESSION_IMPORT), NR(KF_KEY_DESTROY));
}

TEST_F(card, a_reset_that_ends_after_the_card_was_taken_out_resets_nothing)
{
	struct packet reset = ask(KF_CARD_RESET, self->ca), wait = ask(KF_CONTEXT_OPEN, 0), reply = { 0 };

	self->rig.hold = true;
	peer_send(&self->a, &reset);
	rig_run(&self->rig);
	driver_event(&self->rig, KF_CHANGE_CARD_REMOVED, 0);
	rig_run(&self->rig);
	((struct kf_context_open *)packet_body(&wait))->flags = KF_OPEN_WAIT;
	peer_send(&self->b, &wait);	/* a context that has no card */
	rig_run(&self->rig);
	driver_answer(&self->rig, &self->rig.held);
	rig_run(&self->rig);
	EXPECT_NE((uint32_t)KF_READER_CARD, self->rig.reader->entry.state);
	EXPECT_EQ(0u, self->rig.reader->entry.atr_len);
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_GT(0, reply.header.result);
}
