/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/format/wrapping.h"

#include "format/ossl.h"
#include "tests/harness.h"

#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

static size_t rsa(EVP_PKEY *kek, const struct wrapping *w, int padding, struct bytes in, uint8_t *out)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, kek, NULL);
	size_t n = (size_t)EVP_PKEY_get_size(kek);

	ASSERT_EQ(1, EVP_PKEY_encrypt_init(ctx));
	ASSERT_EQ(1, EVP_PKEY_CTX_set_rsa_padding(ctx, padding));
	if (padding == RSA_PKCS1_OAEP_PADDING) {
		const EVP_MD *md = w->md ? w->md : EVP_sha1();

		ASSERT_EQ(1, EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md));
		ASSERT_EQ(1, EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, w->mgf ? w->mgf : md));
		if (w->label)
			ASSERT_EQ(1, EVP_PKEY_CTX_set0_rsa_oaep_label(ctx,
				OPENSSL_strdup(w->label), (int)strlen(w->label)));
	}
	ASSERT_EQ(1, EVP_PKEY_encrypt(ctx, out, &n, in.p, in.n));
	return n;
}

static const EVP_CIPHER *cipher_of(size_t len, bool pad)
{
	if (len >= 24 && len < 32)
		return pad ? EVP_aes_192_wrap_pad() : EVP_aes_192_wrap();
	if (len >= 32)
		return pad ? EVP_aes_256_wrap_pad() : EVP_aes_256_wrap();
	return pad ? EVP_aes_128_wrap_pad() : EVP_aes_128_wrap();
}

static size_t kw(const struct wrapping *w, const uint8_t *key, size_t len, struct bytes plain,
		 uint8_t *out)
{
	_cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, end = 0;

	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	ASSERT_EQ(1, EVP_EncryptInit_ex2(ctx, cipher_of(len, !w->aiv), key, w->aiv, NULL));
	ASSERT_EQ(1, EVP_EncryptUpdate(ctx, out, &n, plain.p, (int)plain.n));
	ASSERT_EQ(1, EVP_EncryptFinal_ex(ctx, out + n, &end));
	return (size_t)(n + end);
}

size_t wrapping_make(const struct wrapping *w, struct bytes plain, uint8_t out[static WRAPPING_MAX])
{
	uint8_t aes[64] = { 0 };
	size_t len = w->no_aes ? 0 : w->aes_len ? w->aes_len : 32, n;

	ASSERT_EQ(1, RAND_bytes(aes, sizeof(aes)));
	n = rsa(w->kek, w, w->pkcs1 ? RSA_PKCS1_PADDING : RSA_PKCS1_OAEP_PADDING, BYTES(aes, len), out);
	return n + kw(w, aes, len, plain, out + n);
}

size_t wrapping_of_em(EVP_PKEY *kek, struct bytes em, size_t c2, uint8_t out[static WRAPPING_MAX])
{
	size_t n = rsa(kek, NULL, RSA_NO_PADDING, em, out);

	ASSERT_EQ(1, RAND_bytes(out + n, (int)c2));
	return n + c2;
}

size_t wrapping_pkcs8(EVP_PKEY *key, uint8_t out[static WRAPPING_MAX])
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	uint8_t *at = out;
	int n;

	ASSERT_NOT_NULL(info);
	n = i2d_PKCS8_PRIV_KEY_INFO(info, &at);
	PKCS8_PRIV_KEY_INFO_free(info);
	ASSERT_GT(n, 0);
	return (size_t)n;
}
