/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base/io.h - Whole files through descriptors that block: a read or write that a signal interrupted
 * or that did a part of it goes on, and a name is durable only once its folder is.
 */
#pragma once

#include "base/bytes.h"
#include "base/cleanup.h"

#include <fcntl.h>
#include <sys/types.h>

/* Fills @buf until it is full or the file ends. Return: bytes read, -errno. */
static inline ssize_t io_read(int fd, uint8_t *buf, size_t cap)
{
	size_t n = 0;

	while (n < cap) {
		ssize_t got = read(fd, buf + n, cap - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

/* All of @data; syncs nothing. Return: 0, -errno. */
static inline int io_write(int fd, struct bytes data)
{
	while (data.n > 0) {
		ssize_t n = write(fd, data.p, data.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data = BYTES(data.p + n, data.n - (size_t)n);
	}
	return 0;
}

/* Makes the name @path durable, which its file's fsync() does not. Return: 0, -errno. */
static inline int io_sync_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_(freep) char *parent = slash ? strndup(path, (size_t)(slash - path) + 1)
					      : strdup(".");
	_cleanup_(fd_closep) int fd = -1;

	if (!parent)
		return -ENOMEM;
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}
