/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * OpenSSL keeps its own copy of a private key while an EVP_PKEY lives and wipes it when that is
 * freed, so none outlives the operation it was opened for.
 */
#include "vreader/card/key.h"

#include "format/aes.h"
#include "format/hash.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "format/shared.h"
#include "vreader/card/tlv.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

struct card_key {
	unsigned int refs;
	enum kf_key_type type;
	struct secret private;
	uint8_t spki[SPKI_MAX];
	size_t spki_len;
	uint8_t hash[KF_DIGEST_SIZE];
};

static int card_key_alloc(struct card_key **out)
{
	struct card_key *key = calloc(1, sizeof(*key));
	int r;

	if (!key)
		return -ENOMEM;
	key->refs = 1;
	r = secret_init(&key->private, KEY_PLAIN_MAX);
	if (r < 0) {
		free(key);
		return r;
	}
	*out = key;
	return 0;
}

int card_key_new(EVP_PKEY *pkey, struct card_key **out)
{
	_cleanup_(card_key_unrefp) struct card_key *key = NULL;
	struct packer spki;
	int r;

	r = card_key_alloc(&key);
	if (r < 0)
		return r;
	spki = pack_begin(key->spki, sizeof(key->spki));
	r = key_type_of(pkey, &key->type);
	if (r == 0)
		r = key_spki(pkey, &spki);
	if (r == 0)
		r = key_plain_encode(pkey, &key->private);
	if (r == 0)
		r = sha256(pack_done(&spki), key->hash);
	if (r < 0)
		return -EIO;
	key->spki_len = spki.n;
	*out = take_ptr(key);
	return 0;
}

int card_key_new_secret(enum kf_key_type type, struct bytes secret, struct card_key **out)
{
	_cleanup_(card_key_unrefp) struct card_key *key = NULL;
	struct packer p;
	struct key_mark mark;
	int r;

	if (!key_type_is_aes(type) || secret.n != key_type_size(type))
		return -EINVAL;
	r = card_key_alloc(&key);
	if (r == 0)
		r = aes_mark(secret, &mark);
	if (r < 0)
		return r;
	key->type = type;
	(void)secret_set(&key->private, secret);
	p = pack_begin(key->spki, sizeof(key->spki));
	key_mark_pack(&p, &mark);
	key->spki_len = p.n;
	r = sha256(pack_done(&p), key->hash);
	if (r == 0)
		*out = take_ptr(key);
	return r;
}

int card_key_new_shared(struct bytes secret, const struct shared_info *info, struct card_key **out)
{
	_cleanup_(card_key_unrefp) struct card_key *key = NULL;
	struct packer p;
	int r = card_key_alloc(&key);

	if (r < 0)
		return r;
	key->type = KF_KEY_AES_256;
	(void)secret_set(&key->private, secret);
	p = pack_begin(key->spki, sizeof(key->spki));
	shared_info_pack(&p, info);
	key->spki_len = p.n;
	r = sha256(pack_done(&p), key->hash);
	if (r == 0)
		*out = take_ptr(key);
	return r;
}

int card_key_restore(enum kf_key_type type, struct bytes private, struct bytes spki,
		     struct card_key **out)
{
	_cleanup_(card_key_unrefp) struct card_key *key = NULL;
	struct packer p;
	int r;

	if (key_type_bits(type) == 0 || spki.n > SPKI_MAX || private.n > KEY_PLAIN_MAX ||
	    (key_type_is_aes(type) && private.n != key_type_size(type)))
		return -EBADMSG;
	r = card_key_alloc(&key);
	if (r < 0)
		return r;
	key->type = type;
	(void)secret_set(&key->private, private);
	p = pack_begin(key->spki, sizeof(key->spki));
	pack_bytes(&p, spki);
	key->spki_len = p.n;
	if (sha256(spki, key->hash) < 0)
		return -ENOMEM;
	*out = take_ptr(key);
	return 0;
}

int card_key_generate(enum kf_key_type type, struct card_key **out)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;

	if (key_generate(type, &pkey) < 0)
		return -EIO;
	return card_key_new(pkey, out);
}

struct card_key *card_key_ref(struct card_key *key)
{
	if (key)
		key->refs++;
	return key;
}

struct card_key *card_key_unref(struct card_key *key)
{
	if (!key || --key->refs != 0)
		return NULL;
	secret_deinit(&key->private);
	free(key);
	return NULL;
}

enum kf_key_type card_key_type(const struct card_key *key)
{
	return key->type;
}

struct bytes card_key_spki(const struct card_key *key)
{
	return BYTES(key->spki, key->spki_len);
}

