/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/usb/transfer.c - libusb's own timeouts are not used: with them a second clock would decide
 * when a wait ends. Here one poll(2) waits for libusb's descriptors, for the wake descriptor and
 * for the deadline, and then libusb is called to run what is due, which never waits.
 */
#include "driver/usb/transfer.h"

#include "base/cleanup.h"
#include "base/secret.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>

/* --- flights --- */

static void watch(struct flights *flights, int fd, short events)
{
	struct epoll_event event = {
		.events = ((events & POLLIN) ? (uint32_t)EPOLLIN : 0) |
			  ((events & POLLOUT) ? (uint32_t)EPOLLOUT : 0),
		.data.fd = fd,
	};

	(void)epoll_ctl(flights->fd, EPOLL_CTL_ADD, fd, &event);
}

static void on_fd_added(int fd, short events, void *arg)
{
	watch(arg, fd, events);
}

/* Before it is closed, else epoll would keep reporting a description that nobody can name. */
static void on_fd_removed(int fd, void *arg)
{
	struct flights *flights = arg;

	(void)epoll_ctl(flights->fd, EPOLL_CTL_DEL, fd, NULL);
}

static int watch_all(struct flights *flights)
{
	const struct libusb_pollfd **list;

	libusb_set_pollfd_notifiers(flights->context, on_fd_added, on_fd_removed, flights);
	list = libusb_get_pollfds(flights->context);
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; list[i]; i++)
		watch(flights, list[i]->fd, list[i]->events);
	libusb_free_pollfds(list);
	return 0;
}

int flights_init(struct flights *flights)
{
	int r;

	*flights = FLIGHTS_INIT;
	/* Both are defaults of the contexts to come in libusb 1.0.26, and still work in later ones. */
	(void)unsetenv("LIBUSB_DEBUG");
	(void)libusb_set_option(NULL, LIBUSB_OPTION_LOG_LEVEL, LIBUSB_LOG_LEVEL_NONE);
	if (libusb_set_option(NULL, LIBUSB_OPTION_NO_DEVICE_DISCOVERY) != 0)
		return -EIO;
	if (libusb_init(&flights->context) != 0) {
		flights->context = NULL;
		return -EIO;
	}
	flights->fd = epoll_create1(EPOLL_CLOEXEC);
	r = flights->fd < 0 ? -errno : watch_all(flights);
	if (r < 0)
		flights_deinit(flights);
	return r;
}

void flights_deinit(struct flights *flights)
{
	if (flights->context) {
		libusb_set_pollfd_notifiers(flights->context, NULL, NULL, NULL);
		libusb_exit(flights->context);
	}
	flights->fd = fd_close(flights->fd);
	*flights = FLIGHTS_INIT;
}

void flights_serve(struct flights *flights)
{
	struct timeval now = { 0 };

	(void)libusb_handle_events_timeout_completed(flights->context, &now, NULL);
}

/* Return: 0 a callback may be due; -ETIMEDOUT; or what the wake callback says. */
static int wait_for_callback(struct flights *flights, struct wake *wake, struct deadline deadline)
{
	struct pollfd fds[] = {
		{ .fd = flights->fd, .events = POLLIN },
		{ .fd = wake->fd, .events = POLLIN },
	};
	int r = poll(fds, 2, deadline_poll_ms(deadline));

	if (r < 0 && errno != EINTR)
		return -errno;
	if (r > 0 && fds[1].revents != 0) {
		assert(wake->ready);	/* else its fd is -1, and poll() is silent on that */
		r = wake->ready(wake->arg);
		if (r < 0)
			return r;
	}
	/* The deadline counts even if something else keeps the descriptors busy. */
	return deadline_passed(deadline) && fds[0].revents == 0 ? -ETIMEDOUT : 0;
}

/* --- transfers --- */

int transfer_reserve(struct transfer *transfer, size_t cap)
{
	uint8_t *buf;

	assert(transfer->state != TRANSFER_FLYING);
	if (transfer->state == TRANSFER_STRAY)
		return 0;	/* transfer_submit() says what there is to say */
	if (!transfer->t)
		transfer->t = libusb_alloc_transfer(0);
	if (!transfer->t)
		return -ENOMEM;
	if (cap <= transfer->cap)
		return 0;
	buf = malloc(cap);
	if (!buf)
		return -ENOMEM;
	transfer_wipe(transfer);
	free(transfer->buf);
	transfer->buf = buf;
	transfer->cap = cap;
	return 0;
}

