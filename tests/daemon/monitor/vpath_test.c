/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/listen.h"
#include "daemon/monitor/vpath.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define NOBODY ((uid_t)-1)

FIXTURE(vpath) { char dir[64], path[96]; struct vpath v; int listener; };
FIXTURE_SETUP(vpath)
{
	strcpy(self->dir, "/tmp/kf-vpath-XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(self->dir));
	snprintf(self->path, sizeof(self->path), "%s/card.sock", self->dir);
	ASSERT_EQ(0, vpath_init(&self->v, self->path));
	self->listener = -1;
}
FIXTURE_TEARDOWN(vpath)
{
	fd_close(self->listener);
	(void)unlink(self->path);
	(void)rmdir(self->dir);
}

static int open_dir(struct vpath *v)
{
	const char *where;

	return vpath_open_dir(v, NOBODY, &where);
}

TEST(paths_are_made_absolute_and_split)
{
	struct vpath v;
	char cwd[PATH_MAX];

	ASSERT_NOT_NULL(getcwd(cwd, sizeof(cwd)));
	EXPECT_EQ(0, vpath_init(&v, "x.sock"));
	EXPECT_STREQ(cwd, v.dir);
	EXPECT_EQ(0, vpath_init(&v, "/x.sock"));
	EXPECT_STREQ("/", v.dir);
	EXPECT_STREQ("x.sock", v.base);
	EXPECT_EQ(-EINVAL, vpath_init(&v, "/a/../x.sock"));
	EXPECT_EQ(-EINVAL, vpath_init(&v, "/a/"));
	EXPECT_EQ(-EINVAL, vpath_init(&v, "/a/.."));
	EXPECT_EQ(0, vpath_init(&v, "/a/..b/x"));
}

TEST_F(vpath, a_listener_of_ours_is_reached)
{
	_cleanup_(fd_closep) int dir = open_dir(&self->v);

	ASSERT_LE(0, dir);
	EXPECT_EQ(-ENOENT, vpath_connect(&self->v, dir, NOBODY));
	self->listener = listen_open(self->path, 0666, 8);
	ASSERT_LE(0, self->listener);
	_cleanup_(fd_closep) int fd = vpath_connect(&self->v, dir, NOBODY);
	EXPECT_LE(0, fd);
	self->listener = fd_close(self->listener);
	EXPECT_EQ(-ECONNREFUSED, vpath_connect(&self->v, dir, NOBODY));
}

TEST_F(vpath, a_symbolic_link_anywhere_is_refused)
{
	char link_path[128];
	struct vpath v;
	_cleanup_(fd_closep) int dir = open_dir(&self->v);

	snprintf(link_path, sizeof(link_path), "%s-link", self->dir);
	ASSERT_EQ(0, symlink(self->dir, link_path));
	strcat(link_path, "/card.sock");
	ASSERT_EQ(0, vpath_init(&v, link_path));
	EXPECT_EQ(-ELOOP, open_dir(&v));
	*strrchr(link_path, '/') = '\0';
	(void)unlink(link_path);

	ASSERT_EQ(0, symlink("/tmp/elsewhere", self->path));
	EXPECT_EQ(-ELOOP, vpath_connect(&self->v, dir, NOBODY));
}

TEST_F(vpath, a_directory_others_can_write_to_is_refused_unless_sticky)
{
	ASSERT_EQ(0, chmod(self->dir, 0777));
	EXPECT_EQ(-EPERM, open_dir(&self->v));
	ASSERT_EQ(0, chmod(self->dir, 0770));
	EXPECT_EQ(-EPERM, open_dir(&self->v));
	ASSERT_EQ(0, chmod(self->dir, 01777));
	_cleanup_(fd_closep) int fd = open_dir(&self->v);
	EXPECT_LE(0, fd);
}

TEST_F(vpath, another_users_directory_or_socket_is_refused_unless_named)
{
	const char *where;
	_cleanup_(fd_closep) int mine = open_dir(&self->v), theirs = -1;

	if (geteuid() != 0)
		SKIP("needs root to give a directory away");
	self->listener = listen_open(self->path, 0666, 8);
	ASSERT_LE(0, self->listener);
	ASSERT_EQ(0, chown(self->path, 12345, 12345));
	EXPECT_EQ(-EPERM, vpath_connect(&self->v, mine, NOBODY));
	ASSERT_EQ(0, chown(self->dir, 12345, 12345));
	EXPECT_EQ(-EPERM, open_dir(&self->v));
	theirs = vpath_open_dir(&self->v, 12345, &where);
	EXPECT_LE(0, theirs);
	_cleanup_(fd_closep) int fd = vpath_connect(&self->v, theirs, 12345);
	EXPECT_LE(0, fd);
}

TEST_F(vpath, a_plain_file_is_no_reader)
{
	_cleanup_(fd_closep) int dir = open_dir(&self->v);

	fd_close(open(self->path, O_CREAT | O_WRONLY, 0600));
	EXPECT_EQ(-ENOTSOCK, vpath_connect(&self->v, dir, NOBODY));
}
