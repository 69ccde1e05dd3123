// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/byok/envelope.c - OpenSSL does both; the AES key lives in locked memory between the two. */
#include "libserver/byok/envelope.h"
#include "format/ossl.h"
#include "libserver/random.h"

#include <openssl/rsa.h>

enum { AES_KEY_SIZE = 32, KWP_BLOCK = 8 };

static const EVP_MD *md_of(enum kf_hash hash)
{
	switch (hash) {
	case KF_HASH_SHA1:
		return EVP_sha1();
	case KF_HASH_SHA256:
		return EVP_sha256();
	case KF_HASH_SHA384:
		return EVP_sha384();
	case KF_HASH_SHA512:
		return EVP_sha512();
	default:
		return NULL;
	}
}

size_t oaep_room(EVP_PKEY *kek, enum kf_hash hash)
{
	const EVP_MD *md = md_of(hash);
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
	const EVP_MD *md = md_of(hash);

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

int oaep_unwrap(EVP_PKEY *kek, enum kf_hash hash, struct bytes wrapped, struct secret *out)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	size_t len = out->cap;

	ossl_begin();
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, kek, NULL);
	if (!ctx || EVP_PKEY_decrypt_init(ctx) != 1 || set_oaep(ctx, hash) < 0)
		return ossl_end(-EIO);
	if (EVP_PKEY_decrypt(ctx, out->p, &len, wrapped.p, wrapped.n) != 1)
		return ossl_end(-EBADMSG);
	return secret_resize(out, len);
}

/* [RFC 5649]; OpenSSL wants the flag before it makes a wrapping cipher. */
static int kwp(struct bytes aes, bool wrap, struct bytes in, uint8_t *out, int *n)
{
	static const char *const names[] = { "AES-128-WRAP-PAD", "AES-192-WRAP-PAD",
					     "AES-256-WRAP-PAD" };
	_cleanup_(EVP_CIPHER_freep) EVP_CIPHER *cipher = NULL;
	_cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = NULL;

	if (aes.n != 16 && aes.n != 24 && aes.n != 32)
		return -EBADMSG;
	ossl_begin();
	cipher = EVP_CIPHER_fetch(NULL, names[aes.n / 8 - 2], NULL);
	ctx = EVP_CIPHER_CTX_new();
	if (!cipher || !ctx)
		return ossl_end(-EIO);
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_CipherInit_ex2(ctx, cipher, aes.p, NULL, wrap, NULL) != 1)
		return ossl_end(-EIO);
	return ossl_end(EVP_CipherUpdate(ctx, out, n, in.p, (int)in.n) == 1 ? 0 : -EBADMSG);
}

int kwp_wrap(struct bytes aes, struct bytes plain, struct packer *out)
{
	size_t size = kwp_size(plain.n);
	uint8_t *at = pack_reserve(out, size);
	int n = 0, r;

	if (!at)
		return -EMSGSIZE;
	r = kwp(aes, true, plain, at, &n);
	return r == 0 && (size_t)n == size ? 0 : r < 0 && r != -EBADMSG ? r : -EIO;
}

int kwp_unwrap(struct bytes aes, struct bytes wrapped, struct secret *out)
{
	int n = 0, r;

	if (wrapped.n % KWP_BLOCK != 0 || wrapped.n < 2 * KWP_BLOCK || wrapped.n > out->cap)
		return -EBADMSG;
	r = kwp(aes, false, wrapped, out->p, &n);
	if (r < 0 || n <= 0) {
		secret_clear(out);
		return r < 0 ? r : -EBADMSG;
	}
	out->n = wrapped.n;		/* all that may have been written, so that it is wiped */
	return secret_resize(out, (size_t)n);
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
