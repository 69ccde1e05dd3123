/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/wrapped.c - In constant shape [byok 7 "Uniform error, how"]: a random AES key is drawn
 * before anything is opened and takes the place of one that does not come out, and C2 is unwrapped
 * under all three lengths of AES key each time, for the number of rounds would tell a 128-bit key
 * from the random one. Only the end, one bit, decides.
 */
#include "format/wrapped.h"
#include "format/hash.h"
#include "format/ossl.h"

#include <openssl/rand.h>
#include <openssl/rsa.h>

enum { RSA_MAX = 512, KEY_MAX = 32, N_LENGTHS = 3 };

static const size_t key_lengths[N_LENGTHS] = { 16, 24, 32 };

/* Everything secret of one opening, in one piece of locked memory. */
struct opening {
	struct secret all;
	uint8_t *oaep;			/* RSA_MAX: what came out of C1 */
	uint8_t *spare;			/* KEY_MAX, random */
	uint8_t *key;			/* KEY_MAX, the one or the other */
	uint8_t *text[N_LENGTHS];	/* APP_WRAPPED_MAX each: C2 under 16, 24, 32 bytes of key */
};

#define OPENING_INIT ((struct opening){ .all = SECRET_INIT })

static int opening_init(struct opening *o)
{
	int r = secret_init(&o->all, RSA_MAX + 2 * KEY_MAX + N_LENGTHS * APP_WRAPPED_MAX);

	if (r < 0)
		return r;
	o->oaep = o->all.p;
	o->spare = o->oaep + RSA_MAX;
	o->key = o->spare + KEY_MAX;
	for (size_t i = 0; i < N_LENGTHS; i++)
		o->text[i] = o->key + KEY_MAX + i * APP_WRAPPED_MAX;
	return 0;
}

static void opening_deinit(struct opening *o)
{
	secret_deinit(&o->all);
}

bool wrapped_fits(size_t len, size_t modulus)
{
	return len >= modulus + KWP_LEAST && (len - modulus) % KWP_BLOCK == 0 &&
	       len - modulus <= APP_WRAPPED_MAX;
}

/* Without and with the public key; up to 7 zero bytes behind change nothing [byok 2.6]. */
static const struct curve_row {
	size_t without, with;
	enum kf_key_type type;
} curve_rows[] = {
	{ 80, 152, KF_KEY_EC_P256 },
	{ 88, 200, KF_KEY_EC_P384 },
	{ 112, 256, KF_KEY_EC_P521 },
	{ 72, 144, KF_KEY_EC_P256K },
};

/* A PrivateKeyInfo of RSA is 9/16 of the modulus in bits, and up to 7 zero bytes [byok 2.6]. */
enum kf_key_type wrapped_type(size_t len)
{
	for (size_t i = 0; i < sizeof(curve_rows) / sizeof(curve_rows[0]); i++) {
		if (len == curve_rows[i].without || len == curve_rows[i].with)
			return curve_rows[i].type;
	}
	for (int type = KF_KEY_AES_128; type <= KF_KEY_AES_256; type++) {
		if (len == key_type_size((enum kf_key_type)type) + KWP_BLOCK)
			return (enum kf_key_type)type;
	}
	for (int type = KF_KEY_RSA_2048; type <= KF_KEY_RSA_4096; type++) {
		size_t usual = key_type_bits((enum kf_key_type)type) * 9 / 16 + 80;

		if (len + 128 > usual && len < usual + 128)
			return (enum kf_key_type)type;
	}
	return KF_KEY_NONE;
}

/* [byok 1.4]: MGF1 of the same hash, empty label. */
static int oaep_begin(EVP_PKEY *kek, enum kf_hash hash, EVP_PKEY_CTX **out)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, kek, NULL);
	const EVP_MD *md = hash_md(hash);

	if (!ctx || !md || EVP_PKEY_decrypt_init(ctx) != 1 ||
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1 ||
	    EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) != 1 ||
	    EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) != 1)
		return -EIO;
	*out = take_ptr(ctx);
	return 0;
}

static const EVP_CIPHER *kwp_cipher(size_t key_len)
{
	switch (key_len) {
	case 16: return EVP_aes_128_wrap_pad();
	case 24: return EVP_aes_192_wrap_pad();
	case 32: return EVP_aes_256_wrap_pad();
	default: return NULL;
	}
}

static int kwp_begin(const uint8_t *key, size_t key_len, EVP_CIPHER_CTX **out)
{
	_cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (!ctx)
		return -EIO;
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_DecryptInit_ex2(ctx, kwp_cipher(key_len), key, NULL, NULL) != 1)
		return -EIO;
	*out = take_ptr(ctx);
	return 0;
}

