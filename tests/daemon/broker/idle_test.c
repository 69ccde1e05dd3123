/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/idle.h"
#include "tests/daemon/broker/rig.h"

FIXTURE(idle) {
	struct rig rig;
	int monitor;
};
FIXTURE_SETUP(idle)
{
	int pair[2];

	rig_init(&self->rig);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	self->monitor = pair[0];
	self->rig.broker.monitor.fd = pair[1];
}
FIXTURE_TEARDOWN(idle)
{
	fd_close(self->monitor);
	rig_deinit(&self->rig);
}

static void leave_after(struct fixture_idle *self, uint32_t idle_s)
{
	struct spawn_msg msg = { .kind = SPAWN_POLICY, .version = 9, .limits = QUOTA_LIMITS,
				 .idle_s = idle_s, .n_rules = 1,
				 .rules = { { .who = SPAWN_UID, .id = getuid(), .rights = RIG_ALL } } };

	ASSERT_EQ(0, broker_told(&self->rig.broker, &msg, -1));
}

static bool waits(struct fixture_idle *self)
{
	return self->rig.broker.idle.place != 0;
}

TEST_F(idle, without_the_wish_there_is_no_timer)
{
	EXPECT_FALSE(waits(self));
	leave_after(self, 60);
	EXPECT_TRUE(waits(self));
	leave_after(self, 0);
	EXPECT_FALSE(waits(self));
}

TEST_F(idle, it_runs_only_while_there_is_no_client)
{
	struct peer a, b;

	leave_after(self, 60);
	peer_init(&self->rig, &a);
	EXPECT_FALSE(waits(self));
	peer_init(&self->rig, &b);
	peer_deinit(&a);
	rig_run(&self->rig);
	EXPECT_FALSE(waits(self));
	peer_deinit(&b);
	rig_run(&self->rig);
	EXPECT_TRUE(waits(self));
}

TEST_F(idle, when_it_is_over_the_monitor_hears_it_and_we_go)
{
	struct spawn_msg said;

	leave_after(self, 60);
	rig_expire(&self->rig, &self->rig.broker.idle);
	EXPECT_TRUE(self->rig.broker.loop.stop);
	EXPECT_EQ(0, self->rig.broker.loop.result);
	ASSERT_EQ(0, spawn_recv(self->monitor, &said, NULL));
	EXPECT_EQ(SPAWN_IDLE, said.kind);
}

/* Else leaving, which takes no more than waiting for it, would give five more tries. */
TEST_F(idle, wrong_pins_are_not_forgiven_by_leaving)
{
	struct peer a;
	uint64_t context = peer_init(&self->rig, &a);
	struct packet p = ask_pin(context, KF_PIN_LAST_TRY), reply;
	struct user *user;

	self->rig.fail = NR(KF_PIN_VERIFY);
	self->rig.fail_result = -EKEYREJECTED;
	EXPECT_EQ(-EKEYREJECTED, peer_call(&self->rig, &a, &p, &reply));
	peer_deinit(&a);
	rig_run(&self->rig);
	leave_after(self, 1);
	rig_expire(&self->rig, &self->rig.broker.idle);
	EXPECT_FALSE(self->rig.broker.loop.stop);
	EXPECT_TRUE(waits(self));
	user = list_first(&self->rig.broker.quota.users, struct user, link);
	user->pin_at_ns -= (uint64_t)QUOTA_PIN_REFILL_S * 1000000000u;
	rig_expire(&self->rig, &self->rig.broker.idle);
	EXPECT_TRUE(self->rig.broker.loop.stop);
}
