// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/pkcs11/extract.c - Attribute by attribute into locked memory, and then through the same proof as a
 * key from a file: what a token says is not believed either.
 */
#include "tools/pkcs11/extract.h"
#include "base/error.h"
#include "format/der.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "tools/pkcs11/rv.h"

enum { NUMBER_MAX = 520 };

/* An attribute, which may have zeros in front, into @value, which is SECRET_INIT. */
static int read_secret(struct token *token, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type, size_t cap,
		       struct secret *value, struct kf_error *e)
{
	size_t n = 0;
	int r = secret_init(value, cap);

	if (r == 0)
		r = rv_check(token_get(token, key, type, value->p, value->cap, &n), "read the key", e);
	if (r < 0)
		return r;
	value->n = n;
	return 0;
}

static int read_aes(struct token *token, CK_OBJECT_HANDLE key, enum kf_key_type type,
		    struct kf_byok_target **out, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret value = SECRET_INIT;
	int r = read_secret(token, key, CKA_VALUE, key_type_size(type), &value, e);

	if (r == 0 && value.n != key_type_size(type))
		r = -EBADMSG;	/* a shorter key than the token says it is would pass for that one */
	return r < 0 ? r : target_from_raw(secret_bytes(&value), out);
}

static int read_ec(struct token *token, CK_OBJECT_HANDLE key, enum kf_key_type type, EVP_PKEY **out,
		   struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret value = SECRET_INIT;
	struct bytes scalar;
	int r = read_secret(token, key, CKA_VALUE, NUMBER_MAX, &value, e);

	if (r < 0)
		return r;
	scalar = secret_bytes(&value);
	while (scalar.n > key_type_size(type) && scalar.p[0] == 0)
		scalar = bytes_slice(scalar, 1, scalar.n);
	return key_from_scalar(scalar, type, out);
}

/* RSAPrivateKey [RFC 8017 A.1.2]; a token that keeps no CRT parts cannot wrap either [byok 2.2]. */
static int read_rsa(struct token *token, CK_OBJECT_HANDLE key, enum kf_key_type type, EVP_PKEY **out,
		    struct kf_error *e)
{
	static const CK_ATTRIBUTE_TYPE parts[] = {
		CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2,
		CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT,
	};
	_cleanup_(secret_deinit) struct secret der = SECRET_INIT;
	struct packer p;
	struct der_mark whole;
	int r = secret_init(&der, KEY_PLAIN_MAX);

	if (r < 0)
		return r;
	p = pack_begin(der.p, der.cap);
	whole = der_begin(&p, DER_SEQUENCE);
	der_put_uint(&p, DER_INTEGER, 0);
	for (size_t i = 0; r == 0 && i < sizeof(parts) / sizeof(parts[0]); i++) {
		_cleanup_(secret_deinit) struct secret part = SECRET_INIT;

		r = read_secret(token, key, parts[i], NUMBER_MAX, &part, e);
		if (r == 0)
			der_put_big(&p, secret_bytes(&part));
	}
	der_end(&p, whole);
	if (r == 0)
		r = pack_end(&p);
	if (r < 0)
		return r;
	der.n = p.n;
	return key_plain_decode(secret_bytes(&der), type, out);
}

/*
 * What the token shows beside a key is what people compare with the receiver's; it stands in another object, with
 * nothing but an id in common, and here the key itself tells. Of one that is not in form nobody can tell.
 */
static int check_shown(struct token *token, CK_OBJECT_HANDLE key, const struct kf_byok_target *target,
		       struct kf_error *e)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *public = NULL;
	uint8_t buf[SOURCE_SPKI_MAX];
	struct packer shown = pack_begin(buf, sizeof(buf));
	enum kf_key_type type;
	size_t n = 0;
	const uint8_t *own = kf_byok_target_public(target, &n);
	int r = token_describe(token, key, &type, &shown, e);

	if (r == 0)
		r = spki_parse(pack_done(&shown), &public, &type);
	if (r == -EBADMSG || r == -EOPNOTSUPP)
		return 0;
	if (r < 0 || bytes_equal(pack_done(&shown), BYTES(own, n)))
		return r;
	return error_why(e, -EBADMSG, "a key and the public key with its id are one pair",
			 "find out which key that is, with the token's tools",
			 "the token shows the public half of another key beside it");
}

int token_extract(struct token *token, CK_OBJECT_HANDLE key, enum kf_key_type type,
		  struct kf_byok_target **out, struct kf_error *e)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *pair = NULL;
	_cleanup_(kf_byok_target_freep) struct kf_byok_target *target = NULL;
	int r;

	if (key_type_is_aes(type))
		r = read_aes(token, key, type, out, e);
	else if (key_type_is_rsa(type))
		r = read_rsa(token, key, type, &pair, e);
	else
		r = read_ec(token, key, type, &pair, e);
	if (r == -EBADMSG)
		return error_why(e, r, "docs/formats.md 11", "look at the key with the token's tools",
				 "what the token gives is no key that is sound, or not of the type it says");
	if (r == 0 && pair)
		r = target_from_pair(pair, &target);
	if (r == 0 && pair)
		r = check_shown(token, key, target, e);
	if (r == 0 && pair)
		*out = take_ptr(target);
	return r;
}
