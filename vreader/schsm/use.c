/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SIGN, DECIPHER and the AES operations. In this order: the key is there, its list allows the
 * algorithm, the algorithm suits the key, the input has a length it can have; only then a use is
 * counted, on the disk, and then the key works.
 */
#include "format/aes.h"
#include "format/ossl.h"
#include "vreader/schsm/command.h"

#include <openssl/core_names.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

enum { OUTPUT_MAX = 512, PKCS1_OVERHEAD = 11 };

int hsm_spend_use(struct hsm *hsm, const struct hsm_record *record)
{
	_cleanup_(hsm_state_freep) struct hsm_state *next = NULL;
	int r;

	if (!record->counted)
		return SW_OK;
	if (record->uses == 0)
		return SW_CONDITIONS;
	r = hsm_begin(hsm, &next);
	if (r != 0)
		return r;
	hsm_find_key(next, record->id)->uses--;
	r = hsm_commit(hsm, &next);
	return r != 0 ? r : SW_OK;
}

/* A key of @kind at P1 that allows P2. */
static int find_key(struct hsm *hsm, const struct hsm_request *request, enum hsm_kind kind,
		    const struct hsm_record **out)
{
	*out = hsm_find_key(hsm->state, request->p1);
	if (!*out)
		return SW_NO_OBJECT;
	if (!hsm_key_allows(*out, request->p2))
		return SW_CONDITIONS;
	return hsm_key_kind((*out)->key) == kind ? SW_OK : SW_CONDITIONS;
}

static int open_ctx(const struct hsm_key *key, EVP_PKEY_CTX **out)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;
	int r = hsm_key_open(key, &pkey);

	if (r < 0)
		return r;
	*out = EVP_PKEY_CTX_new(pkey, NULL);	/* takes a reference of its own */
	return *out ? 0 : -EIO;
}

/* --- SIGN --- */

/**
 * struct signing - a row of what SIGN can
 * @padding:	of RSA; 0 for ECDSA
 * @md:		of the signature; NULL: the input says, or none is needed
 * @hashes:	the card does the hashing
 */
static const struct signing {
	uint8_t algorithm;
	enum hsm_kind kind;
	int padding;
	const EVP_MD *(*md)(void);
	bool hashes;
} signings[] = {
	{ 0x20, HSM_RSA, RSA_NO_PADDING, NULL, false },
	{ 0x30, HSM_RSA, RSA_PKCS1_PADDING, NULL, false },
	{ 0x31, HSM_RSA, RSA_PKCS1_PADDING, EVP_sha1, true },
	{ 0x32, HSM_RSA, RSA_PKCS1_PADDING, EVP_sha224, true },
	{ 0x33, HSM_RSA, RSA_PKCS1_PADDING, EVP_sha256, true },
	{ 0x34, HSM_RSA, RSA_PKCS1_PADDING, EVP_sha384, true },
	{ 0x35, HSM_RSA, RSA_PKCS1_PADDING, EVP_sha512, true },
	{ 0x40, HSM_RSA, RSA_PKCS1_PSS_PADDING, NULL, false },
	{ 0x41, HSM_RSA, RSA_PKCS1_PSS_PADDING, EVP_sha1, true },
	{ 0x42, HSM_RSA, RSA_PKCS1_PSS_PADDING, EVP_sha224, true },
	{ 0x43, HSM_RSA, RSA_PKCS1_PSS_PADDING, EVP_sha256, true },
	{ 0x44, HSM_RSA, RSA_PKCS1_PSS_PADDING, EVP_sha384, true },
	{ 0x45, HSM_RSA, RSA_PKCS1_PSS_PADDING, EVP_sha512, true },
	{ 0x70, HSM_EC, 0, NULL, false },
	{ 0x71, HSM_EC, 0, EVP_sha1, true },
	{ 0x72, HSM_EC, 0, EVP_sha224, true },
	{ 0x73, HSM_EC, 0, EVP_sha256, true },
	{ 0x74, HSM_EC, 0, EVP_sha384, true },
	{ 0x75, HSM_EC, 0, EVP_sha512, true },
};

static const struct signing *find_signing(uint8_t algorithm)
{
	for (size_t i = 0; i < sizeof(signings) / sizeof(signings[0]); i++) {
		if (signings[i].algorithm == algorithm)
			return &signings[i];
	}
	return NULL;
}

static const EVP_MD *md_of_length(size_t n)
{
	switch (n) {
	case 20: return EVP_sha1();
	case 28: return EVP_sha224();
	case 32: return EVP_sha256();
	case 48: return EVP_sha384();
	case 64: return EVP_sha512();
	default: return NULL;
	}
}

