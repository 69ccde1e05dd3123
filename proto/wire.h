/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * proto/wire.h - Packets over a SOCK_SEQPACKET descriptor, without loops or buffers of its own.
 * Descriptors that a peer attaches are never installed here: we offer no room for them, so the
 * kernel drops them and says so.
 */
#pragma once

#include "base/bytes.h"

/*
 * Receives one packet into @buf. @flags: MSG_DONTWAIT or 0.
 *
 * Return: 0; -EAGAIN; -ECONNRESET when the peer is gone; -EMSGSIZE when it did not fit; -EBADMSG
 * when a descriptor came with it.
 */
int wire_recv(int fd, uint8_t *buf, size_t cap, int flags, struct bytes *out);

/* Sends @frame whole. Return: 0, -EAGAIN, -EPIPE or -ECONNRESET when the peer is gone. */
int wire_send(int fd, struct bytes frame, int flags);
