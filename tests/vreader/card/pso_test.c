/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/harness.h"
#include "tests/vreader/card/tray.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>

FIXTURE(card)
{
	struct tray tray;
};

FIXTURE_SETUP(card)
{
	tray_init(&self->tray, 0);
	tray_put_key(&self->tray, 0, TRAY_RSA, KF_PURPOSE_SIGN, KF_ORIGIN_GENERATED, 0);
	tray_put_key(&self->tray, 1, TRAY_RSA, KF_PURPOSE_DECRYPT, KF_ORIGIN_GENERATED, 1);
	tray_put_key(&self->tray, 2, TRAY_P256, KF_PURPOSE_DERIVE, KF_ORIGIN_GENERATED, 0);
	tray_put_key(&self->tray, 3, TRAY_P384, KF_PURPOSE_SIGN, KF_ORIGIN_GENERATED, 1);
}

FIXTURE_TEARDOWN(card)
{
	tray_deinit(&self->tray);
}

static const uint8_t hash[64] = { 0x21 };

static uint16_t mse(struct fixture_card *self, unsigned int p2, uint8_t alg, uint8_t container)
{
	const uint8_t data[] = { 0x80, 0x01, alg, 0x84, 0x01, container };

	return tray_send(&self->tray, 0x00, INS_MSE, 0x4100 | p2, BYTES_OF(data));
}

static uint16_t sign(struct fixture_card *self, size_t n)
{
	return tray_send(&self->tray, 0x00, INS_PSO, 0x9e9a, BYTES(hash, n));
}

TEST_F(card, a_key_whose_policy_asks_for_no_pin_works_without)
{
	EXPECT_EQ(SW_OK, mse(self, 0xb6, ALG_PKCS1_SHA256, 0));
	EXPECT_EQ(SW_OK, sign(self, 32));
	EXPECT_EQ(256u, self->tray.n);
}

TEST_F(card, a_key_whose_policy_asks_for_the_pin_waits_for_it)
{
	EXPECT_EQ(SW_OK, mse(self, 0xb6, ALG_ECDSA_SHA384, 3));
	EXPECT_EQ(SW_PIN_NEEDED, sign(self, 48));
	EXPECT_FALSE(self->tray.card->state->containers[3].used);
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_OK, sign(self, 48));
	EXPECT_EQ(SW_OK, sign(self, 48));
}

TEST_F(card, the_hash_is_as_long_as_the_algorithm_says)
{
	EXPECT_EQ(SW_OK, mse(self, 0xb6, ALG_PSS_SHA384, 0));
	EXPECT_EQ(SW_DATA, sign(self, 32));
	EXPECT_EQ(SW_DATA, sign(self, 47));
	EXPECT_EQ(SW_DATA, sign(self, 49));
	EXPECT_EQ(SW_DATA, sign(self, 0));
	EXPECT_EQ(SW_OK, sign(self, 48));
}

TEST_F(card, selection_wants_a_key_that_is_there_and_an_algorithm_that_fits)
{
	EXPECT_EQ(SW_NO_OBJECT, mse(self, 0xb6, ALG_PKCS1_SHA256, 9));
	EXPECT_EQ(SW_NO_OBJECT, mse(self, 0xb6, ALG_PKCS1_SHA256, 16));
	EXPECT_EQ(SW_DATA, mse(self, 0xb6, ALG_ECDSA_SHA256, 0));
	EXPECT_EQ(SW_DATA, mse(self, 0xb6, ALG_PKCS1_SHA256, 3));
	EXPECT_EQ(SW_DATA, mse(self, 0xb6, 0x00, 0));
	EXPECT_EQ(SW_DATA, mse(self, 0xb6, 0x7f, 0));
	EXPECT_EQ(SW_CONDITIONS, mse(self, 0xb6, ALG_PKCS1_SHA256, 1));
	EXPECT_EQ(SW_CONDITIONS, sign(self, 32));
}

TEST_F(card, a_refused_selection_leaves_the_earlier_one)
{
	EXPECT_EQ(SW_OK, mse(self, 0xb6, ALG_PKCS1_SHA256, 0));
	EXPECT_EQ(SW_CONDITIONS, mse(self, 0xb8, ALG_OAEP_SHA256, 0));
	EXPECT_EQ(SW_OK, sign(self, 32));
}

