/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/der.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "tests/harness.h"
#include "tests/keys/keys.h"

#include <openssl/core_names.h>
#include <openssl/pem.h>

FIXTURE(pair)
{
	EVP_PKEY *key;
	struct secret plain;
};

FIXTURE_VARIANT(pair)
{
	enum kf_key_type type;
};

FIXTURE_VARIANT_ADD(pair, rsa2048) { .type = KF_KEY_RSA_2048 };
FIXTURE_VARIANT_ADD(pair, p256) { .type = KF_KEY_EC_P256 };
FIXTURE_VARIANT_ADD(pair, p384) { .type = KF_KEY_EC_P384 };
FIXTURE_VARIANT_ADD(pair, p521) { .type = KF_KEY_EC_P521 };
FIXTURE_VARIANT_ADD(pair, p256k) { .type = KF_KEY_EC_P256K };

FIXTURE_SETUP(pair)
{
	self->plain = SECRET_INIT;
	ASSERT_EQ(0, some_key(variant->type, &self->key));
	ASSERT_EQ(0, secret_init(&self->plain, KEY_PLAIN_MAX));
	ASSERT_EQ(0, key_plain_encode(self->key, &self->plain));
}

FIXTURE_TEARDOWN(pair)
{
	EVP_PKEY_free(self->key);
	secret_deinit(&self->plain);
}

TEST_F(pair, the_plaintext_gives_the_same_pair_back)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *again = NULL;

	ASSERT_EQ(0, key_plain_decode(secret_bytes(&self->plain), variant->type, &again));
	EXPECT_EQ(1, EVP_PKEY_eq(self->key, again));
}

TEST_F_WHERE(pair, openssl_reads_the_plaintext, key_type_is_rsa(variant->type))
{
	const uint8_t *at = self->plain.p;
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *again = NULL;

	again = d2i_PrivateKey(EVP_PKEY_RSA, NULL, &at, (long)self->plain.n);
	ASSERT_TRUE(again != NULL);
	EXPECT_EQ(1, EVP_PKEY_eq(self->key, again));
}

TEST_F(pair, another_type_is_refused)
{
	for (int type = 0; type < 16; type++) {
		EVP_PKEY *again = NULL;

		if (type == (int)variant->type)
			continue;
		EXPECT_EQ(-EBADMSG, key_plain_decode(secret_bytes(&self->plain),
						     (enum kf_key_type)type, &again));
	}
}

TEST_F(pair, no_byte_can_change)
{
	size_t step = key_type_is_rsa(variant->type) ? 13 : 1;	/* every byte costs primality tests */

	for (size_t i = 0; i < self->plain.n; i += step) {
		EVP_PKEY *again = NULL;

		self->plain.p[i] ^= 0x01;
		EXPECT_EQ(-EBADMSG,
			  key_plain_decode(secret_bytes(&self->plain), variant->type, &again));
		self->plain.p[i] ^= 0x01;
	}
}

TEST_F(pair, no_truncation_is_read)
{
	for (size_t n = 0; n < self->plain.n; n++) {
		EVP_PKEY *again = NULL;

		EXPECT_EQ(-EBADMSG,
			  key_plain_decode(BYTES(self->plain.p, n), variant->type, &again));
	}
}

TEST_F(pair, spki_has_one_form)
{
	uint8_t buf[SPKI_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *again = NULL;
	enum kf_key_type type;

	ASSERT_EQ(0, key_spki(self->key, &p));
	ASSERT_EQ(0, spki_parse(pack_done(&p), &again, &type));
	EXPECT_EQ(variant->type, type);
	EXPECT_EQ(1, EVP_PKEY_eq(self->key, again));
	for (size_t n = 0; n < p.n; n++) {
		EVP_PKEY *cut = NULL;

		EXPECT_EQ(-EBADMSG, spki_parse(BYTES(buf, n), &cut, &type));
	}
	buf[p.n] = 0;
	EXPECT_EQ(-EBADMSG, spki_parse(BYTES(buf, p.n + 1), &again, &type));
}

/* DER of the key's public half after one of OpenSSL's own parameters was set to @value. */
static struct bytes spki_as(EVP_PKEY *key, const char *param, const char *value,
			    uint8_t buf[static 1024])
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *copy = EVP_PKEY_dup(key);
	uint8_t *at = buf;
	int n;

	ASSERT_EQ(1, EVP_PKEY_set_utf8_string_param(copy, param, value));
	n = i2d_PUBKEY(copy, NULL);
	ASSERT_LT(0, n);
	ASSERT_LE(n, 1024);
	ASSERT_EQ(n, i2d_PUBKEY(copy, &at));
	return BYTES(buf, (size_t)n);
}

