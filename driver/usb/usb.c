/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/usb/usb.c - At most one bulk or control transfer flies at a time and only while its caller
 * waits, and one interrupt transfer all the time. One exception: the answer to a command is asked for
 * just before the command goes out, so that a reader which is quick finds somebody who listens. It is
 * waited for or called off before anything else happens. So nothing of a bulk endpoint is in the air
 * when it is cleared, reset or released, and an idle reader costs no wake-up.
 *
 * Two things look alike from here, every transfer ending with "no device": an unplugged device and
 * one that was put to sleep. The node tells them apart: it hangs up for the first. After the second
 * the device goes on, with cards that have lost their power, which pipe.power_losses says.
 *
 * A claim that was lost (somebody reset the device) is no state to repair: this process ends, and the
 * next one starts from a fresh node with a card that is powered anew.
 */
#include "driver/usb/usb.h"

#include "driver/usb/node.h"
#include "driver/usb/transfer.h"

#include "base/cleanup.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define LOOK_MS		20	/* a look without a wait: long enough for a packet that is there */
#define ERROR_SETTLE_MS	100	/* a bus error comes this long before the unplugging it is part of */
#define NOTICE_ERRORS	3	/* in a row, then the endpoint is given up and the reader polled */
#define NOTICE_MAX	1024
#define NOTICE_CLEAR_MS	500
#define CONTROL_MAX	4096	/* usbfs takes no more */
#define SETUP_LEN	LIBUSB_CONTROL_SETUP_SIZE

/**
 * struct usb_pipe - see struct pipe
 * @node_fd:	the usbfs node
 * @handle:	libusb's, on @node_fd
 * @flights:	pipe.fd is its fd
 * @gone_fd:	an eventfd that is readable; joins @flights when the device goes and libusb closes
 * @out, @in, @control, @notice: the four transfers
 * @ahead:	@in was asked for with a command, and nobody has waited for it yet
 * @kept:	@in holds bytes that came while a wait was called off
 * @woken:	what wake.ready said while a command went out to its last byte; the next wait says it
 * @notice_len:	bytes asked for from the interrupt endpoint
 * @notice_errors: in a row
 * @claimed, @gone: the interface is ours; the device is lost for good
 */
struct usb_pipe {
	struct pipe pipe;
	int node_fd, gone_fd;
	libusb_device_handle *handle;
	struct flights flights;
	struct transfer out, in, control, notice;
	bool ahead, kept;
	int woken;
	size_t notice_len;
	unsigned int notice_errors;
	bool claimed, gone;
	uint8_t device[NODE_DEVICE_LEN];
	uint8_t *config;
};

static struct usb_pipe *usb_of(struct pipe *pipe)
{
	return (struct usb_pipe *)pipe;
}

/* --- what a transfer that ended says about the device --- */

static int gone(struct usb_pipe *u)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = u->gone_fd };

	if (!u->gone)
		(void)epoll_ctl(u->flights.fd, EPOLL_CTL_ADD, u->gone_fd, &event);
	u->gone = true;
	return -ENODEV;
}

static bool is_ours(const struct usb_pipe *u)
{
	return !u->claimed || node_is_claimed(u->node_fd, u->pipe.interface);
}

static int lost_power(struct usb_pipe *u)
{
	if (!is_ours(u))
		return gone(u);
	u->pipe.power_losses++;
	return -EIO;
}

static int no_device(struct usb_pipe *u)
{
	return node_hung_up(u->node_fd) ? gone(u) : lost_power(u);
}

static int bus_error(struct usb_pipe *u)
{
	return node_hangs_up_within(u->node_fd, ERROR_SETTLE_MS) || !is_ours(u) ? gone(u) : -EIO;
}

/* Return: 0, -EPIPE, -EOVERFLOW, -EIO, -ENODEV. */
static int judge(struct usb_pipe *u, const struct transfer *transfer)
{
	switch (transfer->status) {
	case LIBUSB_TRANSFER_COMPLETED:
		/* libusb says so, too, of one that the kernel called off with a claim. */
		return transfer->n == 0 && !is_ours(u) ? gone(u) : 0;
	case LIBUSB_TRANSFER_STALL:
		return -EPIPE;
	case LIBUSB_TRANSFER_OVERFLOW:
		return -EOVERFLOW;
	case LIBUSB_TRANSFER_NO_DEVICE:
		return no_device(u);
	default:
		return bus_error(u);
	}
}

