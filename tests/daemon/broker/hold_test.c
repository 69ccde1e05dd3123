/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Transactions and relays as their turn comes: who has the card, who waits for it, and what is in it
 * when that is over. Their lives by themselves are txn_test's.
 */
#include "daemon/broker/job.h"
#include "tests/daemon/broker/card_rig.h"

/* --- the relay --- */

static int relay_begin(struct fixture_card *self, struct peer *peer, uint64_t context,
		       uint32_t count, struct packet *reply)
{
	struct packet p = ask(KF_RELAY_BEGIN, context);

	((struct kf_relay_begin *)packet_body(&p))->count = count;
	packet_set_string(((struct kf_relay_begin *)packet_body(&p))->name, "relay");
	return call(self, peer, p, reply);
}

static int relay_apdu(struct fixture_card *self, uint32_t number, uint8_t ins, struct packet *reply)
{
	const uint8_t command[] = { 0x00, ins, 0x00, 0x00, 0x08 };
	struct packet p = ask(KF_RELAY_APDU, self->ca);
	struct kf_relay_apdu *apdu = packet_body(&p);

	apdu->number = number;
	apdu->expect = 0x9000;
	apdu->mask = 0xffff;
	packet_set(&p, kf_relay_apdu, command, BYTES_OF(command));
	return call(self, &self->a, p, reply);
}

TEST_F(card, a_relay_runs_alone_and_the_card_is_reset_behind_it)
{
	struct packet reply = { 0 }, sign = ask(KF_SIGN, self->cb);
	const struct kf_relay_apdu *said = packet_read(&reply);

	verify(self, &self->b, self->cb);
	ASSERT_EQ(0, relay_begin(self, &self->a, self->ca, 2, &reply));
	peer_send(&self->b, &sign);
	EXPECT_EQ(0, relay_apdu(self, 1, 0x84, &reply));
	EXPECT_EQ(1u, said->number);
	EXPECT_EQ(0x9000u, said->sw);
	EXPECT_EQ(0u, said->flags);
	EXPECT_EQ(0, relay_apdu(self, 2, 0x84, &reply));
	EXPECT_EQ(0, plain(self, &self->a, KF_RELAY_END, self->ca));
	/* the PIN of another was gone before the first of them, the channel before the next turn */
	EXPECT_ASKED(&self->rig, NR(KF_DRV_DROP), NR(KF_RELAY_APDU), NR(KF_RELAY_APDU),
		     NR(KF_DRV_POWER_CYCLE), NR(KF_SIGN));
	EXPECT_EQ(-EPROTO, relay_apdu(self, 3, 0x84, &reply));
	EXPECT_EQ(KF_REASON_RELAY_OVER, reply.header.reason);
	EXPECT_EQ(-EPROTO, plain(self, &self->a, KF_RELAY_END, self->ca));
}

TEST_F(card, a_relay_takes_numbers_without_a_gap_and_no_more_than_announced)
{
	struct packet reply = { 0 };

	ASSERT_EQ(0, relay_begin(self, &self->a, self->ca, 2, &reply));
	EXPECT_EQ(0, relay_apdu(self, 1, 0x84, &reply));
	self->rig.n_asked = 0;
	EXPECT_EQ(-EPROTO, relay_apdu(self, 1, 0x84, &reply));
	EXPECT_EQ(KF_REASON_RELAY_NUMBER, reply.header.reason);
	EXPECT_EQ(2u, reply.header.detail);
	EXPECT_EQ(-EPROTO, relay_apdu(self, 3, 0x84, &reply));
	EXPECT_EQ(KF_REASON_RELAY_COUNT, reply.header.reason);
	EXPECT_EQ(2u, reply.header.detail);
	EXPECT_EQ(-EACCES, relay_apdu(self, 2, 0x20, &reply));
	EXPECT_EQ(KF_REASON_RELAY_PLAIN, reply.header.reason);
	EXPECT_EQ(0x20u, reply.header.detail);
	EXPECT_EQ(0u, self->rig.n_asked);
	EXPECT_EQ(0, relay_apdu(self, 2, 0x84, &reply));	/* and all is as it was */
	EXPECT_EQ(-EPROTO, relay_apdu(self, 3, 0x84, &reply));
	EXPECT_EQ(0, plain(self, &self->a, KF_RELAY_END, self->ca));
}

