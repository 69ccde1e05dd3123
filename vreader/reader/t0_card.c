/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rules are those of [7816-3 12.2]. Case 1 and case 2 with the greatest Le are the same five bytes; the
 * card behind takes an Le it has no use for, so both become case 2.
 */
#include "vreader/reader/t0_card.h"

#include "base/secret.h"

enum {
	INS_ENVELOPE = 0xc2,
	INS_GET_RESPONSE = 0xc0,
	SW_OK = 0x9000,
	SW_WRONG_LENGTH = 0x6700,
	SW_CONDITIONS = 0x6985,
	SW_WRONG_LE = 0x6c00,
	SW_MORE = 0x6100,
	P3 = 4,
};

static void say(struct t0_card *t0, struct bytes data, unsigned int sw)
{
	struct packer p = pack_begin(t0->out, sizeof(t0->out));

	pack_bytes(&p, data);
	pack_be16(&p, sw);
	assert(pack_end(&p) == 0);
	t0->out_len = p.n;
}

static enum t0_next refuse(struct t0_card *t0, unsigned int sw)
{
	say(t0, BYTES_NONE, sw);
	return T0_SEND;
}

static void drop_command(struct t0_card *t0)
{
	wipe(t0->command.p, t0->command.n);	/* it may have carried a PIN */
	t0->command.n = 0;
	t0->command.bad = false;
	t0->enveloping = false;
}

static size_t wanted(const uint8_t *header)
{
	return header[P3] != 0 ? header[P3] : 256;
}

/* What was held back, if it is now asked for as 6Cxx or 61xx said. */
static bool fits_kept(const struct t0_card *t0, struct bytes tpdu)
{
	return t0->kept.n != 0 && tpdu.n == T0_HEADER_LEN &&
	       memcmp(tpdu.p, t0->header, P3) == 0 && wanted(tpdu.p) == t0->kept.n - 2;
}

static enum t0_next give_kept(struct t0_card *t0)
{
	struct packer p = pack_begin(t0->out, sizeof(t0->out));

	pack_bytes(&p, t0->kept);
	t0->out_len = p.n;
	t0->kept = BYTES_NONE;
	return T0_SEND;
}

/* True if the extended APDU in the envelopes has all of its data; Le is of no use at T=0. */
static bool is_whole(struct t0_card *t0)
{
	struct unpacker u = unpack_begin(t0_card_command(t0));
	size_t len;

	unpack_skip(&u, 4);
	if (unpack_u8(&u) != 0)
		return true;		/* a short one, or none: the card judges it */
	len = unpack_be16(&u);
	unpack_skip(&u, len);
	if (u.bad)
		return false;
	t0->command.n -= u.left;
	return true;
}

static enum t0_next on_envelope(struct t0_card *t0, struct bytes part)
{
	if (!t0->enveloping)
		drop_command(t0);
	t0->enveloping = true;
	pack_bytes(&t0->command, part);
	if (t0->command.bad || (part.n == 0 && !is_whole(t0))) {
		drop_command(t0);
		return refuse(t0, SW_WRONG_LENGTH);
	}
	if (part.n == T0_DATA_MAX || !is_whole(t0))
		return refuse(t0, SW_OK);
	t0->enveloping = false;
	return T0_RUN;
}

enum t0_next t0_card_tpdu(struct t0_card *t0, struct bytes tpdu)
{
	struct unpacker u = unpack_begin(tpdu);
	bool kept = fits_kept(t0, tpdu);
	struct bytes data;

	unpack_copy(&u, t0->header, sizeof(t0->header));
	data = unpack_rest(&u);
	if (kept)
		return give_kept(t0);
	t0->kept = BYTES_NONE;
	t0->brought_data = data.n != 0 || t0->header[1] == INS_ENVELOPE;
	if (u.bad || (data.n != 0 && data.n != t0->header[P3])) {
		drop_command(t0);
		return refuse(t0, SW_WRONG_LENGTH);
	}
	if (t0->header[1] == INS_ENVELOPE)
		return on_envelope(t0, data);
	drop_command(t0);
	pack_bytes(&t0->command, tpdu);		/* the five bytes of case 2 are those of the TPDU */
	return T0_RUN;
}

/* Until it is asked for by the header that goes with @sw1, or by anything else. */
static void hold(struct t0_card *t0, struct bytes response, unsigned int sw1)
{
	t0->kept = response;
	say(t0, BYTES_NONE, sw1 | ((response.n - 2) & 0xff));
}

void t0_card_answer(struct t0_card *t0, struct bytes response)
{
	size_t data = response.n - 2;

	assert(response.n >= 2);
	if (data > 256) {	/* more than any T=0 command can fetch at once */
		say(t0, BYTES_NONE, SW_CONDITIONS);
		return;
	}
	if (data != 0 && t0->brought_data) {
		t0->header[1] = INS_GET_RESPONSE;	/* in the same class */
		t0->header[2] = t0->header[3] = 0;
		hold(t0, response, SW_MORE);
		return;
	}
	if (data != 0 && data != wanted(t0->header)) {
		hold(t0, response, SW_WRONG_LE);
		return;
	}
	t0->kept = response;
	(void)give_kept(t0);
}

void t0_card_sent(struct t0_card *t0)
{
	wipe(t0->out, t0->out_len);
	t0->out_len = 0;
}

void t0_card_init(struct t0_card *t0, uint8_t *buf, size_t cap)
{
	wipe(t0->out, sizeof(t0->out));
	*t0 = (struct t0_card){ .command = pack_begin(buf, cap) };
}
