/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/context.h"
#include "daemon/broker/txn.h"
#include "tests/daemon/broker/rig.h"

/* Every pair, so that a new state or event cannot be forgotten here. X: no row, on purpose. */
TEST(every_pair_of_state_and_event_is_decided)
{
#define X -1
	static const int want[TXN_STATES][TXN_EVENTS] = {
		/*               BEGUN     ENDED     KEYS_CAME     KEYS_WENT  RAN_OUT   HOLDER_LEFT */
		[TXN_NONE] =     { TXN_HELD, X,        TXN_FOR_KEYS, X,        X,        X },
		[TXN_FOR_KEYS] = { TXN_HELD, X,        TXN_FOR_KEYS, TXN_NONE, TXN_NONE, TXN_NONE },
		[TXN_HELD] =     { X,        TXN_NONE, TXN_HELD,     TXN_HELD, TXN_NONE, TXN_NONE },
	};

	for (int s = 0; s < TXN_STATES; s++)
		for (int e = 0; e < TXN_EVENTS; e++) {
			const struct txn_step *step = txn_step((enum txn_state)s, (enum txn_event)e);

			EXPECT_EQ(want[s][e], step ? (int)step->to : X);
		}
}

FIXTURE(txn) { struct rig rig; struct peer a; struct context *context; struct txn *txn; };
FIXTURE_SETUP(txn)
{
	rig_init(&self->rig);
	(void)peer_init(&self->rig, &self->a);
	self->context = list_first(&self->a.client->contexts, struct context, in_client);
	self->txn = &self->rig.reader->txn;
}
FIXTURE_TEARDOWN(txn)
{
	peer_deinit(&self->a);
	rig_deinit(&self->rig);
}

static uint32_t left_ms(struct fixture_txn *self)
{
	return ms_until(self->txn->timer.at_ns, now_ns());
}

TEST_F(txn, its_length_has_a_default_and_a_limit)
{
	uint16_t reason;

	ASSERT_EQ(0, txn_begin(self->rig.reader, self->context, 0, "x"));
	EXPECT_GE((uint32_t)TXN_DEFAULT_MS, left_ms(self));
	ASSERT_EQ(0, txn_end(self->rig.reader, self->context, &reason));
	ASSERT_EQ(0, txn_begin(self->rig.reader, self->context, UINT32_MAX, "x"));
	EXPECT_GE((uint32_t)KF_TXN_MAX_MS, left_ms(self));
	EXPECT_LT((uint32_t)TXN_DEFAULT_MS, left_ms(self));
}

TEST_F(txn, one_held_for_keys_gives_way_to_a_real_one_and_cannot_be_ended)
{
	uint16_t reason = 0;

	txn_hold_for_keys(self->rig.reader, self->context);
	EXPECT_EQ(self->context, self->txn->holder);
	EXPECT_EQ(-EPROTO, txn_end(self->rig.reader, self->context, &reason));
	EXPECT_EQ(KF_REASON_TXN_NONE, reason);
	EXPECT_EQ(0, txn_begin(self->rig.reader, self->context, 0, "x"));
	EXPECT_EQ(TXN_HELD, self->txn->state);
	EXPECT_EQ(0, txn_end(self->rig.reader, self->context, &reason));
}

TEST_F(txn, only_its_holder_can_abandon_it)
{
	struct context other = { 0 };

	ASSERT_EQ(0, txn_begin(self->rig.reader, self->context, 0, "x"));
	txn_abandon(self->rig.reader, &other);
	EXPECT_EQ(self->context, self->txn->holder);
	txn_abandon(self->rig.reader, self->context);
	EXPECT_NULL(self->txn->holder);
	EXPECT_EQ(0u, self->txn->timer.place);
}

TEST_F(txn, running_out_again_and_again_does_not_fill_the_log)
{
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, txn_begin(self->rig.reader, self->context, 1, "x"));
		rig_expire(&self->rig, &self->txn->timer);
	}
	EXPECT_LT(50u, self->rig.broker.log.swallowed);
}
