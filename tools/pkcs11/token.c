// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/pkcs11/token.c - Nothing is searched for: module, token and key are named, and a name that fits
 * two things fits none.
 */
#include "tools/pkcs11/token.h"
#include "base/error.h"
#include "format/der.h"
#include "format/keys.h"
#include "format/oid.h"
#include "format/ossl.h"
#include "tools/pkcs11/rv.h"

#include <dlfcn.h>

enum { SLOTS_MAX = 64, LABEL_SIZE = 32, POINT_MAX = 140, MODULUS_MAX = 512 };

/* --- module and token --- */

static int load(struct token *token, struct bytes path, struct kf_error *e)
{
	char name[SOURCE_TEXT_MAX + 1];
	CK_C_GetFunctionList get;

	(void)snprintf(name, sizeof(name), "%.*s", (int)path.n, (const char *)path.p);
	token->module = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (!token->module)
		return error_why(e, -ENOENT, "PKCS #11", "name the module's file, its whole path",
				 "the module cannot be loaded: %s", dlerror());
	/* The one way from an object pointer to a function that C leaves. */
	*(void **)(&get) = dlsym(token->module, "C_GetFunctionList");
	if (!get || get(&token->f) != CKR_OK || !token->f)
		return error_why(e, -EINVAL, "PKCS #11", "name a PKCS #11 module",
				 "%s is a library, and no PKCS #11 module", name);
	return 0;
}

static int initialize(struct token *token, struct kf_error *e)
{
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	CK_RV rv = token->f->C_Initialize(&args);

	token->initialized = rv == CKR_OK;
	return rv_check(rv, "start the module", e);
}

/* Labels are padded with blanks [PKCS #11 CK_TOKEN_INFO]. */
static bool is_called(const CK_TOKEN_INFO *info, struct bytes label)
{
	if (label.n > LABEL_SIZE || !bytes_equal(BYTES(info->label, label.n), label))
		return false;
	for (size_t i = label.n; i < LABEL_SIZE; i++)
		if (info->label[i] != ' ')
			return false;
	return true;
}

static int find_token(struct token *token, struct bytes label, struct kf_error *e)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG n = SLOTS_MAX;
	size_t found = 0;
	int r = rv_check(token->f->C_GetSlotList(CK_TRUE, slots, &n), "list the tokens", e);

	if (r < 0)
		return r;
	for (CK_ULONG i = 0; i < n && i < SLOTS_MAX; i++) {
		CK_TOKEN_INFO info;

		if (token->f->C_GetTokenInfo(slots[i], &info) != CKR_OK || !is_called(&info, label))
			continue;
		token->slot = slots[i];
		found++;
	}
	if (found == 1)
		return 0;
	return error_why(e, found ? -ENOTUNIQ : -ENOENT, "--token names one token",
			 "look at the labels with the token's tools, or pkcs11-tool -L",
			 "%s called \"%.*s\"", found ? "there is more than one token" : "there is no token",
			 (int)label.n, (const char *)label.p);
}

static int login(struct token *token, struct bytes pin, struct kf_error *e)
{
	/* The interface takes a non-const pointer and does not write through it. */
	unsigned char *p = (unsigned char *)(uintptr_t)pin.p;
	CK_RV rv = token->f->C_OpenSession(token->slot, CKF_SERIAL_SESSION, NULL, NULL, &token->session);
	int r = rv_check(rv, "open the token", e);

	if (r < 0 || pin.n == 0)
		return r;
	rv = token->f->C_Login(token->session, CKU_USER, p, pin.n);
	return rv == CKR_USER_ALREADY_LOGGED_IN ? 0 : rv_check(rv, "log in", e);
}

static int list_mechanisms(struct token *token, struct kf_error *e)
{
	CK_MECHANISM_TYPE all[TOKEN_MECHANISMS_MAX];
	CK_ULONG n = TOKEN_MECHANISMS_MAX;
	int r = rv_check(token->f->C_GetMechanismList(token->slot, all, &n), "list the mechanisms", e);

	for (CK_ULONG i = 0; r == 0 && i < n && i < TOKEN_MECHANISMS_MAX; i++) {
		CK_MECHANISM_INFO info;

		if (token->f->C_GetMechanismInfo(token->slot, all[i], &info) == CKR_OK &&
		    (info.flags & CKF_WRAP))
			token->mechanisms[token->n_mechanisms++] = all[i];
	}
	return r;
}

int token_open(struct token *token, const struct source_open *want, struct kf_error *e)
{
	int r = load(token, want->module, e);

	if (r == 0)
		r = initialize(token, e);
	if (r == 0)
		r = find_token(token, want->token, e);
	if (r == 0)
		r = list_mechanisms(token, e);
	if (r == 0)
		r = login(token, want->pin, e);
	return error_what(e, r, "cannot use the token");
}

