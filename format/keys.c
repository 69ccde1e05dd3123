/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/keys.c - Numbers move between OpenSSL and DER through wiped big numbers and struct
 * secret only. key_plain_decode() is where a card believes a key: everything in it that can be
 * recomputed is recomputed.
 */
#include "format/keys.h"
#include "format/der.h"
#include "format/ossl.h"

#include <openssl/core_names.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

static const char *const rsa_params[RSA_NUMBERS] = {
	OSSL_PKEY_PARAM_RSA_N,	       OSSL_PKEY_PARAM_RSA_E,
	OSSL_PKEY_PARAM_RSA_D,	       OSSL_PKEY_PARAM_RSA_FACTOR1,
	OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
	OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};

static const struct curve_row {
	enum kf_key_type type;
	const char *name;		/* as OpenSSL reports it */
} curve_rows[] = {
	{ KF_KEY_EC_P256, "prime256v1" },
	{ KF_KEY_EC_P384, "secp384r1" },
	{ KF_KEY_EC_P521, "secp521r1" },
	{ KF_KEY_EC_P256K, "secp256k1" },
};

enum { EC_SCALAR_MAX = 66, EC_POINT_MAX = 1 + 2 * EC_SCALAR_MAX };

static const char *curve_name(enum kf_key_type type)
{
	for (size_t i = 0; i < sizeof(curve_rows) / sizeof(curve_rows[0]); i++) {
		if (curve_rows[i].type == type)
			return curve_rows[i].name;
	}
	return NULL;
}

static int rsa_type_of(EVP_PKEY *key, enum kf_key_type *out)
{
	for (int type = KF_KEY_RSA_2048; type <= KF_KEY_RSA_4096; type++) {
		if (EVP_PKEY_get_bits(key) == (int)key_type_bits((enum kf_key_type)type)) {
			*out = (enum kf_key_type)type;
			return 0;
		}
	}
	return -EOPNOTSUPP;
}

static int type_of(EVP_PKEY *key, enum kf_key_type *out)
{
	char group[32] = "";

	if (EVP_PKEY_is_a(key, "RSA"))
		return rsa_type_of(key, out);
	if (EVP_PKEY_is_a(key, "X25519")) {
		*out = KF_KEY_X25519;
		return 0;
	}
	if (!EVP_PKEY_is_a(key, "EC") ||
	    EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group),
					   NULL) != 1)
		return -EOPNOTSUPP;
	for (size_t i = 0; i < sizeof(curve_rows) / sizeof(curve_rows[0]); i++) {
		if (strcmp(curve_rows[i].name, group) == 0) {
			*out = curve_rows[i].type;
			return 0;
		}
	}
	return -EOPNOTSUPP;
}

int key_type_of(EVP_PKEY *key, enum kf_key_type *out)
{
	ossl_begin();
	return ossl_end(type_of(key, out));
}

int key_generate(enum kf_key_type type, EVP_PKEY **out)
{
	EVP_PKEY *key;

	ossl_begin();
	if (key_type_is_rsa(type))
		key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)key_type_bits(type));
	else if (key_type_is_ec(type))
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", key_type_group(type));
	else if (type == KF_KEY_X25519)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	else
		return -EOPNOTSUPP;
	if (!key)
		return ossl_end(-EIO);
	*out = key;
	return 0;
}

int key_spki(EVP_PKEY *key, struct packer *out)
{
	uint8_t *der = NULL;
	int len;

	ossl_begin();
	len = i2d_PUBKEY(key, &der);
	if (len <= 0)
		return ossl_end(-EIO);
	pack_bytes(out, BYTES(der, (size_t)len));
	OPENSSL_free(der);
	return pack_end(out);
}

/* [card-application 1.2]: odd, from 65537 up to 2^64 - 1. */
static bool rsa_exponent_is_allowed(const BIGNUM *e)
{
	return BN_is_odd(e) && BN_num_bits(e) <= 64 && BN_num_bits(e) >= 17;
}

static bool rsa_public_is_allowed(EVP_PKEY *key)
{
	_cleanup_(BN_clear_freep) BIGNUM *e = NULL;

	return EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1 &&
	       rsa_exponent_is_allowed(e);
}

