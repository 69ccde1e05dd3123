/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "daemon/shared/activate.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Descriptors 3 and 4 belong to the harness at first; each test is a process of its own. */
static void hand_over(int fd3, int fd4)
{
	char pid[16];

	ASSERT_EQ(3, dup2(fd3, 3));
	ASSERT_EQ(4, dup2(fd4, 4));
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "2", 1);
	setenv("LISTEN_FDNAMES", "clients:monitor", 1);
}

static int listener(int type)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&addr, sizeof(sa_family_t)));	/* autobind */
	ASSERT_EQ(0, listen(fd, 1));
	return fcntl(fd, F_DUPFD, 20);
}

TEST(sockets_are_found_by_their_names)
{
	hand_over(listener(SOCK_SEQPACKET), listener(SOCK_SEQPACKET));
	EXPECT_EQ(3, activate_socket("clients"));
	EXPECT_EQ(4, activate_socket("monitor"));
	EXPECT_EQ(-ENOENT, activate_socket("client"));
	EXPECT_EQ(-ENOENT, activate_socket("monitors"));
	EXPECT_EQ(FD_CLOEXEC, fcntl(3, F_GETFD));
	EXPECT_NE(0, fcntl(4, F_GETFL) & O_NONBLOCK);
}

TEST(what_is_meant_for_another_process_is_left_alone)
{
	hand_over(listener(SOCK_SEQPACKET), listener(SOCK_SEQPACKET));
	setenv("LISTEN_PID", "1", 1);
	EXPECT_EQ(-ENOENT, activate_socket("clients"));
	unsetenv("LISTEN_PID");
	EXPECT_EQ(-ENOENT, activate_socket("clients"));
}

TEST(only_as_many_as_were_handed_over_count)
{
	hand_over(listener(SOCK_SEQPACKET), listener(SOCK_SEQPACKET));
	setenv("LISTEN_FDS", "1", 1);
	EXPECT_EQ(-ENOENT, activate_socket("monitor"));
	setenv("LISTEN_FDS", "0", 1);
	EXPECT_EQ(-ENOENT, activate_socket("clients"));
	setenv("LISTEN_FDS", "2x", 1);
	EXPECT_EQ(-ENOENT, activate_socket("clients"));
	unsetenv("LISTEN_FDNAMES");
	setenv("LISTEN_FDS", "2", 1);
	EXPECT_EQ(-ENOENT, activate_socket("clients"));
}

TEST(anything_but_a_listening_packet_socket_is_refused)
{
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	hand_over(listener(SOCK_STREAM), fcntl(pair[0], F_DUPFD, 20));
	EXPECT_EQ(-EINVAL, activate_socket("clients"));
	EXPECT_EQ(-EINVAL, activate_socket("monitor"));
}

TEST(the_manager_hears_what_is_said)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "" };
	_cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(addr);
	char name[64], got[64] = "";

	activate_notify("READY=1");		/* nobody to tell */
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&addr, sizeof(sa_family_t)));
	ASSERT_EQ(0, getsockname(fd, (struct sockaddr *)&addr, &len));
	snprintf(name, sizeof(name), "@%.*s", (int)(len - sizeof(sa_family_t) - 1),
		 addr.sun_path + 1);
	setenv("NOTIFY_SOCKET", name, 1);
	activate_notify("READY=1\nSTATUS=x");
	EXPECT_EQ(16, recv(fd, got, sizeof(got), MSG_DONTWAIT));
	EXPECT_STREQ("READY=1\nSTATUS=x", got);
}
