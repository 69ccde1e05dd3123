// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/pkcs11/wrapping.c - Way by way, best first. The temporary AES key is a session object, sensitive,
 * and wraps only; it is destroyed on every path [SECURITY section 8].
 */
#include "tools/pkcs11/wrapping.h"
#include "base/error.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "libserver/byok/envelope.h"
#include "libserver/random.h"
#include "tools/pkcs11/extract.h"
#include "tools/pkcs11/rv.h"
#include "tools/pkcs11/selftest.h"

#include <openssl/core_names.h>

enum { AES_SIZE = 32, MODULUS_MAX = 512, EXPONENT_MAX = 16 };

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

/* What is at hand for one wrapping. */
struct job {
	struct token *token;
	CK_OBJECT_HANDLE key, kek;
	enum kf_key_type type;		/* of @key */
	EVP_PKEY *kek_key;
	const struct source_wrap *want;
	struct ck_rsa_pkcs_oaep_params oaep;
	CK_RV refused;			/* why the token did not do OAEP, if it did not */
};

/* --- the KEK in the token --- */

/* MGF1 with SHA-224 is 5, so the numbers are no sequence [PKCS #11 CKG_]. */
static struct ck_rsa_pkcs_oaep_params oaep_params(enum kf_hash hash)
{
	static const struct { CK_MECHANISM_TYPE hash; CK_ULONG mgf; } rows[] = {
		[KF_HASH_SHA1] = { CKM_SHA_1, 1 },
		[KF_HASH_SHA256] = { CKM_SHA256, 2 },
		[KF_HASH_SHA384] = { CKM_SHA384, 3 },
		[KF_HASH_SHA512] = { CKM_SHA512, 4 },
	};

	return (struct ck_rsa_pkcs_oaep_params){
		.hashAlg = rows[hash].hash, .mgf = rows[hash].mgf, .source = CKZ_DATA_SPECIFIED,
	};
}

static int number(EVP_PKEY *key, const char *name, uint8_t *out, size_t cap, CK_ULONG *n)
{
	_cleanup_(BN_clear_freep) BIGNUM *bn = NULL;

	if (EVP_PKEY_get_bn_param(key, name, &bn) != 1 || (size_t)BN_num_bytes(bn) > cap)
		return -EIO;
	*n = (CK_ULONG)BN_bn2bin(bn, out);
	return 0;
}

static int load_kek(struct job *job, struct kf_error *e)
{
	uint8_t n[MODULUS_MAX], exponent[EXPONENT_MAX];
	CK_ULONG n_len = 0, e_len = 0;
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_KEY_TYPE type = CKK_RSA;
	CK_ATTRIBUTE attributes[] = {
		{ CKA_CLASS, &class, sizeof(class) }, { CKA_KEY_TYPE, &type, sizeof(type) },
		{ CKA_TOKEN, &no, sizeof(no) },	      { CKA_WRAP, &yes, sizeof(yes) },
		{ CKA_MODULUS, n, 0 },		      { CKA_PUBLIC_EXPONENT, exponent, 0 },
	};
	int r;

	ossl_begin();
	r = number(job->kek_key, OSSL_PKEY_PARAM_RSA_N, n, sizeof(n), &n_len);
	if (r == 0)
		r = number(job->kek_key, OSSL_PKEY_PARAM_RSA_E, exponent, sizeof(exponent), &e_len);
	if (r < 0)
		return ossl_end(r);
	attributes[4].ulValueLen = n_len;
	attributes[5].ulValueLen = e_len;
	return rv_check(token_create(job->token, attributes, sizeof(attributes) / sizeof(attributes[0]),
				     &job->kek), "give the KEK to the token", e);
}

/* --- the AES key --- */

static CK_RV make_aes(struct job *job, CK_OBJECT_HANDLE *out)
{
	CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ULONG size = AES_SIZE;
	CK_ATTRIBUTE attributes[] = {
		{ CKA_VALUE_LEN, &size, sizeof(size) }, { CKA_TOKEN, &no, sizeof(no) },
		{ CKA_PRIVATE, &yes, sizeof(yes) },	{ CKA_SENSITIVE, &yes, sizeof(yes) },
		{ CKA_EXTRACTABLE, &yes, sizeof(yes) }, { CKA_WRAP, &yes, sizeof(yes) },
		{ CKA_UNWRAP, &no, sizeof(no) },	{ CKA_ENCRYPT, &no, sizeof(no) },
		{ CKA_DECRYPT, &no, sizeof(no) },	{ CKA_SIGN, &no, sizeof(no) },
		{ CKA_VERIFY, &no, sizeof(no) },	{ CKA_DERIVE, &no, sizeof(no) },
	};

	return job->token->f->C_GenerateKey(job->token->session, &mechanism, attributes,
					    sizeof(attributes) / sizeof(attributes[0]), out);
}

