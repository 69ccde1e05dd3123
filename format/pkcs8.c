/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/pkcs8.c - The outer structure is compared, the inner one handed to who proves keys. What
 * the text says of the public half is compared with what was computed, never taken.
 */
#include "format/pkcs8.h"
#include "format/der.h"
#include "format/keys.h"
#include "format/oid.h"
#include "format/ossl.h"

#include <openssl/core_names.h>

enum { DER_BITS = 0x03, PARAMETERS = 0xa0, PUBLIC_KEY = 0xa1, ATTRIBUTES = 0xa0 };

enum { TRAILING_MAX = 7 };		/* SoftHSM 2.6 pads to 8 before it wraps [byok 2.3] */

static void expect_oid(struct unpacker *u, struct bytes oid)
{
	if (!bytes_equal(der_take(u, DER_OID), oid))
		unpack_fail(u);
}

static void expect_algorithm(struct unpacker *u, enum kf_key_type type)
{
	struct unpacker algorithm = der_enter(u, DER_SEQUENCE);

	if (key_type_is_rsa(type)) {
		expect_oid(&algorithm, BYTES_OF(oid_rsa));
		if (der_take(&algorithm, DER_NULL).n != 0)
			unpack_fail(&algorithm);
	} else {
		expect_oid(&algorithm, BYTES_OF(oid_ec));
		expect_oid(&algorithm, oid_of_curve(type));
	}
	der_leave(u, &algorithm);
}

/* Whether @said is the point of @key, uncompressed or compressed [SEC 1 2.3.3]. */
static bool point_agrees(EVP_PKEY *key, struct bytes said)
{
	uint8_t own[1 + 2 * 66];
	size_t n = 0, half;

	if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, own, sizeof(own), &n) != 1 ||
	    n < 3 || said.n == 0)
		return false;
	half = (n - 1) / 2;
	if (said.n == n)
		return bytes_equal(said, BYTES(own, n));
	return said.n == 1 + half && said.p[0] == (0x02 | (own[n - 1] & 1)) &&
	       bytes_equal(bytes_slice(said, 1, half), BYTES(own + 1, half));
}

int ec_private_take(struct bytes der, struct ec_private *out)
{
	struct unpacker whole = unpack_begin(der);
	struct unpacker u = der_enter(&whole, DER_SEQUENCE);
	struct ec_private parts = { 0 };

	if (der_uint(&u, 1) != 1)	/* version */
		unpack_fail(&u);
	parts.scalar = der_take(&u, DER_OCTETS);
	if (unpack_peek(&u) == PARAMETERS) {
		parts.parameters = der_take(&u, PARAMETERS);
		if (parts.parameters.n == 0)
			unpack_fail(&u);
	}
	if (unpack_peek(&u) == PUBLIC_KEY) {
		struct unpacker outer = der_enter(&u, PUBLIC_KEY);
		struct unpacker bits = der_enter(&outer, DER_BITS);

		if (unpack_u8(&bits) != 0)	/* unused bits */
			unpack_fail(&bits);
		parts.point = unpack_rest(&bits);
		if (parts.point.n == 0)
			unpack_fail(&bits);
		der_leave(&outer, &bits);
		der_leave(&u, &outer);
	}
	der_leave(&whole, &u);
	if (unpack_end(&whole) < 0)
		return -EBADMSG;
	*out = parts;
	return 0;
}

/* Said again beside the scalar, the curve has to be the same, and named. */
static bool curve_agrees(struct bytes parameters, enum kf_key_type type)
{
	struct unpacker u = unpack_begin(parameters);

	expect_oid(&u, oid_of_curve(type));
	return parameters.n == 0 || unpack_end(&u) == 0;
}

static int ec_decode(struct bytes der, enum kf_key_type type, EVP_PKEY **out)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	struct ec_private parts;
	int r = ec_private_take(der, &parts);

	if (r == 0 && (parts.scalar.n != key_type_size(type) ||
		       !curve_agrees(parts.parameters, type)))
		r = -EBADMSG;
	if (r == 0)
		r = key_from_scalar(parts.scalar, type, &key);
	if (r < 0)
		return r;
	if (parts.point.n != 0 && !point_agrees(key, parts.point))
		return -EBADMSG;
	*out = take_ptr(key);
	return 0;
}

/* [RFC 5208 5]; the key inside is borrowed from @text. */
static int take_key(struct bytes text, enum kf_key_type type, struct bytes *key)
{
	struct unpacker whole = unpack_begin(text);
	struct unpacker u = der_enter(&whole, DER_SEQUENCE);
	struct bytes rest;

	(void)der_uint(&u, 0);		/* version */
	expect_algorithm(&u, type);
	*key = der_take(&u, DER_OCTETS);
	if (u.left != 0)
		(void)der_take(&u, ATTRIBUTES);
	der_leave(&whole, &u);
	rest = unpack_rest(&whole);
	if (unpack_end(&whole) < 0 || rest.n > TRAILING_MAX || !bytes_are_zero(rest))
		return -EBADMSG;
	return 0;
}

int pkcs8_decode(struct bytes text, enum kf_key_type type, EVP_PKEY **out)
{
	struct bytes key;

	if (!key_type_is_rsa(type) && !key_type_is_ec(type))
		return -EBADMSG;
	if (take_key(text, type, &key) < 0)
		return -EBADMSG;
	return key_type_is_rsa(type) ? key_plain_decode(key, type, out) : ec_decode(key, type, out);
}
