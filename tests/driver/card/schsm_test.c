/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening a SmartCard-HSM: who is one, and what it says of itself.
 *
 * Faces: driver/card/schsm_file.c driver/card/schsm_public.c
 */
#include "format/schsm/cvc.h"
#include "format/ossl.h"
#include "tests/driver/card/schsm_script.h"

FIXTURE(schsm) { struct script s; };
FIXTURE_SETUP(schsm) { memset(&self->s, 0, sizeof(self->s)); }
FIXTURE_TEARDOWN(schsm)
{
	script_done(&self->s);
	script_close(&self->s);
}

static const struct card_driver *const ours[] = { &schsm_card_driver, NULL };

/* [cards 2.1], all four. */
TEST(an_atr_of_the_family_is_claimed_by_its_historical_bytes)
{
	static const char *const atrs[] = {
		"3BFE1800008131FE45 8031815448534D31738021408107 FA",
		"3B8E8001 8031815448534D31738021408107 18",
		"3BDE18FF8191FE1FC3 8031815448534D31738021408107 1C",
		"3BDE96FF8191FE1FC3 8031815448534D31738021408107 D9",
	};
	const struct card_driver *driver = NULL;

	for (size_t i = 0; i < 4; i++) {
		uint8_t atr[33];
		size_t n = script_hex(atrs[i], atr, sizeof(atr));

		EXPECT_GT(card_match_next(card_drivers, BYTES(atr, n), 1000, &driver), 200u);
		EXPECT_TRUE(driver == &schsm_card_driver);
		atr[n - 3] ^= 1;	/* in the historical bytes */
		EXPECT_LE(card_match_next(card_drivers, BYTES(atr, n), 1000, &driver), 100u);
	}
}

TEST_F(schsm, facts_come_from_the_fcp)
{
	struct kf_card_info info = { 0 };

	schsm_script_open(&self->s);
	EXPECT_EQ(0x0306, schsm_of(self->s.card)->version);
	schsm_script_tries(&self->s, 0x81, 0x63c3);
	schsm_script_tries(&self->s, 0x88, 0x63cf);
	ASSERT_EQ(0, schsm_card_driver.info(script_begin(&self->s), &info));
	EXPECT_EQ(0x30006u, info.app_version);
	EXPECT_EQ((uint32_t)KF_LEVEL_CHIP, info.level);
	EXPECT_EQ(KF_CARD_CVC | KF_CARD_DKEK | KF_CARD_CMAC, info.flags);
	EXPECT_EQ(3, info.tries[KF_PIN_USER]);
	EXPECT_EQ(15, info.tries[KF_PIN_PUK]);
	EXPECT_EQ(0u, info.serial_len);
}

TEST_F(schsm, another_card_is_not_ours_and_one_that_cannot_be_read_is_an_error)
{
	script_blank(&self->s);
	/* By AID alone: the ATR of this transport is none of the family's. */
	script_expect(&self->s, SCHSM_SELECT, "6A82");
	EXPECT_EQ(0, card_identify(self->s.card, ours));
	EXPECT_NULL(self->s.card->driver);
	script_close(&self->s);
	static const char *const fcps[] = {
		"9000", "6200 9000", "6204 85020306 00 9000", "6203 850103 9000", "7004 85020306 9000",
		"6208 85020306 85020306 9000", "6204 85030306 9000",
	};
	for (size_t i = 0; i < sizeof(fcps) / sizeof(fcps[0]); i++) {
		script_blank(&self->s);
		script_expect(&self->s, SCHSM_SELECT, fcps[i]);
		EXPECT_EQ(-EBADMSG, card_identify(self->s.card, ours));
		EXPECT_NULL(self->s.card->private);
		script_done(&self->s);
		script_close(&self->s);
	}
	script_blank(&self->s);
}

