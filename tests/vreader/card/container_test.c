/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/harness.h"
#include "tests/vreader/card/tray.h"
#include "vreader/card/tlv.h"

FIXTURE(card)
{
	struct tray tray;
};

FIXTURE_SETUP(card)
{
	tray_init(&self->tray, 0);
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
}

FIXTURE_TEARDOWN(card)
{
	tray_deinit(&self->tray);
}

static uint16_t generate(struct fixture_card *self, unsigned int c, uint8_t type, uint8_t purpose,
			 uint8_t policy)
{
	const uint8_t data[] = { 0x80, 1, type, 0x81, 1, purpose, 0x82, 1, policy };

	return tray_send(&self->tray, 0x00, INS_GENERATE, 0x8000 | c, BYTES_OF(data));
}

TEST_F(card, only_valid_pairs_of_type_and_purpose_are_generated)
{
	for (unsigned int type = 0; type < 14; type++) {
		for (unsigned int purpose = 0; purpose < 12; purpose++) {
			bool rsa = type >= KF_KEY_RSA_2048 && type <= KF_KEY_RSA_4096;
			bool ec = type >= KF_KEY_EC_P256 && type <= KF_KEY_EC_P521;
			bool valid = (purpose == KF_PURPOSE_SIGN && (rsa || ec)) ||
				     (purpose == KF_PURPOSE_DECRYPT && rsa) ||
				     (purpose == KF_PURPOSE_EXCHANGE &&
				      (rsa || type == KF_KEY_EC_P256 || type == KF_KEY_EC_P384 ||
				       type == KF_KEY_X25519)) ||
				     (purpose == KF_PURPOSE_DERIVE && ec);
			uint16_t sw = generate(self, 0, (uint8_t)type, (uint8_t)purpose, 0);

			if (sw != (valid ? SW_OK : SW_DATA))
				TEST_FAIL("type %u purpose %u: %04x", type, purpose, sw);
			if (valid)
				EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x80, INS_DELETE, 0, BYTES_NONE));
		}
	}
	EXPECT_EQ(SW_DATA, generate(self, 0, KF_KEY_EC_P256, KF_PURPOSE_SIGN, 2));
}

TEST_F(card, a_generated_key_is_described)
{
	struct unpacker u, e3;

	ASSERT_EQ(SW_OK, generate(self, 15, KF_KEY_EC_P384, KF_PURPOSE_SIGN, 1));
	u = unpack_begin(tray_data(&self->tray));
	e3 = unpack_begin(tlv_take(&u, 0x7f49));
	EXPECT_EQ(97u, tlv_take(&e3, 0x86).n);

	tray_restart(&self->tray);
	ASSERT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_GET_DATA, 0x011f, BYTES_NONE));
	u = unpack_begin(tray_data(&self->tray));
	e3 = unpack_begin(tlv_take(&u, 0xe3));
	EXPECT_EQ(0, unpack_end(&u));
	EXPECT_EQ(1u, tlv_take_number(&e3, 0x80, 1));
	EXPECT_EQ((unsigned int)KF_KEY_EC_P384, tlv_take_number(&e3, 0x81, 1));
	EXPECT_EQ((unsigned int)KF_PURPOSE_SIGN, tlv_take_number(&e3, 0x82, 1));
	EXPECT_EQ((unsigned int)KF_ORIGIN_GENERATED, tlv_take_number(&e3, 0x83, 1));
	EXPECT_EQ(1u, tlv_take_number(&e3, 0x84, 1));
	EXPECT_BYTES_EQ(tray_spki(TRAY_P384), tlv_take(&e3, 0x85));
	EXPECT_EQ(0u, tlv_take_number(&e3, 0x86, 1));
	EXPECT_EQ(0u, tlv_take_number(&e3, 0x87, 2));
	EXPECT_EQ(0u, tlv_take_number(&e3, 0x88, 8));
	EXPECT_EQ(0, unpack_end(&e3));
}

