/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/dkek_key.c - Numbers go straight between OpenSSL's wiped ones and locked memory. A number
 * may have fewer bytes than its place, or zeros in front, as cards write them; never more bytes.
 * What a blob leaves out of a pair is computed, and then all of it is proved as any key is.
 */
#include "format/schsm/dkek_key.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "format/schsm/curve.h"

#include <openssl/core_names.h>

enum { RSA_E_MAX = 8, RSA_SIZE_MAX = 512 };

void dkek_key_deinit(struct dkek_key *key)
{
	EVP_PKEY_free(key->pair);
	secret_deinit(&key->secret);
	*key = DKEK_KEY_INIT;
}

bool dkek_type_is_known(unsigned int type)
{
	return type == DKEK_RSA || type == DKEK_RSA_CRT || type == DKEK_EC || type == DKEK_AES;
}

static bool rsa_bits_are_known(unsigned int bits)
{
	return bits == 1024 || bits == 1536 || bits == 2048 || bits == 3072 || bits == 4096;
}

static bool aes_size_is_known(size_t n)
{
	return n == 16 || n == 24 || n == 32;
}

int dkek_type_of(EVP_PKEY *pair, enum dkek_type *out)
{
	unsigned int bits = (unsigned int)EVP_PKEY_get_bits(pair);
	struct curve curve;
	int r;

	if (EVP_PKEY_is_a(pair, "RSA")) {
		if (!rsa_bits_are_known(bits))
			return -EOPNOTSUPP;
		*out = bits <= DKEK_RSA_CRT_MAX ? DKEK_RSA_CRT : DKEK_RSA;
		return 0;
	}
	r = curve_of_key(pair, &curve);
	if (r == 0)
		*out = DKEK_EC;
	return r;
}

/* --- writing --- */

static void pack_field(struct packer *p, struct bytes value)
{
	pack_be16(p, value.n);
	pack_bytes(p, value);
}

/* The number called @name, in @size bytes; with 0, in as many as it has. */
static int pack_number_of(EVP_PKEY *key, const char *name, size_t size, struct packer *p)
{
	_cleanup_(BN_clear_freep) BIGNUM *bn = NULL;
	uint8_t *at;

	if (EVP_PKEY_get_bn_param(key, name, &bn) != 1)
		return -EINVAL;
	if (size == 0)
		size = (size_t)BN_num_bytes(bn);
	pack_be16(p, size);
	at = pack_reserve(p, size);
	if (!at || BN_bn2binpad(bn, at, (int)size) < 0)
		return -EINVAL;
	return 0;
}

static int pack_rsa(EVP_PKEY *key, enum dkek_type type, struct packer *p)
{
	static const char *const crt[] = {
		OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2,
		OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
		OSSL_PKEY_PARAM_RSA_FACTOR2,
	};
	unsigned int bits = (unsigned int)EVP_PKEY_get_bits(key);
	int r = 0;

	if (!EVP_PKEY_is_a(key, "RSA") || !rsa_bits_are_known(bits) ||
	    (type == DKEK_RSA_CRT && bits > DKEK_RSA_CRT_MAX))
		return -EOPNOTSUPP;
	pack_be16(p, bits);
	for (size_t i = 0; type == DKEK_RSA_CRT && r == 0 && i < sizeof(crt) / sizeof(crt[0]); i++)
		r = pack_number_of(key, crt[i], bits / 16, p);
	if (type == DKEK_RSA)
		r = pack_number_of(key, OSSL_PKEY_PARAM_RSA_D, bits / 8, p);
	if (r == 0)
		r = pack_number_of(key, OSSL_PKEY_PARAM_RSA_N, bits / 8, p);
	return r < 0 ? r : pack_number_of(key, OSSL_PKEY_PARAM_RSA_E, 0, p);
}

static int pack_ec(EVP_PKEY *key, struct packer *p)
{
	uint8_t buf[CURVE_POINT_MAX];
	struct packer point = pack_begin(buf, sizeof(buf));
	struct curve_claim numbers;
	struct curve curve;
	int r = curve_of_key(key, &curve);

	if (r == 0)
		r = curve_point(key, &point);
	if (r < 0)
		return r;
	numbers = curve_numbers(&curve);
	pack_be16(p, curve.bits);
	pack_field(p, numbers.a);	/* always: an empty one is a card's habit */
	pack_field(p, numbers.b);
	pack_field(p, numbers.p);
	pack_field(p, numbers.n);
	pack_field(p, numbers.g);
	ossl_begin();
	r = ossl_end(pack_number_of(key, OSSL_PKEY_PARAM_PRIV_KEY, curve.size, p));
	pack_field(p, pack_done(&point));
	return r;
}

