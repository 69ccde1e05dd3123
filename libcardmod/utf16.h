/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/utf16.h - The interface's strings: NUL-terminated UTF-16 in the machine's order, which
 * on every machine it was made for is little-endian; and multi-strings, which end in one NUL more.
 */
#pragma once

#include "base/bytes.h"
#include "keyferry/cardmod.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "UTF-16LE is written as it is in memory");

/* Exact, spaces and case included; NULL is nothing. */
bool utf16_equal(LPCWSTR a, LPCWSTR b);

/* The text with its NUL, as the bytes of a property value. */
struct bytes utf16_bytes(LPCWSTR text);

/* Whether the value of a property is @text, NUL included. */
bool utf16_value_is(struct bytes value, LPCWSTR text);

/* One more string of a multi-string; the end of it. The empty one is two NULs. */
void utf16_multi_put(struct packer *p, LPCWSTR text);
void utf16_multi_end(struct packer *p);

/* Widens ASCII into @out, NUL-terminated and cut to @cap units. */
void utf16_from_ascii(const char *text, WCHAR *out, size_t cap);
