/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/driver/card/script.h"

#define SELECT	"00A40400 00000A F06B657966657272 7901 0000"
#define FCI	"6F0C 840A F06B657966657272 7901 9000"
#define FACTS	"00CA0100 000000"

FIXTURE(kf) { struct script s; };
FIXTURE_SETUP(kf) { (void)self; }
FIXTURE_TEARDOWN(kf) { script_close(&self->s); }

TEST_F(kf, a_card_of_ours_is_selected_and_read_once)
{
	struct kf_card_info info = { 0 };

	script_open(&self->s, 1);
	card_describe(self->s.card, &info);
	EXPECT_BYTES_EQ(BYTES(SCRIPT_SERIAL, strlen(SCRIPT_SERIAL)),
			BYTES(info.serial, info.serial_len));
	EXPECT_FALSE(info.flags & KF_CARD_OPEN_IMPORT);
	EXPECT_TRUE(info.flags & KF_CARD_SESSIONS_STAY);
	script_done(&self->s);
}

TEST_F(kf, card_information_is_told_in_the_protocols_words)
{
	struct kf_card_info info = { 0 };

	script_open(&self->s, 0);
	script_pin_state(&self->s, 2, 7, true);
	script_pin_state(&self->s, 2, 7, true);
	ASSERT_EQ(0, kf_card_driver.info(script_begin(&self->s), &info));
	EXPECT_EQ(1u << 16, info.app_version);
	EXPECT_EQ((uint32_t)KF_LEVEL_VIRTUAL, info.level);
	EXPECT_EQ((uint32_t)KF_IMPORT_RSA, info.key_import);
	EXPECT_EQ(0x7eu, info.key_types);
	EXPECT_EQ(0x0eu, info.exchange_types);
	EXPECT_EQ(1u << KF_KEY_AES_256, info.ciphers);
	EXPECT_EQ(KF_CHAIN_CBC, info.chain_modes);
	EXPECT_EQ(KF_PADDING_NONE | KF_PADDING_PKCS1 | KF_PADDING_PSS | KF_PADDING_OAEP,
		  info.paddings);
	EXPECT_EQ(KF_PADDING_BLOCK, info.cipher_paddings);
	EXPECT_EQ(0x1eu, info.hashes);
	EXPECT_EQ(1u << KF_METHOD_RSA, info.methods);
	EXPECT_EQ(1u << KF_FUNCTION_IMPORT_KEYPAIR | 1u << KF_FUNCTION_CHANGE_AUTHENTICATOR |
		  1u << KF_FUNCTION_AUTHENTICATE | 1u << KF_FUNCTION_IMPORT_SECRET, info.functions);
	EXPECT_EQ(1u << KF_PURPOSE_SIGN | 1u << KF_PURPOSE_DECRYPT | 1u << KF_PURPOSE_DERIVE |
			  1u << KF_PURPOSE_EXCHANGE | 1u << KF_PURPOSE_CIPHER,
		  info.purposes);
	EXPECT_EQ(16u, info.n_containers);
	EXPECT_EQ(8192u, info.max_item);
	EXPECT_EQ(2, info.tries[KF_PIN_USER]);
	EXPECT_EQ(7, info.tries[KF_PIN_PUK]);
	EXPECT_EQ(KF_TRIES_UNKNOWN, info.tries[0]);
	EXPECT_EQ(1u << KF_PIN_USER, info.verified);
	EXPECT_TRUE(info.flags & KF_CARD_OPEN_IMPORT);
	script_done(&self->s);
}

TEST_F(kf, a_card_says_whether_it_knows_keks)
{
	struct kf_card_info info = { 0 };

	script_open(&self->s, 1 | SCRIPT_KEKS);
	script_pin_state(&self->s, 3, 8, false);
	script_pin_state(&self->s, 3, 8, false);
	ASSERT_EQ(0, kf_card_driver.info(script_begin(&self->s), &info));
	EXPECT_EQ(0x277eu, info.unwrap_types);
	EXPECT_EQ(0x1eu, info.unwrap_hashes);
	EXPECT_EQ(0x7eu, info.key_types);
	script_close(&self->s);
	script_open(&self->s, 1);
	script_pin_state(&self->s, 3, 8, false);
	script_pin_state(&self->s, 3, 8, false);
	ASSERT_EQ(0, kf_card_driver.info(script_begin(&self->s), &info));
	EXPECT_EQ(0u, info.unwrap_types);
}

