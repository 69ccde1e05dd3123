/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The real kernel speaks: whoever writes "add" to the uevent file of any device makes it repeat that
 * one's message. That, and playing the forger, needs root.
 */
#include "base/cleanup.h"
#include "base/list.h"
#include "daemon/monitor/hotplug.h"
#include "daemon/monitor/uevent.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define SPEAKER "/sys/devices/virtual/mem/null/uevent"

FIXTURE(hotplug) {
	struct loop loop;
	struct hotplug hotplug;
	int speaker, looks;
};

static void changed(struct hotplug *hotplug)
{
	list_entry(hotplug, struct fixture_hotplug, hotplug)->looks++;
}

FIXTURE_SETUP(hotplug)
{
	int r;

	self->speaker = -1;
	ASSERT_EQ(0, loop_init(&self->loop));
	r = hotplug_init(&self->hotplug, &self->loop, changed);
	if (r == -EPROTONOSUPPORT || r == -EAFNOSUPPORT)
		SKIP("no uevent socket here: %s", strerror(-r));
	ASSERT_EQ(0, r);
}
FIXTURE_TEARDOWN(hotplug)
{
	fd_close(self->speaker);
	hotplug_deinit(&self->hotplug);
	loop_deinit(&self->loop);
}

static void kernel_says(struct fixture_hotplug *self, const char *text)
{
	if (self->speaker < 0)
		self->speaker = open(SPEAKER, O_WRONLY | O_CLOEXEC);
	if (self->speaker < 0)
		SKIP("%s: %s", SPEAKER, strerror(errno));
	ASSERT_EQ((ssize_t)strlen(text), write(self->speaker, text, strlen(text)));
}

/* Turns until @counter has moved; other devices of this machine may speak meanwhile, too. */
static bool moves(struct fixture_hotplug *self, const uint32_t *counter)
{
	uint32_t before = *counter;

	for (int i = 0; i < harness_patience_ms(2000) / 10 && *counter == before; i++)
		ASSERT_EQ(0, loop_turn(&self->loop, 10));
	return *counter != before;
}

TEST_F(hotplug, the_kernel_is_heard_and_memory_is_no_reason_to_look)
{
	kernel_says(self, "add");
	EXPECT_TRUE(moves(self, &self->hotplug.heard));
	EXPECT_EQ(0u, self->hotplug.foreign);
	EXPECT_EQ(0u, self->hotplug.malformed);
	EXPECT_EQ(0, self->looks);
}

TEST_F(hotplug, H7_synthetic_arguments_are_read_like_any)
{
	kernel_says(self, "add 12345678-1234-1234-1234-123456789abc A=b LONG1=c");
	EXPECT_TRUE(moves(self, &self->hotplug.heard));
	EXPECT_EQ(0u, self->hotplug.malformed);
}

static const char good[] = "add@/d\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM=usb";

static int forger(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

	ASSERT_LE(0, fd);
	return fd;
}

static void forge(struct fixture_hotplug *self, uint32_t group, const void *text, size_t n)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK, .nl_groups = group };
	socklen_t len = sizeof(to);
	_cleanup_(fd_closep) int fd = forger();
	int size = 262144;

	if (!group) {
		ASSERT_EQ(0, getsockname(self->hotplug.source.fd, (struct sockaddr *)&to, &len));
		to.nl_groups = 0;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (sendto(fd, text, n, 0, (struct sockaddr *)&to, sizeof(to)) < 0) {
		if (errno == EPERM)
			SKIP("forging a uevent needs root: %s", strerror(errno));
		TEST_FAIL("cannot send: %s", strerror(errno));
	}
}

TEST_F(hotplug, H3_what_root_sends_to_us_or_to_the_group_is_ignored_and_counted)
{
	forge(self, 0, good, sizeof(good));
	EXPECT_TRUE(moves(self, &self->hotplug.foreign));
	EXPECT_EQ(0, self->looks);
	forge(self, UEVENT_GROUP, good, sizeof(good));
	EXPECT_TRUE(moves(self, &self->hotplug.foreign));
	EXPECT_EQ(0, self->looks);
}

TEST_F(hotplug, H3_the_group_of_udev_is_not_listened_to)
{
	struct pollfd p = { .fd = self->hotplug.source.fd, .events = POLLIN };
	uint32_t heard = self->hotplug.heard;

	forge(self, 2, good, sizeof(good));
	while (poll(&p, 1, 50) == 1 && self->hotplug.heard < heard + 100)
		ASSERT_EQ(0, loop_turn(&self->loop, 0));
	EXPECT_EQ(0u, self->hotplug.foreign);
}

TEST_F(hotplug, H4_one_of_64_KiB_costs_a_look_and_no_more)
{
	static char large[65536] = "add@/d";

	forge(self, UEVENT_GROUP, large, sizeof(large));
	EXPECT_TRUE(moves(self, &self->hotplug.malformed));
	EXPECT_EQ(1, self->looks);
	if (self->hotplug.heard == 0)
		kernel_says(self, "add");
	EXPECT_TRUE(moves(self, &self->hotplug.heard));		/* and goes on */
}

TEST_F(hotplug, H6_lost_messages_mean_one_look_and_those_that_follow_are_heard)
{
	int size = 1;

	ASSERT_EQ(0, setsockopt(self->hotplug.source.fd, SOL_SOCKET, SO_RCVBUF, &size,
				sizeof(size)));
	for (int i = 0; i < 200; i++)
		kernel_says(self, "add");
	EXPECT_TRUE(moves(self, &self->hotplug.lost));
	EXPECT_EQ(1u, self->hotplug.lost);
	EXPECT_EQ(1, self->looks);
	while (poll(&(struct pollfd){ .fd = self->hotplug.source.fd, .events = POLLIN }, 1, 0) == 1)
		ASSERT_EQ(0, loop_turn(&self->loop, 0));
	kernel_says(self, "add");
	EXPECT_TRUE(moves(self, &self->hotplug.heard));
}

TEST_F(hotplug, an_idle_one_is_silent)
{
	kernel_says(self, "add");
	EXPECT_TRUE(moves(self, &self->hotplug.heard));
	EXPECT_EQ(0, poll(&(struct pollfd){ .fd = self->loop.epoll, .events = POLLIN }, 1, 100));
}
