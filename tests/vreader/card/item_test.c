/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/der.h"
#include "format/hash.h"
#include "format/receipt.h"
#include "tests/harness.h"
#include "tests/vreader/card/tray.h"
#include "vreader/card/tlv.h"

/* A card with an injector, an offer for container 2 taken up, and a good item for it. */
FIXTURE(card)
{
	struct tray tray;
	struct sealing s;
	uint8_t before[CODEC_MAX];
	size_t before_len;
};

static void remember(struct fixture_card *self)
{
	struct packer p = pack_begin(self->before, sizeof(self->before));

	pack_bytes(&p, BYTES(self->tray.blob, self->tray.blob_len));
	self->before_len = p.n;
}

FIXTURE_SETUP(card)
{
	tray_init(&self->tray, 1);
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	sealing_offer(&self->s, &self->tray, 2, 0xff);
	sealing_take_key(&self->s, TRAY_P256, KF_PURPOSE_SIGN);
	sealing_seal(&self->s);
	ASSERT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	remember(self);
}

FIXTURE_TEARDOWN(card)
{
	sealing_deinit(&self->s);
	tray_deinit(&self->tray);
}

static struct offer *offer_of(struct fixture_card *self)
{
	return state_find_offer(self->tray.card->state, self->s.statement.sid);
}

