// SPDX-License-Identifier: LGPL-2.1-or-later
/* libcardmod/utf16.c - No conversion: our names are ASCII, and a caller's are only compared. */
#include "libcardmod/utf16.h"

static size_t units(LPCWSTR text)
{
	size_t n = 0;

	while (text[n])
		n++;
	return n;
}

bool utf16_equal(LPCWSTR a, LPCWSTR b)
{
	if (!a || !b)
		return false;
	for (; *a == *b; a++, b++)
		if (!*a)
			return true;
	return false;
}

struct bytes utf16_bytes(LPCWSTR text)
{
	return BYTES(text, (units(text) + 1) * sizeof(WCHAR));
}

bool utf16_value_is(struct bytes value, LPCWSTR text)
{
	return bytes_equal(value, utf16_bytes(text));
}

void utf16_multi_put(struct packer *p, LPCWSTR text)
{
	pack_bytes(p, utf16_bytes(text));
}

void utf16_multi_end(struct packer *p)
{
	/* [minidriver 2.6]: "RSA" alone has 10 bytes, none at all 4. */
	pack_zero(p, p->n == 0 ? 2 * sizeof(WCHAR) : sizeof(WCHAR));
}

void utf16_from_ascii(const char *text, WCHAR *out, size_t cap)
{
	size_t n = 0;

	assert(cap > 0);
	for (; text[n] && n + 1 < cap; n++)
		out[n] = (WCHAR)(unsigned char)text[n];
	out[n] = 0;
}
