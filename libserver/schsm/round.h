/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/schsm/round.h - The commands that go to a card in one journey, and what it answered: plain ones, by
 * which a channel is set up, or protected ones. Lengths are short, which every reader carries.
 *
 * A command that changes something is the last of its round, and what comes before it is what it needs: so a
 * refusal that the card has proved tells that nothing was changed, whoever carried the round.
 */
#pragma once

#include "format/schsm/sm.h"

enum {
	ROUND_COMMANDS_MAX = 64,
	ROUND_PIECE = 208,		/* of a file; with offset, padding and MAC it fits a short command */
	ROUND_READ = 240,		/* of a file, in plain */
	ROUND_APDU_MAX = 5 + 255 + 1,
	ROUND_DATA_MAX = 256,
};

/* Status words that a command of a round may end with: one, or whatever comes. */
enum { ROUND_ANY = 0, ROUND_OK = 0x9000 };

/**
 * struct turn - a command and its answer
 * @apdu:	as it goes to the card
 * @expect:	%ROUND_OK or %ROUND_ANY
 * @sealed:	protected; @sm says by which counter its answer is opened
 * @changes:	after it the card is not as before
 * @sw, @data:	what the card answered, opened
 */
struct turn {
	uint8_t apdu[ROUND_APDU_MAX];
	size_t n;
	uint16_t expect;
	bool sealed, changes;
	struct sm_turn sm;
	uint16_t sw;
	uint8_t data[ROUND_DATA_MAX];
	size_t data_n;
};

/**
 * struct round - @n of them, of which the first @answered are
 * @failed:	the first thing that went wrong while it was made; nothing is added after
 * @last:	whatever comes of it, no other follows
 */
struct round {
	size_t n, answered;
	int failed;
	bool last;
	struct turn turns[ROUND_COMMANDS_MAX];
};

/* Empties it. */
void round_begin(struct round *round);

/* Adds a plain command; @le 0: it answers nothing. */
void round_plain(struct round *round, const struct sm_command *command, uint16_t expect);
/* Adds a protected one. */
void round_sealed(struct round *round, struct sm *sm, const struct sm_command *command, uint16_t expect);
/* The one that was added last changes something. */
void round_changes(struct round *round);

/* Whether all of it was made. Return: 0; -EMSGSIZE, -EPROTO, -EIO, -ENOMEM. */
int round_end(const struct round *round);

/*
 * Takes the answer to the next command. Return: 0; -EPROTO there is none; -EBADMSG the card did not make it, or it
 * is longer than any; -EIO, -ENOMEM.
 */
int round_answer(struct round *round, struct sm *sm, struct bytes response);

static inline bool round_is_answered(const struct round *round)
{
	return round->answered == round->n;
}

/* Turn @i, if the card has answered it; else NULL. */
const struct turn *round_turn(const struct round *round, size_t i);
/* The first that did not end as expected; NULL: there is none among those that were answered. */
const struct turn *round_refused(const struct round *round);
/* Whether one changes something that the card has carried out, or may have: it has not refused it. */
bool round_matters(const struct round *round);

static inline struct bytes turn_data(const struct turn *turn)
{
	return BYTES(turn->data, turn->data_n);
}