/* The state in force and the state in memory are the remembered one, but for one spent try. */
static void expect_only_a_try_spent(struct fixture_card *self)
{
	struct offer *offer = offer_of(self);
	static uint8_t buf[CODEC_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	ASSERT_NOT_NULL(offer);
	EXPECT_EQ(APP_TRIES - 1, offer->tries);
	ASSERT_EQ(0, state_encode(self->tray.card->state, &p));
	EXPECT_BYTES_EQ(BYTES(self->tray.blob, self->tray.blob_len), pack_done(&p));
	offer->tries = APP_TRIES;
	p = pack_begin(buf, sizeof(buf));
	ASSERT_EQ(0, state_encode(self->tray.card->state, &p));
	EXPECT_BYTES_EQ(BYTES(self->before, self->before_len), pack_done(&p));
}

static uint16_t get_receipt(struct tray *tray, const uint8_t *sid, uint16_t number)
{
	uint8_t buf[32];
	struct packer p = pack_begin(buf, sizeof(buf));

	tlv_put(&p, 0x80, BYTES(sid, KF_SID_SIZE));
	tlv_put_number(&p, 0x81, number, 2);
	return tray_send(tray, 0x80, INS_GET_RECEIPT, 0x0000, pack_done(&p));
}

TEST_F(card, a_sealed_key_of_each_type_is_installed)
{
	EXPECT_EQ(SW_OK, sealing_inject(&self->tray, 0, TRAY_RSA_OTHER, KF_PURPOSE_SIGN));
	EXPECT_EQ(SW_OK, sealing_inject(&self->tray, 1, TRAY_RSA3072, KF_PURPOSE_DECRYPT));
	EXPECT_EQ(SW_OK, sealing_inject(&self->tray, 2, TRAY_RSA4096, KF_PURPOSE_SIGN));
	EXPECT_EQ(SW_OK, sealing_inject(&self->tray, 3, TRAY_P256, KF_PURPOSE_SIGN));
	EXPECT_EQ(SW_OK, sealing_inject(&self->tray, 4, TRAY_P384, KF_PURPOSE_DERIVE));
	EXPECT_EQ(SW_OK, sealing_inject(&self->tray, 5, TRAY_P521, KF_PURPOSE_SIGN));
	EXPECT_EQ(6u, self->tray.card->state->counter);
	for (unsigned int i = 0; i < 6; i++) {
		const struct container *c = &self->tray.card->state->containers[i];

		EXPECT_EQ(KF_ORIGIN_INJECTED, c->origin);
		EXPECT_EQ(STATE_POLICY_PIN, c->policy);
		EXPECT_FALSE(c->used);
		EXPECT_EQ(1900000000u, c->not_after);
	}
}

TEST_F(card, the_receipt_says_what_was_installed)
{
	struct signed_receipt sr;
	struct receipt r;
	uint8_t digest[KF_DIGEST_SIZE];

	ASSERT_EQ(SW_OK, sealing_process(&self->s, &self->tray));
	ASSERT_EQ(0, signed_receipt_parse(tray_data(&self->tray), &sr));
	ASSERT_EQ(0, ecdsa_verify(tray_key(TRAY_DEVICE), sr.receipt, BYTES_NONE, sr.signature));
	ASSERT_EQ(0, receipt_parse(sr.receipt, &r));

	EXPECT_MEMEQ(self->s.statement.device, r.device, KF_DIGEST_SIZE);
	EXPECT_STREQ(TRAY_SERIAL, r.serial);
	EXPECT_MEMEQ(self->s.statement.sid, r.sid, KF_SID_SIZE);
	EXPECT_EQ(1u, r.number);
	ASSERT_EQ(0, sha256(BYTES(self->s.item, self->s.item_len), digest));
	EXPECT_MEMEQ(digest, r.item, KF_DIGEST_SIZE);
	EXPECT_EQ(KF_FUNCTION_IMPORT_KEYPAIR, r.function);
	EXPECT_EQ(KF_METHOD_RSA, r.method);
	EXPECT_MEMEQ(self->s.statement.exchange, r.exchange, KF_DIGEST_SIZE);
	EXPECT_EQ(2u, r.container);
	EXPECT_EQ(KF_PIN_USER, r.pin);
	EXPECT_EQ(KF_KEY_EC_P256, r.key_type);
	EXPECT_EQ(KF_PURPOSE_SIGN, r.purpose);
	EXPECT_TRUE(r.policy.pin_needed);
	EXPECT_EQ(1900000000u, r.policy.not_after);
	EXPECT_TRUE(r.sender.present);
	EXPECT_MEMEQ(self->s.statement.injectors[0], r.sender.digest, KF_DIGEST_SIZE);
	EXPECT_EQ(RECEIPT_INSTALLED, r.result);
	EXPECT_EQ(1u, r.counter);
	EXPECT_BYTES_EQ(tray_spki(TRAY_P256), r.evidence);
}

TEST_F(card, a_replay_installs_nothing_and_finds_the_stored_receipt)
{
	static uint8_t receipt[VCARD_RESPONSE_MAX];
	struct packer p = pack_begin(receipt, sizeof(receipt));

	ASSERT_EQ(SW_OK, sealing_process(&self->s, &self->tray));
	pack_bytes(&p, tray_data(&self->tray));
	remember(self);

	EXPECT_EQ(SW_NO_OBJECT, sealing_process(&self->s, &self->tray));
	EXPECT_EQ(SW_REFUSED, sealing_import(&self->s, &self->tray));
	EXPECT_BYTES_EQ(BYTES(self->before, self->before_len),
			BYTES(self->tray.blob, self->tray.blob_len));

	ASSERT_EQ(SW_OK, get_receipt(&self->tray, self->s.statement.sid, 1));
	EXPECT_BYTES_EQ(pack_done(&p), tray_data(&self->tray));
	tray_restart(&self->tray);
	ASSERT_EQ(SW_OK, get_receipt(&self->tray, self->s.statement.sid, 1));
	EXPECT_BYTES_EQ(pack_done(&p), tray_data(&self->tray));
	EXPECT_EQ(SW_NO_OBJECT, get_receipt(&self->tray, self->s.statement.sid, 2));
}

TEST_F_TIMEOUT(card, every_flipped_bit_is_refused_and_changes_only_the_tries, 30)
{
	for (size_t bit = 0; bit < self->s.item_len * 8; bit++) {
		uint16_t sw;

		self->s.item[bit / 8] ^= (uint8_t)(1 << bit % 8);
		sw = sealing_process(&self->s, &self->tray);
		self->s.item[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (sw != SW_REFUSED && sw != SW_DATA)
			TEST_FAIL("bit %zu: %04x", bit, sw);
		if (sw == SW_REFUSED)
			expect_only_a_try_spent(self);
	}
	EXPECT_EQ(SW_OK, sealing_process(&self->s, &self->tray));
}

TEST_F(card, every_truncation_is_malformed_and_costs_nothing)
{
	size_t whole = self->s.item_len;

	for (size_t n = 0; n < whole; n++) {
		self->s.item_len = n;
		if (sealing_process(&self->s, &self->tray) != SW_DATA)
			TEST_FAIL("%zu bytes: %04x", n, self->tray.sw);
	}
	EXPECT_EQ(APP_TRIES, offer_of(self)->tries);
	self->s.item_len = whole + 1;
	EXPECT_EQ(SW_DATA, sealing_process(&self->s, &self->tray));
}

/* Sealed and signed as they should be, and yet not for this card, this sid, this place. */
static void spoil(struct item_body *b, unsigned int how)
{
	switch (how) {
	case 0: b->suite = (enum suite)2; break;
	case 1: b->method = KF_METHOD_ECDH; break;
	case 2: b->function = KF_FUNCTION_CHANGE_AUTHENTICATOR; break;
	case 3: b->sid[15] ^= 1; break;
	case 4: b->number = 2; b->count = 2; break;
	case 5: b->number = 0; break;
	case 6: b->count = 0; break;
	case 7: b->count = KF_ITEMS_MAX + 1; break;
	case 8: b->serial[0] ^= 1; break;
	case 9: b->exchange[0] ^= 1; break;
	case 10: b->container = 3; break;
	case 11: b->pin = 0; break;
	case 12: b->policy.pin_needed = false; break;
	case 13: b->pin = KF_PIN_PUK; break;
	case 14: b->key_type = KF_KEY_EC_P384; break;
	case 15: b->key_type = KF_KEY_RSA_2048; break;
	case 16: b->purpose = KF_PURPOSE_DECRYPT; break;
	case 17: b->purpose = KF_PURPOSE_EXCHANGE; break;
	case 18: b->purpose = KF_PURPOSE_KEK; break;
	case 19: b->purpose = KF_PURPOSE_SHARED; break;
	case 20: b->purpose = KF_PURPOSE_DEVICE; break;
	case 21: b->purpose = KF_PURPOSE_SESSION; break;
	case 22: b->purpose = KF_PURPOSE_CIPHER; break;
	case 23: b->purpose = KF_PURPOSE_NONE; break;
	case 24: b->sender.present = false; break;
	case 25: b->sender.digest[0] ^= 1; break;
	default: TEST_FAIL("no such spoiling: %u", how);
	}
}

/* Where the item of this offer has to stand. */
static struct item_place right_place(const struct fixture_card *self)
{
	struct item_place place = { KF_METHOD_RSA, KF_FUNCTION_IMPORT_KEYPAIR, { 0 }, 1 };

	memcpy(place.h, self->s.h, sizeof(place.h));
	return place;
}

/*
 * Method, function and number change the keys, too, so under the keys of the place that the item claims its
 * MAC is wrong for the card. It has to be refused for what it says as well: under those of the right place.
 */
TEST_F(card, each_field_is_compared_even_when_the_mac_is_right)
{
	const struct item_place right = right_place(self);

	for (unsigned int how = 0; how <= 25; how++)
		for (int claimed = 0; claimed < 2; claimed++) {
			sealing_take_key(&self->s, TRAY_P256, KF_PURPOSE_SIGN);
			spoil(&self->s.body, how);
			self->s.place = claimed ? NULL : &right;
			sealing_seal(&self->s);
			if (sealing_process(&self->s, &self->tray) != SW_REFUSED)
				TEST_FAIL("spoiling %u: %04x", how, self->tray.sw);
			expect_only_a_try_spent(self);
		}
	sealing_take_key(&self->s, TRAY_P256, KF_PURPOSE_SIGN);
	self->s.place = &right;
	sealing_seal(&self->s);
	EXPECT_EQ(SW_OK, sealing_process(&self->s, &self->tray));
}

/* Whole and signed, but of another function than the command that brings it. */
TEST_F(card, an_item_of_another_function_than_the_commands_is_refused)
{
	const struct item_place right = right_place(self);
	static const uint8_t key[32] = { 1 };

	sealing_take_secret(&self->s, KF_KEY_AES_256, BYTES_OF(key));
	self->s.place = &right;
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	expect_only_a_try_spent(self);
}

TEST_F(card, only_a_known_injector_may_send)
{
	self->s.signer = TRAY_KEYS;			/* unsigned */
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	expect_only_a_try_spent(self);

	self->s.signer = TRAY_STRANGER;			/* signed by another, claiming to be ours */
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	expect_only_a_try_spent(self);

	ASSERT_EQ(0, sha256(tray_spki(TRAY_STRANGER), self->s.body.sender.digest));
	sealing_seal(&self->s);				/* honest about being a stranger */
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	expect_only_a_try_spent(self);

	self->s.signer = TRAY_DEVICE;			/* the card's own key is no injector */
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	expect_only_a_try_spent(self);
}

TEST_F(card, a_signature_does_not_move_to_another_item)
{
	static uint8_t first[KF_ITEM_MAX], second[KF_ITEM_MAX];
	struct packer a = pack_begin(first, sizeof(first)), b = pack_begin(second, sizeof(second));
	struct packer out = pack_begin(self->s.item, sizeof(self->s.item));
	struct item one, other;

	pack_bytes(&a, BYTES(self->s.item, self->s.item_len));
	self->s.body.iv[0] ^= 1;
	sealing_seal(&self->s);
	pack_bytes(&b, BYTES(self->s.item, self->s.item_len));
	ASSERT_EQ(0, item_parse(pack_done(&a), &one));
	ASSERT_EQ(0, item_parse(pack_done(&b), &other));
	item_pack(&out, other.body_der, other.mac.p, one.signature);
	self->s.item_len = out.n;
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	expect_only_a_try_spent(self);
}

/* What comes by UNWRAP alone does not come by an item, however well it is sealed. */
TEST_F(card, a_type_that_no_offer_lists_is_refused)
{
	sealing_take_key(&self->s, TRAY_P256K, KF_PURPOSE_SIGN);
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	expect_only_a_try_spent(self);
}

TEST_F(card, a_wrong_mac_is_refused)
{
	self->s.mac_flip = true;
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	expect_only_a_try_spent(self);
}

TEST_F(card, a_key_that_is_not_whole_is_refused)
{
	/* the private scalar of one key with the point of another */
	self->s.plain.p[10] ^= 1;
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	expect_only_a_try_spent(self);

	/* the DER of a key, and a byte behind it */
	sealing_take_key(&self->s, TRAY_P256, KF_PURPOSE_SIGN);
	self->s.plain.p[self->s.plain.n++] = 0;
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	expect_only_a_try_spent(self);

	/* an RSA key whose qinv is off by one: its signatures would give it away */
	sealing_take_key(&self->s, TRAY_RSA_OTHER, KF_PURPOSE_SIGN);
	self->s.plain.p[self->s.plain.n - 1] ^= 1;
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	expect_only_a_try_spent(self);

	secret_clear(&self->s.plain);
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	expect_only_a_try_spent(self);
}

/* Though the session stays: its number is not another's before its owner gave it back. */
static bool nothing_is_left_of_s1(const struct fixture_card *self)
{
	for (size_t i = 0; i < APP_SESSIONS_MAX; i++)
		if (memcmp(self->tray.card->sessions[i].s1.p, self->s.s1.p, KF_S1_SIZE) == 0)
			return false;
	return true;
}

TEST_F(card, five_tries_and_the_sid_is_gone)
{
	self->s.item[self->s.item_len - 1] ^= 1;
	for (int i = 0; i < APP_TRIES; i++)
		EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	EXPECT_EQ(0, offer_of(self)->tries);
	self->s.item[self->s.item_len - 1] ^= 1;
	EXPECT_FALSE(nothing_is_left_of_s1(self));
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	EXPECT_NULL(offer_of(self));
	EXPECT_TRUE(nothing_is_left_of_s1(self));
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	EXPECT_EQ(SW_REFUSED, sealing_import(&self->s, &self->tray));
	EXPECT_NULL(self->tray.card->state->containers[2].key);
}

TEST_F(card, tries_do_not_come_back_with_power)
{
	uint8_t good = self->s.item[self->s.item_len - 1];

	for (int i = 0; i < APP_TRIES; i++) {
		self->s.item[self->s.item_len - 1] = good ^ 1;
		EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
		tray_restart(&self->tray);
		ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
		ASSERT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	}
	self->s.item[self->s.item_len - 1] = good;
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
}

TEST_F(card, the_ninth_offer_evicts_the_first)
{
	static struct sealing s;

	for (int i = 0; i < APP_PENDING_MAX; i++) {
		EXPECT_FALSE(nothing_is_left_of_s1(self));
		sealing_offer(&s, &self->tray, 4, 0xff);
		sealing_deinit(&s);
	}
	EXPECT_NULL(offer_of(self));
	EXPECT_TRUE(nothing_is_left_of_s1(self));
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	EXPECT_NULL(self->tray.card->state->containers[2].key);
}

static void seal_number(struct fixture_card *self, enum tray_key which, uint32_t number)
{
	sealing_take_key(&self->s, which, KF_PURPOSE_SIGN);
	self->s.body.number = number;
	self->s.body.count = 3;
	if (number > 1) {
		self->s.body.replaces.present = true;
		memcpy(self->s.body.replaces.digest,
		       card_key_hash(self->tray.card->state->containers[2].key), KF_DIGEST_SIZE);
	}
	sealing_seal(&self->s);
}

TEST_F(card, items_of_a_batch_go_in_order)
{
	self->s.body.count = 3;
	self->s.body.number = 2;
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	expect_only_a_try_spent(self);

	seal_number(self, TRAY_P256, 1);
	ASSERT_EQ(SW_OK, sealing_process(&self->s, &self->tray));
	EXPECT_EQ(APP_TRIES, offer_of(self)->tries);
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));	/* again */

	seal_number(self, TRAY_P384, 2);
	self->s.body.count = 2;			/* the batch does not change its length */
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	seal_number(self, TRAY_P384, 2);
	EXPECT_EQ(SW_OK, sealing_process(&self->s, &self->tray));
	seal_number(self, TRAY_P521, 3);
	EXPECT_EQ(SW_OK, sealing_process(&self->s, &self->tray));
	EXPECT_NULL(offer_of(self));
	EXPECT_EQ(3u, self->tray.card->state->counter);
	EXPECT_EQ(3u, self->tray.card->state->n_receipts);
}

