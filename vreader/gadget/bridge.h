/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/gadget/bridge.h - Between a reader's line, which speaks the packets of docs/vreader.md,
 * and FunctionFS, which has endpoints. The reader behind the line is the same one that a socket
 * serves: each time the USB host configures us, or wakes us up, the line gets a new connection, and
 * each time it resets, suspends or leaves us, that connection ends and the card loses its power.
 *
 * One thread runs the bridge, and it never waits for the host: transfers are asynchronous. It
 * takes the next message of the host only when the line has taken the last, so that a reader which
 * does not read is a device that answers NAK.
 */
#pragma once

#include "base/deadline.h"
#include "vreader/gadget/aio.h"
#include "vreader/gadget/function.h"
#include "vreader/gadget/transfer.h"
#include "vreader/reader/shape.h"

enum {
	BRIDGE_QUEUE_MAX = 1024, /* packets for an endpoint that the host does not ask */
	BRIDGE_QUEUE_BYTES = 262144,
	BRIDGE_CONTROL_MS = 1000, /* for the reader to answer a control request */
};

enum bridge_role { BRIDGE_OUT, BRIDGE_IN, BRIDGE_INTERRUPT, BRIDGE_N_ROLES };

/* What waits to go out: a packet, or the word that the endpoint is halted behind them. */
struct bridge_item {
	struct bridge_item *next;
	bool halt;
	size_t n;
	uint8_t data[];
};

/**
 * struct bridge_endpoint - one endpoint file
 * @fd:		-1 if the reader has none such
 * @address:	as the line calls it
 * @op:		the transfer that runs
 * @stale:	it belongs to a connection that is over
 * @head, @tail: what waits, and how much of it: @n_items, @n_bytes
 * @zlp:	a zero-length packet has to follow
 */
struct bridge_endpoint {
	int fd;
	uint8_t address;
	struct aio_op op;
	bool stale;
	struct bridge_item *head;
	struct bridge_item **tail;
	size_t n_items;
	size_t n_bytes;
	bool zlp;
};

struct bridge_options {
	const struct shape *shape;
	int ffs_fd;
	int handover;
	int quit_fd;
	bool no_zlp;
	void (*replug)(void *arg);
	void *arg;
};

/**
 * struct bridge - the bridge
 * @o:		as given. handover: descriptors of the line's ends are written there; quit_fd:
 *readable when it is over; no_zlp: messages that fill their packets are not ended by an empty one,
 *as with many readers; replug: pull us out and put us in
 * @ep0:	events and control requests
 * @line:	our end of the connection, -1 if there is none
 * @enabled:	the host has configured us; @suspended: and then put us to sleep
 * @shut_down:	the host has left that configuration; the event that says so is on its way
 * @setup:	the control request that waits for the reader; @setup_pending; until @setup_until
 * @n_asked:	control requests which the line has not answered yet
 * @out_asked:	bytes that the running read was asked for
 */
struct bridge {
	struct bridge_options o;
	struct aio aio;
	int ep0;
	int line;
	bool enabled;
	bool suspended;
	bool shut_down;
	bool setup_pending;
	struct {
		bool in;
		uint16_t len;
	} setup;
	struct deadline setup_until;
	unsigned int n_asked;
	struct bridge_endpoint ep[BRIDGE_N_ROLES];
	struct transfer out;
	size_t out_asked;
	struct tail in_tail;
	uint8_t *packet;
};

/* Tells FunctionFS what we are. Return: 0, or the system's error. */
int bridge_init(struct bridge *b, const struct bridge_options *options);

/* Until quit_fd says so. Return: 0, or the system's error. */
int bridge_run(struct bridge *b);

void bridge_deinit(struct bridge *b);
