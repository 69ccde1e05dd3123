/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes to the host, and signals, which may come while it waits to go. */
#include "vreader/reader/line_own.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

static void on_signal(struct line *line, uint32_t signo, unsigned int slot)
{
	struct ccid_dev *dev = line_dev(line, slot);

	switch (signo) {
	case SIGUSR1:
		if (dev)
			ccid_dev_remove(dev);
		break;
	case SIGUSR2:
		if (dev && dev->card)
			ccid_dev_insert(dev);
		break;
	default:
		line->stop = true;
		line->over = true;
		break;
	}
}

void line_take_signals(struct line *line)
{
	struct signalfd_siginfo info;

	if (line->late_signal != 0)
		on_signal(line, line->late_signal, line->late_slot);
	line->late_signal = 0;
	while (read(line->signal_fd, &info, sizeof(info)) == sizeof(info))
		on_signal(line, info.ssi_signo, (unsigned int)info.ssi_int);
}

/*
 * A host that does not read is a NAK and blocks us, but never for a signal. Signals that move the
 * card are left for later here: they would send, and we are in the middle of sending.
 */
static void wait_writable(struct line *line)
{
	struct pollfd p[2] = { { line->fd, POLLOUT, 0 }, { line->signal_fd, POLLIN, 0 } };
	struct signalfd_siginfo info;

	if (poll(p, 2, -1) < 0 || !(p[1].revents & POLLIN))
		return;
	if (read(line->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR1 || info.ssi_signo == SIGUSR2) {
		line->late_signal = info.ssi_signo;
		line->late_slot = (unsigned int)info.ssi_int;
	} else {
		line->stop = line->over = true;
	}
}

void line_send(struct line *line, enum line_kind kind, struct bytes body)
{
	struct packer p = pack_begin(line->out, LINE_PACKET_MAX);

	pack_u8(&p, (uint8_t)kind);
	pack_bytes(&p, body);
	assert(pack_end(&p) == 0);
	while (line->fd >= 0 && !line->over) {
		if (send(line->fd, p.p, p.n, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			break;
		if (errno == EAGAIN)
			wait_writable(line);
		else if (errno != EINTR)
			line->over = true;
	}
	wipe(line->out, p.n);
}

void line_halt(struct line *line, uint8_t endpoint)
{
	const uint8_t event[] = { endpoint, 0x01 };

	if (endpoint == SHAPE_EP_IN)
		line->halted_in = true;
	else
		line->halted_out = true;
	line_send(line, LINE_ENDPOINT, BYTES_OF(event));
}

void line_drop(struct line *line)
{
	line->over = true;
}

/* Tells an answer that a misbehaviour may spoil from a time extension, which is none. */
static bool spoil(struct line *line, struct bytes message)
{
	if ((message.p[7] & 0xc0) == 0x80 || message.p[5] != 0)
		return false;
	switch (line->last_type) {
	case CCID_XFR_BLOCK:
		return misbehave(line, MISBEHAVE_REPLY, message);
	case CCID_POWER_ON:
		return misbehave(line, MISBEHAVE_ATR, message);
	default:
		return false;
	}
}

/* One slot has moved; the others are told of as they are. */
static void send_notice(struct line *line, struct bytes message)
{
	uint8_t notice[2] = { message.p[0], message.p[1] };
	struct ccid_dev *dev;

	EACH_DEV(line, dev)
		if (dev->present)
			notice[1] |= (uint8_t)(1u << 2 * dev->slot);
	line_send(line, LINE_INTERRUPT, BYTES_OF(notice));
}

void line_port_send(struct ccid_port *port, enum ccid_port_pipe pipe, struct bytes message)
{
	struct line *line = (struct line *)((char *)port - offsetof(struct line, port));

	switch (pipe) {
	case CCID_PORT_STALL_OUT:
		line_halt(line, SHAPE_EP_OUT);
		break;
	case CCID_PORT_INTERRUPT:
		send_notice(line, message);
		break;
	case CCID_PORT_BULK:
		/* First: who hears the answer may type for the next question. */
		if (!line_typing(line))
			finger_dismiss(&line->finger);
		if (!line->halted_in && !spoil(line, message))
			line_send(line, LINE_BULK, message);
		break;
	}
}
