/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A socket left by a killed reader is told from a living one by connecting to it: only a refused
 * connection may be replaced.
 */
#include "vreader/reader/listen.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static int remove_dead_socket(const struct sockaddr_un *addr)
{
	_cleanup_(fd_closep) int fd = -1;
	struct stat st;

	if (lstat(addr->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno == EAGAIN)
		return -EADDRINUSE;
	if (errno != ECONNREFUSED)
		return -errno;
	return unlink(addr->sun_path) < 0 ? -errno : 0;
}

int listen_open(const char *path, mode_t mode)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_(fd_closep) int fd = -1;
	mode_t mask;
	int r;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	r = remove_dead_socket(&addr);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* The mode has to be right from the first moment: there is no fchmod() on a socket's path. */
	mask = umask(~mode & 0777);
	r = bind(fd, (const struct sockaddr *)&addr, sizeof(addr));
	(void)umask(mask);
	if (r < 0 || listen(fd, 8) < 0)
		return -errno;
	return take_fd(&fd);
}

int listen_serve(int listen_fd, struct line *line)
{
	struct pollfd p[2] = { { listen_fd, POLLIN, 0 }, { line->signal_fd, POLLIN, 0 } };

	for (;;) {
		_cleanup_(fd_closep) int fd = -1;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (p[1].revents != 0)
			line_take_signals(line);
		if (line->stop)
			return 0;
		if (p[0].revents == 0)
			continue;
		fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;		/* gone again before we took it */
		/* A host that broke the rules is cut off, which is all it deserves to hear. */
		if (line_serve(line, fd) == -ECANCELED)
			return 0;
	}
}
