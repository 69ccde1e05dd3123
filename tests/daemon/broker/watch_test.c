/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A reader that does not tell of its cards is asked only while somebody is interested. */
#include "daemon/broker/watch.h"
#include "tests/daemon/broker/rig.h"

#include "daemon/broker/context.h"
#include "daemon/broker/job.h"

FIXTURE(watch) { struct rig rig; struct peer a, b; };

#define SELF struct fixture_watch *self

static struct device *device_of(SELF)
{
	return self->rig.reader->device;
}

/* The driver ends, and the next one has a reader with @features and @n slots, a card in each. */
static void restart_with(SELF, uint32_t features, uint32_t n)
{
	struct rig *rig = &self->rig;

	rig->driver = fd_close(rig->driver);
	rig_run(rig);
	rig->features = features;
	rig->n_slots = n;
	rig_plug_driver(rig);
	for (uint32_t i = 0; i < n; i++)
		driver_event_at(rig, (uint8_t)i, KF_CHANGE_CARD_INSERTED, KF_CARD_SESSIONS_STAY);
	rig_run(rig);
	rig->n_asked = 0;
}

FIXTURE_SETUP(watch)
{
	rig_init(&self->rig);
	restart_with(self, KF_FEATURE_POLLED, 1);
	peer_connect(&self->rig, &self->a);
	peer_connect(&self->rig, &self->b);
	ASSERT_EQ(0, peer_hello(&self->rig, &self->a));
	ASSERT_EQ(0, peer_hello(&self->rig, &self->b));
}

FIXTURE_TEARDOWN(watch)
{
	peer_deinit(&self->a);
	peer_deinit(&self->b);
	rig_deinit(&self->rig);
}

static void subscribe(SELF, struct peer *peer, uint32_t mask)
{
	struct packet events = ask(KF_EVENTS, 0), reply;

	((struct kf_events *)packet_body(&events))->mask = mask;
	ASSERT_EQ(0, peer_call(&self->rig, peer, &events, &reply));
}

static int close_context(SELF, struct peer *peer, uint64_t context)
{
	struct packet p = ask(KF_CONTEXT_CLOSE, context), reply;

	return peer_call(&self->rig, peer, &p, &reply);
}

static void send_open(struct peer *peer, uint32_t flags, uint32_t deadline_ms)
{
	struct packet p = packet_request(KF_CONTEXT_OPEN, 0, deadline_ms);

	((struct kf_context_open *)packet_body(&p))->flags = flags;
	(void)peer_send(peer, &p);
}

/* The state that the answer to an open or info tells of; -1: there is none yet. */
static int opened(struct peer *peer)
{
	struct packet reply;

	if (!peer_get(peer, &reply))
		return -1;
	EXPECT_EQ(0, reply.header.result);
	return (int)((const struct kf_context_open *)packet_read(&reply))->state;
}

/* The state of the only reader in a list; -1: no answer yet. */
static int listed(struct peer *peer)
{
	struct packet reply;
	struct bytes rows;

	if (!peer_get(peer, &reply) || reply.header.request != KF_READER_LIST)
		return -1;
	rows = packet_get(&reply, kf_reader_list, readers);
	EXPECT_EQ(sizeof(struct kf_reader_entry), rows.n);
	return (int)((const struct kf_reader_entry *)(const void *)rows.p)->state;
}

static void send_list(struct peer *peer)
{
	struct packet p = ask(KF_READER_LIST, 0);

	(void)peer_send(peer, &p);
}

static void release(SELF)
{
	self->rig.hold = false;
	driver_answer(&self->rig, &self->rig.held);
	rig_run(&self->rig);
}

TEST_F(watch, a_connected_client_is_not_interested_yet)
{
	rig_run(&self->rig);
	EXPECT_EQ((size_t)0, self->rig.n_asked);
}

TEST_F(watch, the_first_context_switches_it_on_and_the_last_one_off)
{
	uint64_t a = peer_open(&self->rig, &self->a), b;

	EXPECT_ASKED(&self->rig, NR(KF_DRV_WATCH));
	EXPECT_TRUE(self->rig.watched);
	b = peer_open(&self->rig, &self->b);
	EXPECT_EQ(0, close_context(self, &self->a, a));
	EXPECT_EQ((size_t)0, self->rig.n_asked);
	EXPECT_EQ(0, close_context(self, &self->b, b));
	EXPECT_ASKED(&self->rig, NR(KF_DRV_WATCH));
	EXPECT_FALSE(self->rig.watched);
}

