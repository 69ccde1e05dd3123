/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/driver/card/schsm_script.h"

FIXTURE(key) {
	struct script s;
	uint8_t out[1024], digest[64], input[SCHSM_COMMAND_MAX + 1];
	struct packer p;
};
FIXTURE_SETUP(key)
{
	schsm_script_open(&self->s);
	self->p = pack_begin(self->out, sizeof(self->out));
	memset(self->digest, 0x11, sizeof(self->digest));
	memset(self->input, 0x22, sizeof(self->input));
}
FIXTURE_TEARDOWN(key)
{
	script_done(&self->s);
	script_close(&self->s);
}

#define D16 "11111111111111111111111111111111"

/* DigestInfo [RFC 8017 9.2 note 1] in front of the hash for 30, the bare hash for 40 and 70. */
TEST_F(key, each_signature_has_its_command)
{
	static const struct { uint32_t padding, hash; size_t n; const char *want; } rows[] = {
		{ KF_PADDING_PKCS1, KF_HASH_SHA1, 20,
		  "80680330 000023 3021300906052B0E03021A05000414" D16 "11111111 0000" },
		{ KF_PADDING_PKCS1, KF_HASH_SHA256, 32,
		  "80680330 000033 3031300D060960864801650304020105000420" D16 D16 "0000" },
		{ KF_PADDING_PKCS1, KF_HASH_SHA384, 48,
		  "80680330 000043 3041300D060960864801650304020205000430" D16 D16 D16 "0000" },
		{ KF_PADDING_PKCS1, KF_HASH_SHA512, 64,
		  "80680330 000053 3051300D060960864801650304020305000440" D16 D16 D16 D16 "0000" },
		{ KF_PADDING_PSS, KF_HASH_SHA256, 32, "80680340 000020" D16 D16 "0000" },
		{ KF_PADDING_NONE, KF_HASH_SHA384, 48, "80680370 000030" D16 D16 D16 "0000" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kf_sign how = { .container = 3, .padding = rows[i].padding, .hash = rows[i].hash };

		script_expect(&self->s, rows[i].want, "AABB 9000");
		self->p.n = 0;
		EXPECT_EQ(0, schsm_card_driver.sign(script_begin(&self->s), &how,
						    BYTES(self->digest, rows[i].n), &self->p));
		EXPECT_BYTES_EQ(BYTES("\xaa\xbb", 2), pack_done(&self->p));
	}
}

TEST_F(key, what_is_no_hash_is_not_signed)
{
	struct kf_sign how = { .container = 3, .padding = KF_PADDING_PKCS1, .hash = KF_HASH_SHA256 };

	EXPECT_EQ(-EINVAL, schsm_card_driver.sign(script_begin(&self->s), &how, BYTES(self->digest, 31), &self->p));
	how.hash = KF_HASH_NONE;
	EXPECT_EQ(-EINVAL, schsm_card_driver.sign(script_begin(&self->s), &how, BYTES_NONE, &self->p));
	how.hash = 77;
	EXPECT_EQ(-EINVAL, schsm_card_driver.sign(script_begin(&self->s), &how, BYTES(self->digest, 32), &self->p));
	how = (struct kf_sign){ .container = 3, .padding = KF_PADDING_OAEP, .hash = KF_HASH_SHA256 };
	EXPECT_EQ(-EINVAL, schsm_card_driver.sign(script_begin(&self->s), &how, BYTES(self->digest, 32), &self->p));
	how.padding = KF_PADDING_PSS;
	how.salt_len = 20;
	EXPECT_EQ(-EOPNOTSUPP, schsm_card_driver.sign(script_begin(&self->s), &how, BYTES(self->digest, 32), &self->p));
}

TEST_F(key, why_the_card_does_not_sign_is_told)
{
	static const struct { const char *sw; int error; uint16_t reason; } rows[] = {
		{ "6985", -EREMOTEIO, KF_REASON_KEY_PURPOSE }, { "6982", -EPERM, KF_REASON_PIN_NEEDED },
		{ "6A88", -ENOENT, 0 }, { "6700", -EINVAL, 0 }, { "9000", -EBADMSG, 0 },
	};
	struct kf_sign how = { .container = 3, .padding = KF_PADDING_NONE, .hash = KF_HASH_SHA256 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		script_expect(&self->s, "80680370 000020" D16 D16 "0000", rows[i].sw);
		EXPECT_EQ(rows[i].error, schsm_card_driver.sign(script_begin(&self->s), &how,
								BYTES(self->digest, 32), &self->p));
		EXPECT_EQ(rows[i].reason, self->s.card->said.reason);
	}
}

TEST_F(key, decryption_takes_the_padding_off_in_the_card)
{
	struct kf_decrypt how = { .container = 4, .padding = KF_PADDING_PKCS1 };

	script_expect(&self->s, "80620422 000002 2222 0000", "AA 9000");
	EXPECT_EQ(0, schsm_card_driver.decrypt(script_begin(&self->s), &how, BYTES(self->input, 2), BYTES_NONE, &self->p));
	how = (struct kf_decrypt){ .container = 4, .padding = KF_PADDING_OAEP, .hash = KF_HASH_SHA256 };
	script_expect(&self->s, "80620423 000002 2222 0000", "6A86");
	EXPECT_EQ(-EOPNOTSUPP, schsm_card_driver.decrypt(script_begin(&self->s), &how, BYTES(self->input, 2), BYTES_NONE, &self->p));
	script_expect(&self->s, "80620423 000002 2222 0000", "AABBCC 9000");
	EXPECT_EQ(-EBADMSG, schsm_card_driver.decrypt(script_begin(&self->s), &how, BYTES(self->input, 2), BYTES_NONE, &self->p));
	how.hash = KF_HASH_SHA512;
	EXPECT_EQ(-EOPNOTSUPP, schsm_card_driver.decrypt(script_begin(&self->s), &how, BYTES(self->input, 2), BYTES_NONE, &self->p));
	how.padding = KF_PADDING_NONE;
	EXPECT_EQ(-EINVAL, schsm_card_driver.decrypt(script_begin(&self->s), &how, BYTES(self->input, 2), BYTES_NONE, &self->p));
}

/* [cards 2.3 DECIPHER]: the vendor's card and another. */
TEST_F(key, agreement_takes_x_of_either_answer)
{
	static const char *const good[] = { "04 AABB CCDD 9000", "04 AABB 9000" };
	static const char *const bad[] = { "AABB 9000", "04 AABBCC 9000", "02 AABB CCDD 9000", "04 9000", "9000" };
	const struct bytes peer = BYTES("\x04\1\2\3\4", 5);

	for (size_t i = 0; i < 2; i++) {
		script_expect(&self->s, "80620580 000005 0401020304 0000", good[i]);
		self->p.n = 0;
		EXPECT_EQ(0, schsm_card_driver.agree(script_begin(&self->s), 5, peer, &self->p));
		EXPECT_BYTES_EQ(BYTES("\xaa\xbb", 2), pack_done(&self->p));
	}
	for (size_t i = 0; i < 5; i++) {
		script_expect(&self->s, "80620580 000005 0401020304 0000", bad[i]);
		EXPECT_EQ(-EBADMSG, schsm_card_driver.agree(script_begin(&self->s), 5, peer, &self->p));
	}
	EXPECT_EQ(-EINVAL, schsm_card_driver.agree(script_begin(&self->s), 5, BYTES("\x04\1\2\3", 4), &self->p));
	EXPECT_EQ(-EINVAL, schsm_card_driver.agree(script_begin(&self->s), 5, BYTES("\x02\1\2", 3), &self->p));
	EXPECT_EQ(-EINVAL, schsm_card_driver.agree(script_begin(&self->s), 5, BYTES_NONE, &self->p));
}

/* The card's IV is zero: ours goes into the first block, and the last of one run into the next. */
TEST_F(key, cbc_has_our_iv_though_the_card_has_none)
{
	struct kf_cipher how = { .container = 6, .mode = KF_CHAIN_CBC };

	memset(how.iv, 0x0f, sizeof(how.iv));
	script_expect(&self->s, "80780610 000010 2D2D2D2D2D2D2D2D2D2D2D2D2D2D2D2D 0000", D16 "9000");
	EXPECT_EQ(0, schsm_card_driver.cipher(script_begin(&self->s), &how, BYTES_NONE, BYTES(self->input, 16), &self->p));
	EXPECT_BYTES_EQ(BYTES(self->digest, 16), pack_done(&self->p));
	how.flags = KF_CIPHER_DECRYPT;
	self->p.n = 0;
	script_expect(&self->s, "80780611 000010 22222222222222222222222222222222 0000", D16 "9000");
	EXPECT_EQ(0, schsm_card_driver.cipher(script_begin(&self->s), &how, BYTES_NONE, BYTES(self->input, 16), &self->p));
	EXPECT_EQ(0x11 ^ 0x0f, self->out[0]);
	script_expect(&self->s, "80780611 000010 22222222222222222222222222222222 0000", "11 9000");
	EXPECT_EQ(-EBADMSG, schsm_card_driver.cipher(script_begin(&self->s), &how, BYTES_NONE, BYTES(self->input, 16), &self->p));
	EXPECT_EQ(-EINVAL, schsm_card_driver.cipher(script_begin(&self->s), &how, BYTES_NONE, BYTES(self->input, 15), &self->p));
	how.mode = KF_CHAIN_GCM;
	EXPECT_EQ(-EOPNOTSUPP, schsm_card_driver.cipher(script_begin(&self->s), &how, BYTES_NONE, BYTES(self->input, 16), &self->p));
}

static int mac(struct fixture_key *self, struct kf_cipher how, size_t aad, size_t n)
{
	how.container = 6;
	how.flags |= KF_CIPHER_MAC;
	self->p.n = 0;
	return schsm_card_driver.cipher(script_begin(&self->s), &how, BYTES(self->digest, aad), BYTES(self->input, n), &self->p);
}

/* [cards 2.3 80 78 18]: whatever the length, and 16 bytes of answer. */
TEST_F(key, a_mac_is_one_command)
{
	static const char *const bad[] = { "9000", D16 "11 9000", "11 9000" };
	struct kf_cipher how = { 0 };

	script_expect(&self->s, "80780618 000011 2222222222222222222222222222222222 0000", D16 "9000");
	EXPECT_EQ(0, mac(self, how, 0, 17));
	EXPECT_BYTES_EQ(BYTES(self->digest, 16), pack_done(&self->p));
	for (size_t i = 0; i < 3; i++) {
		script_expect(&self->s, "80780618 000001 22 0000", bad[i]);
		EXPECT_EQ(-EBADMSG, mac(self, how, 0, 1));
	}
	script_expect(&self->s, "80780618 000001 22 0000", "6985");
	EXPECT_EQ(-EREMOTEIO, mac(self, how, 0, 1));
	EXPECT_EQ(KF_REASON_KEY_PURPOSE, self->s.card->said.reason);
}

TEST_F(key, what_is_no_mac_or_too_long_for_one_is_not_sent)
{
	struct kf_cipher how = { 0 };

	EXPECT_EQ(-EINVAL, mac(self, how, 0, 0));
	EXPECT_EQ(-EINVAL, mac(self, how, 1, 16));
	how.mode = KF_CHAIN_CBC;
	EXPECT_EQ(-EINVAL, mac(self, how, 0, 16));
	how = (struct kf_cipher){ .flags = KF_CIPHER_DECRYPT };
	EXPECT_EQ(-EINVAL, mac(self, how, 0, 16));
	how.flags = 0;
	EXPECT_EQ(-EOPNOTSUPP, mac(self, how, 0, SCHSM_COMMAND_MAX + 1));
	self->s.io->extended = false;
	EXPECT_EQ(-EOPNOTSUPP, mac(self, how, 0, 256));
	self->s.io->extended = true;
}

TEST_F(key, a_long_text_goes_in_runs_chained_by_their_last_block)
{
	struct kf_cipher how = { .container = 6, .mode = KF_CHAIN_CBC };
	uint8_t want[300], answer[260];
	struct packer w = pack_begin(want, sizeof(want)), a = pack_begin(answer, sizeof(answer));

	self->s.io->extended = false;
	pack_be(&w, 0x80780610, 4);
	pack_u8(&w, 240);
	pack_bytes(&w, BYTES(self->input, 240));
	pack_u8(&w, 0);
	memset(answer, 0x55, 240);
	a.n = 240;
	pack_be16(&a, 0x9000);
	script_add(&self->s, pack_done(&w), pack_done(&a));
	script_expect(&self->s, "80780610 10 77777777777777777777777777777777 00", D16 "9000");
	EXPECT_EQ(0, schsm_card_driver.cipher(script_begin(&self->s), &how, BYTES_NONE, BYTES(self->input, 256), &self->p));
	EXPECT_EQ((size_t)256, self->p.n);
	self->s.io->extended = true;
}
