/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bench/bare.h"

#include "format/keys.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATEMENT = 450, BODY = 420, CIPHERTEXT = 128 };

struct bare {
	enum kf_method method;
	EVP_PKEY *signer, *exchange;
	EVP_KDF *kbkdf, *hkdf;
	EVP_MAC *cmac;
	EVP_MD *sha256;
	EVP_CIPHER *cbc;
	unsigned char text[STATEMENT], signature[80], s1[32];
	size_t signature_len;
};

static void must(int ok)
{
	if (ok == 1)
		return;
	(void)fputs("seal_bench: OpenSSL failed\n", stderr);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static void sign(struct bare *b, size_t n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	b->signature_len = sizeof(b->signature);
	must(EVP_DigestSignInit(ctx, NULL, b->sha256, NULL, b->signer));
	must(EVP_DigestSign(ctx, b->signature, &b->signature_len, b->text, n));
	EVP_MD_CTX_free(ctx);
}

static void verify(const struct bare *b, size_t n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	must(EVP_DigestVerifyInit(ctx, NULL, b->sha256, NULL, b->signer));
	must(EVP_DigestVerify(ctx, b->signature, b->signature_len, b->text, n));
	EVP_MD_CTX_free(ctx);
}

static void kbkdf(const struct bare *b, unsigned char *out, size_t n)
{
	static char counter[] = "counter", cmac[] = "CMAC", aes[] = "AES-256-CBC", label[] = "label";
	unsigned char context[36] = { 0 };
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MODE, counter, 0),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MAC, cmac, 0),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_CIPHER, aes, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)b->s1, 32),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, label, sizeof(label)),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, context, sizeof(context)),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(b->kbkdf);

	must(EVP_KDF_derive(ctx, out, n, params));
	EVP_KDF_CTX_free(ctx);
}

static void hkdf(const struct bare *b, unsigned char *z, size_t n, unsigned char out[32])
{
	static char sha256[] = "SHA256", info[] = "info";
	unsigned char salt[32] = { 0 };
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, sha256, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, z, n),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt, sizeof(salt)),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof(info)),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(b->hkdf);

	must(EVP_KDF_derive(ctx, out, 32, params));
	EVP_KDF_CTX_free(ctx);
}

static void wrap(struct bare *b)
{
	unsigned char out[512];
	size_t n = sizeof(out);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(b->exchange, NULL);

	must(RAND_bytes(b->s1, sizeof(b->s1)));
	must(EVP_PKEY_encrypt_init(ctx));
	must(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING));
	must(EVP_PKEY_CTX_set_rsa_oaep_md(ctx, b->sha256));
	must(EVP_PKEY_encrypt(ctx, out, &n, b->s1, sizeof(b->s1)));
	EVP_PKEY_CTX_free(ctx);
}

static void agree(struct bare *b)
{
	unsigned char z[48];
	size_t n = sizeof(z);
	EVP_PKEY_CTX *make = EVP_PKEY_CTX_new(b->exchange, NULL), *ctx;
	EVP_PKEY *ephemeral = NULL;

	must(EVP_PKEY_keygen_init(make));
	must(EVP_PKEY_generate(make, &ephemeral));
	ctx = EVP_PKEY_CTX_new(ephemeral, NULL);
	must(EVP_PKEY_derive_init(ctx));
	must(EVP_PKEY_derive_set_peer(ctx, b->exchange));
	must(EVP_PKEY_derive(ctx, z, &n));
	hkdf(b, z, n, b->s1);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_CTX_free(make);
	EVP_PKEY_free(ephemeral);
}

static void establish(struct bare *b)
{
	unsigned char out[32];
	size_t n = 0;

	switch (b->method) {
	case KF_METHOD_RSA:
		wrap(b);
		break;
	case KF_METHOD_ECDH:
		agree(b);
		n = 2;			/* confirmations */
		break;
	case KF_METHOD_DERIVED:
		n = 5;			/* the card's key, its mark, S1, confirmations */
		break;
	default:
		n = 3;
	}
	while (n-- > 0)
		kbkdf(b, out, sizeof(out));
}

static void seal_item(struct bare *b)
{
	unsigned char keys[3][32], iv[16], plain[CIPHERTEXT] = { 0 }, sealed[CIPHERTEXT + 16], mac[16];
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(b->cmac);
	static char aes[] = "AES-256-CBC";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, aes, 0),
		OSSL_PARAM_construct_end(),
	};
	size_t mac_len = 0;
	int n = 0;

	for (size_t i = 0; i < 3; i++)
		kbkdf(b, keys[i], 32);
	must(RAND_bytes(iv, sizeof(iv)));
	must(EVP_EncryptInit_ex2(cipher, b->cbc, keys[0], iv, NULL));
	must(EVP_CIPHER_CTX_set_padding(cipher, 0));
	must(EVP_EncryptUpdate(cipher, sealed, &n, plain, sizeof(plain)));
	must(EVP_MAC_init(ctx, keys[1], 32, params));
	must(EVP_MAC_update(ctx, b->text, BODY));
	must(EVP_MAC_final(ctx, mac, &mac_len, sizeof(mac)));
	EVP_CIPHER_CTX_free(cipher);
	EVP_MAC_CTX_free(ctx);
	sign(b, BODY);
}

struct bare *bare_new(enum kf_method method, enum kf_key_type exchange)
{
	struct bare *b = calloc(1, sizeof(*b));

	if (!b)
		exit(1);
	b->method = method;
	must(key_generate(KF_KEY_EC_P256, &b->signer) == 0);
	if (method == KF_METHOD_RSA || method == KF_METHOD_ECDH)
		must(key_generate(exchange, &b->exchange) == 0);
	b->kbkdf = EVP_KDF_fetch(NULL, "KBKDF", NULL);
	b->hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	b->cmac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	b->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	b->cbc = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	must(b->kbkdf && b->hkdf && b->cmac && b->sha256 && b->cbc);
	return b;
}

struct bare *bare_free(struct bare *b)
{
	EVP_PKEY_free(b->signer);
	EVP_PKEY_free(b->exchange);
	EVP_KDF_free(b->kbkdf);
	EVP_KDF_free(b->hkdf);
	EVP_MAC_free(b->cmac);
	EVP_MD_free(b->sha256);
	EVP_CIPHER_free(b->cbc);
	free(b);
	return NULL;
}

void bare_seal(struct bare *b)
{
	unsigned char h[32];

	if (b->signature_len == 0)
		sign(b, BODY);
	/* certificate and statement; the signature that is there is as good as any */
	verify(b, BODY);
	verify(b, BODY);
	must(EVP_Digest(b->text, STATEMENT, h, NULL, b->sha256, NULL));
	establish(b);
	seal_item(b);
}
