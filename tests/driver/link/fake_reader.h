/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/driver/link/fake_reader.h - A CCID reader in the test's own process: a struct pipe whose far
 * end is a few lines of code: extended APDU level, one slot or two, cards of one's choice.
 */
#pragma once

#include "driver/ccid/reader.h"

enum fake_card {
	FAKE_EMPTY,
	FAKE_MUTE,
	FAKE_UNKNOWN,		/* answers 6A82 to SELECT, 9000 and an echo of INS to all else */
	FAKE_OURS,		/* a keyferry card with an empty container 0, and nothing else */
};

/* Commands (INS) that make any of the cards misbehave. */
#define FAKE_MOVE	0xe7	/* FAKE_PULL and FAKE_INSERT at once */
#define FAKE_TURMOIL	0xe8	/* no CCID message, and a card of ours comes into the other slot */
#define FAKE_DEAF	0xe9	/* the interrupt endpoint fails for good */
#define FAKE_HANG	0xea	/* no answer until the wait is ended from outside */
#define FAKE_GARBAGE	0xeb	/* an answer that is no CCID message */
#define FAKE_PULL	0xec	/* the card is taken out under the command */
#define FAKE_UNPLUG	0xed	/* the reader is */

#define FAKE_INSERT	0xee	/* a card of ours comes into the other slot */
#define FAKE_SWAP	0xef	/* the card in the other slot is replaced by one of ours */

int fake_reader_new(enum fake_card card, struct reader **out);
/* The same where it must not fail. */
struct reader *fake_reader(enum fake_card card);
struct reader *fake_reader_of_two(enum fake_card first, enum fake_card second);
/* The same without an interrupt endpoint. */
struct reader *fake_reader_silent(enum fake_card first, enum fake_card second);
/* How often the card was powered on. */
unsigned int fake_power_ons(void);
