/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/security.h - Whose security status is in the card [7816-4 security status]: PINs that
 * were verified, and what else requests leave behind. A card has one, and clients are many, so it is
 * kept book of whose it is, and another's turn begins with a drop.
 *
 *	       used              its owner left
 *	CLEAN ------> OWNED -------------------------> ORPHAN
 *	  ^             | transaction ran out             ^
 *	  |             '---------------------> LAPSED ---'
 *	  '--- dropped or reset, from any         its owner left
 *	       inserted                           removed, from any
 *	ABSENT ---------> CLEAN                   ----------------> ABSENT
 *
 * In LAPSED and ORPHAN it must go before anything else.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct context;

enum security_state {
	SECURITY_ABSENT, SECURITY_CLEAN, SECURITY_OWNED, SECURITY_LAPSED, SECURITY_ORPHAN,
	SECURITY_STATES
};
enum security_event {
	SECURITY_INSERTED,
	SECURITY_USED,		/* what may leave something there goes to the card */
	SECURITY_ANSWERED,	/* it came back, however it went */
	SECURITY_UNCLAIMED,	/* the same, but whose it was has ended */
	SECURITY_LEFT,		/* the owner's context ended */
	SECURITY_RAN_OUT,	/* somebody's transaction, by itself */
	SECURITY_DROPPED, SECURITY_RESET, SECURITY_REMOVED, SECURITY_EVENTS
};
enum security_do {
	SECURITY_DO_NOTHING,
	SECURITY_DO_OWN,	/* it is the user's */
	SECURITY_DO_DISOWN,	/* it is nobody's */
	SECURITY_DO_WARN,	/* the owner will have lost its PINs */
	SECURITY_DO_LOSE	/* the owner has lost its PINs, and it is nobody's */
};

struct security_step {
	enum security_state from;
	enum security_event event;
	enum security_state to;
	enum security_do action;
};

/* Pure. Return: the row, or NULL: out of turn. */
const struct security_step *security_step(enum security_state state, enum security_event event);

/**
 * struct security - of one card
 * @owner:	whose it is, in OWNED and LAPSED; else NULL
 */
struct security {
	enum security_state state;
	struct context *owner;
};

/* Performs the step. @user: whose request it is, for USED and ANSWERED. */
void security_happens(struct security *security, enum security_event event, struct context *user);

/* There may be something in the card that @context must not find there. */
static inline bool security_is_foreign(const struct security *security,
				       const struct context *context)
{
	return security->state > SECURITY_CLEAN && security->owner != context;
}

/* It must be dropped before anything else. */
static inline bool security_must_go(const struct security *security)
{
	return security->state == SECURITY_LAPSED || security->state == SECURITY_ORPHAN;
}
