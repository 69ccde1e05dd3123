/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Known answers of [SP 800-38A F.2, SP 800-38B D.1] and of GCM's own specification [test cases 3, 4, 16]. */
#include "format/aes.h"
#include "tests/harness.h"

static const uint8_t key128[] = { 0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
				  0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c };
static const uint8_t gcm_key[] = { 0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a, 0x8f,
				   0x94, 0x67, 0x30, 0x83, 0x08, 0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65,
				   0x73, 0x1c, 0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08 };
static const uint8_t gcm_iv[] = { 0xca, 0xfe, 0xba, 0xbe, 0xfa, 0xce, 0xdb, 0xad, 0xde, 0xca, 0xf8, 0x88 };
static const uint8_t gcm_aad[] = { 0xfe, 0xed, 0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xfe, 0xed,
				   0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xab, 0xad, 0xda, 0xd2 };
static const uint8_t gcm_text[60] = {
	0xd9, 0x31, 0x32, 0x25, 0xf8, 0x84, 0x06, 0xe5, 0xa5, 0x59, 0x09, 0xc5, 0xaf, 0xf5, 0x26,
	0x9a, 0x86, 0xa7, 0xa9, 0x53, 0x15, 0x34, 0xf7, 0xda, 0x2e, 0x4c, 0x30, 0x3d, 0x8a, 0x31,
	0x8a, 0x72, 0x1c, 0x3c, 0x0c, 0x95, 0x95, 0x68, 0x09, 0x53, 0x2f, 0xcf, 0x0e, 0x24, 0x49,
	0xa6, 0xb5, 0x25, 0xb1, 0x6a, 0xed, 0xf5, 0xaa, 0x0d, 0xe6, 0x57, 0xba, 0x63, 0x7b, 0x39,
};
static const uint8_t tag128[] = { 0x5b, 0xc9, 0x4f, 0xbc, 0x32, 0x21, 0xa5, 0xdb,
				  0x94, 0xfa, 0xe9, 0x5a, 0xe7, 0x12, 0x1a, 0x47 };
static const uint8_t tag256[] = { 0x76, 0xfc, 0x6e, 0xce, 0x0f, 0x4e, 0x17, 0x68,
				  0xcd, 0xdf, 0x88, 0x53, 0xbb, 0x2d, 0x55, 0x1b };

