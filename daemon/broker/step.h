/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/step.h - State machines as data. The rows of one stand in NOUN.def, a line a row:
 *
 *	STEP(FROM, EVENT, TO, ACTION)		or without the action, if none has one
 *
 * NOUN.c makes its table of them, and tests/model/promela.awk the transitions of the model that is
 * checked for what no test of single steps can show. So there is nothing else in a .def than such
 * rows and comments. A pair without a row is out of turn, on purpose.
 */
#pragma once

#include <stddef.h>

/* Return: the row of @steps, an array, for this pair, or NULL. */
#define STEP_FIND(steps, state, happens) ({ \
	const typeof((steps)[0]) *found_ = NULL; \
	for (size_t i_ = 0; !found_ && i_ < sizeof(steps) / sizeof((steps)[0]); i_++) \
		if ((steps)[i_].from == (state) && (steps)[i_].event == (happens)) \
			found_ = &(steps)[i_]; \
	found_; })