TEST_F(watch, a_client_that_goes_takes_its_interest_along)
{
	(void)peer_open(&self->rig, &self->a);
	subscribe(self, &self->a, KF_EVENTS_CARD);
	self->rig.n_asked = 0;
	peer_deinit(&self->a);
	rig_run(&self->rig);
	EXPECT_ASKED(&self->rig, NR(KF_DRV_WATCH));
	EXPECT_FALSE(self->rig.watched);
}

TEST_F(watch, who_listens_to_card_events_is_interested)
{
	subscribe(self, &self->a, KF_EVENTS_READER);
	EXPECT_EQ((size_t)0, self->rig.n_asked);
	subscribe(self, &self->a, KF_EVENTS_CARD);
	EXPECT_ASKED(&self->rig, NR(KF_DRV_WATCH));
	EXPECT_TRUE(self->rig.watched);
	subscribe(self, &self->a, 0);
	EXPECT_ASKED(&self->rig, NR(KF_DRV_WATCH));
	EXPECT_FALSE(self->rig.watched);
}

TEST_F(watch, who_may_no_longer_look_is_no_longer_interesting)
{
	subscribe(self, &self->a, KF_EVENTS_CARD);
	self->rig.n_asked = 0;
	rig_policy(&self->rig, 0);
	rig_run(&self->rig);
	EXPECT_ASKED(&self->rig, NR(KF_DRV_WATCH));
	EXPECT_FALSE(self->rig.watched);
}

TEST_F(watch, a_reader_that_tells_by_itself_is_never_switched)
{
	uint64_t a;

	restart_with(self, 0, 1);
	a = peer_open(&self->rig, &self->a);
	subscribe(self, &self->a, KF_EVENTS_CARD);
	send_list(&self->a);
	rig_run(&self->rig);
	EXPECT_EQ(KF_READER_CARD, listed(&self->a));
	EXPECT_EQ(0, close_context(self, &self->a, a));
	EXPECT_EQ((size_t)0, self->rig.n_asked);
}

TEST_F(watch, an_open_is_answered_when_the_reader_was_asked)
{
	self->rig.hold = true;
	send_open(&self->a, 0, 0);
	rig_run(&self->rig);
	EXPECT_ASKED(&self->rig, NR(KF_DRV_WATCH));
	EXPECT_EQ(-1, opened(&self->a));
	release(self);
	EXPECT_EQ(KF_READER_CARD, opened(&self->a));
	EXPECT_EQ((size_t)0, self->rig.n_asked);
}

TEST_F(watch, an_open_is_answered_behind_the_news_that_the_answer_announced)
{
	driver_event(&self->rig, KF_CHANGE_CARD_REMOVED, 0);
	rig_run(&self->rig);
	restart_with(self, KF_FEATURE_POLLED, 0);
	driver_event(&self->rig, KF_CHANGE_CARD_REMOVED, 0);
	rig_run(&self->rig);
	EXPECT_EQ((uint32_t)KF_READER_EMPTY, self->rig.reader->entry.state);
	self->rig.behind = 1;
	send_open(&self->a, 0, 0);
	rig_run(&self->rig);
	EXPECT_ASKED(&self->rig, NR(KF_DRV_WATCH));
	EXPECT_EQ(-1, opened(&self->a));
	driver_event(&self->rig, KF_CHANGE_CARD_INSERTED, 0);
	rig_run(&self->rig);
	EXPECT_EQ(KF_READER_CARD, opened(&self->a));
	/* That was asked for once, however long the card took. */
	EXPECT_EQ((size_t)0, self->rig.n_asked);
}

/* Nobody noticed that the card went; its driver leaves over that, and the next one knows. */
TEST_F(watch, an_open_outlasts_the_driver_that_leaves_with_the_card)
{
	self->rig.behind = 1;
	send_open(&self->a, 0, 0);
	rig_run(&self->rig);
	driver_event(&self->rig, KF_CHANGE_CARD_REMOVED, 0);
	rig_run(&self->rig);
	EXPECT_EQ(-1, opened(&self->a));
	/* One that leaves is not asked any more, though nobody may want to know. */
	EXPECT_ASKED(&self->rig, NR(KF_DRV_WATCH));
	self->rig.behind = 0;
	restart_with(self, KF_FEATURE_POLLED, 1);
	EXPECT_EQ(KF_READER_CARD, opened(&self->a));
	EXPECT_TRUE(self->rig.watched);
}

TEST_F(watch, an_open_that_waits_for_a_card_waits_behind_the_look)
{
	struct packet reply;

	self->rig.behind = 1;
	send_open(&self->a, KF_OPEN_WAIT, 5000);
	rig_run(&self->rig);
	driver_event(&self->rig, KF_CHANGE_CARD_REMOVED, 0);
	rig_run(&self->rig);
	self->rig.behind = 0;
	restart_with(self, KF_FEATURE_POLLED, 0);
	driver_event(&self->rig, KF_CHANGE_CARD_REMOVED, 0);
	rig_run(&self->rig);
	EXPECT_EQ(-1, opened(&self->a));
	/* The deadline counts from its arrival, not from the end of the look. */
	rig_expire(&self->rig, &list_first(&self->a.client->jobs, struct job, in_client)->timer);
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(-ETIMEDOUT, reply.header.result);
}

