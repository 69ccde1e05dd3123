/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/idle_test.c - With a reader and a card there and nothing to do, no process of ours wakes
 * up: the kernel counts how often each gave up the processor, which whoever wakes does again.
 */
#include "tests/e2e/stage.h"

#include "base/cleanup.h"

#include <signal.h>
#include <unistd.h>

enum { QUIET_S = 10, SETTLE_MS = 1500 };

FIXTURE(idle)
{
	struct stage stage;
	pid_t pids[3];
};

static const char *const programs[] = { "keyferryd", "keyferry-broker", "keyferry-driver" };

#define SELF struct fixture_idle *self

static long switches(pid_t pid)
{
	long a = proc_status(pid, "voluntary_ctxt_switches");
	long b = proc_status(pid, "nonvoluntary_ctxt_switches");

	ASSERT_GE(a, 0);
	ASSERT_GE(b, 0);
	return a + b;
}

static long all_switches(SELF)
{
	return switches(self->pids[0]) + switches(self->pids[1]) + switches(self->pids[2]);
}

/* What was asked for last is done with. */
static bool is_quiet(void *data)
{
	long before = all_switches(data);

	(void)usleep(1000 * SETTLE_MS);
	return all_switches(data) == before;
}

FIXTURE_SETUP(idle)
{
	struct rig *rig = &self->stage.rig;

	self->stage = (struct stage){ 0 };
	rig_open(rig);
	rig_make_card(rig);
	rig_start(rig);
	self->pids[0] = rig->service;
	self->pids[1] = rig_pid_of(rig, programs[1]);
	self->pids[2] = rig_pid_of(rig, programs[2]);
	for (int i = 0; i < 3; i++)
		ASSERT_LT(0, self->pids[i]);
}

FIXTURE_TEARDOWN(idle)
{
	rig_close(&self->stage.rig);
}

static void expect_no_wake_up(SELF)
{
	long before[3];

	ASSERT_TRUE(rig_until(is_quiet, self, 10000));
	for (int i = 0; i < 3; i++)
		before[i] = switches(self->pids[i]);
	(void)sleep(QUIET_S);
	for (int i = 0; i < 3; i++) {
		long n = switches(self->pids[i]) - before[i];

		TEST_LOG("%s: %ld wake-ups in %d s", programs[i], n, (int)QUIET_S);
		EXPECT_EQ(0, n);
	}
}

TEST_F_TIMEOUT(idle, a_wake_up_would_be_seen, 60)
{
	static struct outcome o;
	long before[3];

	ASSERT_TRUE(rig_until(is_quiet, self, 10000));
	for (int i = 0; i < 3; i++)
		before[i] = switches(self->pids[i]);
	rig_client(&self->stage.rig, NULL, &o, "card", "show", NULL);
	ASSERT_OK(&o);
	EXPECT_LT(before[1], switches(self->pids[1]));
	EXPECT_LT(before[2], switches(self->pids[2]));
	ASSERT_EQ(0, kill(self->pids[0], SIGHUP));	/* with no configuration: its end */
	EXPECT_EQ(0, rig_reap(self->pids[0], 10000));
	self->stage.rig.service = 0;
}

TEST_F_TIMEOUT(idle, nobody_wakes_with_a_card_in_and_no_client, 60)
{
	expect_no_wake_up(self);
}

TEST_F_TIMEOUT(idle, nobody_wakes_for_a_client_that_only_listens, 60)
{
	_cleanup_(fd_closep) int fd = stage_greet(&self->stage, self->stage.rig.uid[RIG_CLIENT]);
	struct packet p = packet_request(KF_EVENTS, 0, 0), reply;

	((struct kf_events *)packet_body(&p))->mask = KF_EVENTS_READER | KF_EVENTS_CARD;
	ASSERT_EQ(0, raw_ask(fd, &p, &reply));
	(void)raw_context(fd, "reader");
	expect_no_wake_up(self);
}
