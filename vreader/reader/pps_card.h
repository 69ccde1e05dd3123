/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/reader/pps_card.h - The card's answer to a PPS: agreed to as asked, or none at all. Pure.
 */
#pragma once

#include "base/bytes.h"

#define PPS_FIDI_DEFAULT 0x11	/* Fd, Dd [7816-3 8.3] */

/* True if what came is a PPS, good or bad: no block of T=1 and no header of T=0 begins with FF. */
static inline bool pps_is(struct bytes b)
{
	return b.n != 0 && b.p[0] == 0xff;
}

/*
 * Return: 0 and the speed agreed on: the card echoes @request; -EBADMSG: it is malformed, of another
 * protocol than @protocol, or faster than @most (a TA1): the card says nothing until it is reset.
 */
int pps_card_judge(struct bytes request, uint8_t protocol, uint8_t most, uint8_t *fidi);
