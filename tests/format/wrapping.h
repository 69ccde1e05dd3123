/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/format/wrapping.h - The hands of a source HSM: wraps a key for a KEK as CKM_RSA_AES_KEY_WRAP
 * does, or wrongly in one respect. What is not set is as it should be, with SHA-1 and 32 bytes of
 * AES key.
 */
#pragma once

#include "base/bytes.h"
#include "keyferry/types.h"

#include <openssl/evp.h>

enum { WRAPPING_MAX = 4096 };

/**
 * struct wrapping - how
 * @md, @mgf:	hash of OAEP and of MGF1; @mgf NULL: the same
 * @label:	of OAEP
 * @pkcs1:	C1 padded by PKCS#1 v1.5
 * @aes_len:	bytes under OAEP; of what is not 16, 24 or 32 C2 is under as many first bytes as make a key
 * @no_aes:	nothing under OAEP
 * @aiv:	8 bytes that KW starts from in place of RFC 5649's; C2 is then the plaintext as it is given,
 *		which has to be a multiple of 8
 */
struct wrapping {
	EVP_PKEY *kek;
	const EVP_MD *md, *mgf;
	const char *label;
	bool pkcs1, no_aes;
	size_t aes_len;
	const uint8_t *aiv;
};

/* Return: length of the blob in @out. */
size_t wrapping_make(const struct wrapping *w, struct bytes plain, uint8_t out[static WRAPPING_MAX]);

/* C1 of a whole encoded message, as long as the modulus; then C2 of chance, @c2 bytes. */
size_t wrapping_of_em(EVP_PKEY *kek, struct bytes em, size_t c2, uint8_t out[static WRAPPING_MAX]);

/* PrivateKeyInfo of @key as OpenSSL writes it. Return: its length. */
size_t wrapping_pkcs8(EVP_PKEY *key, uint8_t out[static WRAPPING_MAX]);
