/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/kdf.h - The one key derivation of docs/card-application.md 6, for whatever derives: S1, and
 * the keys that cards share with a server.
 */
#pragma once

#include "base/secret.h"

#include <openssl/params.h>

/*
 * KBKDF in counter mode with CMAC-AES-256 [SP 800-108], @key of 32 bytes, @n bytes into @out.
 *
 * Return: 0, -EIO, -ENOMEM.
 */
int kbkdf(const struct secret *key, const char *label, struct bytes context, uint8_t *out, size_t n);

enum { KDF_MAC_SIZE = 16, KDF_INPUT_MAX = 256 };

/* Who does CMAC-AES-256 with a key that is not here. @mac: 0 or a negative errno; @in is KDF_INPUT_MAX at most. */
struct kdf_mac {
	int (*mac)(void *arg, struct bytes in, uint8_t out[static KDF_MAC_SIZE]);
	void *arg;
};

/*
 * The same bytes as kbkdf() with that key; @n is a multiple of KDF_MAC_SIZE. Each is written to @out by who
 * does it, and nowhere else.
 *
 * Return: 0, -EMSGSIZE label and context are too long, what @mac returned: then @out is zeros.
 */
int kbkdf_by(const struct kdf_mac *key, const char *label, struct bytes context, uint8_t *out, size_t n);

/* OpenSSL takes non-const pointers in its parameters and does not write through them. */
OSSL_PARAM param_text(const char *key, const char *text);
OSSL_PARAM param_bytes(const char *key, struct bytes b);
