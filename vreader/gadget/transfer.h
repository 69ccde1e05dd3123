/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/gadget/transfer.h - Where a CCID message begins and ends on a bulk pipe, which knows only
 * packets. A message ends with a short packet or, because many hosts leave out the zero-length
 * packet that should end one which fills its packets, with the byte that dwLength says. Pure.
 */
#pragma once

#include "base/bytes.h"

enum { TRANSFER_PACKET_MAX = 512 };

/**
 * struct transfer - a bulk-OUT message as it comes in
 * @buf:	borrowed; a multiple of TRANSFER_PACKET_MAX
 * @n:		bytes so far
 * @packet_len:	wMaxPacketSize at the speed that the host chose
 */
struct transfer {
	uint8_t *buf;
	size_t cap;
	size_t n;
	size_t packet_len;
};

enum transfer_next {
	TRANSFER_MORE,	  /* read transfer_want() bytes more, at buf + n */
	TRANSFER_DONE,	  /* buf holds @n bytes, the message or what there is of one */
	TRANSFER_NOTHING, /* a zero-length packet and no message */
};

size_t transfer_want(const struct transfer *t);

/* @got of the @asked bytes have come. */
enum transfer_next transfer_took(struct transfer *t, size_t asked, size_t got);

/**
 * struct tail - what is still to come of the bulk-IN message that goes out in parts
 */
struct tail {
	size_t left;
};

/* @part goes out. Return: whether a zero-length packet has to follow it. */
bool tail_needs_zlp(struct tail *tail, struct bytes part, size_t packet_len);
