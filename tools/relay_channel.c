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
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LOOK_EVERY_MS = 100, PREFIX = 4 };

/* Who is at the other end, and what comes from there. */
static const char *other(const struct relay_channel *channel)
{
	return channel->server ? "client" : "server";
}

static const char *what_comes(const struct relay_channel *channel)
{
	return channel->server ? "answers" : "list";
}

static int too_late(struct kf_error *e, const char *who, const char *what)
{
	char next[KF_ERROR_TEXT_MAX];

	error_text_set(next, "see what keeps the %s, and begin anew", who);
	return error_why(e, -ETIMEDOUT, "the deadline in the first list, or --timeout before it", next,
			 "%s in time", what);
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
	int r = name_of(channel->in, round, &name);

	if (r < 0)
		return r;
	while ((round > 1 || channel->server) && access(name, F_OK) < 0) {
		if (deadline_passed(deadline))
			return too_late(e, other(channel), channel->server ? "the answers did not come" :
					"the next list did not come");
		sleep_for_ms(LOOK_EVERY_MS);
	}
	return ui_file_read(name, JSON_TEXT_MAX, text, n, e);
}

static int file_put(const struct relay_channel *channel, uint32_t round, struct bytes text,
		    struct kf_error *e)
{
	_cleanup_(freep) char *name = NULL;
	int r = name_of(channel->out, round, &name);

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

/* A socket that is not connected, and its address. */
static int socket_new(const char *path, struct sockaddr_un *at, int *out, struct kf_error *e)
{
	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(at->sun_path))
		return error_why(e, -ENAMETOOLONG, "unix(7)", "use a shorter path",
				 "a socket's path has at most 107 bytes");
	memcpy(at->sun_path, path, strlen(path));
	*out = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return *out < 0 ? -errno : 0;
}

int relay_channel_connect(const char *path, struct deadline deadline, int *out, struct kf_error *e)
{
	struct sockaddr_un at;
	_cleanup_(fd_closep) int fd = -1;
	int r = socket_new(path, &at, &fd, e);

	if (r < 0)
		return r;
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

static int bind_alone(int fd, const struct sockaddr_un *at)
{
	mode_t before = umask(0177);
	int r = bind(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 ? -errno : 0;

	(void)umask(before);
	if (r == 0 && listen(fd, 1) < 0)
		r = -errno;
	return r;
}

static int accept_one(int fd, struct deadline deadline, int *out)
{
	int r = wait_for(fd, POLLIN, deadline);

	if (r < 0)
		return r;
	*out = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	return *out < 0 ? -errno : 0;
}

int relay_channel_listen(const char *path, struct deadline deadline, int *out, struct kf_error *e)
{
	struct sockaddr_un at;
	_cleanup_(fd_closep) int fd = -1;
	int r = socket_new(path, &at, &fd, e);

	if (r < 0)
		return r;
	r = bind_alone(fd, &at);
	if (r < 0)
		return error_why(e, r, "this machine", "name a socket that is not there yet", "%s: %s", path,
				 strerror(-r));
	r = accept_one(fd, deadline, out);
	(void)unlink(path);
	return r == -ETIMEDOUT ? too_late(e, "client", "no client connected") : r;
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

static int socket_failed(const struct relay_channel *channel, struct kf_error *e, int r)
{
	const char *who = other(channel);
	char rule[KF_ERROR_TEXT_MAX];

	if (r == -ETIMEDOUT)
		return too_late(e, who, channel->server ? "nothing came from the client" :
				"nothing came from the server");
	error_text_set(rule, "the connection to the %s", who);
	if (r == -ECONNRESET)
		return error_why(e, r, rule, "see why it hung up, and begin anew", "the %s hung up", who);
	return error_why(e, r, rule, "see why it hung up, and begin anew", "%s", strerror(-r));
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
		return socket_failed(channel, e, r);
	len = unpack_be32(&u);
	if (len == 0 || len > JSON_TEXT_MAX)
		return error_why(e, -EBADMSG, "docs/formats.md 14", "is a relay at the other end?",
				 "%zu bytes are announced for the %s", len, what_comes(channel));
	buf = calloc(1, len + 1);
	if (!buf)
		return -ENOMEM;
	r = receive(channel->fd, buf, len, deadline);
	if (r < 0)
		return socket_failed(channel, e, r);
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
	return r < 0 ? socket_failed(channel, e, r) : 0;
}

int relay_channel_get(const struct relay_channel *channel, uint32_t round,
		      struct deadline deadline, uint8_t **text, size_t *n, struct kf_error *e)
{
	int r = channel->fd < 0 ? file_get(channel, round, deadline, text, n, e)
				: socket_get(channel, deadline, text, n, e);

	return error_what(e, r, "cannot get the %s of round %u", what_comes(channel), round);
}

int relay_channel_put(const struct relay_channel *channel, uint32_t round, struct bytes text,
		      struct deadline deadline, struct kf_error *e)
{
	int r = channel->fd < 0 ? file_put(channel, round, text, e)
				: socket_put(channel, text, deadline, e);

	return error_what(e, r, "cannot give the %s of round %u", channel->server ? "list" : "answers", round);
}
