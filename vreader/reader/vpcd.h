/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/reader/vpcd.h - The card in pcscd's virtual slot (vsmartcard's vpcd): we connect, pcscd
 * asks. No CCID and no T=1 are involved: whole APDUs, each behind a 16-bit big-endian length.
 */
#pragma once

#include "vreader/vcard.h"

#include <stdbool.h>

enum {
	VPCD_WAIT_MS = 5000,	/* for pcscd to listen, at the start and after an insertion */
	VPCD_RETRY_MS = 100,
};

/**
 * struct vpcd - one card for one slot of pcscd
 * @host, @service: where vpcd listens; borrowed
 * @card:	borrowed
 * @signal_fd:	SIGUSR1 pulls the card (hangs up), SIGUSR2 puts it back; SIGTERM, SIGINT stop
 * @latency_ms:	least time that a command APDU takes
 */
struct vpcd {
	const char *host;
	const char *service;
	struct vcard *card;
	int signal_fd;
	unsigned int latency_ms;
};

/*
 * Serves until pcscd hangs up or a signal stops us.
 *
 * Return: 0, -ECONNREFUSED nobody listened for VPCD_WAIT_MS, -EHOSTUNREACH no such host, -EPROTO
 * what came is not vpcd's protocol, or the system's error.
 */
int vpcd_serve(const struct vpcd *vpcd);

/* One connected stream, for tests. Return: 0 hung up, -EINTR the card was pulled, -ECANCELED. */
int vpcd_session(const struct vpcd *vpcd, int fd);
