/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/ccid/rates.h - The data rates a reader can drive a card at: the list it gives on request, or
 * what its descriptor says where it gives none. Of the readers on record one in four stalls the
 * request, never answers it or answers with scraps, so a list is welcome and nothing more.
 */
#pragma once

#include "base/deadline.h"
#include "driver/pipe.h"

#define RATES_MAX	256

/* @n 0: there is no list, and any rate up to the descriptor's greatest will do. */
struct rates {
	uint32_t bps[RATES_MAX];
	unsigned int n;
};

/* Return: 0, or -EBADMSG: not a row of whole numbers, or nothing but zeros; @out has no list then. */
int rates_parse(struct bytes list, struct rates *out);

/*
 * Asks for the @n rates the descriptor announces [CCID GET_DATA_RATES]. A reader that does not answer
 * costs limits.control_ms and leaves no list.
 */
void rates_read(struct pipe *pipe, uint8_t interface, unsigned int n, struct deadline deadline,
		struct rates *out);

/* True if @bps is in the list; two in a hundred are rounding, or a clock of 3.57 MHz called 3.58. */
bool rates_have(const struct rates *rates, uint32_t bps);
