/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/card/tlv.h - BER-TLV on the cursors, as strict as docs/card-application.md 2 asks:
 * definite minimal lengths, the objects in the order expected, none twice.
 */
#pragma once

#include "base/bytes.h"

/* The value of the next object, which must have @tag (one byte, or two such as 7F49). */
struct bytes tlv_take(struct unpacker *u, unsigned int tag);
/* The next object whatever it is; of one or two bytes of tag. */
struct bytes tlv_take_any(struct unpacker *u, unsigned int *tag);
/* As tlv_take(); the value must be @n bytes long, 1 to 8, and is returned as a number. */
uint64_t tlv_take_number(struct unpacker *u, unsigned int tag, size_t n);
/* Whether an object with @tag comes next; takes nothing. */
bool tlv_is_next(const struct unpacker *u, unsigned int tag);

void tlv_put(struct packer *p, unsigned int tag, struct bytes value);
void tlv_put_number(struct packer *p, unsigned int tag, uint64_t value, size_t n);
