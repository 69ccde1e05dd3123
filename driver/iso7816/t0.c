/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/iso7816/t0.c - Which way the bytes go is not in a TPDU; its length tells: one of five bytes
 * asks for P3 bytes, one with data brings them.
 */
#include "driver/iso7816/t0.h"

#include <errno.h>

enum { INS_ENVELOPE = 0xc2 };

void t0_tpdu_pack(struct packer *p, const struct apdu *apdu)
{
	uint32_t le = apdu->le < APDU_SHORT_LE ? apdu->le : APDU_SHORT_LE;

	if (!t0_is_direct(apdu)) {
		pack_fail(p);
		return;
	}
	pack_u8(p, apdu->cla);
	pack_u8(p, apdu->ins);
	pack_u8(p, apdu->p1);
	pack_u8(p, apdu->p2);
	pack_u8(p, apdu->data.n != 0 ? apdu->data.n : le & 0xff);	/* P3 */
	pack_bytes(p, apdu->data);
}

/*
 * A P3 of 0 is 256 for who reads and none for who has nothing to say; which of the two it was, the
 * TPDU of case 1 and that of case 2 do not tell. So 256 is what a five byte TPDU with it allows.
 */
static size_t most_data(struct bytes tpdu)
{
	if (tpdu.n != T0_HEADER)
		return 0;
	return tpdu.p[T0_HEADER - 1] != 0 ? tpdu.p[T0_HEADER - 1] : APDU_SHORT_LE;
}

/* [7816-3 procedure bytes]: 6X and 9X but for 60, which is NULL and none of ours at this level. */
static bool is_sw1(uint8_t byte)
{
	return byte != 0x60 && ((byte & 0xf0) == 0x60 || (byte & 0xf0) == 0x90);
}

int t0_answer_check(struct bytes tpdu, struct bytes answer)
{
	if (answer.n < 2 || answer.n - 2 > most_data(tpdu))
		return -EBADMSG;
	return is_sw1(answer.p[answer.n - 2]) ? 0 : -EBADMSG;
}

struct apdu t0_envelope(uint8_t cla, struct bytes command, size_t at, size_t most)
{
	return (struct apdu){
		.cla = apdu_interindustry(cla), .ins = INS_ENVELOPE,
		.data = bytes_slice(command, at, most),
	};
}
