/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/kdf.h"
#include "format/ossl.h"

#include <openssl/core_names.h>

OSSL_PARAM param_text(const char *key, const char *text)
{
	return OSSL_PARAM_construct_utf8_string(key, (char *)(uintptr_t)text, 0);
}

OSSL_PARAM param_bytes(const char *key, struct bytes b)
{
	return OSSL_PARAM_construct_octet_string(key, (void *)(uintptr_t)b.p, b.n);
}

/* [SP 800-108 5.1]: OpenSSL writes counter, 00 and L itself. */
int kbkdf(const struct secret *key, const char *label, struct bytes context, uint8_t *out, size_t n)
{
	ossl_begin();
	_cleanup_(EVP_KDF_freep) EVP_KDF *kdf = EVP_KDF_fetch(NULL, "KBKDF", NULL);
	_cleanup_(EVP_KDF_CTX_freep) EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	OSSL_PARAM params[] = {
		param_text(OSSL_KDF_PARAM_MODE, "counter"),
		param_text(OSSL_KDF_PARAM_MAC, "CMAC"),
		param_text(OSSL_KDF_PARAM_CIPHER, "AES-256-CBC"),
		param_bytes(OSSL_KDF_PARAM_KEY, secret_bytes(key)),
		param_bytes(OSSL_KDF_PARAM_SALT, BYTES(label, strlen(label))),
		param_bytes(OSSL_KDF_PARAM_INFO, context),
		OSSL_PARAM_construct_end(),
	};

	return ossl_end(ctx && EVP_KDF_derive(ctx, out, n, params) == 1 ? 0 : -EIO);
}