/* Each item of a batch names its own container, and what it replaces there. */
TEST_F(card, a_batch_goes_where_its_items_say)
{
	static struct sealing s;

	sealing_offer(&s, &self->tray, KF_CONTAINER_BATCH, 0xff);
	EXPECT_EQ((uint32_t)KF_CONTAINER_BATCH, s.statement.container);
	EXPECT_FALSE(s.statement.holds.present);
	ASSERT_EQ(SW_OK, sealing_import(&s, &self->tray));
	for (uint32_t number = 1; number <= 3; number++) {
		sealing_take_key(&s, TRAY_P256, KF_PURPOSE_SIGN);
		s.body.number = number;
		s.body.count = 3;
		s.body.container = 15 - number;
		sealing_seal(&s);
		ASSERT_EQ(SW_OK, sealing_process(&s, &self->tray));
		EXPECT_NOT_NULL(self->tray.card->state->containers[15 - number].key);
	}
	EXPECT_NULL(state_find_offer(self->tray.card->state, s.statement.sid));
	sealing_deinit(&s);
}

TEST_F(card, a_batch_goes_nowhere_else_and_over_nothing)
{
	static struct sealing s;

	sealing_offer(&s, &self->tray, KF_CONTAINER_BATCH, 0xff);
	ASSERT_EQ(SW_OK, sealing_import(&s, &self->tray));
	for (uint32_t container = APP_CONTAINERS; container <= UINT8_MAX; container++) {
		if (container % 16 && container < KF_CONTAINER_BATCH)
			continue;
		sealing_take_key(&s, TRAY_P256, KF_PURPOSE_SIGN);
		s.body.container = container;
		sealing_seal(&s);
		EXPECT_TRUE(sealing_process(&s, &self->tray) == SW_REFUSED);
		state_find_offer(self->tray.card->state, s.statement.sid)->tries = APP_TRIES;
	}
	tray_put_key(&self->tray, 7, TRAY_P521, KF_PURPOSE_SIGN, KF_ORIGIN_GENERATED, 0);
	tray_put_key(&self->tray, 8, TRAY_RSA, KF_PURPOSE_EXCHANGE, KF_ORIGIN_GENERATED, 0);
	for (uint32_t container = 7; container <= 8; container++) {
		sealing_take_key(&s, TRAY_P256, KF_PURPOSE_SIGN);
		s.body.container = container;
		s.body.replaces.present = container == 8;
		ASSERT_EQ(0, sha256(tray_spki(TRAY_RSA), s.body.replaces.digest));
		sealing_seal(&s);
		EXPECT_EQ(SW_CONDITIONS, sealing_process(&s, &self->tray));
	}
	sealing_deinit(&s);
}