/* Offsets follow what came, whatever size the pieces have; the end is told in three ways. */
TEST_F(schsm, a_file_is_read_in_pieces)
{
	uint8_t buf[16];
	size_t n = 0;

	schsm_script_open(&self->s);
	script_expect(&self->s, "00B1CF01 000004 54020000 0000", "01020304 9000");
	script_expect(&self->s, "00B1CF01 000004 54020004 0000", "0506 6282");
	ASSERT_EQ(0, schsm_file_read(script_begin(&self->s), 0xcf01, false, buf, sizeof(buf), &n));
	EXPECT_BYTES_EQ(BYTES("\1\2\3\4\5\6", 6), BYTES(buf, n));
	script_expect(&self->s, "00B1CF01 000004 54020000 0000", "01 9000");
	script_expect(&self->s, "00B1CF01 000004 54020001 0000", "6B00");
	ASSERT_EQ(0, schsm_file_read(script_begin(&self->s), 0xcf01, false, buf, sizeof(buf), &n));
	EXPECT_EQ((size_t)1, n);
	EXPECT_EQ(0, self->s.card->said.sw);
	script_expect(&self->s, "00B1CF01 000004 54020000 0000", "300201 9000");
	script_expect(&self->s, "00B1CF01 000004 54020003 0000", "02FFFF 9000");
	ASSERT_EQ(0, schsm_file_read(script_begin(&self->s), 0xcf01, true, buf, sizeof(buf), &n));
	EXPECT_BYTES_EQ(BYTES("\x30\2\1\2", 4), BYTES(buf, n));
}

TEST_F(schsm, a_file_that_does_not_end_is_cut_off)
{
	uint8_t buf[16];
	size_t n = 0;

	schsm_script_open(&self->s);
	script_expect(&self->s, "00B1CF01 000004 54020000 0000", "0102030405060708 9000");
	script_expect(&self->s, "00B1CF01 000004 54020008 0000", "0102030405060708 09 9000");
	EXPECT_EQ(-EBADMSG, schsm_file_read(script_begin(&self->s), 0xcf01, false, buf, sizeof(buf), &n));
	script_expect(&self->s, "00B1CF01 000004 54020000 0000", "9000");
	EXPECT_EQ(-ENOENT, schsm_file_read(script_begin(&self->s), 0xcf01, false, buf, sizeof(buf), &n));
}

TEST_F(schsm, a_long_file_is_written_in_pieces_that_the_reader_carries)
{
	uint8_t content[300];

	memset(content, 0xab, sizeof(content));
	schsm_script_open(&self->s);
	self->s.io->extended = false;
	schsm_script_delete(&self->s, 0xce01, 0x9000);
	for (size_t at = 0; at < 300; at += 240) {
		uint8_t want[300];
		struct packer p = pack_begin(want, sizeof(want));
		size_t n = at == 0 ? 240 : 60;

		pack_be(&p, 0x00d7ce01, 4);
		pack_u8(&p, (uint8_t)(4 + tlv_size(0x53, n)));
		pack_be16(&p, 0x5402);
		pack_be16(&p, (uint16_t)at);
		tlv_pack(&p, 0x53, BYTES(content, n));
		script_add(&self->s, pack_done(&p), BYTES("\x90\x00", 2));
	}
	EXPECT_EQ(0, schsm_file_write(script_begin(&self->s), 0xce01, BYTES_OF(content)));
	self->s.io->extended = true;
}

TEST_F(schsm, a_list_of_files_that_is_none_is_refused)
{
	struct schsm_files files;

	schsm_script_open(&self->s);
	script_expect(&self->s, "80580000 000000", "CC01CC 9000");
	EXPECT_EQ(-EBADMSG, schsm_files_read(script_begin(&self->s), &files));
	schsm_script_files(&self->s, "CC00 CC01 C401 CE01 CCFF CF07 2F02");
	EXPECT_EQ(0, schsm_files_read(script_begin(&self->s), &files));
	EXPECT_TRUE(schsm_has(files.key, 1) && schsm_has(files.key, 255) && schsm_has(files.prkd, 1));
	EXPECT_FALSE(schsm_has(files.key, 2) || schsm_has(files.prkd, 0) || schsm_has(files.cert, 7));
}

/* --- the device certificate, and vouchers under it --- */

struct device {
	EVP_PKEY *key;
	uint8_t cert[CVC_MAX];
	size_t n;
};

static struct bytes certificate(EVP_PKEY *key, const char *chr, struct packer *out)
{
	struct cvc_own_key own = { .key = key };
	struct cvc fields = { .car = BYTES("ZZVIRTDICA00001", 15), .chr = BYTES(chr, strlen(chr)) };
	struct cvc_key_store store;

