/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/seal.c - AES-256-CBC, CMAC-AES-256 and RSA-OAEP, all by OpenSSL; what is ours is
 * which bytes go in. Intermediate plaintext never leaves a struct secret.
 */
#include "format/seal.h"
#include "format/kdf.h"
#include "format/ossl.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>

enum { KEY_SIZE = 32, BLOCK = 16 };

int item_keys_derive(struct item_keys *keys, const struct secret *s1,
		     const struct item_place *place)
{
	static const char *const uses[] = { "enc", "mac", "receipt" };
	const char *method = method_name(place->method);
	const char *function = function_name(place->function);
	uint8_t context_buf[KF_DIGEST_SIZE + 4];
	struct packer context = pack_begin(context_buf, sizeof(context_buf));
	int r;

	if (!method || !function || s1->n != KF_S1_SIZE)
		return -EINVAL;
	pack_bytes(&context, BYTES_OF(place->h));
	pack_be32(&context, place->number);

	r = secret_init(&keys->all, 3 * KEY_SIZE);
	for (size_t i = 0; r == 0 && i < 3; i++) {
		char label[64];

		(void)snprintf(label, sizeof(label), "keyferry/%s/%s/%s", method, function, uses[i]);
		r = kbkdf(s1, label, pack_done(&context), keys->all.p + i * KEY_SIZE, KEY_SIZE);
	}
	if (r < 0) {
		item_keys_deinit(keys);
		return r;
	}
	keys->all.n = 3 * KEY_SIZE;
	return 0;
}

void item_keys_deinit(struct item_keys *keys)
{
	secret_deinit(&keys->all);
}

size_t item_sealed_size(size_t n)
{
	return (n / BLOCK + 1) * BLOCK;
}

static int cbc(const struct item_keys *keys, const uint8_t iv[static KF_IV_SIZE], bool encrypt,
	       struct bytes in, uint8_t *out)
{
	ossl_begin();
	_cleanup_(EVP_CIPHER_freep) EVP_CIPHER *aes = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	_cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, tail = 0;

	if (!aes || !ctx || EVP_CipherInit_ex2(ctx, aes, keys->all.p, iv, encrypt, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(ctx, 0) != 1 ||
	    EVP_CipherUpdate(ctx, out, &n, in.p, (int)in.n) != 1 ||
	    EVP_CipherFinal_ex(ctx, out + n, &tail) != 1)
		return ossl_end(-EIO);
	return (size_t)(n + tail) == in.n ? 0 : -EIO;
}

int item_encrypt(const struct item_keys *keys, const uint8_t iv[static KF_IV_SIZE],
		 const struct secret *plain, struct packer *out)
{
	_cleanup_(secret_deinit) struct secret padded = SECRET_INIT;
	size_t n = item_sealed_size(plain->n);
	uint8_t *at;
	int r;

	r = secret_init(&padded, n);
	if (r < 0)
		return r;
	r = secret_set(&padded, secret_bytes(plain));
	if (r < 0)
		return r;
	padded.p[plain->n] = 0x80;	/* the rest is zero already [card-application 6] */
	padded.n = n;

	at = pack_reserve(out, n);
	if (!at)
		return -EMSGSIZE;
	return cbc(keys, iv, true, secret_bytes(&padded), at);
}

/*
 * How many bytes of padding there are, 0 if it is out of form; looks at the whole last block
 * whatever it finds.
 */
static size_t padding_size(const uint8_t block[static BLOCK])
{
	uint32_t found = 0, good = 0, size = 0;

	for (uint32_t i = BLOCK; i > 0; i--) {
		uint32_t byte = block[i - 1];
		uint32_t is_mark = (((byte ^ 0x80) - 1) >> 31) & (found ^ 1);
		uint32_t is_zero = (byte - 1) >> 31;

		good |= is_mark;
		size |= (BLOCK - i + 1) & (0 - is_mark);
		found |= is_mark | (is_zero ^ 1);
	}
	return size & (0 - good);
}

int item_decrypt(const struct item_keys *keys, const uint8_t iv[static KF_IV_SIZE],
		 struct bytes ciphertext, struct secret *plain)
{
	size_t padding;
	int r;

