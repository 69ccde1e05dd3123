// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/byok/unwrap.c - The receiver's half on a test rig, where the KEK's private half is a file and
 * whoever has it may know what is wrong: each step says its own. A card never does [SECURITY section 6].
 */
#include "base/error.h"
#include "format/ossl.h"
#include "format/pkcs8.h"
#include "format/wrapped.h"
#include "libserver/byok/format.h"
#include "libserver/byok/target.h"
#include "libserver/pem.h"
#include "libserver/private_key.h"

enum { BLOB_MAX = 4096, AES_LEAST = 16, AES_MOST = 32 };

#define RULE "docs/byok.md 1"

/* One blob and what opens it. */
struct opening {
	EVP_PKEY *kek;
	enum kf_hash hash;
	bool direct;
	struct bytes blob;
};

__attribute__((format(printf, 2, 3)))
static int bad(struct kf_error *e, const char *why, ...)
{
	char text[KF_ERROR_TEXT_MAX];
	va_list args;

	va_start(args, why);
	error_text_vset(text, why, args);
	va_end(args);
	return error_why(e, -EBADMSG, RULE, "have it wrapped anew", "%s", text);
}

/* --- RSA --- */

static int rsa_does_not_open(const struct opening *o, struct bytes c1, struct kf_error *e)
{
	for (int hash = KF_HASH_SHA1; hash <= KF_HASH_SHA512; hash++) {
		_cleanup_(secret_deinit) struct secret other = SECRET_INIT;
		int r = secret_init(&other, c1.n);

		if (r < 0)
			return r;
		if (oaep_open(o->kek, (enum kf_hash)hash, c1, &other) == 0)
			return bad(e, "its OAEP was done with %s, and not with %s",
				   byok_hash_words((enum kf_hash)hash), byok_hash_words(o->hash));
	}
	return bad(e, "the RSA part does not open: another KEK, another label, another hash for MGF1, or "
		   "changed on the way");
}

static int open_rsa(const struct opening *o, struct bytes c1, struct secret *out, struct kf_error *e)
{
	int r = oaep_open(o->kek, o->hash, c1, out);

	return r == -EBADMSG ? rsa_does_not_open(o, c1, e) : r;
}

/* --- AES --- */

static int open_hybrid(const struct opening *o, size_t k, struct secret *plain, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret aes = SECRET_INIT;
	struct bytes c2 = bytes_slice(o->blob, k, o->blob.n);
	int r = secret_init(&aes, k);

	if (r == 0)
		r = open_rsa(o, bytes_slice(o->blob, 0, k), &aes, e);
	if (r < 0)
		return r;
	if (aes.n != 16 && aes.n != 24 && aes.n != 32)
		return bad(e, "the RSA part holds %zu bytes, and no AES key is as long", aes.n);
	r = kwp_open(secret_bytes(&aes), c2, plain);
	if (r == -EBADMSG)
		return bad(e, "the part behind the RSA part is not AES key wrap with padding, RFC 5649, under "
			   "the AES key of this blob");
	return r;
}

static int open_blob(const struct opening *o, struct secret *plain, struct kf_error *e)
{
	size_t k = (size_t)EVP_PKEY_get_size(o->kek);
	bool fits = o->direct ? o->blob.n == k : o->blob.n >= k + 16 && (o->blob.n - k) % 8 == 0;

	if (!fits)
		return bad(e, "%zu bytes are no blob under a KEK of %zu bits%s", o->blob.n, k * 8,
			   o->direct ? " by OAEP alone" : "");
	return o->direct ? open_rsa(o, o->blob, plain, e) : open_hybrid(o, k, plain, e);
}

/* --- the key inside --- */

static bool is_form(struct bytes text, enum private_key_form form)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;

	return private_key_parse(text, form, &key, NULL) == 0;
}

static int explain_inner(struct bytes text, struct kf_error *e)
{
	if (is_form(text, PRIVATE_KEY_RSA))
		return bad(e, "the key inside is PKCS #1, as OpenSSL 3.0's genpkey -outform DER writes it; it "
			   "has to be PKCS #8: openssl pkcs8 -topk8 -nocrypt -outform DER");
	if (is_form(text, PRIVATE_KEY_EC))
		return bad(e, "the key inside is SEC 1, as OpenSSL 3.0's genpkey -outform DER writes it; it has "
			   "to be PKCS #8: openssl pkcs8 -topk8 -nocrypt -outform DER");
	if (bytes_count(text, "-----BEGIN") > 0)
		return bad(e, "the key inside is PEM; it has to be the DER of PKCS #8");
	if (is_form(text, PRIVATE_KEY_PKCS8))
		return bad(e, "the key inside is PKCS #8, but not in the form of docs/formats.md 11: version, "
			   "parameters or what is behind it");
	return bad(e, "what is inside (%zu bytes) is no AES key and no PKCS #8 of a key that is sound", text.n);
}

static int take_key(struct bytes text, struct kf_byok_target **out, struct kf_error *e)
{
	for (int type = KF_KEY_RSA_2048; type <= KF_KEY_EC_P256K; type++) {
		_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
		int r = pkcs8_decode(text, (enum kf_key_type)type, &key);

		if (r == 0)
			return target_from_pair(key, out);
		if (r != -EBADMSG)
			return r;
	}
	return explain_inner(text, e);
}

static int take_inner(struct bytes text, struct kf_byok_target **out, struct kf_error *e)
{
	int r = text.n <= AES_MOST ? target_from_raw(text, out) : -EINVAL;

	if (r != -EINVAL)
		return r;
	if (text.n < AES_LEAST)
		return bad(e, "what is inside (%zu bytes) is shorter than any key", text.n);
	return take_key(text, out, e);
}

static int unwrap(struct opening *o, struct kf_byok_target **out, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret plain = SECRET_INIT;
	int r;

	if (!EVP_PKEY_is_a(o->kek, "RSA"))
		return error_why(e, -EINVAL, RULE, "give the RSA key it was wrapped for",
				 "the private key is not an RSA key");
	r = secret_init(&plain, BLOB_MAX);
	if (r == 0)
		r = open_blob(o, &plain, e);
	return r < 0 ? r : take_inner(secret_bytes(&plain), out, e);
}

int kf_byok_unwrap(const struct kf_byok_unwrap_request *q, struct kf_byok_target **out,
		   struct kf_error *e)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *kek = NULL;
	struct opening o = { .hash = q->hash, .direct = q->mode == KF_BYOK_MODE_DIRECT,
			     .blob = BYTES(q->blob, q->blob_len) };
	int r = -EINVAL;

	if (q->size >= sizeof(*q) && q->hash >= KF_HASH_SHA1 && q->hash <= KF_HASH_SHA512 &&
	    q->blob_len <= BLOB_MAX)
		r = pem_private_key(BYTES(q->kek, q->kek_len), BYTES(q->passphrase, q->passphrase_len),
				    &kek, e);
	o.kek = kek;
	if (r == 0)
		r = unwrap(&o, out, e);
	return error_what(e, r, "cannot open the wrapped key");
}
