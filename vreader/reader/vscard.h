/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/reader/vscard.h - The card in the reader of a virtual machine: QEMU's usb-ccid with
 * ccid-card-passthru behind it, over a Unix socket. That reader is one of TPDU level with T=0, so
 * whole TPDUs come in, whatever QEMU calls them.
 *
 * QEMU tells nobody when its guest switches the card off or resets it. The card is powered as long as it
 * is inserted, and keeps what it knows, a verified PIN included. Nor is there a message by which a card
 * asks for more time, so its ATR says beforehand that it may take long.
 */
#pragma once

#include "vreader/vcard.h"

#include <stdbool.h>

enum {
	VSCARD_WAIT_MS = 5000,		/* for QEMU to listen, at the start */
	VSCARD_RETRY_MS = 100,
	VSCARD_STALL_MS = 2000,		/* in the midst of a message, either way */
	VSCARD_PAYLOAD_MAX = 1024,	/* a TPDU has 5 + 255 + 1 bytes */
};

/*
 * vcard_atr_t0 but for TC2, the work waiting time [7816-3 8.3]: at QEMU's clock 14 s instead of 1 s. No
 * longer one: QEMU 7.2 takes the byte behind a TD for the next TD, and must count no more bytes by it than
 * there are, or it takes the whole for cut short and no card is in.
 */
static const uint8_t vscard_atr[] = {
	0x3b,
	0x9f,				/* T0: TA1, TD1 follow; 15 historical bytes */
	0x18,
	0x40,				/* TD1: T=0; TC2 follows */
	0x8f,				/* TC2: WI 143 */
	0x80, 0x31, 0x81, 0x73, 0x80, 0x01, 0xc0, 0x57, 'k', 'e', 'y', 'f', 'e', 'r', 'r',
};

/* [libcacard VSCMsgType] */
enum vscard_type {
	VSCARD_INIT = 1,
	VSCARD_ERROR,
	VSCARD_READER_ADD,
	VSCARD_READER_REMOVE,
	VSCARD_ATR,
	VSCARD_CARD_REMOVE,
	VSCARD_APDU,
	VSCARD_FLUSH,
	VSCARD_FLUSH_COMPLETE,
};

/**
 * struct vscard - one card for one passthrough device
 * @path:	socket on which QEMU listens
 * @card:	borrowed
 * @signal_fd:	SIGUSR1 pulls the card, SIGUSR2 puts it back; SIGTERM and SIGINT stop
 * @latency_ms:	least time that a TPDU takes
 * @empty:	begin without the card
 */
struct vscard {
	const char *path;
	struct vcard *card;
	int signal_fd;
	unsigned int latency_ms;
	bool empty;
};

/*
 * Serves until QEMU hangs up or a signal stops us.
 *
 * Return: 0, -ECONNREFUSED nobody listened for VSCARD_WAIT_MS, -ENAMETOOLONG, -EPROTO what came is not
 * the protocol, -EREMOTEIO QEMU has no room for a card, -ETIMEDOUT it stalled in the midst of a message, or
 * the system's error.
 */
int vscard_serve(const struct vscard *vscard);

/* One connected stream, for tests. Return: 0 hung up, -ECANCELED stopped, or as above. */
int vscard_session(const struct vscard *vscard, int fd);
