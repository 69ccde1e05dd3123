/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/driver/card/script.h"

FIXTURE(key) {
	struct script s;
	uint8_t out[1024], digest[64], input[512];
	struct packer p;
};
FIXTURE_SETUP(key)
{
	script_open(&self->s, 0);
	self->p = pack_begin(self->out, sizeof(self->out));
	memset(self->digest, 0x11, sizeof(self->digest));
	memset(self->input, 0x22, sizeof(self->input));
}
FIXTURE_TEARDOWN(key)
{
	script_done(&self->s);
	script_close(&self->s);
}

#define D16	"11111111111111111111111111111111"
#define D32	D16 D16

static const struct {
	uint32_t padding, hash;
	const char *mse;
	size_t n;
} signs[] = {
	{ KF_PADDING_PKCS1, KF_HASH_SHA256, "002241B6 06 800111 840103", 32 },
	{ KF_PADDING_PKCS1, KF_HASH_SHA384, "002241B6 06 800112 840103", 48 },
	{ KF_PADDING_PKCS1, KF_HASH_SHA512, "002241B6 06 800113 840103", 64 },
	{ KF_PADDING_PSS, KF_HASH_SHA256, "002241B6 06 800121 840103", 32 },
	{ KF_PADDING_PSS, KF_HASH_SHA384, "002241B6 06 800122 840103", 48 },
	{ KF_PADDING_PSS, KF_HASH_SHA512, "002241B6 06 800123 840103", 64 },
	{ KF_PADDING_NONE, KF_HASH_SHA256, "002241B6 06 800131 840103", 32 },
	{ KF_PADDING_NONE, KF_HASH_SHA384, "002241B6 06 800132 840103", 48 },
	{ KF_PADDING_NONE, KF_HASH_SHA512, "002241B6 06 800133 840103", 64 },
};

TEST_F(key, each_signature_algorithm_has_its_number)
{
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		struct kf_sign how = {
			.container = 3, .padding = signs[i].padding, .hash = signs[i].hash,
		};
		uint8_t want[128];
		struct packer p = pack_begin(want, sizeof(want));

		pack_be(&p, 0x002a9e9a, 4);
		pack_u8(&p, 0);
		pack_be16(&p, (uint16_t)signs[i].n);
		pack_bytes(&p, BYTES(self->digest, signs[i].n));
		pack_be16(&p, 0);
		script_expect(&self->s, signs[i].mse, "9000");
		script_add(&self->s, pack_done(&p), BYTES("\xaa\xbb\x90\x00", 4));
		self->p.n = 0;
		EXPECT_EQ(0, kf_card_driver.sign(script_begin(&self->s), &how,
						 BYTES(self->digest, signs[i].n), &self->p));
		EXPECT_EQ((size_t)2, self->p.n);
		EXPECT_EQ(-EINVAL, kf_card_driver.sign(script_begin(&self->s), &how,
						       BYTES(self->digest, signs[i].n - 1), &self->p));
	}
}

TEST_F(key, what_no_algorithm_stands_for_is_refused_here)
{
	static const struct { uint32_t padding, hash, salt, container; int error; } bad[] = {
		{ KF_PADDING_PKCS1, KF_HASH_SHA1, 0, 3, -EOPNOTSUPP },
		{ KF_PADDING_PKCS1, KF_HASH_NONE, 0, 3, -EINVAL },
		{ KF_PADDING_PKCS1, 99, 0, 3, -EINVAL },
		{ KF_PADDING_OAEP, KF_HASH_SHA256, 0, 3, -EINVAL },
		{ 0, KF_HASH_SHA256, 0, 3, -EINVAL },
		{ KF_PADDING_PSS, KF_HASH_SHA256, 20, 3, -EOPNOTSUPP },
		{ KF_PADDING_PKCS1, KF_HASH_SHA256, 32, 3, -EINVAL },
		{ KF_PADDING_PKCS1, KF_HASH_SHA256, 0, 16, -EINVAL },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct kf_sign how = {
			.container = bad[i].container, .padding = bad[i].padding,
			.hash = bad[i].hash, .salt_len = bad[i].salt,
		};

		EXPECT_EQ(bad[i].error, kf_card_driver.sign(script_begin(&self->s), &how,
							    BYTES(self->digest, 32), &self->p));
	}
}

