/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/link/link.h - The driver's end of its socket to the broker: one request at a time comes
 * in, one reply goes out, events whenever something happened. While a request runs the link is the
 * thing that can end the wait for the card: by a cancel, or by going away.
 *
 * Packets may hold PINs and plaintexts, so both buffers are wiped as soon as they have been used.
 */
#pragma once

#include "base/bytes.h"
#include "proto/packet.h"

#include <stdbool.h>

/**
 * struct link - one connection
 * @fd:		SOCK_SEQPACKET, owned
 * @running:	the sequence number being served; 0 between requests
 * @gone:	the broker hung up
 * @broken:	the broker broke the protocol, or the socket failed: leave
 * @rx, @tx:	KF_PACKET_MAX bytes each
 * @rx_n:	bytes of @rx to wipe
 */
struct link {
	int fd;
	uint32_t running;
	bool gone;
	bool broken;
	uint8_t *rx, *tx;
	size_t rx_n;
};

#define LINK_INIT ((struct link){ .fd = -1 })

/* Takes @fd over, on success alone. Return: 0, -ENOMEM, -ENOTSOCK, -EPROTOTYPE. */
int link_init(struct link *link, int fd);
void link_deinit(struct link *link);

/**
 * link_receive - the next request, if there is one
 * @out:	borrows from the link until link_reply()
 *
 * Return: 0; -EAGAIN nothing there, or a cancel that came too late; -EINVAL, -E2BIG or -ENOTTY: a
 * request that is answered with just that, @out has its header; -ECONNRESET the broker is gone;
 * -EPROTO it broke the protocol: leave.
 */
int link_receive(struct link *link, struct packet *out);

/*
 * Answers the running request and wipes what it brought. A reply that does not fit becomes
 * -EMSGSIZE. Return: 0, -ECONNRESET.
 */
int link_reply(struct link *link, const struct packet *reply);

/* Return: 0, -ECONNRESET. */
int link_event(struct link *link, const struct packet *event);

/*
 * For struct wake: something arrived while the driver waits for the reader. Return: 0 nothing that
 * matters, go on; 1 a packet that has to wait its turn: stop watching; -ECANCELED stop waiting.
 */
int link_wake(struct link *link);
