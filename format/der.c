/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/der.c - Every reader ends in take_header(), the only place that decodes a length; every
 * writer in der_begin() and der_end(). A value out of form marks the cursor bad.
 */
#include "format/der.h"

/* [X.690 8.1.3, 10.1]: definite, in the fewest bytes; three are enough for 64 KiB items. */
static size_t take_length(struct unpacker *u)
{
	uint8_t first = unpack_u8(u);
	size_t len, least;

	if (first < 0x80)
		return first;
	if (first == 0x81) {
		len = unpack_u8(u);
		least = 0x80;
	} else if (first == 0x82) {
		len = unpack_be16(u);
		least = 0x100;
	} else {
		unpack_fail(u);
		return 0;
	}
	if (len < least)
		unpack_fail(u);
	return len;
}

static size_t tag_size(uint16_t tag)
{
	return tag > 0xff ? 2 : 1;
}

static size_t take_header(struct unpacker *u, uint16_t tag)
{
	if (unpack_be(u, tag_size(tag)) != tag)
		unpack_fail(u);
	return take_length(u);
}

struct bytes der_take(struct unpacker *u, uint16_t tag)
{
	size_t len = take_header(u, tag);

	return unpack_bytes(u, len);
}

struct bytes der_take_whole(struct unpacker *u, uint16_t tag)
{
	const uint8_t *start = u->p;
	struct bytes contents = der_take(u, tag);

	if (u->bad)
		return BYTES_NONE;
	(void)contents;
	return BYTES(start, (size_t)(u->p - start));
}

bool der_is_next(const struct unpacker *u, uint16_t tag)
{
	struct unpacker ahead = *u;

	return unpack_be(&ahead, tag_size(tag)) == tag && !ahead.bad;
}

struct unpacker der_enter(struct unpacker *u, uint16_t tag)
{
	struct unpacker inner = unpack_begin(der_take(u, tag));

	inner.bad = u->bad;
	return inner;
}

void der_leave(struct unpacker *outer, const struct unpacker *inner)
{
	if (unpack_end(inner) < 0)
		unpack_fail(outer);
}

/* [X.690 8.3.2]: no needless leading zero, and no negative numbers here. */
static struct bytes take_magnitude(struct unpacker *u, uint8_t tag)
{
	struct bytes b = der_take(u, tag);

	if (b.n == 0 || b.p[0] >= 0x80 || (b.n > 1 && b.p[0] == 0 && b.p[1] < 0x80)) {
		unpack_fail(u);
		return BYTES_NONE;
	}
	return b.n > 1 && b.p[0] == 0 ? BYTES(b.p + 1, b.n - 1) : b;
}

static uint64_t take_number(struct unpacker *u, uint8_t tag, uint64_t max)
{
	struct bytes b = take_magnitude(u, tag);
	struct unpacker digits = unpack_begin(b);
	uint64_t v;

	if (b.n > 8) {
		unpack_fail(u);
		return 0;
	}
	v = unpack_be(&digits, b.n);
	if (v > max) {
		unpack_fail(u);
		return 0;
	}
	return v;
}

uint64_t der_uint(struct unpacker *u, uint64_t max)
{
	return take_number(u, DER_INTEGER, max);
}

uint8_t der_enum(struct unpacker *u)
{
	return (uint8_t)take_number(u, DER_ENUMERATED, 0x7f);
}

bool der_bool(struct unpacker *u)
{
	struct bytes b = der_take(u, DER_BOOLEAN);

	if (b.n != 1 || (b.p[0] != 0 && b.p[0] != 0xff)) {
		unpack_fail(u);
		return false;
	}
	return b.p[0] != 0;
}

struct bytes der_big(struct unpacker *u)
{
	struct bytes b = take_magnitude(u, DER_INTEGER);

	if (b.n == 1 && b.p[0] == 0) {
		unpack_fail(u);
		return BYTES_NONE;
	}
	return b;
}

void der_copy(struct unpacker *u, uint8_t *out, size_t n)
{
	struct bytes b = der_take(u, DER_OCTETS);

	memset(out, 0, n);
	if (b.n != n)
		unpack_fail(u);
	else if (n != 0)
		memcpy(out, b.p, n);
}

void der_expect_text(struct unpacker *u, const char *text)
{
	if (!bytes_equal(der_take(u, DER_UTF8), BYTES(text, strlen(text))))
		unpack_fail(u);
}

struct der_mark der_begin(struct packer *p, uint16_t tag)
{
	pack_be(p, tag, tag_size(tag));
	pack_u8(p, 0);
	return (struct der_mark){ p->n };
}

void der_end(struct packer *p, struct der_mark mark)
{
	size_t len = p->n - mark.at;
	size_t extra = len < 0x80 ? 0 : len < 0x100 ? 1 : 2;
	uint8_t *body;

	if (len > 0xffff)
		pack_fail(p);
	(void)pack_reserve(p, extra);
	if (p->bad)
		return;
	body = p->p + mark.at;
	memmove(body + extra, body, len);
	if (extra == 0) {
		body[-1] = (uint8_t)len;
	} else if (extra == 1) {
		body[-1] = 0x81;
		body[0] = (uint8_t)len;
	} else {
		body[-1] = 0x82;
		body[0] = (uint8_t)(len >> 8);
		body[1] = (uint8_t)len;
	}
}

void der_put(struct packer *p, uint16_t tag, struct bytes contents)
{
	struct der_mark mark = der_begin(p, tag);

	pack_bytes(p, contents);
	der_end(p, mark);
}

void der_put_uint(struct packer *p, uint8_t tag, uint64_t v)
{
	struct der_mark mark = der_begin(p, tag);
	size_t n = 1;

	while (n < 8 && v >> (8 * n) != 0)
		n++;
	if (v >> (8 * n - 1) != 0)
		pack_u8(p, 0);		/* the sign bit is taken */
	pack_be(p, v, n);
	der_end(p, mark);
}

void der_put_big(struct packer *p, struct bytes magnitude)
{
	struct der_mark mark = der_begin(p, DER_INTEGER);

	while (magnitude.n > 1 && magnitude.p[0] == 0)
		magnitude = BYTES(magnitude.p + 1, magnitude.n - 1);
	if (magnitude.n == 0 || magnitude.p[0] >= 0x80)
		pack_u8(p, 0);
	pack_bytes(p, magnitude);
	der_end(p, mark);
}

void der_put_bool(struct packer *p, bool v)
{
	uint8_t contents = v ? 0xff : 0;

	der_put(p, DER_BOOLEAN, BYTES(&contents, 1));
}

void der_put_text(struct packer *p, const char *text)
{
	der_put(p, DER_UTF8, BYTES(text, strlen(text)));
}
