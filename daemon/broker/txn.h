/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/txn.h - The card for one context alone: a name, a holder and an end. The end comes
 * by itself; the card's security state does not outlive it.
 */
#pragma once

#include "daemon/shared/loop.h"
#include "keyferry/proto.h"

#define TXN_DEFAULT_MS	30000
#define TXN_KEYS_MS	60000	/* how long live session keys hold a card that cannot keep them */

struct context;
struct reader;

struct txn {
	struct context *holder;		/* NULL: nobody */
	uint64_t since_ns;
	struct timer timer;
	bool implied;			/* nobody asked for it: it holds the card for session keys */
	char name[KF_LABEL_MAX];
};

/* Return: 0, -EPROTO if @context holds it already, -ENOMEM. Nobody else may hold it. */
int txn_begin(struct reader *reader, struct context *context, uint32_t hold_ms, const char *name);
/* Return: 0, -EPROTO with the reason. */
int txn_end(struct reader *reader, struct context *context, uint16_t *reason);
/* The holder is gone; no-op for anybody else. */
void txn_abandon(struct reader *reader, struct context *context);
void txn_hold_for_keys(struct reader *reader, struct context *context);
