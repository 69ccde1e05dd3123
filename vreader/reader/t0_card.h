/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/reader/t0_card.h - The card's end of T=0, as a reader at TPDU level presents it: it has seen to
 * the procedure bytes, so a TPDU comes in whole, and data with status word go out. Pure: no I/O, no
 * clock, no allocation.
 *
 * A TPDU says P3 and nothing else about lengths. Five bytes ask for P3 bytes (0: 256), and T=0 cannot
 * send other than that: the card says 6Cxx, keeps its answer, and gives it to whoever asks again as told. A
 * TPDU with data gets a status word, 61xx if there is data to fetch. ENVELOPEs are gathered until
 * one is shorter than 255 and the command in them is whole.
 */
#pragma once

#include "base/bytes.h"

enum {
	T0_HEADER_LEN = 5,
	T0_DATA_MAX = 255,
	T0_ANSWER_MAX = 256 + 2,
};

enum t0_next {
	T0_SEND,	/* t0_card_out() is the answer */
	T0_RUN,		/* t0_card_command() is a whole APDU; answer later by t0_card_answer() */
};

/**
 * struct t0_card - protocol state of one powered card
 * @header:	of the TPDU that is being answered
 * @command:	the APDU made of it, or of ENVELOPEs; borrowed buffer
 * @enveloping:	in the middle of ENVELOPEs
 * @brought_data: the TPDU that is being answered did, so it can take none home
 * @kept:	an answer that 6Cxx or 61xx held back, for @header with that P3; borrowed from
 *		t0_card_answer()
 * @out:	what the reader hands on
 */
struct t0_card {
	uint8_t header[T0_HEADER_LEN];
	struct packer command;
	bool enveloping, brought_data;
	struct bytes kept;
	uint8_t out[T0_ANSWER_MAX];
	size_t out_len;
};

/* As after an ATR. @buf holds the command while it is gathered and until it was answered. */
void t0_card_init(struct t0_card *t0, uint8_t *buf, size_t cap);

/* @tpdu is a header, or a header and as many bytes as P3 says; else the status word is 6700. */
enum t0_next t0_card_tpdu(struct t0_card *t0, struct bytes tpdu);

static inline struct bytes t0_card_command(const struct t0_card *t0)
{
	return BYTES(t0->command.p, t0->command.n);
}

/* @response: at least a status word; borrowed until the next T0_RUN, or t0_card_init(). */
void t0_card_answer(struct t0_card *t0, struct bytes response);

static inline struct bytes t0_card_out(const struct t0_card *t0)
{
	return BYTES(t0->out, t0->out_len);
}

/* The answer was handed on; what it held is wiped. */
void t0_card_sent(struct t0_card *t0);
