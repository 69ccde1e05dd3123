/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces: vreader/card/info.c
 */
#include "vreader/card/offer.h"
#include "format/hash.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "tests/harness.h"
#include "tests/vreader/card/tray.h"
#include "vreader/card/tlv.h"

FIXTURE(card)
{
	struct tray tray;
	struct sealing s;
};

FIXTURE_SETUP(card)
{
	tray_init(&self->tray, 1);
}

FIXTURE_TEARDOWN(card)
{
	sealing_deinit(&self->s);
	tray_deinit(&self->tray);
}

/* --- 4.1, 4.2, 4.10 --- */

TEST_F(card, select_takes_the_name_whole_or_cut_after_nine)
{
	static const uint8_t aid[APP_AID_LEN + 1] = APP_AID;
	static const uint8_t fci[] = { 0x6f, 0x0c, 0x84, 0x0a, 0xf0, 0x6b, 0x65, 0x79,
				       0x66, 0x65, 0x72, 0x72, 0x79, 0x01 };

	for (size_t n = 0; n <= sizeof(aid); n++) {
		uint16_t sw = tray_send(&self->tray, 0x00, INS_SELECT, 0x0400, BYTES(aid, n));

		EXPECT_EQ(n == 9 || n == 10 ? SW_OK : SW_NO_APPLICATION, sw);
		EXPECT_BYTES_EQ(sw == SW_OK ? BYTES_OF(fci) : BYTES_NONE, tray_data(&self->tray));
	}
	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_SELECT, 0x040c, BYTES(aid, 10)));
	EXPECT_EQ(0u, self->tray.n);
}

TEST_F(card, a_wrong_name_leaves_the_application_selected_and_the_pin_verified)
{
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_NO_APPLICATION, tray_send(&self->tray, 0x00, INS_SELECT, 0x0400,
					       BYTES("\xa0\0\0\0\x03\0\0\0\0", 9)));
	EXPECT_TRUE(self->tray.card->pin_verified);
	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_GET_DATA, 0x0102, BYTES_NONE));
}

TEST_F(card, card_information_is_as_the_page_lists_it)
{
	struct unpacker u, e1;
	uint8_t hash[KF_DIGEST_SIZE];

	ASSERT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_GET_DATA, 0x0100, BYTES_NONE));
	u = unpack_begin(tray_data(&self->tray));
	e1 = unpack_begin(tlv_take(&u, 0xe1));
	EXPECT_EQ(0, unpack_end(&u));
	EXPECT_EQ(1u, tlv_take_number(&e1, 0x80, 1));
	EXPECT_BYTES_EQ(BYTES(TRAY_SERIAL, strlen(TRAY_SERIAL)), tlv_take(&e1, 0x81));
	EXPECT_EQ(2u, tlv_take_number(&e1, 0x82, 1));
	EXPECT_BYTES_EQ(BYTES("\2\4", 2), tlv_take(&e1, 0x83));
	EXPECT_BYTES_EQ(BYTES("\1\2\3\4\5\6", 6), tlv_take(&e1, 0x84));
	EXPECT_BYTES_EQ(BYTES("\x11\x12\x13\x21\x22\x23\x31\x32\x33\x41\x51\x52\x53\x54\x61", 15),
			tlv_take(&e1, 0x85));
	EXPECT_EQ(2u, tlv_take_number(&e1, 0x86, 1));
	EXPECT_EQ(1u, tlv_take_number(&e1, 0x87, 1));
	EXPECT_EQ(16u, tlv_take_number(&e1, 0x88, 1));
	EXPECT_EQ(4096u, tlv_take_number(&e1, 0x89, 2));
	EXPECT_EQ(8192u, tlv_take_number(&e1, 0x8a, 2));
	EXPECT_EQ(8192u, tlv_take_number(&e1, 0x8b, 2));
	EXPECT_EQ(8u, tlv_take_number(&e1, 0x8c, 1));
	EXPECT_EQ(4u, tlv_take_number(&e1, 0x8d, 1));
	ASSERT_EQ(0, sha256(tray_spki(TRAY_INJECTOR), hash));
	EXPECT_BYTES_EQ(BYTES_OF(hash), tlv_take(&e1, 0x8e));
	EXPECT_BYTES_EQ(BYTES("\1\2\3\4\5\6\x08\x09\x0a\x0d", 10), tlv_take(&e1, 0x8f));
	EXPECT_BYTES_EQ(BYTES("\1\2\3\4", 4), tlv_take(&e1, 0x90));
	EXPECT_BYTES_EQ(BYTES("\1\2\3\4\5\7", 6), tlv_take(&e1, 0x91));
	EXPECT_BYTES_EQ(BYTES("\1\2\3\4", 4), tlv_take(&e1, 0x92));
	EXPECT_EQ(0, unpack_end(&e1));
}

