/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/link/service.h - One reader, the card in it, and the broker that asks about both. Blocking
 * code with absolute deadlines: there is nobody else here to be kept waiting.
 *
 *	         inserted: power, identify               answers
 *	 EMPTY --------------------------> (power up) ------------> CARD
 *	                                      |    ^                 |
 *	                              silent  v    '-- lost, reset --'
 *	                                     MUTE
 *
 *	 removed, from CARD or MUTE: tell, then leave. A card's exploit never meets the next card
 *	 (SECURITY section 7); the monitor starts a fresh driver for it.
 */
#pragma once

#include "driver/card/card.h"
#include "driver/card/match.h"
#include "driver/ccid/reader.h"
#include "driver/iso7816/card_io.h"
#include "driver/link/link.h"

enum service_holds { SERVICE_EMPTY, SERVICE_CARD, SERVICE_MUTE };

/**
 * struct service - all there is in a driver process
 * @link:	to the broker
 * @reader:	borrowed
 * @slot:	its only slot that is served, the first
 * @drivers:	who may know the card, NULL at the end
 * @trace:	for card.trace, may be NULL
 * @complain:	takes a sentence about a card that was refused, may be NULL
 * @io:		the way to the powered card, or NULL
 * @card:	the powered card, or NULL
 * @last_key:	number of the last session key of any card; none is ever used twice
 * @holds:	what the broker was told last
 * @greeted:	KF_DRV_HELLO was answered
 * @leave:	no more requests: return from service_run()
 * @out:	SERVICE_OUT_MAX bytes for the parts of a reply; wiped after each
 * @out_n:	bytes of it in use
 */
struct service {
	struct link link;
	struct reader *reader;
	struct slot *slot;
	const struct card_driver *const *drivers;
	void (*trace)(const struct card_trace *trace);
	void (*complain)(const char *what, int error);
	struct card_io *io;
	struct card *card;
	uint64_t last_key;
	enum service_holds holds;
	bool greeted;
	bool leave;
	uint8_t *out;
	size_t out_n;
};

#define SERVICE_OUT_MAX	(66 * 1024)	/* the longest response APDU is 65538 bytes */
#define SERVICE_INIT ((struct service){ .link = LINK_INIT })

/* Takes @link_fd over, on success alone; @reader outlives it. Return: 0, or as link_init(). */
int service_init(struct service *service, int link_fd, struct reader *reader,
		 const struct card_driver *const *drivers);
void service_deinit(struct service *service);

/*
 * Serves until the card was removed, the reader or the broker has gone.
 * Return: 0 for each of these; -EPROTO the broker broke the protocol; another errno when the
 * machine failed us.
 */
int service_run(struct service *service);
