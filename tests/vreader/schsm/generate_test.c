/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/ossl.h"
#include "tests/harness.h"
#include "tests/vreader/schsm/rig.h"
#include "vreader/card/tlv.h"

#define OID_RSA "06 0A 04007F00070202020102 "
#define OID_EC "06 0A 04007F00070202020203 "

FIXTURE(card)
{
	struct rig rig;
};

FIXTURE_SETUP(card)
{
	rig_init_ready(&self->rig);
}

FIXTURE_TEARDOWN(card)
{
	rig_deinit(&self->rig);
}

static const char *const curves[] = {
	"secp224r1", "prime256v1", "secp384r1", "secp521r1", "secp256k1",
	"brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1",
};

TEST_F(card, a_pair_on_each_curve_is_vouched_for_and_signs)
{
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		_cleanup_(EVP_PKEY_freep) EVP_PKEY *public = NULL;
		_cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
		char group[32] = "";

		ASSERT_EQ(SW_OK, rig_generate_ec(&self->rig, (uint8_t)(i + 1), curves[i], ""));
		public = rig_take_public(&self->rig);
		ASSERT_EQ(1, EVP_PKEY_get_group_name(public, group, sizeof(group), NULL));
		EXPECT_STREQ(curves[i], group);
		ASSERT_EQ(SW_OK, rig_send(&self->rig, 0x80, HSM_SIGN, (unsigned int)(i + 1) << 8 | 0x73,
					  BYTES("text", 4)));
		ASSERT_EQ(1, EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, public));
		EXPECT_EQ(1, EVP_DigestVerify(ctx, self->rig.data, self->rig.n,
					      (const uint8_t *)"text", 4));
	}
}

TEST_F(card, an_rsa_pair_has_the_size_that_was_asked_for)
{
	static const unsigned int sizes[] = { 1024, 2048, 3072, 4096 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		_cleanup_(EVP_PKEY_freep) EVP_PKEY *public = NULL;

		ASSERT_EQ(SW_OK, rig_generate_rsa(&self->rig, 1, sizes[i], ""));
		public = rig_take_public(&self->rig);
		EXPECT_EQ((int)sizes[i], EVP_PKEY_get_bits(public));
	}
	EXPECT_EQ(SW_DATA, rig_generate_rsa(&self->rig, 2, 512, ""));
	EXPECT_EQ(SW_DATA, rig_generate_rsa(&self->rig, 2, 2049, ""));
	EXPECT_EQ(SW_DATA, rig_generate_rsa(&self->rig, 2, 8192, ""));
	EXPECT_EQ(0u, rig_lists(&self->rig, 0xcc02));
}

static uint16_t generate(struct rig *rig, const char *hex)
{
	return rig_send_hex(rig, 0x00, INS_GENERATE_PAIR, 0x0200, hex);
}

#define CAR "42 09 555443413030303031 "
#define CHR "5F20 09 5554544D3030303031 "
#define RSA_1024 OID_RSA "02 02 0400 82 03 010001"

/* Every one would be taken but for one thing; 7F49 17 is what RSA_1024 has. */
static const char *const refused[] = {
	"5F29 01 00 " CAR CHR,						/* no key */
	"5F29 01 00 " CAR "7F49 15 " RSA_1024,				/* no holder */
	"5F29 01 01 " CAR "7F49 15 " RSA_1024 CHR,			/* profile */
	"5F29 01 00 " CAR "7F49 16 " RSA_1024 CHR,			/* lengths */
	"5F29 01 00 " CAR "7F49 14 " RSA_1024 CHR,
	"5F29 01 00 " CAR "7F49 15 " RSA_1024 CHR "90 02 0001",		/* options */
	"5F29 01 00 " CAR "7F49 15 " RSA_1024 CHR "91 00",
	"5F29 01 00 " CAR "7F49 15 " RSA_1024 CHR "92 02 0000",
	"5F29 01 00 " CAR "7F49 15 " RSA_1024 CHR "94 01 00",
	"5F29 01 00 42 11 5554434130303030315554434130303030 7F49 15 " RSA_1024 CHR,	/* names */
	"5F29 01 00 " CAR "7F49 15 " RSA_1024 "5F20 02 0102",
	"5F29 01 00 " CAR "7F49 15 " OID_RSA "02 02 0400 82 03 010000" CHR,	/* exponents */
	"5F29 01 00 " CAR "7F49 13 " OID_RSA "02 02 0400 82 01 01" CHR,
	"5F29 01 00 " CAR "7F49 15 06 0A 04007F00070202020203 02 02 0400 82 03 010001" CHR, /* ECDSA */
	"5F29 01 00 " CAR "7F49 15 06 0A 04007F00070202020109 02 02 0400 82 03 010001" CHR, /* nothing */
	"5F29 01 00 " CAR "7F49 15 06 0A 04007F00070202030102 02 02 0400 82 03 010001" CHR,
	"5F29 01 00 " CAR "7F49 0C " OID_EC CHR,			/* no curve */
	"5F29 01 00 " CAR "7F49 15 " RSA_1024 "86 00" CHR,
};

