/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "proto/wire.h"
#include "tests/harness.h"

#include <dirent.h>
#include <sys/socket.h>

FIXTURE(wire) { int fd[2]; };
FIXTURE_SETUP(wire)
{
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, self->fd));
}
FIXTURE_TEARDOWN(wire)
{
	fd_close(self->fd[0]);
	fd_close(self->fd[1]);
}

static size_t open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

TEST_F(wire, a_packet_arrives_whole)
{
	uint8_t buf[8];
	struct bytes got;

	EXPECT_EQ(0, wire_send(self->fd[0], BYTES("hello", 5), 0));
	EXPECT_EQ(0, wire_recv(self->fd[1], buf, sizeof(buf), 0, &got));
	EXPECT_BYTES_EQ(BYTES("hello", 5), got);
}

TEST_F(wire, what_does_not_fit_is_said)
{
	uint8_t buf[4];
	struct bytes got;

	EXPECT_EQ(0, wire_send(self->fd[0], BYTES("hello", 5), 0));
	EXPECT_EQ(-EMSGSIZE, wire_recv(self->fd[1], buf, sizeof(buf), 0, &got));
}

TEST_F(wire, nothing_there_and_nobody_there_differ)
{
	uint8_t buf[4];
	struct bytes got;

	EXPECT_EQ(-EAGAIN, wire_recv(self->fd[1], buf, sizeof(buf), MSG_DONTWAIT, &got));
	self->fd[0] = fd_close(self->fd[0]);
	EXPECT_EQ(-ECONNRESET, wire_recv(self->fd[1], buf, sizeof(buf), MSG_DONTWAIT, &got));
	EXPECT_EQ(-EPIPE, wire_send(self->fd[1], BYTES("x", 1), 0));
}

TEST_F(wire, an_uninvited_descriptor_is_refused_and_not_kept)
{
	union { char buf[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = { 0 };
	struct iovec iov = { .iov_base = (char[]){ "hi" }, .iov_len = 2 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	size_t before = open_fds();
	uint8_t buf[4];
	struct bytes got;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &self->fd[0], sizeof(int));
	ASSERT_EQ(2, sendmsg(self->fd[0], &msg, 0));
	EXPECT_EQ(-EBADMSG, wire_recv(self->fd[1], buf, sizeof(buf), 0, &got));
	EXPECT_EQ(before, open_fds());
}
