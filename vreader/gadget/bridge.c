/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What always holds: an endpoint has one transfer at most; a transfer that began before the
 * connection did counts for nothing (`stale`); and what the line says goes out in the order in
 * which it said it, per endpoint, a halt included.
 *
 * A halted endpoint is the controller's business from there on: it stalls until the host clears
 * it, and tells nobody. So the line hears of the clearing as soon as the halt is set: whatever it
 * sends or gets afterwards passes only when the host has really cleared it.
 */
#include "vreader/gadget/bridge.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/secret.h"
#include "vreader/reader/line.h"

#include <linux/sockios.h>
#include <linux/usb/ch9.h>
#include <linux/usb/functionfs.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
	OUT_CAP = (SHAPE_MESSAGE_MAX / TRANSFER_PACKET_MAX + 1) * TRANSFER_PACKET_MAX,
	RETRY_MS = 5, /* between looks whether the line has read */
	EVENTS_AT_ONCE = 4,
	SETUP_LEN = 8,
};

/* --- what waits for an endpoint --- */

static void queue_drop_first(struct bridge_endpoint *ep)
{
	struct bridge_item *item = ep->head;

	ep->head = item->next;
	if (!ep->head)
		ep->tail = &ep->head;
	ep->n_items--;
	ep->n_bytes -= item->n;
	wipe(item->data, item->n); /* it may have held decrypted data */
	free(item);
}

static bool queue_is_full(const struct bridge_endpoint *ep)
{
	return ep->n_items >= BRIDGE_QUEUE_MAX || ep->n_bytes >= BRIDGE_QUEUE_BYTES;
}

static int queue_add(struct bridge_endpoint *ep, bool halt, struct bytes data)
{
	struct bridge_item *item = malloc(sizeof(*item) + data.n);

	if (!item)
		return -ENOMEM;
	*item = (struct bridge_item){ .halt = halt, .n = data.n };
	if (data.n != 0)
		memcpy(item->data, data.p, data.n);
	*ep->tail = item;
	ep->tail = &item->next;
	ep->n_items++;
	ep->n_bytes += data.n;
	return 0;
}

/* The first one is being sent while its transfer runs: it stays until that has ended. */
static void queue_clear(struct bridge_endpoint *ep)
{
	while (ep->head && !(ep->op.busy && ep->head->next == NULL)) {
		struct bridge_item *second = ep->head->next;

		if (!ep->op.busy) {
			queue_drop_first(ep);
			continue;
		}
		ep->head->next = second->next;
		if (!second->next)
			ep->tail = &ep->head->next;
		ep->n_items--;
		ep->n_bytes -= second->n;
		wipe(second->data, second->n);
		free(second);
	}
}

/* --- the line --- */