/* [formats 3]: OpenSSL would write any form of an EC key again as it has read it. */
static bool ec_public_is_in_form(EVP_PKEY *key)
{
	char form[32] = "", encoding[32] = "";

	return EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
					      form, sizeof(form), NULL) == 1 &&
	       EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, encoding,
					      sizeof(encoding), NULL) == 1 &&
	       strcmp(form, OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED) == 0 &&
	       strcmp(encoding, OSSL_PKEY_EC_ENCODING_GROUP) == 0;
}

static bool public_is_in_form(EVP_PKEY *key, enum kf_key_type type)
{
	if (key_type_is_rsa(type))
		return rsa_public_is_allowed(key);
	return type == KF_KEY_X25519 || ec_public_is_in_form(key);
}

/* One form only: what OpenSSL reads must be what it would write. */
int spki_parse(struct bytes der, EVP_PKEY **out, enum kf_key_type *type)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	const uint8_t *at = der.p;
	uint8_t again_buf[SPKI_MAX];
	struct packer again = pack_begin(again_buf, sizeof(again_buf));
	bool good;
	int r;

	if (der.n == 0 || der.n > SPKI_MAX)
		return -EBADMSG;
	ossl_begin();
	key = d2i_PUBKEY(NULL, &at, (long)der.n);
	if (ossl_end(-EBADMSG) == -ENOMEM)	/* may have come half all the same */
		return -ENOMEM;
	if (!key || at != der.p + der.n)
		return -EBADMSG;
	r = type_of(key, type);
	if (r < 0)
		return ossl_end(r);
	good = public_is_in_form(key, *type);
	if (!good || key_spki(key, &again) < 0 || !bytes_equal(pack_done(&again), der))
		return ossl_end(-EBADMSG);
	*out = take_ptr(key);
	return 0;
}

/* Appends one big number as INTEGER, its bytes passing through @scratch only. */
static int put_bn(struct packer *p, const BIGNUM *bn, struct secret *scratch)
{
	int len = BN_num_bytes(bn);

	if (len <= 0 || (size_t)len > scratch->cap)
		return -EINVAL;
	scratch->n = (size_t)BN_bn2bin(bn, scratch->p);
	der_put_big(p, secret_bytes(scratch));
	secret_clear(scratch);
	return 0;
}

static int rsa_plain_encode(EVP_PKEY *key, struct packer *p, struct secret *scratch)
{
	_cleanup_(BN_clear_freep) BIGNUM *third = NULL;
	struct der_mark mark;

	/* A third prime would be lost in this form without a word. */
	if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_FACTOR3, &third) == 1)
		return -EINVAL;
	mark = der_begin(p, DER_SEQUENCE);
	der_put_uint(p, DER_INTEGER, 0);	/* version: two primes */
	for (int i = 0; i < RSA_NUMBERS; i++) {
		_cleanup_(BN_clear_freep) BIGNUM *bn = NULL;
		int r = -EINVAL;

		if (EVP_PKEY_get_bn_param(key, rsa_params[i], &bn) == 1)
			r = put_bn(p, bn, scratch);
		if (r < 0)
			return r;
	}
	der_end(p, mark);
	return 0;
}

/* The uncompressed point, recomputed if OpenSSL would hand it out compressed. */
static int ec_public_point(EVP_PKEY *key, uint8_t out[static EC_POINT_MAX], size_t *len)
{
	_cleanup_(BN_clear_freep) BIGNUM *x = NULL, *y = NULL;
	size_t size = (size_t)(EVP_PKEY_get_bits(key) + 7) / 8;

	if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_X, &x) != 1 ||
	    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_Y, &y) != 1)
		return -EINVAL;
	out[0] = 0x04;			/* [SEC 1 2.3.3]: uncompressed */
	if (BN_bn2binpad(x, out + 1, (int)size) < 0 ||
	    BN_bn2binpad(y, out + 1 + size, (int)size) < 0)
		return -EIO;
	*len = 1 + 2 * size;
	return 0;
}

/* [RFC 5915 3]: publicKey is context tag 1 round a BIT STRING. */
static void put_ec_public(struct packer *p, struct bytes point)
{
	struct der_mark outer = der_begin(p, 0xa1);
	struct der_mark bits = der_begin(p, 0x03);

	pack_u8(p, 0);			/* unused bits */
	pack_bytes(p, point);
	der_end(p, bits);
	der_end(p, outer);
}

