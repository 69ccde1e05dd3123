/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/monitor/child.h"

#include "base/cleanup.h"
#include "base/list.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Between fork and exec. There was one thread, so any call is safe. */
static void become(struct child *child, const char *const argv[],
		   const int given[static CHILD_FDS], pid_t parent)
{
	int fds[CHILD_FDS], high[CHILD_FDS];
	sigset_t none;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(126);
	memcpy(fds, given, sizeof(fds));
	if (child->open) {
		fds[CHILD_FDS - 1] = child->open(child);
		if (fds[CHILD_FDS - 1] < 0)
			_exit(CHILD_NOT_OPENED - fds[CHILD_FDS - 1]);
	}
	for (int i = 0; i < CHILD_FDS; i++) {
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 16);
		if (high[i] < 0)
			_exit(126);
	}
	for (int i = 0; i < CHILD_FDS; i++)
		if (dup2(high[i], 3 + i) < 0)
			_exit(126);
	if (syscall(SYS_close_range, 3 + CHILD_FDS, ~0u, 0) < 0)
		_exit(126);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	execv(argv[0], (char *const *)(uintptr_t)argv);	/* takes no const, changes nothing */
	dprintf(STDERR_FILENO, "keyferryd: cannot start %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void child_over(struct source *source, uint32_t events)
{
	struct child *child = list_entry(source, struct child, source);
	int status = 0;

	(void)events;
	if (waitpid(child->pid, &status, WNOHANG) == 0)
		return;
	loop_remove(child->loop, source);
	source->fd = fd_close(source->fd);
	child->ended(child, status);
}

int child_start(struct child *child, struct loop *loop, const char *const argv[],
		const int fds[static CHILD_FDS])
{
	pid_t parent = getpid(), pid;
	int r;

	assert(!child_runs(child));
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		become(child, argv, fds, parent);
	child->pid = pid;
	child->loop = loop;
	child->source = (struct source){
		.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = EPOLLIN, .fn = child_over };
	r = child->source.fd < 0 ? -errno : loop_add(loop, &child->source);
	if (r < 0) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		child->source.fd = fd_close(child->source.fd);
	}
	return r;
}

void child_kill(struct child *child)
{
	if (child_runs(child))	/* not yet reaped, so the pid is still ours */
		(void)kill(child->pid, SIGKILL);
}

void child_deinit(struct child *child)
{
	if (!child_runs(child))
		return;
	child_kill(child);
	(void)waitpid(child->pid, NULL, 0);
	loop_remove(child->loop, &child->source);
	child->source.fd = fd_close(child->source.fd);
}
