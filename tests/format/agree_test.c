/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces: format/kdf.c
 *
 * The known answers were computed by another implementation (python3-cryptography) from
 * docs/card-application.md 6.1: private halves 01..01 and 02..02, H 00 to 1F.
 */
#include "format/agree.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "tests/harness.h"

static unsigned int derivations;

/* NOLINTNEXTLINE(bugprone-reserved-identifier) */
int __real_EVP_PKEY_derive(EVP_PKEY_CTX *ctx, unsigned char *key, size_t *n);
/* NOLINTNEXTLINE(bugprone-reserved-identifier) */
int __wrap_EVP_PKEY_derive(EVP_PKEY_CTX *ctx, unsigned char *key, size_t *n);

/* NOLINTNEXTLINE(bugprone-reserved-identifier) */
int __wrap_EVP_PKEY_derive(EVP_PKEY_CTX *ctx, unsigned char *key, size_t *n)
{
	derivations++;
	return __real_EVP_PKEY_derive(ctx, key, n);
}

FIXTURE(agree)
{
	EVP_PKEY *ephemeral, *fixed;
	uint8_t points[2][AGREE_POINT_MAX], h[KF_DIGEST_SIZE];
	struct agree_facts facts;
	struct secret s1[2];
	struct agreed server, card;
};

FIXTURE_VARIANT(agree)
{
	enum kf_key_type type;
	const char *s1, *host, *card;
};

FIXTURE_VARIANT_ADD(agree, p256) {
	KF_KEY_EC_P256, "c3aec62f3322e9882b42e3738fc3927e034bc947afa98011515c2a07f471e90e",
	"68f0b5fc8d198f323b1016c84efb9720", "b282d7eadc04270b6dbe0f63fe0e02fb",
};
FIXTURE_VARIANT_ADD(agree, p384) {
	KF_KEY_EC_P384, "c0c38ed818d46f4160f4f88fcd2ebbecbb6ed06b521c3d3d8f3b848e703775bf",
	"024ad33f722a03300427be6c0f079ef2", "c84e70a4ae22b7442e45d399348b785e",
};
FIXTURE_VARIANT_ADD(agree, x25519) {
	KF_KEY_X25519, "4ce57356ab7576c0d2892fc377a63ce06049381e7513564a32c5c196a23cabdb",
	"6ac062c73c7533deb13d30616681c8a1", "7784c5d1e9ab9e38518b842d20dc8004",
};

static EVP_PKEY *key_of(enum kf_key_type type, uint8_t byte)
{
	EVP_PKEY *key = NULL;
	uint8_t raw[32];

	memset(raw, byte, sizeof(raw));
	if (type == KF_KEY_X25519)
		ASSERT_EQ(0, key_plain_decode(BYTES_OF(raw), type, &key));
	else
		ASSERT_EQ(0, key_from_scalar(BYTES_OF(raw), type, &key));
	return key;
}

FIXTURE_SETUP(agree)
{
	struct packer e = pack_begin(self->points[0], AGREE_POINT_MAX);
	struct packer f = pack_begin(self->points[1], AGREE_POINT_MAX);

	self->ephemeral = key_of(variant->type, 1);
	self->fixed = key_of(variant->type, 2);
	ASSERT_EQ(0, agree_point(self->ephemeral, &e));
	ASSERT_EQ(0, agree_point(self->fixed, &f));
	for (uint8_t i = 0; i < KF_DIGEST_SIZE; i++)
		self->h[i] = i;
	self->facts = (struct agree_facts){ variant->type, pack_done(&e), pack_done(&f), self->h };
	self->s1[0] = self->s1[1] = SECRET_INIT;
	ASSERT_EQ(0, secret_init(&self->s1[0], KF_S1_SIZE));
	ASSERT_EQ(0, secret_init(&self->s1[1], KF_S1_SIZE));
	self->server = (struct agreed){ .s1 = &self->s1[0] };
	self->card = (struct agreed){ .s1 = &self->s1[1] };
}

FIXTURE_TEARDOWN(agree)
{
	EVP_PKEY_free(self->ephemeral);
	EVP_PKEY_free(self->fixed);
	secret_deinit(&self->s1[0]);
	secret_deinit(&self->s1[1]);
}