TEST_F(card, nothing_but_the_relay_reaches_the_card_while_it_runs)
{
	static const uint32_t others[] = { KF_SIGN, KF_PIN_LOGOUT, KF_CARD_RESET, KF_TXN_END, KF_CARD_INFO };
	struct packet reply = { 0 };

	ASSERT_EQ(0, relay_begin(self, &self->a, self->ca, 2, &reply));
	self->rig.n_asked = 0;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		EXPECT_EQ(-EPROTO, call(self, &self->a, ask(others[i], self->ca), &reply));
		EXPECT_EQ(KF_REASON_RELAY_HELD, reply.header.reason);
	}
	EXPECT_EQ(-EPROTO, call(self, &self->a, ask_pin(self->ca, 0), &reply));
	EXPECT_EQ(0u, self->rig.n_asked);
	EXPECT_EQ(-EDQUOT, relay_begin(self, &self->a, self->ca, 2, &reply));
	EXPECT_EQ(0, relay_apdu(self, 1, 0x84, &reply));
}

TEST_F(card, a_status_word_nobody_expects_ends_a_relay)
{
	struct packet reply = { 0 };
	const struct kf_relay_apdu *said = packet_read(&reply);

	ASSERT_EQ(0, relay_begin(self, &self->a, self->ca, 3, &reply));
	self->rig.relay_sw = 0x6982;
	self->rig.n_asked = 0;
	EXPECT_EQ(0, relay_apdu(self, 1, 0x84, &reply));
	EXPECT_EQ(KF_RELAY_ENDED, said->flags);
	EXPECT_EQ(0x6982u, said->sw);
	EXPECT_EQ(2u, packet_get(&reply, kf_relay_apdu, response).n);
	EXPECT_ASKED(&self->rig, NR(KF_RELAY_APDU), NR(KF_DRV_POWER_CYCLE));
	EXPECT_EQ(-EPROTO, relay_apdu(self, 2, 0x84, &reply));
	EXPECT_EQ(KF_REASON_RELAY_OVER, reply.header.reason);
	EXPECT_EQ(0, plain(self, &self->b, KF_SIGN, self->cb));
}

TEST_F(card, an_apdu_that_fails_on_its_way_ends_a_relay)
{
	struct packet reply = { 0 };

	ASSERT_EQ(0, relay_begin(self, &self->a, self->ca, 3, &reply));
	self->rig.fail = NR(KF_RELAY_APDU);
	self->rig.fail_result = -EIO;
	self->rig.n_asked = 0;
	EXPECT_EQ(-EIO, relay_apdu(self, 1, 0x84, &reply));
	EXPECT_ASKED(&self->rig, NR(KF_RELAY_APDU), NR(KF_DRV_POWER_CYCLE));
	self->rig.fail_result = 0;
	EXPECT_EQ(-EPROTO, relay_apdu(self, 2, 0x84, &reply));
}

TEST_F(card, a_relay_ends_at_its_deadline_and_with_its_context)
{
	struct packet reply = { 0 };

	ASSERT_EQ(0, relay_begin(self, &self->a, self->ca, 3, &reply));
	EXPECT_EQ(0, relay_apdu(self, 1, 0x84, &reply));
	self->rig.n_asked = 0;
	rig_expire(&self->rig, &self->rig.reader->txn.timer);
	EXPECT_ASKED(&self->rig, NR(KF_DRV_POWER_CYCLE));
	EXPECT_EQ(-EPROTO, relay_apdu(self, 2, 0x84, &reply));
	EXPECT_EQ(KF_REASON_TXN_EXPIRED, reply.header.reason);
	EXPECT_EQ(-EPROTO, plain(self, &self->a, KF_RELAY_END, self->ca));

	ASSERT_EQ(0, relay_begin(self, &self->a, self->ca, 3, &reply));
	self->rig.n_asked = 0;
	EXPECT_EQ(0, plain(self, &self->a, KF_CONTEXT_CLOSE, self->ca));
	rig_run(&self->rig);
	EXPECT_ASKED(&self->rig, NR(KF_DRV_POWER_CYCLE));
	EXPECT_EQ(0, plain(self, &self->b, KF_SIGN, self->cb));
}

