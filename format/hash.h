/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/hash.h - SHA-256 and the ECDSA P-256 signatures of DEVICE and injector keys, by OpenSSL.
 */
#pragma once

#include "base/bytes.h"
#include "keyferry/types.h"

#include <openssl/types.h>

#define ECDSA_SIG_MAX 80		/* DER ECDSA-Sig-Value of P-256: 72 at most */

/* NULL for a number that is none. */
const EVP_MD *hash_md(enum kf_hash hash);

/* Return: 0, or -EIO if OpenSSL fails. */
int sha256(struct bytes data, uint8_t out[static KF_DIGEST_SIZE]);

/* Signs the concatenation of two ranges (the second may be empty) with ECDSA-SHA-256. */
int ecdsa_sign(EVP_PKEY *key, struct bytes first, struct bytes second, struct packer *out);

/* Return: 0; -EBADMSG if the signature does not fit; -EINVAL if @key is not on P-256; -EIO. */
int ecdsa_verify(EVP_PKEY *key, struct bytes first, struct bytes second, struct bytes signature);