static int pack_aes(const struct secret *secret, struct packer *p)
{
	if (!aes_size_is_known(secret->n))
		return -EOPNOTSUPP;
	pack_be16(p, secret->n);
	pack_bytes(p, secret_bytes(secret));
	return 0;
}

static int pack_key(const struct dkek_key *key, struct packer *p)
{
	switch (key->type) {
	case DKEK_RSA:
	case DKEK_RSA_CRT:
		ossl_begin();
		return ossl_end(pack_rsa(key->pair, key->type, p));
	case DKEK_EC:
		return pack_ec(key->pair, p);
	case DKEK_AES:
		return pack_aes(&key->secret, p);
	}
	return -EOPNOTSUPP;
}

int dkek_key_pack(const struct dkek_key *key, const uint8_t random[static DKEK_RANDOM_SIZE],
		  struct secret *out)
{
	struct packer p = pack_begin(out->p, out->cap);
	int r;

	pack_bytes(&p, BYTES(random, DKEK_RANDOM_SIZE));
	r = pack_key(key, &p);
	if (r == 0) {
		pack_u8(&p, 0x80);
		pack_zero(&p, (16 - p.n % 16) % 16);
		r = pack_end(&p);
	}
	if (r < 0) {
		secret_clear(out);
		return r;
	}
	out->n = p.n;
	return 0;
}

/* --- reading --- */

/* A number of at most @max bytes. */
static struct bytes take_number(struct unpacker *u, size_t max)
{
	size_t n = unpack_be16(u);

	if (n > max)
		unpack_fail(u);
	return unpack_bytes(u, n);
}

/* [card dossier 2.6]: 80 and zeros up to the end of the block, or nothing if it ends here by itself. */
static void take_padding(struct unpacker *u)
{
	struct bytes rest = unpack_rest(u);

	if (rest.n == 0)
		return;
	if (rest.n > 16 || rest.p[0] != 0x80 || !bytes_are_zero(bytes_slice(rest, 1, rest.n - 1)))
		unpack_fail(u);
}

/* OpenSSL's numbers of one RSA computation, from secure memory. */
struct rsa_work {
	BN_CTX *ctx;
	BIGNUM *n, *e, *d, *p, *q, *a, *b, *c, *dp, *dq, *qinv;
};

static void rsa_work_deinit(struct rsa_work *w)
{
	if (w->ctx)
		BN_CTX_end(w->ctx);
	BN_CTX_free(w->ctx);
}

static int rsa_work_init(struct rsa_work *w)
{
	BIGNUM **const numbers[] = { &w->n, &w->e, &w->d, &w->p, &w->q, &w->a,
				     &w->b, &w->c, &w->dp, &w->dq, &w->qinv };

	w->ctx = BN_CTX_secure_new();
	if (!w->ctx)
		return -EIO;
	BN_CTX_start(w->ctx);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		*numbers[i] = BN_CTX_get(w->ctx);
		if (!*numbers[i])
			return -EIO;
	}
	return 0;
}

static int load_number(struct bytes from, BIGNUM *out)
{
	if (!BN_bin2bn(from.p, (int)from.n, out))
		return -EIO;
	BN_set_flags(out, BN_FLG_CONSTTIME);
	return 0;
}

/* d = e^-1 mod lcm(p - 1, q - 1) [FIPS 186-4 B.3.1] */
static int exponent_from_primes(struct rsa_work *w)
{
	if (!BN_copy(w->a, w->p) || !BN_sub_word(w->a, 1) || !BN_copy(w->b, w->q) ||
	    !BN_sub_word(w->b, 1))
		return -EIO;
	if (BN_is_zero(w->a) || BN_is_zero(w->b))
		return -EBADMSG;
	BN_set_flags(w->a, BN_FLG_CONSTTIME);
	BN_set_flags(w->b, BN_FLG_CONSTTIME);
	if (!BN_gcd(w->c, w->a, w->b, w->ctx) || !BN_div(w->a, NULL, w->a, w->c, w->ctx) ||
	    !BN_mul(w->c, w->a, w->b, w->ctx))
		return -EIO;
	BN_set_flags(w->c, BN_FLG_CONSTTIME);
	return BN_mod_inverse(w->d, w->e, w->c, w->ctx) ? 0 : -EBADMSG;
}

