// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/json/base64url.c - Four characters for three bytes; a short group at the end. */
#include "libserver/json/base64url.h"

static const char alphabet[64 + 1] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64url_size(size_t n)
{
	return n / 3 * 4 + (n % 3 ? n % 3 + 1 : 0);
}

void base64url_encode(struct bytes b, char *out)
{
	struct unpacker u = unpack_begin(b);

	while (u.left > 0) {
		size_t n = u.left < 3 ? u.left : 3;
		uint32_t group = (uint32_t)(unpack_be(&u, n) << (8 * (3 - n)));

		for (size_t i = 0; i <= n; i++)
			*out++ = alphabet[group >> (18 - 6 * i) & 63];
	}
	*out = '\0';
}

/* Return: 0 to 63, or -1. */
static int digit_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int base64url_decode(struct bytes text, struct packer *out)
{
	struct unpacker u = unpack_begin(text);

	while (u.left > 0) {
		size_t n = u.left < 4 ? u.left : 4;
		uint32_t group = 0;

		for (size_t i = 0; i < n; i++) {
			int v = digit_value(unpack_u8(&u));

			if (v < 0)
				return -EBADMSG;
			group |= (uint32_t)v << (18 - 6 * i);
		}
		/* n digits carry n - 1 bytes; what is left over of the last digit is zero. */
		if (n == 1 || (group & (0xffffffu >> (8 * (n - 1)))) != 0)
			return -EBADMSG;
		pack_be(out, group >> (8 * (4 - n)), n - 1);
	}
	return pack_end(out);
}