static int take_off(struct usb_pipe *u, struct transfer *transfer, uint8_t type, uint8_t endpoint,
		    uint8_t flags, size_t n)
{
	int r;

	if (u->gone || transfer->state == TRANSFER_STRAY)
		return gone(u);
	r = transfer_submit(transfer, u->handle, type, endpoint, flags, n);
	return r == -ENODEV ? no_device(u) : r;
}

/* Return: 0 it landed, ask judge(); or as transfer_await(). */
static int await_landing(struct usb_pipe *u, struct transfer *transfer, struct deadline deadline)
{
	int r = transfer_await(transfer, &u->flights, &u->pipe.wake, deadline);

	return r == -ENODEV ? gone(u) : r;
}

static int fly(struct usb_pipe *u, struct transfer *transfer, uint8_t type, uint8_t endpoint,
	       uint8_t flags, size_t n, struct deadline deadline)
{
	int r = take_off(u, transfer, type, endpoint, flags, n);

	return r < 0 ? r : await_landing(u, transfer, deadline);
}

/* --- bulk --- */

/* What happened to the device since the last call must be known before a command goes out. */
static int look_around(struct usb_pipe *u)
{
	struct pollfd fds = { .fd = u->flights.fd, .events = POLLIN };

	if (u->gone)
		return -ENODEV;
	if (poll(&fds, 1, 0) > 0) {
		flights_serve(&u->flights);
		if (node_hung_up(u->node_fd))
			return gone(u);
	}
	if (u->notice.state == TRANSFER_FLYING)
		return 0;	/* it would have landed with the claim, or with a sleep */
	return is_ours(u) ? 0 : gone(u);
}

static int ask_for_answer(struct usb_pipe *u, size_t cap)
{
	size_t packet = u->pipe.in_packet, whole = (cap + packet - 1) / packet * packet;
	int r = transfer_reserve(&u->in, whole);

	return r < 0 ? r : take_off(u, &u->in, LIBUSB_TRANSFER_TYPE_BULK, u->pipe.ep_in, 0, whole);
}

static int ask_ahead(struct usb_pipe *u)
{
	int r;

	if (u->pipe.answer_len == 0 || u->pipe.halted || u->kept || u->ahead)
		return 0;
	r = ask_for_answer(u, u->pipe.answer_len);
	u->ahead = r == 0;
	return r;
}

/* What has come all the same is the next transfer. Return: 0, or -ENODEV. */
static int call_off(struct usb_pipe *u)
{
	if (!u->ahead)
		return 0;
	u->ahead = false;
	if (transfer_recall(&u->in, &u->flights) < 0)
		return gone(u);
	if (u->in.status == LIBUSB_TRANSFER_STALL)
		u->pipe.halted |= PIPE_HALTED_IN;
	u->kept = u->in.n != 0 && (u->in.status == LIBUSB_TRANSFER_COMPLETED ||
				   u->in.status == LIBUSB_TRANSFER_CANCELLED);
	return 0;
}

/* Return: 0 all of it was taken; or why not. */
static int judge_out(struct usb_pipe *u, size_t n, int r)
{
	bool whole = u->out.n == n;

	if (r == 0) {
		r = judge(u, &u->out);
		if (r == -EPIPE)
			u->pipe.halted |= PIPE_HALTED_OUT;
		return r == 0 && !whole ? -EIO : r;
	}
	if (r == -ENODEV || r == -EIO || !whole)
		return r;
	/* Only the zero-length packet was not taken: the reader has the command, and may run it. */
	u->woken = r == -ETIMEDOUT ? 0 : r;
	return 0;
}

static int usb_bulk_out(struct pipe *pipe, struct bytes transfer, struct deadline deadline)
{
	struct usb_pipe *u = usb_of(pipe);
	int r;

	u->woken = 0;
	if (pipe->halted & PIPE_HALTED_OUT)
		return -EPIPE;
	r = look_around(u);
	if (r == 0)
		r = transfer_reserve(&u->out, transfer.n);
	if (r < 0)
		return r;
	r = ask_ahead(u);
	if (r < 0)
		return r;
	memcpy(u->out.buf, transfer.p, transfer.n);
	r = fly(u, &u->out, LIBUSB_TRANSFER_TYPE_BULK, pipe->ep_out,
		pipe->no_zero_packet ? 0 : LIBUSB_TRANSFER_ADD_ZERO_PACKET, transfer.n, deadline);
	r = judge_out(u, transfer.n, r);
	transfer_wipe(&u->out);
	return r < 0 && call_off(u) < 0 ? -ENODEV : r;
}