static void to_line(struct bridge *b, uint8_t kind, struct bytes body)
{
	struct iovec iov[2] = { { &kind, 1 }, { (void *)(uintptr_t)body.p, body.n } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	/* What does not fit is lost: the line has not read for many packets, and is dead. */
	if (b->line >= 0)
		(void)sendmsg(b->line, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Whether the line has taken all that we sent. */
static bool line_has_read(const struct bridge *b)
{
	int unread = 0;

	return ioctl(b->line, SIOCOUTQ, &unread) < 0 || unread == 0;
}

static void detach(struct bridge *b)
{
	b->line = fd_close(b->line);
	b->shut_down = false;
	b->n_asked = 0;
	b->out.n = 0;
	b->in_tail = (struct tail){ 0 };
	for (size_t i = 0; i < BRIDGE_N_ROLES; i++) {
		struct bridge_endpoint *ep = &b->ep[i];

		ep->stale = ep->op.busy;
		ep->zlp = false;
		queue_clear(ep);
		aio_cancel(&b->aio, &ep->op);
	}
}

static int packet_len(const struct bridge *b)
{
	struct usb_endpoint_descriptor desc;

	if (ioctl(b->ep[BRIDGE_OUT].fd, FUNCTIONFS_ENDPOINT_DESC, &desc) < 0)
		return -errno;
	return le16toh(desc.wMaxPacketSize);
}

static int attach(struct bridge *b)
{
	const int room = 262144; /* [docs/vreader.md 2 Sizes] */
	int pair[2], len = packet_len(b);

	detach(b);
	if (len == -ESHUTDOWN)
		return 0; /* gone again already; there will be an event */
	if (len <= 0 || len > TRANSFER_PACKET_MAX)
		return len < 0 ? len : -EPROTO;
	b->out.packet_len = (size_t)len;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	b->line = pair[0];
	return io_write(b->o.handover, BYTES(&pair[1], sizeof(pair[1])));
}

/* --- transfers --- */

/* An endpoint that has just been shut down is no error: the event that says so is on its way. */
static int begun(int r)
{
	return r == -ESHUTDOWN || r == -EAGAIN || r == -ENODEV ? 0 : r;
}

static int next_out(struct bridge *b)
{
	struct bridge_endpoint *ep = &b->ep[BRIDGE_OUT];

	if (b->line < 0 || b->shut_down || ep->op.busy || (b->out.n == 0 && !line_has_read(b)))
		return 0;
	b->out_asked = transfer_want(&b->out);
	return begun(aio_read(&b->aio, &ep->op, ep->fd, b->out.buf + b->out.n, b->out_asked));
}

/* The opposite call on an endpoint file halts it [FunctionFS]; it fails with EBADMSG then. */
static void halt(struct bridge *b, enum bridge_role role)
{
	const uint8_t cleared[] = { b->ep[role].address, 0x02 };
	uint8_t byte = 0;

	if (role == BRIDGE_OUT)
		(void)!write(b->ep[role].fd, &byte, 1);
	else
		(void)!read(b->ep[role].fd, &byte, 1);
	to_line(b, LINE_ENDPOINT, BYTES_OF(cleared));
}

static int next_in(struct bridge *b, enum bridge_role role)
{
	struct bridge_endpoint *ep = &b->ep[role];

	if (b->line < 0 || b->shut_down || ep->op.busy)
		return 0;
	if (ep->zlp) {
		ep->zlp = false;
		return begun(aio_write(&b->aio, &ep->op, ep->fd, BYTES(b->packet, 0)));
	}
	while (ep->head && ep->head->halt) {
		halt(b, role);
		queue_drop_first(ep);
	}
	if (!ep->head)
		return 0;
	return begun(aio_write(&b->aio, &ep->op, ep->fd, BYTES(ep->head->data, ep->head->n)));
}

static void out_ended(struct bridge *b, ssize_t got)
{
	enum transfer_next next;

	if (got < 0)
		return;
	next = transfer_took(&b->out, b->out_asked, (size_t)got);
	if (next != TRANSFER_DONE)
		return;
	to_line(b, LINE_BULK, bytes_slice(BYTES(b->out.buf, b->out.n), 0, SHAPE_MESSAGE_MAX));
	wipe(b->out.buf, b->out.n); /* it may have carried a PIN */
	b->out.n = 0;
}

static void in_ended(struct bridge *b, enum bridge_role role, bool stale)
{
	struct bridge_endpoint *ep = &b->ep[role];

	if (!ep->head || ep->op.cb.aio_buf != (uint64_t)(uintptr_t)ep->head->data)
		return; /* that was the zero-length packet */
	if (role == BRIDGE_IN && !stale)
		ep->zlp = tail_needs_zlp(&b->in_tail, BYTES(ep->head->data, ep->head->n),
					 b->out.packet_len) &&
			  !b->o.no_zlp;
	queue_drop_first(ep);
}

/*
 * A transfer that was shut down tells earlier than the event that the host has left the configuration.
 * What is begun from here on would belong to the next one, and be lost with the line when the event
 * comes: the first message of a quick host.
 */
static void take_ended(struct bridge *b)
{
	struct aio_op *op;

	while ((op = aio_take(&b->aio))) {
		enum bridge_role role = BRIDGE_OUT;
		bool stale;

		while (&b->ep[role].op != op)
			role++;
		stale = b->ep[role].stale;
		b->ep[role].stale = false;
		if (!stale && op->result == -ESHUTDOWN)
			b->shut_down = true;
		if (role != BRIDGE_OUT)
			in_ended(b, role, stale);
		else if (!stale)
			out_ended(b, op->result);
	}
}

/* --- control requests --- */

/*
 * The status stage, or the data of an IN request. Stalling is done by the opposite call. Either
 * fails if the host has begun another request meanwhile, or has left; nothing is to be done then.
 */
static void answer_setup(struct bridge *b, bool good, struct bytes data)
{
	uint8_t none = 0;

	if (!b->setup_pending)
		return;
	b->setup_pending = false;
	if (b->setup.in == good)
		(void)!write(b->ep0, data.n != 0 ? data.p : &none,
			     good && data.n > b->setup.len ? b->setup.len : data.n);
	else
		(void)!read(b->ep0, &none, 0);
}

static void on_setup(struct bridge *b, const struct usb_ctrlrequest *setup)
{
	b->setup_pending = true;
	b->setup.in = setup->bRequestType & USB_DIR_IN;
	b->setup.len = le16toh(setup->wLength);
	b->setup_until = deadline_in(BRIDGE_CONTROL_MS);
	/* No request of a CCID reader has data going out. */
	if (b->line < 0 || (!b->setup.in && b->setup.len != 0)) {
		answer_setup(b, false, BYTES_NONE);
		return;
	}
	b->n_asked++;
	to_line(b, LINE_CONTROL, BYTES(setup, SETUP_LEN));
}

/* Answers come in order, so only that to the latest question is of interest. */
static void on_control_answer(struct bridge *b, struct bytes body)
{
	if (b->n_asked == 0 || body.n == 0)
		return;
	b->n_asked--;
	if (b->n_asked == 0)
		answer_setup(b, body.p[0] == 0x00, bytes_slice(body, 1, body.n));
}

static int on_event(struct bridge *b, const struct usb_functionfs_event *event)
{
	switch (event->type) {
	case FUNCTIONFS_ENABLE:
		b->enabled = true;
		b->suspended = false;
		return attach(b);
	case FUNCTIONFS_DISABLE:
	case FUNCTIONFS_UNBIND:
		b->enabled = false;
		detach(b);
		return 0;
	case FUNCTIONFS_SUSPEND:
		b->suspended = true;
		detach(b);
		return 0;
	case FUNCTIONFS_RESUME:
		if (b->enabled && b->suspended)
			return attach(b);
		return 0;
	case FUNCTIONFS_SETUP: on_setup(b, &event->u.setup); return 0;
	default: return 0;
	}
}

static int take_events(struct bridge *b)
{
	struct usb_functionfs_event events[EVENTS_AT_ONCE];
	ssize_t n = read(b->ep0, events, sizeof(events));
	int r = 0;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR || errno == EIDRM ? 0 : -errno;
	for (size_t i = 0; r == 0 && i < (size_t)n / sizeof(events[0]); i++)
		r = on_event(b, &events[i]);
	return r;
}

/* --- what the line says --- */

static int on_endpoint(struct bridge *b, struct bytes body)
{
	if (body.n != 2 || body.p[1] != 0x01)
		return 0;
	if (body.p[0] == b->ep[BRIDGE_OUT].address) {
		halt(b, BRIDGE_OUT);
		return 0;
	}
	for (size_t i = BRIDGE_IN; i < BRIDGE_N_ROLES; i++)
		if (b->ep[i].fd >= 0 && body.p[0] == b->ep[i].address)
			return queue_add(&b->ep[i], true, BYTES_NONE);
	return 0;
}

static int on_packet(struct bridge *b, struct bytes packet)
{
	struct bytes body = bytes_slice(packet, 1, packet.n);

	switch (packet.n != 0 ? packet.p[0] : LINE_DESCRIPTORS) {
	case LINE_BULK: return queue_add(&b->ep[BRIDGE_IN], false, body);
	case LINE_INTERRUPT:
		if (b->ep[BRIDGE_INTERRUPT].fd < 0 || queue_is_full(&b->ep[BRIDGE_INTERRUPT]))
			return 0; /* a hint that nobody has asked for in so long */
		return queue_add(&b->ep[BRIDGE_INTERRUPT], false, body);
	case LINE_CONTROL: on_control_answer(b, body); return 0;
	case LINE_ENDPOINT: return on_endpoint(b, body);
	default: return 0; /* the descriptors were shown long ago */
	}
}

static int take_packets(struct bridge *b)
{
	while (b->line >= 0 && !queue_is_full(&b->ep[BRIDGE_IN])) {
		ssize_t n = recv(b->line, b->packet, LINE_PACKET_MAX, MSG_DONTWAIT);
		int r;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0) { /* the reader has pulled itself out */
			detach(b);
			if (b->enabled && !b->suspended)
				b->o.replug(b->o.arg);
			return 0;
		}
		r = on_packet(b, BYTES(b->packet, n));
		wipe(b->packet, (size_t)n);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- the loop --- */

static int poll_ms(const struct bridge *b)
{
	struct deadline until = b->setup_pending ? b->setup_until : DEADLINE_NEVER;

	/* Nothing tells when the line has read, so look again; only while it is away for long. */
	if (b->line >= 0 && !b->ep[BRIDGE_OUT].op.busy)
		until = deadline_sooner(until, deadline_in(RETRY_MS));
	return deadline_poll_ms(until);
}

static int run_once(struct bridge *b, bool *over)
{
	bool full = queue_is_full(&b->ep[BRIDGE_IN]);
	struct pollfd p[4] = {
		{ b->o.quit_fd, POLLIN, 0 },
		{ b->aio.event_fd, POLLIN, 0 },
		/* While a request waits, reading ep0 would be its data stage. */
		{ b->setup_pending ? -1 : b->ep0, POLLIN, 0 },
		{ full ? -1 : b->line, POLLIN, 0 },
	};
	int r = 0;

	if (poll(p, 4, poll_ms(b)) < 0 && errno != EINTR)
		return -errno;
	*over = p[0].revents != 0;
	take_ended(b);
	if (p[2].revents != 0)
		r = take_events(b);
	if (r == 0)
		r = take_packets(b);
	if (r == 0 && b->setup_pending && deadline_passed(b->setup_until))
		answer_setup(b, false, BYTES_NONE);
	for (enum bridge_role role = BRIDGE_IN; r == 0 && role < BRIDGE_N_ROLES; role++)
		if (b->ep[role].fd >= 0)
			r = next_in(b, role);
	return r == 0 ? next_out(b) : r;
}

int bridge_run(struct bridge *b)
{
	bool over = false;
	int r = 0;

	while (r == 0 && !over)
		r = run_once(b, &over);
	detach(b);
	return r;
}

/* --- life --- */

static int introduce(struct bridge *b, const struct function *f)
{
	uint8_t buf[FUNCTION_BLOB_MAX];
	struct packer descriptors = pack_begin(buf, sizeof(buf));
	struct packer strings;
	int r;

	function_pack_descriptors(f, &descriptors);
	assert(pack_end(&descriptors) == 0);
	r = io_write(b->ep0, pack_done(&descriptors));
	if (r < 0)
		return r;
	strings = pack_begin(buf, sizeof(buf));
	function_pack_strings(&strings);
	return io_write(b->ep0, pack_done(&strings));
}

static enum bridge_role role_of(struct bytes endpoint)
{
	if ((endpoint.p[3] & USB_ENDPOINT_XFERTYPE_MASK) == USB_ENDPOINT_XFER_INT)
		return BRIDGE_INTERRUPT;
	return endpoint.p[2] & USB_DIR_IN ? BRIDGE_IN : BRIDGE_OUT;
}

static int open_endpoints(struct bridge *b, const struct function *f)
{
	for (size_t i = 0; i < f->n_endpoints; i++) {
		struct bridge_endpoint *ep = &b->ep[role_of(f->endpoints[i])];
		char name[32];

		(void)snprintf(name, sizeof(name), "ep%zu", i + 1);
		if (ep->fd >= 0)
			return -EPROTO; /* two of a kind */
		ep->address = f->addresses[i];
		ep->fd = openat(b->o.ffs_fd, name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (ep->fd < 0)
			return -errno;
	}
	return b->ep[BRIDGE_OUT].fd >= 0 && b->ep[BRIDGE_IN].fd >= 0 ? 0 : -EPROTO;
}

int bridge_init(struct bridge *b, const struct bridge_options *options)
{
	uint8_t buf[FUNCTION_BLOB_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct function f;
	int r;

	*b = (struct bridge){
		.o = *options,
		.aio = AIO_INIT,
		.line = -1,
		.ep0 = openat(options->ffs_fd, "ep0", O_RDWR | O_NONBLOCK | O_CLOEXEC),
		.out = { .buf = malloc(OUT_CAP), .cap = OUT_CAP, .packet_len = SHAPE_PACKET_LEN },
		.packet = malloc(LINE_PACKET_MAX),
	};
	for (size_t i = 0; i < BRIDGE_N_ROLES; i++) {
		b->ep[i].fd = -1;
		b->ep[i].tail = &b->ep[i].head;
	}
	shape_pack_descriptors(options->shape, &p);
	r = b->ep0 < 0 ? -errno : !b->out.buf || !b->packet ? -ENOMEM : pack_end(&p);
	if (r == 0)
		r = function_parse(pack_done(&p), &f);
	if (r == 0)
		r = aio_init(&b->aio);
	if (r == 0)
		r = introduce(b, &f);
	if (r == 0)
		r = open_endpoints(b, &f);
	if (r < 0)
		bridge_deinit(b);
	return r;
}

void bridge_deinit(struct bridge *b)
{
	b->line = fd_close(b->line);
	aio_deinit(&b->aio);
	for (size_t i = 0; i < BRIDGE_N_ROLES; i++) {
		while (b->ep[i].head)
			queue_drop_first(&b->ep[i]);
		b->ep[i].fd = fd_close(b->ep[i].fd);
	}
	b->ep0 = fd_close(b->ep0);
	if (b->out.buf)
		wipe(b->out.buf, OUT_CAP);
	free(b->out.buf);
	free(b->packet);
	b->out.buf = b->packet = NULL;
}