static int ec_plain_encode(EVP_PKEY *key, size_t size, struct packer *p, struct secret *scratch)
{
	_cleanup_(BN_clear_freep) BIGNUM *d = NULL;
	uint8_t point[EC_POINT_MAX];
	size_t point_len = 0;
	struct der_mark mark;
	int r;

	if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &d) != 1)
		return -EINVAL;
	r = ec_public_point(key, point, &point_len);
	if (r < 0)
		return r;
	if (BN_bn2binpad(d, scratch->p, (int)size) < 0)
		return -EINVAL;
	scratch->n = size;

	mark = der_begin(p, DER_SEQUENCE);
	der_put_uint(p, DER_INTEGER, 1);
	der_put(p, DER_OCTETS, secret_bytes(scratch));
	put_ec_public(p, BYTES(point, point_len));
	der_end(p, mark);
	secret_clear(scratch);
	return 0;
}

/* The 32 bytes [RFC 7748 5]: such a key travels nowhere, the card alone keeps it. */
static int x25519_encode(EVP_PKEY *key, struct packer *p)
{
	size_t n = key_type_size(KF_KEY_X25519);
	uint8_t *at = pack_reserve(p, n);

	if (!at)
		return -EMSGSIZE;
	return EVP_PKEY_get_raw_private_key(key, at, &n) == 1 ? 0 : -EINVAL;
}

static int x25519_decode(struct bytes raw, EVP_PKEY **out)
{
	EVP_PKEY *key;

	if (raw.n != key_type_size(KF_KEY_X25519))
		return -EBADMSG;
	key = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, raw.p, raw.n);
	if (!key)
		return -EIO;
	*out = key;
	return 0;
}

int key_plain_encode(EVP_PKEY *key, struct secret *out)
{
	_cleanup_(secret_deinit) struct secret scratch = SECRET_INIT;
	struct packer p = pack_begin(out->p, out->cap);
	enum kf_key_type type;
	int r;

	ossl_begin();
	r = type_of(key, &type);
	if (r < 0)
		return ossl_end(r);
	r = secret_init(&scratch, 512);
	if (r < 0)
		return r;
	if (key_type_is_rsa(type))
		r = rsa_plain_encode(key, &p, &scratch);
	else if (type == KF_KEY_X25519)
		r = x25519_encode(key, &p);
	else
		r = ec_plain_encode(key, key_type_size(type), &p, &scratch);
	r = ossl_end(r);
	if (r == 0)
		r = pack_end(&p);
	if (r < 0) {
		secret_clear(out);
		return r;
	}
	out->n = p.n;
	return 0;
}

struct rsa_numbers {
	BIGNUM *v[RSA_NUMBERS];
};

static void rsa_numbers_deinit(struct rsa_numbers *numbers)
{
	for (int i = 0; i < RSA_NUMBERS; i++)
		BN_clear_free(numbers->v[i]);
}

static int take_rsa_numbers(struct bytes der, struct bytes out[static RSA_NUMBERS])
{
	struct unpacker whole = unpack_begin(der);
	struct unpacker u = der_enter(&whole, DER_SEQUENCE);

	(void)der_uint(&u, 0);		/* version: two primes */
	for (int i = 0; i < RSA_NUMBERS; i++)
		out[i] = der_big(&u);
	der_leave(&whole, &u);
	return unpack_end(&whole);
}

static int rsa_numbers_load(const struct bytes from[static RSA_NUMBERS], struct rsa_numbers *out)
{
	for (int i = 0; i < RSA_NUMBERS; i++) {
		if (from[i].n > 512)
			return -EBADMSG;
		/* Secure numbers are the ones OSSL_PARAM_free() wipes. */
		out->v[i] = BN_secure_new();
		if (!out->v[i] || !BN_bin2bn(from[i].p, (int)from[i].n, out->v[i]))
			return -EIO;
		BN_set_flags(out->v[i], BN_FLG_CONSTTIME);
	}
	return 0;
}

