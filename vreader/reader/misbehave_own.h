/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/reader/misbehave_own.h - What the parts of the catalogue share, and nobody else sees: its rows
 * by what goes wrong, each table in the file of its functions.
 */
#pragma once

#include "vreader/reader/line.h"

#define ONCE false
#define FROM_ON true

/* A row without a name ends each. */
extern const struct misbehaviour misbehave_frames[];	/* misbehave_frame.c */
extern const struct misbehaviour misbehave_pipes[];	/* misbehave_pipe.c */
extern const struct misbehaviour misbehave_cards[];	/* misbehave_card.c */
extern const struct misbehaviour misbehave_blocks[];	/* misbehave_t1.c */