/*
 * One try at a factor with @base, whose power a is: a root of 1 other than 1 and -1 shares a factor
 * with n [SP 800-56B C.2]. Return: 1 found, in p; 0 not with this one; -EIO.
 */
static int try_base(struct rsa_work *w, BN_ULONG base, const BIGNUM *power, int halvings)
{
	if (!BN_set_word(w->a, base) || !BN_mod_exp(w->a, w->a, power, w->n, w->ctx) ||
	    !BN_copy(w->b, w->n) || !BN_sub_word(w->b, 1))
		return -EIO;
	for (int i = 0; i < halvings; i++) {
		if (BN_is_one(w->a) || BN_cmp(w->a, w->b) == 0)
			return 0;
		if (!BN_mod_sqr(w->q, w->a, w->n, w->ctx))
			return -EIO;
		if (BN_is_one(w->q))
			return BN_sub_word(w->a, 1) && BN_gcd(w->p, w->a, w->n, w->ctx) ? 1 : -EIO;
		if (!BN_copy(w->a, w->q))
			return -EIO;
	}
	return 0;
}

/* The primes of n, which d and e give away; the larger one is p, as in most keys. */
static int primes_from_exponent(struct rsa_work *w)
{
	static const BN_ULONG bases[] = { 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53 };
	int halvings = 0, r = 0;

	if (!BN_is_odd(w->n) || !BN_mul(w->c, w->d, w->e, w->ctx) || BN_is_zero(w->c) ||
	    !BN_sub_word(w->c, 1) || BN_is_zero(w->c) || BN_is_odd(w->c))
		return -EBADMSG;
	while (!BN_is_bit_set(w->c, halvings))
		halvings++;
	if (!BN_rshift(w->c, w->c, halvings))
		return -EIO;
	BN_set_flags(w->c, BN_FLG_CONSTTIME);
	for (size_t i = 0; r == 0 && i < sizeof(bases) / sizeof(bases[0]); i++)
		r = try_base(w, bases[i], w->c, halvings);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	BN_set_flags(w->p, BN_FLG_CONSTTIME);
	if (!BN_div(w->q, NULL, w->n, w->p, w->ctx))
		return -EIO;
	if (BN_cmp(w->p, w->q) < 0)
		BN_swap(w->p, w->q);
	return 0;
}

/* What the card computes with the Chinese remainder theorem. */
static int crt_from_primes(struct rsa_work *w)
{
	if (!BN_copy(w->a, w->p) || !BN_sub_word(w->a, 1) || !BN_copy(w->b, w->q) ||
	    !BN_sub_word(w->b, 1) || BN_is_zero(w->a) || BN_is_zero(w->b))
		return -EBADMSG;
	BN_set_flags(w->a, BN_FLG_CONSTTIME);
	BN_set_flags(w->b, BN_FLG_CONSTTIME);
	if (!BN_mod(w->dp, w->d, w->a, w->ctx) || !BN_mod(w->dq, w->d, w->b, w->ctx))
		return -EIO;
	return BN_mod_inverse(w->qinv, w->q, w->p, w->ctx) ? 0 : -EBADMSG;
}

/* Hands the numbers, all there now, to whoever proves them. */
static int rsa_prove(const struct rsa_work *w, unsigned int bits, EVP_PKEY **out)
{
	_cleanup_(secret_deinit) struct secret room = SECRET_INIT;
	const BIGNUM *const from[RSA_NUMBERS] = {
		[RSA_N] = w->n,	  [RSA_E] = w->e,   [RSA_D] = w->d,   [RSA_P] = w->p,
		[RSA_Q] = w->q,	  [RSA_DP] = w->dp, [RSA_DQ] = w->dq, [RSA_QINV] = w->qinv,
	};
	struct bytes numbers[RSA_NUMBERS];
	struct packer p;
	int r = secret_init(&room, RSA_NUMBERS * RSA_SIZE_MAX);

	if (r < 0)
		return r;
	p = pack_begin(room.p, room.cap);
	for (int i = 0; i < RSA_NUMBERS; i++) {
		size_t n = (size_t)BN_num_bytes(from[i]);
		uint8_t *at = pack_reserve(&p, n);

		if (!at || BN_bn2bin(from[i], at) != (int)n)
			return -EBADMSG;
		numbers[i] = BYTES(at, n);
	}
	return key_from_rsa(numbers, bits, out);
}

static int take_rsa_numbers(struct unpacker *u, enum dkek_type type, unsigned int bits,
			    struct rsa_work *w)
{
	BIGNUM *const crt[] = { w->dp, w->dq, w->p, w->qinv, w->q };
	int r = 0;

