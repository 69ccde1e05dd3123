/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/turn.h - What an answer of the driver means for whose turn it is:
 *
 *	job taken --> DROP, if another client's state may be in the card
 *	          --> TRIES, if a PIN goes and its last try was not offered up
 *	          --> JOB, the request itself --> answered
 *
 * and for the chores that come before any turn. The states are what the driver is asked (link.h).
 */
#pragma once

#include "daemon/broker/link.h"

enum turn_event {
	TURN_FOREIGN, TURN_CLEAN,	/* it begins, and what is in the card is another's, or not */
	TURN_GOOD, TURN_BAD,		/* how the driver answered */
	TURN_EVENTS
};
enum turn_do {
	TURN_DO_NOTHING,
	TURN_DO_DROPPED,	/* nobody's state is in the card any more */
	TURN_DO_WAS_RESET,
	TURN_DO_BURY,		/* a session object is gone */
	TURN_DO_BREAK,		/* the driver failed a duty */
	TURN_DO_COMPARE,	/* enough tries, or the end of the turn */
	TURN_DO_REFUSE,		/* ends the turn: the card does not tell its tries */
	TURN_DO_ANSWER, TURN_DO_FAIL
};

struct turn_step {
	enum link_step from;
	enum turn_event event;
	enum link_step to;	/* what is due next: TRIES only if a PIN is at risk, else JOB */
	enum turn_do action;
};

/* Pure. Return: the row, or NULL: out of turn. */
const struct turn_step *turn_step(enum link_step asked, enum turn_event event);
