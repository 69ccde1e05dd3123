// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/byok/envelope.c - OpenSSL does both; the AES key lives in locked memory between the two. */
#include "libserver/byok/envelope.h"
#include "format/hash.h"
#include "format/ossl.h"
#include "format/wrapped.h"
#include "libserver/random.h"

#include <openssl/rsa.h>

enum { AES_KEY_SIZE = 32 };

size_t oaep_room(EVP_PKEY *kek, enum kf_hash hash)
{
	const EVP_MD *md = hash_md(hash);
	size_t k = (size_t)EVP_PKEY_get_size(kek);
	size_t used = md ? 2 * (size_t)EVP_MD_get_size(md) + 2 : k;

	return k > used ? k - used : 0;
}

size_t kwp_size(size_t n)
{
	return (n + KWP_BLOCK - 1) / KWP_BLOCK * KWP_BLOCK + KWP_BLOCK;
}

static int set_oaep(EVP_PKEY_CTX *ctx, enum kf_hash hash)
{
	const EVP_MD *md = hash_md(hash);

	return md && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) == 1 &&
		       EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1
		       ? 0 : -EIO;
}

int oaep_wrap(EVP_PKEY *kek, enum kf_hash hash, struct bytes plain, struct packer *out)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	size_t len = (size_t)EVP_PKEY_get_size(kek);
	uint8_t *at;

	if (plain.n > oaep_room(kek, hash))
		return -EMSGSIZE;
	at = pack_reserve(out, len);
	if (!at)
		return -EMSGSIZE;
	ossl_begin();
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, kek, NULL);
	if (!ctx || EVP_PKEY_encrypt_init(ctx) != 1 || set_oaep(ctx, hash) < 0 ||
	    EVP_PKEY_encrypt(ctx, at, &len, plain.p, plain.n) != 1)
		return ossl_end(-EIO);
	return 0;
}

/* [RFC 5649]; OpenSSL wants the flag before it makes a wrapping cipher. */
int kwp_wrap(struct bytes aes, struct bytes plain, struct packer *out)
{
	static const char *const names[] = { "AES-128-WRAP-PAD", "AES-192-WRAP-PAD",
					     "AES-256-WRAP-PAD" };
	_cleanup_(EVP_CIPHER_freep) EVP_CIPHER *cipher = NULL;
	_cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = NULL;
	size_t size = kwp_size(plain.n);
	uint8_t *at = pack_reserve(out, size);
	int n = 0;

	if (!at || (aes.n != 16 && aes.n != 24 && aes.n != 32))
		return at ? -EINVAL : -EMSGSIZE;
	ossl_begin();
	cipher = EVP_CIPHER_fetch(NULL, names[aes.n / 8 - 2], NULL);
	ctx = EVP_CIPHER_CTX_new();
	if (!cipher || !ctx)
		return ossl_end(-EIO);
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_EncryptInit_ex2(ctx, cipher, aes.p, NULL, NULL) != 1 ||
	    EVP_EncryptUpdate(ctx, at, &n, plain.p, (int)plain.n) != 1 || (size_t)n != size)
		return ossl_end(-EIO);
	return 0;
}

int envelope_seal(EVP_PKEY *kek, enum kf_hash hash, struct bytes plain, struct packer *out,
		  struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret aes = SECRET_INIT;
	int r = secret_init(&aes, AES_KEY_SIZE);

	if (r < 0)
		return r;
	r = random_secret(aes.p, AES_KEY_SIZE, e);
	if (r < 0)
		return r;
	aes.n = AES_KEY_SIZE;
	r = oaep_wrap(kek, hash, secret_bytes(&aes), out);
	return r < 0 ? r : kwp_wrap(secret_bytes(&aes), plain, out);
}
