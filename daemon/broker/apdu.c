/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/apdu.c - By INS alone, in every class: many cards ignore CLA bits, so a proprietary
 * class with the INS of VERIFY cannot be told from VERIFY. ENVELOPE is refused because it wraps any
 * command; class FF because readers take it for themselves, PIN-pad commands included.
 */
#include "daemon/broker/apdu.h"

int apdu_screen(struct bytes apdu, uint8_t *ins)
{
	static const uint8_t refused[] = {
		0x20, 0x21,	/* [7816-4 VERIFY] */
		0x24, 0x25,	/* [7816-4 CHANGE REFERENCE DATA] */
		0x26, 0x28,	/* [7816-4 DISABLE, ENABLE VERIFICATION REQUIREMENT] */
		0x2c, 0x2d,	/* [7816-4 RESET RETRY COUNTER] */
		0xc2, 0xc3,	/* [7816-4 ENVELOPE] */
	};
	struct unpacker u = unpack_begin(apdu);
	uint8_t cla = unpack_u8(&u);

	*ins = unpack_u8(&u);
	unpack_skip(&u, 2);
	if (u.bad || apdu.n > APDU_MAX)
		return -EINVAL;
	if (cla == 0xff)
		return -EACCES;
	for (size_t i = 0; i < sizeof(refused); i++)
		if (*ins == refused[i])
			return -EACCES;
	return 0;
}