#define MSE_SIGN	"002241B6 06 800131 840100"
#define PSO_SIGN	"002A9E9A 000020" D32 "0000"

TEST_F(key, each_refusal_of_a_signature_has_its_errno)
{
	struct kf_sign how = { .padding = KF_PADDING_NONE, .hash = KF_HASH_SHA256 };
	static const struct { const char *mse, *pso; int error; uint16_t reason; } rows[] = {
		{ "6A88", NULL, -ENOENT, 0 },
		{ "6985", NULL, -EREMOTEIO, KF_REASON_KEY_PURPOSE },
		{ "6A80", NULL, -EINVAL, 0 },
		{ "9000", "6982", -EPERM, KF_REASON_PIN_NEEDED },
		{ "9000", "6581", -EREMOTEIO, 0 },
		{ "9000", "9000", -EBADMSG, 0 },
		{ "00 9000", NULL, -EBADMSG, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		script_expect(&self->s, MSE_SIGN, rows[i].mse);
		if (rows[i].pso)
			script_expect(&self->s, PSO_SIGN, rows[i].pso);
		EXPECT_EQ(rows[i].error, kf_card_driver.sign(script_begin(&self->s), &how,
							     BYTES(self->digest, 32), &self->p));
		EXPECT_EQ(rows[i].reason, self->s.card->said.reason);
	}
}

/* --- AES --- */

static int cipher(struct fixture_key *self, struct kf_cipher *how, size_t aad, size_t n)
{
	self->p.n = 0;
	return kf_card_driver.cipher(script_begin(&self->s), how, BYTES(self->digest, aad),
				     BYTES(self->input, n), &self->p);
}

#define IV16	"8010 05050505050505050505050505050505"
#define TEXT16	"8110 22222222222222222222222222222222"

TEST_F(key, cbc_and_gcm_have_their_commands)
{
	struct kf_cipher how = { .container = 3, .mode = KF_CHAIN_CBC };

	memset(how.iv, 5, sizeof(how.iv));
	memset(how.tag, 6, sizeof(how.tag));
	script_expect(&self->s, "804C 0103 000024" IV16 TEXT16 "0000", "00112233445566778899AABBCCDDEEFF 9000");
	ASSERT_EQ(0, cipher(self, &how, 0, 16));
	EXPECT_EQ(16u, self->p.n);
	how.flags = KF_CIPHER_DECRYPT;
	script_expect(&self->s, "804C 0203 000024" IV16 TEXT16 "0000", "00112233445566778899AABBCCDDEEFF 9000");
	EXPECT_EQ(0, cipher(self, &how, 0, 16));
	how.mode = KF_CHAIN_GCM;
	script_expect(&self->s, "804C 0403 000029 800C 050505050505050505050505 8103 222222"
		      "8210 06060606060606060606060606060606 8302 1111 0000", "414243 9000");
	EXPECT_EQ(0, cipher(self, &how, 2, 3));
	EXPECT_BYTES_EQ(BYTES("ABC", 3), pack_done(&self->p));
	how.flags = 0;
	script_expect(&self->s, "804C 0303 000007 8103 222222 8300 0000",
		      "800C 0102030405060708090A0B0C 8103 414243 8210 11111111111111111111111111111111 9000");
	EXPECT_EQ(0, cipher(self, &how, 0, 3));
	EXPECT_BYTES_EQ(BYTES("ABC", 3), pack_done(&self->p));
	EXPECT_EQ(12, how.iv[11]);
	EXPECT_EQ(0, how.iv[12]);
	EXPECT_EQ(0x11, how.tag[15]);
}

TEST_F(key, what_cannot_be_a_cipher_is_not_sent)
{
	static const struct { uint32_t container, mode; size_t aad, n; int error; } bad[] = {
		{ 16, KF_CHAIN_CBC, 0, 16, -EINVAL }, { 3, 0, 0, 16, -EINVAL }, { 3, KF_CHAIN_ECB, 0, 16, -EOPNOTSUPP },
		{ 3, KF_CHAIN_CBC, 0, 15, -EINVAL }, { 3, KF_CHAIN_CBC, 0, 0, -EINVAL },
		{ 3, KF_CHAIN_CBC, 1, 16, -EINVAL }, { 3, KF_CHAIN_CBC | KF_CHAIN_GCM, 0, 16, -EINVAL },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct kf_cipher how = { .container = bad[i].container, .mode = bad[i].mode };

		EXPECT_EQ(bad[i].error, cipher(self, &how, bad[i].aad, bad[i].n));
	}
	struct kf_cipher mac = { .container = 3, .flags = KF_CIPHER_MAC };

	EXPECT_EQ(-EOPNOTSUPP, cipher(self, &mac, 0, 16));
	mac.mode = KF_CHAIN_CBC;
	EXPECT_EQ(-EOPNOTSUPP, cipher(self, &mac, 0, 16));
}

TEST_F(key, each_refusal_of_a_cipher_has_its_errno)
{
	static const struct { const char *sw; int error; uint16_t reason; } rows[] = {
		{ "6988", -EREMOTEIO, KF_REASON_TAG }, { "6985", -EREMOTEIO, KF_REASON_KEY_PURPOSE },
		{ "6982", -EPERM, KF_REASON_PIN_NEEDED }, { "6A88", -ENOENT, 0 }, { "41 9000", -EBADMSG, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kf_cipher how = { .container = 3, .mode = KF_CHAIN_CBC };

		memset(how.iv, 5, sizeof(how.iv));
		script_expect(&self->s, "804C 0103 000024" IV16 TEXT16 "0000", rows[i].sw);
		EXPECT_EQ(rows[i].error, cipher(self, &how, 0, 16));
		EXPECT_EQ(rows[i].reason, self->s.card->said.reason);
	}
}

TEST_F(key, a_cryptogram_goes_behind_a_padding_indicator)
{
	static const struct { uint32_t padding, hash; const char *mse; } rows[] = {
		{ KF_PADDING_PKCS1, KF_HASH_NONE, "002241B8 06 800141 840102" },
		{ KF_PADDING_OAEP, KF_HASH_SHA1, "002241B8 06 800151 840102" },
		{ KF_PADDING_OAEP, KF_HASH_SHA256, "002241B8 06 800152 840102" },
		{ KF_PADDING_OAEP, KF_HASH_SHA384, "002241B8 06 800153 840102" },
		{ KF_PADDING_OAEP, KF_HASH_SHA512, "002241B8 06 800154 840102" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kf_decrypt how = {
			.container = 2, .padding = rows[i].padding, .hash = rows[i].hash,
		};
		uint8_t want[512];
		struct packer p = pack_begin(want, sizeof(want));

		pack_be(&p, 0x002a8086, 4);
		pack_be(&p, 257, 3);
		pack_u8(&p, 0);
		pack_bytes(&p, BYTES(self->input, 256));
		pack_be16(&p, 0);
		script_expect(&self->s, rows[i].mse, "9000");
		script_add(&self->s, pack_done(&p), BYTES("hi\x90\x00", 4));
		self->p.n = 0;
		EXPECT_EQ(0, kf_card_driver.decrypt(script_begin(&self->s), &how,
						    BYTES(self->input, 256), BYTES_NONE, &self->p));
		EXPECT_BYTES_EQ(BYTES("hi", 2), pack_done(&self->p));
	}
}

TEST_F(key, unpadding_fails_with_the_cards_one_word)
{
	struct kf_decrypt how = { .container = 2, .padding = KF_PADDING_PKCS1 };

	script_expect(&self->s, "002241B8 06 800141 840102", "9000");
	script_expect(&self->s, "002A8086 000003 002222 0000", "6A80");
	EXPECT_EQ(-EREMOTEIO, kf_card_driver.decrypt(script_begin(&self->s), &how,
						     BYTES(self->input, 2), BYTES_NONE, &self->p));
	EXPECT_EQ(0x6a80, self->s.card->said.sw);
}

TEST_F(key, decryption_without_sense_is_refused_here)
{
	struct kf_decrypt label = { .padding = KF_PADDING_OAEP, .hash = KF_HASH_SHA256 };
	struct kf_decrypt raw = { .padding = KF_PADDING_NONE };
	struct kf_decrypt hash = { .padding = KF_PADDING_PKCS1, .hash = KF_HASH_SHA256 };
	struct bytes input = BYTES(self->input, 256);
	uint8_t big[513] = { 0 };

	EXPECT_EQ(-EOPNOTSUPP, kf_card_driver.decrypt(script_begin(&self->s), &label, input,
						      BYTES("x", 1), &self->p));
	EXPECT_EQ(-EINVAL, kf_card_driver.decrypt(script_begin(&self->s), &raw, input, BYTES_NONE,
						  &self->p));
	EXPECT_EQ(-EINVAL, kf_card_driver.decrypt(script_begin(&self->s), &hash, input, BYTES_NONE,
						  &self->p));
	EXPECT_EQ(-EINVAL, kf_card_driver.decrypt(script_begin(&self->s), &label, BYTES_NONE,
						  BYTES_NONE, &self->p));
	EXPECT_EQ(-EINVAL, kf_card_driver.decrypt(script_begin(&self->s), &label, BYTES_OF(big),
						  BYTES_NONE, &self->p));
}

TEST_F(key, agreement_wraps_the_point_twice)
{
	static const uint8_t point[] = { 0x04, 1, 2, 3, 4 };

	script_expect(&self->s, "002241A6 06 800161 840107", "9000");
	script_expect(&self->s, "002A8086 00000C A60A 7F4907 8605 0401020304 0000", "0102 9000");
	ASSERT_EQ(0, kf_card_driver.agree(script_begin(&self->s), 7, BYTES_OF(point), &self->p));
	EXPECT_BYTES_EQ(BYTES("\1\2", 2), pack_done(&self->p));

	script_expect(&self->s, "002241A6 06 800161 840107", "9000");
	script_expect(&self->s, "002A8086 00000C A60A 7F4907 8605 0401020304 0000", "010203 9000");
	EXPECT_EQ(-EBADMSG, kf_card_driver.agree(script_begin(&self->s), 7, BYTES_OF(point),
						 &self->p));
	script_expect(&self->s, "002241A6 06 800161 840107", "9000");
	script_expect(&self->s, "002A8086 00000C A60A 7F4907 8605 0401020304 0000", "6A80");
	EXPECT_EQ(-EINVAL, kf_card_driver.agree(script_begin(&self->s), 7, BYTES_OF(point),
						&self->p));
}

TEST_F(key, what_is_no_uncompressed_point_is_refused_here)
{
	uint8_t big[134] = { 0x04 };

	EXPECT_EQ(-EINVAL, kf_card_driver.agree(script_begin(&self->s), 7, BYTES_NONE, &self->p));
	EXPECT_EQ(-EINVAL, kf_card_driver.agree(script_begin(&self->s), 7, BYTES("\2\1\1", 3),
						&self->p));
	EXPECT_EQ(-EINVAL, kf_card_driver.agree(script_begin(&self->s), 7, BYTES_OF(big),
						&self->p));
}
