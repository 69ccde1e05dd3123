/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/iso7816/pad.h - A PIN command whose PIN is typed at the reader. The template is the card
 * driver's (SECURITY section 7); how it reaches the card is the same for all of them.
 */
#pragma once

#include "driver/iso7816/card_io.h"

/**
 * struct pad - a command with room for PINs
 * @ins, @p2:	of the command; CLA and P1 are 00: keypads carry nothing but plain PIN commands
 * @modify, @min, @max, @block: as struct pinpad
 */
struct pad {
	uint8_t ins, p2;
	bool modify;
	uint8_t min, max, block;
};

enum pad_outcome {
	PAD_SENT,		/* the card has answered */
	PAD_CANCELLED,		/* the red key */
	PAD_TIMEOUT,		/* nobody typed */
	PAD_MISMATCH,		/* two different new PINs */
	PAD_LENGTH,		/* too few digits, or too many */
};

/* The reader claims a keypad for it, and is believed. */
bool pad_is_there(const struct card_io *io, bool modify);

/**
 * pad_exchange - has a PIN typed and sends it to the card
 * @outcome:	whatever it is but PAD_SENT, the card has not been asked
 * @sw:		the card's status word after PAD_SENT
 *
 * Return: 0 with @outcome; -EOPNOTSUPP no keypad, or it refuses; else as card_transmit().
 */
int pad_exchange(struct card_io *io, const struct pad *pad, struct deadline deadline,
		 enum pad_outcome *outcome, uint16_t *sw);