TEST_F(card, a_challenge_is_as_long_as_asked_and_new_each_time)
{
	static const uint8_t none[] = { 0x00, 0x84, 0x00, 0x00 };
	static const uint8_t eight[] = { 0x00, 0x84, 0x00, 0x00, 0x08 };
	static const uint8_t most[] = { 0x00, 0x84, 0x00, 0x00, 0x00 };
	uint8_t first[8];

	EXPECT_EQ(SW_LENGTH, tray_raw(&self->tray, BYTES_OF(none)));
	EXPECT_EQ(SW_LENGTH, tray_send(&self->tray, 0x00, INS_GET_CHALLENGE, 0, BYTES_NONE));
	EXPECT_EQ(SW_OK, tray_raw(&self->tray, BYTES_OF(most)));
	EXPECT_EQ(256u, self->tray.n);
	EXPECT_EQ(SW_OK, tray_raw(&self->tray, BYTES_OF(eight)));
	EXPECT_EQ(8u, self->tray.n);
	memcpy(first, self->tray.data, 8);
	EXPECT_EQ(SW_OK, tray_raw(&self->tray, BYTES_OF(eight)));
	EXPECT_MEMNE(first, self->tray.data, 8);
}

/* --- 5.1 --- */

TEST_F(card, a_statement_says_what_is_true)
{
	const struct statement *st = &self->s.statement;
	struct signed_statement response;
	uint8_t hash[KF_DIGEST_SIZE], nonce[KF_NONCE_SIZE] = { 0x4e };

	tray_put_key(&self->tray, 7, TRAY_P521, KF_PURPOSE_SIGN, KF_ORIGIN_GENERATED, 0);
	sealing_offer(&self->s, &self->tray, 7, 0xff);		/* its signature is checked there */
	ASSERT_EQ(0, signed_statement_parse(tray_data(&self->tray), &response));
	EXPECT_BYTES_EQ(tray_spki(TRAY_RSA), response.key);
	EXPECT_EQ(KF_LEVEL_VIRTUAL, st->level);
	EXPECT_STREQ(TRAY_SERIAL, st->serial);
	ASSERT_EQ(0, sha256(blob_bytes(self->tray.card->state->device_cert), hash));
	EXPECT_MEMEQ(hash, st->device, KF_DIGEST_SIZE);
	ASSERT_EQ(0, sha256(tray_spki(TRAY_RSA), hash));
	EXPECT_MEMEQ(hash, st->exchange, KF_DIGEST_SIZE);
	EXPECT_EQ(KF_KEY_RSA_2048, st->exchange_type);
	EXPECT_EQ(KF_PURPOSE_EXCHANGE, st->purpose);
	EXPECT_EQ(KF_ORIGIN_GENERATED, st->origin);
	EXPECT_EQ(7u, st->container);
	EXPECT_TRUE(st->holds.present);
	ASSERT_EQ(0, sha256(tray_spki(TRAY_P521), hash));
	EXPECT_MEMEQ(hash, st->holds.digest, KF_DIGEST_SIZE);
	/* all it can do, though rsa was asked for */
	EXPECT_BYTES_EQ(BYTES(((const uint8_t[]){ KF_METHOD_RSA, KF_METHOD_ECDH }), 2),
			BYTES(st->methods.v, st->methods.n));
	EXPECT_EQ(9u, st->key_types.n);
	EXPECT_EQ(8192u, st->limit_item);
	EXPECT_EQ(64u, st->limit_items);
	EXPECT_EQ(5u, st->limit_tries);
	EXPECT_EQ(1u, st->n_injectors);
	EXPECT_MEMEQ(nonce, st->nonce, KF_NONCE_SIZE);
}

TEST_F(card, sid_and_exchange_id_are_new_unless_the_key_stands)
{
	struct statement first;

	sealing_offer(&self->s, &self->tray, 0, 0xff);
	first = self->s.statement;
	sealing_deinit(&self->s);
	sealing_offer(&self->s, &self->tray, 0, 0xff);
	EXPECT_MEMNE(first.sid, self->s.statement.sid, KF_SID_SIZE);
	EXPECT_MEMNE(first.exchange_id, self->s.statement.exchange_id, 16);
	EXPECT_FALSE(first.holds.present);

	tray_put_key(&self->tray, 3, TRAY_RSA, KF_PURPOSE_EXCHANGE, KF_ORIGIN_GENERATED, 0);
	sealing_deinit(&self->s);
	sealing_offer(&self->s, &self->tray, 0, 3);
	first = self->s.statement;
	sealing_deinit(&self->s);
	sealing_offer(&self->s, &self->tray, 0, 3);
	EXPECT_MEMNE(first.sid, self->s.statement.sid, KF_SID_SIZE);
	EXPECT_MEMEQ(first.exchange_id, self->s.statement.exchange_id, 16);
}

