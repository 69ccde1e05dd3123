/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a key does is verified or undone with its public half by OpenSSL.
 */
#include "format/aes.h"
#include "format/ossl.h"
#include "tests/harness.h"
#include "tests/vreader/schsm/rig.h"

#include <openssl/rsa.h>

static const uint8_t text[] = "signed text";

FIXTURE(keys)
{
	struct rig rig;
	EVP_PKEY *rsa, *ec;
};

/* 1 is RSA, 2 EC, 3 AES. */
FIXTURE_SETUP(keys)
{
	struct rig *rig = &self->rig;

	rig_init_ready(rig);
	ASSERT_EQ(SW_OK, rig_generate_rsa(rig, 1, 2048, ""));
	self->rsa = rig_take_public(rig);
	ASSERT_EQ(SW_OK, rig_generate_ec(rig, 2, "prime256v1", ""));
	self->ec = rig_take_public(rig);
	ASSERT_EQ(SW_OK, rig_send(rig, 0x00, INS_GENERATE_SECRET, 0x03b2, BYTES_NONE));
}

FIXTURE_TEARDOWN(keys)
{
	EVP_PKEY_free(self->rsa);
	EVP_PKEY_free(self->ec);
	rig_deinit(&self->rig);
}

static uint16_t sign(struct rig *rig, unsigned int id, unsigned int alg, struct bytes data)
{
	return rig_send(rig, 0x80, HSM_SIGN, id << 8 | alg, data);
}

static bool fits(const struct rig *rig, EVP_PKEY *key, int padding, const EVP_MD *md, struct bytes data)
{
	_cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;

	ASSERT_EQ(1, EVP_DigestVerifyInit(ctx, &pctx, md, NULL, key));
	if (padding != 0)
		ASSERT_LT(0, EVP_PKEY_CTX_set_rsa_padding(pctx, padding));
	if (padding == RSA_PKCS1_PSS_PADDING)
		ASSERT_LT(0, EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST));
	return EVP_DigestVerify(ctx, rig->data, rig->n, data.p, data.n) == 1;
}

static const struct hashing {
	unsigned int alg;
	const EVP_MD *(*md)(void);
} hashes[] = {
	{ 1, EVP_sha1 }, { 2, EVP_sha224 }, { 3, EVP_sha256 }, { 4, EVP_sha384 }, { 5, EVP_sha512 },
};

TEST_F(keys, signatures_that_hash_on_the_card_verify)
{
	struct rig *rig = &self->rig;

	for (size_t i = 0; i < 5; i++) {
		const EVP_MD *md = hashes[i].md();

		EXPECT_EQ(SW_OK, sign(rig, 1, 0x30 + hashes[i].alg, BYTES_OF(text)));
		EXPECT_TRUE(fits(rig, self->rsa, RSA_PKCS1_PADDING, md, BYTES_OF(text)));
		EXPECT_FALSE(fits(rig, self->rsa, RSA_PKCS1_PADDING, md, BYTES(text, 3)));
		EXPECT_EQ(SW_OK, sign(rig, 1, 0x40 + hashes[i].alg, BYTES_OF(text)));
		EXPECT_TRUE(fits(rig, self->rsa, RSA_PKCS1_PSS_PADDING, md, BYTES_OF(text)));
		EXPECT_EQ(SW_OK, sign(rig, 2, 0x70 + hashes[i].alg, BYTES_OF(text)));
		EXPECT_TRUE(fits(rig, self->ec, 0, md, BYTES_OF(text)));
	}
}

TEST_F(keys, signatures_of_a_hash_from_outside_verify)
{
	struct rig *rig = &self->rig;

	for (size_t i = 0; i < 5; i++) {
		const EVP_MD *md = hashes[i].md();
		uint8_t hash[EVP_MAX_MD_SIZE];
		unsigned int n;

		ASSERT_EQ(1, EVP_Digest(text, sizeof(text), hash, &n, md, NULL));
		EXPECT_EQ(SW_OK, sign(rig, 1, 0x40, BYTES(hash, n)));
		EXPECT_TRUE(fits(rig, self->rsa, RSA_PKCS1_PSS_PADDING, md, BYTES_OF(text)));
		EXPECT_EQ(SW_OK, sign(rig, 2, 0x70, BYTES(hash, n)));
		EXPECT_TRUE(fits(rig, self->ec, 0, md, BYTES_OF(text)));
	}
	EXPECT_EQ(SW_LENGTH, sign(rig, 1, 0x40, BYTES_OF(text)));
	EXPECT_EQ(SW_LENGTH, sign(rig, 2, 0x70, BYTES((uint8_t[65]){ 0 }, 65)));
}

