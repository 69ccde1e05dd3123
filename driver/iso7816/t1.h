/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/iso7816/t1.h - The interface device's side of T=1, as a machine without I/O and clock:
 * it hands out one block at a time, and is fed what came back.
 *
 *	t1_begin(t, command, buf, cap);
 *	do
 *		r = send and receive ? t1_feed(t, block) : t1_silence(t, error);
 *	while (r == T1_SEND);
 *
 * Every loop it is driven in ends: blocks, tries and requests are counted against the table of
 * driver/ccid/limits.h.
 */
#pragma once

#include "base/bytes.h"

#include <stdbool.h>

#define T1_BLOCK_MAX	259	/* NAD, PCB, LEN, 254, CRC */
#define T1_IFS_DEFAULT	32
#define T1_IFS_MAX	254

/*
 *                  last block sent          card's I, chained
 *  SENDING ------------------> WAITING -----------------------> RECEIVING
 *     | chain, acked '--^         |                                 |  '--^ chain
 *     |                           | card's I, not chained           | last
 *     |                           v                                 v
 *     |                         IDLE <------------------------------'
 *     | three bad blocks, from any of the three            good answer: IDLE, command lost
 *     '------------------------> RESYNCHING ---------------------> three bad: BROKEN
 *
 *  NEGOTIATING: S(IFS) is out. ABORTING: the card broke the chain off, our answer is out: BROKEN.
 */
enum t1_state {
	T1_IDLE,
	T1_SENDING,
	T1_WAITING,
	T1_RECEIVING,
	T1_NEGOTIATING,
	T1_RESYNCHING,
	T1_ABORTING,
	T1_BROKEN,	/* the card must be reset */
};

/* What went wrong with a block, as an R-block says it [7816-3 R-block]. */
enum t1_fault { T1_FAULT_EDC = 1, T1_FAULT_OTHER = 2 };

enum { T1_DONE = 0, T1_SEND = 1 };

/**
 * struct t1 - one card's T=1
 * @ns:		N(S) of our I-block that is out or comes next
 * @nr:		N(S) expected of the card
 * @crc:	checksum is a CRC instead of an LRC
 * @ifsc:	what the card takes in one block
 * @ifsd:	what the card believes we take
 * @ifsd_wanted: what we would like it to believe
 * @accept:	longest information field that we let pass: the most that was ever negotiated
 * @bwi:	waiting time multiplier for the block in @block; 0 for none
 * @unrepeatable: the I-block that is out was made by the reader, with a PIN in it
 * @ran:	the last block of the command went out: the card may have carried it out
 * @command:	borrowed during a command; @acked bytes of it have arrived, @flying are out
 * @response, @cap, @got: where the answer goes
 */
struct t1 {
	enum t1_state state;
	uint8_t ns, nr;
	bool crc;
	uint8_t ifsc, ifsd, ifsd_wanted, accept;
	uint8_t bwi;
	bool unrepeatable;
	bool ran;
	struct bytes command;
	size_t acked, flying;
	uint8_t *response;
	size_t cap, got;
	unsigned int blocks, tries, resynchs, requests, empty;
	uint8_t block[T1_BLOCK_MAX];
	size_t block_n;
};

/* @ifsd: wanted, T1_IFS_DEFAULT to leave it alone. */
void t1_init(struct t1 *t, uint8_t ifsc, bool crc, uint8_t ifsd);
/* Wipes the last block. */
void t1_deinit(struct t1 *t);
/* The same between two commands: the block may hold a PIN. */
void t1_wipe(struct t1 *t);

/* After t1_init() and after each resynchronisation, if more than the default is wanted. */
static inline bool t1_wants_ifs(const struct t1 *t)
{
	return t->state == T1_IDLE && t->ifsd != t->ifsd_wanted;
}

/* S(IFS request). It never fails for good: a card that does not want it keeps the default. */
void t1_begin_ifs(struct t1 *t);

/* The reader has done the IFSD exchange by itself. */
void t1_assume_ifs(struct t1 *t);

/* Only in T1_IDLE. @command and @response are borrowed until the command ends. */
void t1_begin(struct t1 *t, struct bytes command, uint8_t *response, size_t cap);

/*
 * Only in T1_IDLE: NAD, PCB and LEN of the I-block that would carry a command of @n bytes now, for
 * somebody else to send it. What came back goes to t1_feed() after t1_begin_sent().
 */
void t1_prologue(const struct t1 *t, size_t n, uint8_t out[static 3]);
void t1_begin_sent(struct t1 *t, uint8_t *response, size_t cap);

/* The block to send now. */
static inline struct bytes t1_block(const struct t1 *t)
{
	return BYTES(t->block, t->block_n);
}

/**
 * t1_feed - judges the card's block
 *
 * Return: T1_SEND; T1_DONE; -EIO the command was lost, state tells if the card must be reset (
 * T1_BROKEN) or may go on (T1_IDLE); -EBADMSG the card broke a limit (T1_BROKEN). A lost command is
 * never sent again from here: with @ran set, nobody knows if it took effect.
 */
int t1_feed(struct t1 *t, struct bytes block);

/* The same for no block at all: silence, parity, overrun. */
int t1_silence(struct t1 *t, enum t1_fault fault);
