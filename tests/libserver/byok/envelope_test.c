// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libserver/byok/envelope.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "format/wrapped.h"
#include "libserver/json/object.h"
#include "tests/harness.h"
#include "tests/keys/keys.h"

#include <openssl/rsa.h>

static EVP_PKEY *kek(void)
{
	static EVP_PKEY *key;

	if (!key)
		ASSERT_EQ(0, some_key(KF_KEY_RSA_2048, &key));
	return key;
}

/* RFC 5649 section 6, both examples. */
TEST(kwp_is_that_of_rfc_5649)
{
	static const struct { const char *plain, *wrapped; size_t n; } rows[] = {
		{ "c37b7e6492584340bed12207808941155068f738",
		  "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a", 20 },
		{ "466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f", 7 },
	};
	uint8_t key[24], plain[32], wrapped[48];

	ASSERT_EQ(0, hex_parse("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", key, 24));
	for (size_t i = 0; i < 2; i++) {
		_cleanup_(secret_deinit) struct secret back = SECRET_INIT;
		uint8_t out[48];
		struct packer p = pack_begin(out, sizeof(out));
		size_t n = strlen(rows[i].wrapped) / 2;

		ASSERT_EQ(0, hex_parse(rows[i].plain, plain, rows[i].n));
		ASSERT_EQ(0, hex_parse(rows[i].wrapped, wrapped, n));
		EXPECT_EQ(n, kwp_size(rows[i].n));
		EXPECT_EQ(0, kwp_wrap(BYTES_OF(key), BYTES(plain, rows[i].n), &p));
		EXPECT_BYTES_EQ(BYTES(wrapped, n), pack_done(&p));
		ASSERT_EQ(0, secret_init(&back, sizeof(wrapped)));
		EXPECT_EQ(0, kwp_open(BYTES_OF(key), BYTES(wrapped, n), &back));
		EXPECT_BYTES_EQ(BYTES(plain, rows[i].n), secret_bytes(&back));
	}
}

TEST(byok_34_35_a_changed_wrapping_does_not_open)
{
	uint8_t key[32] = { 1 }, plain[67] = { 2 }, wrapped[96];
	struct packer p = pack_begin(wrapped, sizeof(wrapped));
	_cleanup_(secret_deinit) struct secret back = SECRET_INIT;

	ASSERT_EQ(0, secret_init(&back, 128));
	ASSERT_EQ(0, kwp_wrap(BYTES_OF(key), BYTES_OF(plain), &p));
	ASSERT_EQ(80, p.n);
	for (size_t i = 0; i < p.n; i++) {
		wrapped[i] ^= 1;
		EXPECT_EQ(-EBADMSG, kwp_open(BYTES_OF(key), pack_done(&p), &back));
		EXPECT_EQ(0, back.n);
		wrapped[i] ^= 1;
	}
	for (size_t n = 0; n < p.n; n++)
		EXPECT_EQ(-EBADMSG, kwp_open(BYTES_OF(key), BYTES(wrapped, n), &back));
	EXPECT_EQ(0, kwp_open(BYTES_OF(key), pack_done(&p), &back));
	EXPECT_EQ(-EINVAL, kwp_open(BYTES(key, 31), pack_done(&p), &back));
	EXPECT_EQ(-EBADMSG, kwp_open(BYTES(key, 16), pack_done(&p), &back));
}

/* [RFC 8017 7.1.1]: k - 2 hLen - 2 */
TEST(oaep_has_the_room_it_has)
{
	static const struct { enum kf_hash hash; size_t room; } rows[] = {
		{ KF_HASH_SHA1, 214 }, { KF_HASH_SHA256, 190 }, { KF_HASH_SHA384, 158 },
		{ KF_HASH_SHA512, 126 }, { KF_HASH_NONE, 0 },
	};
	uint8_t plain[256] = { 0 }, wrapped[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(secret_deinit) struct secret back = SECRET_INIT;
		struct packer p = pack_begin(wrapped, sizeof(wrapped));

		EXPECT_EQ(rows[i].room, oaep_room(kek(), rows[i].hash));
		EXPECT_EQ(-EMSGSIZE, oaep_wrap(kek(), rows[i].hash, BYTES(plain, rows[i].room + 1), &p));
		if (rows[i].room == 0)
			continue;
		p = pack_begin(wrapped, sizeof(wrapped));
		EXPECT_EQ(0, oaep_wrap(kek(), rows[i].hash, BYTES(plain, rows[i].room), &p));
		ASSERT_EQ(0, secret_init(&back, sizeof(wrapped)));
		EXPECT_EQ(0, oaep_open(kek(), rows[i].hash, pack_done(&p), &back));
		EXPECT_EQ(rows[i].room, back.n);
		EXPECT_EQ(-EBADMSG, oaep_open(kek(), rows[(i + 1) % 4].hash, pack_done(&p), &back));
	}
}

static bool opens(struct packer *p, enum kf_hash hash, enum kf_hash mgf)
{
	static const char *const names[] = { NULL, "SHA1", "SHA256", "SHA384", "SHA512" };
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, kek(), NULL);
	uint8_t out[256];
	size_t n = sizeof(out);

	ASSERT_EQ(1, EVP_PKEY_decrypt_init(ctx));
	ASSERT_EQ(1, EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING));
	ASSERT_EQ(1, EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, names[hash], NULL));
	ASSERT_EQ(1, EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, names[mgf], NULL));
	return EVP_PKEY_decrypt(ctx, out, &n, p->p, 256) == 1 && n == 32;
}

TEST(byok_29_the_hash_is_that_of_mgf1_too)
{
	uint8_t plain[32] = { 0 }, wrapped[512];

	for (int hash = KF_HASH_SHA1; hash <= KF_HASH_SHA512; hash++) {
		struct packer p = pack_begin(wrapped, sizeof(wrapped));

		ASSERT_EQ(0, envelope_seal(kek(), (enum kf_hash)hash, BYTES_OF(plain), &p, NULL));
		EXPECT_EQ(256 + 40, p.n);
		for (int mgf = KF_HASH_SHA1; mgf <= KF_HASH_SHA512; mgf++)
			EXPECT_EQ(hash == mgf, opens(&p, (enum kf_hash)hash, (enum kf_hash)mgf));
	}
}

TEST(byok_6_no_two_envelopes_have_a_block_in_common)
{
	uint8_t plain[32] = { 0 }, wrapped[2][512];

	for (int i = 0; i < 2; i++) {
		struct packer p = pack_begin(wrapped[i], sizeof(wrapped[i]));

		ASSERT_EQ(0, envelope_seal(kek(), KF_HASH_SHA1, BYTES_OF(plain), &p, NULL));
	}
	for (size_t at = 0; at < 296; at += 8)
		EXPECT_FALSE(bytes_equal(BYTES(wrapped[0] + at, 8), BYTES(wrapped[1] + at, 8)));
}
