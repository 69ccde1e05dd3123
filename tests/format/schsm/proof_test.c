/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a key is asked depends on what its list lets it do.
 *
 * Faces: format/schsm/allowed.c
 */
#include "format/schsm/proof.h"
#include "format/schsm/allowed.h"
#include "tests/format/schsm/hex.h"

TEST(no_default_list_lets_a_key_be_wrapped_and_each_proves_something)
{
	static const struct {
		enum kf_key_type type;
		enum kf_purpose purpose;
		enum proof_operation operation;
	} rows[] = {
		{ KF_KEY_RSA_2048, KF_PURPOSE_SIGN, PROOF_SIGN_PKCS1 },
		{ KF_KEY_RSA_4096, KF_PURPOSE_DECRYPT, PROOF_DECRYPT },
		{ KF_KEY_EC_P256, KF_PURPOSE_SIGN, PROOF_SIGN_ECDSA },
		{ KF_KEY_EC_P521, KF_PURPOSE_DERIVE, PROOF_AGREE },
		{ KF_KEY_AES_128, KF_PURPOSE_CIPHER, PROOF_CBC_ENCRYPT },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes list = allowed_by_default(rows[i].type, rows[i].purpose);

		EXPECT_GT(list.n, 0u);
		EXPECT_FALSE(allowed_has(list, ALLOW_WRAP));
		EXPECT_EQ(rows[i].operation, proof_choose(rows[i].type, list));
	}
	EXPECT_EQ(0u, allowed_by_default(KF_KEY_EC_P256, KF_PURPOSE_DECRYPT).n);
	EXPECT_TRUE(allowed_has(BYTES_NONE, ALLOW_WRAP));
}

TEST(a_narrow_list_has_a_narrow_proof_or_none)
{
	static const uint8_t pss[] = { 0x40 }, raw[] = { 0x21 }, ecdh[] = { 0x80 }, cmac[] = { 0x18 },
			     decrypt[] = { 0x11 }, sha1[] = { 0x31 };

	EXPECT_EQ(PROOF_SIGN_PSS, proof_choose(KF_KEY_RSA_2048, BYTES_OF(pss)));
	EXPECT_EQ(PROOF_DECRYPT, proof_choose(KF_KEY_RSA_2048, BYTES_OF(raw)));
	EXPECT_EQ(PROOF_NONE, proof_choose(KF_KEY_RSA_2048, BYTES_OF(sha1)));
	EXPECT_EQ(PROOF_AGREE, proof_choose(KF_KEY_EC_P384, BYTES_OF(ecdh)));
	EXPECT_EQ(PROOF_NONE, proof_choose(KF_KEY_EC_P384, BYTES_OF(cmac)));
	EXPECT_EQ(PROOF_CBC_DECRYPT, proof_choose(KF_KEY_AES_256, BYTES_OF(decrypt)));
	EXPECT_EQ(PROOF_NONE, proof_choose(KF_KEY_AES_256, BYTES_OF(cmac)));
}

TEST(every_operation_has_its_name)
{
	for (int i = PROOF_NONE; i <= PROOF_CBC_DECRYPT; i++) {
		enum proof_operation again;

		ASSERT_EQ(0, proof_operation_from_name(proof_operation_name((enum proof_operation)i), &again));
		EXPECT_EQ(i, again);
	}
	EXPECT_NULL(proof_operation_name((enum proof_operation)8));
	EXPECT_EQ(-EINVAL, proof_operation_from_name("sign", &(enum proof_operation){ PROOF_NONE }));
}

/* SHA-256("keyferry/dkek-proof/v1" 00 || 10 x 16 || 20 x 32 || SHA-256("blob")), by sha256sum */
TEST(what_is_signed_is_as_written_down)
{
	uint8_t sid[KF_SID_SIZE], challenge[PROOF_CHALLENGE_SIZE], digest[KF_DIGEST_SIZE];

	memset(sid, 0x10, sizeof(sid));
	memset(challenge, 0x20, sizeof(challenge));
	ASSERT_EQ(0, proof_digest(sid, challenge, BYTES("blob", 4), digest));
	EXPECT_HEX("D4DD12181FB7B7C600EDDA7B31220CD8239D91A3B41EAE019AD11DECCCCD4D10", BYTES_OF(digest));
}

/* By openssl dgst -sha256 over the text of docs/formats.md 15. */
TEST(an_answer_is_sent_as_a_hash_for_one_cargo)
{
	static const uint8_t sid[KF_SID_SIZE] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
	uint8_t out[KF_DIGEST_SIZE], longer[PROOF_ANSWER_MAX + 1] = { 0 };

	ASSERT_EQ(0, proof_answer(sid, BYTES("answer", 6), out));
	EXPECT_HEX("425F6553EA52D6E0C462A4CEC0485029916D3AB64349F2E9AC39AE7CF02C070E", BYTES_OF(out));
	EXPECT_EQ(-EINVAL, proof_answer(sid, BYTES_OF(longer), out));
}