/* @input is the whole of a DigestInfo. */
static bool take_digest_info(struct bytes input, struct bytes *hash, int *nid)
{
	const ASN1_OCTET_STRING *digest;
	const X509_ALGOR *algorithm;
	const uint8_t *p = input.p;
	X509_SIG *info = d2i_X509_SIG(NULL, &p, (long)input.n);
	bool whole = info && p == input.p + input.n;

	if (whole) {
		X509_SIG_get0(info, &algorithm, &digest);
		*nid = OBJ_obj2nid(algorithm->algorithm);
		/* The octet string is the last thing in it, but in BER of indefinite length. */
		*hash = bytes_slice(input, input.n - (size_t)ASN1_STRING_length(digest), input.n);
		whole = memcmp(hash->p, ASN1_STRING_get0_data(digest), hash->n) == 0;
	}
	X509_SIG_free(info);
	ERR_clear_error();
	return whole;
}

/*
 * PSS on a hash from outside. Which one it is, its length says, or the DigestInfo that OpenSC puts round it
 * as for PKCS #1: @input becomes the bare hash.
 */
static const EVP_MD *take_hash(struct bytes *input)
{
	const EVP_MD *md = md_of_length(input->n);
	struct bytes hash;
	int nid;

	if (md || !take_digest_info(*input, &hash, &nid))
		return md;
	md = md_of_length(hash.n);
	if (!md || EVP_MD_get_type(md) != nid)
		return NULL;
	*input = hash;
	return md;
}

static bool input_is_good(const struct signing *s, const struct hsm_key *key, struct bytes input)
{
	if (s->hashes)
		return true;
	switch (s->padding) {
	case RSA_NO_PADDING:
		return input.n == hsm_key_size(key);
	case RSA_PKCS1_PADDING:
		return input.n <= hsm_key_size(key) - PKCS1_OVERHEAD;
	case RSA_PKCS1_PSS_PADDING:
		return take_hash(&input) != NULL;
	default:
		return input.n <= EVP_MAX_MD_SIZE;
	}
}

static bool set_signing(EVP_PKEY_CTX *ctx, const struct signing *s, const EVP_MD *md)
{
	if (EVP_PKEY_sign_init(ctx) <= 0)
		return false;
	if (s->padding != 0 && EVP_PKEY_CTX_set_rsa_padding(ctx, s->padding) <= 0)
		return false;
	if (md && EVP_PKEY_CTX_set_signature_md(ctx, md) <= 0)
		return false;
	return s->padding != RSA_PKCS1_PSS_PADDING ||
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0;
}

/* Return: SW_OK, SW_DATA for a number that is not below the modulus, -EIO. */
static int sign(const struct hsm_key *key, const struct signing *s, struct bytes input,
		struct packer *out)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	const EVP_MD *md = s->md ? s->md() : NULL;
	uint8_t hash[EVP_MAX_MD_SIZE], sig[OUTPUT_MAX];
	unsigned int n_hash = 0;
	size_t n = sizeof(sig);
	int r = open_ctx(key, &ctx);

	if (r < 0)
		return r;
	if (s->padding == RSA_PKCS1_PSS_PADDING && !md)
		md = take_hash(&input);
	if (s->hashes && EVP_Digest(input.p, input.n, hash, &n_hash, md, NULL) != 1)
		return -EIO;
	if (s->hashes)
		input = BYTES(hash, n_hash);
	if (!set_signing(ctx, s, md))
		return -EIO;
	if (EVP_PKEY_sign(ctx, sig, &n, input.p, input.n) <= 0)
		return s->padding != 0 ? SW_DATA : -EIO;
	pack_bytes(out, BYTES(sig, n));
	return SW_OK;
}

HSM_RUN(hsm_sign)
{
	const struct signing *s = find_signing(request->p2);
	const struct hsm_record *record;
	int r;

	if (!s)
		return SW_P1P2;
	r = find_key(hsm, request, s->kind, &record);
	if (r != SW_OK)
		return r;
	if (!input_is_good(s, record->key, request->data))
		return SW_LENGTH;
	r = hsm_spend_use(hsm, record);
	if (r != SW_OK)
		return r;
	return sign(hsm_find_key(hsm->state, request->p1)->key, s, request->data, out);
}

/* --- DECIPHER with RSA --- */

static bool set_deciphering(EVP_PKEY_CTX *ctx, uint8_t algorithm)
{
	int padding = algorithm == ALG_RSA_DECRYPT	 ? RSA_NO_PADDING :
		      algorithm == ALG_RSA_DECRYPT_PKCS1 ? RSA_PKCS1_PADDING :
							   RSA_PKCS1_OAEP_PADDING;

	if (EVP_PKEY_decrypt_init(ctx) <= 0 || EVP_PKEY_CTX_set_rsa_padding(ctx, padding) <= 0)
		return false;
	return padding != RSA_PKCS1_OAEP_PADDING ||
	       (EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) > 0 &&
		EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) > 0);
}