static void LIBUSB_CALL on_landed(struct libusb_transfer *t)
{
	struct transfer *transfer = t->user_data;

	if (transfer->state == TRANSFER_STRAY)
		return;
	transfer->status = t->status;
	transfer->n = t->actual_length > 0 ? (size_t)t->actual_length : 0;
	if (transfer->n > transfer->used)
		transfer->used = transfer->n;
	transfer->state = TRANSFER_LANDED;
}

int transfer_submit(struct transfer *transfer, libusb_device_handle *handle, uint8_t type,
		    uint8_t endpoint, uint8_t flags, size_t n)
{
	bool is_in = type != LIBUSB_TRANSFER_TYPE_CONTROL && (endpoint & LIBUSB_ENDPOINT_IN);
	struct libusb_transfer *t = transfer->t;
	int r;

	if (transfer->state == TRANSFER_STRAY)
		return -ENODEV;
	assert(transfer->state == TRANSFER_LANDED && n <= transfer->cap && n <= INT_MAX);
	t->dev_handle = handle;
	t->type = type;
	t->endpoint = endpoint;
	t->flags = flags;
	t->timeout = 0;
	t->buffer = transfer->buf;
	t->length = (int)n;
	t->callback = on_landed;
	t->user_data = transfer;
	transfer->n = 0;
	transfer->used = is_in ? 0 : n;
	transfer->state = TRANSFER_FLYING;
	r = libusb_submit_transfer(t);
	if (r == 0)
		return 0;
	transfer->state = TRANSFER_LANDED;
	transfer->status = r == LIBUSB_ERROR_NO_DEVICE ? LIBUSB_TRANSFER_NO_DEVICE :
							 LIBUSB_TRANSFER_ERROR;
	return r == LIBUSB_ERROR_NO_DEVICE ? -ENODEV : -EIO;
}

int transfer_recall(struct transfer *transfer, struct flights *flights)
{
	struct deadline deadline = deadline_in(TRANSFER_CANCEL_MS);
	struct wake none = WAKE_NONE;

	if (transfer->state == TRANSFER_FLYING)
		(void)libusb_cancel_transfer(transfer->t);	/* the callback comes or came */
	while (transfer->state == TRANSFER_FLYING) {
		(void)wait_for_callback(flights, &none, deadline);
		flights_serve(flights);
		if (transfer->state == TRANSFER_FLYING && deadline_passed(deadline))
			transfer->state = TRANSFER_STRAY;
	}
	return transfer->state == TRANSFER_STRAY ? -ENODEV : 0;
}

int transfer_await(struct transfer *transfer, struct flights *flights, struct wake *wake,
		   struct deadline deadline)
{
	while (transfer->state == TRANSFER_FLYING) {
		int r = wait_for_callback(flights, wake, deadline);

		if (r == 0 || r == -ETIMEDOUT)
			flights_serve(flights);
		if (r == 0 && deadline_passed(deadline))
			r = -ETIMEDOUT;
		if (r < 0 && transfer->state == TRANSFER_FLYING)
			return transfer_recall(transfer, flights) < 0 ? -ENODEV : r;
	}
	return transfer->state == TRANSFER_STRAY ? -ENODEV : 0;
}

void transfer_wipe(struct transfer *transfer)
{
	assert(transfer->state != TRANSFER_FLYING);
	if (transfer->state == TRANSFER_LANDED && transfer->buf)
		wipe(transfer->buf, transfer->used);
	transfer->used = 0;
}

void transfer_deinit(struct transfer *transfer)
{
	assert(transfer->state != TRANSFER_FLYING);
	if (transfer->state == TRANSFER_STRAY)
		return;
	transfer_wipe(transfer);
	free(transfer->buf);
	libusb_free_transfer(transfer->t);
	*transfer = TRANSFER_INIT;
}
