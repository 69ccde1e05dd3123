/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/iso7816/tlv.c - One way to write each tag and each length, and only that one is read.
 */
#include "driver/iso7816/tlv.h"

#include <errno.h>

#define MORE_TAG	0x1f	/* in the first byte: the number follows */
#define MORE_BYTES	0x80	/* in a later byte: another follows */

static uint32_t unpack_tag(struct unpacker *u)
{
	uint32_t tag = unpack_u8(u);
	uint8_t next;

	if (tag == 0x00 || tag == 0xff)		/* [7816-4]: padding, never a tag */
		unpack_fail(u);
	if ((tag & MORE_TAG) != MORE_TAG)
		return tag;
	next = unpack_u8(u);
	/* Numbers below 31 fit into the first byte, and leading zeros are no number. */
	if (next < MORE_TAG || next == MORE_BYTES)
		unpack_fail(u);
	tag = tag << 8 | next;
	if (!(next & MORE_BYTES))
		return tag;
	next = unpack_u8(u);
	if (next & MORE_BYTES)
		unpack_fail(u);
	return tag << 8 | next;
}

static size_t unpack_length(struct unpacker *u)
{
	uint8_t first = unpack_u8(u);
	size_t len;

	if (first < 0x80)
		return first;
	if (first == 0x81) {
		len = unpack_u8(u);
		if (len < 0x80)
			unpack_fail(u);
		return len;
	}
	len = unpack_be16(u);
	if (first != 0x82 || len < 0x100)
		unpack_fail(u);
	return len;
}

int tlv_next(struct unpacker *u, struct tlv *out)
{
	struct tlv tlv;
	size_t len;

	if (u->left == 0)
		return u->bad ? -EBADMSG : 0;
	tlv.tag = unpack_tag(u);
	len = unpack_length(u);
	tlv.value = unpack_bytes(u, len);
	if (u->bad)
		return -EBADMSG;
	*out = tlv;
	return 1;
}

int tlv_find(struct bytes b, uint32_t tag, struct bytes *out)
{
	struct unpacker u = unpack_begin(b);
	struct bytes found = BYTES_NONE;
	unsigned int n = 0;
	struct tlv tlv;
	int r;

	while ((r = tlv_next(&u, &tlv)) > 0) {
		if (tlv.tag == tag) {
			found = tlv.value;
			n++;
		}
	}
	if (r < 0 || n > 1)
		return -EBADMSG;
	if (n == 0)
		return -ENOENT;
	*out = found;
	return 0;
}

int tlv_only(struct bytes b, uint32_t tag, struct bytes *out)
{
	struct unpacker u = unpack_begin(b);
	struct tlv tlv;

	if (tlv_next(&u, &tlv) <= 0 || tlv.tag != tag || unpack_end(&u) < 0)
		return -EBADMSG;
	*out = tlv.value;
	return 0;
}

static size_t tag_len(uint32_t tag)
{
	return tag > 0xffff ? 3 : tag > 0xff ? 2 : 1;
}

static size_t length_len(size_t n)
{
	return n > 0xff ? 3 : n > 0x7f ? 2 : 1;
}

size_t tlv_size(uint32_t tag, size_t n)
{
	return tag_len(tag) + length_len(n) + n;
}

void tlv_pack_head(struct packer *p, uint32_t tag, size_t n)
{
	if (n > UINT16_MAX)
		pack_fail(p);
	pack_be(p, tag, tag_len(tag));
	if (n > 0xff) {
		pack_u8(p, 0x82);
		pack_be16(p, (uint16_t)n);
	} else {
		if (n > 0x7f)
			pack_u8(p, 0x81);
		pack_u8(p, (uint8_t)n);
	}
}

void tlv_pack(struct packer *p, uint32_t tag, struct bytes value)
{
	tlv_pack_head(p, tag, value.n);
	pack_bytes(p, value);
}
