/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/txn.h - The card for one context alone: a name, a holder and an end. The end comes
 * by itself; the card's security state does not outlive it.
 *
 *	      begun                 ended, ran out, its holder left
 *	NONE ----------> HELD ------------------------------------------> NONE
 *	   |              ^ begun                                          ^
 *	   '-------> FOR_KEYS ---------------------------------------------'
 *	    keys came             keys went, ran out, its holder left
 */
#pragma once

#include "daemon/shared/loop.h"
#include "keyferry/proto.h"

#define TXN_DEFAULT_MS	30000
#define TXN_KEYS_MS	60000	/* how long live session keys hold a card that cannot keep them */

struct context;
struct reader;

enum txn_state {
	TXN_NONE,
	TXN_FOR_KEYS,			/* nobody asked for it: it holds the card for session keys */
	TXN_HELD,
	TXN_STATES
};
enum txn_event {
	TXN_BEGUN, TXN_ENDED, TXN_KEYS_CAME, TXN_KEYS_WENT, TXN_RAN_OUT, TXN_HOLDER_LEFT, TXN_EVENTS
};
enum txn_do {
	TXN_DO_NOTHING, TXN_DO_TAKE, TXN_DO_CLEAR,
	TXN_DO_LAPSE,			/* and its security state goes with it */
	TXN_DO_EXPIRE			/* the same, and the holder is told when it asks */
};

struct txn_step {
	enum txn_state from;
	enum txn_event event;
	enum txn_state to;
	enum txn_do action;
};

/* Pure. Return: the row, or NULL: out of turn. */
const struct txn_step *txn_step(enum txn_state state, enum txn_event event);

struct txn {
	enum txn_state state;
	struct context *holder;		/* NULL in NONE, and only there */
	uint64_t since_ns;
	struct timer timer;
	uint32_t relay_count;		/* of APDUs it may be; 0: this is no relay */
	uint32_t relay_next;		/* the number that has to come */
	char name[KF_LABEL_MAX];
};

/* Return: 0, -EPROTO if @context holds it already, -ENOMEM. Nobody else may hold it. */
int txn_begin(struct reader *reader, struct context *context, uint32_t hold_ms, const char *name);
/* The same, for a relay of @count APDUs; its end resets the card. */
int txn_begin_relay(struct reader *reader, struct context *context, uint32_t hold_ms,
		    uint32_t count, const char *name);
static inline bool txn_is_relay(const struct txn *txn)
{
	return txn->holder && txn->relay_count != 0;
}
/* APDU @number may go, and the next one is expected. Return: 0, -EPROTO with reason and detail. */
int txn_relay(struct reader *reader, struct context *context, uint32_t number, uint16_t *reason,
	      uint32_t *detail);
/* Return: 0, -EPROTO with the reason. */
int txn_end(struct reader *reader, struct context *context, uint16_t *reason);
/* The holder is gone; no-op for anybody else. */
void txn_abandon(struct reader *reader, struct context *context);
/* @context has session keys in a card that cannot keep them when it is dropped; or has none left. */
void txn_hold_for_keys(struct reader *reader, struct context *context);
void txn_keys_gone(struct reader *reader, struct context *context);