static CK_RV give_aes(struct job *job, uint8_t *value, CK_OBJECT_HANDLE *out)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	const CK_ATTRIBUTE attributes[] = {
		{ CKA_CLASS, &class, sizeof(class) }, { CKA_KEY_TYPE, &type, sizeof(type) },
		{ CKA_TOKEN, &no, sizeof(no) },	      { CKA_PRIVATE, &yes, sizeof(yes) },
		{ CKA_SENSITIVE, &yes, sizeof(yes) }, { CKA_EXTRACTABLE, &no, sizeof(no) },
		{ CKA_WRAP, &yes, sizeof(yes) },      { CKA_UNWRAP, &no, sizeof(no) },
		{ CKA_ENCRYPT, &no, sizeof(no) },     { CKA_DECRYPT, &no, sizeof(no) },
		{ CKA_SIGN, &no, sizeof(no) },	      { CKA_VERIFY, &no, sizeof(no) },
		{ CKA_DERIVE, &no, sizeof(no) },      { CKA_VALUE, value, AES_SIZE },
	};

	return token_create(job->token, attributes, sizeof(attributes) / sizeof(attributes[0]), out);
}

/* --- steps --- */

/* Appends what the token makes of @what under @with. */
static CK_RV wrap_into(struct job *job, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE with,
		       CK_OBJECT_HANDLE what, struct packer *out)
{
	CK_ULONG n = out->cap - out->n;
	CK_RV rv = job->token->f->C_WrapKey(job->token->session, mechanism, with, what,
					    out->p + out->n, &n);

	if (rv == CKR_OK && !pack_reserve(out, n))
		rv = CKR_BUFFER_TOO_SMALL;
	return rv;
}

static CK_RV oaep_in_token(struct job *job, CK_OBJECT_HANDLE what, struct packer *out)
{
	CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, &job->oaep, sizeof(job->oaep) };

	if (!token_wraps(job->token, CKM_RSA_PKCS_OAEP))
		return CKR_MECHANISM_INVALID;
	return wrap_into(job, &mechanism, job->kek, what, out);
}

/*
 * Which mechanism of the token is RFC 5649, best first. The name of the first promises it, but a look costs
 * nothing; the others' names and numbers promise nothing.
 */
static int pick_key_wrap(struct job *job, CK_MECHANISM_TYPE *type, bool *zeros, struct kf_error *e)
{
	static const CK_MECHANISM_TYPE types[] = {
		CKM_AES_KEY_WRAP_KWP, CKM_LUNA_AES_KWP, CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD,
		CKM_AES_KEY_WRAP_PAD, CKM_NSS_AES_KEY_WRAP_PAD,
	};
	bool other = false;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		enum key_wrap wrap;
		int r;

		if (!token_wraps(job->token, types[i]))
			continue;
		r = key_wrap_try(job->token, types[i], &wrap, e);
		if (r < 0)
			return r;
		other |= wrap == WRAP_OTHER;
		if (wrap == WRAP_OTHER || (wrap == WRAP_UNKNOWN && types[i] != CKM_AES_KEY_WRAP_KWP))
			continue;
		*type = types[i];
		*zeros = wrap == WRAP_RFC5649_ZEROS;
		return 0;
	}
	if (other)
		return error_why(e, -EOPNOTSUPP, "AES key wrap with padding, RFC 5649",
				 "use another token, or --allow-extract if this key may be read",
				 "the token's key wrap with padding is another one, PKCS #7 style by the look "
				 "of it: no receiver would open the result");
	return error_why(e, -EOPNOTSUPP, "AES key wrap with padding, RFC 5649",
			 "use another token, or --allow-extract if this key may be read",
			 "the token has no key wrap with padding, or none that can be tried out");
}

/* --- ways --- */

/* Return: 1 done; 0 the token does not do that; -errno. */
static int whole(struct job *job, struct packer *blob, struct kf_error *e)
{
	struct ck_rsa_aes_key_wrap_params params = { AES_SIZE * 8, &job->oaep };
	CK_MECHANISM mechanism = { CKM_RSA_AES_KEY_WRAP, &params, sizeof(params) };
	CK_RV rv;
	int r;

	if (job->want->direct || !token_wraps(job->token, CKM_RSA_AES_KEY_WRAP))
		return 0;
	rv = wrap_into(job, &mechanism, job->kek, job->key, blob);
	if (rv_is_refused_mechanism(rv)) {
		job->refused = rv;
		return 0;
	}
	r = rv_check(rv, "wrap the key", e);
	return r < 0 ? r : 1;
}

static int direct(struct job *job, struct packer *blob, struct kf_error *e)
{
	CK_RV rv = oaep_in_token(job, job->key, blob);

	if (rv_is_refused_mechanism(rv)) {
		job->refused = rv;
		return 0;
	}
	return rv_check(rv, "wrap the key", e) < 0 ? e->code : 1;
}

