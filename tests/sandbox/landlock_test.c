/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/landlock.h"

#include "keyferry/proto.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Tests run in a process of their own, so each may close itself in. */
static uint32_t enter(const struct landlock_path *paths, size_t n, unsigned int flags)
{
	uint32_t guards = 0;

	ASSERT_EQ(0, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	ASSERT_EQ(0, landlock_enter(paths, n, flags, &guards));
	if (guards & KF_GUARD_LACKS_LANDLOCK)
		SKIP("this kernel has no Landlock");
	return guards;
}

static int try_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	(void)close(fd);
	return 0;
}

TEST(nothing_can_be_opened_and_the_version_is_told)
{
	uint32_t guards = enter(NULL, 0, 0);

	EXPECT_TRUE(guards & KF_GUARD_LANDLOCK);
	EXPECT_LT(0, guards >> 24);
	EXPECT_EQ(-EACCES, try_open("/", O_RDONLY | O_DIRECTORY));
	EXPECT_EQ(-EACCES, try_open("/etc/passwd", O_RDONLY));
	EXPECT_EQ(-EACCES, try_open("/dev/null", O_WRONLY));
	EXPECT_EQ(-EACCES, try_open("/tmp/keyferry-landlock-test", O_CREAT | O_WRONLY));
}

TEST(what_was_open_stays_open)
{
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	char byte;

	(void)enter(NULL, 0, 0);
	EXPECT_EQ(1, read(fd, &byte, 1));
	(void)close(fd);
}

TEST(an_exception_is_no_wider_than_it_says)
{
	static const struct landlock_path paths[] = {
		{ "/etc", LANDLOCK_READ }, { "/dev/null", LANDLOCK_READ | LANDLOCK_WRITE },
		{ "/no/such/place", LANDLOCK_READ },
	};

	(void)enter(paths, 3, 0);
	EXPECT_EQ(0, try_open("/etc/passwd", O_RDONLY));
	EXPECT_EQ(-EACCES, try_open("/etc/passwd", O_WRONLY));
	EXPECT_EQ(0, try_open("/dev/null", O_RDWR));
	EXPECT_EQ(-EACCES, try_open("/dev/zero", O_RDWR));
	EXPECT_EQ(-1, access("/no/such/place", F_OK));
}

static int make_socket(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	r = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	(void)close(fd);
	return r;
}

TEST(a_folder_for_sockets_takes_sockets_and_no_files)
{
	char dir[] = "/tmp/keyferry-test-XXXXXX", path[64];
	struct landlock_path paths[] = { { dir, LANDLOCK_SOCKETS } };

	ASSERT_NOT_NULL(mkdtemp(dir));
	(void)enter(paths, 1, 0);
	(void)snprintf(path, sizeof(path), "%s/file", dir);
	EXPECT_EQ(-EACCES, try_open(path, O_CREAT | O_WRONLY));
	(void)snprintf(path, sizeof(path), "%s/socket", dir);
	EXPECT_EQ(0, make_socket(path));
	EXPECT_EQ(0, unlink(path));
	EXPECT_EQ(0, try_open(dir, O_RDONLY | O_DIRECTORY));	/* to lock it */
	EXPECT_EQ(-EACCES, make_socket("/tmp/keyferry-landlock-socket"));
}

TEST(a_folder_for_files_takes_files_and_no_sockets)
{
	char dir[] = "/tmp/keyferry-test-XXXXXX", path[64], other[64];
	struct landlock_path paths[] = { { dir, LANDLOCK_FILES | LANDLOCK_WRITE } };

	ASSERT_NOT_NULL(mkdtemp(dir));
	(void)enter(paths, 1, 0);
	(void)snprintf(path, sizeof(path), "%s/file", dir);
	(void)snprintf(other, sizeof(other), "%s/other", dir);
	EXPECT_EQ(0, try_open(path, O_CREAT | O_WRONLY));
	EXPECT_EQ(0, try_open(path, O_TRUNC | O_WRONLY));
	EXPECT_EQ(0, rename(path, other));
	EXPECT_EQ(0, unlink(other));
	EXPECT_EQ(-EACCES, make_socket(path));
	EXPECT_EQ(-EACCES, try_open("/tmp/keyferry-landlock-file", O_CREAT | O_WRONLY));
}

TEST(signals_to_others_are_refused_unless_they_were_asked_for)
{
	uint32_t guards = enter(NULL, 0, 0);

	if (guards >> 24 < 6)
		SKIP("Landlock of this kernel does not know signals (version %u, 6 does)", guards >> 24);
	EXPECT_EQ(-1, kill(getppid(), 0));
	EXPECT_EQ(EPERM, errno);
}

TEST(signals_that_were_asked_for_work)
{
	(void)enter(NULL, 0, LANDLOCK_SIGNALS);
	EXPECT_EQ(0, kill(getppid(), 0));
}

/* Return: whether this process may bind a TCP port of this machine, or a negative errno. */
static int try_bind(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	ASSERT_LE(0, fd);
	r = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	(void)close(fd);
	return r;
}

TEST(the_network_stays_where_it_is_asked_for)
{
	static const struct landlock_path paths[] = { { "/etc", LANDLOCK_READ } };

	(void)enter(paths, 1, LANDLOCK_NETWORK);
	EXPECT_EQ(0, try_bind());
	EXPECT_EQ(-EACCES, try_open("/dev/null", O_RDWR));
}

TEST(the_network_goes_where_the_kernel_can_do_that)
{
	uint32_t guards = enter(NULL, 0, 0);

	if (guards >> 24 < 4)
		SKIP("Landlock of this kernel does not know TCP");
	EXPECT_EQ(-EACCES, try_bind());
}
