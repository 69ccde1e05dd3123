/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/libcardmod/blobs.h - Key pairs in the interface's forms, written from OpenSSL's numbers by
 * the tables of the interface, for tests to hand in.
 */
#pragma once

#include "format/keys.h"
#include "format/ossl.h"
#include "keyferry/cardmod.h"
#include "tests/harness.h"

#include <openssl/core_names.h>

enum { BLOB_MAX = 2400 };

static inline void blob_number(EVP_PKEY *key, const char *name, int n, bool little,
			       struct packer *out)
{
	BIGNUM *bn = NULL;
	uint8_t *at = pack_reserve(out, (size_t)n);

	ASSERT_NOT_NULL(at);
	ASSERT_EQ(1, EVP_PKEY_get_bn_param(key, name, &bn));
	ASSERT_EQ(n, little ? BN_bn2lebinpad(bn, at, n) : BN_bn2binpad(bn, at, n));
	BN_clear_free(bn);
}

/* PRIVATEKEYBLOB: header, then n, p, q, dp, dq, qinv, d, little-endian. */
static inline void blob_capi(EVP_PKEY *key, struct packer *out)
{
	int n = EVP_PKEY_get_size(key);

	pack_u8(out, 0x07);
	pack_u8(out, 0x02);
	pack_le16(out, 0);
	pack_le32(out, 0xa400);
	pack_le32(out, 0x32415352);
	pack_le32(out, (uint32_t)n * 8);
	pack_le32(out, 65537);
	blob_number(key, OSSL_PKEY_PARAM_RSA_N, n, true, out);
	blob_number(key, OSSL_PKEY_PARAM_RSA_FACTOR1, n / 2, true, out);
	blob_number(key, OSSL_PKEY_PARAM_RSA_FACTOR2, n / 2, true, out);
	blob_number(key, OSSL_PKEY_PARAM_RSA_EXPONENT1, n / 2, true, out);
	blob_number(key, OSSL_PKEY_PARAM_RSA_EXPONENT2, n / 2, true, out);
	blob_number(key, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, n / 2, true, out);
	blob_number(key, OSSL_PKEY_PARAM_RSA_D, n, true, out);
}

/* RSAPRIVATEBLOB, or the full one: e, n, p, q and the rest, big-endian. */
static inline void blob_cng_rsa(EVP_PKEY *key, bool full, struct packer *out)
{
	int n = EVP_PKEY_get_size(key);

	pack_le32(out, full ? 0x33415352 : 0x32415352);
	pack_le32(out, (uint32_t)n * 8);
	pack_le32(out, 3);
	pack_le32(out, (uint32_t)n);
	pack_le32(out, (uint32_t)n / 2);
	pack_le32(out, (uint32_t)n / 2);
	blob_number(key, OSSL_PKEY_PARAM_RSA_E, 3, false, out);
	blob_number(key, OSSL_PKEY_PARAM_RSA_N, n, false, out);
	blob_number(key, OSSL_PKEY_PARAM_RSA_FACTOR1, n / 2, false, out);
	blob_number(key, OSSL_PKEY_PARAM_RSA_FACTOR2, n / 2, false, out);
	if (!full)
		return;
	blob_number(key, OSSL_PKEY_PARAM_RSA_EXPONENT1, n / 2, false, out);
	blob_number(key, OSSL_PKEY_PARAM_RSA_EXPONENT2, n / 2, false, out);
	blob_number(key, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, n / 2, false, out);
	blob_number(key, OSSL_PKEY_PARAM_RSA_D, n, false, out);
}

/* ECCPRIVATEBLOB: X, Y, d. */
static inline void blob_ec(EVP_PKEY *key, uint32_t magic, int size, struct packer *out)
{
	uint8_t point[133];
	size_t n;

	pack_le32(out, magic);
	pack_le32(out, (uint32_t)size);
	ASSERT_EQ(1, EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point,
						     sizeof(point), &n));
	pack_bytes(out, BYTES(point + 1, n - 1));
	blob_number(key, OSSL_PKEY_PARAM_PRIV_KEY, size, false, out);
}