TEST_F(watch, a_wait_for_a_look_can_be_cancelled_and_ends_by_its_deadline)
{
	struct packet cancel = ask(KF_CANCEL, 0), reply;

	self->rig.hold = true;
	send_open(&self->a, 0, 0);
	rig_run(&self->rig);
	((struct kf_cancel *)packet_body(&cancel))->seq = self->a.seq;
	(void)peer_send(&self->a, &cancel);
	rig_run(&self->rig);
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(-ECANCELED, reply.header.result);
	EXPECT_EQ(KF_REASON_QUEUED, reply.header.reason);
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(0, reply.header.result);

	send_open(&self->a, 0, 0);
	rig_run(&self->rig);
	rig_expire(&self->rig, &list_first(&self->a.client->jobs, struct job, in_client)->timer);
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(-ETIMEDOUT, reply.header.result);
	EXPECT_TRUE(list_empty(&self->rig.broker.looks));
	/* The late answer finds nobody interested. */
	self->rig.n_asked = 0;
	release(self);
	EXPECT_ASKED(&self->rig, NR(KF_DRV_WATCH));
	EXPECT_FALSE(self->rig.watched);
}

TEST_F(watch, a_client_that_leaves_while_it_waits_leaves_nothing)
{
	self->rig.hold = true;
	send_open(&self->a, 0, 0);
	send_list(&self->a);
	rig_run(&self->rig);
	EXPECT_FALSE(list_empty(&self->rig.broker.looks));
	peer_deinit(&self->a);
	rig_run(&self->rig);
	EXPECT_TRUE(list_empty(&self->rig.broker.looks));
}

TEST_F(watch, requests_that_wait_for_a_look_count_as_outstanding)
{
	struct packet reply;

	self->rig.hold = true;
	for (int i = 0; i < CLIENT_REQUESTS; i++)
		send_open(&self->a, 0, 0);
	rig_run(&self->rig);
	EXPECT_FALSE(peer_get(&self->a, &reply));
	send_open(&self->a, 0, 0);
	rig_run(&self->rig);
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(-EDQUOT, reply.header.result);
	EXPECT_EQ(KF_REASON_QUOTA_REQUESTS, reply.header.reason);
	release(self);
	EXPECT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(0, reply.header.result);
}

TEST_F(watch, a_list_tells_what_is_in_the_reader_and_leaves_it_alone_again)
{
	send_list(&self->a);
	rig_run(&self->rig);
	EXPECT_EQ(KF_READER_CARD, listed(&self->a));
	EXPECT_ASKED(&self->rig, NR(KF_DRV_WATCH), NR(KF_DRV_WATCH));
	EXPECT_FALSE(self->rig.watched);
}

/* Whatever a reader does, those who have to do with others do not wait for it twice. */
TEST_F(watch, a_list_waits_for_a_reader_that_is_late_once)
{
	struct job *job;

	self->rig.hold = true;
	send_list(&self->a);
	rig_run(&self->rig);
	EXPECT_EQ(-1, listed(&self->a));
	job = list_first(&self->rig.broker.looks, struct job, queued.link);
	EXPECT_LE(ms_until(job->timer.at_ns, now_ns()), WATCH_LOOK_MS);
	rig_expire(&self->rig, &job->timer);
	EXPECT_EQ(KF_READER_CARD, listed(&self->a));
	send_list(&self->b);
	rig_run(&self->rig);
	EXPECT_EQ(KF_READER_CARD, listed(&self->b));
	release(self);				/* it answers after all, and is waited for again */
	self->rig.hold = true;
	send_list(&self->b);
	rig_run(&self->rig);
	EXPECT_EQ(-1, listed(&self->b));
}

TEST_F(watch, an_info_makes_do_with_what_was_known_when_the_reader_is_late)
{
	struct packet info = ask(KF_READER_INFO, 0), reply;
	struct job *job;

	packet_set_string(((struct kf_reader_info *)packet_body(&info))->entry.name, RIG_READER);
	self->rig.hold = true;
	(void)peer_send(&self->a, &info);
	rig_run(&self->rig);
	EXPECT_FALSE(peer_get(&self->a, &reply));
	job = list_first(&self->rig.broker.looks, struct job, queued.link);
	rig_expire(&self->rig, &job->timer);
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(0, reply.header.result);
	EXPECT_EQ((uint32_t)KF_READER_CARD,
		  ((const struct kf_reader_info *)packet_read(&reply))->entry.state);
}

