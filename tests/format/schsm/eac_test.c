/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The values of the card dossier, 11.3. */
#include "format/schsm/eac.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "format/schsm/curve.h"
#include "tests/format/schsm/hex.h"

static const uint8_t nonce[EAC_NONCE_SIZE] = { 0, 1, 2, 3, 4, 5, 6, 7 };

FIXTURE(eac)
{
	EVP_PKEY *device, *ephemeral;
	uint8_t device_buf[CURVE_POINT_MAX], ephemeral_buf[CURVE_POINT_MAX];
	struct bytes device_point, ephemeral_point;
	struct sm server, card;
};

static EVP_PKEY *pair_of(uint8_t byte)
{
	uint8_t d[32];
	EVP_PKEY *key = NULL;

	memset(d, byte, sizeof(d));
	ASSERT_EQ(0, key_from_scalar_on(BYTES_OF(d), "secp256k1", &key));
	return key;
}

static struct bytes point_of(EVP_PKEY *key, uint8_t *buf)
{
	struct packer p = pack_begin(buf, CURVE_POINT_MAX);

	ASSERT_EQ(0, curve_point(key, &p));
	return pack_done(&p);
}

FIXTURE_SETUP(eac)
{
	self->server = self->card = SM_INIT;
	self->device = pair_of(0xbe);
	self->ephemeral = pair_of(0x11);
	self->device_point = point_of(self->device, self->device_buf);
	self->ephemeral_point = point_of(self->ephemeral, self->ephemeral_buf);
}

FIXTURE_TEARDOWN(eac)
{
	EVP_PKEY_free(self->device);
	EVP_PKEY_free(self->ephemeral);
	sm_end(&self->server);
	sm_end(&self->card);
}

TEST_F(eac, keys_and_token_are_the_dossiers_on_both_sides)
{
	uint8_t token[EAC_TOKEN_SIZE];
	struct sm *const sides[] = { &self->server, &self->card };

	EXPECT_HEX("3359F5234CE62E0EB80460046D8FD1AAE018CC8B9E687B40AA2C047E352409B4",
		   bytes_slice(self->device_point, 1, 32));
	ASSERT_EQ(0, eac_agree(self->ephemeral, self->device_point, nonce, &self->server));
	ASSERT_EQ(0, eac_agree(self->device, self->ephemeral_point, nonce, &self->card));
	for (size_t i = 0; i < 2; i++) {
		EXPECT_HEX("7B291F884F32E2DA8B6922F06EAEB1385E69C149CAF68605F3F515977B034552",
			   secret_bytes(&sides[i]->keys));
		ASSERT_EQ(0, eac_token(sides[i], self->ephemeral_point, token));
		EXPECT_HEX("F9B3E45382B2EE36", BYTES_OF(token));
	}
}

TEST_F(eac, another_nonce_gives_other_keys)
{
	static const uint8_t other[EAC_NONCE_SIZE] = { 1 };
	uint8_t a[EAC_TOKEN_SIZE], b[EAC_TOKEN_SIZE];

	ASSERT_EQ(0, eac_agree(self->ephemeral, self->device_point, nonce, &self->server));
	ASSERT_EQ(0, eac_agree(self->device, self->ephemeral_point, other, &self->card));
	ASSERT_EQ(0, eac_token(&self->server, self->ephemeral_point, a));
	ASSERT_EQ(0, eac_token(&self->card, self->ephemeral_point, b));
	EXPECT_MEMNE(a, b, sizeof(a));
}

TEST_F(eac, a_point_that_is_none_begins_no_session)
{
	uint8_t buf[CURVE_POINT_MAX];

	memcpy(buf, self->ephemeral_buf, sizeof(buf));
	buf[64] ^= 1;
	EXPECT_EQ(-EBADMSG, eac_agree(self->device, BYTES(buf, 65), nonce, &self->card));
	buf[64] ^= 1;
	buf[0] = 0x02;
	EXPECT_EQ(-EBADMSG, eac_agree(self->device, BYTES(buf, 33), nonce, &self->card));
	EXPECT_EQ(-EBADMSG, eac_agree(self->device, BYTES("", 1), nonce, &self->card));
	EXPECT_EQ(-EBADMSG, eac_agree(self->device, BYTES_NONE, nonce, &self->card));
	EXPECT_FALSE(sm_is_alive(&self->card));
}

TEST_F(eac, the_ephemeral_pair_is_fresh_and_on_the_devices_curve)
{
	static const char *const groups[] = { "brainpoolP256r1", "prime256v1", "secp521r1" };

	for (size_t i = 0; i < 3; i++) {
		_cleanup_(EVP_PKEY_freep) EVP_PKEY *device = EVP_PKEY_Q_keygen(NULL, NULL, "EC", groups[i]);
		_cleanup_(EVP_PKEY_freep) EVP_PKEY *a = NULL, *b = NULL;
		uint8_t token[2][EAC_TOKEN_SIZE];
		struct bytes point;

		ASSERT_EQ(0, eac_ephemeral(device, &a));
		ASSERT_EQ(0, eac_ephemeral(device, &b));
		EXPECT_EQ(0, EVP_PKEY_eq(a, b));
		point = point_of(a, self->ephemeral_buf);
		ASSERT_EQ(0, eac_agree(a, point_of(device, self->device_buf), nonce, &self->server));
		ASSERT_EQ(0, eac_agree(device, point, nonce, &self->card));
		ASSERT_EQ(0, eac_token(&self->server, point, token[0]));
		ASSERT_EQ(0, eac_token(&self->card, point, token[1]));
		EXPECT_MEMEQ(token[0], token[1], EAC_TOKEN_SIZE);
		sm_end(&self->server);
		sm_end(&self->card);
	}
}
