// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/pkcs11/selftest.c - A known AES key wraps another one and a known EC key; both are unwrapped here.
 * None of the three is worth anything, and all are gone afterwards.
 */
#include "tools/pkcs11/selftest.h"
#include "base/error.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "format/wrapped.h"
#include "libserver/random.h"
#include "tools/pkcs11/rv.h"


enum { AES_SIZE = 32, SCALAR_SIZE = 32, PLAIN_MAX = 512, ZEROS_MAX = 7 };

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static CK_RV create_aes(struct token *token, uint8_t value[static AES_SIZE], CK_OBJECT_HANDLE *out)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	const CK_ATTRIBUTE attributes[] = {
		{ CKA_CLASS, &class, sizeof(class) }, { CKA_KEY_TYPE, &type, sizeof(type) },
		{ CKA_TOKEN, &no, sizeof(no) },	      { CKA_PRIVATE, &yes, sizeof(yes) },
		{ CKA_SENSITIVE, &no, sizeof(no) },   { CKA_EXTRACTABLE, &yes, sizeof(yes) },
		{ CKA_WRAP, &yes, sizeof(yes) },      { CKA_VALUE, value, AES_SIZE },
	};

	return token_create(token, attributes, sizeof(attributes) / sizeof(attributes[0]), out);
}

static CK_RV create_ec(struct token *token, uint8_t scalar[static SCALAR_SIZE], CK_OBJECT_HANDLE *out)
{
	static uint8_t p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_KEY_TYPE type = CKK_EC;
	const CK_ATTRIBUTE attributes[] = {
		{ CKA_CLASS, &class, sizeof(class) }, { CKA_KEY_TYPE, &type, sizeof(type) },
		{ CKA_TOKEN, &no, sizeof(no) },	      { CKA_PRIVATE, &yes, sizeof(yes) },
		{ CKA_SENSITIVE, &no, sizeof(no) },   { CKA_EXTRACTABLE, &yes, sizeof(yes) },
		{ CKA_SIGN, &yes, sizeof(yes) },      { CKA_EC_PARAMS, p256, sizeof(p256) },
		{ CKA_VALUE, scalar, SCALAR_SIZE },
	};

	return token_create(token, attributes, sizeof(attributes) / sizeof(attributes[0]), out);
}

/* The first value of a DER text, and whether zeros alone are behind it. */
static bool is_der_with_zeros(struct bytes text, const uint8_t scalar[static SCALAR_SIZE], size_t *zeros)
{
	size_t len = text.n > 2 && text.p[0] == 0x30 && text.p[1] < 0x80 ? (size_t)text.p[1] + 2
		     : text.n > 3 && text.p[0] == 0x30 && text.p[1] == 0x81 ? (size_t)text.p[2] + 3 : 0;
	bool found = false;

	if (len == 0 || len > text.n || text.n - len > ZEROS_MAX)
		return false;
	for (size_t at = 0; at + SCALAR_SIZE <= len && !found; at++)
		found = bytes_equal(BYTES(text.p + at, SCALAR_SIZE), BYTES(scalar, SCALAR_SIZE));
	*zeros = text.n - len;
	return found && bytes_are_zero(bytes_slice(text, len, text.n));
}

static CK_RV wrapped_by(struct token *token, CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE with,
			CK_OBJECT_HANDLE what, uint8_t *out, CK_ULONG *n)
{
	CK_MECHANISM mechanism = { type, NULL, 0 };

	return token->f->C_WrapKey(token->session, &mechanism, with, what, out, n);
}

/* The bytes that were wrapped, if it is RFC 5649. */
static bool unwrapped(struct token *token, CK_MECHANISM_TYPE type, struct bytes aes,
		      CK_OBJECT_HANDLE with, CK_OBJECT_HANDLE what, struct secret *plain)
{
	uint8_t wrapped[PLAIN_MAX];
	CK_ULONG n = sizeof(wrapped);

	return wrapped_by(token, type, with, what, wrapped, &n) == CKR_OK && n <= sizeof(wrapped) &&
	       kwp_open(aes, BYTES(wrapped, n), plain) == 0;
}

/* @keys: two AES keys, the first of which wraps, and an EC scalar. */
static enum key_wrap judge(struct token *token, CK_MECHANISM_TYPE type, uint8_t *keys,
			   const CK_OBJECT_HANDLE objects[static 3])
{
	_cleanup_(secret_deinit) struct secret plain = SECRET_INIT;
	struct bytes aes = BYTES(keys, AES_SIZE);
	size_t zeros = 0;

	if (secret_init(&plain, PLAIN_MAX) < 0)
		return WRAP_UNKNOWN;
	if (!unwrapped(token, type, aes, objects[0], objects[1], &plain) ||
	    !bytes_equal(secret_bytes(&plain), BYTES(keys + AES_SIZE, AES_SIZE)))
		return WRAP_OTHER;
	if (!unwrapped(token, type, aes, objects[0], objects[2], &plain) ||
	    !is_der_with_zeros(secret_bytes(&plain), keys + 2 * AES_SIZE, &zeros))
		return WRAP_OTHER;
	return zeros > 0 ? WRAP_RFC5649_ZEROS : WRAP_RFC5649;
}

int key_wrap_try(struct token *token, CK_MECHANISM_TYPE mechanism, enum key_wrap *out,
		 struct kf_error *e)
{
	CK_OBJECT_HANDLE objects[3] = { CK_INVALID_HANDLE, CK_INVALID_HANDLE, CK_INVALID_HANDLE };
	uint8_t keys[3 * AES_SIZE];

	int r = random_public(keys, sizeof(keys), e);

	if (r < 0)
		return error_what(e, r, "cannot try the token's key wrap");
	keys[2 * AES_SIZE] &= 0x7f;	/* below the order of P-256 */
	*out = WRAP_UNKNOWN;
	if (create_aes(token, keys, &objects[0]) == CKR_OK &&
	    create_aes(token, keys + AES_SIZE, &objects[1]) == CKR_OK &&
	    create_ec(token, keys + 2 * AES_SIZE, &objects[2]) == CKR_OK)
		*out = judge(token, mechanism, keys, objects);
	for (int i = 0; i < 3; i++)
		token_destroy(token, objects[i]);
	wipe(keys, sizeof(keys));
	return 0;
}