TEST_F(card, a_relay_has_a_count)
{
	struct packet reply = { 0 };

	EXPECT_EQ(-EINVAL, relay_begin(self, &self->a, self->ca, 0, &reply));
	EXPECT_EQ(-EINVAL, relay_begin(self, &self->a, self->ca, KF_RELAY_APDUS_MAX + 1, &reply));
	EXPECT_EQ(0, relay_begin(self, &self->a, self->ca, KF_RELAY_APDUS_MAX, &reply));
}

/* --- transactions --- */

TEST_F(card, a_transaction_keeps_the_card_and_the_pin)
{
	struct packet reply;

	EXPECT_EQ(0, call(self, &self->a, ask_txn(self->ca, 0), &reply));
	verify(self, &self->a, self->ca);
	struct packet sign = ask(KF_SIGN, self->cb);
	peer_send(&self->b, &sign);
	rig_run(&self->rig);
	EXPECT_FALSE(peer_get(&self->b, &reply));
	EXPECT_EQ(0, plain(self, &self->a, KF_SIGN, self->ca));
	EXPECT_ASKED(&self->rig, NR(KF_SIGN));
	EXPECT_EQ(0, plain(self, &self->a, KF_TXN_END, self->ca));
	EXPECT_ASKED(&self->rig, NR(KF_DRV_DROP), NR(KF_SIGN));
	EXPECT_TRUE(peer_get(&self->b, &reply));
}

TEST_F(card, it_ends_at_its_deadline_and_takes_the_pin_along)
{
	struct packet reply, sign = ask(KF_SIGN, self->cb);

	EXPECT_EQ(0, call(self, &self->a, ask_txn(self->ca, 1000), &reply));
	verify(self, &self->a, self->ca);
	peer_send(&self->b, &sign);
	rig_run(&self->rig);
	rig_expire(&self->rig, &self->rig.reader->txn.timer);
	EXPECT_TRUE(peer_get(&self->b, &reply));
	EXPECT_ASKED(&self->rig, NR(KF_DRV_DROP), NR(KF_SIGN));
	EXPECT_EQ(-EPROTO, call(self, &self->a, ask(KF_TXN_END, self->ca), &reply));
	EXPECT_EQ(KF_REASON_TXN_EXPIRED, reply.header.reason);
	EXPECT_EQ(-EPROTO, call(self, &self->a, ask(KF_TXN_END, self->ca), &reply));
	EXPECT_EQ(KF_REASON_TXN_NONE, reply.header.reason);
}

TEST_F(card, who_waited_in_vain_learns_that_somebody_had_it)
{
	struct packet reply, second = ask_txn(self->cb, 1000);

	EXPECT_EQ(0, call(self, &self->a, ask_txn(self->ca, 20000), &reply));
	peer_send(&self->b, &second);
	rig_run(&self->rig);
	rig_expire(&self->rig, &list_entry(self->b.client->jobs.next, struct job, in_client)->timer);
	ASSERT_TRUE(peer_get(&self->b, &reply));
	EXPECT_EQ(-EBUSY, reply.header.result);
	EXPECT_EQ(KF_REASON_TXN_OTHER, reply.header.reason);
	EXPECT_LT(10000u, reply.header.detail);
}

TEST_F(card, it_cannot_be_nested_and_goes_with_its_client)
{
	struct packet reply, second = ask_txn(self->cb, 1000);

	EXPECT_EQ(0, call(self, &self->a, ask_txn(self->ca, 0), &reply));
	EXPECT_EQ(-EPROTO, call(self, &self->a, ask_txn(self->ca, 0), &reply));
	peer_send(&self->b, &second);
	rig_run(&self->rig);
	self->a.fd = fd_close(self->a.fd);
	rig_run(&self->rig);
	EXPECT_TRUE(peer_get(&self->b, &reply));
	EXPECT_EQ(0, reply.header.result);
}