/* The library stays loaded: destructors of a foreign one have nothing to do for us. */
void token_close(struct token *token)
{
	if (token->session)
		(void)token->f->C_CloseSession(token->session);
	if (token->initialized)
		(void)token->f->C_Finalize(NULL);
	token->session = 0;
	token->initialized = false;
}

bool token_wraps(const struct token *token, CK_MECHANISM_TYPE mechanism)
{
	for (size_t i = 0; i < token->n_mechanisms; i++)
		if (token->mechanisms[i] == mechanism)
			return true;
	return false;
}

/* --- objects --- */

CK_RV token_get(struct token *token, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, uint8_t *buf,
		size_t cap, size_t *n)
{
	CK_ATTRIBUTE attribute = { type, buf, cap };
	CK_RV rv = token->f->C_GetAttributeValue(token->session, object, &attribute, 1);

	if (rv == CKR_OK && attribute.ulValueLen > cap)
		rv = CKR_BUFFER_TOO_SMALL;
	*n = rv == CKR_OK ? attribute.ulValueLen : 0;
	return rv;
}

CK_RV token_create(struct token *token, const CK_ATTRIBUTE *attributes, size_t n,
		   CK_OBJECT_HANDLE *out)
{
	return token->f->C_CreateObject(token->session, (CK_ATTRIBUTE *)(uintptr_t)attributes, n, out);
}

void token_destroy(struct token *token, CK_OBJECT_HANDLE object)
{
	if (object != CK_INVALID_HANDLE)
		(void)token->f->C_DestroyObject(token->session, object);
}

/* At most two: more than one is as bad as many. */
static int find(struct token *token, CK_OBJECT_CLASS class, const struct source_open *want,
		CK_OBJECT_HANDLE out[static 2], CK_ULONG *n, struct kf_error *e)
{
	CK_ATTRIBUTE query[3] = { { CKA_CLASS, &class, sizeof(class) } };
	CK_ULONG n_query = 1;
	CK_RV rv;

	if (want->label.n > 0)
		query[n_query++] = (CK_ATTRIBUTE){ CKA_LABEL, (void *)(uintptr_t)want->label.p,
						   want->label.n };
	if (want->id.n > 0)
		query[n_query++] = (CK_ATTRIBUTE){ CKA_ID, (void *)(uintptr_t)want->id.p, want->id.n };
	rv = token->f->C_FindObjectsInit(token->session, query, n_query);
	if (rv == CKR_OK)
		rv = token->f->C_FindObjects(token->session, out, 2, n);
	(void)token->f->C_FindObjectsFinal(token->session);
	return rv_check(rv, "look for the key", e);
}

int token_find_key(struct token *token, const struct source_open *want, CK_OBJECT_HANDLE *out,
		   struct kf_error *e)
{
	CK_OBJECT_HANDLE private[2], secret[2];
	CK_ULONG n_private = 0, n_secret = 0;
	int r = find(token, CKO_PRIVATE_KEY, want, private, &n_private, e);

	if (r == 0)
		r = find(token, CKO_SECRET_KEY, want, secret, &n_secret, e);
	if (r < 0)
		return r;
	if (n_private + n_secret != 1) {
		r = error_why(e, n_private + n_secret ? -ENOTUNIQ : -ENOENT,
			      "--label and --id name one private or secret key",
			      n_private + n_secret ? "name it with --id, too"
						   : "look at the labels with pkcs11-tool -O --login",
			      "there is %s private or secret key \"%.*s\"",
			      n_private + n_secret ? "more than one" : "no", (int)want->label.n,
			      want->label.n ? (const char *)want->label.p : "");
		return error_what(e, r, "cannot find the key");
	}
	*out = n_private ? private[0] : secret[0];
	return 0;
}

/* --- what it is --- */

static int unknown_type(struct kf_error *e)
{
	return error_why(e, -EOPNOTSUPP, "docs/byok.md 1",
			 "use RSA 2048, 3072, 4096, EC P-256, P-384, P-521, P-256K or AES",
			 "keys of this type or size do not travel");
}

static int describe_rsa(struct token *token, CK_OBJECT_HANDLE key, enum kf_key_type *type,
			struct packer *spki, struct kf_error *e)
{
	static const uint8_t algorithm[] = { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7,
					     0x0d, 0x01, 0x01, 0x01, 0x05, 0x00 };
	uint8_t n[MODULUS_MAX + 1], exponent[16];
	size_t n_len = 0, e_len = 0, skip = 0;
	struct der_mark whole, bits, key_mark;
	int r = rv_check(token_get(token, key, CKA_MODULUS, n, sizeof(n), &n_len), "look at the key", e);

