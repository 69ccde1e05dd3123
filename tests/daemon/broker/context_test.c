/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/context.h"
#include "tests/daemon/broker/rig.h"

/* Every pair, so that a new state or event cannot be forgotten here. X: no row, on purpose. */
TEST(every_pair_of_state_and_event_is_decided)
{
#define X -1
	static const int want[CONTEXT_STATES][CONTEXT_EVENTS] = {
		/*                    INSERTED       REMOVED          RESET */
		[CONTEXT_WAITING] = { CONTEXT_BOUND, CONTEXT_WAITING, X,
		/*                    DRIVER_DIED    READER_GONE      CLOSED */
				      CONTEXT_WAITING, CONTEXT_ENDED, CONTEXT_ENDED },
		[CONTEXT_BOUND] =   { X,             CONTEXT_ENDED,   CONTEXT_BOUND,
				      CONTEXT_ENDED, CONTEXT_ENDED,   CONTEXT_ENDED },
		[CONTEXT_ENDED] =   { X, X, X, X, X, X },
	};

	for (int s = 0; s < CONTEXT_STATES; s++)
		for (int e = 0; e < CONTEXT_EVENTS; e++) {
			const struct context_step *step =
				context_step((enum context_state)s, (enum context_event)e);

			EXPECT_EQ(want[s][e], step ? (int)step->to : X);
			if (step && step->to == CONTEXT_ENDED)
				EXPECT_EQ(CONTEXT_DO_END, step->action);
		}
}

FIXTURE(context) { struct rig rig; struct peer a; uint64_t context; };
FIXTURE_SETUP(context)
{
	rig_init(&self->rig);
	self->context = peer_init(&self->rig, &self->a);
}
FIXTURE_TEARDOWN(context)
{
	peer_deinit(&self->a);
	rig_deinit(&self->rig);
}

static int info(struct fixture_context *self, struct packet *reply)
{
	struct packet p = ask(KF_CARD_INFO, self->context);

	return peer_call(&self->rig, &self->a, &p, reply);
}

static uint64_t session(struct fixture_context *self)
{
	struct packet p = ask(KF_SESSION_IMPORT, self->context), reply;

	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	return ((const struct kf_session_import *)packet_read(&reply))->key;
}

static int prop(struct fixture_context *self, uint64_t key, struct packet *reply)
{
	struct packet p = ask(KF_KEY_PROP_GET, key);

	return peer_call(&self->rig, &self->a, &p, reply);
}

TEST_F(context, the_cards_own_key_number_never_reaches_the_client)
{
	uint64_t key = session(self);
	struct packet reply;

	EXPECT_NE(self->rig.last_ref, key);
	EXPECT_EQ(0, prop(self, key, &reply));
	EXPECT_EQ(self->rig.last_ref, *(const uint64_t *)packet_read(&self->rig.held));
	EXPECT_EQ(key, *(const uint64_t *)packet_read(&reply));
	EXPECT_EQ(-EBADF, prop(self, self->rig.last_ref, &reply));
	EXPECT_EQ(-EBADF, prop(self, self->context, &reply));
}

TEST_F(context, removal_ends_it_for_good)
{
	uint64_t key = session(self);
	struct packet reply;

	driver_event(&self->rig, KF_CHANGE_CARD_REMOVED, 0);
	rig_run(&self->rig);
	EXPECT_EQ(-ESTALE, info(self, &reply));
	EXPECT_EQ(KF_REASON_REMOVED, reply.header.reason);
	EXPECT_EQ(-ESTALE, prop(self, key, &reply));
	rig_insert(&self->rig);
	EXPECT_EQ(-ESTALE, info(self, &reply));
	EXPECT_EQ(0u, self->a.client->user->used[QUOTA_CONTEXTS]);
	EXPECT_EQ(0u, self->a.client->user->used[QUOTA_KEYS]);
}

TEST_F(context, a_reset_ages_its_keys_and_leaves_it)
{
	struct packet p = ask(KF_CARD_RESET, self->context), reply;
	uint64_t key = session(self);

	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	EXPECT_EQ(2u, ((const struct kf_card_reset *)packet_read(&reply))->generation);
	EXPECT_EQ(-ESTALE, prop(self, key, &reply));
	EXPECT_EQ(KF_REASON_RESET, reply.header.reason);
	EXPECT_EQ(0, info(self, &reply));
}

