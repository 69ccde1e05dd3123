/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/reader/keypad.h - A reader's own keypad: the host describes a command with room for PINs
 * [CCID PC_to_RDR_Secure], a person types them, and the reader alone has the command that results.
 * Pure: where keys come from, and when time is over, is the caller's to know.
 *
 *	keys	0-9  a digit	newline  OK	c  cancel	<  take the last digit back
 */
#pragma once

#include "base/bytes.h"

enum {
	KEYPAD_DIGITS_MAX = 32,
	KEYPAD_COMMAND_MAX = 261,
	KEYPAD_TIMEOUT_DEFAULT_S = 30,
};

enum keypad_next {
	KEYPAD_MORE,		/* wait for the next key */
	KEYPAD_DONE,		/* keypad_command() is ready */
	KEYPAD_CANCELLED,
	KEYPAD_MISMATCH,	/* two different new PINs */
	KEYPAD_LENGTH,		/* OK after too few digits, or too many typed */
};

struct keypad_pin {
	uint8_t digits[KEYPAD_DIGITS_MAX];
	uint8_t n;
};

/**
 * struct keypad - one entry; all zero outside of one
 * @modify:	up to three PINs instead of one
 * @asks_old, @confirms: modify: the first and the last of them
 * @timeout_s:	until the first key, and from key to key
 * @min, @max:	digits
 * @block:	bytes a PIN is filled up to in the command; 0: as long as it is
 * @offset:	where in the data field the old and the new PIN go
 * @prologue:	bTeoPrologue
 * @apdu:	the template, then the command
 * @at:		which PIN is being typed: old, new, new again
 */
struct keypad {
	bool modify, asks_old, confirms;
	uint8_t timeout_s;
	uint8_t min, max, block;
	uint8_t offset[2];
	uint8_t prologue[3];
	uint8_t apdu[KEYPAD_COMMAND_MAX];
	size_t apdu_n;
	unsigned int at;
	struct keypad_pin pin[3];
};

/*
 * Begins an entry. Return: 0, or the index of the byte in @structure that cannot be done, plus 1: what
 * bError says is 10 more than that byte's index.
 */
unsigned int keypad_begin(struct keypad *keypad, struct bytes structure);
enum keypad_next keypad_key(struct keypad *keypad, uint8_t key);

/* After KEYPAD_DONE: the command with the PINs in it. */
static inline struct bytes keypad_command(const struct keypad *keypad)
{
	return BYTES(keypad->apdu, keypad->apdu_n);
}

/* Wipes everything. */
void keypad_end(struct keypad *keypad);