	if (r < 0)
		return r;
	while (skip < n_len && n[skip] == 0)
		skip++;
	switch ((n_len - skip) * 8) {
	case 2048:
		*type = KF_KEY_RSA_2048;
		break;
	case 3072:
		*type = KF_KEY_RSA_3072;
		break;
	case 4096:
		*type = KF_KEY_RSA_4096;
		break;
	default:
		return unknown_type(e);
	}
	if (token_get(token, key, CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent), &e_len) != CKR_OK ||
	    e_len == 0)
		return 0;		/* tokens may leave it out; then nobody can compare */
	whole = der_begin(spki, DER_SEQUENCE);
	pack_bytes(spki, BYTES_OF(algorithm));
	bits = der_begin(spki, 0x03);
	pack_u8(spki, 0);
	key_mark = der_begin(spki, DER_SEQUENCE);
	der_put_big(spki, BYTES(n + skip, n_len - skip));
	der_put_big(spki, BYTES(exponent, e_len));
	der_end(spki, key_mark);
	der_end(spki, bits);
	der_end(spki, whole);
	return pack_end(spki);
}

/* The point of the public key with the same CKA_ID, in its OCTET STRING or, from some tokens, bare. */
static void describe_point(struct token *token, CK_OBJECT_HANDLE key, struct bytes params,
			   struct packer *spki)
{
	uint8_t id[SOURCE_ID_MAX], point[POINT_MAX];
	struct source_open by_id = { 0 };
	struct der_mark whole, algorithm, bits;
	CK_OBJECT_HANDLE public[2];
	struct unpacker u;
	struct bytes raw;
	CK_ULONG found = 0;
	size_t n = 0;

	if (token_get(token, key, CKA_ID, id, sizeof(id), &n) != CKR_OK || n == 0)
		return;
	by_id.id = BYTES(id, n);
	if (find(token, CKO_PUBLIC_KEY, &by_id, public, &found, NULL) < 0 || found != 1 ||
	    token_get(token, public[0], CKA_EC_POINT, point, sizeof(point), &n) != CKR_OK)
		return;
	/* [PKCS #11 2.3.3] wants an OCTET STRING around it; its tag is also how a bare point begins. */
	u = unpack_begin(BYTES(point, n));
	raw = der_take(&u, DER_OCTETS);
	if (unpack_end(&u) < 0 || (raw.n != 65 && raw.n != 97 && raw.n != 133))
		raw = BYTES(point, n);
	whole = der_begin(spki, DER_SEQUENCE);
	algorithm = der_begin(spki, DER_SEQUENCE);
	der_put(spki, DER_OID, BYTES_OF(oid_ec));
	pack_bytes(spki, params);
	der_end(spki, algorithm);
	bits = der_begin(spki, 0x03);
	pack_u8(spki, 0);
	pack_bytes(spki, raw);
	der_end(spki, bits);
	der_end(spki, whole);
}

static int describe_ec(struct token *token, CK_OBJECT_HANDLE key, enum kf_key_type *type,
		       struct packer *spki, struct kf_error *e)
{
	static const enum kf_key_type curves[] = {
		KF_KEY_EC_P256, KF_KEY_EC_P384, KF_KEY_EC_P521, KF_KEY_EC_P256K,
	};
	uint8_t params[64];
	struct unpacker u;
	struct bytes oid;
	size_t n = 0;
	int r = rv_check(token_get(token, key, CKA_EC_PARAMS, params, sizeof(params), &n),
			 "look at the key", e);

	if (r < 0)
		return r;
	u = unpack_begin(BYTES(params, n));
	oid = der_take(&u, DER_OID);
	for (size_t i = 0; unpack_end(&u) == 0 && i < sizeof(curves) / sizeof(curves[0]); i++) {
		if (!bytes_equal(oid, oid_of_curve(curves[i])))
			continue;
		*type = curves[i];
		describe_point(token, key, BYTES(params, n), spki);
		return 0;
	}
	return unknown_type(e);
}

static int describe_aes(struct token *token, CK_OBJECT_HANDLE key, enum kf_key_type *type,
			struct kf_error *e)
{
	CK_ULONG len = 0;
	size_t n = 0;
	int r = rv_check(token_get(token, key, CKA_VALUE_LEN, (uint8_t *)&len, sizeof(len), &n),
			 "look at the key", e);

	if (r < 0)
		return r;
	if (len != 16 && len != 24 && len != 32)
		return unknown_type(e);
	*type = len == 16 ? KF_KEY_AES_128 : len == 24 ? KF_KEY_AES_192 : KF_KEY_AES_256;
	return 0;
}

int token_describe(struct token *token, CK_OBJECT_HANDLE key, enum kf_key_type *type,
		   struct packer *spki, struct kf_error *e)
{
	CK_KEY_TYPE kind = 0;
	size_t n = 0;
	int r = rv_check(token_get(token, key, CKA_KEY_TYPE, (uint8_t *)&kind, sizeof(kind), &n),
			 "look at the key", e);

	if (r < 0)
		return r;
	switch (kind) {
	case CKK_RSA:
		return describe_rsa(token, key, type, spki, e);
	case CKK_EC:
		return describe_ec(token, key, type, spki, e);
	case CKK_AES:
		return describe_aes(token, key, type, e);
	default:
		return unknown_type(e);
	}
}
