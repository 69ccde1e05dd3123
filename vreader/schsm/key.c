/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * OpenSSL keeps its own copy of a private key while an EVP_PKEY lives and wipes it when that is
 * freed, so none outlives the operation it was opened for.
 */
#include "vreader/schsm/key.h"

#include "format/ossl.h"

#include <openssl/crypto.h>
#include <openssl/x509.h>
#include <stdlib.h>

struct hsm_key {
	unsigned int refs;
	enum hsm_kind kind;
	size_t size;
	struct secret private;
};

static int alloc_key(enum hsm_kind kind, size_t size, struct bytes private, struct hsm_key **out)
{
	struct hsm_key *key = calloc(1, sizeof(*key));
	int r;

	if (!key)
		return -ENOMEM;
	*key = (struct hsm_key){ .refs = 1, .kind = kind, .size = size };
	r = secret_init(&key->private, private.n);
	if (r < 0) {
		free(key);
		return -ENOMEM;
	}
	(void)secret_set(&key->private, private);
	*out = key;
	return 0;
}

static int kind_of(EVP_PKEY *pkey, enum hsm_kind *out)
{
	if (EVP_PKEY_is_a(pkey, "RSA"))
		*out = HSM_RSA;
	else if (EVP_PKEY_is_a(pkey, "EC"))
		*out = HSM_EC;
	else
		return -EOPNOTSUPP;
	return 0;
}

/* Modulus or coordinate: both kinds count in bits of it. */
static size_t size_of(EVP_PKEY *pkey)
{
	return ((size_t)EVP_PKEY_get_bits(pkey) + 7) / 8;
}

int hsm_key_new(EVP_PKEY *pkey, struct hsm_key **out)
{
	unsigned char *der = NULL;
	enum hsm_kind kind;
	int n, r = kind_of(pkey, &kind);

	if (r < 0)
		return r;
	ossl_begin();
	n = i2d_PrivateKey(pkey, &der);
	r = ossl_end(n > 0 ? 0 : -EIO);
	if (r == 0)
		r = alloc_key(kind, size_of(pkey), BYTES(der, (size_t)n), out);
	if (der)
		OPENSSL_clear_free(der, (size_t)n);
	return r;
}

int hsm_key_new_aes(struct bytes secret, struct hsm_key **out)
{
	if (secret.n != 16 && secret.n != 24 && secret.n != 32)
		return -EINVAL;
	return alloc_key(HSM_AES, secret.n, secret, out);
}

static int decode(enum hsm_kind kind, struct bytes private, EVP_PKEY **out)
{
	const uint8_t *p = private.p;

	ossl_begin();
	*out = d2i_PrivateKey(kind == HSM_RSA ? EVP_PKEY_RSA : EVP_PKEY_EC, NULL, &p,
			      (long)private.n);
	return ossl_end(*out ? 0 : -EBADMSG);
}

int hsm_key_restore(enum hsm_kind kind, struct bytes private, struct hsm_key **out)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;
	int r;

	if (kind == HSM_AES) {
		r = hsm_key_new_aes(private, out);
		return r == -EINVAL ? -EBADMSG : r;
	}
	if (private.n == 0 || (kind != HSM_RSA && kind != HSM_EC))
		return -EBADMSG;
	r = decode(kind, private, &pkey);
	return r < 0 ? r : alloc_key(kind, size_of(pkey), private, out);
}

struct hsm_key *hsm_key_ref(struct hsm_key *key)
{
	if (key)
		key->refs++;
	return key;
}

struct hsm_key *hsm_key_unref(struct hsm_key *key)
{
	if (!key || --key->refs != 0)
		return NULL;
	secret_deinit(&key->private);
	free(key);
	return NULL;
}

enum hsm_kind hsm_key_kind(const struct hsm_key *key)
{
	return key->kind;
}

struct bytes hsm_key_private(const struct hsm_key *key)
{
	return secret_bytes(&key->private);
}

size_t hsm_key_size(const struct hsm_key *key)
{
	return key->size;
}

int hsm_key_open(const struct hsm_key *key, EVP_PKEY **out)
{
	if (key->kind == HSM_AES)
		return -EIO;
	return decode(key->kind, secret_bytes(&key->private), out) < 0 ? -EIO : 0;
}