static int decipher(const struct hsm_key *key, uint8_t algorithm, struct bytes input,
		    struct packer *out)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	_cleanup_(secret_deinit) struct secret plain = SECRET_INIT;
	size_t n = OUTPUT_MAX;
	int r = open_ctx(key, &ctx);

	if (r == 0)
		r = secret_init(&plain, n);
	if (r < 0)
		return r;
	if (!set_deciphering(ctx, algorithm))
		return -EIO;
	if (EVP_PKEY_decrypt(ctx, plain.p, &n, input.p, input.n) <= 0)
		return SW_DATA;
	pack_bytes(out, BYTES(plain.p, n));
	return SW_OK;
}

HSM_RUN(hsm_decipher)
{
	const struct hsm_record *record;
	int r = find_key(hsm, request, HSM_RSA, &record);

	if (r != SW_OK)
		return r;
	if (request->data.n != hsm_key_size(record->key))
		return SW_LENGTH;
	r = hsm_spend_use(hsm, record);
	if (r != SW_OK)
		return r;
	return decipher(hsm_find_key(hsm->state, request->p1)->key, request->p2, request->data, out);
}

/* --- ECDH --- */

/*
 * The vendor's card answers the whole point, and hosts take both coordinates; EVP_PKEY_derive() gives the
 * first alone.
 */
static int multiply(EVP_PKEY *own, struct bytes peer, struct packer *out)
{
	_cleanup_(EC_GROUP_freep) EC_GROUP *group = NULL;
	_cleanup_(EC_POINT_clear_freep) EC_POINT *point = NULL, *shared = NULL;
	_cleanup_(BN_clear_freep) BIGNUM *d = NULL;
	_cleanup_(secret_deinit) struct secret buf = SECRET_INIT;
	struct curve curve;
	int r = curve_of_key(own, &curve);

	if (r == 0)
		r = secret_init(&buf, CURVE_POINT_MAX);
	if (r < 0)
		return r;
	group = EC_GROUP_new_by_curve_name(OBJ_sn2nid(curve.group));
	point = group ? EC_POINT_new(group) : NULL;
	shared = group ? EC_POINT_new(group) : NULL;
	if (!point || !shared || EVP_PKEY_get_bn_param(own, OSSL_PKEY_PARAM_PRIV_KEY, &d) <= 0 ||
	    EC_POINT_oct2point(group, point, peer.p, peer.n, NULL) != 1 ||
	    EC_POINT_mul(group, shared, NULL, point, d, NULL) != 1)
		return -EIO;
	buf.n = EC_POINT_point2oct(group, shared, POINT_CONVERSION_UNCOMPRESSED, buf.p, buf.cap, NULL);
	if (buf.n == 0)
		return -EIO;
	pack_bytes(out, secret_bytes(&buf));
	return SW_OK;
}

/* That the point is one of the curve is judged before the key is near it. */
static int point_check(EVP_PKEY *own, struct bytes point)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *peer = NULL;
	struct curve curve;
	int r = curve_of_key(own, &curve);

	if (r == 0)
		r = curve_public_key(&curve, point, &peer);
	return r == -EBADMSG ? SW_DATA : r;
}

HSM_RUN(hsm_agree)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *own = NULL;
	const struct hsm_record *record;
	int r = find_key(hsm, request, HSM_EC, &record);

	if (r != SW_OK)
		return r;
	if (request->data.n != 1 + 2 * hsm_key_size(record->key))
		return SW_LENGTH;
	r = hsm_key_open(record->key, &own);
	if (r == 0)
		r = point_check(own, request->data);
	if (r != 0)
		return r;
	r = hsm_spend_use(hsm, record);
	return r != SW_OK ? r : multiply(own, request->data, out);
}

/* --- AES --- */

static int cipher(const struct hsm_key *key, uint8_t algorithm, struct bytes input,
		  struct packer *out)
{
	static const uint8_t zero_iv[AES_BLOCK];
	uint8_t mac[AES_BLOCK];
	int r;

	if (algorithm != ALG_AES_CMAC) {
		r = aes_cbc(hsm_key_private(key), algorithm == ALG_AES_ENCRYPT, BYTES_OF(zero_iv),
			    input, out);
		return r < 0 ? r : SW_OK;
	}
	r = aes_cmac(hsm_key_private(key), input, mac);
	if (r < 0)
		return r;
	pack_bytes(out, BYTES_OF(mac));
	return SW_OK;
}

HSM_RUN(hsm_cipher)
{
	const struct hsm_record *record;
	int r = find_key(hsm, request, HSM_AES, &record);

	if (r != SW_OK)
		return r;
	if (request->p2 != ALG_AES_CMAC && request->data.n % AES_BLOCK != 0)
		return SW_LENGTH;
	r = hsm_spend_use(hsm, record);
	if (r != SW_OK)
		return r;
	return cipher(hsm_find_key(hsm->state, request->p1)->key, request->p2, request->data, out);
}

HSM_RUN(hsm_refuse)
{
	(void)hsm;
	(void)request;
	(void)out;
	return SW_NO_FUNCTION;
}
