/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/reader/misbehave.h - The ways in which readers and cards go wrong, by name, on demand, at
 * the N-th opportunity: what the field's bug catalogues know, for testing hosts. A row of the table
 * is a misbehaviour; its function sits between the honest device and the line to the host.
 */
#pragma once

#include "base/bytes.h"

#include <stdio.h>

struct line;

enum misbehave_when {
	MISBEHAVE_CONNECT,	/* a host has connected; no message */
	MISBEHAVE_COMMAND,	/* an XfrBlock of the host, before it is looked at */
	MISBEHAVE_RUN,		/* a whole command APDU, before the card gets it; no message */
	MISBEHAVE_REPLY,	/* the answer to an XfrBlock, time extensions apart */
	MISBEHAVE_ATR,		/* the answer to IccPowerOn */
	MISBEHAVE_ABORT,	/* control or bulk Abort; the bulk one has a message */
};

/**
 * struct misbehaviour - one row
 * @name:	for --misbehave NAME[=N]
 * @when:	what is counted
 * @from_on:	every opportunity from the N-th on, not the N-th alone
 * @n:		N when the user gives none
 * @apply:	gets the honest message; true: that message is dealt with, do not go on with it
 * @help:	one line for --misbehave list and the man page
 */
struct misbehaviour {
	const char *name;
	enum misbehave_when when;
	bool from_on;
	unsigned int n;
	bool (*apply)(struct line *line, struct bytes message);
	const char *help;
};

enum { MISBEHAVE_MAX = 8 };

/**
 * struct misbehave - those that were asked for
 * @seen:	opportunities so far, over all connections
 */
struct misbehave {
	struct {
		const struct misbehaviour *what;
		unsigned int n;
		unsigned int seen;
	} chosen[MISBEHAVE_MAX];
	size_t n_chosen;
};

#define MISBEHAVE_INIT ((struct misbehave){ .n_chosen = 0 })

/*
 * Adds NAME or NAME=N. Return: 0, -ENOENT unknown name, -ERANGE bad N, -E2BIG too many.
 */
int misbehave_add(struct misbehave *m, const char *spec);
void misbehave_list(FILE *to);

/* Lets every chosen row whose turn it is act. Return: whether the honest way is barred. */
bool misbehave(struct line *line, enum misbehave_when when, struct bytes message);