/* For one prime: exponent fits e, and is d reduced; @r, @s are scratch. */
static bool rsa_prime_agrees(const struct rsa_numbers *k, int prime, int exponent, BIGNUM *less_one,
			     BIGNUM *r, BN_CTX *ctx)
{
	if (!BN_copy(less_one, k->v[prime]) || !BN_sub_word(less_one, 1))
		return false;
	BN_set_flags(less_one, BN_FLG_CONSTTIME);
	if (!BN_mod_mul(r, k->v[RSA_D], k->v[RSA_E], less_one, ctx) || !BN_is_one(r))
		return false;
	if (!BN_mod(r, k->v[RSA_D], less_one, ctx) || BN_cmp(r, k->v[exponent]) != 0)
		return false;
	return BN_check_prime(k->v[prime], ctx, NULL) == 1;
}

/* [card-application 5.4 step 6] */
static bool rsa_numbers_agree(const struct rsa_numbers *k, unsigned bits)
{
	_cleanup_(BN_CTX_freep) BN_CTX *ctx = BN_CTX_secure_new();
	_cleanup_(BN_clear_freep) BIGNUM *a = BN_secure_new(), *b = BN_secure_new();

	if (!ctx || !a || !b)
		return false;
	if (BN_num_bits(k->v[RSA_N]) != (int)bits || BN_num_bits(k->v[RSA_P]) != (int)bits / 2 ||
	    BN_num_bits(k->v[RSA_Q]) != (int)bits / 2 || !rsa_exponent_is_allowed(k->v[RSA_E]))
		return false;
	if (BN_cmp(k->v[RSA_P], k->v[RSA_Q]) == 0 || BN_cmp(k->v[RSA_D], k->v[RSA_N]) >= 0)
		return false;
	if (!BN_mul(a, k->v[RSA_P], k->v[RSA_Q], ctx) || BN_cmp(a, k->v[RSA_N]) != 0)
		return false;
	if (BN_cmp(k->v[RSA_QINV], k->v[RSA_P]) >= 0 ||
	    !BN_mod_mul(a, k->v[RSA_QINV], k->v[RSA_Q], k->v[RSA_P], ctx) || !BN_is_one(a))
		return false;
	return rsa_prime_agrees(k, RSA_P, RSA_DP, a, b, ctx) &&
	       rsa_prime_agrees(k, RSA_Q, RSA_DQ, a, b, ctx);
}

/* Hands numbers to OpenSSL as a key of @algorithm. */
/* Without memory OpenSSL 3.0 may answer 1 with a key that lacks a part. */
static int key_from_build(OSSL_PARAM_BLD *build, const char *algorithm, EVP_PKEY **out)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	_cleanup_(OSSL_PARAM_freep) OSSL_PARAM *params = NULL;
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;

	ossl_begin();
	params = OSSL_PARAM_BLD_to_param(build);
	ctx = EVP_PKEY_CTX_new_from_name(NULL, algorithm, NULL);
	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
		return ossl_end(-EIO);
	if (ossl_end(-EIO) == -ENOMEM)
		return -ENOMEM;
	*out = take_ptr(key);
	return 0;
}

