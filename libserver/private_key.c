// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/private_key.c - Every private number goes from the DER, in the caller's locked memory,
 * straight into a secure big number. What an EC key says of its curve is public and may be said in
 * many ways, so OpenSSL judges that alone; its public half is computed, never believed.
 */
#include "libserver/private_key.h"
#include "base/error.h"
#include "format/der.h"
#include "format/keys.h"
#include "format/oid.h"
#include "format/ossl.h"
#include "format/pkcs8.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

#define DER_BITS 0x03

static int not_in_form(struct kf_error *e)
{
	return error_why(e, -EBADMSG, "PEM: PKCS#8, RSAPrivateKey or ECPrivateKey",
			 "check that it is the right file",
			 "there is no private key in it that is whole and in form");
}

static int unknown_type(struct kf_error *e)
{
	return error_why(e, -EOPNOTSUPP, "docs/card-application.md 1.2",
			 "use RSA 2048, 3072, 4096 or EC P-256, P-384, P-521",
			 "the card knows no key of this type or size");
}

/* The card would say so with its uniform refusal, which tells nobody why. */
static int no_pair(struct kf_error *e)
{
	return error_why(e, -EINVAL, "docs/card-application.md 5.4 step 6", "make a new key",
			 "its numbers do not belong together, or not in a way the card can check: "
			 "two primes of half the size each, exponent from 65537");
}

/* --- RSA --- */

static int rsa_bits(struct bytes der, unsigned int *bits)
{
	struct unpacker whole = unpack_begin(der);
	struct unpacker u = der_enter(&whole, DER_SEQUENCE);
	struct bytes n;

	(void)der_uint(&u, 1);		/* version; that of more primes is refused with its numbers */
	n = der_big(&u);
	if (u.bad || n.n == 0 || n.n > 4096)
		return -EBADMSG;
	*bits = (unsigned int)n.n * 8;
	for (uint8_t first = n.p[0]; first < 0x80 && *bits > 0; first = (uint8_t)(first << 1 | 1))
		(*bits)--;
	return 0;
}

static int parse_rsa(struct bytes der, EVP_PKEY **out, struct kf_error *e)
{
	unsigned int bits;
	int r = rsa_bits(der, &bits);

	if (r < 0)
		return not_in_form(e);
	for (int type = KF_KEY_RSA_2048; type <= KF_KEY_RSA_4096; type++) {
		if (key_type_bits((enum kf_key_type)type) != bits)
			continue;
		r = key_plain_decode(der, (enum kf_key_type)type, out);
		return r == -EBADMSG ? no_pair(e) : r;
	}
	return unknown_type(e);
}

/* --- EC --- */

/* By name or by numbers. Return: 0, -EBADMSG, -EOPNOTSUPP, -ENOMEM. */
static int curve_of(struct bytes params, enum kf_key_type *out)
{
	const uint8_t *at = params.p;
	_cleanup_(EC_GROUP_freep) EC_GROUP *group = NULL;

	if (params.n == 0 || params.n > 4096)
		return -EBADMSG;
	ossl_begin();
	group = d2i_ECPKParameters(NULL, &at, (long)params.n);
	if (!group || at != params.p + params.n)
		return ossl_end(-EBADMSG);
	switch (EC_GROUP_get_curve_name(group)) {
	case NID_X9_62_prime256v1:
		*out = KF_KEY_EC_P256;
		return 0;
	case NID_secp384r1:
		*out = KF_KEY_EC_P384;
		return 0;
	case NID_secp521r1:
		*out = KF_KEY_EC_P521;
		return 0;
	case NID_secp256k1:
		*out = KF_KEY_EC_P256K;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* Whether @said, in any of the forms of [SEC 1 2.3.3], is the public half of @key. */
static bool public_agrees(EVP_PKEY *key, struct bytes said)
{
	uint8_t own[1 + 2 * 66];
	size_t n = 0, half;
	uint8_t odd;

	if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, own, sizeof(own), &n) != 1 ||
	    n < 3 || said.n == 0)
		return false;
	half = (n - 1) / 2;
	odd = own[n - 1] & 1;
	if (said.n == n && (said.p[0] == 0x04 || said.p[0] == (0x06 | odd)))
		return bytes_equal(bytes_slice(said, 1, n), BYTES(own + 1, n - 1));
	return said.n == 1 + half && said.p[0] == (0x02 | odd) &&
	       bytes_equal(bytes_slice(said, 1, half), BYTES(own + 1, half));
}

