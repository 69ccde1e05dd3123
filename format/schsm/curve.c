/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/curve.c - OpenSSL knows the numbers; the table says which of its curves a
 * SmartCard-HSM may name to us. All have cofactor 1 and an order as long as the prime.
 */
#include "format/schsm/curve.h"
#include "format/kdf.h"
#include "format/ossl.h"

#include <openssl/core_names.h>
#include <openssl/objects.h>

static const struct curve_row {
	const char *group;
	bool nist;			/* a is p - 3, and some cards leave it out */
} curve_rows[] = {
	{ "secp224r1", true },	       { "prime256v1", true },	      { "secp384r1", true },
	{ "secp521r1", true },	       { "secp256k1", false },	      { "brainpoolP224r1", false },
	{ "brainpoolP256r1", false },  { "brainpoolP320r1", false },  { "brainpoolP384r1", false },
	{ "brainpoolP512r1", false },
};

static const struct curve_row *row_of(const char *group)
{
	for (size_t i = 0; i < sizeof(curve_rows) / sizeof(curve_rows[0]); i++) {
		if (strcmp(curve_rows[i].group, group) == 0)
			return &curve_rows[i];
	}
	return NULL;
}

static int put_number(const BIGNUM *bn, size_t size, uint8_t out[static CURVE_SIZE_MAX])
{
	return BN_bn2binpad(bn, out, (int)size) == (int)size ? 0 : -EIO;
}

static int load(const struct curve_row *row, struct curve *out)
{
	_cleanup_(EC_GROUP_freep) EC_GROUP *group = EC_GROUP_new_by_curve_name(OBJ_sn2nid(row->group));
	_cleanup_(BN_clear_freep) BIGNUM *p = BN_new(), *a = BN_new(), *b = BN_new();
	struct curve curve = { .group = row->group };

	if (!group || !p || !a || !b || EC_GROUP_get_curve(group, p, a, b, NULL) != 1)
		return -EIO;
	curve.bits = (unsigned int)BN_num_bits(p);
	curve.size = (curve.bits + 7) / 8;
	if (put_number(p, curve.size, curve.p) < 0 || put_number(a, curve.size, curve.a) < 0 ||
	    put_number(b, curve.size, curve.b) < 0 ||
	    put_number(EC_GROUP_get0_order(group), curve.size, curve.n) < 0)
		return -EIO;
	if (EC_POINT_point2oct(group, EC_GROUP_get0_generator(group), POINT_CONVERSION_UNCOMPRESSED,
			       curve.g, sizeof(curve.g), NULL) != 1 + 2 * curve.size)
		return -EIO;
	*out = curve;
	return 0;
}

int curve_from_group(const char *group, struct curve *out)
{
	const struct curve_row *row = row_of(group);

	if (!row)
		return -EOPNOTSUPP;
	ossl_begin();
	return ossl_end(load(row, out));
}

int curve_of_key(EVP_PKEY *key, struct curve *out)
{
	char group[32] = "";

	ossl_begin();
	if (!EVP_PKEY_is_a(key, "EC") ||
	    EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group),
					   NULL) != 1)
		return ossl_end(-EOPNOTSUPP);
	return curve_from_group(group, out);
}

/* Whether @claimed is the number in the @size bytes of @own. */
static bool is_number(struct bytes claimed, const uint8_t *own, size_t size)
{
	size_t zeros;

	if (claimed.n == 0 || claimed.n > size)
		return false;
	zeros = size - claimed.n;
	return bytes_are_zero(BYTES(own, zeros)) && bytes_equal(claimed, BYTES(own + zeros, claimed.n));
}

static bool claim_fits(const struct curve_claim *claim, bool lenient, const struct curve *curve)
{
	static const uint8_t one[] = { 1 };
	bool a_left_out = lenient && claim->a.n == 0 && row_of(curve->group)->nist;

	return is_number(claim->p, curve->p, curve->size) &&
	       (a_left_out || is_number(claim->a, curve->a, curve->size)) &&
	       is_number(claim->b, curve->b, curve->size) &&
	       is_number(claim->n, curve->n, curve->size) &&
	       bytes_equal(claim->g, BYTES(curve->g, 1 + 2 * curve->size)) &&
	       ((lenient && claim->h.n == 0) || bytes_equal(claim->h, BYTES_OF(one)));
}

int curve_from_claim(const struct curve_claim *claim, bool lenient, struct curve *out)
{
	for (size_t i = 0; i < sizeof(curve_rows) / sizeof(curve_rows[0]); i++) {
		struct curve curve = { 0 };
		int r;

		ossl_begin();
		r = ossl_end(load(&curve_rows[i], &curve));
		if (r < 0)
			return r;
		if (claim_fits(claim, lenient, &curve)) {
			*out = curve;
			return 0;
		}
	}
	return -EOPNOTSUPP;
}

struct curve_claim curve_numbers(const struct curve *curve)
{
	static const uint8_t one[] = { 1 };

	return (struct curve_claim){
		.p = BYTES(curve->p, curve->size),
		.a = BYTES(curve->a, curve->size),
		.b = BYTES(curve->b, curve->size),
		.g = BYTES(curve->g, 1 + 2 * curve->size),
		.n = BYTES(curve->n, curve->size),
		.h = BYTES_OF(one),
	};
}

static int public_key(const struct curve *curve, struct bytes point, EVP_PKEY **out)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM params[] = {
		param_text(OSSL_PKEY_PARAM_GROUP_NAME, curve->group),
		param_bytes(OSSL_PKEY_PARAM_PUB_KEY, point),
		OSSL_PARAM_construct_end(),
	};

	if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1)
		return -EIO;
	if (EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		return -EBADMSG;
	*out = take_ptr(key);
	return 0;
}

/* The length and the first byte leave no room for infinity or a compressed point [SP 800-56A 5.6.2.3]. */
int curve_public_key(const struct curve *curve, struct bytes point, EVP_PKEY **out)
{
	if (point.n != 1 + 2 * curve->size || point.p[0] != 0x04)
		return -EBADMSG;
	ossl_begin();
	return ossl_end(public_key(curve, point, out));
}

int curve_point(EVP_PKEY *key, struct packer *out)
{
	_cleanup_(BN_clear_freep) BIGNUM *x = NULL, *y = NULL;
	size_t size = (size_t)(EVP_PKEY_get_bits(key) + 7) / 8;
	uint8_t *at;

	pack_u8(out, 0x04);		/* [SEC 1 2.3.3]: uncompressed */
	at = pack_reserve(out, 2 * size);
	if (!at)
		return -EMSGSIZE;
	ossl_begin();
	if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_X, &x) != 1 ||
	    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_Y, &y) != 1 ||
	    BN_bn2binpad(x, at, (int)size) < 0 || BN_bn2binpad(y, at + size, (int)size) < 0)
		return ossl_end(-EIO);
	return 0;
}
