/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/json/byok_shape.h - What somebody took for a .byok file. The mistakes people make with
 * this format are few and well known, and a parser's "'[' or '{' expected" helps with none of them.
 */
#pragma once

#include "base/bytes.h"

enum byok_shape {
	BYOK_SHAPE_OBJECT,	/* begins as a JSON object does */
	BYOK_SHAPE_EMPTY,
	BYOK_SHAPE_MARKED,	/* UTF-8 with a byte order mark */
	BYOK_SHAPE_UTF16,
	BYOK_SHAPE_ARRAY,
	BYOK_SHAPE_STRING,	/* a JSON string */
	BYOK_SHAPE_PEM,
	BYOK_SHAPE_JWE,		/* compact serialization [RFC 7516 7.1] */
	BYOK_SHAPE_CODED_FILE,	/* base64 or base64url of a whole .byok file: the value of key_hsm */
	BYOK_SHAPE_BASE64,	/* base64 or base64url of something else */
	BYOK_SHAPE_HEX,
	BYOK_SHAPE_TEXT,	/* some other text */
	BYOK_SHAPE_BINARY,
};

enum byok_shape byok_shape(struct bytes file);

/* A sentence for a person about a file of @shape: what it is, and why that is not a .byok file. */
const char *byok_shape_words(enum byok_shape shape);

/*
 * Base64 or base64url, with padding or without, white space between: whatever people have. Not
 * for .byok files, which have one form. Return: 0, -EBADMSG, -EMSGSIZE.
 */
int base64_lenient_decode(struct bytes text, struct packer *out);
