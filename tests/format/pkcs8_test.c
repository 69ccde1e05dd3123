/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers in the names are those of the list of cases for BYOK. */
#include "format/pkcs8.h"
#include "format/der.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "tests/format/wrapping.h"
#include "tests/harness.h"
#include "tests/keys/keys.h"

#include <openssl/rand.h>
#include <openssl/rsa.h>

static int decode(struct bytes text, enum kf_key_type type)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;

	return pkcs8_decode(text, type, &key);
}

/* --- EC, built by hand --- */

static const uint8_t oid_rsa[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01 };
static const uint8_t oid_pss[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a };
static const uint8_t oid_ec[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01 };
static const uint8_t oid_p256[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
static const uint8_t oid_p256k[] = { 0x2b, 0x81, 0x04, 0x00, 0x0a };
static const uint8_t oid_brainpool[] = { 0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07 };

/**
 * struct made - a PrivateKeyInfo of P-256; what is not set is as it should be
 * @params_inside, @point: parts of ECPrivateKey, or nothing
 */
struct made {
	uint64_t version, ec_version;
	struct bytes algorithm, curve, scalar, params_inside, point, attributes, behind_inside;
	uint8_t unused_bits;
};

static const uint8_t scalar_one[32] = { [31] = 1 };

#define MADE ((struct made){ 0, 1, BYTES_OF(oid_ec), BYTES_OF(oid_p256), BYTES_OF(scalar_one), \
			     BYTES_NONE, BYTES_NONE, BYTES_NONE, BYTES_NONE, 0 })

static void put_inside(struct packer *p, const struct made *m)
{
	struct der_mark key = der_begin(p, DER_SEQUENCE);

	der_put_uint(p, DER_INTEGER, m->ec_version);
	der_put(p, DER_OCTETS, m->scalar);
	if (m->params_inside.n != 0) {
		struct der_mark params = der_begin(p, 0xa0);

		der_put(p, 0x06, m->params_inside);
		der_end(p, params);
	}
	if (m->point.n != 0) {
		struct der_mark outer = der_begin(p, 0xa1), bits = der_begin(p, 0x03);

		pack_u8(p, m->unused_bits);
		pack_bytes(p, m->point);
		der_end(p, bits);
		der_end(p, outer);
	}
	pack_bytes(p, m->behind_inside);
	der_end(p, key);
}

static struct bytes make(const struct made *m, uint8_t buf[static 512])
{
	struct packer p = pack_begin(buf, 512);
	struct der_mark whole = der_begin(&p, DER_SEQUENCE), mark;

	der_put_uint(&p, DER_INTEGER, m->version);
	mark = der_begin(&p, DER_SEQUENCE);
	der_put(&p, 0x06, m->algorithm);
	der_put(&p, 0x06, m->curve);
	der_end(&p, mark);
	mark = der_begin(&p, DER_OCTETS);
	put_inside(&p, m);
	der_end(&p, mark);
	pack_bytes(&p, m->attributes);
	der_end(&p, whole);
	return pack_done(&p);
}

static void want(int wanted, const char *what, const struct made *m)
{
	uint8_t buf[512];
	int r = decode(make(m, buf), KF_KEY_EC_P256);

	if (r != wanted)
		TEST_FAIL("%s: %d, not %d", what, r, wanted);
}

/* G, the point of the scalar 1, and something that is not. */
static void point_of_one(uint8_t out[static 65])
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	size_t n;

	ASSERT_EQ(0, key_from_scalar(BYTES_OF(scalar_one), KF_KEY_EC_P256, &key));
	ASSERT_EQ(1, EVP_PKEY_get_octet_string_param(key, "pub", out, 65, &n));
}

TEST(c38_c41_an_ec_key_in_each_form_there_is)
{
	uint8_t point[65], compressed[33], other[65];
	static const uint8_t attributes[] = { 0xa0, 0x02, 0x05, 0x00 };
	struct made m = MADE;

	point_of_one(point);
	want(0, "bare, as PKCS#11 has it", &m);
	m.params_inside = BYTES_OF(oid_p256);
	want(0, "parameters inside", &m);
	m.point = BYTES_OF(point);
	want(0, "and the point", &m);
	m.attributes = BYTES_OF(attributes);
	want(0, "and attributes", &m);
	memcpy(compressed, point, 33);
	compressed[0] = (uint8_t)(0x02 | (point[64] & 1));
	m.point = BYTES_OF(compressed);
	want(0, "compressed", &m);
	compressed[0] ^= 1;
	want(-EBADMSG, "the other root", &m);
	memcpy(other, point, sizeof(other));
	other[40] ^= 1;
	m.point = BYTES_OF(other);
	want(-EBADMSG, "a point of another scalar, off the curve even", &m);
	m.point = BYTES(point, 64);
	want(-EBADMSG, "half a point", &m);
	m.point = BYTES_OF(point);
	m.unused_bits = 1;
	want(-EBADMSG, "unused bits", &m);
}

