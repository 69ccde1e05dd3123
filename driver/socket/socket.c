/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/socket/socket.c - USB has a queue for each endpoint; a socket has one for all. Whoever
 * waits for one kind of packet therefore sorts the others where their own call will find them:
 * bulk transfers and interrupt messages into two small queues, stalls into pipe.halted. The queues
 * are bounded; what a reader sends beyond them is dropped, which costs nobody but that reader.
 *
 * Always holds: a packet is looked at once; rx is wiped when its transfer was handed on, and before
 * the next one is received.
 */
#include "driver/socket/socket.h"

#include "base/cleanup.h"
#include "base/secret.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#define RX_SIZE		(SOCKET_PACKET_MAX + 1)	/* one more than allowed shows what is too long */
#define N_BULK		8
#define N_INTERRUPTS	16
#define N_LATE		32	/* packets sorted after the deadline, so that a flood ends too */
#define N_OWED		8
#define DEVICE_LEN	18

struct transfer {
	uint8_t *p;
	size_t n;
};

struct notification {
	uint8_t p[SOCKET_INTERRUPT_MAX];
	size_t n;
};

/**
 * struct socket_pipe - see struct pipe
 * @rx:		the packet received last, RX_SIZE bytes
 * @bulk:	transfers that came while nobody waited for one, oldest first
 * @interrupts:	ring, oldest at @first_interrupt
 * @interrupts_lost: the ring was full
 * @owed:	control answers that are late; they come before any other
 * @gone:	the connection is over; nothing is sent or received any more
 */
struct socket_pipe {
	struct pipe pipe;
	uint8_t *rx;
	size_t rx_n;
	uint8_t descriptors[DEVICE_LEN + SOCKET_CONFIG_MAX];
	struct transfer bulk[N_BULK];
	unsigned int n_bulk;
	struct notification interrupts[N_INTERRUPTS];
	unsigned int first_interrupt, n_interrupts;
	bool interrupts_lost;
	unsigned int owed;
	bool gone;
};

/* A received packet; @body is borrowed from rx. */
struct packet {
	enum socket_kind kind;
	struct bytes body;
	bool cut;		/* it was longer than any packet may be */
};

static struct socket_pipe *socket_of(struct pipe *pipe)
{
	return (struct socket_pipe *)pipe;
}

static int gone(struct socket_pipe *s)
{
	s->gone = true;
	return -ENODEV;
}

