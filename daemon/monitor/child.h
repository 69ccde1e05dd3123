/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/child.h - A program of ours, started with descriptors at fixed numbers and watched
 * through a pidfd, so that its end is an event like any other and its pid is never confused.
 */
#pragma once

#include "daemon/shared/loop.h"

#include <sys/types.h>

#define CHILD_FDS 2

struct child {
	struct source source;	/* its pidfd; -1 while there is none */
	pid_t pid;
	void (*ended)(struct child *child, int status);	/* as of waitpid(2) */
	/*
	 * Runs in the new process, before exec, and opens its last descriptor: for what may take
	 * long. NULL: it is given one. Return: a descriptor or a negative errno.
	 */
	int (*open)(struct child *child);
	struct loop *loop;
};

#define CHILD_INIT ((struct child){ .source = SOURCE_INIT })

#define CHILD_NOT_OPENED 128	/* exit status, plus the errno, when ->open failed */

/*
 * Starts @argv[0]. @fds are at 3, 4 in it, all else but the standard streams closed; it dies with
 * us. Return: 0 or a negative errno; -ENOENT and the like of exec come as exit status 127.
 */
int child_start(struct child *child, struct loop *loop, const char *const argv[],
		const int fds[static CHILD_FDS]);
static inline int child_runs(const struct child *child)
{
	return child->source.fd >= 0;
}
void child_kill(struct child *child);
/* Kills, waits, forgets; does not call ended(). */
void child_deinit(struct child *child);
