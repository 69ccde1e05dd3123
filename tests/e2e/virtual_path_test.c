/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/virtual_path_test.c - A virtual reader is whoever listens at a path, so the path must
 * leave no room for anybody else (SECURITY section 7): each way around is refused in words that say
 * what to do.
 */
#include "tests/e2e/stage.h"

#include "base/cleanup.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

FIXTURE(vpath)
{
	struct stage stage;
	int listener;		/* a good one, at run/good.sock */
};

FIXTURE_SETUP(vpath)
{
	static const char *const none[] = { NULL };

	stage_open(&self->stage, none);
	self->listener = stage_listen(&self->stage, "good");
}

FIXTURE_TEARDOWN(vpath)
{
	fd_close(self->listener);
	stage_close(&self->stage);
}

/* keyferryd does not even start, and says why. */
static void expect_no_start(struct fixture_vpath *self, const char *path, const char *words)
{
	static struct outcome o;
	struct rig *rig = &self->stage.rig;

	rig_run(rig, RIG_SERVICE, NULL, &o, "keyferryd", "--socket", rig_path(rig, "run/b.sock"),
		"--virtual", rig_path(rig, path), NULL);
	EXPECT_EQ(1, o.status);
	if (!strstr(o.err, words))
		TEST_FAIL("%s: no \"%s\" in: %s", path, words, o.err);
}

struct said {
	struct stage *stage;
	const char *words;
};

static bool is_said(void *data)
{
	struct said *said = data;

	return stage_count_in(said->stage, "mail/refused.log", said->words) > 0;
}

/* keyferryd runs without that reader, and says why. */
static void expect_not_attached(struct fixture_vpath *self, const char *path, const char *words)
{
	struct rig *rig = &self->stage.rig;
	struct said said = { &self->stage, words };

	rig->service = rig_spawn(rig, RIG_SERVICE, NULL, "mail/refused.log", "keyferryd",
				 "--socket", rig_path(rig, "run/broker.sock"), "--virtual",
				 rig_path(rig, path), "--driver", "bin/puppet_driver", NULL);
	if (!rig_until(is_said, &said, 5000))
		TEST_FAIL("%s: never said \"%s\"", path, words);
	EXPECT_EQ(0, stage_count_in(&self->stage, "mail/refused.log", "driver"));
	EXPECT_EQ(0, rig_pid_of(rig, "puppet_driver"));
	rig_stop_service(rig);
}

TEST_F_TIMEOUT(vpath, a_good_one_is_attached, 20)
{
	static const char *const readers[] = { "good" };

	self->stage.readers[0] = readers[0];
	self->stage.listeners[0] = -1;
	self->stage.n_readers = 1;
	stage_start(&self->stage, "");
}

TEST_F_TIMEOUT(vpath, a_symbolic_link_for_a_socket_is_not_followed, 20)
{
	ASSERT_EQ(0, symlink("good.sock", rig_path(&self->stage.rig, "run/link.sock")));
	expect_not_attached(self, "run/link.sock", "a symbolic link stands on the way; give the real");
}

TEST_F_TIMEOUT(vpath, nor_one_for_a_directory, 20)
{
	ASSERT_EQ(0, symlink("run", rig_path(&self->stage.rig, "elsewhere")));
	expect_no_start(self, "elsewhere/good.sock", "a symbolic link stands on the way");
	expect_no_start(self, "mail/../run/good.sock", "without \"..\"");
}

TEST_F_TIMEOUT(vpath, a_directory_that_others_can_write_to_is_refused, 20)
{
	struct rig *rig = &self->stage.rig;

	ASSERT_EQ(0, chmod(rig_path(rig, "run"), 0757));
	expect_no_start(self, "run/good.sock", "others could exchange what is below it");
	ASSERT_EQ(0, chmod(rig_path(rig, "run"), 0775));
	expect_no_start(self, "run/good.sock", "others could exchange what is below it");
	ASSERT_EQ(0, chmod(rig_path(rig, "run"), 0755));
	ASSERT_EQ(0, chmod(rig->dir, 0777));
	expect_no_start(self, "run/good.sock", "others could exchange what is below it");
	ASSERT_EQ(0, chmod(rig->dir, 0755));
}

TEST_F_TIMEOUT(vpath, another_users_directory_is_refused, 20)
{
	struct rig *rig = &self->stage.rig;

	if (!rig_has_uids(rig))
		SKIP("needs root, to be several uids");
	ASSERT_EQ(0, chown(rig_path(rig, "run"), rig->uid[RIG_STRANGER], 0));
	expect_no_start(self, "run/good.sock", "others could exchange what is below it");
}

TEST_F_TIMEOUT(vpath, another_users_socket_is_not_connected_to, 20)
{
	struct rig *rig = &self->stage.rig;

	if (!rig_has_uids(rig))
		SKIP("needs root, to be several uids");
	ASSERT_EQ(0, chown(rig_path(rig, "run/good.sock"), rig->uid[RIG_STRANGER], 0));
	expect_not_attached(self, "run/good.sock", "it belongs to another user");
}

/* The file is ours, but who listens behind it is not: the kernel says who called listen(). */
TEST_F_TIMEOUT(vpath, another_users_listener_behind_our_file_is_refused, 20)
{
	struct rig *rig = &self->stage.rig;
	uid_t stranger = rig->uid[RIG_STRANGER];

	if (!rig_has_uids(rig))
		SKIP("needs root, to be several uids");
	ASSERT_EQ(0, chmod(rig_path(rig, "run"), 0777));
	ASSERT_EQ(0, setegid(stranger));
	ASSERT_EQ(0, seteuid(stranger));
	int fd = stage_listen(&self->stage, "foreign");
	ASSERT_EQ(0, seteuid(0));
	ASSERT_EQ(0, setegid(0));
	ASSERT_EQ(0, chmod(rig_path(rig, "run"), 0755));
	ASSERT_EQ(0, chown(rig_path(rig, "run/foreign.sock"), rig->uid[RIG_SERVICE], 0));
	expect_not_attached(self, "run/foreign.sock", "it belongs to another user");
	fd_close(fd);
}
