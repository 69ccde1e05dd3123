/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/der.h - DER on the sticky cursors: the small subset that statements, items, receipts, key
 * plaintexts and card-verifiable certificates use. Reading accepts one encoding of a value only, so that a signed text has no
 * second form; tags are of one byte or two (0x7f21), lengths definite and minimal, integers not negative.
 */
#pragma once

#include "base/bytes.h"

enum {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_OCTETS = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_ENUMERATED = 0x0a,
	DER_UTF8 = 0x0c,
	DER_SEQUENCE = 0x30,
};

/* The contents of the next value, which must have @tag. */
struct bytes der_take(struct unpacker *u, uint16_t tag);

/* The whole next value, tag and length included, which must have @tag. */
struct bytes der_take_whole(struct unpacker *u, uint16_t tag);

/* Whether a value with @tag comes next; takes nothing. */
bool der_is_next(const struct unpacker *u, uint16_t tag);

/* Walks into the next value; der_leave() refuses bytes left over inside. */
struct unpacker der_enter(struct unpacker *u, uint16_t tag);
void der_leave(struct unpacker *outer, const struct unpacker *inner);

/* INTEGER or ENUMERATED from 0 to @max, else bad. */
uint64_t der_uint(struct unpacker *u, uint64_t max);
uint8_t der_enum(struct unpacker *u);
bool der_bool(struct unpacker *u);

/* Magnitude of a positive INTEGER of any length, big-endian, without the sign byte. */
struct bytes der_big(struct unpacker *u);

/* OCTET STRING of exactly @n bytes, copied. */
void der_copy(struct unpacker *u, uint8_t *out, size_t n);

/* The next value must be UTF8String @text. */
void der_expect_text(struct unpacker *u, const char *text);

/*
 * Writing: der_begin() leaves room for a one-byte length, der_end() widens it once the length is
 * known, so nesting needs no second pass.
 */
struct der_mark {
	size_t at;
};

struct der_mark der_begin(struct packer *p, uint16_t tag);
void der_end(struct packer *p, struct der_mark mark);
void der_put(struct packer *p, uint16_t tag, struct bytes contents);
void der_put_uint(struct packer *p, uint8_t tag, uint64_t v);
void der_put_big(struct packer *p, struct bytes magnitude);
void der_put_bool(struct packer *p, bool v);
void der_put_text(struct packer *p, const char *text);
