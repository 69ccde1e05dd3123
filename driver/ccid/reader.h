/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/ccid/reader.h - One reader: its descriptors, its pipes, its slots, its name. Whoever owns
 * it polls reader_fd() for as long as reader_prepare_poll() says when idle, calls reader_dispatch(),
 * and asks reader_take_change() which slots moved.
 */
#pragma once

#include "driver/ccid/slot.h"

#define READER_NAME_MAX		128	/* with its NUL */

/**
 * struct reader - one CCID interface
 * @pipe:	owned
 * @desc:	parsed descriptors
 * @exchange:	shared by the slots
 * @slots:	desc.n_slots of them
 * @watch:	presence is of interest: set by reader_watch(), true at first
 * @wanted:	bit n: slot n is to be probed
 * @probed_at:	last probe, in ms of CLOCK_MONOTONIC
 * @name:	maker and product, printable ASCII without slashes; never empty
 * @serial:	the same; empty if the reader has none
 */
struct reader {
	struct pipe *pipe;
	struct ccid_desc desc;
	struct exchange exchange;
	struct slot slots[CCID_SLOTS_MAX];
	bool watch;
	uint32_t wanted;
	uint64_t probed_at;
	char name[READER_NAME_MAX];
	char serial[READER_NAME_MAX];
};

/**
 * reader_new - takes a reader into service
 * @pipe:	taken over, closed on failure
 * @interface:	bInterfaceNumber, or -1 for the first CCID interface
 * @deadline:	for the whole start
 * @out:	the reader; cards that are in show as changes
 * @why:	on failure, a sentence that goes behind "reader refused: "
 *
 * Return: 0; -EBADMSG and -EOPNOTSUPP as ccid_desc_parse(); -ENODEV it went, or never answered; -EBUSY
 * another program has claimed it.
 */
int reader_new(struct pipe *pipe, int interface, struct deadline deadline, struct reader **out,
	       const char **why);
struct reader *reader_free(struct reader *reader);

static inline int reader_fd(const struct reader *reader)
{
	return reader->pipe->fd;
}

/*
 * For poll(2), right before it: takes what notices there are, so that the transport asks for the next.
 * Return: how long to wait in ms, -1 when only reader_fd() can bring news.
 */
int reader_prepare_poll(struct reader *reader);

/* Whether cards show only when it is asked for them, as far as is known by now. */
bool reader_is_silent(const struct reader *reader);

/*
 * Whether anybody wants to know of cards that come and go: a silent reader is asked only then.
 * Switched on, it is asked at once, unless it just was. Return: as reader_dispatch().
 */
int reader_watch(struct reader *reader, bool on, struct deadline deadline);

/*
 * Handles interrupts, due probes and an unfinished resynchronisation. Call it when reader_fd() is
 * readable, when reader_prepare_poll() ran out, and after each operation, which may have put
 * interrupts aside. Return: 0; -ENODEV the reader is gone: free it.
 */
int reader_dispatch(struct reader *reader, struct deadline deadline);

/* Return: a slot in which a card came or went since it was last returned, or NULL. */
struct slot *reader_take_change(struct reader *reader);