static int rsa_key_from(const struct bytes from[static RSA_NUMBERS], unsigned int bits,
			EVP_PKEY **out)
{
	_cleanup_(rsa_numbers_deinit) struct rsa_numbers numbers = { 0 };
	_cleanup_(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	int r = rsa_numbers_load(from, &numbers);

	if (r < 0)
		return r;
	if (!rsa_numbers_agree(&numbers, bits))
		return -EBADMSG;
	for (int i = 0; i < RSA_NUMBERS; i++) {
		if (!build || OSSL_PARAM_BLD_push_BN(build, rsa_params[i], numbers.v[i]) != 1)
			return -EIO;
	}
	return key_from_build(build, "RSA", out);
}

int key_from_rsa(const struct bytes numbers[static RSA_NUMBERS], unsigned int bits, EVP_PKEY **out)
{
	ossl_begin();
	return ossl_end(rsa_key_from(numbers, bits, out));
}

static int rsa_plain_decode(struct bytes der, enum kf_key_type type, EVP_PKEY **out)
{
	struct bytes numbers[RSA_NUMBERS];
	int r = take_rsa_numbers(der, numbers);

	return r < 0 ? r : rsa_key_from(numbers, key_type_bits(type), out);
}

static struct bytes take_ec_public(struct unpacker *u)
{
	struct unpacker outer = der_enter(u, 0xa1);
	struct unpacker bits = der_enter(&outer, 0x03);
	struct bytes point;

	if (unpack_u8(&bits) != 0)
		unpack_fail(&bits);
	point = unpack_rest(&bits);
	der_leave(&outer, &bits);
	der_leave(u, &outer);
	return point;
}

/* @d times the generator, uncompressed. Return: 0, -EBADMSG unless 0 < @d < n, -EIO. */
static int ec_multiply(const char *name, const BIGNUM *d, uint8_t point[static EC_POINT_MAX],
		       size_t *len)
{
	_cleanup_(BN_CTX_freep) BN_CTX *ctx = BN_CTX_secure_new();
	_cleanup_(EC_GROUP_freep) EC_GROUP *group = EC_GROUP_new_by_curve_name(OBJ_sn2nid(name));
	_cleanup_(EC_POINT_clear_freep) EC_POINT *computed = NULL;

	computed = group ? EC_POINT_new(group) : NULL;
	if (!ctx || !computed)
		return -EIO;
	if (BN_is_zero(d) || BN_cmp(d, EC_GROUP_get0_order(group)) >= 0)
		return -EBADMSG;
	if (EC_POINT_mul(group, computed, d, NULL, NULL, ctx) != 1)
		return -EIO;
	*len = EC_POINT_point2oct(group, computed, POINT_CONVERSION_UNCOMPRESSED, point,
				  EC_POINT_MAX, ctx);
	return *len > 0 ? 0 : -EIO;
}

static int ec_key_build(const char *name, const BIGNUM *d, struct bytes point, EVP_PKEY **out)
{
	_cleanup_(OSSL_PARAM_BLD_freep) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();

	if (!build || OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, name,
						      0) != 1 ||
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, d) != 1 ||
	    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.p,
					     point.n) != 1)
		return -EIO;
	return key_from_build(build, "EC", out);
}

/* @name is one that OBJ_sn2nid() knows. */
static int ec_key_from_scalar(struct bytes scalar, const char *name, const struct bytes *wanted,
			      EVP_PKEY **out)
{
	_cleanup_(BN_clear_freep) BIGNUM *d = BN_secure_new();
	uint8_t point[EC_POINT_MAX];
	size_t len = 0;
	int r;

	if (scalar.n > EC_SCALAR_MAX)
		return -EBADMSG;
	if (!d || !BN_bin2bn(scalar.p, (int)scalar.n, d))
		return -EIO;
	BN_set_flags(d, BN_FLG_CONSTTIME);
	r = ec_multiply(name, d, point, &len);
	if (r == 0 && wanted && !bytes_equal(BYTES(point, len), *wanted))
		r = -EBADMSG;
	return r < 0 ? r : ec_key_build(name, d, BYTES(point, len), out);
}

int key_from_scalar_on(struct bytes scalar, const char *group, EVP_PKEY **out)
{
	ossl_begin();
	return ossl_end(ec_key_from_scalar(scalar, group, NULL, out));
}

int key_from_scalar(struct bytes scalar, enum kf_key_type type, EVP_PKEY **out)
{
	if (!key_type_is_ec(type) || scalar.n > key_type_size(type))
		return -EBADMSG;
	return key_from_scalar_on(scalar, curve_name(type), out);
}

static int ec_plain_decode(struct bytes der, enum kf_key_type type, EVP_PKEY **out)
{
	struct unpacker whole = unpack_begin(der);
	struct unpacker u = der_enter(&whole, DER_SEQUENCE);
	struct bytes scalar, point;

	if (der_uint(&u, 1) != 1)	/* version */
		unpack_fail(&u);
	scalar = der_take(&u, DER_OCTETS);
	point = take_ec_public(&u);
	der_leave(&whole, &u);
	if (unpack_end(&whole) < 0 || scalar.n != key_type_size(type))
		return -EBADMSG;
	return ec_key_from_scalar(scalar, curve_name(type), &point, out);
}

int key_plain_decode(struct bytes der, enum kf_key_type type, EVP_PKEY **out)
{
	int r = -EBADMSG;

	ossl_begin();
	if (key_type_is_rsa(type))
		r = rsa_plain_decode(der, type, out);
	else if (key_type_is_ec(type))
		r = ec_plain_decode(der, type, out);
	else if (type == KF_KEY_X25519)
		r = x25519_decode(der, out);
	return ossl_end(r);
}
