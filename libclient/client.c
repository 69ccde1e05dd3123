/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libclient/client.c - The life of a connection. It begins with KF_HELLO and ends with the first
 * thing that is not in order; contexts notice by the epoch.
 */
#include "libclient/client.h"
#include "base/secret.h"
#include "libclient/call.h"
#include "libclient/explain.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

int64_t client_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint32_t client_deadline_ms(const struct kf_client *client)
{
	return client->deadline_ms ? client->deadline_ms : KF_DEADLINE_DEFAULT_MS;
}

KF_EXPORT int kf_client_new(const char *name, struct kf_client **out)
{
	_cleanup_(freep) struct kf_client *client = NULL;

	if (!out)
		return -EINVAL;
	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	client->fd = -1;
	client->tx = malloc(2 * (size_t)KF_PACKET_MAX);
	if (!client->tx)
		return -ENOMEM;
	client->rx = client->tx + KF_PACKET_MAX;
	packet_set_string(client->name, name ? name : program_invocation_short_name);
	*out = take_ptr(client);
	return 0;
}

void client_hang_up(struct kf_client *client)
{
	client->connected = false;
	client->hello = (struct kf_hello){ 0 };
	wipe(client->tx, 2 * (size_t)KF_PACKET_MAX);
	if (client->fd >= 0)
		(void)shutdown(client->fd, SHUT_RDWR);
}

static int greet(struct kf_client *client)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_hello *hello = call_begin(&call, client, KF_HELLO);
	int r;

	hello->version = KF_PROTO_VERSION;
	hello->max_packet = KF_PACKET_MAX;
	packet_set_string(hello->name, client->name);
	r = call_run(&call, "cannot greet the broker");
	if (r < 0)
		return r;
	memcpy(&client->hello, call_reply(&call), sizeof(client->hello));
	return 0;
}

static bool is_seqpacket(int fd)
{
	socklen_t len = sizeof(int);
	int type = 0;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

static int adopt(struct kf_client *client, int fd)
{
	int r;

	client->fd = fd_close(client->fd);
	client->fd = fd;
	client->connected = true;
	client->epoch++;
	client->seq = 0;	/* KF_HELLO has number 1: a refusal comes unasked and answers that */
	atomic_store(&client->cancel_wanted, 0);
	atomic_store(&client->cancels, 0);
	client->events.first = client->events.n = 0;
	client->events.mask = 0;
	r = greet(client);
	if (r < 0)
		client_hang_up(client);
	return r;
}

/* A full backlog makes connect() wait, and a broker that is stuck makes that wait endless. */
static int set_connect_deadline(int fd, uint32_t ms)
{
	struct timeval left = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof(left)) < 0 ? -errno : 0;
}

static int socket_connect(const char *path, uint32_t deadline_ms, int *out)
{
	int64_t until = client_now_ms() + deadline_ms;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_(fd_closep) int fd = -1;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* On a Unix socket an interrupted connect() has not begun, so it can simply be repeated. */
	do {
		int64_t left = until - client_now_ms();

		if (left <= 0)
			return -ETIMEDOUT;
		r = set_connect_deadline(fd, (uint32_t)left);
		if (r == 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
			r = errno == EAGAIN ? -ETIMEDOUT : -errno;
	} while (r == -EINTR);
	if (r < 0)
		return r;
	*out = take_fd(&fd);
	return 0;
}

static const char *default_path(void)
{
	const char *path = secure_getenv("KEYFERRY_SOCKET");

	return path && *path ? path : KF_SOCKET_DEFAULT;
}

KF_EXPORT int kf_client_connect(struct kf_client *client, const char *path)
{
	_cleanup_(freep) char *copy = NULL;
	int fd = -1, r;

	if (!client)
		return -EINVAL;
	if (client->connected)
		return -EISCONN;
	client->failure = (struct failure){ .error = KF_ERROR_INIT };
	copy = strdup(path ? path : default_path());
	if (!copy)
		return explain_connect(&client->failure, -ENOMEM, "");
	r = socket_connect(copy, client_deadline_ms(client), &fd);
	if (r < 0)
		return explain_connect(&client->failure, r, copy);
	free(client->path);
	client->path = take_ptr(copy);
	return adopt(client, fd);
}

KF_EXPORT int kf_client_connect_fd(struct kf_client *client, int fd)
{
	if (!client || client->connected || !is_seqpacket(fd)) {
		int r = !client ? -EINVAL : client->connected ? -EISCONN : -EPROTOTYPE;

		(void)fd_close(fd);
		return r;
	}
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	free(client->path);
	client->path = NULL;
	return adopt(client, fd);
}

int client_reconnect(struct kf_client *client)
{
	uint32_t mask = client->events.mask;
	_cleanup_(freep) char *path = NULL;
	int r;

	if (!client->path)
		return -ENOTCONN;
	path = strdup(client->path);
	if (!path)
		return -ENOMEM;
	r = kf_client_connect(client, path);
	if (r < 0 || mask == 0)
		return r;
	client->events.lost = true;	/* whatever happened in between */
	return kf_events_subscribe(client, mask, client->events.fn, client->events.data);
}

KF_EXPORT struct kf_client *kf_client_free(struct kf_client *client)
{
	if (!client)
		return NULL;
	while (client->contexts)
		context_orphan(client->contexts);
	events_deinit(&client->events);
	client->fd = fd_close(client->fd);
	wipe(client->tx, 2 * (size_t)KF_PACKET_MAX);
	free(client->tx);
	free(client->path);
	free(client);
	return NULL;
}

KF_EXPORT void kf_client_set_deadline(struct kf_client *client, uint32_t ms)
{
	if (client)
		client->deadline_ms = ms > KF_DEADLINE_MAX_MS ? KF_DEADLINE_MAX_MS : ms;
}

KF_EXPORT const struct kf_error *kf_client_error(const struct kf_client *client)
{
	static const struct kf_error none = KF_ERROR_INIT;

	return client ? &client->failure.error : &none;
}

KF_EXPORT uint32_t kf_client_reason(const struct kf_client *client)
{
	return client ? client->failure.reason : 0;
}

KF_EXPORT uint32_t kf_client_detail(const struct kf_client *client)
{
	return client ? client->failure.detail : 0;
}

KF_EXPORT uint32_t kf_client_status_word(const struct kf_client *client)
{
	return client ? client->failure.sw : 0;
}

KF_EXPORT int kf_client_fd(const struct kf_client *client)
{
	return client && client->connected ? client->fd : -ENOTCONN;
}

KF_EXPORT uint32_t kf_client_rights(const struct kf_client *client)
{
	return client ? client->hello.rights : 0;
}

KF_EXPORT uint32_t kf_client_number(const struct kf_client *client)
{
	return client ? client->hello.client : 0;
}

KF_EXPORT const char *kf_client_broker_version(const struct kf_client *client)
{
	return client ? client->hello.broker : "";
}
