/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/watch_test.c - A reader without an interrupt endpoint under the real service: it is asked
 * for its card while somebody is interested, and left in peace otherwise. The reader is this test,
 * which counts how often it is asked.
 */
#include "tests/e2e/stage.h"

#include "base/cleanup.h"
#include "driver/ccid/limits.h"
#include "tests/driver/scripted.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define READER "virtual:silent"

/**
 * struct fixture_watch
 * @listener:	where the drivers come, one after the other
 * @thread:	accepts them
 * @reader:	what the current one speaks to
 * @icc:	what is in its slot when it connects: 1 a card, 2 none
 * @before:	how often former ones asked
 */
FIXTURE(watch)
{
	struct stage stage;
	int listener, client;
	pthread_t thread;
	struct scripted reader;
	bool plays;
	_Atomic uint8_t icc;
	atomic_uint before;
};

#define SELF struct fixture_watch *self

static void *play_readers(void *arg)
{
	struct fixture_watch *self = arg;
	int fd;

	while ((fd = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (self->plays)
			scripted_stop(&self->reader);
		self->before += self->reader.n_status;
		scripted_init(&self->reader, SCRIPTED_EXTENDED, 65554);
		self->reader.card = SCRIPTED_APDU;
		self->reader.icc = self->icc;
		self->reader.descriptors_n -= 7;	/* the interrupt endpoint */
		self->reader.descriptors[18 + 2] -= 7;	/* wTotalLength */
		scripted_play(&self->reader, fd, NULL, 0);
		self->plays = true;
	}
	return NULL;
}

static unsigned int asked(SELF)
{
	return self->before + self->reader.n_status;
}

FIXTURE_SETUP(watch)
{
	struct rig *rig = &self->stage.rig;
	char grant[64];

	self->stage = (struct stage){ 0 };
	rig_open(rig);
	self->icc = 1;
	self->reader.fd = self->client = -1;
	self->listener = stage_listen(&self->stage, "silent");
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, play_readers, self));
	(void)snprintf(grant, sizeof(grant), "%u:look,use", rig->uid[RIG_CLIENT]);
	rig->service = rig_spawn(rig, RIG_SERVICE, NULL, "mail/service.log", "keyferryd",
				 "--socket", rig_path(rig, "run/broker.sock"),
				 "--virtual", rig_path(rig, "run/silent.sock"),
				 "--grant", grant, NULL);
}

FIXTURE_TEARDOWN(watch)
{
	fd_close(self->client);
	rig_stop_service(&self->stage.rig);
	(void)shutdown(self->listener, SHUT_RDWR);
	(void)pthread_join(self->thread, NULL);
	if (self->plays)
		scripted_stop(&self->reader);
	fd_close(self->listener);
	rig_close(&self->stage.rig);
}

static bool can_dial(void *data)
{
	struct fixture_watch *self = data;

	self->client = stage_dial(&self->stage, self->stage.rig.uid[RIG_CLIENT]);
	return self->client >= 0;
}

static int state(SELF)
{
	struct kf_reader_entry entry;

	return raw_reader(self->client, READER, &entry) ? (int)entry.state : -1;
}

static bool has_its_card(void *data)
{
	return state(data) == KF_READER_CARD;
}

/* A client that has said hello, and has seen the card. */
static void begin(SELF)
{
	ASSERT_TRUE(rig_until(can_dial, self, 10000));
	fd_close(self->client);
	self->client = stage_greet(&self->stage, self->stage.rig.uid[RIG_CLIENT]);
	ASSERT_TRUE(rig_until(has_its_card, self, 10000));
}

/* Nothing was asked for as long as five questions would have taken. */
static bool is_quiet(void *data)
{
	struct fixture_watch *self = data;
	unsigned int before = asked(self);

	(void)usleep(5 * 1000 * limits.poll_ms);
	return asked(self) == before;
}

struct more { struct fixture_watch *self; unsigned int than; };

static bool was_asked(void *data)
{
	const struct more *more = data;

	return asked(more->self) > more->than;
}

/* Three more questions come, which is no leftover of something else. */
static bool is_polled(SELF)
{
	struct more more = { self, asked(self) + 2 };

	return rig_until(was_asked, &more, 10000);
}

static void subscribe(SELF, uint32_t mask)
{
	struct packet p = packet_request(KF_EVENTS, 0, 0), reply;

	((struct kf_events *)packet_body(&p))->mask = mask;
	ASSERT_EQ(0, raw_ask(self->client, &p, &reply));
}

