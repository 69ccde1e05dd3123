/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "daemon/monitor/listen.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

FIXTURE(listen) { char dir[64], path[96]; int fd; };
FIXTURE_SETUP(listen)
{
	strcpy(self->dir, "/tmp/kf-listen-XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
	self->fd = listen_open(self->path);
	ASSERT_LE(0, self->fd);
}
FIXTURE_TEARDOWN(listen)
{
	fd_close(self->fd);
	(void)unlink(self->path);
	(void)rmdir(self->dir);
}

TEST_F(listen, everybody_may_connect_whatever_the_umask)
{
	struct stat st;

	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_EQ(0666u, st.st_mode & 0777);
}

TEST_F(listen, a_living_daemons_socket_is_left_alone)
{
	EXPECT_EQ(-EADDRINUSE, listen_open(self->path));
}

TEST_F(listen, a_dead_ones_is_taken_over)
{
	self->fd = fd_close(self->fd);
	self->fd = listen_open(self->path);
	EXPECT_LE(0, self->fd);
}

TEST_F(listen, a_file_is_never_removed)
{
	char long_path[200];

	self->fd = fd_close(self->fd);
	ASSERT_EQ(0, unlink(self->path));
	fd_close(open(self->path, O_CREAT | O_WRONLY, 0600));
	EXPECT_EQ(-EEXIST, listen_open(self->path));
	EXPECT_EQ(0, access(self->path, F_OK));
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	EXPECT_EQ(-ENAMETOOLONG, listen_open(long_path));
}
