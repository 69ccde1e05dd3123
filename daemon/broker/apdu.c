/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/apdu.c - By INS alone, in every class: many cards ignore CLA bits, so a proprietary
 * class with the INS of VERIFY cannot be told from VERIFY. ENVELOPE is refused because it wraps any
 * command; class FF because readers take it for themselves, PIN-pad commands included.
 */
#include "daemon/broker/apdu.h"

/*
 * SmartCard-HSM's INITIALIZE DEVICE (80 50) takes an SO-PIN of eight bytes in tag 82 and would be a way
 * to try them beside the budget. GlobalPlatform's INITIALIZE UPDATE has a bare challenge there, and
 * our OFFER a number of one byte.
 */
static bool carries_so_pin(struct bytes apdu)
{
	struct unpacker u = unpack_begin(apdu);
	bool extended;

	unpack_skip(&u, 1);
	if (unpack_u8(&u) != 0x50)
		return false;
	unpack_skip(&u, 2);
	extended = unpack_u8(&u) == 0 && u.left > 2;
	if (extended)
		unpack_skip(&u, 2);
	while (!u.bad && u.left >= 2) {
		uint8_t tag = unpack_u8(&u);
		size_t n = unpack_u8(&u);

		/* No card should take these forms for so few bytes; that is not to be relied on. */
		if (n == 0x81)
			n = unpack_u8(&u);
		else if (n == 0x82)
			n = unpack_be16(&u);
		if (tag == 0x82 && n == 8 && u.left >= 8)
			return true;
		unpack_skip(&u, n);
	}
	return false;
}

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
	return carries_so_pin(apdu) ? -EACCES : 0;
}

/*
 * Secure messaging by its class bits [7816-4 class byte]: 4 and 3 in the first range, interindustry
 * or not, where GlobalPlatform has its own, too; 6 in the further one.
 */
static bool is_protected(uint8_t cla)
{
	return (cla & 0x40) ? (cla & 0x20) != 0 : (cla & 0x0c) != 0;
}

/* Selects, asks, proves who one is, or carries what was sealed for the card. SmartCard-HSM has its
 * shares and key domains in 80 52: the right to relay is full rights on the card. */
static bool is_set_up(uint8_t cla, uint8_t ins, uint16_t p1p2)
{
	static const uint8_t interindustry[] = {
		0x22,		/* [7816-4 MANAGE SECURITY ENVIRONMENT] */
		0x82, 0x88,	/* [7816-4 EXTERNAL or MUTUAL, INTERNAL AUTHENTICATE] */
		0x84,		/* [7816-4 GET CHALLENGE] */
		0x86, 0x87,	/* [7816-4 GENERAL AUTHENTICATE] */
		0xa4,		/* [7816-4 SELECT] */
		0xc0,		/* [7816-4 GET RESPONSE] */
		0xca, 0xcb,	/* [7816-4 GET DATA] */
	};
	static const uint8_t proprietary[] = {
		0x50,		/* [GlobalPlatform INITIALIZE UPDATE], [card-application OFFER] */
		0x52, 0x54, 0x56, 0x58, 0x5c,	/* [card-application 5] session, item, receipt */
		0x82, 0x88,	/* [GlobalPlatform EXTERNAL, INTERNAL AUTHENTICATE] */
		0xca,		/* [GlobalPlatform GET DATA] */
	};
	bool own = cla & 0x80;
	const uint8_t *set = own ? proprietary : interindustry;
	size_t n = own ? sizeof(proprietary) : sizeof(interindustry);

	if (!own && ins == 0x2a)	/* [7816-8 VERIFY CERTIFICATE] alone of its family */
		return p1p2 == 0x00ae || p1p2 == 0x00be;
	/* [7816-4 READ BINARY, odd INS] of one file: a SmartCard-HSM's device certificate, by which a server
	 * knows whom it agrees with. Elsewhere 2F02 is EF.GDO, the card's serial: public, too. */
	if (cla == 0x00 && ins == 0xb1)
		return p1p2 == 0x2f02;
	return memchr(set, ins, n) != NULL;
}

int apdu_screen_relay(struct bytes apdu, uint8_t *ins)
{
	struct unpacker u = unpack_begin(apdu);
	uint8_t cla = unpack_u8(&u);
	uint16_t p1p2;

	*ins = unpack_u8(&u);
	p1p2 = unpack_be16(&u);
	if (u.bad || apdu.n > APDU_MAX)
		return -EINVAL;
	if (cla == 0xff)
		return -EACCES;
	if (is_protected(cla))
		return 0;
	return is_set_up(cla, *ins, p1p2) && !carries_so_pin(apdu) ? 0 : -EACCES;
}
