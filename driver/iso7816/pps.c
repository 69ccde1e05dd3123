/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/iso7816/pps.c - The answer may echo the request or leave PPS1 out; nothing else is agreed.
 */
#include "driver/iso7816/pps.h"

#include "driver/iso7816/atr.h"

#include <errno.h>

enum { PPSS = 0xff, HAS_PPS1 = 0x10 };

void pps_pack(struct packer *p, uint8_t protocol, uint8_t fidi)
{
	uint8_t pps0 = protocol & 0x0f;

	if (fidi != FIDI_DEFAULT)
		pps0 |= HAS_PPS1;
	pack_u8(p, PPSS);
	pack_u8(p, pps0);
	if (pps0 & HAS_PPS1)
		pack_u8(p, fidi);
	pack_u8(p, pps0 & HAS_PPS1 ? PPSS ^ pps0 ^ fidi : PPSS ^ pps0);
}

int pps_parse(struct bytes answer, uint8_t protocol, uint8_t fidi, uint8_t *agreed)
{
	uint8_t full[PPS_MAX], bare[PPS_MAX];
	struct packer p = pack_begin(full, sizeof(full)), q = pack_begin(bare, sizeof(bare));

	pps_pack(&p, protocol, fidi);
	pps_pack(&q, protocol, FIDI_DEFAULT);
	if (bytes_equal(answer, pack_done(&p)))
		*agreed = fidi;
	else if (bytes_equal(answer, pack_done(&q)))
		*agreed = FIDI_DEFAULT;
	else
		return -EBADMSG;
	return 0;
}