static int two_steps(struct job *job, CK_MECHANISM_TYPE type, struct packer *blob, struct kf_error *e)
{
	CK_MECHANISM kwp = { type, NULL, 0 };
	CK_OBJECT_HANDLE aes = CK_INVALID_HANDLE;
	int r = rv_check(make_aes(job, &aes), "make a wrapping key in the token", e);
	CK_RV rv;

	if (r < 0)
		return r;
	rv = oaep_in_token(job, aes, blob);
	if (rv_is_refused_mechanism(rv)) {
		token_destroy(job->token, aes);
		job->refused = rv;
		return 0;
	}
	r = rv_check(rv, "wrap the wrapping key under the KEK", e);
	if (r == 0)
		r = rv_check(wrap_into(job, &kwp, aes, job->key, blob), "wrap the key", e);
	token_destroy(job->token, aes);
	return r < 0 ? r : 1;
}

/* The AES key is ours, and with it whoever reads our memory reads the key: only if that is allowed. */
static int with_our_aes(struct job *job, CK_MECHANISM_TYPE type, struct packer *blob,
			struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret aes = SECRET_INIT;
	CK_MECHANISM kwp = { type, NULL, 0 };
	CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
	int r = secret_init(&aes, AES_SIZE);

	if (r < 0)
		return r;
	r = random_secret(aes.p, AES_SIZE, e);
	if (r < 0)
		return r;
	aes.n = AES_SIZE;
	r = oaep_wrap(job->kek_key, job->want->hash, secret_bytes(&aes), blob);
	if (r == 0)
		r = rv_check(give_aes(job, aes.p, &object), "give a wrapping key to the token", e);
	if (r == 0)
		r = rv_check(wrap_into(job, &kwp, object, job->key, blob), "wrap the key", e);
	token_destroy(job->token, object);
	return r < 0 ? r : 1;
}

/* The key itself, where the token does not wrap as it would have to. */
static int extracted(struct job *job, struct packer *blob, struct kf_error *e)
{
	_cleanup_(kf_byok_target_freep) struct kf_byok_target *target = NULL;
	int r = token_extract(job->token, job->key, job->type, &target, e);

	if (r == 0 && job->want->direct)
		r = oaep_wrap(job->kek_key, job->want->hash, secret_bytes(&target->plain), blob);
	else if (r == 0)
		r = envelope_seal(job->kek_key, job->want->hash, secret_bytes(&target->plain), blob, e);
	return r < 0 ? r : 1;
}

static int no_way(const struct job *job, struct kf_error *e)
{
	return error_why(e, -EACCES, "a key leaves its token wrapped, SECURITY section 8",
			 "use a KEK with another hash or a token that has it; --allow-extract if the "
			 "wrapping key may be in this machine's memory",
			 "the token does no OAEP with this hash, or does not wrap with it (0x%lx)",
			 job->refused);
}

static int wrap_directly(struct job *job, struct packer *blob, struct source_wrapped *out,
			 struct kf_error *e)
{
	int r = direct(job, blob, e);

	out->way = SOURCE_DIRECT;
	if (r != 0)
		return r;
	if (!job->want->allow_extract)
		return no_way(job, e);
	out->way = SOURCE_EXTRACTED;
	return extracted(job, blob, e);
}

static int wrap_best(struct job *job, struct packer *blob, struct source_wrapped *out,
		     struct kf_error *e)
{
	CK_MECHANISM_TYPE type = 0;
	int r = whole(job, blob, e);

	out->way = SOURCE_WHOLE;
	if (r != 0)
		return r;
	r = pick_key_wrap(job, &type, &out->zeros, e);
	if (r == -EOPNOTSUPP && job->want->allow_extract) {
		out->way = SOURCE_EXTRACTED;
		return extracted(job, blob, e);
	}
	if (r < 0)
		return r;
	out->way = SOURCE_TWO_STEPS;
	r = two_steps(job, type, blob, e);
	if (r != 0)
		return r;
	if (!job->want->allow_extract)
		return no_way(job, e);
	out->way = SOURCE_OUR_AES;
	return with_our_aes(job, type, blob, e);
}

int source_wrap_key(struct token *token, CK_OBJECT_HANDLE key, enum kf_key_type type,
		    const struct source_wrap *want, struct packer *blob, struct source_wrapped *out,
		    struct kf_error *e)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *kek = NULL;
	struct job job = {
		.token = token, .key = key, .type = type, .want = want, .oaep = oaep_params(want->hash),
		.refused = CKR_MECHANISM_INVALID,
	};
	enum kf_key_type kek_type;
	int r = spki_parse(want->kek, &kek, &kek_type);

	job.kek_key = kek;
	*out = (struct source_wrapped){ 0 };
	if (r == 0)
		r = load_kek(&job, e);
	if (r == 0)
		r = want->direct ? wrap_directly(&job, blob, out, e) : wrap_best(&job, blob, out, e);
	token_destroy(token, job.kek);
	if (r < 0)
		return error_what(e, r, "cannot wrap the key in its token");
	/* AES keys are whole blocks: nothing is added to them. */
	out->zeros = out->zeros && !key_type_is_aes(type);
	out->blob = pack_done(blob);
	return 0;
}
