/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/iso7816/atr.c - The interface bytes come in groups TAi TBi TCi TDi, each announced by the
 * TD before; what a group means hangs on the protocol that TD named. 33 bytes bound the walk.
 */
#include "driver/iso7816/atr.h"

#include <errno.h>

#define CLOCK_DEFAULT_KHZ	3580u	/* for readers that give 0 */
#define ETU_CLOCKS		372u

enum { HAS_TA = 0x10, HAS_TB = 0x20, HAS_TC = 0x40, HAS_TD = 0x80 };

static const uint16_t f_table[16] = {
	372, 372, 558, 744, 1116, 1488, 1860, 0, 0, 512, 768, 1024, 1536, 2048, 0, 0,
};
static const uint8_t d_table[16] = { 0, 1, 2, 4, 8, 16, 32, 64, 12, 20 };

/* What has been seen of groups that may come several times: the first counts. */
struct seen {
	bool t1_ta, t1_tb, t1_tc, other_than_t0;
};

static void take_ifsc(struct atr *atr, uint8_t ifsc)
{
	if (ifsc == 0 || ifsc == 255)		/* reserved; both are in the field */
		atr->warnings |= ATR_WARN_RANGE;
	atr->ifsc = ifsc == 0 ? 32 : ifsc == 255 ? 254 : ifsc;
}

static void take_waiting(struct atr *atr, uint8_t tb)
{
	atr->bwi = tb >> 4;
	atr->cwi = tb & 0x0f;
	if (atr->bwi > 9) {
		atr->bwi = 9;
		atr->warnings |= ATR_WARN_RANGE;
	}
}

static void take_mode(struct atr *atr, uint8_t ta2)
{
	atr->specific = true;
	atr->specific_protocol = ta2 & 0x0f;
	atr->implicit = (ta2 & 0x10) != 0;
}

static void take_wi(struct atr *atr, uint8_t wi)
{
	if (wi == 0)
		atr->warnings |= ATR_WARN_RANGE;
	else
		atr->wi = wi;
}

/* Group 3 and up, and group 2's TB: specific to protocol @t. */
static void take_specific(struct atr *atr, struct seen *seen, unsigned int t, uint8_t which,
			  uint8_t value)
{
	if (t == 1 && which == HAS_TA && !seen->t1_ta) {
		seen->t1_ta = true;
		take_ifsc(atr, value);
	} else if (t == 1 && which == HAS_TB && !seen->t1_tb) {
		seen->t1_tb = true;
		take_waiting(atr, value);
	} else if (t == 1 && which == HAS_TC && !seen->t1_tc) {
		seen->t1_tc = true;
		atr->crc = (value & 1) != 0;
	} else if (t == 15 && which == HAS_TA) {
		atr->clock_stop = value >> 6;
	}
}

static void take_byte(struct atr *atr, struct seen *seen, unsigned int group, unsigned int t,
		      uint8_t which, uint8_t value)
{
	if (group == 1 && which == HAS_TA)
		atr->fidi = value;
	else if (group == 1 && which == HAS_TC)
		atr->guard = value;
	else if (group == 2 && which == HAS_TA)
		take_mode(atr, value);
	else if (group == 2 && which == HAS_TC)
		take_wi(atr, value);
	else if (group >= 3)
		take_specific(atr, seen, t, which, value);
}

static void take_protocol(struct atr *atr, struct seen *seen, unsigned int group, unsigned int t,
			  unsigned int before)
{
	seen->other_than_t0 |= t != 0;
	if (group > 1 && t < before)
		atr->warnings |= ATR_WARN_ORDER;
	if (t == 15) {
		if (group == 1)
			atr->warnings |= ATR_WARN_ORDER;
		return;
	}
	if (atr->protocols == 0)
		atr->first = (uint8_t)t;
	atr->protocols |= (uint16_t)(1u << t);
}

static void walk_groups(struct unpacker *u, struct atr *atr, struct seen *seen, uint8_t y)
{
	unsigned int t = 0;

	for (unsigned int group = 1; y != 0; group++) {
		uint8_t td = 0;

		for (uint8_t which = HAS_TA; which < HAS_TD; which = (uint8_t)(which << 1))
			if (y & which)
				take_byte(atr, seen, group, t, which, unpack_u8(u));
		if (y & HAS_TD) {
			td = unpack_u8(u);
			take_protocol(atr, seen, group, td & 0x0fu, t);
			t = td & 0x0fu;
		}
		y = u->bad ? 0 : td & 0xf0;
	}
}

