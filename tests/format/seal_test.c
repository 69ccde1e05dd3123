/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/keys.h"
#include "format/ossl.h"
#include "format/seal.h"
#include "tests/harness.h"
#include "tests/keys/keys.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>

static const struct item_place place = { KF_METHOD_RSA, KF_FUNCTION_IMPORT_KEYPAIR, { 0x42 }, 7 };
static const uint8_t iv[KF_IV_SIZE] = { 1, 2, 3 };

FIXTURE(sealed)
{
	struct secret s1;
	struct item_keys keys;
};

FIXTURE_SETUP(sealed)
{
	self->s1 = SECRET_INIT;
	self->keys = ITEM_KEYS_INIT;
	ASSERT_EQ(0, secret_init(&self->s1, KF_S1_SIZE));
	self->s1.n = KF_S1_SIZE;
	memset(self->s1.p, 0xa5, KF_S1_SIZE);
	ASSERT_EQ(0, item_keys_derive(&self->keys, &self->s1, &place));
}

FIXTURE_TEARDOWN(sealed)
{
	item_keys_deinit(&self->keys);
	secret_deinit(&self->s1);
}

static void cmac(const uint8_t *key, struct bytes data, uint8_t out[static 16])
{
	_cleanup_(EVP_MAC_freep) EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	_cleanup_(EVP_MAC_CTX_freep) EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	char cipher[] = "AES-256-CBC";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
		OSSL_PARAM_construct_end(),
	};
	size_t len;

	ASSERT_EQ(1, EVP_MAC_init(ctx, key, 32, params));
	ASSERT_EQ(1, EVP_MAC_update(ctx, data.p, data.n));
	ASSERT_EQ(1, EVP_MAC_final(ctx, out, &len, 16));
}

/* SP 800-108 5.1 written out by hand: two CMACs make one key. */
static void derive_by_hand(const uint8_t *s1, const char *label, uint8_t out[static 32])
{
	for (uint32_t i = 1; i <= 2; i++) {
		uint8_t buf[128];
		struct packer p = pack_begin(buf, sizeof(buf));

		pack_be32(&p, i);
		pack_bytes(&p, BYTES(label, strlen(label)));
		pack_u8(&p, 0);
		pack_bytes(&p, BYTES_OF(place.h));
		pack_be32(&p, place.number);
		pack_be32(&p, 256);
		cmac(s1, pack_done(&p), out + 16 * (i - 1));
	}
}

TEST_F(sealed, keys_are_those_of_the_page)
{
	static const char *const labels[] = { "keyferry/rsa/import-keypair/enc",
					      "keyferry/rsa/import-keypair/mac",
					      "keyferry/rsa/import-keypair/receipt" };

	for (size_t i = 0; i < 3; i++) {
		uint8_t want[32];

		derive_by_hand(self->s1.p, labels[i], want);
		EXPECT_TRUE(bytes_equal(BYTES_OF(want), BYTES(self->keys.all.p + 32 * i, 32)));
	}
}

TEST_F(sealed, every_part_of_the_place_changes_every_key)
{
	struct item_place others[4] = { place, place, place, place };

	others[0].method = KF_METHOD_ECDH;
	others[1].function = KF_FUNCTION_AUTHENTICATE;
	others[2].h[31] ^= 1;
	others[3].number++;
	for (size_t i = 0; i < 4; i++) {
		struct item_keys keys = ITEM_KEYS_INIT;

		ASSERT_EQ(0, item_keys_derive(&keys, &self->s1, &others[i]));
		for (size_t k = 0; k < 3; k++)
			EXPECT_FALSE(bytes_equal(BYTES(self->keys.all.p + 32 * k, 32),
						 BYTES(keys.all.p + 32 * k, 32)));
		item_keys_deinit(&keys);
	}
}

TEST_F(sealed, what_goes_in_comes_out_at_every_length)
{
	_cleanup_(secret_deinit) struct secret plain = SECRET_INIT, again = SECRET_INIT;

	ASSERT_EQ(0, secret_init(&plain, 64));
	ASSERT_EQ(0, secret_init(&again, 96));
	for (size_t n = 0; n <= 64; n++) {
		uint8_t buf[96];
		struct packer p = pack_begin(buf, sizeof(buf));

		memset(plain.p, (int)n, n);
		plain.n = n;
		ASSERT_EQ(0, item_encrypt(&self->keys, iv, &plain, &p));
		EXPECT_EQ(item_sealed_size(n), pack_done(&p).n);
		ASSERT_EQ(0, item_decrypt(&self->keys, iv, pack_done(&p), &again));
		EXPECT_TRUE(secret_equal(&plain, &again));
	}
}