/* [formats 3]: named curve, uncompressed point. OpenSSL keeps the other forms, and writes them. */
TEST_F_WHERE(pair, an_ec_spki_of_another_form_is_refused, key_type_is_ec(variant->type))
{
	static const char *const rows[][2] = {
		{ OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "compressed" },
		{ OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "hybrid" },
		{ OSSL_PKEY_PARAM_EC_ENCODING, "explicit" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(EVP_PKEY_freep) EVP_PKEY *again = NULL;
		enum kf_key_type type;
		uint8_t buf[1024];
		struct bytes der = spki_as(self->key, rows[i][0], rows[i][1], buf);

		EXPECT_EQ(-EBADMSG, spki_parse(der, &again, &type));
	}
}

/* [card-application 1.2]: with exponent 1 what is wrapped under the key would lie open. */
TEST_F_WHERE(pair, an_rsa_exponent_out_of_range_is_refused, variant->type == KF_KEY_RSA_2048)
{
	static const struct {
		uint64_t e;
		int r;
	} rows[] = {
		{ 65537, 0 }, { UINT64_MAX, 0 }, { 1, -EBADMSG }, { 3, -EBADMSG },
		{ 65535, -EBADMSG }, { 65538, -EBADMSG },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(EVP_PKEY_freep) EVP_PKEY *again = NULL;
		uint8_t n[256], buf[SPKI_MAX];
		struct packer p = pack_begin(buf, sizeof(buf));
		struct der_mark spki, bits, key;
		_cleanup_(BN_clear_freep) BIGNUM *bn = NULL;
		enum kf_key_type type;

		ASSERT_EQ(1, EVP_PKEY_get_bn_param(self->key, OSSL_PKEY_PARAM_RSA_N, &bn));
		ASSERT_EQ(256, BN_bn2bin(bn, n));
		spki = der_begin(&p, DER_SEQUENCE);
		/* rsaEncryption, NULL */
		pack_bytes(&p, BYTES("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\0", 15));
		bits = der_begin(&p, 0x03);
		pack_u8(&p, 0);
		key = der_begin(&p, DER_SEQUENCE);
		der_put_big(&p, BYTES_OF(n));
		der_put_uint(&p, DER_INTEGER, rows[i].e);
		der_end(&p, key);
		der_end(&p, bits);
		der_end(&p, spki);
		EXPECT_EQ(rows[i].r, spki_parse(pack_done(&p), &again, &type));
	}
}

/* One number of an RSA key replaced by @value: the others are as they were. */
static int decode_with(EVP_PKEY *key, int which, const BIGNUM *value)
{
	static const char *const names[] = {
		OSSL_PKEY_PARAM_RSA_N,	       OSSL_PKEY_PARAM_RSA_E,
		OSSL_PKEY_PARAM_RSA_D,	       OSSL_PKEY_PARAM_RSA_FACTOR1,
		OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
		OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
	};
	uint8_t buf[KEY_PLAIN_MAX], number[512];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct der_mark mark = der_begin(&p, DER_SEQUENCE);
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *again = NULL;

	der_put_uint(&p, DER_INTEGER, 0);
	for (int i = 0; i < 8; i++) {
		_cleanup_(BN_clear_freep) BIGNUM *bn = NULL;
		const BIGNUM *used = value;

		if (i != which) {
			ASSERT_EQ(1, EVP_PKEY_get_bn_param(key, names[i], &bn));
			used = bn;
		}
		der_put_big(&p, BYTES(number, (size_t)BN_bn2bin(used, number)));
	}
	der_end(&p, mark);
	return key_plain_decode(pack_done(&p), KF_KEY_RSA_2048, &again);
}

TEST_F_WHERE(pair, every_rsa_number_is_checked_against_the_others, variant->type == KF_KEY_RSA_2048)
{
	EXPECT_EQ(0, decode_with(self->key, -1, NULL));
	for (int which = 0; which < 8; which++) {
		_cleanup_(BN_clear_freep) BIGNUM *other = BN_new();

		/* A number of a plausible size that is not the right one. */
		ASSERT_EQ(1, BN_rand(other, which == 1 ? 17 : which < 3 ? 2048 : 1024,
				     BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD));
		if (which == 1)
			ASSERT_EQ(1, BN_add_word(other, 2));
		EXPECT_EQ(-EBADMSG, decode_with(self->key, which, other));
	}
}

/* The eight numbers of RFC 8017 A.1.2 out of @p and @q, which agree with each other; d grows by
 * @more times (p-1)(q-1). */
static int decode_made_of(const BIGNUM *p, const BIGNUM *q, unsigned int more)
{
	_cleanup_(BN_CTX_freep) BN_CTX *ctx = BN_CTX_new();
	BIGNUM *v[8], *p1 = BN_dup(p), *q1 = BN_dup(q), *phi = BN_new();
	uint8_t buf[KEY_PLAIN_MAX], number[512];
	struct packer packer = pack_begin(buf, sizeof(buf));
	struct der_mark mark = der_begin(&packer, DER_SEQUENCE);
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *out = NULL;

	for (int i = 0; i < 8; i++)
		v[i] = BN_new();
	BN_sub_word(p1, 1);
	BN_sub_word(q1, 1);
	BN_mul(phi, p1, q1, ctx);
	BN_mul(v[0], p, q, ctx);
	BN_set_word(v[1], 65537);
	ASSERT_NOT_NULL(BN_mod_inverse(v[2], v[1], phi, ctx));
	BN_copy(v[3], p);
	BN_copy(v[4], q);
	BN_mod(v[5], v[2], p1, ctx);
	BN_mod(v[6], v[2], q1, ctx);
	if (!BN_mod_inverse(v[7], q, p, ctx))	/* p = q: there is none */
		BN_one(v[7]);
	BN_mul_word(phi, more);
	BN_add(v[2], v[2], phi);
	der_put_uint(&packer, DER_INTEGER, 0);
	for (int i = 0; i < 8; i++) {
		der_put_big(&packer, BYTES(number, (size_t)BN_bn2bin(v[i], number)));
		BN_free(v[i]);
	}
	der_end(&packer, mark);
	BN_free(p1);
	BN_free(q1);
	BN_free(phi);
	return key_plain_decode(pack_done(&packer), KF_KEY_RSA_2048, &out);
}

/* Odd, @bits long with both top bits set, @prime or certainly not, and p-1 coprime to 65537. */
static BIGNUM *factor(int bits, bool prime)
{
	_cleanup_(BN_CTX_freep) BN_CTX *ctx = BN_CTX_new();
	BIGNUM *n = BN_new();

	do {
		if (prime)
			ASSERT_EQ(1, BN_generate_prime_ex(n, bits, 0, NULL, NULL, NULL));
		else
			ASSERT_EQ(1, BN_rand(n, bits, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ODD));
	} while (BN_check_prime(n, ctx, NULL) != (int)prime || BN_mod_word(n, 65537) == 1);
	return n;
}

/* [card-application 5.4 step 6]: each agrees with itself in all eight numbers. */
TEST_TIMEOUT(numbers_that_agree_but_are_no_rsa_key_are_refused, 60)
{
	BIGNUM *p = factor(1024, true), *q = factor(1024, true), *composite = factor(1024, false);
	BIGNUM *longer = factor(1025, true), *shorter = factor(1023, true);

	EXPECT_EQ(0, decode_made_of(p, q, 0));
	EXPECT_EQ(0, decode_made_of(q, p, 0));
	EXPECT_EQ(-EBADMSG, decode_made_of(composite, q, 0));
	EXPECT_EQ(-EBADMSG, decode_made_of(p, composite, 0));
	EXPECT_EQ(-EBADMSG, decode_made_of(p, p, 0));
	EXPECT_EQ(-EBADMSG, decode_made_of(p, q, 2));		/* d beyond n */
	EXPECT_EQ(-EBADMSG, decode_made_of(longer, shorter, 0));
	BN_free(p);
	BN_free(q);
	BN_free(composite);
	BN_free(longer);
	BN_free(shorter);
}

TEST(an_ec_scalar_out_of_range_is_refused)
{
	/* [SEC 2 2.4.2]: the order of P-256; zero and the order itself are no private keys. */
	static const uint8_t order[32] = { 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
					   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					   0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
					   0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51 };
	static const uint8_t zero[32] = { 0 };
	const uint8_t *scalars[] = { zero, order };

	for (size_t i = 0; i < 2; i++) {
		uint8_t buf[256], point[65] = { 4 };
		struct packer p = pack_begin(buf, sizeof(buf));
		struct der_mark mark = der_begin(&p, DER_SEQUENCE), outer, bits;
		EVP_PKEY *key = NULL;

		der_put_uint(&p, DER_INTEGER, 1);
		der_put(&p, DER_OCTETS, BYTES(scalars[i], 32));
		outer = der_begin(&p, 0xa1);
		bits = der_begin(&p, 0x03);
		pack_u8(&p, 0);
		pack_bytes(&p, BYTES_OF(point));
		der_end(&p, bits);
		der_end(&p, outer);
		der_end(&p, mark);
		EXPECT_EQ(-EBADMSG, key_plain_decode(pack_done(&p), KF_KEY_EC_P256, &key));
	}
}

TEST(a_new_key_is_of_its_type_and_comes_back)
{
	static const enum kf_key_type types[] = {
		KF_KEY_RSA_2048, KF_KEY_EC_P256, KF_KEY_EC_P384, KF_KEY_EC_P521, KF_KEY_EC_P256K,
	};
	_cleanup_(secret_deinit) struct secret plain = SECRET_INIT;

	ASSERT_EQ(0, secret_init(&plain, KEY_PLAIN_MAX));
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL, *again = NULL;
		enum kf_key_type type;

		secret_clear(&plain);
		ASSERT_EQ(0, key_generate(types[i], &key));
		ASSERT_EQ(0, key_type_of(key, &type));
		EXPECT_EQ(types[i], type);
		ASSERT_EQ(0, key_plain_encode(key, &plain));
		ASSERT_EQ(0, key_plain_decode(secret_bytes(&plain), type, &again));
		EXPECT_EQ(1, EVP_PKEY_eq(key, again));
	}
}

TEST(keys_of_other_kinds_have_no_type)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *small =
		EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *pool = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "brainpoolP256r1");
	enum kf_key_type type;

	EXPECT_EQ(-EOPNOTSUPP, key_type_of(ed, &type));
	EXPECT_EQ(-EOPNOTSUPP, key_type_of(small, &type));
	EXPECT_EQ(-EOPNOTSUPP, key_type_of(pool, &type));
}
