/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/ossl.h - Cleanup for the OpenSSL objects that scopes here own. Big numbers are wiped as
 * they go: it costs nothing to treat all of them as secret.
 */
#pragma once

#include "base/cleanup.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>

#define OSSL_CLEANUP(type, fn) \
	static inline void fn##p(type **pptr) \
	{ \
		fn(*pptr); \
		*pptr = NULL; \
	}

OSSL_CLEANUP(EVP_MD_CTX, EVP_MD_CTX_free)
OSSL_CLEANUP(EVP_PKEY, EVP_PKEY_free)
OSSL_CLEANUP(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
OSSL_CLEANUP(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
OSSL_CLEANUP(EVP_CIPHER, EVP_CIPHER_free)
OSSL_CLEANUP(EVP_MAC, EVP_MAC_free)
OSSL_CLEANUP(EVP_MAC_CTX, EVP_MAC_CTX_free)
OSSL_CLEANUP(EVP_KDF, EVP_KDF_free)
OSSL_CLEANUP(EVP_KDF_CTX, EVP_KDF_CTX_free)
OSSL_CLEANUP(BIGNUM, BN_clear_free)
OSSL_CLEANUP(BN_CTX, BN_CTX_free)
OSSL_CLEANUP(EC_GROUP, EC_GROUP_free)
OSSL_CLEANUP(EC_POINT, EC_POINT_clear_free)
OSSL_CLEANUP(OSSL_PARAM_BLD, OSSL_PARAM_BLD_free)
OSSL_CLEANUP(OSSL_PARAM, OSSL_PARAM_free)