/* As OpenSC sends it: with the DigestInfo that PKCS #1 wants and PSS does not. */
TEST_F(keys, a_pss_signature_of_a_digest_info_is_one_of_its_hash)
{
	static const uint8_t head[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
					0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20 };
	struct rig *rig = &self->rig;
	uint8_t info[52];
	unsigned int n;

	memcpy(info, head, sizeof(head));
	ASSERT_EQ(1, EVP_Digest(text, sizeof(text), info + sizeof(head), &n, EVP_sha256(), NULL));
	EXPECT_EQ(SW_OK, sign(rig, 1, 0x40, BYTES(info, 51)));
	EXPECT_TRUE(fits(rig, self->rsa, RSA_PKCS1_PSS_PADDING, EVP_sha256(), BYTES_OF(text)));
	EXPECT_EQ(SW_LENGTH, sign(rig, 1, 0x40, BYTES(info, 50)));
	EXPECT_EQ(SW_LENGTH, sign(rig, 1, 0x40, BYTES(info, 52)));
	info[14] = 0x02;			/* the name of SHA-384 with a hash of SHA-256 */
	EXPECT_EQ(SW_LENGTH, sign(rig, 1, 0x40, BYTES(info, 51)));
	info[14] = 0x01;
	info[1]++;
	EXPECT_EQ(SW_LENGTH, sign(rig, 1, 0x40, BYTES(info, 51)));
}

/* The public half of RSA, bare: what the signature's number is a power of. */
static void expect_power(const struct rig *rig, EVP_PKEY *key, int padding, struct bytes want)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	uint8_t out[512];
	size_t n = sizeof(out);

	ASSERT_LT(0, EVP_PKEY_verify_recover_init(ctx));
	ASSERT_LT(0, EVP_PKEY_CTX_set_rsa_padding(ctx, padding));
	ASSERT_LT(0, EVP_PKEY_verify_recover(ctx, out, &n, rig->data, rig->n));
	EXPECT_BYTES_EQ(want, BYTES(out, n));
}

TEST_F(keys, raw_and_padded_rsa_take_what_the_host_made)
{
	struct rig *rig = &self->rig;
	uint8_t number[257] = { 0x00, 0x01, 0x02, 0x03 };
	uint8_t longest[246];

	memset(longest, 0x5a, sizeof(longest));
	EXPECT_EQ(SW_OK, sign(rig, 1, 0x20, BYTES(number, 256)));
	expect_power(rig, self->rsa, RSA_NO_PADDING, BYTES(number, 256));
	EXPECT_EQ(SW_LENGTH, sign(rig, 1, 0x20, BYTES(number, 255)));
	EXPECT_EQ(SW_LENGTH, sign(rig, 1, 0x20, BYTES(number, 257)));
	memset(number, 0xff, sizeof(number));
	EXPECT_EQ(SW_DATA, sign(rig, 1, 0x20, BYTES(number, 256)));	/* not below the modulus */
	EXPECT_EQ(SW_OK, sign(rig, 1, 0x30, BYTES_OF(text)));
	expect_power(rig, self->rsa, RSA_PKCS1_PADDING, BYTES_OF(text));
	EXPECT_EQ(SW_OK, sign(rig, 1, 0x30, BYTES(longest, 245)));
	EXPECT_EQ(SW_LENGTH, sign(rig, 1, 0x30, BYTES(longest, 246)));
}

TEST_F(keys, an_operation_is_for_its_kind_of_key)
{
	struct rig *rig = &self->rig;
	static const uint8_t block[256];

	EXPECT_EQ(SW_CONDITIONS, sign(rig, 2, 0x33, BYTES_OF(text)));
	EXPECT_EQ(SW_CONDITIONS, sign(rig, 1, 0x73, BYTES_OF(text)));
	EXPECT_EQ(SW_CONDITIONS, sign(rig, 3, 0x73, BYTES_OF(text)));
	EXPECT_EQ(SW_NO_OBJECT, sign(rig, 4, 0x73, BYTES_OF(text)));
	EXPECT_EQ(SW_P1P2, sign(rig, 2, 0x76, BYTES_OF(text)));
	EXPECT_EQ(SW_P1P2, sign(rig, 2, 0x50, BYTES_OF(text)));
	EXPECT_EQ(SW_CONDITIONS, rig_send(rig, 0x80, HSM_DECIPHER, 0x0221, BYTES_OF(block)));
	EXPECT_EQ(SW_NO_OBJECT, rig_send(rig, 0x80, HSM_DECIPHER, 0x0421, BYTES_OF(block)));
	EXPECT_EQ(SW_CONDITIONS, rig_send(rig, 0x80, HSM_DECIPHER, 0x0180, BYTES(block, 65)));
	EXPECT_EQ(SW_CONDITIONS, rig_send(rig, 0x80, HSM_CIPHER, 0x0110, BYTES(block, 16)));
	EXPECT_EQ(SW_NO_FUNCTION, rig_send(rig, 0x80, HSM_DECIPHER, 0x0284, BYTES(block, 16)));
	EXPECT_EQ(SW_NO_FUNCTION, rig_send(rig, 0x80, HSM_CIPHER, 0x0399, BYTES(block, 16)));
}