/* Waits for @events on the socket. Return: 0, -ETIMEDOUT, or what the wake callback says. */
static int wait_for(struct socket_pipe *s, short events, struct deadline deadline)
{
	struct wake *wake = &s->pipe.wake;

	for (;;) {
		struct pollfd fds[] = {
			{ .fd = s->pipe.fd, .events = events },
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
		if (r >= 0 && fds[0].revents != 0)
			return 0;
		if (deadline_passed(deadline))
			return -ETIMEDOUT;
	}
}

static void wipe_rx(struct socket_pipe *s)
{
	wipe(s->rx, s->rx_n);
	s->rx_n = 0;
}

/* Return: 0; -EAGAIN if no packet is there; -ENODEV the reader hung up or broke the rules. */
static int receive(struct socket_pipe *s, struct packet *out)
{
	struct iovec iov = { s->rx, RX_SIZE };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (s->gone)
		return -ENODEV;
	wipe_rx(s);
	do
		n = recvmsg(s->pipe.fd, &msg, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -EAGAIN : gone(s);
	if (n == 0)	/* hung up, or an empty packet, which is the end as well */
		return gone(s);
	s->rx_n = (size_t)n;
	out->kind = s->rx[0];
	out->body = bytes_slice(BYTES(s->rx, (size_t)n), 1, (size_t)n);
	out->cut = n > SOCKET_PACKET_MAX || (msg.msg_flags & MSG_TRUNC);
	return 0;
}

/*
 * What the reader sends beyond the queue is its own loss. What we have no memory for is ours: with a
 * transfer missing the connection is no pipe any more, so it ends.
 */
static int keep_bulk(struct socket_pipe *s, struct bytes body)
{
	uint8_t *copy;

	if (s->n_bulk == N_BULK || (s->pipe.halted & PIPE_HALTED_IN))
		return 0;
	copy = malloc(body.n + 1);	/* never 0 bytes: a ZLP is a transfer as well */
	if (!copy) {
		s->gone = true;
		return -ENOMEM;
	}
	if (body.n != 0)
		memcpy(copy, body.p, body.n);
	s->bulk[s->n_bulk++] = (struct transfer){ copy, body.n };
	return 0;
}

static void forget_bulk(struct socket_pipe *s)
{
	for (unsigned int i = 0; i < s->n_bulk; i++) {
		wipe(s->bulk[i].p, s->bulk[i].n);
		free(s->bulk[i].p);
	}
	s->n_bulk = 0;
}

static void keep_interrupt(struct socket_pipe *s, struct bytes body)
{
	struct notification *at;

	if (s->n_interrupts == N_INTERRUPTS || body.n > SOCKET_INTERRUPT_MAX) {
		s->interrupts_lost = true;
		return;
	}
	at = &s->interrupts[(s->first_interrupt + s->n_interrupts++) % N_INTERRUPTS];
	at->n = body.n;
	if (body.n != 0)
		memcpy(at->p, body.p, body.n);
}

static int note_endpoint(struct socket_pipe *s, struct bytes body)
{
	struct unpacker u = unpack_begin(body);
	uint8_t address = unpack_u8(&u);
	uint8_t event = unpack_u8(&u);

	if (unpack_end(&u) < 0 || event != SOCKET_STALL)
		return gone(s);
	if (address == s->pipe.ep_in) {
		s->pipe.halted |= PIPE_HALTED_IN;
		forget_bulk(s);
	} else if (address == s->pipe.ep_out) {
		s->pipe.halted |= PIPE_HALTED_OUT;
	}
	return 0;
}

/* Puts a packet that nobody is waiting for where it will be found. */
static int sort(struct socket_pipe *s, const struct packet *packet)
{
	if (packet->cut)
		return packet->kind == SOCKET_BULK ? 0 : gone(s);
	switch (packet->kind) {
	case SOCKET_BULK:
		return keep_bulk(s, packet->body);
	case SOCKET_INTERRUPT:
		keep_interrupt(s, packet->body);
		return 0;
	case SOCKET_CONTROL:
		if (packet->body.n == 0)
			return gone(s);
		s->owed -= s->owed != 0;
		return 0;
	case SOCKET_ENDPOINT:
		return note_endpoint(s, packet->body);
	default:
		return gone(s);
	}
}

/* Reads while waiting to write, so that two full buffers do not wait for each other. */
static int wait_to_send(struct socket_pipe *s, struct deadline deadline)
{
	struct packet packet;
	int r = wait_for(s, POLLIN | POLLOUT, deadline);

	if (r < 0)
		return r;
	r = receive(s, &packet);
	if (r == -EAGAIN)
		return 0;
	return r < 0 ? r : sort(s, &packet);
}

static int send_packet(struct socket_pipe *s, enum socket_kind kind, struct bytes head,
		       struct bytes body, struct deadline deadline)
{
	uint8_t first = (uint8_t)kind;
	struct iovec iov[] = {
		{ &first, 1 },
		{ (void *)(uintptr_t)head.p, head.n },
		{ (void *)(uintptr_t)body.p, body.n },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };

	for (unsigned int late = 0; late < N_LATE; late += deadline_passed(deadline)) {
		int r;

		if (s->gone)
			return -ENODEV;
		if (sendmsg(s->pipe.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno == EMSGSIZE)
			return -EMSGSIZE;
		if (errno != EAGAIN && errno != ENOBUFS)
			return gone(s);
		r = wait_to_send(s, deadline);
		if (r < 0)
			return r;
	}
	return -ETIMEDOUT;
}

static int socket_bulk_out(struct pipe *pipe, struct bytes transfer, struct deadline deadline)
{
	if (pipe->halted & PIPE_HALTED_OUT)
		return -EPIPE;
	return send_packet(socket_of(pipe), SOCKET_BULK, BYTES_NONE, transfer, deadline);
}

static int deliver(struct bytes body, uint8_t *buf, size_t cap, size_t *n)
{
	if (body.n > cap)
		return -EOVERFLOW;
	if (body.n != 0)
		memcpy(buf, body.p, body.n);
	*n = body.n;
	return 0;
}

static int deliver_kept(struct socket_pipe *s, uint8_t *buf, size_t cap, size_t *n)
{
	struct transfer first = s->bulk[0];
	int r = deliver(BYTES(first.p, first.n), buf, cap, n);

	s->n_bulk--;
	memmove(&s->bulk[0], &s->bulk[1], s->n_bulk * sizeof(s->bulk[0]));
	wipe(first.p, first.n);
	free(first.p);
	return r;
}

static int socket_bulk_in(struct pipe *pipe, uint8_t *buf, size_t cap, struct deadline deadline,
			  size_t *n)
{
	struct socket_pipe *s = socket_of(pipe);

	if (s->n_bulk != 0)
		return deliver_kept(s, buf, cap, n);
	for (unsigned int late = 0; late < N_LATE; late += deadline_passed(deadline)) {
		struct packet packet;
		int r;

		if (pipe->halted)
			return -EPIPE;
		r = wait_for(s, POLLIN, deadline);
		if (r < 0)
			return r;
		r = receive(s, &packet);
		if (r == -EAGAIN)
			continue;
		if (r < 0)
			return r;
		if (packet.kind == SOCKET_BULK) {
			r = packet.cut ? -EOVERFLOW : deliver(packet.body, buf, cap, n);
			wipe_rx(s);	/* what a card decrypted does not wait for the next packet */
			return r;
		}
		r = sort(s, &packet);
		if (r < 0)
			return r;
	}
	return -ETIMEDOUT;
}

static int socket_interrupt_in(struct pipe *pipe, uint8_t *buf, size_t cap, size_t *n)
{
	struct socket_pipe *s = socket_of(pipe);
	struct notification *first;

	for (unsigned int i = 0; s->n_interrupts == 0 && i < N_LATE; i++) {
		struct packet packet;
		int r = receive(s, &packet);

		if (r == -EAGAIN)
			break;
		if (r == 0)
			r = sort(s, &packet);
		if (r < 0)
			return r;
	}
	if (s->n_interrupts == 0) {
		bool lost = s->interrupts_lost;

		s->interrupts_lost = false;
		return lost ? -EOVERFLOW : -EAGAIN;
	}
	first = &s->interrupts[s->first_interrupt];
	s->first_interrupt = (s->first_interrupt + 1) % N_INTERRUPTS;
	s->n_interrupts--;
	return deliver(BYTES(first->p, first->n), buf, cap, n);
}

static int control_answer(struct bytes body, uint8_t *in, size_t in_cap, size_t *in_n)
{
	struct unpacker u = unpack_begin(body);
	uint8_t status = unpack_u8(&u);

	if (u.bad)
		return -ENODEV;
	if (status != 0)
		return -EPIPE;
	return deliver(unpack_rest(&u), in, in_cap, in_n);
}

static int wait_control(struct socket_pipe *s, uint8_t *in, size_t in_cap,
			struct deadline deadline, size_t *in_n)
{
	for (unsigned int late = 0; late < N_LATE; late += deadline_passed(deadline)) {
		struct packet packet;
		int r = wait_for(s, POLLIN, deadline);

		if (r < 0)
			return r;
		r = receive(s, &packet);
		if (r == -EAGAIN)
			continue;
		if (r < 0)
			return r;
		if (packet.kind == SOCKET_CONTROL && s->owed == 0 && !packet.cut) {
			r = control_answer(packet.body, in, in_cap, in_n);
			return r == -ENODEV ? gone(s) : r;
		}
		r = sort(s, &packet);
		if (r < 0)
			return r;
	}
	return -ETIMEDOUT;
}

static int socket_control(struct pipe *pipe, const struct usb_setup *setup, struct bytes out,
			  uint8_t *in, size_t in_cap, struct deadline deadline, size_t *in_n)
{
	struct socket_pipe *s = socket_of(pipe);
	uint8_t head[8];
	struct packer p = pack_begin(head, sizeof(head));
	size_t n = 0;
	int r;

	pack_u8(&p, setup->type);
	pack_u8(&p, setup->request);
	pack_le16(&p, setup->value);
	pack_le16(&p, setup->index);
	pack_le16(&p, setup->length);
	r = send_packet(s, SOCKET_CONTROL, pack_done(&p), out, deadline);
	if (r < 0)
		return r;
	r = wait_control(s, in, in_cap < setup->length ? in_cap : setup->length, deadline, &n);
	/* Whatever ended the wait early, the answer is still on its way. */
	if (r < 0 && r != -EPIPE && r != -EOVERFLOW && ++s->owed > N_OWED)
		return gone(s);
	if (r == 0 && in_n)
		*in_n = n;
	return r;
}

static int socket_clear_halt(struct pipe *pipe, uint8_t endpoint, struct deadline deadline)
{
	struct socket_pipe *s = socket_of(pipe);
	const uint8_t body[] = { endpoint, SOCKET_CLEAR_HALT };
	int r = send_packet(s, SOCKET_ENDPOINT, BYTES_OF(body), BYTES_NONE, deadline);

	if (r < 0)
		return r;
	if (endpoint == pipe->ep_in) {
		pipe->halted &= ~PIPE_HALTED_IN;
		forget_bulk(s);
	} else if (endpoint == pipe->ep_out) {
		pipe->halted &= ~PIPE_HALTED_OUT;
	}
	return 0;
}

static void socket_pipe_close(struct pipe *pipe)
{
	struct socket_pipe *s = socket_of(pipe);

	forget_bulk(s);
	pipe->fd = fd_close(pipe->fd);
	if (s->rx)
		wipe(s->rx, RX_SIZE);
	free(s->rx);
	free(s);
}

static const struct pipe_ops socket_ops = {
	.bulk_out = socket_bulk_out,
	.bulk_in = socket_bulk_in,
	.interrupt_in = socket_interrupt_in,
	.control = socket_control,
	.clear_halt = socket_clear_halt,
	.close = socket_pipe_close,
};

static void pipe_closep(struct pipe **pipe)
{
	*pipe = pipe_close(*pipe);
}

static int socket_alloc(int fd, struct pipe **out)
{
	struct socket_pipe *s = calloc(1, sizeof(*s));

	if (!s) {
		(void)fd_close(fd);
		return -ENOMEM;
	}
	s->pipe = (struct pipe){ .ops = &socket_ops, .fd = fd, .wake = WAKE_NONE };
	*out = &s->pipe;
	s->rx = malloc(RX_SIZE);
	return s->rx ? 0 : -ENOMEM;
}

/* The first packet: what GET_DESCRIPTOR would have said. */
static int take_descriptors(struct socket_pipe *s, struct deadline deadline)
{
	struct packet packet;
	struct unpacker u;
	int r;

	do {
		r = wait_for(s, POLLIN, deadline);
		if (r < 0)
			return r;
		r = receive(s, &packet);
	} while (r == -EAGAIN);
	if (r < 0)
		return r;
	if (packet.cut || packet.kind != SOCKET_DESCRIPTORS ||
	    packet.body.n <= DEVICE_LEN || packet.body.n > sizeof(s->descriptors))
		return -EBADMSG;
	u = unpack_begin(packet.body);
	unpack_copy(&u, s->descriptors, packet.body.n);
	s->pipe.device = bytes_slice(BYTES_OF(s->descriptors), 0, DEVICE_LEN);
	s->pipe.config = bytes_slice(BYTES(s->descriptors, packet.body.n), DEVICE_LEN,
				     SOCKET_CONFIG_MAX);
	return 0;
}

static int check_type(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET)
		return -EINVAL;
	return 0;
}

int socket_pipe_new(int fd, struct deadline deadline, struct pipe **out)
{
	_cleanup_(pipe_closep) struct pipe *pipe = NULL;
	const int sndbuf = SOCKET_SNDBUF;
	int r;

	r = socket_alloc(fd, &pipe);
	if (r < 0)
		return r;
	r = check_type(fd);
	if (r < 0)
		return r;
	/* Where the limit is lower, a packet that is too long fails by itself with EMSGSIZE. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	r = take_descriptors(socket_of(pipe), deadline);
	if (r < 0)
		return r;
	*out = take_ptr(pipe);
	return 0;
}

static int connect_until(int fd, const struct sockaddr_un *to, struct deadline deadline)
{
	/* A full backlog: AF_UNIX says EAGAIN at once and has nothing to poll for. */
	while (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return errno == ENOENT || errno == ECONNREFUSED ? -ENODEV : -errno;
		if (deadline_passed(deadline))
			return -ETIMEDOUT;
		(void)poll(NULL, 0, 10);
	}
	return 0;
}

int socket_pipe_connect(const char *path, struct deadline deadline, struct pipe **out)
{
	_cleanup_(fd_closep) int fd = -1;
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t n = strlen(path);
	int r;

	if (n >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	memcpy(to.sun_path, path, n);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = connect_until(fd, &to, deadline);
	if (r < 0)
		return r;
	return socket_pipe_new(take_fd(&fd), deadline, out);
}