TEST(cbc_gives_the_known_answer_and_takes_it_back)
{
	static const uint8_t iv[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	static const uint8_t text[] = { 0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96,
					0xe9, 0x3d, 0x7e, 0x11, 0x73, 0x93, 0x17, 0x2a };
	static const uint8_t wanted[] = { 0x76, 0x49, 0xab, 0xac, 0x81, 0x19, 0xb2, 0x46,
					  0xce, 0xe9, 0x8e, 0x9b, 0x12, 0xe9, 0x19, 0x7d };
	uint8_t buf[64];
	struct packer p = pack_begin(buf, sizeof(buf));

	ASSERT_EQ(0, aes_cbc(BYTES_OF(key128), true, BYTES_OF(iv), BYTES_OF(text), &p));
	EXPECT_BYTES_EQ(BYTES_OF(wanted), pack_done(&p));
	ASSERT_EQ(0, aes_cbc(BYTES_OF(key128), false, BYTES_OF(iv), BYTES_OF(wanted), &p));
	EXPECT_BYTES_EQ(BYTES_OF(text), bytes_slice(pack_done(&p), 16, 16));
	EXPECT_EQ(-EINVAL, aes_cbc(BYTES_OF(key128), true, BYTES_OF(iv), BYTES(text, 15), &p));
	EXPECT_EQ(-EINVAL, aes_cbc(BYTES_OF(key128), true, BYTES_OF(iv), BYTES_NONE, &p));
	EXPECT_EQ(-EINVAL, aes_cbc(BYTES_OF(key128), true, BYTES(iv, 15), BYTES_OF(text), &p));
	EXPECT_EQ(-EINVAL, aes_cbc(BYTES(key128, 15), true, BYTES_OF(iv), BYTES_OF(text), &p));
}

static void try_gcm(struct bytes key, struct bytes tag)
{
	uint8_t buf[128], got[GCM_TAG_SIZE];
	struct packer p = pack_begin(buf, sizeof(buf)), back;
	uint8_t again[64];

	ASSERT_EQ(0, aes_gcm_encrypt(key, BYTES_OF(gcm_iv), BYTES_OF(gcm_aad), BYTES_OF(gcm_text), &p, got));
	EXPECT_EQ(60u, p.n);
	EXPECT_BYTES_EQ(tag, BYTES_OF(got));
	back = pack_begin(again, sizeof(again));
	ASSERT_EQ(0, aes_gcm_decrypt(key, BYTES_OF(gcm_iv), BYTES_OF(gcm_aad), pack_done(&p), tag, &back));
	EXPECT_BYTES_EQ(BYTES_OF(gcm_text), pack_done(&back));
	for (size_t i = 0; i < GCM_TAG_SIZE; i++) {
		back = pack_begin(again, sizeof(again));
		got[i] ^= 1;
		EXPECT_EQ(-EBADMSG, aes_gcm_decrypt(key, BYTES_OF(gcm_iv), BYTES_OF(gcm_aad), pack_done(&p),
						    BYTES_OF(got), &back));
		EXPECT_EQ(0u, back.n);
		got[i] ^= 1;
	}
	buf[7] ^= 0x20;
	EXPECT_EQ(-EBADMSG, aes_gcm_decrypt(key, BYTES_OF(gcm_iv), BYTES_OF(gcm_aad), pack_done(&p), tag, &back));
	buf[7] ^= 0x20;
	EXPECT_EQ(-EBADMSG, aes_gcm_decrypt(key, BYTES_OF(gcm_iv), BYTES(gcm_aad, 19), pack_done(&p), tag, &back));
}

TEST(gcm_gives_the_known_tag_and_takes_no_other)
{
	try_gcm(BYTES(gcm_key, 16), BYTES_OF(tag128));
	try_gcm(BYTES_OF(gcm_key), BYTES_OF(tag256));
}

TEST(gcm_of_nothing_is_a_tag)
{
	static const uint8_t zero[16], wanted[] = { 0x58, 0xe2, 0xfc, 0xce, 0xfa, 0x7e, 0x30, 0x61,
						    0x36, 0x7f, 0x1d, 0x57, 0xa4, 0xe7, 0x45, 0x5a };
	uint8_t buf[16], tag[GCM_TAG_SIZE];
	struct packer p = pack_begin(buf, sizeof(buf));

	ASSERT_EQ(0, aes_gcm_encrypt(BYTES_OF(zero), BYTES(zero, 12), BYTES_NONE, BYTES_NONE, &p, tag));
	EXPECT_EQ(0u, p.n);
	EXPECT_BYTES_EQ(BYTES_OF(wanted), BYTES_OF(tag));
	EXPECT_EQ(0, aes_gcm_decrypt(BYTES_OF(zero), BYTES(zero, 12), BYTES_NONE, BYTES_NONE, BYTES_OF(tag), &p));
}

/* AES-128(0) is on the way to the CMAC subkeys in [SP 800-38B D.1]. */
TEST(a_check_value_is_the_start_of_encrypted_zeros)
{
	static const uint8_t wanted[] = { 0x7d, 0xf7, 0x6b };
	struct key_mark mark, other;
	uint8_t key[32] = { 0 };

	ASSERT_EQ(0, aes_mark(BYTES_OF(key128), &mark));
	EXPECT_EQ(KF_KEY_AES_128, mark.key_type);
	EXPECT_BYTES_EQ(BYTES_OF(wanted), BYTES_OF(mark.check));
	ASSERT_EQ(0, aes_mark(BYTES(key, 24), &mark));
	EXPECT_EQ(KF_KEY_AES_192, mark.key_type);
	key[23] = 1;
	ASSERT_EQ(0, aes_mark(BYTES(key, 24), &other));
	EXPECT_NE(0, memcmp(mark.mark, other.mark, sizeof(mark.mark)));
	EXPECT_EQ(-EINVAL, aes_mark(BYTES(key, 20), &mark));
	EXPECT_EQ(-EINVAL, aes_mark(BYTES_NONE, &mark));
}