TEST(c41_a_scalar_is_as_long_as_the_order_and_less)
{
	static const uint8_t zero[33], order[] = {
		0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51 };
	uint8_t long_one[33] = { 0 }, last[32];
	struct made m = MADE;

	m.scalar = BYTES(zero, 32);
	want(-EBADMSG, "zero", &m);
	m.scalar = BYTES_OF(order);
	want(-EBADMSG, "the order", &m);
	memcpy(last, order, sizeof(last));
	last[31]--;
	m.scalar = BYTES_OF(last);
	want(0, "the order less one", &m);
	m.scalar = BYTES(scalar_one + 1, 31);
	want(-EBADMSG, "31 bytes", &m);
	long_one[32] = 1;
	m.scalar = BYTES_OF(long_one);
	want(-EBADMSG, "33 bytes", &m);
}

TEST(c39_c42_what_the_text_says_of_itself_has_to_fit)
{
	static const uint8_t junk[] = { 0x05, 0x00 };
	struct made m = MADE;

	m.version = 1;
	want(-EBADMSG, "PKCS#8 version 1", &m);
	m = MADE;
	m.version = 2;
	want(-EBADMSG, "PKCS#8 version 2", &m);
	m = MADE;
	m.ec_version = 0;
	want(-EBADMSG, "EC version 0", &m);
	m = MADE;
	m.curve = BYTES_OF(oid_p256k);
	want(-EBADMSG, "P-256K", &m);
	m.curve = BYTES_OF(oid_brainpool);
	want(-EBADMSG, "brainpool", &m);
	m = MADE;
	m.params_inside = BYTES_OF(oid_p256k);
	want(-EBADMSG, "another curve inside", &m);
	m = MADE;
	m.algorithm = BYTES_OF(oid_rsa);
	want(-EBADMSG, "called RSA", &m);
	m = MADE;
	m.behind_inside = BYTES_OF(junk);
	want(-EBADMSG, "junk inside", &m);
	m = MADE;
	m.attributes = BYTES_OF(junk);
	want(-EBADMSG, "junk behind", &m);
}

TEST(every_curve_has_its_own_name)
{
	static const enum kf_key_type types[] = { KF_KEY_EC_P256, KF_KEY_EC_P384, KF_KEY_EC_P521, KF_KEY_EC_P256K };

	for (size_t i = 0; i < 4; i++) {
		_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
		uint8_t buf[WRAPPING_MAX];
		size_t n;

		ASSERT_EQ(0, key_generate(types[i], &key));
		n = wrapping_pkcs8(key, buf);
		for (size_t j = 0; j < 4; j++)
			EXPECT_EQ(i == j ? 0 : -EBADMSG, decode(BYTES(buf, n), types[j]));
		EXPECT_EQ(-EBADMSG, decode(BYTES(buf, n), KF_KEY_RSA_2048));
		EXPECT_EQ(-EBADMSG, decode(BYTES(buf, n), KF_KEY_AES_256));
	}
}

/* --- RSA --- */

FIXTURE(rsa)
{
	EVP_PKEY *key;
	uint8_t text[WRAPPING_MAX];
	size_t n;
};

FIXTURE_SETUP(rsa)
{
	ASSERT_EQ(0, some_key(KF_KEY_RSA_2048, &self->key));
	self->n = wrapping_pkcs8(self->key, self->text);
}

FIXTURE_TEARDOWN(rsa)
{
	EVP_PKEY_free(self->key);
}

TEST_F(rsa, c38_up_to_7_zero_bytes_may_follow)
{
	for (size_t zeros = 0; zeros <= 9; zeros++) {
		memset(self->text + self->n, 0, zeros);
		EXPECT_EQ(zeros <= 7 ? 0 : -EBADMSG, decode(BYTES(self->text, self->n + zeros), KF_KEY_RSA_2048));
	}
	for (size_t at = 0; at < 7; at++) {
		memset(self->text + self->n, 0, 7);
		self->text[self->n + at] = 0x80;
		EXPECT_EQ(-EBADMSG, decode(BYTES(self->text, self->n + 7), KF_KEY_RSA_2048));
	}
}

