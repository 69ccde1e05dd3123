/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/cvc_key.c - Keys and signatures of card-verifiable certificates, for OpenSSL and back
 * [TR-03110-3 A.6.4, D.3]. An ECDSA signature is r || s there, and a DER SEQUENCE to OpenSSL.
 */
#include "format/schsm/cvc.h"
#include "format/ossl.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>

OSSL_CLEANUP(ECDSA_SIG, ECDSA_SIG_free)

static const EVP_MD *algorithm_md(enum cvc_algorithm algorithm)
{
	switch (algorithm) {
	case CVC_RSA_V15_SHA1:
	case CVC_RSA_PSS_SHA1:
	case CVC_ECDSA_SHA1:
		return EVP_sha1();
	case CVC_ECDSA_SHA224:
		return EVP_sha224();
	case CVC_RSA_V15_SHA256:
	case CVC_RSA_PSS_SHA256:
	case CVC_ECDSA_SHA256:
		return EVP_sha256();
	case CVC_ECDSA_SHA384:
		return EVP_sha384();
	case CVC_RSA_V15_SHA512:
	case CVC_RSA_PSS_SHA512:
	case CVC_ECDSA_SHA512:
		return EVP_sha512();
	case CVC_NO_ALGORITHM:
		break;
	}
	return NULL;
}

static bool algorithm_is_pss(enum cvc_algorithm algorithm)
{
	return algorithm == CVC_RSA_PSS_SHA1 || algorithm == CVC_RSA_PSS_SHA256 ||
	       algorithm == CVC_RSA_PSS_SHA512;
}

static bool algorithm_is_rsa(enum cvc_algorithm algorithm)
{
	return algorithm >> 8 == 1;
}

/* --- keys --- */

/* Small exponents only make signatures, which is all these keys are for. */
static bool rsa_is_allowed(const BIGNUM *n, const BIGNUM *e)
{
	return BN_num_bits(n) >= 1024 && BN_num_bits(n) <= 4096 && BN_is_odd(n) && BN_is_odd(e) &&
	       BN_num_bits(e) >= 2 && BN_num_bits(e) <= 64;
}

static int load_rsa(const struct cvc_key *key, EVP_PKEY **out)
{
	_cleanup_(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	_cleanup_(OSSL_PARAM_freep) OSSL_PARAM *params = NULL;
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	_cleanup_(BN_clear_freep) BIGNUM *n = NULL, *e = NULL;

	if (key->n.n > 512 || key->e.n > 8)
		return -EBADMSG;
	n = BN_bin2bn(key->n.p, (int)key->n.n, NULL);
	e = BN_bin2bn(key->e.p, (int)key->e.n, NULL);
	if (!build || !ctx || !n || !e)
		return -EIO;
	if (!rsa_is_allowed(n, e))
		return -EBADMSG;
	if (OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) != 1)
		return -EIO;
	params = OSSL_PARAM_BLD_to_param(build);
	if (!params || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, out, EVP_PKEY_PUBLIC_KEY, params) != 1)
		return -EIO;
	return 0;
}

int cvc_key_load(const struct cvc_key *key, const struct cvc_key *domain, EVP_PKEY **out)
{
	struct curve curve;
	int r;

	if (cvc_key_is_rsa(key)) {
		ossl_begin();
		return ossl_end(load_rsa(key, out));
	}
	if (cvc_key_has_domain(key))
		domain = key;
	if (!domain || !cvc_key_has_domain(domain))
		return -ENOKEY;
	r = curve_from_claim(&domain->domain, false, &curve);
	return r < 0 ? r : curve_public_key(&curve, key->point, out);
}

static int describe_ec(EVP_PKEY *key, struct cvc_key_store *store, struct cvc_key *out)
{
	struct packer point = pack_begin(store->point, sizeof(store->point));
	int r = curve_of_key(key, &store->curve);

	if (r == 0)
		r = curve_point(key, &point);
	if (r < 0)
		return r;
	out->domain = curve_numbers(&store->curve);
	out->point = pack_done(&point);
	return 0;
}

static int describe_rsa(EVP_PKEY *key, struct cvc_key_store *store, struct cvc_key *out)
{
	_cleanup_(BN_clear_freep) BIGNUM *n = NULL, *e = NULL;

	if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
	    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
		return -EIO;
	if (!rsa_is_allowed(n, e))
		return -EOPNOTSUPP;
	out->n = BYTES(store->n, (size_t)BN_bn2bin(n, store->n));
	out->e = BYTES(store->e, (size_t)BN_bn2bin(e, store->e));
	return 0;
}

int cvc_key_describe(EVP_PKEY *key, enum cvc_algorithm algorithm, struct cvc_key_store *store,
		     struct cvc_key *out)
{
	bool rsa = EVP_PKEY_is_a(key, "RSA");
	struct cvc_key described = { .algorithm = algorithm };
	int r;

	if (algorithm == CVC_NO_ALGORITHM)
		described.algorithm = rsa ? CVC_RSA_V15_SHA256 : CVC_ECDSA_SHA256;
	if (algorithm_is_rsa(described.algorithm) != rsa)
		return -EINVAL;
	ossl_begin();
	r = rsa ? ossl_end(describe_rsa(key, store, &described)) : describe_ec(key, store, &described);
	if (r == 0)
		*out = described;
	return r;
}

/* --- signatures --- */

