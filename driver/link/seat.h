/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/link/seat.h - One slot of the reader and the card in it, as the broker was told about it.
 *
 *	         inserted: power, identify               answers
 *	 EMPTY --------------------------> (power up) ------------> CARD
 *	   ^                                  |    ^                 |
 *	   |                          silent  v    '-- lost, reset --'
 *	   |                                 MUTE
 *	   '-- removed or swapped, from CARD or MUTE: told, and the driver is spent
 */
#pragma once

#include "driver/card/card.h"
#include "driver/ccid/slot.h"
#include "driver/iso7816/card_io.h"

struct service;

enum seat_holds { SEAT_EMPTY, SEAT_CARD, SEAT_MUTE };

/**
 * struct seat - one slot
 * @service:	whose; borrowed
 * @slot:	borrowed
 * @io:		the way to the powered card, or NULL
 * @card:	the powered card, or NULL
 * @last_key:	number of the last session key of any card here; none is ever used twice, nor by
 *		another seat
 * @holds:	what the broker was told last
 * @moved:	a card came or went since seat_follow()
 * @owes:	the broker was promised that something will be told
 */
struct seat {
	struct service *service;
	struct slot *slot;
	struct card_io *io;
	struct card *card;
	uint64_t last_key;
	enum seat_holds holds;
	bool moved, owes;
};

void seat_init(struct seat *seat, struct service *service, struct slot *slot);
/* Switches its card off: verified PINs and sessions end with us. */
void seat_deinit(struct seat *seat);

/* Switches the card off and on again and finds out what it is. Return: 0, or as card_io_new(). */
int seat_power_up(struct seat *seat, struct deadline deadline);

/*
 * Compares the slot with what the broker was told, and tells it. Return: 0; -ENODEV the reader is
 * gone; -ECONNRESET the broker is; -ECANCELED; -ENOMEM.
 */
int seat_follow(struct seat *seat);
/* Whether the card that the broker was told of is no longer in: seat_follow() tells so, and powers none. */
bool seat_has_left(const struct seat *seat);
/* Whether seat_follow() has something to tell; if so it will, whatever happens until then. */
bool seat_owes(struct seat *seat);
/* The same after the greeting, when emptiness is told, too. */
int seat_first_look(struct seat *seat);