TEST_F(sealed, padding_out_of_form_is_refused)
{
	/* Plain blocks made by hand: encrypt them as the data of a longer text, cut its own padding. */
	static const struct {
		uint8_t tail[3];
		int want;
	} rows[] = {
		{ { 0x80, 0x00, 0x00 }, 0 },
		{ { 0x11, 0x22, 0x80 }, 0 },
		{ { 0x11, 0x22, 0x33 }, -EBADMSG },
		{ { 0x80, 0x00, 0x01 }, -EBADMSG },
		{ { 0x00, 0x00, 0x00 }, -EBADMSG },	/* nothing but zeros in the block */
		{ { 0x40, 0x00, 0x00 }, -EBADMSG },
	};
	_cleanup_(secret_deinit) struct secret plain = SECRET_INIT, again = SECRET_INIT;

	ASSERT_EQ(0, secret_init(&plain, 16));
	ASSERT_EQ(0, secret_init(&again, 32));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t buf[32];
		struct packer p = pack_begin(buf, sizeof(buf));

		memset(plain.p, 0, 16);
		memcpy(plain.p + 13, rows[i].tail, 3);
		plain.n = 16;
		ASSERT_EQ(0, item_encrypt(&self->keys, iv, &plain, &p));
		EXPECT_EQ(rows[i].want, item_decrypt(&self->keys, iv, BYTES(buf, 16), &again));
	}
	EXPECT_EQ(-EBADMSG, item_decrypt(&self->keys, iv, BYTES("fifteen bytes..", 15), &again));
	EXPECT_EQ(-EBADMSG, item_decrypt(&self->keys, iv, BYTES_NONE, &again));
}

TEST_F(sealed, the_mac_is_a_cmac_of_the_body_under_the_second_key)
{
	uint8_t want[16], got[16];

	cmac(self->keys.all.p + 32, BYTES("body", 4), want);
	ASSERT_EQ(0, item_mac(&self->keys, BYTES("body", 4), got));
	EXPECT_TRUE(bytes_equal(BYTES_OF(want), BYTES_OF(got)));
}

/*
 * Known answers for the proof of a secret key [formats 7.1, card-application 6], computed from the pages by
 * another hand, Python's cryptography:
 *
 *	s1 = bytes(range(0x20)); h = bytes(range(0x40, 0x60)); number = (3).to_bytes(4, 'big')
 *	k = KBKDFCMAC(AES, Mode.CounterMode, 32, 4, 4, CounterLocation.BeforeFixed,
 *		      b'keyferry/derived/import-secret/receipt', h + number, None).derive(s1)
 *	c = CMAC(AES(k)); c.update(bytes(range(0x80, 0x80 + n))); c.finalize()
 */
TEST(the_proof_of_a_secret_key_is_that_of_the_page)
{
	static const struct { size_t n; uint8_t proof[ITEM_MAC_SIZE]; } rows[] = {
		{ 16, { 0xe5, 0x9a, 0x96, 0x7e, 0x93, 0x51, 0xd8, 0xbc,
			0x77, 0x97, 0xae, 0x34, 0x5f, 0xe5, 0x95, 0x8e } },
		{ 24, { 0xea, 0xb6, 0xc1, 0x3a, 0x95, 0x57, 0x97, 0xda,
			0x3e, 0x0e, 0x41, 0xe6, 0x4d, 0x90, 0xe3, 0x9a } },
		{ 32, { 0x3f, 0x65, 0x7c, 0xfc, 0x11, 0x18, 0x99, 0x51,
			0x4e, 0xb6, 0x0c, 0x37, 0x60, 0x81, 0x82, 0xe0 } },
	};
	struct item_place derived = { KF_METHOD_DERIVED, KF_FUNCTION_IMPORT_SECRET, { 0 }, 3 };
	_cleanup_(secret_deinit) struct secret s1 = SECRET_INIT;
	struct item_keys keys = ITEM_KEYS_INIT;
	uint8_t secret[32], proof[ITEM_MAC_SIZE];

	ASSERT_EQ(0, secret_init(&s1, KF_S1_SIZE));
	s1.n = KF_S1_SIZE;
	for (uint8_t i = 0; i < 32; i++) {
		s1.p[i] = i;
		derived.h[i] = 0x40 + i;
		secret[i] = 0x80 + i;
	}
	ASSERT_EQ(0, item_keys_derive(&keys, &s1, &derived));
	for (size_t i = 0; i < 3; i++) {
		ASSERT_EQ(0, item_proof(&keys, BYTES(secret, rows[i].n), proof));
		EXPECT_MEMEQ(rows[i].proof, proof, sizeof(proof));
	}
	item_keys_deinit(&keys);
}

