/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/fields.h - Data objects in a fixed order, as our card page asks for it: the objects
 * shown, none twice, nothing behind the last. Sticky like the cursors under it.
 */
#pragma once

#include "driver/iso7816/tlv.h"

/* Whether the next object has @tag; takes nothing. */
static inline bool field_is_next(const struct unpacker *u, uint32_t tag)
{
	struct unpacker probe = *u;
	struct tlv tlv;

	return tlv_next(&probe, &tlv) == 1 && tlv.tag == tag;
}

/* The contents of the next object, which must have @tag. */
static inline struct bytes field_take(struct unpacker *u, uint32_t tag)
{
	struct tlv tlv;

	if (u->bad || tlv_next(u, &tlv) != 1 || tlv.tag != tag) {
		unpack_fail(u);
		return BYTES_NONE;
	}
	return tlv.value;
}

/* Walks into the next object, which must be the last in @u. */
static inline struct unpacker field_enter_last(struct unpacker *u, uint32_t tag)
{
	struct unpacker inner = unpack_begin(field_take(u, tag));

	if (unpack_end(u) < 0)
		unpack_fail(&inner);
	return inner;
}

/* A number in exactly @n bytes. */
static inline uint64_t field_take_uint(struct unpacker *u, uint32_t tag, size_t n)
{
	struct bytes b = field_take(u, tag);
	struct unpacker v = unpack_begin(b);

	if (b.n != n) {
		unpack_fail(u);
		return 0;
	}
	return unpack_be(&v, n);
}

static inline void field_put_uint(struct packer *p, uint32_t tag, uint64_t v, size_t n)
{
	tlv_pack_head(p, tag, n);
	pack_be(p, v, n);
}
