/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libclient/rows.h - Rows of one struct, back to back in a part [proto.h]. A row may be longer
 * than we know, from a newer broker; it is never shorter.
 */
#pragma once

#include "base/bytes.h"

/**
 * struct rows - a part cut into rows
 * @part:	all of them
 * @n:		how many
 * @stride:	bytes of each
 */
struct rows {
	struct bytes part;
	size_t n;
	size_t stride;
};

/* Return: 0, or -EBADMSG unless @part is @n rows of at least @size bytes each. */
static inline int rows_begin(struct bytes part, uint32_t n, size_t size, struct rows *out)
{
	if (n == 0)
		return part.n == 0 ? 0 : -EBADMSG;
	if (part.n % n != 0 || part.n / n < size)
		return -EBADMSG;
	*out = (struct rows){ .part = part, .n = n, .stride = part.n / n };
	return 0;
}

/* Copies what we know of row @i; alignment in the packet does not matter. */
static inline void rows_copy(const struct rows *rows, size_t i, void *out, size_t size)
{
	struct unpacker u = unpack_begin(bytes_slice(rows->part, i * rows->stride, size));

	unpack_copy(&u, out, size);
}
