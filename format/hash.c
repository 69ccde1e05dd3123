/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/hash.c - Thin over OpenSSL EVP; contexts are freed by their scope.
 */
#include "format/hash.h"
#include "format/ossl.h"

#include <openssl/core_names.h>

const EVP_MD *hash_md(enum kf_hash hash)
{
	switch (hash) {
	case KF_HASH_SHA1:   return EVP_sha1();
	case KF_HASH_SHA256: return EVP_sha256();
	case KF_HASH_SHA384: return EVP_sha384();
	case KF_HASH_SHA512: return EVP_sha512();
	default:	     return NULL;
	}
}

int sha256(struct bytes data, uint8_t out[static KF_DIGEST_SIZE])
{
	unsigned len = 0;

	ossl_begin();
	if (EVP_Digest(data.p, data.n, out, &len, EVP_sha256(), NULL) != 1 || len != KF_DIGEST_SIZE)
		return ossl_end(-EIO);
	return 0;
}

int ecdsa_sign(EVP_PKEY *key, struct bytes first, struct bytes second, struct packer *out)
{
	ossl_begin();
	_cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t signature[ECDSA_SIG_MAX];
	size_t len = sizeof(signature);

	if (!ctx || EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL) != 1 ||
	    EVP_DigestSignUpdate(ctx, first.p, first.n) != 1 ||
	    EVP_DigestSignUpdate(ctx, second.p, second.n) != 1 ||
	    EVP_DigestSignFinal(ctx, signature, &len) != 1)
		return ossl_end(-EIO);
	pack_bytes(out, BYTES(signature, len));
	return pack_end(out);
}

static bool is_on_p256(EVP_PKEY *key)
{
	char group[32] = "";

	return EVP_PKEY_is_a(key, "EC") &&
	       EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group,
					      sizeof(group), NULL) == 1 &&
	       strcmp(group, "prime256v1") == 0;
}

int ecdsa_verify(EVP_PKEY *key, struct bytes first, struct bytes second, struct bytes signature)
{
	ossl_begin();
	_cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (!is_on_p256(key))
		return ossl_end(-EINVAL);
	if (!ctx || EVP_DigestVerifyInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL) != 1 ||
	    EVP_DigestVerifyUpdate(ctx, first.p, first.n) != 1 ||
	    EVP_DigestVerifyUpdate(ctx, second.p, second.n) != 1)
		return ossl_end(-EIO);
	if (EVP_DigestVerifyFinal(ctx, signature.p, signature.n) != 1)
		return ossl_end(-EBADMSG);
	return 0;
}
