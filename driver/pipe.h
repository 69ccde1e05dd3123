/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/pipe.h - The seam under the CCID code: the endpoints of one interface of one USB device,
 * whoever carries them (driver/socket/, driver/usb/). Everything blocks until a deadline, and
 * everything that blocks can be woken through one more descriptor, struct wake: that is how a
 * cancel from the broker reaches a driver which is waiting for a card.
 *
 * A deadline that has passed makes a call look once without waiting. One thread, no callbacks.
 */
#pragma once

#include "base/bytes.h"
#include "base/deadline.h"

#include <stdint.h>

struct pipe;

/**
 * struct wake - something else that may happen during a wait
 * @fd:		watched for input and hang-up in every wait; -1 for none. The callback may set it to
 *		-1 to be left alone for the rest of this wait and all later ones
 * @ready:	called when @fd is readable. Returns 0 to go on waiting, having read what was
 *		there (or set @fd to -1), or a negative errno to end the wait with it; the CCID
 *		exchange takes any such end as a cancel and aborts the running command. It must
 *		not call into the pipe
 * @arg:	passed to @ready
 */
struct wake {
	int fd;
	int (*ready)(void *arg);
	void *arg;
};

#define WAKE_NONE ((struct wake){ .fd = -1 })

/* The setup packet of a control request [USB 2.0, 9.3]. */
struct usb_setup {
	uint8_t type;		/* bmRequestType; bit 7 set: data comes in */
	uint8_t request;	/* bRequest */
	uint16_t value;		/* wValue */
	uint16_t index;		/* wIndex */
	uint16_t length;	/* wLength */
};

/**
 * struct pipe_ops - one transport
 *
 * Errors common to all: -ENODEV the device is gone, for good; -ETIMEDOUT; -EIO; and what
 * wake.ready returned. Bytes of a call that failed are never looked at.
 *
 * @claim:	makes the interface in pipe.interface ours, once its endpoints are known; NULL where
 *		there is nothing to claim. -EBUSY: another program has it
 * @bulk_out:	sends one transfer, with the zero-length packet where one is due. -EPIPE: the
 *		endpoint is halted and the bytes were not taken, nor were they after -ETIMEDOUT; after
 *		-EIO nobody knows
 * @bulk_in:	receives one transfer of @n bytes, 0 for a zero-length packet. Whole packets without a
 *		short one behind them are a transfer when the deadline comes. -EPIPE: an endpoint
 *		is halted, see pipe.halted; -EOVERFLOW: it was longer than @cap and is lost
 * @interrupt_in: never waits. -EAGAIN: nothing there; -EOVERFLOW: messages were lost
 * @control:	@out is the data stage going out, or up to @in_cap bytes arrive at @in. -EPIPE: stall
 * @clear_halt:	makes a halted endpoint work again
 * @reset:	resets the device as a port reset would, which may take some seconds more; NULL where there is no such thing
 * @close:	frees the pipe
 */
struct pipe_ops {
	int (*claim)(struct pipe *pipe);
	int (*bulk_out)(struct pipe *pipe, struct bytes transfer, struct deadline deadline);
	int (*bulk_in)(struct pipe *pipe, uint8_t *buf, size_t cap, struct deadline deadline,
		       size_t *n);
	int (*interrupt_in)(struct pipe *pipe, uint8_t *buf, size_t cap, size_t *n);
	int (*control)(struct pipe *pipe, const struct usb_setup *setup, struct bytes out,
		       uint8_t *in, size_t in_cap, struct deadline deadline, size_t *in_n);
	int (*clear_halt)(struct pipe *pipe, uint8_t endpoint, struct deadline deadline);
	int (*reset)(struct pipe *pipe, struct deadline deadline);
	void (*close)(struct pipe *pipe);
};

#define PIPE_HALTED_OUT	1u
#define PIPE_HALTED_IN	2u

/**
 * struct pipe - the part every transport begins with
 * @ops:	the transport
 * @fd:		poll it for input when idle, then call reader_dispatch(); it also becomes readable
 *		when the device goes
 * @device:	the 18-byte device descriptor, borrowed from the transport
 * @config:	the configuration descriptor, whole
 * @interface:	the claimed interface; it and the addresses below are set by reader_open()
 * @ep_out:	bulk OUT
 * @ep_in:	bulk IN
 * @ep_interrupt: interrupt IN, 0 if there is none; the transport sets it to 0 when it gave it up
 * @in_packet, @interrupt_packet: wMaxPacketSize, set with the addresses
 * @notice_len:	longest interrupt message to be expected, likewise
 * @answer_len:	what the bulk_in behind a bulk_out asks for, so that the transport may ask before the
 *		command is out; 0: none follows
 * @no_zero_packet: a transfer that fills its last packet is not followed by an empty one
 * @wake:	set by the owner of the pipe, before or between calls
 * @power_losses: counts up when cards may have lost their power unseen: a reset, a sleep
 * @halted:	PIPE_HALTED_* bits; a halted OUT endpoint may show only during the next bulk_in
 */
struct pipe {
	const struct pipe_ops *ops;
	int fd;
	struct bytes device;
	struct bytes config;
	uint8_t interface, ep_out, ep_in, ep_interrupt;
	uint16_t in_packet, interrupt_packet;
	size_t notice_len, answer_len;
	bool no_zero_packet;
	struct wake wake;
	unsigned int power_losses;
	unsigned int halted;
};

static inline struct pipe *pipe_close(struct pipe *pipe)
{
	if (pipe)
		pipe->ops->close(pipe);
	return NULL;
}

static inline int pipe_claim(struct pipe *pipe)
{
	return pipe->ops->claim ? pipe->ops->claim(pipe) : 0;
}

static inline int pipe_bulk_out(struct pipe *pipe, struct bytes transfer, struct deadline deadline)
{
	return pipe->ops->bulk_out(pipe, transfer, deadline);
}

static inline int pipe_bulk_in(struct pipe *pipe, uint8_t *buf, size_t cap,
			       struct deadline deadline, size_t *n)
{
	return pipe->ops->bulk_in(pipe, buf, cap, deadline, n);
}

static inline int pipe_interrupt_in(struct pipe *pipe, uint8_t *buf, size_t cap, size_t *n)
{
	return pipe->ops->interrupt_in(pipe, buf, cap, n);
}

static inline int pipe_control(struct pipe *pipe, const struct usb_setup *setup, struct bytes out,
			       uint8_t *in, size_t in_cap, struct deadline deadline, size_t *in_n)
{
	return pipe->ops->control(pipe, setup, out, in, in_cap, deadline, in_n);
}

static inline int pipe_clear_halt(struct pipe *pipe, uint8_t endpoint, struct deadline deadline)
{
	return pipe->ops->clear_halt(pipe, endpoint, deadline);
}