FIXTURE(exchange)
{
	EVP_PKEY *key;
	struct secret s1, opened;
};

FIXTURE_SETUP(exchange)
{
	self->s1 = self->opened = SECRET_INIT;
	ASSERT_EQ(0, some_key(KF_KEY_RSA_2048, &self->key));
	ASSERT_EQ(0, secret_init(&self->s1, 64));
	ASSERT_EQ(0, secret_init(&self->opened, KF_S1_SIZE));
	memset(self->s1.p, 0x3c, 64);
	self->s1.n = KF_S1_SIZE;
}

FIXTURE_TEARDOWN(exchange)
{
	EVP_PKEY_free(self->key);
	secret_deinit(&self->s1);
	secret_deinit(&self->opened);
}

TEST_F(exchange, the_card_opens_what_the_server_wrapped)
{
	uint8_t wrapped[256];
	struct packer p = pack_begin(wrapped, sizeof(wrapped));

	ASSERT_EQ(0, session_key_wrap(self->key, place.h, &self->s1, &p));
	ASSERT_EQ(0, session_key_unwrap(self->key, place.h, pack_done(&p), &self->opened));
	EXPECT_TRUE(secret_equal(&self->s1, &self->opened));
}

TEST_F(exchange, a_wrong_label_a_flipped_bit_and_a_wrong_length_all_yield_random_bytes)
{
	uint8_t other_h[KF_DIGEST_SIZE] = { 0x43 };
	uint8_t good[256], bad[256], first[KF_S1_SIZE];
	struct packer p = pack_begin(good, sizeof(good)), q = pack_begin(bad, sizeof(bad));

	ASSERT_EQ(0, session_key_wrap(self->key, place.h, &self->s1, &p));

	ASSERT_EQ(0, session_key_unwrap(self->key, other_h, BYTES_OF(good), &self->opened));
	EXPECT_FALSE(secret_equal(&self->s1, &self->opened));
	memcpy(first, self->opened.p, sizeof(first));
	ASSERT_EQ(0, session_key_unwrap(self->key, other_h, BYTES_OF(good), &self->opened));
	EXPECT_FALSE(bytes_equal(BYTES_OF(first), secret_bytes(&self->opened)));

	good[100] ^= 1;
	ASSERT_EQ(0, session_key_unwrap(self->key, place.h, BYTES_OF(good), &self->opened));
	EXPECT_FALSE(secret_equal(&self->s1, &self->opened));

	self->s1.n = 33;			/* opens well, one byte too long */
	ASSERT_EQ(0, session_key_wrap(self->key, place.h, &self->s1, &q));
	ASSERT_EQ(0, session_key_unwrap(self->key, place.h, BYTES_OF(bad), &self->opened));
	EXPECT_EQ((size_t)KF_S1_SIZE, self->opened.n);
	EXPECT_FALSE(bytes_equal(BYTES(self->s1.p, KF_S1_SIZE), secret_bytes(&self->opened)));
}

TEST_F(exchange, a_length_other_than_the_modulus_is_a_public_error)
{
	uint8_t wrapped[257] = { 0 };

	EXPECT_EQ(-EINVAL, session_key_unwrap(self->key, place.h, BYTES(wrapped, 255),
					      &self->opened));
	EXPECT_EQ(-EINVAL, session_key_unwrap(self->key, place.h, BYTES(wrapped, 257),
					      &self->opened));
}
