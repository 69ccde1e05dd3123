/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/hostile_driver_test.c - A driver that was taken over by its card or reader (SECURITY
 * sections 7 and 10): whatever it says out of turn costs it its life, its successor serves, and
 * nobody at another reader notices.
 */
#include "tests/e2e/stage.h"

#include "base/cleanup.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const readers[] = {
	"honest", "twice", "wrong-seq", "wrong-number", "chores-number", "wrong-magic", "wrong-size",
	"good-news", "far-part", "long-part", "garbage", "empty", "lingers", "oversize", "own-request",
	"brokers-event", "second-card", "reset-of-nothing", "unknown-event", "long-atr", "ugly-name",
	"flood-events", "flood-mute", "flood-replies", "descriptor", "silent", "dies", "prowler",
	"born-bad", NULL
};

#define FIRST_BAD 1
#define LAST_BAD (sizeof(readers) / sizeof(readers[0]) - 4)

FIXTURE(driver)
{
	struct stage stage;
	struct packet reply;
	int fd;				/* an honest client at the bad reader */
	struct {
		int fd, events;
		uint64_t context, key;
	} other;			/* and another at the honest one */
};

FIXTURE_SETUP(driver)
{
	struct stage *stage = &self->stage;
	struct packet subscribe = packet_request(KF_EVENTS, 0, 0);
	uid_t client, stranger;
	char options[128];

	stage_open(stage, readers);
	client = stage->rig.uid[RIG_CLIENT];
	stranger = stage->rig.uid[RIG_STRANGER];
	(void)snprintf(options, sizeof(options), "--grant %u:look,use,inject --grant %u:look,use",
		       (unsigned)client, (unsigned)stranger);
	stage_start(stage, options);
	self->fd = stage_greet(stage, stranger);
	self->other.fd = stage_greet(stage, client);
	self->other.events = stage_greet(stage, client);
	((struct kf_events *)packet_body(&subscribe))->mask = KF_EVENTS_READER | KF_EVENTS_CARD;
	ASSERT_EQ(0, raw_ask(self->other.events, &subscribe, &self->reply));
	self->other.context = raw_context(self->other.fd, "honest");
	self->other.key = raw_key(self->other.fd, self->other.context);
	ASSERT_EQ(0, raw_verify(self->other.fd, self->other.context, "2468", 0, &self->reply));
}

FIXTURE_TEARDOWN(driver)
{
	stage_close(&self->stage);
}

/* The other client's key, PIN and turns, and the events about his reader. */
static void expect_unnoticed(struct fixture_driver *self, const char *mode)
{
	struct packet key = packet_request(KF_KEY_PROP_GET, 0, 0);
	struct packet pin = packet_request(KF_PIN_STATUS, 0, 0);
	struct pollfd p = { .fd = self->other.events, .events = POLLIN };
	int fd = self->other.fd;

	((struct kf_key_prop *)packet_body(&key))->key = self->other.key;
	((struct kf_pin_status *)packet_body(&pin))->context = self->other.context;
	((struct kf_pin_status *)packet_body(&pin))->pin = KF_PIN_USER;
	if (raw_ask(fd, &key, &self->reply) != 0 ||
	    raw_sign(fd, self->other.context, 1, 0, &self->reply) != 0 ||
	    raw_ask(fd, &pin, &self->reply) != 0 ||
	    !(((const struct kf_pin_status *)packet_read(&self->reply))->flags & KF_PIN_VERIFIED))
		TEST_FAIL("%s: another reader's client noticed", mode);
	while (poll(&p, 1, 0) > 0) {
		const struct kf_event *event;

		ASSERT_EQ(0, raw_recv(self->other.events, &self->reply));
		event = packet_read(&self->reply);
		if (strcmp(event->entry.name, "virtual:honest") == 0)
			TEST_FAIL("%s: event %u about another reader", mode, event->change);
	}
}

struct wait {
	struct fixture_driver *self;
	const char *reader;
	uint32_t number, pid;
};

/* A driver with another pid serves a card. */
static bool is_replaced(void *data)
{
	struct wait *wait = data;
	struct kf_reader_entry entry;
	struct kf_process_entry driver;

	return raw_reader(wait->self->other.fd, wait->reader, &entry) &&
	       entry.state == KF_READER_CARD &&
	       raw_driver(wait->self->other.fd, wait->number, &driver) &&
	       driver.pid != wait->pid && driver.restarts > 0;
}