TEST_F(watch, a_look_that_failed_leaves_what_was_known)
{
	self->rig.fail = NR(KF_DRV_WATCH);
	self->rig.fail_result = -ETIMEDOUT;
	send_open(&self->a, 0, 0);
	rig_run(&self->rig);
	EXPECT_EQ(KF_READER_CARD, opened(&self->a));
	EXPECT_ASKED(&self->rig, NR(KF_DRV_WATCH));
}

TEST_F(watch, a_reader_that_nobody_serves_is_not_waited_for)
{
	self->rig.driver = fd_close(self->rig.driver);
	rig_run(&self->rig);
	EXPECT_EQ(0, device_unserved(device_of(self), KF_READER_BUSY));
	send_list(&self->a);
	send_open(&self->b, 0, 0);
	rig_run(&self->rig);
	EXPECT_EQ(KF_READER_BUSY, listed(&self->a));
	EXPECT_EQ(KF_READER_BUSY, opened(&self->b));
}

TEST_F(watch, a_reader_that_goes_ends_the_waits_for_it)
{
	struct spawn_msg gone = { .kind = SPAWN_READER_GONE, .reader = 1 };
	struct packet reply;

	self->rig.hold = true;
	send_open(&self->a, 0, 0);
	send_list(&self->b);
	rig_run(&self->rig);
	EXPECT_EQ(0, broker_told(&self->rig.broker, &gone, -1));
	rig_run(&self->rig);
	ASSERT_TRUE(peer_get(&self->a, &reply));
	EXPECT_EQ(-ENOENT, reply.header.result);
	ASSERT_TRUE(peer_get(&self->b, &reply));
	EXPECT_EQ(0u, ((const struct kf_reader_list *)packet_read(&reply))->n_readers);
}

TEST_F(watch, interest_in_one_slot_is_interest_in_the_device)
{
	struct packet open = ask(KF_CONTEXT_OPEN, 0), reply;

	restart_with(self, KF_FEATURE_POLLED, 2);
	packet_set_string(((struct kf_context_open *)packet_body(&open))->name, RIG_READER " slot 1");
	EXPECT_EQ(0, peer_call(&self->rig, &self->a, &open, &reply));
	EXPECT_ASKED(&self->rig, NR(KF_DRV_WATCH));
	EXPECT_TRUE(self->rig.watched);
}

/* A driver that powers the cards it found has no ear for a switch until it has told of each. */
TEST_F(watch, a_driver_is_not_asked_before_its_first_events)
{
	subscribe(self, &self->a, KF_EVENTS_CARD);
	self->rig.driver = fd_close(self->rig.driver);
	rig_run(&self->rig);
	self->rig.n_asked = 0;
	self->rig.watched = false;
	rig_plug_driver(&self->rig);
	EXPECT_ASKED(&self->rig, NR(KF_DRV_HELLO));
	rig_insert(&self->rig);
	EXPECT_ASKED(&self->rig, NR(KF_DRV_WATCH));
	EXPECT_TRUE(self->rig.watched);
}

static void falls_silent(SELF)
{
	struct packet silent = packet_event(KF_DRV_SILENT);

	driver_send(&self->rig, &silent);
	rig_run(&self->rig);
}

TEST_F(watch, a_reader_that_falls_silent_is_switched_from_then_on)
{
	restart_with(self, 0, 1);
	falls_silent(self);
	EXPECT_EQ((size_t)0, self->rig.n_asked);
	subscribe(self, &self->a, KF_EVENTS_CARD);
	EXPECT_ASKED(&self->rig, NR(KF_DRV_WATCH));
	EXPECT_TRUE(self->rig.watched);
	subscribe(self, &self->a, 0);
	EXPECT_ASKED(&self->rig, NR(KF_DRV_WATCH));
	EXPECT_FALSE(self->rig.watched);
}

TEST_F(watch, who_was_interested_before_it_fell_silent_is_so_afterwards)
{
	restart_with(self, 0, 1);
	subscribe(self, &self->a, KF_EVENTS_CARD);
	falls_silent(self);
	EXPECT_ASKED(&self->rig, NR(KF_DRV_WATCH));
	EXPECT_TRUE(self->rig.watched);
}

TEST_F(watch, a_driver_that_falls_silent_twice_is_no_driver)
{
	restart_with(self, 0, 1);
	falls_silent(self);
	EXPECT_TRUE(link_up(&device_of(self)->link));
	falls_silent(self);
	EXPECT_FALSE(link_up(&device_of(self)->link));
}
