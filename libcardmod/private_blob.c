// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libcardmod/private_blob.c - The DER is written into locked memory, and so is what first has to be
 * turned round or computed from the primes; numbers that are big-endian already are read where the
 * caller has them. Computing goes through OpenSSL's big numbers, which are wiped, but locked only if
 * the program has set up OpenSSL's secure heap.
 */
#include "libcardmod/private_blob.h"
#include "format/der.h"
#include "format/ossl.h"
#include "keyferry/cardmod.h"


enum { NUMBERS_MAX = 4096 };

/* RSAPrivateKey [RFC 8017 A.1.2], in its order. */
struct rsa_numbers {
	struct bytes n, e, d, p, q, dp, dq, qinv;
};

/* [RFC 8017 A.1], [RFC 5480 2.1.1]: AlgorithmIdentifier of each, whole */
static const uint8_t rsa_algorithm[] = {
	0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
};
static const uint8_t oid_ec[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01 };
static const uint8_t oid_p256[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
static const uint8_t oid_p384[] = { 0x2b, 0x81, 0x04, 0x00, 0x22 };
static const uint8_t oid_p521[] = { 0x2b, 0x81, 0x04, 0x00, 0x23 };

static struct bytes without_zeros(struct bytes b)
{
	while (b.n > 1 && b.p[0] == 0)
		b = BYTES(b.p + 1, b.n - 1);
	return b;
}

static int rsa_type(uint32_t bits, enum kf_key_type *out)
{
	for (int type = KF_KEY_RSA_2048; type <= KF_KEY_RSA_4096; type++) {
		if (key_type_bits((enum kf_key_type)type) != bits)
			continue;
		*out = (enum kf_key_type)type;
		return 0;
	}
	return -EOPNOTSUPP;
}

/* --- writing DER --- */

static void put_number(struct packer *p, struct bytes number)
{
	der_put_big(p, without_zeros(number));
}

static int put_rsa(struct secret *der, const struct rsa_numbers *k)
{
	struct packer p = pack_begin(der->p, der->cap);
	struct der_mark whole = der_begin(&p, DER_SEQUENCE), octets, key;

	der_put_uint(&p, DER_INTEGER, 0);
	pack_bytes(&p, BYTES_OF(rsa_algorithm));
	octets = der_begin(&p, DER_OCTETS);
	key = der_begin(&p, DER_SEQUENCE);
	der_put_uint(&p, DER_INTEGER, 0);	/* two primes */
	put_number(&p, k->n);
	put_number(&p, k->e);
	put_number(&p, k->d);
	put_number(&p, k->p);
	put_number(&p, k->q);
	put_number(&p, k->dp);
	put_number(&p, k->dq);
	put_number(&p, k->qinv);
	der_end(&p, key);
	der_end(&p, octets);
	der_end(&p, whole);
	der->n = p.bad ? 0 : p.n;
	return pack_end(&p);
}

static int put_ec(struct secret *der, struct bytes curve, struct bytes scalar, struct bytes xy)
{
	struct packer p = pack_begin(der->p, der->cap);
	struct der_mark whole = der_begin(&p, DER_SEQUENCE), mark, octets, key, bits;

	der_put_uint(&p, DER_INTEGER, 0);
	mark = der_begin(&p, DER_SEQUENCE);
	der_put(&p, DER_OID, BYTES_OF(oid_ec));
	der_put(&p, DER_OID, curve);
	der_end(&p, mark);
	octets = der_begin(&p, DER_OCTETS);
	key = der_begin(&p, DER_SEQUENCE);
	der_put_uint(&p, DER_INTEGER, 1);	/* [RFC 5915 3] */
	der_put(&p, DER_OCTETS, scalar);
	mark = der_begin(&p, 0xa1);		/* said, so that a wrong one is noticed */
	bits = der_begin(&p, 0x03);
	pack_u8(&p, 0);				/* unused bits */
	pack_u8(&p, 0x04);
	pack_bytes(&p, xy);
	der_end(&p, bits);
	der_end(&p, mark);
	der_end(&p, key);
	der_end(&p, octets);
	der_end(&p, whole);
	der->n = p.bad ? 0 : p.n;
	return pack_end(&p);
}

/* --- CAPI: numbers little-endian [minidriver 5.3] --- */

static struct bytes take_reversed(struct unpacker *u, size_t n, struct packer *store)
{
	struct bytes from = unpack_bytes(u, n);
	uint8_t *at = pack_reserve(store, from.n);

	for (size_t i = 0; at && i < from.n; i++)
		at[i] = from.p[from.n - 1 - i];
	return at ? BYTES(at, from.n) : BYTES_NONE;
}

static int parse_capi(struct bytes blob, struct packer *store, struct rsa_numbers *k,
		      enum kf_key_type *type)
{
	struct unpacker u = unpack_begin(blob);
	uint32_t algorithm, magic, bits;
	int r;

	unpack_skip(&u, 2);			/* bType, bVersion: how we got here */
	if (unpack_le16(&u) != 0)
		unpack_fail(&u);
	algorithm = unpack_le32(&u);
	magic = unpack_le32(&u);
	bits = unpack_le32(&u);
	if (u.bad || magic != BCRYPT_RSAPRIVATE_MAGIC ||
	    (algorithm != CALG_RSA_KEYX && algorithm != CALG_RSA_SIGN))
		return -EBADMSG;
	r = rsa_type(bits, type);
	if (r < 0)
		return r;
	k->e = take_reversed(&u, 4, store);
	k->n = take_reversed(&u, bits / 8, store);
	k->p = take_reversed(&u, bits / 16, store);
	k->q = take_reversed(&u, bits / 16, store);
	k->dp = take_reversed(&u, bits / 16, store);
	k->dq = take_reversed(&u, bits / 16, store);
	k->qinv = take_reversed(&u, bits / 16, store);
	k->d = take_reversed(&u, bits / 8, store);
	return unpack_end(&u) < 0 || store->bad ? -EBADMSG : 0;
}

/* --- CNG: numbers big-endian [minidriver 5.2] --- */

static struct bytes put_bn(const BIGNUM *number, size_t size, struct packer *store)
{
	uint8_t *at = pack_reserve(store, size);

	return at && BN_bn2binpad(number, at, (int)size) == (int)size ? BYTES(at, size) : BYTES_NONE;
}

/* dp, dq, qinv and d out of e, p, q [RFC 8017 3.2]; d modulo (p-1)(q-1). */
static int complete(BN_CTX *ctx, struct rsa_numbers *k, struct packer *store)
{
	BIGNUM *p = BN_CTX_get(ctx), *q = BN_CTX_get(ctx), *e = BN_CTX_get(ctx);
	BIGNUM *p1 = BN_CTX_get(ctx), *q1 = BN_CTX_get(ctx), *phi = BN_CTX_get(ctx);
	BIGNUM *d = BN_CTX_get(ctx), *t = BN_CTX_get(ctx);

	if (!t)
		return -ENOMEM;
	if (!BN_bin2bn(k->p.p, (int)k->p.n, p) || !BN_bin2bn(k->q.p, (int)k->q.n, q) ||
	    !BN_bin2bn(k->e.p, (int)k->e.n, e))
		return -ENOMEM;
	if (BN_is_zero(p) || BN_is_zero(q) || BN_is_zero(e))
		return -EBADMSG;
	BN_set_flags(p, BN_FLG_CONSTTIME);
	BN_set_flags(p1, BN_FLG_CONSTTIME);
	BN_set_flags(q1, BN_FLG_CONSTTIME);
	BN_set_flags(phi, BN_FLG_CONSTTIME);
	BN_set_flags(d, BN_FLG_CONSTTIME);
	if (!BN_sub(p1, p, BN_value_one()) || !BN_sub(q1, q, BN_value_one()) ||
	    !BN_mul(phi, p1, q1, ctx) || !BN_mod_inverse(d, e, phi, ctx))
		return -EBADMSG;
	k->d = put_bn(d, k->n.n, store);
	if (!BN_mod(t, d, p1, ctx))
		return -EIO;
	k->dp = put_bn(t, k->p.n, store);
	if (!BN_mod(t, d, q1, ctx))
		return -EIO;
	k->dq = put_bn(t, k->q.n, store);
	if (!BN_mod_inverse(t, q, p, ctx))
		return -EBADMSG;
	k->qinv = put_bn(t, k->p.n, store);
	return store->bad ? -EBADMSG : 0;
}

static int complete_rsa(struct rsa_numbers *k, struct packer *store)
{
	_cleanup_(BN_CTX_freep) BN_CTX *ctx = NULL;
	int r;

	ossl_begin();
	ctx = BN_CTX_secure_new();
	if (!ctx)
		return ossl_end(-ENOMEM);
	BN_CTX_start(ctx);
	r = complete(ctx, k, store);
	BN_CTX_end(ctx);
	return ossl_end(r);
}

static int parse_cng_rsa(struct bytes blob, struct packer *store, struct rsa_numbers *k,
			 enum kf_key_type *type)
{
	struct unpacker u = unpack_begin(blob);
	bool full = unpack_le32(&u) == BCRYPT_RSAFULLPRIVATE_MAGIC;
	uint32_t bits = unpack_le32(&u), n_e = unpack_le32(&u), n_n = unpack_le32(&u);
	uint32_t n_p = unpack_le32(&u), n_q = unpack_le32(&u);
	int r;

	if (u.bad)
		return -EBADMSG;
	r = rsa_type(bits, type);
	if (r < 0)
		return r;
	if (n_e < 1 || n_e > 8 || n_n != bits / 8 || n_p != bits / 16 || n_q != bits / 16)
		return -EBADMSG;
	k->e = unpack_bytes(&u, n_e);
	k->n = unpack_bytes(&u, n_n);
	k->p = unpack_bytes(&u, n_p);
	k->q = unpack_bytes(&u, n_q);
	if (full) {
		k->dp = unpack_bytes(&u, n_p);
		k->dq = unpack_bytes(&u, n_q);
		k->qinv = unpack_bytes(&u, n_p);
		k->d = unpack_bytes(&u, n_n);
	}
	if (unpack_end(&u) < 0)
		return -EBADMSG;
	return full ? 0 : complete_rsa(k, store);
}

static int parse_rsa(struct bytes blob, bool capi, struct secret *der, enum kf_key_type *type)
{
	_cleanup_(secret_deinit) struct secret room = SECRET_INIT;
	struct rsa_numbers k = { 0 };
	struct packer store;
	int r = secret_init(&room, NUMBERS_MAX);

	if (r < 0)
		return r;
	store = pack_begin(room.p, room.cap);
	r = capi ? parse_capi(blob, &store, &k, type) : parse_cng_rsa(blob, &store, &k, type);
	return r < 0 ? r : put_rsa(der, &k);
}

/* --- EC [minidriver 5.4] --- */

static const struct ec_form {
	uint32_t magic;
	enum kf_key_type type;
	struct bytes curve;
} ec_forms[] = {
	{ BCRYPT_ECDSA_PRIVATE_P256_MAGIC, KF_KEY_EC_P256, { oid_p256, sizeof(oid_p256) } },
	{ BCRYPT_ECDSA_PRIVATE_P384_MAGIC, KF_KEY_EC_P384, { oid_p384, sizeof(oid_p384) } },
	{ BCRYPT_ECDSA_PRIVATE_P521_MAGIC, KF_KEY_EC_P521, { oid_p521, sizeof(oid_p521) } },
	{ BCRYPT_ECDH_PRIVATE_P256_MAGIC, KF_KEY_EC_P256, { oid_p256, sizeof(oid_p256) } },
	{ BCRYPT_ECDH_PRIVATE_P384_MAGIC, KF_KEY_EC_P384, { oid_p384, sizeof(oid_p384) } },
	{ BCRYPT_ECDH_PRIVATE_P521_MAGIC, KF_KEY_EC_P521, { oid_p521, sizeof(oid_p521) } },
};

static int parse_ec(struct bytes blob, const struct ec_form *form, struct secret *der,
		    enum kf_key_type *type)
{
	struct unpacker u = unpack_begin(blob);
	size_t size = key_type_size(form->type);
	struct bytes xy, scalar;

	unpack_skip(&u, 4);
	if (unpack_le32(&u) != size)
		return -EBADMSG;
	xy = unpack_bytes(&u, 2 * size);
	scalar = unpack_bytes(&u, size);
	if (unpack_end(&u) < 0)
		return -EBADMSG;
	*type = form->type;
	return put_ec(der, form->curve, scalar, xy);
}

int private_blob_parse(struct bytes blob, struct secret *der, enum kf_key_type *type)
{
	struct unpacker u = unpack_begin(blob);
	uint32_t magic = unpack_le32(&u);

	if (u.bad)
		return -EBADMSG;
	if (blob.p[0] == PRIVATEKEYBLOB && blob.p[1] == CUR_BLOB_VERSION)
		return parse_rsa(blob, true, der, type);
	if (magic == BCRYPT_RSAPRIVATE_MAGIC || magic == BCRYPT_RSAFULLPRIVATE_MAGIC)
		return parse_rsa(blob, false, der, type);
	for (size_t i = 0; i < sizeof(ec_forms) / sizeof(ec_forms[0]); i++)
		if (ec_forms[i].magic == magic)
			return parse_ec(blob, &ec_forms[i], der, type);
	return -EBADMSG;
}