	ASSERT_EQ(0, cvc_key_describe(key, CVC_NO_ALGORITHM, &store, &fields.key));
	own.algorithm = fields.key.algorithm;
	ASSERT_EQ(0, cvc_build(&fields, cvc_sign_with(&own), out));
	return pack_done(out);
}

static struct bytes voucher(EVP_PKEY *device, EVP_PKEY *key, struct packer *out)
{
	struct cvc_own_key own = { .key = device, .algorithm = CVC_ECDSA_SHA256 };
	uint8_t buf[CVC_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	ASSERT_EQ(0, cvc_voucher_build(certificate(key, "UTKF00001", &p), BYTES("ZZVIRTA100001", 13),
				       cvc_sign_with(&own), out));
	return pack_done(out);
}

TEST_F(schsm, the_device_certificate_names_the_card_and_proves_its_keys)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *device = EVP_EC_gen("brainpoolP256r1");
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = EVP_EC_gen("P-256"), *stranger = EVP_EC_gen("P-256");
	uint8_t buf[CVC_MAX], vouched[CVC_MAX], alien[CVC_MAX], bare[CVC_MAX];
	struct packer p = pack_begin(buf, sizeof(buf)), v = pack_begin(vouched, sizeof(vouched));
	struct packer a = pack_begin(alien, sizeof(alien)), b = pack_begin(bare, sizeof(bare));
	struct bytes cert = certificate(device, "ZZVIRTA100001", &p);
	struct schsm_public public;

	script_blank(&self->s);
	script_expect(&self->s, SCHSM_SELECT, SCHSM_FCP);
	schsm_script_file(&self->s, SCHSM_DEVICE_CERT, cert.p, cert.n);
	{
		uint8_t want[] = { 0, 0xb1, 0x2f, 2, 0, 0, 4, 0x54, 2, (uint8_t)(cert.n >> 8), (uint8_t)cert.n, 0, 0 };

		script_add(&self->s, BYTES_OF(want), BYTES("\x62\x82", 2));
	}
	schsm_script_file(&self->s, SCHSM_TOKEN_INFO, (const uint8_t *)"\x30\x09\2\1\0\x80\4mail", 11);
	ASSERT_EQ(0, card_identify(self->s.card, ours));
	EXPECT_BYTES_EQ(BYTES("ZZVIRTA1", 8), BYTES(schsm_of(self->s.card)->info.serial,
						   schsm_of(self->s.card)->info.serial_len));
	EXPECT_STREQ("mail", schsm_of(self->s.card)->info.label);
	ASSERT_NOT_NULL(schsm_of(self->s.card)->device);

	ASSERT_EQ(0, schsm_public_parse(schsm_of(self->s.card), voucher(device, key, &v), &public));
	EXPECT_TRUE(public.vouched);
	EXPECT_FALSE(public.x509);
	EXPECT_EQ(1, EVP_PKEY_eq(key, public.key));
	schsm_public_deinit(&public);
	ASSERT_EQ(0, schsm_public_parse(schsm_of(self->s.card), voucher(stranger, key, &a), &public));
	EXPECT_FALSE(public.vouched);
	schsm_public_deinit(&public);
	ASSERT_EQ(0, schsm_public_parse(schsm_of(self->s.card), certificate(key, "UTKF00001", &b), &public));
	EXPECT_FALSE(public.vouched);
	EXPECT_EQ((uint32_t)KF_KEY_EC_P256, schsm_key_type(public.key));
	schsm_public_deinit(&public);
}

/* Whatever a card has there: no key, and no reading beyond it. */
TEST(what_lies_beside_a_key_may_be_anything)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	const struct schsm none = { 0 };
	uint8_t buf[CVC_MAX], copy[CVC_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct bytes good = voucher(key, key, &p);
	struct schsm_public public;

	EXPECT_EQ(-EBADMSG, schsm_public_parse(&none, BYTES_NONE, &public));
	EXPECT_EQ(-EBADMSG, schsm_public_parse(&none, BYTES("\x30\0", 2), &public));
	for (size_t n = 1; n < good.n; n++)
		EXPECT_EQ(-EBADMSG, schsm_public_parse(&none, BYTES(buf, n), &public));
	for (size_t i = 0; i < good.n; i++) {
		memcpy(copy, buf, good.n);
		copy[i] ^= 0x55;
		if (schsm_public_parse(&none, BYTES(copy, good.n), &public) == 0)
			schsm_public_deinit(&public);
	}
}