static uint32_t next_change(SELF)
{
	struct packet p;

	do
		ASSERT_EQ(0, raw_recv(self->client, &p));
	while (p.header.kind != KF_KIND_EVENT);
	return ((const struct kf_event *)packet_read(&p))->change;
}

/* A driver may be on its way that has yet to be told what is in the slot. */
static bool is_put_in(void *data)
{
	struct fixture_watch *self = data;
	struct pollfd fd = { .fd = self->client, .events = POLLIN };
	uint8_t none = 2;

	self->icc = 1;
	(void)atomic_compare_exchange_strong(&self->reader.icc, &none, 1);
	return poll(&fd, 1, 0) == 1;
}

TEST_F_TIMEOUT(watch, a_connected_client_alone_does_not_keep_the_reader_busy, 60)
{
	begin(self);
	EXPECT_TRUE(rig_until(is_quiet, self, 10000));
}

TEST_F_TIMEOUT(watch, a_reader_is_asked_as_long_as_a_context_is_open, 60)
{
	struct packet reply;
	uint64_t context;

	begin(self);
	context = raw_context(self->client, "silent");
	EXPECT_TRUE(is_polled(self));
	EXPECT_EQ(0, raw_call(self->client, KF_CONTEXT_CLOSE, context, &reply));
	EXPECT_TRUE(rig_until(is_quiet, self, 10000));
	(void)raw_context(self->client, "silent");
	EXPECT_TRUE(is_polled(self));
	self->client = fd_close(self->client);
	EXPECT_TRUE(rig_until(is_quiet, self, 10000));
}

TEST_F_TIMEOUT(watch, a_reader_is_asked_as_long_as_somebody_listens_and_what_moves_is_told, 60)
{
	begin(self);
	subscribe(self, KF_EVENTS_CARD);
	EXPECT_TRUE(is_polled(self));
	self->icc = self->reader.icc = 2;
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_REMOVED, next_change(self));
	/* The driver that saw it leaves; the next one is told to watch, too. */
	EXPECT_TRUE(rig_until(is_put_in, self, 10000));
	EXPECT_EQ((uint32_t)KF_CHANGE_CARD_INSERTED, next_change(self));
	EXPECT_TRUE(is_polled(self));
	subscribe(self, 0);
	EXPECT_TRUE(rig_until(is_quiet, self, 10000));
}

TEST_F_TIMEOUT(watch, what_happened_unwatched_is_known_to_the_next_who_asks, 60)
{
	struct packet reply;
	uint64_t context;

	begin(self);
	EXPECT_TRUE(rig_until(is_quiet, self, 10000));
	self->icc = self->reader.icc = 2;		/* pulled */
	EXPECT_EQ(KF_READER_EMPTY, state(self));
	EXPECT_TRUE(rig_until(is_quiet, self, 10000));
	self->icc = self->reader.icc = 1;		/* and put in again */
	context = raw_context(self->client, "silent");
	EXPECT_EQ(KF_READER_CARD, state(self));
	EXPECT_EQ(0, raw_call(self->client, KF_CONTEXT_CLOSE, context, &reply));
	EXPECT_TRUE(rig_until(is_quiet, self, 10000));
}

/* No context is given to a card that has gone, only because another lies in its place. */
TEST_F_TIMEOUT(watch, a_card_that_was_swapped_unwatched_is_another_card, 60)
{
	struct kf_reader_entry before, after;
	struct packet p, reply;
	uint64_t context;

	begin(self);
	ASSERT_TRUE(raw_reader(self->client, READER, &before));
	EXPECT_TRUE(rig_until(is_quiet, self, 10000));
	self->reader.icc = 1;			/* inactive, where one was left active */
	context = raw_context(self->client, "silent");
	ASSERT_TRUE(raw_reader(self->client, READER, &after));
	EXPECT_EQ((uint32_t)KF_READER_CARD, after.state);
	EXPECT_GT(after.generation, before.generation);
	p = packet_request(KF_PIN_STATUS, 0, 0);
	((struct kf_pin_status *)packet_body(&p))->context = context;
	((struct kf_pin_status *)packet_body(&p))->pin = KF_PIN_USER;
	/* Not ESTALE: the context is the new card's, which is none of ours. */
	EXPECT_EQ(-EOPNOTSUPP, raw_ask(self->client, &p, &reply));
}