/* [7816-4 historical bytes]: compact TLV behind category 0x80 or 0x00, tag 7 is capabilities. */
static void take_capabilities(struct atr *atr)
{
	struct unpacker u = unpack_begin(BYTES(atr->historical, atr->historical_n));
	uint8_t category = unpack_u8(&u);

	if (category != 0x80 && category != 0x00)
		return;
	while (u.left != 0) {
		uint8_t tag = unpack_u8(&u);
		struct bytes value = unpack_bytes(&u, tag & 0x0f);

		if (u.bad)
			return;
		if (tag >> 4 != 7)
			continue;
		atr->has_capabilities = true;
		if (value.n >= 3) {
			atr->chaining = (value.p[2] & 0x80) != 0;
			atr->extended = (value.p[2] & 0x40) != 0;
		}
		return;
	}
}

static uint8_t xor_of(struct bytes b)
{
	uint8_t x = 0;

	for (size_t i = 0; i < b.n; i++)
		x ^= b.p[i];
	return x;
}

/* @covered: T0 to the last historical byte. */
static void judge_end(struct unpacker *u, struct atr *atr, struct bytes covered, bool due)
{
	if (due) {
		if (u->left == 0)
			atr->warnings |= ATR_WARN_NO_CHECKSUM;
		else if (xor_of(covered) != unpack_u8(u))
			atr->warnings |= ATR_WARN_CHECKSUM;
	}
	if (unpack_rest(u).n != 0)
		atr->warnings |= ATR_WARN_TRAILING;
}

int atr_parse(struct bytes raw, struct atr *out)
{
	struct atr atr = {
		.fidi = FIDI_DEFAULT, .wi = 10, .ifsc = 32, .bwi = 4, .cwi = 13,
	};
	struct unpacker u = unpack_begin(raw), copy = unpack_begin(raw);
	struct seen seen = { 0 };
	uint8_t ts, t0;

	if (raw.n < 2 || raw.n > ATR_MAX)
		return -EBADMSG;
	ts = unpack_u8(&u);
	if (ts != 0x3b && ts != 0x3f)
		return -EBADMSG;
	atr.inverse = ts == 0x3f;
	t0 = unpack_u8(&u);
	walk_groups(&u, &atr, &seen, t0 & 0xf0);
	if (atr.protocols == 0)			/* no TD1, or T=15 alone */
		atr.protocols = 1;
	atr.historical_n = t0 & 0x0f;
	unpack_copy(&u, atr.historical, atr.historical_n);
	if (u.bad)
		return -EBADMSG;
	judge_end(&u, &atr, bytes_slice(raw, 1, raw.n - u.left - 1), seen.other_than_t0);
	take_capabilities(&atr);
	atr.raw_n = raw.n;
	unpack_copy(&copy, atr.raw, raw.n);
	*out = atr;
	return 0;
}

uint32_t iso_rate(uint8_t fidi, uint32_t clock_khz)
{
	uint32_t f = f_table[fidi >> 4], d = d_table[fidi & 0x0f];
	uint64_t rate;

	if (f == 0 || d == 0)
		return 0;
	rate = (uint64_t)clock_khz * 1000 * d / f;
	return rate < UINT32_MAX ? (uint32_t)rate : UINT32_MAX;
}

uint32_t iso_etu_ms(uint64_t etus, uint8_t fidi, uint32_t clock_khz)
{
	uint64_t f = f_table[fidi >> 4], d = d_table[fidi & 0x0f], ms;

	if (f == 0 || d == 0) {
		f = ETU_CLOCKS;
		d = 1;
	}
	if (clock_khz == 0)
		clock_khz = CLOCK_DEFAULT_KHZ;
	ms = (etus * f + d * clock_khz - 1) / (d * clock_khz);
	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

/* [7816-3 BWT]: 11 etu + 2^BWI * 960 * 372 / f */
uint32_t atr_bwt_ms(const struct atr *atr, uint8_t fidi, uint32_t clock_khz)
{
	return iso_etu_ms(11, fidi, clock_khz) +
	       iso_etu_ms((uint64_t)960 << atr->bwi, FIDI_DEFAULT, clock_khz);
}

/* [7816-3 WT]: WI * 960 * Fi / f, which is that many etu at D = 1 */
uint32_t atr_wwt_ms(const struct atr *atr, uint8_t fidi, uint32_t clock_khz)
{
	return iso_etu_ms(960u * atr->wi, (uint8_t)((fidi & 0xf0) | 1), clock_khz);
}