TEST_F(card, a_long_batch_does_not_run_out_of_tries)
{
	for (uint32_t number = 1; number <= 12; number++) {
		seal_number(self, number % 2 ? TRAY_P256 : TRAY_P384, number);
		self->s.body.count = 12;
		sealing_seal(&self->s);
		ASSERT_EQ(SW_OK, sealing_process(&self->s, &self->tray));
	}
	EXPECT_NULL(offer_of(self));
}

TEST_F(card, an_occupied_container_is_replaced_only_by_name)
{
	struct container *c = &self->tray.card->state->containers[2];

	tray_put_key(&self->tray, 2, TRAY_P521, KF_PURPOSE_SIGN, KF_ORIGIN_GENERATED, 0);
	ASSERT_EQ(0, blob_new(BYTES("cert", 4), &c->cert));
	c->used = true;
	EXPECT_EQ(SW_CONDITIONS, sealing_process(&self->s, &self->tray));

	self->s.body.replaces.present = true;
	ASSERT_EQ(0, sha256(tray_spki(TRAY_P384), self->s.body.replaces.digest));
	sealing_seal(&self->s);
	EXPECT_EQ(SW_CONDITIONS, sealing_process(&self->s, &self->tray));
	EXPECT_BYTES_EQ(tray_spki(TRAY_P521),
			card_key_spki(self->tray.card->state->containers[2].key));

	/* who had selected the old key has not selected the new one */
	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_MSE, 0x41b6,
				   BYTES("\x80\x01\x31\x84\x01\x02", 6)));
	ASSERT_EQ(0, sha256(tray_spki(TRAY_P521), self->s.body.replaces.digest));
	sealing_seal(&self->s);
	EXPECT_EQ(SW_OK, sealing_process(&self->s, &self->tray));
	EXPECT_EQ(ALG_NONE, self->tray.card->selection.algorithm);
	c = &self->tray.card->state->containers[2];
	EXPECT_BYTES_EQ(tray_spki(TRAY_P256), card_key_spki(c->key));
	EXPECT_NULL(c->cert);
	EXPECT_FALSE(c->used);
}

