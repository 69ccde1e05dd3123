/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/filter.h"

#include "tests/harness.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct filter_rule calls[] = {
	FILTER_ANY(getppid),
	FILTER_IOCTL(FIONREAD),
	FILTER_REFUSE(socket, 0, AF_INET, EAFNOSUPPORT),
};

/* Runs @act behind the filter. Return: its value, or 128 + the signal it died of. */
static int behind_filter(int (*act)(void))
{
	int status = 0;
	pid_t pid;

	if (HARNESS_SANITIZED)
		SKIP("sanitizers make calls of their own, so these builds have no filter");
	pid = fork();
	ASSERT_LE(0, pid);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || filter_load(calls, sizeof(calls) / sizeof(calls[0])) < 0)
			_exit(99);
		_exit(act());
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int work(void)
{
	void *p = malloc(1 << 20);
	int n = 0;

	if (!p || getppid() <= 0)
		return 1;
	free(p);
	return ioctl(STDERR_FILENO, FIONREAD, &n) == -2 ? 2 : 0;
}

static int open_file(void)
{
	return access("/", R_OK);
}

static int open_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int start_process(void)
{
	return fork() == 0;
}

static int signal_other(void)
{
	return kill(getppid(), 0);
}

static int other_ioctl(void)
{
	return ioctl(STDERR_FILENO, TIOCSTI, "x");
}

static int map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED;
}

static int make_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static int other_prctl(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static int call_out(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0) < 0 && errno == EAFNOSUPPORT ? 0 : 1;
}

TEST(what_is_listed_as_refused_gets_its_error_and_nothing_else_does)
{
	EXPECT_EQ(0, behind_filter(call_out));
	EXPECT_EQ(128 + SIGSYS, behind_filter(open_socket));
}

TEST(what_is_listed_works)
{
	EXPECT_EQ(0, behind_filter(work));
}

TEST(what_is_not_ends_the_process)
{
	EXPECT_EQ(128 + SIGSYS, behind_filter(open_file));
	EXPECT_EQ(128 + SIGSYS, behind_filter(open_socket));
	EXPECT_EQ(128 + SIGSYS, behind_filter(start_process));
	EXPECT_EQ(128 + SIGSYS, behind_filter(signal_other));
}

TEST(an_argument_that_is_not_listed_ends_the_process)
{
	EXPECT_EQ(128 + SIGSYS, behind_filter(other_ioctl));
	EXPECT_EQ(128 + SIGSYS, behind_filter(other_prctl));
}

TEST(memory_never_becomes_code)
{
	EXPECT_EQ(128 + SIGSYS, behind_filter(map_code));
	EXPECT_EQ(128 + SIGSYS, behind_filter(make_code));
}