static int deliver(struct bytes from, uint8_t *buf, size_t cap, size_t *n)
{
	if (from.n > cap)
		return -EOVERFLOW;
	if (from.n != 0)
		memcpy(buf, from.p, from.n);
	*n = from.n;
	return 0;
}

static int deliver_in(struct usb_pipe *u, uint8_t *buf, size_t cap, size_t *n)
{
	int r = deliver(BYTES(u->in.buf, u->in.n), buf, cap, n);

	transfer_wipe(&u->in);		/* what a card decrypted does not wait for the next one */
	return r;
}

static int judge_in(struct usb_pipe *u, int r)
{
	if (r == -ETIMEDOUT && u->in.n != 0)
		return 0;	/* whole packets, and no short one behind them as there should be */
	if (r < 0)
		return r;
	r = judge(u, &u->in);
	if (r == -EPIPE)
		u->pipe.halted |= PIPE_HALTED_IN;
	return r;
}

static int usb_bulk_in(struct pipe *pipe, uint8_t *buf, size_t cap, struct deadline deadline,
		       size_t *n)
{
	struct usb_pipe *u = usb_of(pipe);
	int r = u->woken;

	u->woken = 0;
	if (r < 0)
		return call_off(u) < 0 ? -ENODEV : r;
	if (u->kept) {
		u->kept = false;
		return deliver_in(u, buf, cap, n);
	}
	if (pipe->halted)
		return -EPIPE;
	r = u->ahead ? 0 : ask_for_answer(u, cap);
	u->ahead = false;
	if (r < 0)
		return r;
	if (deadline_passed(deadline))
		deadline = deadline_in(LOOK_MS);
	r = await_landing(u, &u->in, deadline);
	u->kept = r < 0 && r != -ETIMEDOUT && r != -ENODEV && r != -EIO && u->in.n != 0;
	if (u->kept)
		return r;
	r = judge_in(u, r);
	return r < 0 ? r : deliver_in(u, buf, cap, n);
}

/* --- control --- */

static int usb_control(struct pipe *pipe, const struct usb_setup *setup, struct bytes out,
		       uint8_t *in, size_t in_cap, struct deadline deadline, size_t *in_n)
{
	struct usb_pipe *u = usb_of(pipe);
	size_t n = 0;
	int r;

	if (setup->length > CONTROL_MAX || ((setup->type & 0x80) == 0 && out.n != setup->length))
		return -EINVAL;
	r = transfer_reserve(&u->control, SETUP_LEN + CONTROL_MAX);
	if (r < 0)
		return r;
	libusb_fill_control_setup(u->control.buf, setup->type, setup->request, setup->value,
				  setup->index, setup->length);
	if ((setup->type & 0x80) == 0 && out.n != 0)
		memcpy(u->control.buf + SETUP_LEN, out.p, out.n);
	r = fly(u, &u->control, LIBUSB_TRANSFER_TYPE_CONTROL, 0, 0, SETUP_LEN + setup->length,
		deadline);
	if (r == 0)
		r = judge(u, &u->control);
	if (r == 0 && (setup->type & 0x80) != 0)
		r = deliver(BYTES(u->control.buf + SETUP_LEN, u->control.n), in, in_cap, &n);
	transfer_wipe(&u->control);
	if (r == 0 && in_n)
		*in_n = n;
	return r;
}

/*
 * Both halves of what libusb_clear_halt() does, but the one that the device has to answer is under
 * our deadline; the kernel would wait for five seconds.
 */
