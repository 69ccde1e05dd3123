/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/relay_channel.c - A file of the next round is there once it has its name: servers write it
 * under another and rename it, as everything here does. The socket does not block; poll(2) waits.
 */
#include "tools/relay_channel.h"

#include "base/error.h"
#include "libserver/json/object.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LOOK_EVERY_MS = 100, PREFIX = 4 };

static int too_late(struct kf_error *e, const char *what)
{
	return error_why(e, -ETIMEDOUT, "the deadline in the first list, or --timeout before it",
			 "see what keeps the server, and begin anew", "%s in time", what);
}

/* --- files --- */

/* Return: 0 and a name the caller frees, -ENOMEM. */
static int name_of(const char *pattern, uint32_t round, char **out)
{
	const char *at = strchr(pattern, '%');
	int n;

	if (!at)
		n = asprintf(out, "%s", pattern);
	else
		n = asprintf(out, "%.*s%u%s", (int)(at - pattern), pattern, round, at + 1);
	return n < 0 ? -ENOMEM : 0;
}

static int file_get(const struct relay_channel *channel, uint32_t round, struct deadline deadline,
		    uint8_t **text, size_t *n, struct kf_error *e)
{
	_cleanup_(freep) char *name = NULL;
	int r = name_of(channel->list, round, &name);

	if (r < 0)
		return r;
	while (round > 1 && access(name, F_OK) < 0) {
		if (deadline_passed(deadline))
			return too_late(e, "the next list did not come");
		sleep_for_ms(LOOK_EVERY_MS);
	}
	return ui_file_read(name, JSON_TEXT_MAX, text, n, e);
}

static int file_put(const struct relay_channel *channel, uint32_t round, struct bytes text,
		    struct kf_error *e)
{
	_cleanup_(freep) char *name = NULL;
	int r = name_of(channel->answers, round, &name);

	return r < 0 ? r : ui_file_write(name, text, 0644, e);
}

/* --- socket --- */

static int wait_for(int fd, short events, struct deadline deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int r;

	do {
		r = poll(&p, 1, deadline_poll_ms(deadline));
	} while (r < 0 && errno == EINTR && !deadline_passed(deadline));
	if (r < 0)
		return -errno;
	return r == 0 ? -ETIMEDOUT : 0;
}

int relay_channel_connect(const char *path, struct deadline deadline, int *out, struct kf_error *e)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	_cleanup_(fd_closep) int fd = -1;
	int r;

	if (strlen(path) >= sizeof(at.sun_path))
		return error_why(e, -ENAMETOOLONG, "unix(7)", "use a shorter path",
				 "a socket's path has at most 107 bytes");
	memcpy(at.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	do {
		r = connect(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 ? -errno : 0;
		if (r != -EAGAIN)
			break;
		sleep_for_ms(LOOK_EVERY_MS);	/* its queue is full */
	} while (!deadline_passed(deadline));
	if (r < 0)
		return error_why(e, r, "this machine", "is the server, or its tunnel, listening there?",
				 "%s: %s", path, strerror(-r));
	*out = fd;
	fd = -1;
	return 0;
}

/* Fills @buf. Return: 0, -ETIMEDOUT, -ECONNRESET, -errno. */
static int receive(int fd, uint8_t *buf, size_t n, struct deadline deadline)
{
	while (n > 0) {
		ssize_t got = recv(fd, buf, n, 0);

		if (got == 0)
			return -ECONNRESET;
		if (got > 0) {
			buf += got;
			n -= (size_t)got;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		int r = wait_for(fd, POLLIN, deadline);

		if (r < 0)
			return r;
	}
	return 0;
}

static int transmit(int fd, struct bytes data, struct deadline deadline)
{
	while (data.n > 0) {
		ssize_t n = send(fd, data.p, data.n, MSG_NOSIGNAL);

		if (n > 0) {
			data = BYTES(data.p + n, data.n - (size_t)n);
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		int r = wait_for(fd, POLLOUT, deadline);

		if (r < 0)
			return r;
	}
	return 0;
}

static int socket_failed(struct kf_error *e, int r)
{
	if (r == -ETIMEDOUT)
		return too_late(e, "nothing came from the server");
	return error_why(e, r, "the connection to the server", "see why it hung up, and begin anew",
			 "%s", r == -ECONNRESET ? "the server hung up" : strerror(-r));
}

static int socket_get(const struct relay_channel *channel, struct deadline deadline,
		      uint8_t **text, size_t *n, struct kf_error *e)
{
	_cleanup_(freep) uint8_t *buf = NULL;
	uint8_t prefix[PREFIX];
	struct unpacker u = unpack_begin(BYTES_OF(prefix));
	int r = receive(channel->fd, prefix, sizeof(prefix), deadline);
	size_t len;

	if (r < 0)
		return socket_failed(e, r);
	len = unpack_be32(&u);
	if (len == 0 || len > JSON_TEXT_MAX)
		return error_why(e, -EBADMSG, "docs/formats.md 14", "is it a relay server?",
				 "a list of %zu bytes is announced", len);
	buf = calloc(1, len + 1);
	if (!buf)
		return -ENOMEM;
	r = receive(channel->fd, buf, len, deadline);
	if (r < 0)
		return socket_failed(e, r);
	*text = take_ptr(buf);
	*n = len;
	return 0;
}

static int socket_put(const struct relay_channel *channel, struct bytes text,
		      struct deadline deadline, struct kf_error *e)
{
	uint8_t prefix[PREFIX];
	struct packer p = pack_begin(prefix, sizeof(prefix));
	int r;

	pack_be32(&p, (uint32_t)text.n);
	r = transmit(channel->fd, BYTES_OF(prefix), deadline);
	if (r == 0)
		r = transmit(channel->fd, text, deadline);
	return r < 0 ? socket_failed(e, r) : 0;
}

int relay_channel_get(const struct relay_channel *channel, uint32_t round,
		      struct deadline deadline, uint8_t **text, size_t *n, struct kf_error *e)
{
	int r = channel->fd < 0 ? file_get(channel, round, deadline, text, n, e)
				: socket_get(channel, deadline, text, n, e);

	return error_what(e, r, "cannot get the list of round %u", round);
}

int relay_channel_put(const struct relay_channel *channel, uint32_t round, struct bytes text,
		      struct deadline deadline, struct kf_error *e)
{
	int r = channel->fd < 0 ? file_put(channel, round, text, e)
				: socket_put(channel, text, deadline, e);

	return error_what(e, r, "cannot give the answers of round %u", round);
}