TEST_F(card, an_empty_container_says_only_that)
{
	static const uint8_t empty[] = { 0xe3, 0x03, 0x80, 0x01, 0x00 };

	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_GET_DATA, 0x0110, BYTES_NONE));
	EXPECT_BYTES_EQ(BYTES_OF(empty), tray_data(&self->tray));
	EXPECT_EQ(SW_NO_OBJECT, tray_send(&self->tray, 0x00, INS_GET_DATA, 0x0120, BYTES_NONE));
	EXPECT_EQ(SW_NO_OBJECT, tray_send(&self->tray, 0x80, INS_DELETE, 0, BYTES_NONE));
	EXPECT_EQ(SW_NO_OBJECT, tray_send(&self->tray, 0x80, INS_CONVERT, 0, BYTES_NONE));
	EXPECT_EQ(SW_CONDITIONS, tray_send(&self->tray, 0x00, INS_PUT_DATA, 0x0120,
					   BYTES("\x30\0", 2)));
}

TEST_F(card, changes_need_the_pin_and_say_so_last)
{
	ASSERT_EQ(SW_OK, generate(self, 1, KF_KEY_RSA_2048, KF_PURPOSE_DECRYPT, 0));
	ASSERT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_VERIFY, 0xff81, BYTES_NONE));
	EXPECT_EQ(SW_CONDITIONS, generate(self, 1, KF_KEY_EC_P256, KF_PURPOSE_SIGN, 0));
	EXPECT_EQ(SW_PIN_NEEDED, generate(self, 2, KF_KEY_EC_P256, KF_PURPOSE_SIGN, 0));
	EXPECT_EQ(SW_PIN_NEEDED, tray_send(&self->tray, 0x80, INS_CONVERT, 1, BYTES_NONE));
	EXPECT_EQ(SW_PIN_NEEDED, tray_send(&self->tray, 0x80, INS_DELETE, 1, BYTES_NONE));
	EXPECT_EQ(SW_PIN_NEEDED, tray_send(&self->tray, 0x00, INS_PUT_DATA, 0x0121,
					   BYTES("\x30\0", 2)));
	EXPECT_EQ(SW_NO_OBJECT, tray_send(&self->tray, 0x80, INS_DELETE, 2, BYTES_NONE));
}

TEST_F(card, a_certificate_is_one_der_sequence_kept_as_it_is)
{
	static uint8_t cert[4096] = { 0x30, 0x82, 0x0f, 0xfc };
	static uint8_t longer[4097] = { 0x30, 0x82, 0x0f, 0xfd };

	ASSERT_EQ(SW_OK, generate(self, 1, KF_KEY_EC_P256, KF_PURPOSE_SIGN, 0));
	EXPECT_EQ(SW_DATA, tray_send(&self->tray, 0x00, INS_PUT_DATA, 0x0121, BYTES_OF(longer)));
	EXPECT_EQ(SW_DATA, tray_send(&self->tray, 0x00, INS_PUT_DATA, 0x0121, BYTES(cert, 4095)));
	EXPECT_EQ(SW_DATA, tray_send(&self->tray, 0x00, INS_PUT_DATA, 0x0121, BYTES("\x31\0", 2)));
	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_PUT_DATA, 0x0121, BYTES_OF(cert)));
	tray_restart(&self->tray);
	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_GET_DATA, 0x0121, BYTES_NONE));
	EXPECT_BYTES_EQ(BYTES_OF(cert), tray_data(&self->tray));
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_PUT_DATA, 0x0121, BYTES_NONE));
	EXPECT_EQ(SW_NO_OBJECT, tray_send(&self->tray, 0x00, INS_GET_DATA, 0x0121, BYTES_NONE));
}

