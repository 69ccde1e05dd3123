/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/numbers.h"
#include "tests/harness.h"

TEST(names_and_numbers_lead_to_each_other)
{
	for (int i = 0; i < 32; i++) {
		enum kf_key_type type = (enum kf_key_type)i, type_again = KF_KEY_NONE;
		enum kf_purpose purpose = (enum kf_purpose)i, purpose_again = KF_PURPOSE_NONE;

		if (key_type_name(type)) {
			EXPECT_EQ(0, key_type_from_name(key_type_name(type), &type_again));
			EXPECT_EQ(type, type_again);
		}
		if (purpose_name(purpose)) {
			EXPECT_EQ(0, purpose_from_name(purpose_name(purpose), &purpose_again));
			EXPECT_EQ(purpose, purpose_again);
		}
	}
}

TEST(a_card_makes_rsa_and_the_three_curves_of_the_first_page)
{
	uint32_t made = 0;

	for (int type = 0; type < 32; type++)
		made |= (uint32_t)key_type_is_made((enum kf_key_type)type) << type;
	EXPECT_EQ(0x7eu, made);
}

TEST(a_hash_has_its_usual_name)
{
	enum kf_hash hash = KF_HASH_NONE;

	EXPECT_EQ(0, hash_from_name("sha384", &hash));
	EXPECT_EQ(KF_HASH_SHA384, hash);
	EXPECT_STREQ("sha1", hash_name(KF_HASH_SHA1));
	EXPECT_EQ(-EINVAL, hash_from_name("md5", &hash));
	EXPECT_TRUE(hash_name(KF_HASH_NONE) == NULL);
}

TEST(an_unknown_name_is_refused)
{
	enum kf_key_type type;
	enum kf_purpose purpose;
	enum kf_method method;

	EXPECT_EQ(-EINVAL, key_type_from_name("rsa1024", &type));
	EXPECT_EQ(-EINVAL, purpose_from_name("", &purpose));
	EXPECT_EQ(-EINVAL, method_from_name("RSA", &method));
}

TEST(purposes_suit_types_as_the_page_says)
{
	EXPECT_TRUE(key_type_suits(KF_KEY_RSA_3072, KF_PURPOSE_SIGN));
	EXPECT_TRUE(key_type_suits(KF_KEY_RSA_3072, KF_PURPOSE_DECRYPT));
	EXPECT_FALSE(key_type_suits(KF_KEY_RSA_3072, KF_PURPOSE_DERIVE));
	EXPECT_TRUE(key_type_suits(KF_KEY_EC_P521, KF_PURPOSE_DERIVE));
	EXPECT_FALSE(key_type_suits(KF_KEY_EC_P256, KF_PURPOSE_DECRYPT));
	EXPECT_TRUE(key_type_suits(KF_KEY_EC_P256K, KF_PURPOSE_SIGN));
	EXPECT_TRUE(key_type_suits(KF_KEY_AES_128, KF_PURPOSE_CIPHER));
	EXPECT_FALSE(key_type_suits(KF_KEY_AES_128, KF_PURPOSE_SIGN));
	EXPECT_FALSE(key_type_suits(KF_KEY_RSA_2048, KF_PURPOSE_CIPHER));
	EXPECT_FALSE(key_type_suits(KF_KEY_3DES_168, KF_PURPOSE_CIPHER));
	for (int type = 0; type < 32; type++) {
		EXPECT_FALSE(key_type_suits((enum kf_key_type)type, KF_PURPOSE_EXCHANGE));
		EXPECT_FALSE(key_type_suits((enum kf_key_type)type, KF_PURPOSE_DEVICE));
		EXPECT_FALSE(key_type_suits((enum kf_key_type)type, KF_PURPOSE_KEK));
	}
}

TEST(no_algorithm_suits_a_key_that_only_receives)
{
	for (int alg = 0; alg < 256; alg++) {
		for (int type = 0; type < 16; type++) {
			for (int purpose = 0; purpose < KF_PURPOSE_SIGN; purpose++)
				EXPECT_FALSE(algorithm_suits((enum algorithm)alg,
							     (enum kf_key_type)type,
							     (enum kf_purpose)purpose));
		}
	}
	EXPECT_TRUE(algorithm_suits(ALG_ECDH, KF_KEY_EC_P384, KF_PURPOSE_DERIVE));
	EXPECT_FALSE(algorithm_suits(ALG_ECDH, KF_KEY_EC_P384, KF_PURPOSE_SIGN));
	EXPECT_FALSE(algorithm_suits(ALG_PKCS1_SHA256, KF_KEY_EC_P256, KF_PURPOSE_SIGN));
}

TEST(sizes_are_those_of_the_field_and_the_modulus)
{
	EXPECT_EQ(66u, key_type_size(KF_KEY_EC_P521));
	EXPECT_EQ(384u, key_type_size(KF_KEY_RSA_3072));
	EXPECT_EQ(32u, key_type_size(KF_KEY_EC_P256K));
	EXPECT_EQ(24u, key_type_size(KF_KEY_AES_192));
	EXPECT_EQ(0u, key_type_size(KF_KEY_3DES_168));
	EXPECT_EQ(48u, algorithm_hash_size(ALG_PSS_SHA384));
	EXPECT_EQ(0u, algorithm_hash_size(ALG_ECDH));
}

TEST(a_serial_has_one_alphabet)
{
	EXPECT_TRUE(serial_is_valid(BYTES("KF-0001.a", 9)));
	EXPECT_FALSE(serial_is_valid(BYTES("", 0)));
	EXPECT_FALSE(serial_is_valid(BYTES("a\0b", 3)));
	EXPECT_FALSE(serial_is_valid(BYTES("../x", 4)));
	EXPECT_TRUE(serial_is_valid(BYTES("12345678901234567890123456789012", 32)));
	EXPECT_FALSE(serial_is_valid(BYTES("123456789012345678901234567890123", 33)));
}