static uint16_t offer(struct fixture_card *self, size_t nonce_len, int target, int method, int type,
		      int standing)
{
	uint8_t buf[128], nonce[64] = { 0 };
	struct packer p = pack_begin(buf, sizeof(buf));

	tlv_put(&p, 0x80, BYTES(nonce, nonce_len));
	tlv_put_number(&p, 0x81, (uint64_t)target, 1);
	tlv_put_number(&p, 0x82, (uint64_t)method, 1);
	tlv_put_number(&p, 0x83, (uint64_t)type, 1);
	if (standing >= 0)
		tlv_put_number(&p, 0x84, (uint64_t)standing, 1);
	return tray_send(&self->tray, 0x80, INS_OFFER, 0, pack_done(&p));
}

TEST_F(card, what_cannot_be_offered_is_refused)
{
	tray_put_key(&self->tray, 3, TRAY_RSA, KF_PURPOSE_EXCHANGE, KF_ORIGIN_GENERATED, 0);
	tray_put_key(&self->tray, 4, TRAY_RSA, KF_PURPOSE_DECRYPT, KF_ORIGIN_GENERATED, 0);
	EXPECT_EQ(SW_DATA, offer(self, 31, 0, 2, 1, -1));
	EXPECT_EQ(SW_DATA, offer(self, 33, 0, 2, 1, -1));
	for (int method = 0; method < 6; method++)
		EXPECT_EQ(method == 2 ? SW_OK : SW_DATA, offer(self, 32, 0, method, 1, -1));
	for (int type = 0; type < 14; type++)
		EXPECT_EQ(type >= 1 && type <= 3 ? SW_OK : SW_DATA, offer(self, 32, 0, 2, type, -1));
	EXPECT_EQ(SW_NO_OBJECT, offer(self, 32, 16, 2, 1, -1));
	EXPECT_EQ(SW_NO_OBJECT, offer(self, 32, 0, 2, 1, 16));
	EXPECT_EQ(SW_NO_OBJECT, offer(self, 32, 0, 2, 1, 0xff));
	EXPECT_EQ(SW_NO_OBJECT, offer(self, 32, 0, 2, 1, 9));
	EXPECT_EQ(SW_CONDITIONS, offer(self, 32, 0, 2, 1, 4));
	EXPECT_EQ(SW_CONDITIONS, offer(self, 32, 0, 2, 2, 3));
	EXPECT_EQ(SW_CONDITIONS, offer(self, 32, 3, 2, 1, 3));
	EXPECT_EQ(SW_OK, offer(self, 32, 4, 2, 1, 3));
}

TEST_F(card, an_offer_that_is_not_on_the_disk_does_not_leave_the_card)
{
	tray_fail_at(&self->tray, 1, -ENOSPC);
	EXPECT_EQ(SW_MEMORY, offer(self, 32, 0, 2, 1, -1));
	EXPECT_EQ(0u, self->tray.n);
	EXPECT_EQ(0u, self->tray.card->state->n_offers);
}

TEST_F(card, pending_offers_are_listed_oldest_first)
{
	struct unpacker u, e4;

	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x80, INS_LIST_PENDING, 0, BYTES_NONE));
	EXPECT_EQ(0u, self->tray.n);
	for (int target = 0; target < 10; target++)
		EXPECT_EQ(SW_OK, offer(self, 32, target, 2, 1, -1));
	tray_restart(&self->tray);
	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x80, INS_LIST_PENDING, 0, BYTES_NONE));
	u = unpack_begin(tray_data(&self->tray));
	for (unsigned int target = 2; target < 10; target++) {
		e4 = unpack_begin(tlv_take(&u, 0xe4));
		EXPECT_EQ(16u, tlv_take(&e4, 0x80).n);
		EXPECT_EQ(target, tlv_take_number(&e4, 0x81, 1));
		EXPECT_EQ(5u, tlv_take_number(&e4, 0x82, 1));
		EXPECT_EQ(1u, tlv_take_number(&e4, 0x83, 2));
		EXPECT_EQ(0, unpack_end(&e4));
	}
	EXPECT_EQ(0, unpack_end(&u));
}

/* One real one: all other tests take prepared keys. */
TEST_F_TIMEOUT(card, a_fresh_exchange_key_is_fresh, 60)
{
	struct signed_statement response;
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	enum kf_key_type type;

	self->tray.card->memory.generate = card_key_generate;
	ASSERT_EQ(SW_OK, offer(self, 32, 0, 2, 1, -1));
	ASSERT_EQ(0, signed_statement_parse(tray_data(&self->tray), &response));
	EXPECT_BYTES_NE(tray_spki(TRAY_RSA), response.key);
	EXPECT_EQ(0, spki_parse(response.key, &key, &type));
	EXPECT_EQ(KF_KEY_RSA_2048, type);
}
