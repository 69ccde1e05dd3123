/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base/hex.h - Hexadecimal digits become bytes, and bytes become such digits. Some are PINs and keys, so no branch and no index depends on a
 * digit; only whether all of them were digits comes to light.
 */
#pragma once

#include "base/bytes.h"

enum hex_letters {
	HEX_LOWER,			/* one form only, as our own files have it */
	HEX_ANY,			/* as people type it */
};

#define HEX_NONE 0x100u			/* no digit: more than any value */

/* All ones if @c is from @first to @last, else 0. All three are bytes, so a difference below 0 has its top bit set. */
static inline uint32_t hex_mask(uint32_t c, uint32_t first, uint32_t last)
{
	return 0u - ((~(c - first) & ~(last - c)) >> 31);
}

/* Return: 0 to 15, or %HEX_NONE. */
static inline uint32_t hex_value(uint8_t c, enum hex_letters letters)
{
	uint32_t decimal = hex_mask(c, '0', '9'), lower = hex_mask(c, 'a', 'f');
	uint32_t upper = letters == HEX_ANY ? hex_mask(c, 'A', 'F') : 0;

	return (decimal & (c - (uint32_t)'0')) | (lower & (c - (uint32_t)'a' + 10)) |
	       (upper & (c - (uint32_t)'A' + 10)) | (~(decimal | lower | upper) & HEX_NONE);
}

/*
 * @text is two digits for each of the @n bytes at @out. Return: 0, -EINVAL; then @out is all zero, as far as it is
 * of a length for it.
 */
static inline int hex_read(struct bytes text, enum hex_letters letters, uint8_t *out, size_t n)
{
	uint32_t bad = 0;

	if (text.n != 2 * n)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		uint32_t high = hex_value(text.p[2 * i], letters), low = hex_value(text.p[2 * i + 1], letters);

		bad |= (high | low) & HEX_NONE;
		out[i] = (uint8_t)(high << 4 | low);
	}
	if (bad == 0)
		return 0;
	if (n != 0)
		memset(out, 0, n);
	return -EINVAL;
}

/* Of what is public, such as check values and serials, in capital letters: 2 * @bytes.n digits and a NUL at @out. */
static inline void hex_write(struct bytes bytes, char *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < bytes.n; i++) {
		*out++ = digits[bytes.p[i] >> 4];
		*out++ = digits[bytes.p[i] & 15];
	}
	*out = '\0';
}