static int usb_clear_halt(struct pipe *pipe, uint8_t endpoint, struct deadline deadline)
{
	struct usb_pipe *u = usb_of(pipe);
	struct usb_setup setup = {		/* [USB 2.0, 9.4.1] CLEAR_FEATURE(ENDPOINT_HALT) */
		.type = 0x02, .request = LIBUSB_REQUEST_CLEAR_FEATURE, .index = endpoint,
	};
	int r;

	assert(!u->ahead);
	r = usb_control(pipe, &setup, BYTES_NONE, NULL, 0, deadline, NULL);
	if (r == 0)
		r = node_reset_endpoint(u->node_fd, endpoint);
	if (r == -ENODEV)
		return gone(u);
	if (r < 0)
		return r == -EPIPE ? -EIO : r;
	if (endpoint == pipe->ep_in) {
		pipe->halted &= ~PIPE_HALTED_IN;
		u->kept = false;
		transfer_wipe(&u->in);
	} else if (endpoint == pipe->ep_out) {
		pipe->halted &= ~PIPE_HALTED_OUT;
	}
	return 0;
}

/* --- interrupt --- */

static int ask_for_notice(struct usb_pipe *u)
{
	int r = transfer_reserve(&u->notice, u->notice_len);

	if (r < 0)
		return r;
	return take_off(u, &u->notice, LIBUSB_TRANSFER_TYPE_INTERRUPT, u->pipe.ep_interrupt, 0,
			u->notice_len);
}

/* Return: 0 the next notice is asked for, or will never be again; -ENODEV. */
static int next_notice(struct usb_pipe *u)
{
	while (u->notice_errors < NOTICE_ERRORS) {
		int r = ask_for_notice(u);

		if (r == 0 || r == -ENODEV)
			return r;
		u->notice_errors++;
	}
	u->pipe.ep_interrupt = 0;
	return 0;
}

/* What is in the transfer is no notice. Return: 0 try the next one; -ENODEV. */
static int repair_notice(struct usb_pipe *u, int r)
{
	u->notice_errors++;
	if (r == -EPIPE)
		r = usb_clear_halt(&u->pipe, u->pipe.ep_interrupt, deadline_in(NOTICE_CLEAR_MS));
	else if (r == -EOVERFLOW && u->notice_len * 2 <= NOTICE_MAX)
		u->notice_len *= 2;
	return r == -ENODEV ? r : 0;
}

static int usb_interrupt_in(struct pipe *pipe, uint8_t *buf, size_t cap, size_t *n)
{
	struct usb_pipe *u = usb_of(pipe);
	unsigned int losses = pipe->power_losses;
	int r, next;

	if (u->gone)
		return -ENODEV;
	flights_serve(&u->flights);
	if (node_hung_up(u->node_fd))
		return gone(u);
	if (pipe->ep_interrupt == 0 || u->notice.state == TRANSFER_FLYING)
		return -EAGAIN;
	r = judge(u, &u->notice);
	if (r == 0) {
		u->notice_errors = 0;
		r = deliver(BYTES(u->notice.buf, u->notice.n), buf, cap, n);
	} else if (r != -ENODEV) {
		next = pipe->power_losses == losses ? repair_notice(u, r) : 0;
		r = next < 0 ? next : -EOVERFLOW;
	}
	next = r == -ENODEV ? r : next_notice(u);
	return next < 0 ? next : r;
}

/* --- life --- */

static int usb_claim(struct pipe *pipe)
{
	struct usb_pipe *u = usb_of(pipe);
	size_t packet = pipe->interrupt_packet;

	switch (libusb_claim_interface(u->handle, pipe->interface)) {
	case 0:
		break;
	case LIBUSB_ERROR_BUSY:
		return -EBUSY;
	case LIBUSB_ERROR_NO_DEVICE:
		return gone(u);
	default:
		return -EIO;
	}
	u->claimed = true;
	if (pipe->ep_interrupt == 0)
		return 0;
	/* A message that fills a packet does not end a longer transfer, so no longer than it has to be. */
	u->notice_len = (pipe->notice_len + packet - 1) / packet * packet;
	return next_notice(u);
}

/* Bounded by the kernel alone: a port reset and a new enumeration take it up to a few seconds. */
static int usb_reset(struct pipe *pipe, struct deadline deadline)
{
	struct usb_pipe *u = usb_of(pipe);
	int r;

	(void)deadline;
	if (u->gone || transfer_recall(&u->notice, &u->flights) < 0)
		return gone(u);
	assert(!u->ahead);
	pipe->power_losses++;
	pipe->halted = 0;
	u->kept = false;
	r = libusb_reset_device(u->handle);
	if (r == LIBUSB_ERROR_NOT_FOUND || r == LIBUSB_ERROR_NO_DEVICE)
		return gone(u);		/* it is another device now, or the claim went to another */
	u->notice_errors = 0;
	if (pipe->ep_interrupt != 0 && next_notice(u) < 0)
		return -ENODEV;
	return r == 0 ? 0 : -EIO;
}

