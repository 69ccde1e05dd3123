// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/json/byok_shape.c - From the first bytes and the alphabet; nothing is parsed. */
#include "libserver/json/byok_shape.h"
#include "libserver/json/base64url.h"

enum { PROBE = 64 };	/* characters of base64 that tell whether there is JSON behind it */

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct bytes trimmed(struct bytes b)
{
	while (b.n > 0 && is_space(b.p[0]))
		b = BYTES(b.p + 1, b.n - 1);
	while (b.n > 0 && is_space(b.p[b.n - 1]))
		b.n--;
	return b;
}

/* Whether all of @b is white space or out of @set. */
static bool is_made_of(struct bytes b, const char *set)
{
	for (size_t i = 0; i < b.n; i++)
		if (!is_space(b.p[i]) && (b.p[i] == '\0' || !strchr(set, b.p[i])))
			return false;
	return true;
}

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static bool is_text(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] < 0x20 && !is_space(b.p[i]))
			return false;
	return true;
}

/* Five parts with dots between, the third and the fifth not empty in any real one. */
static bool is_jwe(struct bytes b)
{
	return bytes_count(b, ".") == 4 && is_made_of(b, ALNUM "-_.");
}

int base64_lenient_decode(struct bytes text, struct packer *out)
{
	uint8_t quad[4];
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < text.n && r == 0; i++) {
		uint8_t c = text.p[i];

		if (is_space(c) || c == '=')
			continue;
		quad[n++] = c == '+' ? '-' : c == '/' ? '_' : c;
		if (n == 4) {
			r = base64url_decode(BYTES(quad, 4), out);
			n = 0;
		}
	}
	return r < 0 || n == 0 ? r : base64url_decode(BYTES(quad, n), out);
}

static bool is_coded_file(struct bytes b)
{
	uint8_t head[PROBE];
	struct packer p = pack_begin(head, sizeof(head));

	(void)base64_lenient_decode(bytes_slice(b, 0, PROBE), &p);
	return p.n > 1 && trimmed(BYTES(head, p.n)).n > 0 && trimmed(BYTES(head, p.n)).p[0] == '{';
}

static enum byok_shape shape_of_text(struct bytes b)
{
	switch (b.p[0]) {
	case '{':
		return BYOK_SHAPE_OBJECT;
	case '[':
		return BYOK_SHAPE_ARRAY;
	case '"':
		return BYOK_SHAPE_STRING;
	default:
		break;
	}
	if (bytes_count(b, "-----BEGIN ") > 0)
		return BYOK_SHAPE_PEM;
	if (is_jwe(b))
		return BYOK_SHAPE_JWE;
	if (is_made_of(b, "0123456789abcdefABCDEF:"))
		return BYOK_SHAPE_HEX;
	if (!is_made_of(b, ALNUM "+/-_="))
		return BYOK_SHAPE_TEXT;
	return is_coded_file(b) ? BYOK_SHAPE_CODED_FILE : BYOK_SHAPE_BASE64;
}

/* By more than its first byte, which a binary file may begin with, too. */
static bool begins_object(struct bytes b)
{
	struct bytes inside = trimmed(bytes_slice(b, 1, b.n));

	if (b.p[0] != '{')
		return false;
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] >= 0x80)
			return inside.p[0] == '"' || inside.p[0] == '}';
	return true;
}

enum byok_shape byok_shape(struct bytes file)
{
	struct bytes b = trimmed(file);

	if (b.n == 0)
		return BYOK_SHAPE_EMPTY;
	if (bytes_have_prefix(b, BYTES("\xef\xbb\xbf", 3)))
		return BYOK_SHAPE_MARKED;
	if (bytes_have_prefix(b, BYTES("\xff\xfe", 2)) || bytes_have_prefix(b, BYTES("\xfe\xff", 2)))
		return BYOK_SHAPE_UTF16;
	return begins_object(b) || is_text(b) ? shape_of_text(b) : BYOK_SHAPE_BINARY;
}

const char *byok_shape_words(enum byok_shape shape)
{
	switch (shape) {
	case BYOK_SHAPE_EMPTY:
		return "it is empty";
	case BYOK_SHAPE_MARKED:
		return "it begins with a byte order mark: save it as UTF-8 without one";
	case BYOK_SHAPE_UTF16:
		return "it is UTF-16, as Windows PowerShell's > writes: save it as UTF-8";
	case BYOK_SHAPE_ARRAY:
		return "it is a JSON array; a .byok file is one JSON object";
	case BYOK_SHAPE_STRING:
		return "it is a JSON string; a .byok file is the object itself";
	case BYOK_SHAPE_PEM:
		return "it is PEM: a key or a certificate; byok wrap makes a .byok file from a key";
	case BYOK_SHAPE_JWE:
		return "it is a JWE in compact serialization: the specification names it and shows a JSON "
		       "object, and the object is what counts";
	case BYOK_SHAPE_CODED_FILE:
		return "it is base64 of a .byok file, as the REST member key_hsm carries it: decode it";
	case BYOK_SHAPE_BASE64:
		return "it is base64, perhaps of the bare ciphertext: a .byok file is JSON around that";
	case BYOK_SHAPE_HEX:
		return "it is hexadecimal, perhaps of the bare ciphertext: a .byok file is JSON around it, "
		       "with base64url";
	case BYOK_SHAPE_TEXT:
		return "it is text, and no JSON object";
	case BYOK_SHAPE_BINARY:
		return "it is binary: the bare ciphertext, or the old nCipher KeyTransferPackage, which had "
		       "the same file extension and retired in 2021";
	default:
		return "it begins as a JSON object does";
	}
}