TEST_F(card, an_empty_container_holds_nothing_to_replace)
{
	self->s.body.replaces.present = true;
	ASSERT_EQ(0, sha256(tray_spki(TRAY_P521), self->s.body.replaces.digest));
	sealing_seal(&self->s);
	EXPECT_EQ(SW_CONDITIONS, sealing_process(&self->s, &self->tray));
	EXPECT_NULL(self->tray.card->state->containers[2].key);
}

/* SECURITY 2: not even when the item names it. */
TEST_F(card, a_key_that_receives_keys_is_never_replaced)
{
	static const enum kf_purpose reserved[] = { KF_PURPOSE_EXCHANGE, KF_PURPOSE_KEK,
						    KF_PURPOSE_SHARED };

	for (size_t i = 0; i < 3; i++) {
		tray_put_key(&self->tray, 2, TRAY_RSA, reserved[i], KF_ORIGIN_GENERATED, 0);
		self->s.body.replaces.present = true;
		ASSERT_EQ(0, sha256(tray_spki(TRAY_RSA), self->s.body.replaces.digest));
		sealing_seal(&self->s);
		EXPECT_EQ(SW_CONDITIONS, sealing_process(&self->s, &self->tray));
		EXPECT_EQ(reserved[i], self->tray.card->state->containers[2].purpose);
	}
}

