/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/reader/line_own.h - What the parts of a line share, and nobody else sees: line.c is the life
 * of a connection and the running of the card, line_in.c takes what the host sends, line_out.c sends,
 * line_patience.c stands in while the card computes. The lock is held by who calls any of it but the
 * begin and the end of patience.
 */
#pragma once

#include "vreader/reader/line.h"

enum {
	CCID_XFR_BLOCK = 0x6f, CCID_POWER_ON = 0x62, CCID_ABORT = 0x72, CCID_GET_SLOT_STATUS = 0x65,
};

/* Return: NULL for a slot that this reader does not have. */
static inline struct ccid_dev *line_dev(struct line *line, unsigned int slot)
{
	if (slot >= line->dev.shape->n_slots)
		return NULL;
	return slot == 0 ? &line->dev : &line->more[slot - 1];
}

#define EACH_DEV(line, dev) \
	for (unsigned int i_ = 0; ((dev) = line_dev((line), i_)) != NULL; i_++)

/* The slot at whose keypad somebody types now, or NULL. */
static inline struct ccid_dev *line_typing(struct line *line)
{
	struct ccid_dev *dev;

	EACH_DEV(line, dev)
		if (dev->typing)
			return dev;
	return NULL;
}

/* --- line_out.c: line.h has the rest of it --- */

/* What a device sends through. */
void line_port_send(struct ccid_port *port, enum ccid_port_pipe pipe, struct bytes message);

/* --- line_in.c --- */

/* Takes one packet if there is one. Return: 0, or -EPROTO; `over` tells of the end. */
int line_take_packet(struct line *line, enum ccid_dev_next *next);

/* --- line_patience.c --- */

/* Return: 0 or the system's error. */
int line_patience_begin(struct line *line);
/* From now on; 0: not any more. */
void line_ask_time_every(struct line *line, unsigned int ms);
/* No-op if it was not begun. */
void line_patience_end(struct line *line);
