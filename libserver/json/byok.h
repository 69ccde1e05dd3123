/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/json/byok.h - The .byok file of the BYOK specification, read strictly and written in
 * one form (docs/byok.md 2). Nothing in it is secret, and nothing in it is authenticated: whoever
 * has the KEK's public key can make one.
 */
#pragma once

#include "libserver/json/key_url.h"
#include "libserver/json/object.h"

#define BYOK_TEXT_MAX ((size_t)64 << 10)	/* an RSA-4096 key makes about 4 KiB */
#define BYOK_CIPHERTEXT_MAX 4096
#define BYOK_CIPHERTEXT_MIN 272			/* RSA-2048, and AES-KWP's shortest output */

/**
 * struct byok_file - one transfer blob
 * @kid:	the KEK it is for, as it stands in the file
 * @hash:	of RSA-OAEP, by header.enc
 * @ciphertext:	what RSA-OAEP and AES-KWP gave, one behind the other
 * @generator:	who made it, UTF-8 for people, owned; NULL: the file does not say
 * @ignored:	members nobody knows
 */
struct byok_file {
	char kid[KEY_URL_MAX + 1];
	enum kf_hash hash;
	struct blob ciphertext;
	char *generator;
	size_t ignored;
};

#define BYOK_FILE_INIT ((struct byok_file){ .hash = KF_HASH_SHA1 })

/*
 * Fills @out, which is BYOK_FILE_INIT. @named_hashes: header.enc may name an OAEP hash that the
 * specification does not have. Return: 0, -EBADMSG, -ENOMEM.
 */
int byok_file_parse(struct bytes text, bool named_hashes, struct byok_file *out,
		    struct kf_error *e);
/* The hash that header.enc names, to the letter, or KF_HASH_NONE. */
enum kf_hash byok_enc_hash(const char *enc);
/* Return: 0 and a text owned by the caller; -EINVAL a hash header.enc has no name for; -ENOMEM. */
int byok_file_write(const struct byok_file *file, char **text, size_t *len, struct kf_error *e);
void byok_file_deinit(struct byok_file *file);
