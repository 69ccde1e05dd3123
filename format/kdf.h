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

/* OpenSSL takes non-const pointers in its parameters and does not write through them. */
OSSL_PARAM param_text(const char *key, const char *text);
OSSL_PARAM param_bytes(const char *key, struct bytes b);
