/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/driver/scripted.h - A reader that does what a test says, at the far end of a socketpair.
 *
 * It is well behaved by itself: it knows one slot with one T=1 card (ATR 3b 80 01 81), answers what
 * it is asked, echoes the data of a XfrBlock with 90 00 behind it. A script makes it otherwise:
 * while the next step's @hear is a prefix of what came in, its @say goes out instead of the
 * usual answer. Packets are hex with the kind byte of docs/vreader.md in front; "ss" stands for
 * the sequence number of the last bulk command, "tt" for the one before, "xx" for the XOR of the
 * payload so far (an LRC), "nn" for the PCB of the card's next I-block of a chain, and in @hear "??"
 * for any byte. "*300 " in front
 * repeats a packet, "~50 " waits 50 ms first, "*300~50 " before each, "!" hangs up.
 */
#pragma once

#include "base/bytes.h"
#include "driver/ccid/reader.h"

#include <pthread.h>
#include <stdatomic.h>

#define SCRIPTED_SAY 8

/* @again: it stays the next step for ever. */
struct scripted_step {
	const char *hear;
	const char *say[SCRIPTED_SAY];
	bool again;
};

/*
 * What an XfrBlock gets by itself: an echo, or a card that knows no application (6A82 to SELECT) and
 * says 9000 to all else, as an APDU, in a block of T=1, or to a TPDU of T=0.
 */
enum scripted_card { SCRIPTED_ECHO, SCRIPTED_APDU, SCRIPTED_T1, SCRIPTED_T0 };

/**
 * struct scripted - the far end
 * @descriptors: first packet, without the kind byte; scripted_start() sets the default
 * @card:	see there
 * @atr, @atr_n: what power-on gets
 * @preface:	said behind the descriptors, unasked; NULL for nothing
 * @armed:	the script may begin; set by scripted_init()
 * @icc:	bStatus of the card, 0 active, 1 inactive, 2 absent
 * @n_status:	how often GetSlotStatus came
 * @heard:	type bytes of bulk commands, 03 for control, 04 for endpoint, as hex, in order
 */
struct scripted {
	uint8_t descriptors[512];
	size_t descriptors_n;
	const struct scripted_step *steps;
	size_t n_steps;
	enum scripted_card card;
	uint8_t atr[300];
	size_t atr_n;
	const char *preface;
	atomic_bool armed, stopping;
	_Atomic uint8_t icc;
	uint8_t slot, ns;
	atomic_uint n_status;
	uint8_t chain[16];	/* the first bytes of a T=1 chain of the host */
	size_t chain_n;
	uint8_t seq, seq_before;
	char heard[4096];
	size_t heard_n;
	int fd;
	pthread_t thread;
};

/* Default descriptors: one slot, 64 byte packets. @level: dwFeatures; @max: message length. */
void scripted_init(struct scripted *s, uint32_t features, uint32_t max_message);
/* Byte @at of the class descriptor inside s->descriptors. */
uint8_t *scripted_class(struct scripted *s, size_t at);
/* Starts the thread. Return: the driver's end, to be closed by its owner. */
int scripted_start(struct scripted *s, const struct scripted_step *steps, size_t n_steps);
/* The same on a socket that somebody has made already, taken over. */
void scripted_play(struct scripted *s, int fd, const struct scripted_step *steps, size_t n_steps);
/* Waits for the far end to see the hang-up. Close the driver's end first. */
void scripted_stop(struct scripted *s);
/* All in one: a reader on a scripted far end; fails the test if that does not work. */
struct reader *scripted_reader(struct scripted *s, const struct scripted_step *steps,
			       size_t n_steps);
#define SCRIPTED_READER(s, steps) \
	scripted_reader(s, steps, sizeof(steps) / sizeof((steps)[0]))

#define SCRIPTED_EXTENDED 0x000404bau
#define SCRIPTED_TPDU 0x000100bau

/* Hex, spaces allowed, to bytes; fails the test on anything else. */
size_t unhex(const char *hex, uint8_t *out, size_t cap);