/* @params: from around it, or empty; said twice they have to agree. */
static int parse_ec(struct bytes der, struct bytes params, EVP_PKEY **out, struct kf_error *e)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	enum kf_key_type type = KF_KEY_NONE, again = KF_KEY_NONE;
	struct ec_private parts;
	int r;

	if (ec_private_take(der, &parts) < 0)
		return not_in_form(e);
	r = curve_of(params.n > 0 ? params : parts.parameters, &type);
	if (r == -EOPNOTSUPP)
		return unknown_type(e);
	if (r == 0 && parts.parameters.n > 0) {
		r = curve_of(parts.parameters, &again);
		if (r != -ENOMEM && again != type)
			r = -EBADMSG;
	}
	if (r < 0)
		return r == -ENOMEM ? r : not_in_form(e);
	ossl_begin();
	r = key_from_scalar(parts.scalar, type, &key);
	if (r == 0 && parts.point.n > 0 && !public_agrees(key, parts.point))
		r = ossl_end(-EBADMSG);
	if (r < 0)
		return r == -EBADMSG ? no_pair(e) : r;
	*out = take_ptr(key);
	return 0;
}

/* --- PKCS#8 --- */

static int parse_pkcs8(struct bytes der, EVP_PKEY **out, struct kf_error *e)
{
	static const uint8_t null[] = { DER_NULL, 0 };
	struct unpacker whole = unpack_begin(der);
	struct unpacker u = der_enter(&whole, DER_SEQUENCE);
	struct unpacker algorithm;
	struct bytes oid, params, key;

	(void)der_uint(&u, 1);			/* version */
	algorithm = der_enter(&u, DER_SEQUENCE);
	oid = der_take(&algorithm, DER_OID);
	params = unpack_rest(&algorithm);
	der_leave(&u, &algorithm);
	key = der_take(&u, DER_OCTETS);
	if (unpack_peek(&u) == 0xa0)
		(void)der_take(&u, 0xa0);	/* attributes: nothing a card keeps */
	if (unpack_peek(&u) == 0x81)
		(void)der_take(&u, 0x81);	/* publicKey: computed, not believed */
	der_leave(&whole, &u);
	if (unpack_end(&whole) < 0)
		return not_in_form(e);
	if (bytes_equal(oid, BYTES_OF(oid_ec)))
		return params.n > 0 ? parse_ec(key, params, out, e) : not_in_form(e);
	if (!bytes_equal(oid, BYTES_OF(oid_rsa)))
		return unknown_type(e);
	if (params.n > 0 && !bytes_equal(params, BYTES_OF(null)))
		return not_in_form(e);
	return parse_rsa(key, out, e);
}

int private_key_parse(struct bytes der, enum private_key_form form, EVP_PKEY **out,
		      struct kf_error *e)
{
	switch (form) {
	case PRIVATE_KEY_RSA:
		return parse_rsa(der, out, e);
	case PRIVATE_KEY_EC:
		return parse_ec(der, BYTES_NONE, out, e);
	default:
		return parse_pkcs8(der, out, e);
	}
}

/* --- writing --- */

static void put_algorithm(struct packer *p, enum kf_key_type type)
{
	struct der_mark mark = der_begin(p, DER_SEQUENCE);

	if (key_type_is_rsa(type)) {
		der_put(p, DER_OID, BYTES_OF(oid_rsa));
		der_put(p, DER_NULL, BYTES_NONE);
	} else {
		der_put(p, DER_OID, BYTES_OF(oid_ec));
		der_put(p, DER_OID, oid_of_curve(type));
	}
	der_end(p, mark);
}

int private_key_write(EVP_PKEY *key, struct secret *out)
{
	_cleanup_(secret_deinit) struct secret plain = SECRET_INIT;
	struct packer p = pack_begin(out->p, out->cap);
	struct der_mark mark;
	enum kf_key_type type;
	int r = key_type_of(key, &type);

	if (r == 0)
		r = secret_init(&plain, KEY_PLAIN_MAX);
	if (r == 0)
		r = key_plain_encode(key, &plain);
	if (r < 0)
		return r;
	mark = der_begin(&p, DER_SEQUENCE);
	der_put_uint(&p, DER_INTEGER, 0);	/* version [RFC 5208 5] */
	put_algorithm(&p, type);
	der_put(&p, DER_OCTETS, secret_bytes(&plain));
	der_end(&p, mark);
	out->n = p.n;
	return pack_end(&p);
}