/* Each row breaks one of the conditions of 5.2. */
TEST_F(card, only_a_fresh_generated_key_that_opens_or_agrees_is_converted)
{
	static const struct {
		enum tray_key key;
		enum kf_purpose purpose;
		enum kf_origin origin;
		bool used;
		uint16_t sw;
	} rows[] = {
		{ TRAY_RSA, KF_PURPOSE_DECRYPT, KF_ORIGIN_GENERATED, false, SW_OK },
		{ TRAY_RSA, KF_PURPOSE_DECRYPT, KF_ORIGIN_GENERATED, true, SW_CONDITIONS },
		{ TRAY_RSA, KF_PURPOSE_DECRYPT, KF_ORIGIN_INJECTED, false, SW_CONDITIONS },
		{ TRAY_RSA, KF_PURPOSE_DECRYPT, KF_ORIGIN_INJECTED_OPEN, false, SW_CONDITIONS },
		{ TRAY_RSA, KF_PURPOSE_SIGN, KF_ORIGIN_GENERATED, false, SW_CONDITIONS },
		{ TRAY_RSA, KF_PURPOSE_EXCHANGE, KF_ORIGIN_GENERATED, false, SW_CONDITIONS },
		{ TRAY_P256, KF_PURPOSE_DERIVE, KF_ORIGIN_GENERATED, false, SW_OK },
		{ TRAY_P256, KF_PURPOSE_DERIVE, KF_ORIGIN_GENERATED, true, SW_CONDITIONS },
		{ TRAY_P256, KF_PURPOSE_DERIVE, KF_ORIGIN_INJECTED, false, SW_CONDITIONS },
		{ TRAY_P256, KF_PURPOSE_SIGN, KF_ORIGIN_GENERATED, false, SW_CONDITIONS },
		{ TRAY_P521, KF_PURPOSE_DERIVE, KF_ORIGIN_GENERATED, false, SW_CONDITIONS },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tray_put_key(&self->tray, 4, rows[i].key, rows[i].purpose, rows[i].origin, 0);
		self->tray.card->state->containers[4].used = rows[i].used;
		EXPECT_EQ(rows[i].sw, tray_send(&self->tray, 0x80, INS_CONVERT, 4, BYTES_NONE));
		if (rows[i].sw == SW_OK)
			EXPECT_EQ(KF_PURPOSE_EXCHANGE, self->tray.card->state->containers[4].purpose);
	}
}

TEST_F(card, a_failed_commit_leaves_container_and_memory_alone)
{
	ASSERT_EQ(SW_OK, generate(self, 1, KF_KEY_RSA_2048, KF_PURPOSE_DECRYPT, 0));
	tray_fail_at(&self->tray, 1, -ENOSPC);
	EXPECT_EQ(SW_MEMORY, generate(self, 2, KF_KEY_EC_P256, KF_PURPOSE_SIGN, 0));
	EXPECT_EQ(0u, self->tray.n);
	EXPECT_NULL(self->tray.card->state->containers[2].key);
	tray_fail_at(&self->tray, 1, -ENOSPC);
	EXPECT_EQ(SW_MEMORY, tray_send(&self->tray, 0x80, INS_CONVERT, 1, BYTES_NONE));
	EXPECT_EQ(KF_PURPOSE_DECRYPT, self->tray.card->state->containers[1].purpose);
	tray_fail_at(&self->tray, 1, -ENOSPC);
	EXPECT_EQ(SW_MEMORY, tray_send(&self->tray, 0x80, INS_DELETE, 1, BYTES_NONE));
	EXPECT_NOT_NULL(self->tray.card->state->containers[1].key);
	tray_fail_at(&self->tray, 1, -ENOSPC);
	EXPECT_EQ(SW_MEMORY, tray_send(&self->tray, 0x00, INS_PUT_DATA, 0x0121, BYTES("\x30\0", 2)));
	EXPECT_NULL(self->tray.card->state->containers[1].cert);
}

TEST_F(card, deleting_a_standing_exchange_key_forgets_its_offers)
{
	static struct sealing s;

	ASSERT_EQ(SW_OK, generate(self, 1, KF_KEY_RSA_2048, KF_PURPOSE_EXCHANGE, 0));
	sealing_offer(&s, &self->tray, 2, 1);
	EXPECT_EQ(1u, self->tray.card->state->n_offers);
	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x80, INS_DELETE, 1, BYTES_NONE));
	EXPECT_EQ(0u, self->tray.card->state->n_offers);
	EXPECT_EQ(SW_REFUSED, sealing_import(&s, &self->tray));
	sealing_deinit(&s);
}