TEST_F(card, a_commit_that_fails_changes_nothing)
{
	tray_fail_at(&self->tray, 1, -ENOSPC);		/* the try */
	EXPECT_EQ(SW_MEMORY, sealing_process(&self->s, &self->tray));
	EXPECT_EQ(APP_TRIES, offer_of(self)->tries);
	EXPECT_BYTES_EQ(BYTES(self->before, self->before_len),
			BYTES(self->tray.blob, self->tray.blob_len));

	tray_fail_at(&self->tray, 2, -ENOSPC);		/* the key */
	EXPECT_EQ(SW_MEMORY, sealing_process(&self->s, &self->tray));
	EXPECT_EQ(0u, self->tray.n);
	expect_only_a_try_spent(self);

	EXPECT_EQ(SW_OK, sealing_process(&self->s, &self->tray));
}

TEST_F(card, after_a_commit_in_doubt_the_card_is_mute_and_then_as_its_memory_says)
{
	uint8_t command[5] = { 0x00, 0xca, 0x01, 0x00, 0x00 };

	tray_fail_at(&self->tray, 2, -EIO);
	EXPECT_EQ(0, sealing_process(&self->s, &self->tray));
	EXPECT_EQ(0, tray_raw(&self->tray, BYTES_OF(command)));
	card_power_on(self->tray.card);
	EXPECT_EQ(SW_CONDITIONS, tray_raw(&self->tray, BYTES_OF(command)));
	EXPECT_EQ(APP_TRIES - 1, offer_of(self)->tries);
	EXPECT_NULL(self->tray.card->state->containers[2].key);
}