	for (size_t i = 0; type == DKEK_RSA_CRT && r == 0 && i < sizeof(crt) / sizeof(crt[0]); i++)
		r = load_number(take_number(u, bits / 16), crt[i]);
	if (type == DKEK_RSA)
		r = load_number(take_number(u, bits / 8), w->d);
	if (r == 0)
		r = load_number(take_number(u, bits / 8), w->n);
	if (r == 0)
		r = load_number(take_number(u, RSA_E_MAX), w->e);
	take_padding(u);
	return r < 0 ? r : unpack_end(u);
}

static int take_rsa(struct unpacker *u, enum dkek_type type, EVP_PKEY **out)
{
	_cleanup_(rsa_work_deinit) struct rsa_work w = { 0 };
	unsigned int bits = unpack_be16(u);
	int r;

	if (!rsa_bits_are_known(bits) || (type == DKEK_RSA_CRT && bits > DKEK_RSA_CRT_MAX))
		return -EBADMSG;
	r = rsa_work_init(&w);
	if (r == 0)
		r = take_rsa_numbers(u, type, bits, &w);
	if (r == 0 && type == DKEK_RSA_CRT)
		r = exponent_from_primes(&w);
	if (r == 0 && type == DKEK_RSA)
		r = primes_from_exponent(&w);
	if (r == 0 && type == DKEK_RSA)
		r = crt_from_primes(&w);
	return r < 0 ? r : rsa_prove(&w, bits, out);
}

/* The point must be that of the scalar: a card would sign with one and name the other. */
static int ec_prove(const struct curve *curve, struct bytes scalar, struct bytes point,
		    EVP_PKEY **out)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *pair = NULL;
	uint8_t buf[CURVE_POINT_MAX];
	struct packer own = pack_begin(buf, sizeof(buf));
	int r = key_from_scalar_on(scalar, curve->group, &pair);

	if (r == 0)
		r = curve_point(pair, &own);
	if (r < 0)
		return r;
	if (!bytes_equal(point, pack_done(&own)))
		return -EBADMSG;
	*out = take_ptr(pair);
	return 0;
}

static int take_ec(struct unpacker *u, EVP_PKEY **out)
{
	struct curve_claim claim = { 0 };
	unsigned int bits = unpack_be16(u);
	struct bytes scalar, point;
	struct curve curve;
	int r;

	claim.a = take_number(u, CURVE_SIZE_MAX);
	claim.b = take_number(u, CURVE_SIZE_MAX);
	claim.p = take_number(u, CURVE_SIZE_MAX);
	claim.n = take_number(u, CURVE_SIZE_MAX);
	claim.g = take_number(u, CURVE_POINT_MAX);
	scalar = take_number(u, CURVE_SIZE_MAX);
	point = take_number(u, CURVE_POINT_MAX);
	take_padding(u);
	if (unpack_end(u) < 0)
		return -EBADMSG;
	r = curve_from_claim(&claim, true, &curve);
	if (r < 0)
		return r == -EOPNOTSUPP ? -EBADMSG : r;
	if (bits != curve.bits || scalar.n == 0 || scalar.n > curve.size)
		return -EBADMSG;
	return ec_prove(&curve, scalar, point, out);
}

static int take_aes(struct unpacker *u, struct secret *out)
{
	size_t n = unpack_be16(u);
	struct bytes value = unpack_bytes(u, n);
	int r;

	take_padding(u);
	if (unpack_end(u) < 0 || !aes_size_is_known(value.n))
		return -EBADMSG;
	r = secret_init(out, value.n);
	return r < 0 ? r : secret_set(out, value);
}

int dkek_key_take(struct bytes plain, enum dkek_type type, struct dkek_key *out)
{
	struct unpacker u = unpack_begin(plain);
	struct dkek_key key = DKEK_KEY_INIT;
	int r = -EBADMSG;

	key.type = type;
	unpack_skip(&u, DKEK_RANDOM_SIZE);
	if (type == DKEK_RSA || type == DKEK_RSA_CRT) {
		ossl_begin();
		r = ossl_end(take_rsa(&u, type, &key.pair));
	} else if (type == DKEK_EC) {
		r = take_ec(&u, &key.pair);
	} else if (type == DKEK_AES) {
		r = take_aes(&u, &key.secret);
	}
	if (r == 0)
		*out = key;
	else
		dkek_key_deinit(&key);
	return r;
}