static size_t encrypt(EVP_PKEY *key, int padding, struct bytes plain, uint8_t out[static 256])
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	size_t n = 256;

	ASSERT_LT(0, EVP_PKEY_encrypt_init(ctx));
	ASSERT_LT(0, EVP_PKEY_CTX_set_rsa_padding(ctx, padding));
	if (padding == RSA_PKCS1_OAEP_PADDING) {
		ASSERT_LT(0, EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()));
		ASSERT_LT(0, EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()));
	}
	ASSERT_LT(0, EVP_PKEY_encrypt(ctx, out, &n, plain.p, plain.n));
	return n;
}

TEST_F(keys, what_was_encrypted_for_it_is_deciphered)
{
	static const struct { int padding; unsigned int alg; } rows[] = {
		{ RSA_PKCS1_PADDING, ALG_RSA_DECRYPT_PKCS1 },
		{ RSA_PKCS1_OAEP_PADDING, ALG_RSA_DECRYPT_OAEP },
	};
	struct rig *rig = &self->rig;
	uint8_t cryptogram[256], number[256] = { 0x00, 0x07 };
	size_t n;

	for (size_t i = 0; i < 2; i++) {
		n = encrypt(self->rsa, rows[i].padding, BYTES_OF(text), cryptogram);
		EXPECT_EQ(SW_OK, rig_send(rig, 0x80, HSM_DECIPHER, 0x0100 | rows[i].alg,
					  BYTES(cryptogram, n)));
		EXPECT_BYTES_EQ(BYTES_OF(text), rig_data(rig));
	}
	cryptogram[9] ^= 1;
	EXPECT_EQ(SW_DATA, rig_send(rig, 0x80, HSM_DECIPHER, 0x0123, BYTES(cryptogram, n)));
	n = encrypt(self->rsa, RSA_NO_PADDING, BYTES_OF(number), cryptogram);
	EXPECT_EQ(SW_OK, rig_send(rig, 0x80, HSM_DECIPHER, 0x0121, BYTES(cryptogram, n)));
	EXPECT_BYTES_EQ(BYTES_OF(number), rig_data(rig));
	EXPECT_EQ(SW_LENGTH, rig_send(rig, 0x80, HSM_DECIPHER, 0x0121, BYTES(cryptogram, 255)));
	EXPECT_EQ(SW_LENGTH, rig_send(rig, 0x80, HSM_DECIPHER, 0x0122, BYTES(cryptogram, 1)));
}

TEST_F(keys, ecdh_answers_the_whole_point_and_only_for_points_of_the_curve)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *peer = EVP_EC_gen("prime256v1");
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(peer, NULL);
	struct rig *rig = &self->rig;
	uint8_t point[CURVE_POINT_MAX], x[32];
	struct packer p = pack_begin(point, sizeof(point));
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *shared = NULL;
	struct curve curve;
	size_t n = sizeof(x);

	ASSERT_EQ(0, curve_point(peer, &p));
	ASSERT_EQ(SW_OK, rig_send(rig, 0x80, HSM_DECIPHER, 0x0280, pack_done(&p)));
	ASSERT_LT(0, EVP_PKEY_derive_init(ctx));
	ASSERT_LT(0, EVP_PKEY_derive_set_peer(ctx, self->ec));
	ASSERT_LT(0, EVP_PKEY_derive(ctx, x, &n));
	ASSERT_EQ(65u, rig->n);
	EXPECT_EQ(0x04, rig->data[0]);
	EXPECT_MEMEQ(x, rig->data + 1, 32);
	ASSERT_EQ(0, curve_from_group("prime256v1", &curve));
	EXPECT_EQ(0, curve_public_key(&curve, rig_data(rig), &shared));
	point[40] ^= 1;
	EXPECT_EQ(SW_DATA, rig_send(rig, 0x80, HSM_DECIPHER, 0x0280, BYTES(point, 65)));
	point[40] ^= 1;
	point[0] = 0x02;
	EXPECT_EQ(SW_DATA, rig_send(rig, 0x80, HSM_DECIPHER, 0x0280, BYTES(point, 65)));
	EXPECT_EQ(SW_LENGTH, rig_send(rig, 0x80, HSM_DECIPHER, 0x0280, BYTES(point, 64)));
	EXPECT_EQ(SW_LENGTH, rig_send(rig, 0x80, HSM_DECIPHER, 0x0280, BYTES(point, 33)));
}