const uint8_t *card_key_hash(const struct card_key *key)
{
	return key->hash;
}

struct bytes card_key_private(const struct card_key *key)
{
	return secret_bytes(&key->private);
}

int card_key_open(const struct card_key *key, EVP_PKEY **out)
{
	const uint8_t *p = key->private.p;

	if (key_type_is_aes(key->type))
		return -EIO;
	if (!key_type_is_rsa(key->type))
		return key_plain_decode(secret_bytes(&key->private), key->type, out) < 0 ? -EIO : 0;
	/* key_plain_decode() would test both primes again, at every signature. */
	*out = d2i_PrivateKey(EVP_PKEY_RSA, NULL, &p, (long)key->private.n);
	return *out ? 0 : -EIO;
}

/* --- public half --- */

static void put_big(struct packer *out, unsigned int tag, const BIGNUM *n)
{
	uint8_t buf[CARD_KEY_SIGNATURE_MAX];
	int len = BN_bn2bin(n, buf);

	tlv_put(out, tag, BYTES(buf, (size_t)len));
}

static int put_rsa(EVP_PKEY *pkey, struct packer *out)
{
	BIGNUM *n = NULL, *e = NULL;
	int r = -EIO;

	if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) > 0 &&
	    EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) > 0 &&
	    BN_num_bytes(n) <= CARD_KEY_SIGNATURE_MAX && BN_num_bytes(e) <= CARD_KEY_SIGNATURE_MAX) {
		put_big(out, 0x81, n);
		put_big(out, 0x82, e);
		r = 0;
	}
	BN_free(n);
	BN_free(e);
	return r;
}

static int put_point(EVP_PKEY *pkey, struct packer *out)
{
	uint8_t point[1 + 2 * 66];
	size_t n;

	if (EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
					    &n) <= 0)
		return -EIO;
	tlv_put(out, 0x86, BYTES(point, n));
	return 0;
}

int card_key_put_public(const struct card_key *key, struct packer *out)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;
	uint8_t buf[SPKI_MAX];
	struct packer inner = pack_begin(buf, sizeof(buf));
	const uint8_t *p = key->spki;
	int r;

	pkey = d2i_PUBKEY(NULL, &p, (long)key->spki_len);
	if (!pkey)
		return -EIO;
	r = key_type_is_rsa(key->type) ? put_rsa(pkey, &inner) : put_point(pkey, &inner);
	if (r < 0 || pack_end(&inner) < 0)
		return -EIO;
	tlv_put(out, 0x7f49, pack_done(&inner));
	return 0;
}

/* --- private operations --- */

/* What an algorithm asks of OpenSSL; a digest of NULL is one that is not used. */
struct algorithm_setup {
	enum algorithm alg;
	int padding;
	const EVP_MD *(*md)(void);
};

static const struct algorithm_setup algorithm_setups[] = {
	{ ALG_PKCS1_SHA256, RSA_PKCS1_PADDING, EVP_sha256 },
	{ ALG_PKCS1_SHA384, RSA_PKCS1_PADDING, EVP_sha384 },
	{ ALG_PKCS1_SHA512, RSA_PKCS1_PADDING, EVP_sha512 },
	{ ALG_PSS_SHA256, RSA_PKCS1_PSS_PADDING, EVP_sha256 },
	{ ALG_PSS_SHA384, RSA_PKCS1_PSS_PADDING, EVP_sha384 },
	{ ALG_PSS_SHA512, RSA_PKCS1_PSS_PADDING, EVP_sha512 },
	{ ALG_ECDSA_SHA256, 0, EVP_sha256 },
	{ ALG_ECDSA_SHA384, 0, EVP_sha384 },
	{ ALG_ECDSA_SHA512, 0, EVP_sha512 },
	{ ALG_RSAES_PKCS1, RSA_PKCS1_PADDING, NULL },
	{ ALG_OAEP_SHA1, RSA_PKCS1_OAEP_PADDING, EVP_sha1 },
	{ ALG_OAEP_SHA256, RSA_PKCS1_OAEP_PADDING, EVP_sha256 },
	{ ALG_OAEP_SHA384, RSA_PKCS1_OAEP_PADDING, EVP_sha384 },
	{ ALG_OAEP_SHA512, RSA_PKCS1_OAEP_PADDING, EVP_sha512 },
};

static const struct algorithm_setup *setup_of(enum algorithm alg)
{
	for (size_t i = 0; i < sizeof(algorithm_setups) / sizeof(algorithm_setups[0]); i++) {
		if (algorithm_setups[i].alg == alg)
			return &algorithm_setups[i];
	}
	return NULL;
}

