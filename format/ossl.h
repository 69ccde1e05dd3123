/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/ossl.h - Cleanup for the OpenSSL objects that scopes here own, and what its failures mean.
 * Big numbers are wiped as they go: it costs nothing to treat all of them as secret.
 */
#pragma once

#include "base/cleanup.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <stdbool.h>

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

/*
 * Without memory OpenSSL fails as it does at bad bytes, a signature or a certificate among them. Only
 * its queue of errors tells which, and where it has dropped that, errno, which malloc() set. Stands
 * before the calls, contexts made among them, whose failure ossl_end() is to judge.
 */
static inline void ossl_begin(void)
{
	ERR_clear_error();
	errno = 0;
}

/*
 * OpenSSL keeps private numbers in locked memory from here on; where none can be locked they are wiped
 * only.
 */
static inline void ossl_secure_heap(void)
{
	(void)CRYPTO_secure_malloc_init(1 << 18, 32);
}

/*
 * Empties the queue behind calls that ended with @r.
 *
 * Return: 0 if @r is, -ENOMEM if memory ran out, else @r.
 */
static inline int ossl_end(int r)
{
	bool no_memory = errno == ENOMEM;
	unsigned long error;

	while ((error = ERR_get_error()) != 0)
		no_memory |= ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
	return r < 0 && no_memory ? -ENOMEM : r;
}
