/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vreader/card/tlv.h"

static size_t tag_len(unsigned int tag)
{
	return tag > 0xff ? 2 : 1;
}

static size_t take_length(struct unpacker *u)
{
	uint8_t first = unpack_u8(u);
	size_t len = first;

	if (first == 0x81) {
		len = unpack_u8(u);
		if (len < 0x80)
			unpack_fail(u);		/* not minimal */
	} else if (first == 0x82) {
		len = unpack_be16(u);
		if (len < 0x100)
			unpack_fail(u);
	} else if (first >= 0x80) {
		unpack_fail(u);			/* indefinite, or longer than any field of ours */
	}
	return len;
}

struct bytes tlv_take(struct unpacker *u, unsigned int tag)
{
	if (unpack_be(u, tag_len(tag)) != tag)
		unpack_fail(u);
	return unpack_bytes(u, take_length(u));
}

struct bytes tlv_take_any(struct unpacker *u, unsigned int *tag)
{
	*tag = unpack_u8(u);
	if ((*tag & 0x1f) == 0x1f)		/* [7816-4 BER-TLV tag fields] */
		*tag = *tag << 8 | unpack_u8(u);
	return unpack_bytes(u, take_length(u));
}

uint64_t tlv_take_number(struct unpacker *u, unsigned int tag, size_t n)
{
	struct bytes value = tlv_take(u, tag);
	struct unpacker v = unpack_begin(value);

	if (value.n != n) {
		unpack_fail(u);
		return 0;
	}
	return unpack_be(&v, n);
}

bool tlv_is_next(const struct unpacker *u, unsigned int tag)
{
	struct unpacker ahead = *u;

	return unpack_be(&ahead, tag_len(tag)) == tag && !ahead.bad;
}

void tlv_put(struct packer *p, unsigned int tag, struct bytes value)
{
	pack_be(p, tag, tag_len(tag));
	if (value.n > 0xffff)
		pack_fail(p);
	else if (value.n > 0xff)
		pack_be(p, 0x820000 | value.n, 3);
	else if (value.n > 0x7f)
		pack_be(p, 0x8100 | value.n, 2);
	else
		pack_u8(p, (uint8_t)value.n);
	pack_bytes(p, value);
}

void tlv_put_number(struct packer *p, unsigned int tag, uint64_t value, size_t n)
{
	uint8_t buf[8];
	struct packer v = pack_begin(buf, sizeof(buf));

	pack_be(&v, value, n);
	tlv_put(p, tag, pack_done(&v));
}