/* Has the driver of @mode show what it is; its victim learns no more than that it died. */
static void provoke(struct fixture_driver *self, const char *mode)
{
	char name[KF_NAME_MAX];
	struct kf_reader_entry entry;
	struct kf_process_entry driver;
	uint64_t context = raw_context(self->fd, mode);
	struct wait wait = { self, name, 0, 0 };
	int r;

	(void)snprintf(name, sizeof(name), "virtual:%s", mode);
	ASSERT_TRUE(raw_reader(self->fd, name, &entry));
	ASSERT_TRUE(raw_driver(self->fd, entry.reader, &driver));
	EXPECT_EQ(0, driver.restarts);
	wait.number = entry.reader;
	wait.pid = driver.pid;

	r = raw_sign(self->fd, context, 2, 1000, &self->reply);
	if (r != -EIO && r != -ESTALE && r != -ENOMEDIUM && r != -ETIMEDOUT &&
	    !(r == 0 && (strcmp(mode, "twice") == 0 || strcmp(mode, "flood-replies") == 0)))
		TEST_FAIL("%s: its client got %d", mode, r);
	if (!rig_until(is_replaced, &wait, 10000)) {
		TEST_FAIL("%s: the driver was not replaced", mode);
		return;
	}
	if (!proc_is_gone((pid_t)driver.pid))
		TEST_FAIL("%s: the driver lives on", mode);
	r = raw_call(self->fd, KF_CARD_INFO, context, &self->reply);
	if (r != -ESTALE)
		TEST_FAIL("%s: a context of the dead driver: %d", mode, r);
	if (raw_call(self->fd, KF_CARD_INFO, raw_context(self->fd, mode), &self->reply) != 0)
		TEST_FAIL("%s: the new driver does not serve", mode);
}

TEST_F_TIMEOUT(driver, whatever_it_says_out_of_turn_ends_it_and_nobody_else_notices, 120)
{
	size_t fds = proc_fds(self->stage.broker);

	for (size_t i = FIRST_BAD; i <= LAST_BAD; i++) {
		provoke(self, readers[i]);
		expect_unnoticed(self, readers[i]);
	}
	EXPECT_FALSE(proc_is_gone(self->stage.broker));
	EXPECT_LE(proc_fds(self->stage.broker), fds);
	/* All but the three that died or hung up were ended by the broker's word. */
	EXPECT_LE(LAST_BAD - FIRST_BAD + 1 - 3, stage_count_in(&self->stage, "mail/service.log",
						       "driver lost"));
}

TEST_F_TIMEOUT(driver, one_that_is_bad_from_the_start_is_started_ever_more_rarely, 30)
{
	struct kf_reader_entry entry;
	struct kf_process_entry driver;
	size_t early, late;

	/* Pauses of 100, 200, 400, 800, 1600 ms: four starts in the first second and a half. */
	(void)poll(NULL, 0, 1500);
	early = stage_count_in(&self->stage, "mail/service.log", "reader=virtual:born-bad pid");
	(void)poll(NULL, 0, 1500);
	late = stage_count_in(&self->stage, "mail/service.log", "reader=virtual:born-bad pid");
	EXPECT_LE(2, early);
	EXPECT_LE(late - early, 2);
	ASSERT_TRUE(raw_reader(self->other.fd, "virtual:born-bad", &entry));
	EXPECT_EQ(KF_READER_STARTING, entry.state);
	EXPECT_EQ(0, entry.atr_len);
	if (raw_driver(self->other.fd, entry.reader, &driver))
		EXPECT_LE(driver.restarts, 8);
	expect_unnoticed(self, "born-bad");
}

TEST_F(driver, it_cannot_say_that_a_pin_was_given_or_whose_context_it_is)
{
	uint64_t context = raw_context(self->fd, "honest");
	struct packet pin = packet_request(KF_PIN_STATUS, 0, 0);
	const struct kf_card_info *info = packet_read(&self->reply);
	struct kf_reader_entry entry;

	((struct kf_pin_status *)packet_body(&pin))->context = context;
	((struct kf_pin_status *)packet_body(&pin))->pin = KF_PIN_USER;
	ASSERT_EQ(0, raw_ask(self->fd, &pin, &self->reply));
	EXPECT_EQ(0, ((const struct kf_pin_status *)packet_read(&self->reply))->flags &
		     KF_PIN_VERIFIED);

	ASSERT_EQ(0, raw_call(self->fd, KF_CARD_INFO, context, &self->reply));
	EXPECT_EQ(0, info->verified);
	EXPECT_EQ(context, info->context);
	EXPECT_NE(4711, info->generation);
	ASSERT_TRUE(raw_reader(self->fd, "virtual:honest", &entry));
	ASSERT_EQ(0, raw_call(self->fd, KF_CARD_INFO, context, &self->reply));
	EXPECT_EQ(entry.generation, info->generation);
	/* The card's number of a session key is not the client's. */
	EXPECT_GT(self->other.key, 0xffff);
}

TEST_F(driver, it_can_look_into_no_other_process_even_of_its_own_uid)
{
	uint64_t context = raw_context(self->fd, "prowler");

	if (getuid() == 0 && !rig_has_uids(&self->stage.rig))
		SKIP("root looks into everything");
	ASSERT_EQ(0, raw_sign(self->fd, context, 3, 5000, &self->reply));
	/* Standard streams, the link, the reader; monitor, broker, the other drivers. */
	EXPECT_EQ(1, stage_count_in(&self->stage, "mail/prowler.looked", "descriptors 5 "));
	EXPECT_EQ(0, stage_count_in(&self->stage, "mail/prowler.looked", "others 0\n"));
	EXPECT_EQ(0, stage_count_in(&self->stage, "mail/prowler.found", "\n"));
	expect_unnoticed(self, "prowler");
}