TEST_F(keys, aes_encrypts_decrypts_and_authenticates)
{
	struct rig *rig = &self->rig;
	struct bytes key = hsm_key_private(hsm_find_key(rig->hsm->state, 3)->key);
	uint8_t plain[48], cipher[48], mac[16];

	memset(plain, 0x3c, sizeof(plain));
	ASSERT_EQ(SW_OK, rig_send(rig, 0x80, HSM_CIPHER, 0x0310, BYTES_OF(plain)));
	ASSERT_EQ(48u, rig->n);
	memcpy(cipher, rig->data, 48);
	EXPECT_MEMNE(cipher, cipher + 16, 16);		/* chained */
	EXPECT_EQ(SW_OK, rig_send(rig, 0x80, HSM_CIPHER, 0x0311, BYTES_OF(cipher)));
	EXPECT_BYTES_EQ(BYTES_OF(plain), rig_data(rig));
	ASSERT_EQ(0, aes_cmac(key, BYTES(plain, 23), mac));
	EXPECT_EQ(SW_OK, rig_send(rig, 0x80, HSM_CIPHER, 0x0318, BYTES(plain, 23)));
	EXPECT_BYTES_EQ(BYTES_OF(mac), rig_data(rig));
	EXPECT_EQ(SW_LENGTH, rig_send(rig, 0x80, HSM_CIPHER, 0x0310, BYTES(plain, 15)));
	EXPECT_EQ(SW_LENGTH, rig_send(rig, 0x80, HSM_CIPHER, 0x0311, BYTES(plain, 17)));
}

TEST_F(keys, a_list_allows_what_stands_in_it_and_nothing_else)
{
	struct rig *rig = &self->rig;
	static const uint8_t block[256] = { 1 };

	ASSERT_EQ(SW_OK, rig_generate_rsa(rig, 1, 2048, "91 02 3321"));
	EXPECT_EQ(SW_OK, sign(rig, 1, 0x33, BYTES_OF(text)));
	EXPECT_EQ(SW_CONDITIONS, sign(rig, 1, 0x31, BYTES_OF(text)));
	EXPECT_EQ(SW_CONDITIONS, sign(rig, 1, 0x43, BYTES_OF(text)));
	EXPECT_EQ(SW_CONDITIONS, rig_send(rig, 0x80, HSM_DECIPHER, 0x0122, BYTES_OF(block)));
	EXPECT_EQ(SW_CONDITIONS, rig_send(rig, 0x80, HSM_WRAP, 0x0192, BYTES_NONE));
	ASSERT_EQ(SW_OK, rig_send_hex(rig, 0x00, INS_GENERATE_SECRET, 0x03b0, "91 01 18"));
	EXPECT_EQ(SW_OK, rig_send(rig, 0x80, HSM_CIPHER, 0x0318, BYTES(block, 16)));
	EXPECT_EQ(SW_CONDITIONS, rig_send(rig, 0x80, HSM_CIPHER, 0x0310, BYTES(block, 16)));
	ASSERT_EQ(SW_OK, rig_generate_ec(rig, 2, "prime256v1", "91 01 70"));
	EXPECT_EQ(SW_CONDITIONS, rig_send(rig, 0x80, HSM_DECIPHER, 0x0280, BYTES(block, 65)));
}

TEST_F(keys, a_counted_key_works_so_often_and_no_more)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(SW_OK, rig_generate_ec(rig, 2, "prime256v1", "90 04 00000002"));
	EXPECT_EQ(SW_OK, sign(rig, 2, 0x73, BYTES_OF(text)));
	EXPECT_EQ(SW_CONDITIONS, sign(rig, 2, 0x33, BYTES_OF(text)));	/* no use, no count */
	rig_restart(rig);
	ASSERT_EQ(SW_OK, rig_verify(rig, RIG_PIN));
	EXPECT_EQ(SW_OK, rig_send(rig, 0x80, HSM_WRAP, 0x0292, BYTES_NONE));
	EXPECT_EQ(SW_CONDITIONS, sign(rig, 2, 0x73, BYTES_OF(text)));
	EXPECT_EQ(SW_CONDITIONS, rig_send(rig, 0x80, HSM_WRAP, 0x0292, BYTES_NONE));
}

/* The key works after its use is on the disk, not before. */
TEST_F(keys, a_use_that_could_not_be_counted_is_none)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(SW_OK, rig_generate_ec(rig, 2, "prime256v1", "90 04 00000002"));
	rig_fail_at(rig, 1, -ENOSPC);
	EXPECT_EQ(SW_MEMORY, sign(rig, 2, 0x73, BYTES_OF(text)));
	EXPECT_EQ(0u, rig->n);
	EXPECT_EQ(2u, hsm_find_key(rig->hsm->state, 2)->uses);
	rig_fail_at(rig, 1, -EIO);
	EXPECT_EQ(0u, sign(rig, 2, 0x73, BYTES_OF(text)));
	EXPECT_EQ(0u, rig->n);
}