int oaep_open(EVP_PKEY *kek, enum kf_hash hash, struct bytes wrapped, struct secret *text)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	size_t len = text->cap;
	int r;

	ossl_begin();
	r = oaep_begin(kek, hash, &ctx);
	if (r == 0 && EVP_PKEY_decrypt(ctx, text->p, &len, wrapped.p, wrapped.n) != 1)
		r = -EBADMSG;
	text->n = r == 0 ? len : 0;
	return ossl_end(r);
}

int kwp_open(struct bytes key, struct bytes wrapped, struct secret *text)
{
	_cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = NULL;
	int len = 0;
	int r;

	if (!kwp_cipher(key.n) || wrapped.n > text->cap)
		return -EINVAL;
	if (wrapped.n < KWP_LEAST || wrapped.n % KWP_BLOCK != 0)
		return -EBADMSG;
	ossl_begin();
	r = kwp_begin(key.p, key.n, &ctx);
	if (r == 0 && (EVP_DecryptUpdate(ctx, text->p, &len, wrapped.p, (int)wrapped.n) != 1 ||
		       len <= 0))
		r = -EBADMSG;
	text->n = r == 0 ? (size_t)len : 0;
	return ossl_end(r);
}

/* --- without a branch on anything secret --- */

/* All ones if @a is @b, else 0. */
static size_t mask_equal(size_t a, size_t b)
{
	size_t d = a ^ b;

	return ((d | (0 - d)) >> (8 * sizeof(d) - 1)) - 1;
}

/* @good where @mask has ones, else @spare. */
static void choose(uint8_t *out, const uint8_t *good, const uint8_t *spare, size_t n, size_t mask)
{
	uint8_t m = (uint8_t)mask;

	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)((good[i] & m) | (spare[i] & (uint8_t)~m));
}

/* C1. Return: 0 with the key to go on with, and in @key_len its length or 0; -EIO. */
static int open_key(struct opening *o, EVP_PKEY *kek, enum kf_hash hash, struct bytes c1,
		    size_t *key_len)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	size_t len = RSA_MAX, fits = 0;
	int opens;

	if (RAND_priv_bytes(o->spare, KEY_MAX) != 1 || oaep_begin(kek, hash, &ctx) < 0)
		return -EIO;
	opens = EVP_PKEY_decrypt(ctx, o->oaep, &len, c1.p, c1.n);
	for (size_t i = 0; i < N_LENGTHS; i++)
		fits |= mask_equal(len, key_lengths[i]);
	fits &= mask_equal((size_t)opens, 1);
	choose(o->key, o->oaep, o->spare, KEY_MAX, fits);
	*key_len = len & fits;
	return 0;
}

/* C2 under the first bytes of the key. Return: 0 with its length, or 0 for none, in @len; -EIO. */
static int open_text(struct opening *o, size_t i, struct bytes c2, size_t *len)
{
	_cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *ctx = NULL;
	int n = 0, opens;

	if (kwp_begin(o->key, key_lengths[i], &ctx) < 0)
		return -EIO;
	opens = EVP_DecryptUpdate(ctx, o->text[i], &n, c2.p, (int)c2.n);
	*len = (size_t)n & mask_equal((size_t)opens, 1);
	return 0;
}

static int open_both(struct opening *o, EVP_PKEY *kek, enum kf_hash hash, struct bytes blob,
		     struct secret *plain)
{
	size_t modulus = (size_t)EVP_PKEY_get_size(kek), key_len = 0, n = 0;
	struct bytes c2 = bytes_slice(blob, modulus, SIZE_MAX);
	int r = open_key(o, kek, hash, bytes_slice(blob, 0, modulus), &key_len);

	wipe(plain->p, plain->cap);
	for (size_t i = 0; i < N_LENGTHS && r == 0; i++) {
		size_t len = 0, mask;

		r = open_text(o, i, c2, &len);
		mask = mask_equal(key_len, key_lengths[i]);
		choose(plain->p, o->text[i], plain->p, c2.n, mask);
		n |= len & mask;
	}
	if (r < 0)
		return r;
	plain->n = n;
	return n != 0 ? 0 : -EBADMSG;	/* an empty plaintext is none [RFC 5649] */
}

int wrapped_open(EVP_PKEY *kek, enum kf_hash hash, struct bytes blob, struct secret *plain)
{
	_cleanup_(opening_deinit) struct opening opening = OPENING_INIT;
	int r;

	assert(plain->cap >= APP_WRAPPED_MAX);
	if (!wrapped_fits(blob.n, (size_t)EVP_PKEY_get_size(kek)))
		return -EBADMSG;
	r = opening_init(&opening);
	if (r < 0)
		return r;
	ERR_clear_error();
	r = open_both(&opening, kek, hash, blob, plain);
	ERR_clear_error();
	if (r < 0)
		secret_clear(plain);
	return r;
}