TEST_F(card, ending_it_with_a_reset_resets_before_the_next_turn)
{
	struct packet end = ask(KF_TXN_END, self->ca), reply;

	EXPECT_EQ(0, call(self, &self->a, ask_txn(self->ca, 0), &reply));
	((struct kf_txn_end *)packet_body(&end))->flags = KF_TXN_RESET;
	EXPECT_EQ(0, call(self, &self->a, end, &reply));
	EXPECT_ASKED(&self->rig, NR(KF_DRV_POWER_CYCLE));
}

TEST_F(card, one_that_cannot_keep_sessions_is_held_for_their_owner)
{
	struct packet reply, sign = ask(KF_SIGN, self->cb), destroy;

	self->rig.reader->sessions_stay = false;
	EXPECT_EQ(0, call(self, &self->a, ask(KF_SESSION_IMPORT, self->ca), &reply));
	destroy = ask(KF_KEY_DESTROY, ((const struct kf_session_import *)packet_read(&reply))->key);
	peer_send(&self->b, &sign);
	rig_run(&self->rig);
	EXPECT_FALSE(peer_get(&self->b, &reply));
	EXPECT_EQ(0, call(self, &self->a, destroy, &reply));
	EXPECT_TRUE(peer_get(&self->b, &reply));
	EXPECT_EQ(0, reply.header.result);
}

/* A has a session key in a card that loses it when it is dropped, and B waits for the card. */
static uint64_t hold_by_key(struct fixture_card *self)
{
	struct packet reply, sign = ask(KF_SIGN, self->cb);
	uint64_t key;

	self->rig.reader->sessions_stay = false;
	EXPECT_EQ(0, call(self, &self->a, ask(KF_SESSION_IMPORT, self->ca), &reply));
	key = ((const struct kf_session_import *)packet_read(&reply))->key;
	peer_send(&self->b, &sign);
	rig_run(&self->rig);
	EXPECT_FALSE(peer_get(&self->b, &reply));
	return key;
}

static void want_b_served(struct fixture_card *self)
{
	struct packet reply;

	rig_run(&self->rig);
	EXPECT_EQ(TXN_NONE, self->rig.reader->txn.state);
	ASSERT_TRUE(peer_get(&self->b, &reply));
	EXPECT_EQ(0, reply.header.result);
}

TEST_F(card, keys_that_a_reset_takes_hold_it_no_longer)
{
	hold_by_key(self);
	driver_event(&self->rig, KF_CHANGE_CARD_RESET, 0);
	want_b_served(self);
}

TEST_F(card, keys_that_a_drop_takes_hold_it_no_longer)
{
	struct packet logout = ask(KF_PIN_LOGOUT, self->ca), reply;

	hold_by_key(self);
	self->rig.hold = true;
	peer_send(&self->a, &logout);
	rig_run(&self->rig);
	self->rig.hold = false;
	reply = packet_reply(&self->rig.held, 0);
	((struct kf_drv_drop *)packet_body(&reply))->flags = KF_DRV_DROPPED_KEYS;
	driver_send(&self->rig, &reply);
	want_b_served(self);
}

TEST_F(card, keys_that_outlive_their_transaction_hold_it_on)
{
	struct packet destroy, reply;
	uint64_t key;

	EXPECT_EQ(0, call(self, &self->a, ask_txn(self->ca, 0), &reply));
	key = hold_by_key(self);
	EXPECT_EQ(0, call(self, &self->a, ask(KF_TXN_END, self->ca), &reply));
	EXPECT_EQ(TXN_FOR_KEYS, self->rig.reader->txn.state);
	EXPECT_FALSE(peer_get(&self->b, &reply));
	destroy = ask(KF_KEY_DESTROY, key);
	EXPECT_EQ(0, call(self, &self->a, destroy, &reply));
	want_b_served(self);
}
