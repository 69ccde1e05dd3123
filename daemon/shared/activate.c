/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/shared/activate.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_FD	3	/* SD_LISTEN_FDS_START */
#define FDS_MAX		16

static long number_in(const char *variable)
{
	const char *text = getenv(variable);
	char *end;
	long n;

	if (!text || *text < '0' || *text > '9')
		return -1;
	errno = 0;
	n = strtol(text, &end, 10);
	return errno == 0 && *end == '\0' ? n : -1;
}

/* Position of @name in the colon-separated list of names, if there are @n descriptors; or -1. */
static int place_of(const char *name, long n)
{
	const char *at = getenv("LISTEN_FDNAMES");
	size_t len = strlen(name);

	for (int i = 0; at && i < n; i++) {
		size_t here = strcspn(at, ":");

		if (here == len && strncmp(at, name, len) == 0)
			return i;
		at = at[here] == ':' ? at + here + 1 : NULL;
	}
	return -1;
}

static bool has_option(int fd, int option, int value)
{
	int got = -1;
	socklen_t len = sizeof(got);

	return getsockopt(fd, SOL_SOCKET, option, &got, &len) == 0 && got == value;
}

int activate_socket(const char *name)
{
	long n = number_in("LISTEN_FDS");
	int i, fd;

	/* The variables may have come down from a parent they were meant for. */
	if (number_in("LISTEN_PID") != (long)getpid() || n < 1 || n > FDS_MAX)
		return -ENOENT;
	i = place_of(name, n);
	if (i < 0)
		return -ENOENT;
	fd = FIRST_FD + i;
	if (!has_option(fd, SO_DOMAIN, AF_UNIX) || !has_option(fd, SO_TYPE, SOCK_SEQPACKET) ||
	    !has_option(fd, SO_ACCEPTCONN, 1))
		return -EINVAL;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return fd;
}

/* One datagram to the named socket, "@" meaning an abstract name. */
void activate_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_(fd_closep) int fd = -1;
	size_t n = path ? strlen(path) : 0;

	if (n < 2 || n >= sizeof(addr.sun_path))
		return;
	memcpy(addr.sun_path, path, n);
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&addr,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
}