/* Power gone at any commit: what is in memory is the old card or the new one. */
TEST_F(card, a_kill_at_each_commit_leaves_the_old_key_or_the_new_one)
{
	for (unsigned int at = 1; at <= 3; at++) {
		bool installed;

		tray_fail_at(&self->tray, at, -EIO);
		(void)sealing_process(&self->s, &self->tray);
		tray_restart(&self->tray);
		installed = self->tray.card->state->containers[2].key != NULL;
		EXPECT_EQ(at == 3, installed);
		EXPECT_EQ(installed, self->tray.card->state->counter == 1);
		EXPECT_EQ(installed, offer_of(self) == NULL);
		EXPECT_EQ(installed, get_receipt(&self->tray, self->s.statement.sid, 1) == SW_OK);
		if (installed)
			break;
		ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
		ASSERT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	}
}

TEST_F(card, the_pin_comes_after_syntax_and_session)
{
	ASSERT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_VERIFY, 0xff81, BYTES_NONE));
	EXPECT_EQ(SW_DATA, tray_send(&self->tray, 0x80, INS_PROCESS, 0x0101, BYTES("x", 1)));
	self->s.session += 1;
	EXPECT_EQ(SW_NO_OBJECT, sealing_process(&self->s, &self->tray));
	self->s.session -= 1;
	EXPECT_EQ(SW_PIN_NEEDED, sealing_process(&self->s, &self->tray));
	EXPECT_EQ(APP_TRIES, offer_of(self)->tries);
}

