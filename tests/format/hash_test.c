/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/hash.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "tests/harness.h"

TEST(sha256_of_abc_is_the_published_one)
{
	/* [FIPS 180-4, example "abc"] */
	static const uint8_t want[] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
					0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
					0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
					0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad };
	uint8_t got[KF_DIGEST_SIZE];

	EXPECT_EQ(0, sha256(BYTES("abc", 3), got));
	EXPECT_TRUE(bytes_equal(BYTES_OF(want), BYTES_OF(got)));
}

TEST(a_signature_covers_both_ranges_and_every_bit)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	uint8_t buf[ECDSA_SIG_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &key));
	ASSERT_EQ(0, ecdsa_sign(key, BYTES("ab", 2), BYTES("cd", 2), &p));
	EXPECT_EQ(0, ecdsa_verify(key, BYTES("ab", 2), BYTES("cd", 2), pack_done(&p)));
	EXPECT_EQ(0, ecdsa_verify(key, BYTES("abcd", 4), BYTES_NONE, pack_done(&p)));
	EXPECT_EQ(-EBADMSG, ecdsa_verify(key, BYTES("ab", 2), BYTES("ce", 2), pack_done(&p)));
	EXPECT_EQ(-EBADMSG, ecdsa_verify(key, BYTES("ab", 2), BYTES("cd", 2), BYTES_NONE));
	for (size_t i = 0; i < p.n; i++) {
		buf[i] ^= 1;
		EXPECT_EQ(-EBADMSG, ecdsa_verify(key, BYTES("ab", 2), BYTES("cd", 2), pack_done(&p)));
		buf[i] ^= 1;
	}
}

TEST(only_p256_keys_verify)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *p384 = NULL;

	ASSERT_EQ(0, key_generate(KF_KEY_EC_P384, &p384));
	EXPECT_EQ(-EINVAL, ecdsa_verify(p384, BYTES("x", 1), BYTES_NONE, BYTES("y", 1)));
}
