/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "daemon/monitor/child.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

static struct loop loop;
static int ended_with = -1;

static void ended(struct child *child, int status)
{
	(void)child;
	ended_with = status;
	loop_stop(&loop, 0);
}

static int run(const char *script, int fd)
{
	const char *argv[] = { "/bin/sh", "-c", script, NULL };
	struct child child = CHILD_INIT;

	ASSERT_EQ(0, loop_init(&loop));
	child.ended = ended;
	ASSERT_EQ(0, child_start(&child, &loop, argv, (int[]){ fd, fd }));
	ASSERT_EQ(0, loop_run(&loop));
	loop_deinit(&loop);
	return ended_with;
}

TEST(its_end_is_an_event_with_its_status)
{
	EXPECT_EQ(3, WEXITSTATUS(run("exit 3", STDERR_FILENO)));
}

TEST(it_has_the_standard_streams_and_its_two_and_no_others)
{
	int more = open("/dev/null", O_RDONLY);	/* without O_CLOEXEC, as a careless library would */

	EXPECT_EQ(0, run("for f in /proc/self/fd/*; do case ${f##*/} in [0-4]) ;; "
			 "*) [ -e $f ] && exit 9;; esac; done; [ -e /proc/self/fd/3 ] && "
			 "[ -e /proc/self/fd/4 ]", STDERR_FILENO));
	fd_close(more);
}

TEST(a_program_that_is_not_there_is_status_127)
{
	const char *argv[] = { "/nonexistent", NULL };
	struct child child = CHILD_INIT;

	ASSERT_EQ(0, loop_init(&loop));
	child.ended = ended;
	ASSERT_EQ(0, child_start(&child, &loop, argv, (int[]){ 2, 2 }));
	ASSERT_EQ(0, loop_run(&loop));
	EXPECT_EQ(127, WEXITSTATUS(ended_with));
	loop_deinit(&loop);
}

TEST(killing_and_forgetting_leaves_no_zombie)
{
	const char *argv[] = { "/bin/sleep", "100", NULL };
	struct child child = CHILD_INIT;
	pid_t pid;

	ASSERT_EQ(0, loop_init(&loop));
	ASSERT_EQ(0, child_start(&child, &loop, argv, (int[]){ 2, 2 }));
	pid = child.pid;
	child_deinit(&child);
	EXPECT_EQ(-1, kill(pid, 0));
	EXPECT_EQ(-1, ended_with);
	loop_deinit(&loop);
}

/* A monitor that is killed takes its children along. */
TEST(it_dies_with_its_parent)
{
	int pipe_fd[2];
	char byte;

	ASSERT_EQ(0, pipe2(pipe_fd, O_CLOEXEC));
	pid_t parent = fork();
	if (parent == 0) {
		const char *argv[] = { "/bin/sleep", "100", NULL };
		struct child child = CHILD_INIT;

		if (loop_init(&loop) < 0 ||
		    child_start(&child, &loop, argv, (int[]){ pipe_fd[1], pipe_fd[1] }) < 0)
			_exit(1);
		usleep(100000);		/* the child has set its death signal by then */
		_exit(0);
	}
	fd_close(pipe_fd[1]);
	EXPECT_EQ(parent, waitpid(parent, NULL, 0));
	EXPECT_EQ(0, read(pipe_fd[0], &byte, 1));	/* the last holder of the pipe is gone */
}
