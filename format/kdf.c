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

/* [SP 800-108 5.1]: K(i) = PRF(key, [i] || Label || 00 || Context || [L]), i and L of 32 bits. */
int kbkdf_by(const struct kdf_mac *key, const char *label, struct bytes context, uint8_t *out, size_t n)
{
	uint8_t buf[KDF_INPUT_MAX];
	int r = 0;

	assert(n % KDF_MAC_SIZE == 0);
	for (size_t i = 0; r == 0 && i < n / KDF_MAC_SIZE; i++) {
		struct packer p = pack_begin(buf, sizeof(buf));

		pack_be32(&p, i + 1);
		pack_bytes(&p, BYTES(label, strlen(label)));
		pack_u8(&p, 0);
		pack_bytes(&p, context);
		pack_be32(&p, n * 8);
		r = pack_end(&p) < 0 ? -EMSGSIZE : key->mac(key->arg, pack_done(&p), out + i * KDF_MAC_SIZE);
	}
	if (r < 0)
		wipe(out, n);
	return r;
}
