/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/iso7816/t0.h - T=0 as the host has it at TPDU level: the reader sees to procedure bytes, the
 * host makes one TPDU of each APDU and judges what comes back. Pure.
 *
 *	case	TPDU				answer
 *	1	header, P3 = 0			status word
 *	2	header, P3 = Le (0: 256)	at most P3 bytes, status word
 *	3	header, P3 = Lc, data		status word
 *	4	as case 3; Le waits for 61xx	status word
 *
 * What 61xx and 6Cxx ask for is the same for every protocol, and done in transceive.c. Commands whose
 * data no P3 can count go inside ENVELOPEs, to cards that say they know extended length.
 */
#pragma once

#include "driver/iso7816/apdu.h"

#define T0_TPDU_MAX	260	/* header and 255 bytes */
#define T0_HEADER	5

/* True if P3 can count the data field; else it takes t0_envelope(). */
static inline bool t0_is_direct(const struct apdu *apdu)
{
	return apdu->data.n <= APDU_SHORT_DATA;
}

/* Only if t0_is_direct(). An Le over 256 becomes 256: the rest comes by 61xx. */
void t0_tpdu_pack(struct packer *p, const struct apdu *apdu);

/*
 * The answer to a TPDU. Return: 0, or -EBADMSG: no status word, one that T=0 does not have, or
 * more data than the TPDU allows.
 */
int t0_answer_check(struct bytes tpdu, struct bytes answer);

/*
 * A part of @command, which is a whole APDU, as the data of an ENVELOPE [7816-4 ENVELOPE]; @cla is
 * the command's own class byte. The last part is the one shorter than @most, empty if need be.
 */
struct apdu t0_envelope(uint8_t cla, struct bytes command, size_t at, size_t most);
