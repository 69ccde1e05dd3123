/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The four cases, each short and extended, told apart by the total length and the fifth byte
 * [7816-3 12.1.3]. What fits none of the six forms is a length error; nothing is guessed.
 */
#include "vreader/card/apdu.h"

static size_t short_ne(uint8_t le)
{
	return le != 0 ? le : 256;
}

static size_t extended_ne(uint16_t le)
{
	return le != 0 ? le : 65536;
}

static void parse_short(struct unpacker *u, uint8_t p3, struct apdu *apdu)
{
	if (u->left == 0) {			/* case 2: P3 was Le */
		apdu->ne = short_ne(p3);
		return;
	}
	apdu->data = unpack_bytes(u, p3);
	if (u->left != 0)
		apdu->ne = short_ne(unpack_u8(u));
}

static void parse_extended(struct unpacker *u, struct apdu *apdu)
{
	uint16_t len = unpack_be16(u);

	if (!u->bad && u->left == 0) {		/* case 2 */
		apdu->ne = extended_ne(len);
		return;
	}
	if (len == 0)				/* an empty data field has no Lc */
		unpack_fail(u);
	apdu->data = unpack_bytes(u, len);
	if (u->left != 0)
		apdu->ne = extended_ne(unpack_be16(u));
}

int apdu_parse(struct bytes command, struct apdu *out)
{
	struct unpacker u = unpack_begin(command);
	struct apdu apdu = { 0 };

	apdu.cla = unpack_u8(&u);
	apdu.ins = unpack_u8(&u);
	apdu.p1 = unpack_u8(&u);
	apdu.p2 = unpack_u8(&u);
	if (u.left != 0) {
		uint8_t p3 = unpack_u8(&u);

		if (p3 != 0 || u.left == 0)
			parse_short(&u, p3, &apdu);
		else
			parse_extended(&u, &apdu);
	}
	if (unpack_end(&u) < 0)
		return -EBADMSG;
	*out = apdu;
	return 0;
}