/* The next application that is asked for is a SmartCard-HSM's. */
#define OTHER	"00A40400 00000B E82B0601040181C31F0201 0000"

TEST_F(kf, another_card_is_nobodys)
{
	script_blank(&self->s);
	script_expect(&self->s, SELECT, "6A82");
	script_expect(&self->s, OTHER, "6A82");
	EXPECT_EQ(0, card_identify(self->s.card, card_drivers));
	EXPECT_NULL(self->s.card->driver);
	EXPECT_FALSE(self->s.card->lost);
}

TEST_F(kf, a_card_that_answers_select_with_another_name_is_nobodys)
{
	script_blank(&self->s);
	script_expect(&self->s, SELECT, "6F0C 840A F06B657966657272 7902 9000");
	script_expect(&self->s, OTHER, "6A82");
	EXPECT_EQ(0, card_identify(self->s.card, card_drivers));
	EXPECT_NULL(self->s.card->driver);
}

TEST_F(kf, a_card_lost_under_select_is_an_error)
{
	script_blank(&self->s);
	script_break(&self->s, SELECT, -EIO, true);
	EXPECT_EQ(-EIO, card_identify(self->s.card, card_drivers));
	EXPECT_TRUE(self->s.card->lost);
}

static int open_with(struct script *s, struct bytes facts)
{
	script_blank(s);
	script_expect(s, SELECT, FCI);
	script_get_data(s, 0x0100, facts, 0x9000);
	return card_identify(s->card, card_drivers);
}

static const char good[] =
	"E1 4C 800101 81014B 820102 830102 8406010203040506 85021131 860102 870101 880110"
	"89021000 8A022000 8B022000 8C0108 8D0104"
	"8E20 0000000000000000000000000000000000000000000000000000000000000000";

static size_t good_facts(uint8_t *out, size_t cap)
{
	size_t n = script_hex(good, out, cap);

	out[1] = (uint8_t)(n - 2);
	return n;
}

TEST_F(kf, every_truncation_of_the_card_information_is_refused)
{
	uint8_t raw[256];
	size_t n = good_facts(raw, sizeof(raw));

	ASSERT_EQ(0, open_with(&self->s, BYTES(raw, n)));
	for (size_t i = 0; i < n; i++) {
		script_close(&self->s);
		EXPECT_EQ(-EBADMSG, open_with(&self->s, BYTES(raw, i)));
	}
}

TEST_F(kf, card_information_out_of_bounds_is_refused)
{
	static const struct { size_t at; uint8_t to; } bad[] = {
		{ 4, 2 },	/* another application version */
		{ 7, '/' },	/* a serial number no card has */
		{ 0, 0xe2 }, { 2, 0x81 },
	};
	uint8_t raw[256];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size_t n = good_facts(raw, sizeof(raw));

		raw[bad[i].at] = bad[i].to;
		script_close(&self->s);
		EXPECT_EQ(-EBADMSG, open_with(&self->s, BYTES(raw, n)));
	}
}

TEST_F(kf, the_device_certificate_is_get_data_0101)
{
	uint8_t buf[KF_CERT_MAX + 8], cert[] = { 0x30, 0x01, 0x00 };
	struct packer p = pack_begin(buf, sizeof(buf)), q = pack_begin(buf, sizeof(buf));

	script_open(&self->s, 0);
	script_get_data(&self->s, 0x0101, BYTES_OF(cert), 0x9000);
	ASSERT_EQ(0, kf_card_driver.device_cert(script_begin(&self->s), &p));
	EXPECT_BYTES_EQ(BYTES_OF(cert), pack_done(&p));
	script_get_data(&self->s, 0x0101, BYTES_NONE, 0x9000);
	EXPECT_EQ(-EBADMSG, kf_card_driver.device_cert(script_begin(&self->s), &q));
}

TEST_F(kf, selecting_again_is_one_select)
{
	script_open(&self->s, 0);
	self->s.card->elsewhere = true;
	script_expect(&self->s, SELECT, FCI);
	ASSERT_EQ(0, card_begin(self->s.card, DEADLINE_NEVER));
	EXPECT_FALSE(self->s.card->elsewhere);
	ASSERT_EQ(0, card_begin(self->s.card, DEADLINE_NEVER));
	script_done(&self->s);
}
