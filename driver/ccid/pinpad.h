/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/ccid/pinpad.h - What a reader with a keypad is told to do: ask for a PIN, put it into a
 * command, and send that to the card [CCID PC_to_RDR_Secure]. Pure packing. The PIN itself is never
 * here: it goes from the keys to the card.
 */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>

#define PINPAD_STRUCTURE_MAX	96

/**
 * struct pinpad - one PIN entry
 * @modify:	old PIN, new PIN, new PIN again; else one PIN
 * @timeout_s:	how long the reader waits for the next key
 * @min, @max:	digits of a PIN
 * @block:	bytes a PIN is filled up to, 1 to 15; 0: it is as long as it is, and the reader sets Lc
 * @prologue:	T=1 at TPDU level: NAD, PCB, LEN; else zeros
 * @apdu:	the command with room for the PINs: header, Lc, @block bytes for each
 */
struct pinpad {
	bool modify;
	uint8_t timeout_s;
	uint8_t min, max;
	uint8_t block;
	uint8_t prologue[3];
	struct bytes apdu;
};

/* The payload of ccid_secure(). */
void pinpad_pack(struct packer *p, const struct pinpad *pinpad);