TEST_F(rsa, c38_other_texts_are_refused)
{
	uint8_t two[2 * WRAPPING_MAX], *der = NULL;
	int n = i2d_PrivateKey(self->key, &der);

	EXPECT_EQ(-EBADMSG, decode(BYTES(der, (size_t)n), KF_KEY_RSA_2048));	/* PKCS#1 */
	OPENSSL_free(der);
	memcpy(two, self->text, self->n);
	memcpy(two + self->n, self->text, self->n);
	EXPECT_EQ(-EBADMSG, decode(BYTES(two, 2 * self->n), KF_KEY_RSA_2048));
	EXPECT_EQ(-EBADMSG, decode(BYTES("-----BEGIN PRIVATE KEY-----\n", 28), KF_KEY_RSA_2048));
	EXPECT_EQ(-EBADMSG, decode(BYTES_NONE, KF_KEY_RSA_2048));
	EXPECT_EQ(-EBADMSG, decode(BYTES(self->text, self->n), KF_KEY_RSA_4096));
	for (size_t cut = 0; cut < self->n; cut += 1 + cut / 7)
		EXPECT_EQ(-EBADMSG, decode(BYTES(self->text, cut), KF_KEY_RSA_2048));
}

/* Replaces the one place where @from stands by @to of the same length. */
static struct bytes replaced(struct fixture_rsa *self, struct bytes from, struct bytes to, uint8_t *buf)
{
	uint8_t *found;

	memcpy(buf, self->text, self->n);
	found = memmem(buf, self->n, from.p, from.n);
	ASSERT_NOT_NULL(found);
	memcpy(found, to.p, to.n);
	return BYTES(buf, self->n);
}

TEST_F(rsa, c42_an_algorithm_other_than_rsa_with_null_is_refused)
{
	static const uint8_t null[] = { 0x01, 0x01, 0x05, 0x00 }, not_null[] = { 0x01, 0x01, 0x04, 0x00 };
	uint8_t buf[WRAPPING_MAX];

	EXPECT_EQ(-EBADMSG, decode(replaced(self, BYTES_OF(oid_rsa), BYTES_OF(oid_pss), buf), KF_KEY_RSA_2048));
	EXPECT_EQ(-EBADMSG, decode(replaced(self, BYTES_OF(null), BYTES_OF(not_null), buf), KF_KEY_RSA_2048));
	/* without the NULL: two bytes less in three lengths */
	memmove(buf + 20, self->text + 22, self->n - 22);
	memcpy(buf, self->text, 20);
	ASSERT_EQ(0x30, buf[7]);
	buf[8] -= 2;
	buf[3] = (uint8_t)(buf[3] - 2);
	EXPECT_EQ(-EBADMSG, decode(BYTES(buf, self->n - 2), KF_KEY_RSA_2048));
}

TEST_F(rsa, c42_a_length_has_one_form)
{
	uint8_t buf[WRAPPING_MAX];

	memcpy(buf, self->text, 1);
	buf[1] = 0x83;			/* 3 bytes of length where 2 do */
	buf[2] = 0;
	memcpy(buf + 3, self->text + 2, self->n - 2);
	EXPECT_EQ(-EBADMSG, decode(BYTES(buf, self->n + 1), KF_KEY_RSA_2048));
	memcpy(buf, self->text, self->n);
	buf[1] = 0x80;			/* indefinite */
	EXPECT_EQ(-EBADMSG, decode(BYTES(buf, self->n), KF_KEY_RSA_2048));
	buf[1] = 0x84;			/* 2^32 - 1 */
	memset(buf + 2, 0xff, 4);
	EXPECT_EQ(-EBADMSG, decode(BYTES(buf, self->n), KF_KEY_RSA_2048));
}

/* One bit of each number: n, e, d, p, q, dp, dq, qinv; keys_test.c has the rest. */
TEST_F_TIMEOUT(rsa, c40_numbers_that_do_not_belong_together_are_refused, 60)
{
	for (size_t at = 26; at < self->n; at += 61) {
		uint8_t buf[WRAPPING_MAX];

		memcpy(buf, self->text, self->n);
		buf[at] ^= 4;
		if (decode(BYTES(buf, self->n), KF_KEY_RSA_2048) != -EBADMSG)
			TEST_FAIL("byte %zu changed, it passes", at);
	}
}
