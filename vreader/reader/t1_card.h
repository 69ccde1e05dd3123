/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/reader/t1_card.h - The card's end of T=1: blocks come in, a command APDU comes out; a
 * response goes in, blocks come out. Pure: no I/O, no clock, no allocation. The card answers every
 * block it gets with exactly one block, unless it is still computing.
 *
 *          last I-block (M=0)          t1_card_answer()
 *   READY ------------------> RUNNING ------------------> READY, or SENDING if it needs a chain
 *     ^                        |   ^                         |
 *     | S(RESYNCH), S(ABORT)   v   | S(WTX response)         | R(ack) of the last but one
 *     '------------------- t1_card_ask_time()                '--> READY
 */
#pragma once

#include "base/bytes.h"

enum {
	T1_BLOCK_MAX = 3 + 254 + 1,
	T1_IFSD_DEFAULT = 32,
};

enum t1_phase { T1_READY, T1_RUNNING, T1_SENDING };

enum t1_next {
	T1_SEND,	/* t1_card_block_out() is the answer */
	T1_RUN,		/* the command is complete; answer later by t1_card_answer() */
	T1_HOLD,	/* nothing to say before t1_card_answer() or t1_card_ask_time() */
};

/**
 * struct t1_card - protocol state of one powered card
 * @phase:	see above
 * @gathering:	in the middle of the host's chain
 * @asked_time:	multiplier of the S(WTX request) that waits for its answer, 0 if none
 * @recv_ns:	N(S) expected of the host
 * @send_ns:	N(S) of our next I-block
 * @ifsd:	what the host can take in one block
 * @command:	where the command is gathered; borrowed
 * @response:	what is left to send; borrowed from t1_card_answer()
 * @last:	the last block we sent, for repetition
 * @last_len:	its length, 0 if none
 */
struct t1_card {
	enum t1_phase phase;
	bool gathering;
	uint8_t asked_time;
	uint8_t recv_ns;
	uint8_t send_ns;
	uint8_t ifsd;
	struct packer command;
	struct bytes response;
	uint8_t last[T1_BLOCK_MAX];
	size_t last_len;
};

/* As after an ATR. @buf holds the command while it is gathered and until it was answered. */
void t1_card_init(struct t1_card *t1, uint8_t *buf, size_t cap);

enum t1_next t1_card_block(struct t1_card *t1, struct bytes block);

/* The whole command; good from T1_RUN to t1_card_answer(). */
static inline struct bytes t1_card_command(const struct t1_card *t1)
{
	return BYTES(t1->command.p, t1->command.n);
}

/* @response is borrowed until the host has fetched all of it, or starts anything else. */
void t1_card_answer(struct t1_card *t1, struct bytes response);

/* Makes an S(WTX request); legal while running. @multiplier is 1 to 255 times the BWT. */
void t1_card_ask_time(struct t1_card *t1, uint8_t multiplier);

static inline struct bytes t1_card_block_out(const struct t1_card *t1)
{
	return BYTES(t1->last, t1->last_len);
}