TEST_F(card, a_template_that_is_none_makes_no_key)
{
	unsigned int commits = self->rig.commits;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		EXPECT_EQ(SW_DATA, generate(&self->rig, refused[i]));
	EXPECT_EQ(commits, self->rig.commits);
	EXPECT_EQ(SW_OK, generate(&self->rig, "5F29 01 00 " CAR "7F49 15 " RSA_1024 CHR));
	EXPECT_EQ(SW_OK, generate(&self->rig, "5F29 00 " CHR "7F49 10 " OID_RSA "02 02 0400"));
}

/* A curve is all of its numbers or none. */
TEST_F(card, a_curve_that_nobody_knows_makes_no_key)
{
	struct curve c;
	uint8_t *const numbers[] = { c.p, c.a, c.b, c.g + 1, c.n };

	for (size_t i = 0; i < 5; i++) {
		uint8_t inner[512], buf[600];
		struct packer k = pack_begin(inner, sizeof(inner)), p = pack_begin(buf, sizeof(buf));

		ASSERT_EQ(0, curve_from_group("prime256v1", &c));
		numbers[i][31] ^= 1;
		tlv_put(&k, 0x06, BYTES("\x04\x00\x7f\x00\x07\x02\x02\x02\x02\x03", 10));
		tlv_put(&k, 0x81, BYTES(c.p, 32));
		tlv_put(&k, 0x82, BYTES(c.a, 32));
		tlv_put(&k, 0x83, BYTES(c.b, 32));
		tlv_put(&k, 0x84, BYTES(c.g, 65));
		tlv_put(&k, 0x85, BYTES(c.n, 32));
		tlv_put(&p, 0x7f49, pack_done(&k));
		tlv_put(&p, 0x5f20, BYTES("UTTM00001", 9));
		EXPECT_EQ(SW_DATA, rig_send(&self->rig, 0x00, INS_GENERATE_PAIR, 0x0200, pack_done(&p)));
	}
	EXPECT_EQ(0u, rig_lists(&self->rig, 0xcc02));
}

TEST_F(card, a_domain_has_to_be_there)
{
	struct rig *rig = &self->rig;

	EXPECT_EQ(SW_P1P2, rig_generate_ec(rig, 1, "prime256v1", "92 01 01"));
	ASSERT_EQ(SW_OK, rig_initialize(rig, "97 01 02"));
	ASSERT_EQ(SW_OK, rig_verify(rig, RIG_PIN));
	EXPECT_EQ(SW_NO_OBJECT, rig_generate_ec(rig, 1, "prime256v1", "92 01 01"));
	EXPECT_EQ(SW_NO_OBJECT, rig_send_hex(rig, 0x00, INS_GENERATE_SECRET, 0x01b0, "92 01 01"));
	EXPECT_EQ(SW_OK, rig_generate_ec(rig, 1, "prime256v1", ""));
	EXPECT_EQ(SW_OK, rig_send_hex(rig, 0x00, INS_GENERATE_SECRET, 0x02b0, "92 01 00"));
}

TEST_F(card, an_aes_key_of_each_length_is_made)
{
	struct rig *rig = &self->rig;

	for (unsigned int i = 0; i < 3; i++) {
		const struct hsm_record *record;

		ASSERT_EQ(SW_OK, rig_send_hex(rig, 0x00, INS_GENERATE_SECRET, 0x01b0 + 0x0101 * i,
					      "91 02 1018"));
		EXPECT_EQ(0u, rig->n);
		record = hsm_find_key(rig->hsm->state, (uint8_t)(1 + i));
		ASSERT_NOT_NULL(record);
		EXPECT_EQ(HSM_AES, hsm_key_kind(record->key));
		EXPECT_EQ(16 + 8 * i, hsm_key_size(record->key));
		EXPECT_TRUE(hsm_key_allows(record, 0x18));
		EXPECT_FALSE(hsm_key_allows(record, 0x11));
	}
	EXPECT_EQ(SW_DATA, rig_send_hex(rig, 0x00, INS_GENERATE_SECRET, 0x05b0, "81 01 00"));
	EXPECT_EQ(SW_DATA, rig_send_hex(rig, 0x00, INS_GENERATE_SECRET, 0x05b0, "91 02 10"));
	EXPECT_EQ(0u, rig_lists(rig, 0xcc05));
}

TEST_F(card, a_new_key_takes_the_place_of_an_old_one)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(SW_OK, rig_generate_ec(rig, 1, "prime256v1", "91 01 70"));
	ASSERT_EQ(SW_OK, rig_generate_rsa(rig, 1, 2048, ""));
	EXPECT_EQ(1u, rig_lists(rig, 0xcc01));
	EXPECT_EQ(SW_OK, rig_send(rig, 0x80, HSM_SIGN, 0x0133, BYTES("text", 4)));
}

TEST_F(card, a_key_that_has_no_room_is_not_made)
{
	struct rig *rig = &self->rig;

	for (unsigned int i = 1; i <= HSM_KEYS_MAX; i++)
		ASSERT_EQ(SW_OK, rig_send_hex(rig, 0x00, INS_GENERATE_SECRET, i << 8 | 0xb0, ""));
	EXPECT_EQ(SW_FULL, rig_send_hex(rig, 0x00, INS_GENERATE_SECRET, 0xf0b0, ""));
	EXPECT_EQ(SW_FULL, rig_generate_ec(rig, 0xf0, "prime256v1", ""));
	EXPECT_EQ(0u, rig->n);
	EXPECT_EQ(SW_OK, rig_generate_ec(rig, 1, "prime256v1", ""));
}