static int open_ctx(const struct card_key *key, EVP_PKEY_CTX **out)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;
	int r = card_key_open(key, &pkey);

	if (r < 0)
		return r;
	*out = EVP_PKEY_CTX_new(pkey, NULL);	/* takes a reference of its own */
	return *out ? 0 : -EIO;
}

static bool set_signing(EVP_PKEY_CTX *ctx, const struct algorithm_setup *setup)
{
	if (EVP_PKEY_sign_init(ctx) <= 0 || EVP_PKEY_CTX_set_signature_md(ctx, setup->md()) <= 0)
		return false;
	if (setup->padding != 0 && EVP_PKEY_CTX_set_rsa_padding(ctx, setup->padding) <= 0)
		return false;
	return setup->padding != RSA_PKCS1_PSS_PADDING ||
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0;
}

int card_key_sign(const struct card_key *key, enum algorithm alg, struct bytes hash,
		  struct packer *out)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	const struct algorithm_setup *setup = setup_of(alg);
	uint8_t sig[CARD_KEY_SIGNATURE_MAX];
	size_t n = sizeof(sig);
	int r = open_ctx(key, &ctx);

	if (r < 0)
		return r;
	if (!setup || !setup->md || !set_signing(ctx, setup) ||
	    EVP_PKEY_sign(ctx, sig, &n, hash.p, hash.n) <= 0)
		return -EIO;
	pack_bytes(out, BYTES(sig, n));
	return 0;
}

static bool set_deciphering(EVP_PKEY_CTX *ctx, const struct algorithm_setup *setup)
{
	if (EVP_PKEY_decrypt_init(ctx) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_padding(ctx, setup->padding) <= 0)
		return false;
	return !setup->md || (EVP_PKEY_CTX_set_rsa_oaep_md(ctx, setup->md()) > 0 &&
			      EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, setup->md()) > 0);
}

int card_key_decipher(const struct card_key *key, enum algorithm alg, struct bytes cryptogram,
		      struct packer *out)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	_cleanup_(secret_deinit) struct secret plain = SECRET_INIT;
	const struct algorithm_setup *setup = setup_of(alg);
	size_t n = CARD_KEY_SIGNATURE_MAX;
	int r = open_ctx(key, &ctx);

	if (r == 0)
		r = secret_init(&plain, n);
	if (r < 0)
		return r;
	if (!setup || !set_deciphering(ctx, setup))
		return -EIO;
	if (EVP_PKEY_decrypt(ctx, plain.p, &n, cryptogram.p, cryptogram.n) <= 0) {
		ERR_clear_error();
		return -EBADMSG;
	}
	pack_bytes(out, BYTES(plain.p, n));
	return 0;
}

/* OpenSSL checks that the point is on the curve [EVP_PKEY_fromdata, EC]; infinity has no 04 form. */
static int peer_from_point(EVP_PKEY *own, struct bytes point, EVP_PKEY **out)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *peer = EVP_PKEY_new();

	if (!peer || EVP_PKEY_copy_parameters(peer, own) <= 0)
		return -EIO;
	if (point.p[0] != 0x04 || EVP_PKEY_set1_encoded_public_key(peer, point.p, point.n) <= 0) {
		ERR_clear_error();
		return -EBADMSG;
	}
	*out = take_ptr(peer);
	return 0;
}

int card_key_agree(const struct card_key *key, struct bytes point, struct packer *out)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *peer = NULL;
	_cleanup_(secret_deinit) struct secret x = SECRET_INIT;
	size_t n = key_type_size(key->type);
	int r;

	if (point.n != 1 + 2 * n)
		return -EBADMSG;
	r = open_ctx(key, &ctx);
	if (r == 0)
		r = peer_from_point(EVP_PKEY_CTX_get0_pkey(ctx), point, &peer);
	if (r == 0)
		r = secret_init(&x, n);
	if (r < 0)
		return r;
	if (EVP_PKEY_derive_init(ctx) <= 0)
		return -EIO;
	if (EVP_PKEY_derive_set_peer_ex(ctx, peer, 1) <= 0) {
		ERR_clear_error();
		return -EBADMSG;
	}
	if (EVP_PKEY_derive(ctx, x.p, &n) <= 0)
		return -EIO;
	pack_bytes(out, BYTES(x.p, n));
	return 0;
}

int card_key_attest(const struct card_key *key, struct bytes text, struct packer *out)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;
	int r = card_key_open(key, &pkey);

	if (r < 0)
		return r;
	return ecdsa_sign(pkey, text, BYTES_NONE, out);
}
