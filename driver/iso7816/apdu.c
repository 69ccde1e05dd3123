/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/iso7816/apdu.c - A length field of 0 means its maximum; an absent one means none.
 */
#include "driver/iso7816/apdu.h"

#include <errno.h>

static void pack_short(struct packer *p, const struct apdu *apdu)
{
	if (apdu->data.n != 0) {
		pack_u8(p, (uint8_t)apdu->data.n);
		pack_bytes(p, apdu->data);
	}
	if (apdu->le != 0)
		pack_u8(p, (uint8_t)apdu->le);		/* 256 becomes 00 */
}

static void pack_extended(struct packer *p, const struct apdu *apdu)
{
	pack_u8(p, 0);
	if (apdu->data.n != 0) {
		pack_be16(p, (uint16_t)apdu->data.n);
		pack_bytes(p, apdu->data);
	}
	if (apdu->le != 0)
		pack_be16(p, (uint16_t)apdu->le);	/* 65536 becomes 0000 */
}

void apdu_pack(struct packer *p, const struct apdu *apdu)
{
	if (apdu->data.n > UINT16_MAX || apdu->le > APDU_LE_MAX) {
		pack_fail(p);
		return;
	}
	pack_u8(p, apdu->cla);
	pack_u8(p, apdu->ins);
	pack_u8(p, apdu->p1);
	pack_u8(p, apdu->p2);
	if (apdu_is_short(apdu))
		pack_short(p, apdu);
	else
		pack_extended(p, apdu);
}

static uint32_t le_or(uint32_t le, uint32_t most)
{
	return le != 0 ? le : most;
}

/* @u stands behind P2. */
static void parse_short(struct unpacker *u, struct apdu *apdu)
{
	if (u->left == 1) {
		apdu->le = le_or(unpack_u8(u), APDU_SHORT_LE);
		return;
	}
	apdu->data = unpack_bytes(u, unpack_u8(u));
	if (u->left != 0)
		apdu->le = le_or(unpack_u8(u), APDU_SHORT_LE);
}

/* @u stands behind the 00 that announces the extended form. */
static void parse_extended(struct unpacker *u, struct apdu *apdu)
{
	size_t len;

	if (u->left == 2) {
		apdu->le = le_or(unpack_be16(u), APDU_LE_MAX);
		return;
	}
	len = unpack_be16(u);
	if (len == 0)
		unpack_fail(u);
	apdu->data = unpack_bytes(u, len);
	if (u->left != 0)
		apdu->le = le_or(unpack_be16(u), APDU_LE_MAX);
}

int apdu_parse(struct bytes raw, struct apdu *out, bool *extended)
{
	struct unpacker u = unpack_begin(raw);
	struct apdu apdu = { 0 };
	bool is_extended = false;

	apdu.cla = unpack_u8(&u);
	apdu.ins = unpack_u8(&u);
	apdu.p1 = unpack_u8(&u);
	apdu.p2 = unpack_u8(&u);
	if (u.left > 1 && unpack_peek(&u) == 0) {
		is_extended = true;
		unpack_skip(&u, 1);
		parse_extended(&u, &apdu);
	} else if (u.left != 0) {
		parse_short(&u, &apdu);
	}
	if (unpack_end(&u) < 0)
		return -EBADMSG;
	*out = apdu;
	if (extended)
		*extended = is_extended;
	return 0;
}

int apdu_response_parse(struct bytes raw, struct apdu_response *out)
{
	struct unpacker u = unpack_begin(raw);
	struct apdu_response response;

	if (raw.n < 2 || raw.n > APDU_RESPONSE_MAX)
		return -EBADMSG;
	response.data = unpack_bytes(&u, raw.n - 2);
	response.sw = unpack_be16(&u);
	*out = response;
	return 0;
}