TEST_F(context, a_drivers_death_ends_it_and_a_new_driver_serves_new_ones)
{
	struct packet reply;
	uint64_t second;

	self->rig.driver = fd_close(self->rig.driver);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, loop_turn(&self->rig.broker.loop, 0));
	rig_plug_driver(&self->rig);
	rig_insert(&self->rig);
	EXPECT_EQ(-ESTALE, info(self, &reply));
	EXPECT_EQ(KF_REASON_DRIVER_DIED, reply.header.reason);
	second = peer_open(&self->rig, &self->a);
	EXPECT_NE(self->context, second);
	self->context = second;
	EXPECT_EQ(0, info(self, &reply));
}

TEST_F(context, closing_destroys_its_keys_in_the_card)
{
	struct packet p = ask(KF_CONTEXT_CLOSE, self->context), reply;
	uint64_t ref;

	(void)session(self);
	ref = self->rig.last_ref;
	self->rig.n_asked = 0;
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));
	EXPECT_ASKED(&self->rig, NR(KF_KEY_DESTROY));
	EXPECT_EQ(ref, self->rig.last_ref);
	EXPECT_EQ(-ESTALE, info(self, &reply));
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &p, &reply));	/* a stale one can be closed */
	EXPECT_EQ(-EBADF, info(self, &reply));
}

TEST_F(context, a_disconnect_destroys_its_keys_in_the_card)
{
	(void)session(self);
	self->rig.n_asked = 0;
	self->a.fd = fd_close(self->a.fd);
	rig_run(&self->rig);
	EXPECT_ASKED(&self->rig, NR(KF_KEY_DESTROY));
	EXPECT_EQ(0u, self->rig.broker.handles.n_live);
}

TEST_F(context, one_on_an_empty_slot_gets_the_first_card)
{
	struct packet open = ask(KF_CONTEXT_OPEN, 0), reply;

	driver_event(&self->rig, KF_CHANGE_CARD_REMOVED, 0);
	rig_run(&self->rig);
	self->context = peer_open(&self->rig, &self->a);
	EXPECT_EQ(-ENOMEDIUM, info(self, &reply));
	((struct kf_context_open *)packet_body(&open))->flags = KF_OPEN_WAIT;
	peer_send(&self->a, &open);
	rig_run(&self->rig);
	EXPECT_FALSE(peer_get(&self->a, &reply));
	rig_insert(&self->rig);
	EXPECT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(0, reply.header.result);
	EXPECT_EQ(0, info(self, &reply));
}

TEST_F(context, waiting_for_a_card_ends_at_the_deadline_without_a_context)
{
	struct packet open = ask(KF_CONTEXT_OPEN, 0), reply;

	driver_event(&self->rig, KF_CHANGE_CARD_REMOVED, 0);
	rig_run(&self->rig);
	((struct kf_context_open *)packet_body(&open))->flags = KF_OPEN_WAIT;
	open.header.deadline_ms = 1;
	peer_send(&self->a, &open);
	rig_run(&self->rig);
	(void)loop_turn(&self->rig.broker.loop, 50);
	EXPECT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(-ETIMEDOUT, reply.header.result);
	EXPECT_EQ(0u, self->a.client->user->used[QUOTA_CONTEXTS]);
}

TEST_F(context, a_reader_that_goes_takes_all_with_it)
{
	struct spawn_msg gone = { .kind = SPAWN_READER_GONE, .reader = 1 };
	struct packet reply;

	(void)session(self);
	self->rig.hold = true;
	struct packet p = ask(KF_CARD_INFO, self->context);
	peer_send(&self->a, &p);
	rig_run(&self->rig);
	ASSERT_EQ(0, broker_told(&self->rig.broker, &gone, -1));
	EXPECT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(-EIO, reply.header.result);
	EXPECT_EQ(-ESTALE, info(self, &reply));
	EXPECT_EQ(KF_REASON_READER_GONE, reply.header.reason);
}