	if (ciphertext.n == 0 || ciphertext.n % BLOCK != 0 || ciphertext.n > plain->cap)
		return -EBADMSG;
	r = cbc(keys, iv, false, ciphertext, plain->p);
	if (r < 0)
		return r;
	padding = padding_size(plain->p + ciphertext.n - BLOCK);
	plain->n = ciphertext.n - padding;
	return padding == 0 ? -EBADMSG : 0;
}

static int cmac(const uint8_t *key, struct bytes text, uint8_t out[static ITEM_MAC_SIZE])
{
	ossl_begin();
	_cleanup_(EVP_MAC_freep) EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	_cleanup_(EVP_MAC_CTX_freep) EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	OSSL_PARAM params[] = {
		param_text(OSSL_MAC_PARAM_CIPHER, "AES-256-CBC"),
		OSSL_PARAM_construct_end(),
	};
	size_t len = 0;

	if (!ctx || EVP_MAC_init(ctx, key, KEY_SIZE, params) != 1 ||
	    EVP_MAC_update(ctx, text.p, text.n) != 1 ||
	    EVP_MAC_final(ctx, out, &len, ITEM_MAC_SIZE) != 1 || len != ITEM_MAC_SIZE)
		return ossl_end(-EIO);
	return 0;
}

int item_mac(const struct item_keys *keys, struct bytes body_der,
	     uint8_t out[static ITEM_MAC_SIZE])
{
	return cmac(keys->all.p + KEY_SIZE, body_der, out);
}

int item_proof(const struct item_keys *keys, struct bytes secret, uint8_t out[static ITEM_MAC_SIZE])
{
	return cmac(keys->all.p + 2 * KEY_SIZE, secret, out);
}

/* [card-application 1.2, wrap padding 02]: OAEP with SHA-256 twice, the label is H. */
static int set_oaep(EVP_PKEY_CTX *ctx, const uint8_t h[static KF_DIGEST_SIZE])
{
	uint8_t *label;

	if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1 ||
	    EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) != 1 ||
	    EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) != 1)
		return -EIO;
	label = OPENSSL_memdup(h, KF_DIGEST_SIZE);
	if (!label)
		return -EIO;
	if (EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, label, KF_DIGEST_SIZE) != 1) {
		OPENSSL_free(label);
		return -EIO;
	}
	return 0;
}

int session_key_wrap(EVP_PKEY *exchange, const uint8_t h[static KF_DIGEST_SIZE],
		     const struct secret *s1, struct packer *out)
{
	ossl_begin();
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx =
		EVP_PKEY_CTX_new_from_pkey(NULL, exchange, NULL);
	size_t len = (size_t)EVP_PKEY_get_size(exchange);
	uint8_t *at = pack_reserve(out, len);

	if (!at)
		return -EMSGSIZE;
	if (!ctx || EVP_PKEY_encrypt_init(ctx) != 1 || set_oaep(ctx, h) < 0 ||
	    EVP_PKEY_encrypt(ctx, at, &len, s1->p, s1->n) != 1)
		return ossl_end(-EIO);
	return 0;
}

/* Takes @good over @spare byte by byte where @ok is 1, without a branch. */
static void choose(uint8_t *out, const uint8_t *good, const uint8_t *spare, size_t n, uint8_t ok)
{
	uint8_t mask = (uint8_t)(0 - ok);

	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)((good[i] & mask) | (spare[i] & ~mask));
}

int session_key_unwrap(EVP_PKEY *exchange, const uint8_t h[static KF_DIGEST_SIZE],
		       struct bytes wrapped, struct secret *s1)
{
	ossl_begin();
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx =
		EVP_PKEY_CTX_new_from_pkey(NULL, exchange, NULL);
	_cleanup_(secret_deinit) struct secret opened = SECRET_INIT, spare = SECRET_INIT;
	size_t size = (size_t)EVP_PKEY_get_size(exchange);
	size_t len = size;
	int r, opens;

	if (wrapped.n != size)
		return -EINVAL;
	r = secret_init(&opened, size);
	if (r == 0)
		r = secret_init(&spare, KF_S1_SIZE);
	if (r < 0)
		return r;
	/* Drawn before the outcome is known, so that both outcomes do the same work. */
	if (RAND_priv_bytes(spare.p, KF_S1_SIZE) != 1)
		return ossl_end(-EIO);
	if (!ctx || EVP_PKEY_decrypt_init(ctx) != 1 || set_oaep(ctx, h) < 0)
		return ossl_end(-EIO);

	opens = EVP_PKEY_decrypt(ctx, opened.p, &len, wrapped.p, wrapped.n);
	ERR_clear_error();
	choose(s1->p, opened.p, spare.p, KF_S1_SIZE, (opens == 1) & (len == KF_S1_SIZE));
	s1->n = KF_S1_SIZE;
	return 0;
}
