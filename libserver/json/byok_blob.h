/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/json/byok_blob.h - A wrapped key in whatever form somebody has it: a .byok file in form, one that is
 * nearly so, base64 of one, or the bare blob in base64, hexadecimal or binary. For keyferry byok inspect,
 * convert and receipt alone: what imports takes the form of docs/byok.md 2 and no other.
 */
#pragma once

#include "base/bytes.h"
#include "base/cleanup.h"
#include "keyferry/error.h"
#include "keyferry/types.h"


enum byok_mend {
	MEND_BASE64_OF_FILE,
	MEND_MARK,			/* byte order mark */
	MEND_STRING,			/* a JSON string around it */
	MEND_REQUEST,			/* an import request around it */
	MEND_CIPHERTEXT,		/* base64 not in its one form */
	MEND_HEADER,			/* members of the header */
	MEND_N
};

enum byok_form { FORM_FILE, FORM_BASE64, FORM_HEX, FORM_BINARY };

/**
 * struct byok_blob - one wrapped key
 * @form:	what it came in
 * @p, @n:	C1 || C2, owned
 * @kid:	from the file, a good one or empty
 * @hash:	from the file; KF_HASH_NONE: it does not say
 * @generator:	from the file, owned, or NULL
 * @mended:	bit numbers of enum byok_mend
 */
struct byok_blob {
	enum byok_form form;
	uint8_t *p;
	size_t n;
	char kid[KF_KID_MAX + 1];
	enum kf_hash hash;
	char *generator;
	uint32_t mended;
};

#define BYOK_BLOB_INIT ((struct byok_blob){ 0 })

/* Fills @out, which is BYOK_BLOB_INIT. Return: 0, -EBADMSG nothing can be made of it, -ENOMEM. */
int byok_blob_read(struct bytes text, struct byok_blob *out, struct kf_error *e);
void byok_blob_deinit(struct byok_blob *blob);

/* "it was base64 of the file" */
const char *byok_mend_words(enum byok_mend mend);

/*
 * Whether a blob of @n bytes can be under an RSA modulus of @k: C2 is whole blocks of eight, two at
 * least, or there is none and the target is under OAEP alone.
 */
bool byok_blob_fits(size_t n, size_t k);

/*
 * What may be in there, by its length: "EC P-256 (PKCS #8)", the @i-th guess; NULL: no more. @n is the
 * length of C2.
 */
const char *byok_blob_guess(size_t n, size_t i);
