// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/byok/kek.c - A KEK comes as the PEM that key stores export. What else people hold for one
 * is told apart, as "not a public key" would send them to look in the wrong place.
 */
#include "libserver/byok/kek.h"
#include "base/error.h"
#include "format/hash.h"
#include "format/ossl.h"
#include "libserver/armour.h"

#include <openssl/core_names.h>
#include <openssl/x509.h>

#define RULE "docs/byok.md 4: a SubjectPublicKeyInfo, PEM \"PUBLIC KEY\", of an RSA key"
#define NEXT "export the KEK's public key again from where it was made"

static int refused(struct kf_error *e, const char *next, const char *why)
{
	return error_why(e, -EINVAL, RULE, next, "%s", why);
}

/* --- what it is not --- */

static int wrong_label(const struct armour *armour, struct kf_error *e)
{
	if (armour_is(armour, "RSA PUBLIC KEY"))
		return refused(e, "openssl rsa -RSAPublicKey_in -in OLD -pubout -out NEW",
			       "it is an RSA key in the old PKCS #1 form");
	if (armour_is(armour, "CERTIFICATE"))
		return refused(e, "openssl x509 -in CERT -pubkey -noout, if you know whose it is",
			       "it is a certificate, and nobody has checked it");
	if (bytes_count(armour->label, "PRIVATE KEY") > 0)
		return refused(e, "ask the receiver for the public key alone; if this file was sent to "
			       "you, its key is no secret any more",
			       "it is a private key: whoever has it reads what is wrapped for it");
	return error_why(e, -EBADMSG, RULE, NEXT, "it holds a PEM block, and not of a public key");
}

/* Why spki_parse() takes @der for none of ours; OpenSSL's reader is the more tolerant one. */
static int explain(struct bytes der, struct kf_error *e)
{
	const uint8_t *at = der.p;
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	_cleanup_(BN_clear_freep) BIGNUM *exponent = NULL;
	int r;

	ossl_begin();
	key = d2i_PUBKEY(NULL, &at, (long)der.n);
	r = ossl_end(-EBADMSG);
	if (!key || r == -ENOMEM)
		return r == -ENOMEM ? r : error_why(e, r, RULE, NEXT, "it is no public key in form");
	if (!EVP_PKEY_is_a(key, "RSA"))
		return refused(e, "make an RSA KEK of 2048, 3072 or 4096 bits",
			       "it is not an RSA key, and wraps nothing");
	if (EVP_PKEY_get_bits(key) < 2048)
		return error_why(e, -EINVAL, RULE, "make an RSA KEK of 2048, 3072 or 4096 bits",
				 "an RSA key of %d bits is too short", EVP_PKEY_get_bits(key));
	if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1 &&
	    BN_num_bits(exponent) < 17)
		return refused(e, "make a KEK with exponent 65537", "its public exponent is too small");
	return error_why(e, -EINVAL, RULE, "make an RSA KEK of 2048, 3072 or 4096 bits",
			 "it is an RSA key of %d bits, or not in the one form of its kind",
			 EVP_PKEY_get_bits(key));
}

/* --- what it is --- */

static int load(struct bytes der, struct kf_byok_kek *kek, struct kf_error *e)
{
	int r = spki_parse(der, &kek->key, &kek->type);

	if (r == 0 && !key_type_is_rsa(kek->type))
		r = -EOPNOTSUPP;
	if (r == -EBADMSG || r == -EOPNOTSUPP)
		return explain(der, e);
	if (r < 0)
		return r;
	memcpy(kek->spki, der.p, der.n);	/* what was parsed fits */
	kek->spki_len = der.n;
	return sha256(der, kek->hash);
}

static int load_pem(struct bytes text, struct kf_byok_kek *kek, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret der = SECRET_INIT;
	struct armour armour, more;
	int r;

	if (!armour_next(&text, &armour))
		return error_why(e, -EBADMSG, RULE, NEXT, "there is no whole PEM block in it");
	if (!armour_is(&armour, "PUBLIC KEY"))
		return wrong_label(&armour, e);
	if (armour_next(&text, &more))
		return error_why(e, -EBADMSG, RULE, "name a file with one key",
				 "there is more than one PEM block in it");
	r = armour_decode(&armour, &der);
	if (r == -EBADMSG)
		return error_why(e, r, RULE, NEXT, "its base64 is not whole");
	return r < 0 ? r : load(secret_bytes(&der), kek, e);
}

int kf_byok_kek_new(const void *key, size_t len, struct kf_byok_kek **out, struct kf_error *e)
{
	_cleanup_(kf_byok_kek_freep) struct kf_byok_kek *kek = calloc(1, sizeof(*kek));
	struct bytes text = BYTES(key, len);
	int r = -ENOMEM;

	if (kek && len > 0 && text.p[0] == 0x30)
		r = load(text, kek, e);
	else if (kek)
		r = load_pem(text, kek, e);
	if (r < 0)
		return error_what(e, r, "cannot take the KEK");
	*out = take_ptr(kek);
	return 0;
}

struct kf_byok_kek *kf_byok_kek_free(struct kf_byok_kek *kek)
{
	if (kek) {
		EVP_PKEY_free(kek->key);
		EVP_PKEY_free(kek->device);
	}
	free(kek);
	return NULL;
}

enum kf_key_type kf_byok_kek_type(const struct kf_byok_kek *kek)
{
	return kek->type;
}

const uint8_t *kf_byok_kek_public(const struct kf_byok_kek *kek, size_t *len)
{
	*len = kek->spki_len;
	return kek->spki;
}

const uint8_t *kf_byok_kek_hash(const struct kf_byok_kek *kek)
{
	return kek->hash;
}

/* --- trust --- */

int kf_byok_kek_expect(struct kf_byok_kek *kek, const uint8_t hash[KF_DIGEST_SIZE],
		       struct kf_error *e)
{
	if (!bytes_equal(BYTES(hash, KF_DIGEST_SIZE), BYTES_OF(kek->hash))) {
		(void)error_why(e, -EACCES, "the fingerprint that was given, SECURITY section 8",
				"get both again, by two ways: one of them is not the receiver's",
				"its fingerprint is another one");
		return error_what(e, -EACCES, "cannot trust the KEK");
	}
	kek->trust = KEK_FINGERPRINT;
	return 0;
}

void kf_byok_kek_take_unattested(struct kf_byok_kek *kek)
{
	kek->trust = KEK_UNATTESTED;
}

/* [SECURITY section 5]: whose KEK it is that nobody attests, we have from people. */
enum kf_grade kf_byok_kek_grade(const struct kf_byok_kek *kek)
{
	if (kek->trust == KEK_UNTRUSTED)
		return KF_GRADE_NONE;
	if (kek->trust != KEK_ATTESTED)
		return KF_GRADE_U;
	return kek->statement.level == KF_LEVEL_VIRTUAL ? KF_GRADE_A_VIRTUAL : KF_GRADE_A;
}

const char *kf_byok_kek_name(const struct kf_byok_kek *kek)
{
	return kek->trust == KEK_ATTESTED ? kek->statement.name : NULL;
}