TEST_F(card, sessions_and_items_do_not_mix)
{
	static struct sealing other;

	sealing_offer(&other, &self->tray, 5, 0xff);
	sealing_take_key(&other, TRAY_P384, KF_PURPOSE_DERIVE);
	sealing_seal(&other);
	ASSERT_EQ(SW_OK, sealing_import(&other, &self->tray));
	other.session = self->s.session;
	EXPECT_EQ(SW_REFUSED, sealing_process(&other, &self->tray));
	EXPECT_NULL(self->tray.card->state->containers[5].key);
	sealing_deinit(&other);
}

TEST_F(card, the_seventeenth_receipt_evicts_the_first)
{
	uint8_t first[KF_SID_SIZE];

	memcpy(first, self->s.statement.sid, sizeof(first));
	ASSERT_EQ(SW_OK, sealing_process(&self->s, &self->tray));
	for (unsigned int i = 0; i < APP_RECEIPTS_MAX; i++) {
		ASSERT_EQ(SW_OK, get_receipt(&self->tray, first, 1));
		ASSERT_EQ(SW_OK, sealing_inject(&self->tray, 4, TRAY_P384, KF_PURPOSE_SIGN));
		ASSERT_EQ(SW_OK, tray_send(&self->tray, 0x80, INS_DELETE, 4, BYTES_NONE));
	}
	EXPECT_EQ(SW_NO_OBJECT, get_receipt(&self->tray, first, 1));
}

FIXTURE(open_card)
{
	struct tray tray;
	struct sealing s;
};

FIXTURE_SETUP(open_card)
{
	tray_init(&self->tray, 0);
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	sealing_offer(&self->s, &self->tray, 2, 0xff);
	sealing_take_key(&self->s, TRAY_P256, KF_PURPOSE_SIGN);
	ASSERT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
}

FIXTURE_TEARDOWN(open_card)
{
	sealing_deinit(&self->s);
	tray_deinit(&self->tray);
}

TEST_F(open_card, an_open_import_says_so)
{
	struct signed_receipt sr;
	struct receipt r;

	EXPECT_EQ(0u, self->s.statement.n_injectors);
	sealing_seal(&self->s);
	ASSERT_EQ(SW_OK, sealing_process(&self->s, &self->tray));
	ASSERT_EQ(0, signed_receipt_parse(tray_data(&self->tray), &sr));
	ASSERT_EQ(0, receipt_parse(sr.receipt, &r));
	EXPECT_FALSE(r.sender.present);
	EXPECT_EQ(KF_ORIGIN_INJECTED_OPEN, self->tray.card->state->containers[2].origin);
}

TEST_F(open_card, nobody_can_claim_to_be_known)
{
	self->s.signer = TRAY_STRANGER;
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	self->s.body.sender.present = true;
	ASSERT_EQ(0, sha256(tray_spki(TRAY_STRANGER), self->s.body.sender.digest));
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	self->s.signer = TRAY_KEYS;
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
}
