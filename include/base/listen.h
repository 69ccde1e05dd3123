/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base/listen.h - A listening socket with a name in the file system, for packets. Whoever finds the
 * name finds a listener: the socket is bound under a name beside it, which ends in "~", and has its
 * own once it listens. A start that was broken off leaves the former behind, and the next one clears
 * it away. ss(8) and getsockname(2) go on saying the former.
 *
 * A socket left by somebody who died is told from a living one by connecting to it: only a refused
 * connection may be replaced. Between that look and the name another could have got it, so one at a time
 * starts in a folder: who has it locked. Whoever can read a folder can lock it, so nobody is waited for longer
 * than a start takes.
 */
#pragma once

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LISTEN_LOCK_TRIES = 200, LISTEN_LOCK_US = 5000 };

static inline int listen_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

/* Return: 0 nothing is there, or a socket that nobody listens on; -EADDRINUSE, -EEXIST. */
static inline int listen_is_free(const struct sockaddr_un *addr)
{
	_cleanup_(fd_closep) int fd = -1;
	struct stat st;

	if (lstat(addr->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = listen_socket();
	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno == EAGAIN)
		return -EADDRINUSE;
	return errno == ECONNREFUSED ? 0 : -errno;
}

/* As long as the name itself, so that it fits wherever that does. */
static inline struct sockaddr_un listen_beside(const struct sockaddr_un *addr)
{
	struct sockaddr_un beside = *addr;
	char *last = beside.sun_path + strlen(beside.sun_path) - 1;

	*last = *last == '~' ? '-' : '~';
	return beside;
}

/*
 * Return: a descriptor that holds the lock as long as it is open; without a lock, -1 for a folder that cannot be read
 * or is locked for ever: then listen_move() has the last word.
 */
static inline int listen_lock(const struct sockaddr_un *addr)
{
	struct sockaddr_un copy = *addr;	/* dirname() writes into it */
	int fd = open(dirname(copy.sun_path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; fd >= 0 && i < LISTEN_LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) < 0; i++)
		(void)usleep(LISTEN_LOCK_US);
	return fd;
}

static inline int listen_bind(int fd, const struct sockaddr_un *addr, mode_t mode)
{
	int r = listen_is_free(addr);
	mode_t mask;

	if (r < 0)
		return r;
	if (unlink(addr->sun_path) < 0 && errno != ENOENT)
		return -errno;
	/* The mode has to be right from the first moment: there is no fchmod() on a socket's name. */
	mask = umask(~mode & 0777);
	r = bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 ? -errno : 0;
	(void)umask(mask);
	return r;
}

/*
 * Of two that start at once, without the lock, the later one takes the name beside from the earlier, and either
 * may move it: it is whose the socket is that has won. Return: 0; -EADDRINUSE it is the other's.
 */
static inline int listen_move(const struct sockaddr_un *from, const struct stat *ours,
			      const struct sockaddr_un *to)
{
	struct stat st;
	int r = rename(from->sun_path, to->sun_path) < 0 ? -errno : 0;

	if (lstat(to->sun_path, &st) == 0 && st.st_ino == ours->st_ino && st.st_dev == ours->st_dev)
		return 0;
	return r < 0 && r != -ENOENT ? r : -EADDRINUSE;
}

/**
 * listen_open - makes it
 * @path:	relative ones are looked for from here
 * @mode:	of the socket, whatever the umask is
 *
 * Return: a descriptor that does not block; -EADDRINUSE when somebody answers there; -EEXIST when
 * something there is no socket; -ENAMETOOLONG; others of bind(2).
 */
static inline int listen_open(const char *path, mode_t mode, int backlog)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX }, beside;
	_cleanup_(fd_closep) int fd = -1, lock = -1;
	struct stat ours;
	int r;

	if (path[0] == '\0')
		return -ENOENT;
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	lock = listen_lock(&addr);
	r = listen_is_free(&addr);
	if (r < 0)
		return r;
	fd = listen_socket();
	if (fd < 0)
		return fd;
	beside = listen_beside(&addr);
	r = listen_bind(fd, &beside, mode);
	if (r < 0)
		return r;
	if (lstat(beside.sun_path, &ours) < 0 || listen(fd, backlog) < 0)
		r = -errno;
	else
		r = listen_move(&beside, &ours, &addr);
	if (r < 0 && r != -EADDRINUSE)
		(void)unlink(beside.sun_path);
	return r < 0 ? r : take_fd(&fd);
}
