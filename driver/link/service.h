/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/link/service.h - One reader, the cards in it, and the broker that asks about both. Blocking
 * code with absolute deadlines: there is nobody else here to be kept waiting but other slots of
 * the same reader, which take turns on its pipes whatever we do.
 *
 * A process that has seen a card leave is spent: it serves what other slots have, and ends as
 * soon as they have nothing, or any slot gets a card (seat.c says why). The monitor starts a
 * fresh one.
 */
#pragma once

#include "driver/card/match.h"
#include "driver/ccid/reader.h"
#include "driver/link/link.h"
#include "driver/link/seat.h"

/**
 * struct service - all there is in a driver process
 * @link:	to the broker
 * @reader:	borrowed
 * @seats:	its slots, reader->desc.n_slots of them
 * @drivers:	who may know the card, NULL at the end
 * @trace:	for card.trace, may be NULL
 * @guards:	KF_GUARD_ of this process, for the hello
 * @complain:	takes a sentence about a card that was refused, may be NULL
 * @greeted:	KF_DRV_HELLO was answered
 * @told_silent: the broker knows that the reader does not tell of its cards, and when to ask for them
 * @looked:	slots that the broker was told of for the first time, in order
 * @turn:	the seat that the next round begins with; behind those that were looked at: a first look
 * @powered:	a card that was found was powered, which ends the round
 * @spent:	a card has left
 * @leave:	no more requests: return from service_run()
 * @out:	SERVICE_OUT_MAX bytes for the parts of a reply; wiped after each
 * @out_n:	bytes of it in use
 */
struct service {
	struct link link;
	struct reader *reader;
	struct seat seats[CCID_SLOTS_MAX];
	const struct card_driver *const *drivers;
	void (*trace)(const struct card_trace *trace);
	void (*complain)(const char *what, int error);
	uint32_t guards;
	bool greeted;
	bool told_silent;
	unsigned int looked, turn;
	bool powered;
	bool spent;
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

/* Listens to the broker in the waits to come; a packet that had to wait switched that off. */
void service_watch(struct service *service);

/* Bit n: seat n has news for the broker that it has not been told; from now on it is due. */
uint32_t service_behind(struct service *service);

/*
 * Serves until a card was removed and no other is there, the reader or the broker has gone.
 * Return: 0 for each of these; -EPROTO the broker broke the protocol; another errno when the
 * machine failed us.
 */
int service_run(struct service *service);