/* r || s, both as long as the order [TR-03111 5.2.1], into the form OpenSSL wants. */
static int ecdsa_to_der(EVP_PKEY *key, struct bytes plain, uint8_t **der, int *len)
{
	_cleanup_(ECDSA_SIG_freep) ECDSA_SIG *sig = ECDSA_SIG_new();
	size_t size = (size_t)(EVP_PKEY_get_bits(key) + 7) / 8;
	BIGNUM *r, *s;

	if (plain.n != 2 * size)
		return -EBADMSG;
	r = BN_bin2bn(plain.p, (int)size, NULL);
	s = BN_bin2bn(plain.p + size, (int)size, NULL);
	if (!sig || !r || !s || ECDSA_SIG_set0(sig, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		return -EIO;
	}
	*len = i2d_ECDSA_SIG(sig, der);
	return *len > 0 ? 0 : -EIO;
}

static int ecdsa_from_der(EVP_PKEY *key, struct bytes der, struct packer *out)
{
	const uint8_t *at = der.p;
	_cleanup_(ECDSA_SIG_freep) ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)der.n);
	size_t size = (size_t)(EVP_PKEY_get_bits(key) + 7) / 8;
	uint8_t *plain = pack_reserve(out, 2 * size);

	if (!plain)
		return -EMSGSIZE;
	if (!sig || BN_bn2binpad(ECDSA_SIG_get0_r(sig), plain, (int)size) < 0 ||
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), plain + size, (int)size) < 0)
		return -EIO;
	return 0;
}

/* The salt is as long as the hash [TR-03110-3 A.6.4.1]. */
static int set_padding(EVP_PKEY_CTX *ctx, enum cvc_algorithm algorithm)
{
	if (!algorithm_is_rsa(algorithm))
		return 0;
	if (!algorithm_is_pss(algorithm))
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 ? 0 : -EIO;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1 ? 0 : -EIO;
}

static bool algorithm_suits_key(EVP_PKEY *key, enum cvc_algorithm algorithm)
{
	return algorithm_md(algorithm) &&
	       EVP_PKEY_is_a(key, algorithm_is_rsa(algorithm) ? "RSA" : "EC");
}

static int digest_verify(EVP_PKEY *key, enum cvc_algorithm algorithm, struct bytes text,
			 struct bytes signature)
{
	_cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *inner;		/* the context's own */
	int r;

	if (!ctx || EVP_DigestVerifyInit(ctx, &inner, algorithm_md(algorithm), NULL, key) != 1)
		return -EIO;
	r = set_padding(inner, algorithm);
	if (r < 0)
		return r;
	return EVP_DigestVerify(ctx, signature.p, signature.n, text.p, text.n) == 1 ? 0 : -EBADMSG;
}

static int signature_verify(EVP_PKEY *key, enum cvc_algorithm algorithm, struct bytes text,
			    struct bytes signature)
{
	uint8_t *der = NULL;
	int len = 0, r;

	if (algorithm_is_rsa(algorithm))
		return digest_verify(key, algorithm, text, signature);
	r = ecdsa_to_der(key, signature, &der, &len);
	if (r == 0)
		r = digest_verify(key, algorithm, text, BYTES(der, (size_t)len));
	OPENSSL_free(der);
	return r;
}

int cvc_signature_verify(EVP_PKEY *key, enum cvc_algorithm algorithm, struct bytes text,
			 struct bytes signature)
{
	if (!algorithm_suits_key(key, algorithm))
		return -EINVAL;
	ossl_begin();
	return ossl_end(signature_verify(key, algorithm, text, signature));
}

int cvc_verify(const struct cvc *cvc, EVP_PKEY *issuer, enum cvc_algorithm algorithm)
{
	return cvc_signature_verify(issuer, algorithm, cvc->body, cvc->signature);
}

int cvc_voucher_verify(const struct cvc_voucher *voucher, EVP_PKEY *device,
		       enum cvc_algorithm algorithm)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	int r = cvc_key_load(&voucher->request.key, NULL, &key);

	if (r == 0)
		r = cvc_verify(&voucher->request, key, voucher->request.key.algorithm);
	if (r == 0)
		r = cvc_signature_verify(device, algorithm, voucher->signed_part, voucher->signature);
	return r;
}

static int own_sign(EVP_PKEY *key, enum cvc_algorithm algorithm, struct bytes text,
		    struct packer *out)
{
	_cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sig[CVC_SIGNATURE_MAX];
	size_t len = sizeof(sig);
	EVP_PKEY_CTX *inner;
	int r;

	if (!ctx || EVP_DigestSignInit(ctx, &inner, algorithm_md(algorithm), NULL, key) != 1)
		return -EIO;
	r = set_padding(inner, algorithm);
	if (r < 0)
		return r;
	if (EVP_DigestSign(ctx, sig, &len, text.p, text.n) != 1)
		return -EIO;
	if (!algorithm_is_rsa(algorithm))
		return ecdsa_from_der(key, BYTES(sig, len), out);
	pack_bytes(out, BYTES(sig, len));
	return pack_end(out);
}

static int sign_with_own(void *context, struct bytes text, struct packer *signature)
{
	const struct cvc_own_key *own = context;

	if (!algorithm_suits_key(own->key, own->algorithm))
		return -EINVAL;
	ossl_begin();
	return ossl_end(own_sign(own->key, own->algorithm, text, signature));
}

struct cvc_signer cvc_sign_with(struct cvc_own_key *own)
{
	return (struct cvc_signer){ sign_with_own, own };
}
