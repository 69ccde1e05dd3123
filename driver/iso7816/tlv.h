/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/iso7816/tlv.h - BER-TLV as cards speak it: tags of one to three bytes, definite minimal
 * lengths up to 65535. Strict, because two readings of one message is how checks are passed by.
 */
#pragma once

#include "base/bytes.h"

/* One data object: @tag as its bytes in a row (0x7F49, 0x5F2D); @value is borrowed. */
struct tlv {
	uint32_t tag;
	struct bytes value;
};

/* True if the value is itself a row of data objects [X.690 8.1.2.5]. */
static inline bool tlv_is_constructed(uint32_t tag)
{
	return ((tag > 0xffff ? tag >> 16 : tag > 0xff ? tag >> 8 : tag) & 0x20) != 0;
}

/*
 * Takes the next object off @u. Return: 1 one was taken; 0 nothing left; -EBADMSG. Padding bytes
 * between objects (00, FF) are refused.
 */
int tlv_next(struct unpacker *u, struct tlv *out);

/*
 * The one object with @tag on the top level of @b, all of which must parse. Return: 0; -ENOENT;
 * -EBADMSG also if it is there twice.
 */
int tlv_find(struct bytes b, uint32_t tag, struct bytes *out);

/* Return: 0 if @b is exactly one object with @tag; -EBADMSG. */
int tlv_only(struct bytes b, uint32_t tag, struct bytes *out);

/* Bytes of an object with a value of @n bytes; how big to make what goes round it. */
size_t tlv_size(uint32_t tag, size_t n);

/* Tag and length; the @n bytes of value are packed behind it by the caller. */
void tlv_pack_head(struct packer *p, uint32_t tag, size_t n);
void tlv_pack(struct packer *p, uint32_t tag, struct bytes value);