static bool recall_all(struct usb_pipe *u)
{
	struct transfer *all[] = { &u->out, &u->in, &u->control, &u->notice };
	bool landed = true;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		landed &= transfer_recall(all[i], &u->flights) == 0;
		transfer_deinit(all[i]);
	}
	return landed;
}

/*
 * With a stray transfer libusb is left as it is: it may not be freed, and will not be called again.
 * The kernel drops what it still has when the node is closed.
 */
static void usb_close(struct pipe *pipe)
{
	struct usb_pipe *u = usb_of(pipe);

	if (u->flights.context && recall_all(u)) {
		if (u->claimed)
			(void)libusb_release_interface(u->handle, pipe->interface);
		if (u->handle)
			libusb_close(u->handle);
		flights_deinit(&u->flights);
	}
	u->node_fd = fd_close(u->node_fd);
	u->gone_fd = fd_close(u->gone_fd);
	free(u->config);
	free(u);
}

static const struct pipe_ops usb_ops = {
	.claim = usb_claim,
	.bulk_out = usb_bulk_out,
	.bulk_in = usb_bulk_in,
	.interrupt_in = usb_interrupt_in,
	.control = usb_control,
	.clear_halt = usb_clear_halt,
	.reset = usb_reset,
	.close = usb_close,
};

static void pipe_closep(struct pipe **pipe)
{
	*pipe = pipe_close(*pipe);
}

static int alloc(int fd, struct pipe **out)
{
	struct usb_pipe *u = calloc(1, sizeof(*u));

	if (!u) {
		(void)fd_close(fd);
		return -ENOMEM;
	}
	u->pipe = (struct pipe){ .ops = &usb_ops, .fd = -1, .wake = WAKE_NONE };
	u->node_fd = fd;
	u->gone_fd = -1;
	u->flights = FLIGHTS_INIT;
	*out = &u->pipe;
	return 0;
}

static int wrap(struct usb_pipe *u)
{
	int r = flights_init(&u->flights);

	if (r < 0)
		return r;
	u->gone_fd = eventfd(1, EFD_CLOEXEC);
	if (u->gone_fd < 0)
		return -errno;
	u->pipe.fd = u->flights.fd;
	r = libusb_wrap_sys_device(u->flights.context, u->node_fd, &u->handle);
	if (r == 0) {
		flights_serve(&u->flights);	/* the news that there is a descriptor more */
		return 0;
	}
	u->handle = NULL;
	if (r == LIBUSB_ERROR_NO_DEVICE || node_hung_up(u->node_fd))
		return -ENODEV;
	return r == LIBUSB_ERROR_NO_MEM ? -ENOMEM : -EIO;
}

/* A device of several configurations has to be asked which one it is in; one second at most. */
static int active_config(struct usb_pipe *u)
{
	int value;

	if (u->device[NODE_DEVICE_LEN - 1] <= 1)	/* bNumConfigurations */
		return -1;
	return libusb_get_configuration(u->handle, &value) == 0 && value > 0 ? value : -1;
}

static int read_descriptors(struct usb_pipe *u)
{
	size_t n = 0;
	int r = node_read_device(u->node_fd, u->device);

	if (r == 0)
		r = node_read_config(u->node_fd, active_config(u), &u->config, &n);
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	u->pipe.device = BYTES_OF(u->device);
	u->pipe.config = BYTES(u->config, n);
	return 0;
}

int usb_pipe_new(int fd, struct pipe **out)
{
	_cleanup_(pipe_closep) struct pipe *pipe = NULL;
	int r = alloc(fd, &pipe);

	if (r == 0)
		r = node_check(fd);
	if (r == 0)
		r = wrap(usb_of(pipe));
	if (r == 0)
		r = read_descriptors(usb_of(pipe));
	if (r < 0)
		return r;
	*out = take_ptr(pipe);
	return 0;
}