TEST_F(card, a_selection_ends_with_what_it_selected)
{
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_OK, mse(self, 0xb6, ALG_PKCS1_SHA256, 0));
	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x80, INS_DELETE, 0, BYTES_NONE));
	EXPECT_EQ(SW_CONDITIONS, sign(self, 32));
	EXPECT_EQ(SW_OK, sealing_inject(&self->tray, 0, TRAY_RSA_OTHER, KF_PURPOSE_SIGN));
	EXPECT_EQ(SW_CONDITIONS, sign(self, 32));
	EXPECT_EQ(SW_OK, mse(self, 0xb6, ALG_PKCS1_SHA256, 0));
	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_VERIFY, 0xff81, BYTES_NONE));
	EXPECT_EQ(SW_CONDITIONS, sign(self, 32));
}

TEST_F(card, used_is_on_the_disk_before_the_key_works)
{
	EXPECT_EQ(SW_OK, mse(self, 0xb6, ALG_PKCS1_SHA256, 0));
	tray_fail_at(&self->tray, 1, -ENOSPC);
	EXPECT_EQ(SW_MEMORY, sign(self, 32));
	EXPECT_EQ(0u, self->tray.n);
	tray_fail_at(&self->tray, 1, -EIO);
	EXPECT_EQ(0, sign(self, 32));
	tray_restart(&self->tray);
	EXPECT_FALSE(self->tray.card->state->containers[0].used);
	EXPECT_EQ(SW_OK, mse(self, 0xb6, ALG_PKCS1_SHA256, 0));
	EXPECT_EQ(SW_OK, sign(self, 32));
	tray_restart(&self->tray);
	EXPECT_TRUE(self->tray.card->state->containers[0].used);
}

static size_t wrap(uint8_t out[static 257])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(tray_key(TRAY_RSA), NULL);
	size_t n = 256;

	out[0] = 0x00;
	ASSERT_EQ(1, EVP_PKEY_encrypt_init(ctx));
	ASSERT_EQ(1, EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING));
	ASSERT_EQ(1, EVP_PKEY_encrypt(ctx, out + 1, &n, (const uint8_t *)"cargo", 5));
	EVP_PKEY_CTX_free(ctx);
	return n + 1;
}

static uint16_t decipher(struct fixture_card *self, struct bytes data)
{
	return tray_send(&self->tray, 0x00, INS_PSO, 0x8086, data);
}

TEST_F(card, deciphering_has_one_word_for_all_that_does_not_open)
{
	uint8_t cryptogram[258];
	size_t n = wrap(cryptogram);

	EXPECT_EQ(SW_OK, mse(self, 0xb8, ALG_RSAES_PKCS1, 1));
	EXPECT_EQ(SW_PIN_NEEDED, decipher(self, BYTES(cryptogram, n)));
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_OK, decipher(self, BYTES(cryptogram, n)));
	EXPECT_BYTES_EQ(BYTES("cargo", 5), tray_data(&self->tray));

	EXPECT_EQ(SW_DATA, decipher(self, BYTES(cryptogram, n - 1)));
	EXPECT_EQ(SW_DATA, decipher(self, BYTES(cryptogram, n + 1)));
	EXPECT_EQ(SW_DATA, decipher(self, BYTES_NONE));
	cryptogram[0] = 0x81;
	EXPECT_EQ(SW_DATA, decipher(self, BYTES(cryptogram, n)));
	memset(cryptogram, 0xff, sizeof(cryptogram));		/* larger than the modulus */
	cryptogram[0] = 0x00;
	EXPECT_EQ(SW_DATA, decipher(self, BYTES(cryptogram, n)));
	memset(cryptogram, 0, sizeof(cryptogram));
	EXPECT_EQ(SW_DATA, decipher(self, BYTES(cryptogram, n)));
	EXPECT_EQ(0u, self->tray.n);
}

TEST_F(card, agreement_takes_one_uncompressed_point)
{
	uint8_t data[80] = { 0xa6, 0x46, 0x7f, 0x49, 0x43, 0x86, 0x41 };
	size_t n = 0;

	ASSERT_EQ(1, EVP_PKEY_get_octet_string_param(tray_key(TRAY_DEVICE), OSSL_PKEY_PARAM_PUB_KEY,
						     data + 7, 65, &n));
	EXPECT_EQ(SW_OK, mse(self, 0xa6, ALG_ECDH, 2));
	EXPECT_EQ(SW_OK, decipher(self, BYTES(data, 72)));
	EXPECT_EQ(32u, self->tray.n);
	EXPECT_EQ(SW_DATA, decipher(self, BYTES(data, 73)));
	EXPECT_EQ(SW_DATA, decipher(self, BYTES(data, 71)));
	data[71] ^= 1;
	EXPECT_EQ(SW_DATA, decipher(self, BYTES(data, 72)));
	data[71] ^= 1;
	data[6] = 0x40;
	EXPECT_EQ(SW_DATA, decipher(self, BYTES(data, 72)));
}
