/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "daemon/monitor/sysfs.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

FIXTURE(sysfs) { char dir[64]; int fd; };
FIXTURE_SETUP(sysfs)
{
	strcpy(self->dir, "/tmp/kf-sysfs-XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(self->dir));
	self->fd = open(self->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
}
FIXTURE_TEARDOWN(sysfs)
{
	char command[96];

	fd_close(self->fd);
	snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	if (system(command) != 0)
		TEST_LOG("could not remove %s", self->dir);
}

static void put(struct fixture_sysfs *self, const char *name, const char *text, size_t n)
{
	int fd = openat(self->fd, name, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);

	ASSERT_EQ((ssize_t)n, write(fd, text, n));
	fd_close(fd);
}

TEST_F(sysfs, numbers_are_read_strictly)
{
	static const struct { const char *text; int base; int want; uint32_t value; } cases[] = {
		{ "08e6\n", 16, 0, 0x08e6 }, { "0b", 16, 0, 0x0b }, { "17\n", 10, 0, 17 },
		{ "0\n", 10, 0, 0 }, { "65535", 10, 0, 65535 }, { "65536", 10, -EBADMSG, 0 },
		{ "", 10, -EBADMSG, 0 }, { "\n", 10, -EBADMSG, 0 }, { "-1\n", 10, -EBADMSG, 0 },
		{ " 1\n", 10, -EBADMSG, 0 }, { "1 \n", 10, -EBADMSG, 0 }, { "1\n\n", 10, -EBADMSG, 0 },
		{ "0x1", 16, -EBADMSG, 0 }, { "1f", 10, -EBADMSG, 0 },
		{ "99999999999999999999", 10, -EBADMSG, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t value = 0;

		put(self, "n", cases[i].text, strlen(cases[i].text));
		EXPECT_EQ(cases[i].want, sysfs_number(self->fd, "n", cases[i].base, 65535, &value));
		EXPECT_EQ(cases[i].value, value);
	}
	EXPECT_EQ(-ENOENT, sysfs_number(self->fd, "none", 10, 1, &(uint32_t){ 0 }));
}

TEST_F(sysfs, a_text_is_cut_and_ended_whatever_it_holds)
{
	char out[8];

	put(self, "t", "ab\n", 3);
	EXPECT_EQ(0, sysfs_text(self->fd, "t", out, sizeof(out)));
	EXPECT_STREQ("ab", out);
	put(self, "t", "longer than that\n", 17);
	EXPECT_EQ(0, sysfs_text(self->fd, "t", out, sizeof(out)));
	EXPECT_STREQ("longer ", out);
	put(self, "t", "a\0b\n", 4);
	EXPECT_EQ(0, sysfs_text(self->fd, "t", out, sizeof(out)));
	EXPECT_STREQ("a", out);
	EXPECT_EQ(0, sysfs_text(self->fd, "none", out, sizeof(out)));
	EXPECT_STREQ("", out);
}

TEST_F(sysfs, bytes_are_all_there_or_none)
{
	uint8_t out[4];

	put(self, "b", "1234567", 7);
	EXPECT_EQ(0, sysfs_bytes(self->fd, "b", out, 4));
	EXPECT_MEMEQ("1234", out, 4);
	put(self, "b", "123", 3);
	EXPECT_EQ(-EBADMSG, sysfs_bytes(self->fd, "b", out, 4));
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* A pipe nobody writes to waits as long as an attribute whose device keeps its lock. */
TEST_F(sysfs, H13_a_text_that_does_not_come_is_given_up)
{
	struct itimerval left;
	struct sigaction action;
	uint64_t start = now_ms();
	char path[96], out[8];

	snprintf(path, sizeof(path), "%s/slow", self->dir);
	ASSERT_EQ(0, mkfifo(path, 0600));
	EXPECT_EQ(-EAGAIN, sysfs_text(self->fd, "slow", out, sizeof(out)));
	EXPECT_LE((uint64_t)SYSFS_PATIENCE_MS - 1, now_ms() - start);
	ASSERT_EQ(0, getitimer(ITIMER_REAL, &left));
	EXPECT_EQ(0, left.it_interval.tv_usec);		/* nothing goes on ticking */
	ASSERT_EQ(0, sigaction(SIGALRM, NULL, &action));
	EXPECT_TRUE(action.sa_handler == SIG_DFL);
}
