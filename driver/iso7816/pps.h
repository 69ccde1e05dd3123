/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/iso7816/pps.h - The protocol and parameters selection, for readers that leave it to the
 * host. Two pure functions: the request, and what the answer means.
 */
#pragma once

#include "base/bytes.h"

#define PPS_MAX 4	/* PPSS, PPS0, PPS1, PCK: we ask for nothing else */

/* [7816-3 PPS]: @fidi goes in as PPS1 unless it is the default. */
void pps_pack(struct packer *p, uint8_t protocol, uint8_t fidi);

/*
 * Return: 0 and the speed agreed on: @fidi if echoed, the default if PPS1 was left out; -EBADMSG
 * anything else: the card must be reset.
 */
int pps_parse(struct bytes answer, uint8_t protocol, uint8_t fidi, uint8_t *agreed);
