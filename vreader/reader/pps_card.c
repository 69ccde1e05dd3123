/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * [7816-3 9]. Of the two speeds that the card could run at, the ATR's and the default, it takes either.
 */
#include "vreader/reader/pps_card.h"

enum { HAS_PPS1 = 0x10, HAS_PPS2 = 0x20, HAS_PPS3 = 0x40 };

int pps_card_judge(struct bytes request, uint8_t protocol, uint8_t most, uint8_t *fidi)
{
	struct unpacker u = unpack_begin(request);
	uint8_t agreed = PPS_FIDI_DEFAULT, pps0, sum = 0;

	unpack_skip(&u, 1);			/* PPSS, FF */
	pps0 = unpack_u8(&u);
	if (pps0 & HAS_PPS1)
		agreed = unpack_u8(&u);
	unpack_skip(&u, !!(pps0 & HAS_PPS2) + !!(pps0 & HAS_PPS3) + 1u);	/* and PCK */
	for (size_t i = 0; i < request.n; i++)
		sum ^= request.p[i];
	if (unpack_end(&u) < 0 || sum != 0 || (pps0 & 0x8f) != protocol)
		return -EBADMSG;
	if (agreed != PPS_FIDI_DEFAULT && agreed != most)
		return -EBADMSG;
	*fidi = agreed;
	return 0;
}