static void expect_hex(const char *want, struct bytes got)
{
	char text[2 * 64 + 1];

	ASSERT_LE(got.n, 64u);
	for (size_t i = 0; i < got.n; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", got.p[i]);
	EXPECT_STREQ(want, text);
}

TEST_F(agree, both_sides_end_with_what_the_page_says)
{
	ASSERT_EQ(0, agree_ephemeral(self->ephemeral, &self->facts, &self->server));
	ASSERT_EQ(0, agree_static(self->fixed, &self->facts, &self->card));
	expect_hex(variant->s1, secret_bytes(&self->s1[0]));
	expect_hex(variant->s1, secret_bytes(&self->s1[1]));
	expect_hex(variant->host, BYTES_OF(self->server.host));
	expect_hex(variant->host, BYTES_OF(self->card.host));
	expect_hex(variant->card, BYTES_OF(self->server.card));
	expect_hex(variant->card, BYTES_OF(self->card.card));
}

/* Z alone is the same in each case: it is the facts that differ. */
TEST_F(agree, each_fact_is_bound)
{
	_cleanup_(secret_deinit) struct secret other = SECRET_INIT;
	struct agreed agreed = { .s1 = &other };
	uint8_t changed[AGREE_POINT_MAX] = { 0 };

	ASSERT_EQ(0, secret_init(&other, KF_S1_SIZE));
	ASSERT_EQ(0, agree_ephemeral(self->ephemeral, &self->facts, &self->server));
	for (int i = 0; i < 2; i++) {
		struct agree_facts facts = self->facts;
		struct packer p = pack_begin(changed, sizeof(changed));

		if (i == 0) {			/* the point the server says it has */
			pack_bytes(&p, facts.ephemeral);
			changed[5] ^= 1;
			facts.ephemeral = pack_done(&p);
		} else {
			self->h[31] ^= 1;
		}
		ASSERT_EQ(0, agree_ephemeral(self->ephemeral, &facts, &agreed));
		EXPECT_FALSE(secret_equal(&self->s1[0], &other));
		EXPECT_MEMNE(self->server.host, agreed.host, CONFIRMATION_SIZE);
		EXPECT_MEMNE(self->server.card, agreed.card, CONFIRMATION_SIZE);
	}
}

static void each_bad_point(struct fixture_agree *self, int i, uint8_t *point, size_t *n)
{
	/* RFC 7748 6.1: of small order; and p + 1, which is 1 in another form. */
	static const uint8_t order8[32] = {
		0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
		0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
	};
	bool x = self->facts.type == KF_KEY_X25519;

	*n = self->facts.fixed.n;
	memcpy(point, self->facts.fixed.p, *n);
	switch (i) {
	case 0: memset(point, 0, *n); break;
	case 1: x ? (void)memcpy(point, order8, 32) : (void)(point[*n - 1] ^= 1); break;
	case 2: x ? (void)(memset(point, 0, 32), point[0] = 1) : (void)(point[0] = 0x06); break;
	case 3: x ? (void)(memset(point, 0xff, 32), point[0] = 0xee, point[31] = 0x7f)
		  : (void)memset(point + 1, 0xff, *n - 1); break;
	case 4: (*n)--; break;
	case 5: point[0] = 0x00; *n = 1; break;
	case 6: point[0] = 0x02; *n = x ? 1 : 1 + (*n - 1) / 2; break;
	}
}

TEST_F(agree, what_is_no_point_is_refused_by_the_server)
{
	uint8_t point[AGREE_POINT_MAX] = { 0 };

	for (int i = 0; i < 7; i++) {
		each_bad_point(self, i, point, &self->facts.fixed.n);
		self->facts.fixed.p = point;
		if (agree_ephemeral(self->ephemeral, &self->facts, &self->server) != -EBADMSG)
			TEST_FAIL("point %d is taken", i);
		self->facts.fixed = BYTES(self->points[1], agree_point_size(variant->type));
	}
}

TEST_F(agree, what_is_no_point_gives_the_card_a_random_secret)
{
	_cleanup_(secret_deinit) struct secret again = SECRET_INIT;
	struct agreed second = { .s1 = &again };
	uint8_t point[AGREE_POINT_MAX] = { 0 };

	ASSERT_EQ(0, secret_init(&again, KF_S1_SIZE));
	for (int i = 0; i < 7; i++) {
		size_t n;

		each_bad_point(self, i, point, &n);
		self->facts.ephemeral = BYTES(point, n);
		ASSERT_EQ(0, agree_static(self->fixed, &self->facts, &self->card));
		ASSERT_EQ(0, agree_static(self->fixed, &self->facts, &second));
		EXPECT_FALSE(secret_equal(&self->s1[1], &again));
		EXPECT_MEMNE(self->card.host, second.host, CONFIRMATION_SIZE);
	}
}

/* What the answer does not tell, the clock should not either. */
TEST_F(agree, what_is_no_point_of_the_right_length_costs_the_card_a_derivation)
{
	uint8_t point[AGREE_POINT_MAX] = { 0 };

	derivations = 0;
	ASSERT_EQ(0, agree_static(self->fixed, &self->facts, &self->card));
	EXPECT_EQ(1u, derivations);
	for (int i = 0; i < 4; i++) {
		each_bad_point(self, i, point, &self->facts.ephemeral.n);
		self->facts.ephemeral.p = point;
		derivations = 0;
		ASSERT_EQ(0, agree_static(self->fixed, &self->facts, &self->card));
		if (derivations != 1)
			TEST_FAIL("point %d: %u derivations", i, derivations);
	}
}

TEST(lengths_are_those_of_the_page)
{
	EXPECT_EQ(65u, agree_point_size(KF_KEY_EC_P256));
	EXPECT_EQ(97u, agree_point_size(KF_KEY_EC_P384));
	EXPECT_EQ(32u, agree_point_size(KF_KEY_X25519));
	EXPECT_EQ(0u, agree_point_size(KF_KEY_EC_P521));
	EXPECT_EQ(0u, agree_point_size(KF_KEY_RSA_3072));
	EXPECT_TRUE(key_type_serves(KF_KEY_RSA_3072, KF_METHOD_RSA));
	EXPECT_FALSE(key_type_serves(KF_KEY_RSA_3072, KF_METHOD_ECDH));
	EXPECT_FALSE(key_type_serves(KF_KEY_EC_P256, KF_METHOD_RSA));
	EXPECT_FALSE(key_type_serves(KF_KEY_EC_P521, KF_METHOD_ECDH));
}
