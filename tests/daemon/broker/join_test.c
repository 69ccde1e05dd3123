/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/join.h"
#include "tests/daemon/broker/rig.h"

#include <sys/un.h>

FIXTURE(join) {
	struct broker broker;
	struct sockaddr_un addr;
	socklen_t len;
	int fd;
};

static void wait_for(struct fixture_join *self, uid_t uid)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	self->addr.sun_family = AF_UNIX;
	self->len = sizeof(self->addr);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&self->addr, sizeof(sa_family_t)));
	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)&self->addr, &self->len));
	ASSERT_EQ(0, listen(fd, 4));
	ASSERT_EQ(0, join_wait(&self->broker, fd, uid));
}

static int knock(struct fixture_join *self)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&self->addr, self->len) < 0)
		return fd_close(fd);
	for (int i = 0; i < 8; i++)
		ASSERT_EQ(0, loop_turn(&self->broker.loop, 0));
	return fd;
}

FIXTURE_SETUP(join)
{
	ASSERT_EQ(0, broker_init(&self->broker, -1, -1));
	self->fd = -1;
}
FIXTURE_TEARDOWN(join)
{
	fd_close(self->fd);
	broker_deinit(&self->broker);
}

TEST_F(join, the_first_of_the_right_uid_is_the_monitor)
{
	struct spawn_msg policy = { .kind = SPAWN_POLICY, .version = 1, .limits = QUOTA_LIMITS }, said;

	wait_for(self, getuid());
	self->fd = knock(self);
	ASSERT_EQ(0, spawn_send(self->fd, &policy, -1));
	ASSERT_EQ(0, loop_turn(&self->broker.loop, 0));
	ASSERT_EQ(0, spawn_recv(self->fd, &said, NULL));
	EXPECT_EQ(SPAWN_READY, said.kind);
	EXPECT_EQ(-1, knock(self));		/* nobody listens there any more */
}

TEST_F(join, another_uid_is_turned_away_and_the_monitor_still_comes_in)
{
	char byte;

	wait_for(self, getuid() + 1);
	self->fd = knock(self);
	EXPECT_EQ(0, recv(self->fd, &byte, 1, MSG_DONTWAIT));	/* end of file */
	EXPECT_EQ(-1, self->broker.monitor.fd);
	fd_close(self->fd);
	self->broker.join.uid = getuid();
	self->fd = knock(self);
	EXPECT_LE(0, self->broker.monitor.fd);
}

TEST_F(join, the_monitors_end_is_ours)
{
	wait_for(self, getuid());
	self->fd = knock(self);
	self->fd = fd_close(self->fd);
	ASSERT_EQ(0, loop_turn(&self->broker.loop, 0));
	EXPECT_TRUE(self->broker.loop.stop);
	EXPECT_EQ(0, self->broker.loop.result);
}
