/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Items that bring a secret key (docs/card-application.md 5.4, function 04). */
#include "format/aes.h"
#include "format/hash.h"
#include "format/receipt.h"
#include "format/secret_mark.h"
#include "tests/harness.h"
#include "tests/vreader/card/tray.h"

static const uint8_t secret[32] = { 0x5e, 0xc2, 0xe7, [31] = 0x01 };

/* A card with an injector, an offer for container 2 taken up, and a good item for it. */
FIXTURE(card)
{
	struct tray tray;
	struct sealing s;
};

static void seal(struct fixture_card *self, enum kf_key_type type, size_t n)
{
	sealing_take_secret(&self->s, type, BYTES(secret, n));
	sealing_seal(&self->s);
}

FIXTURE_SETUP(card)
{
	tray_init(&self->tray, 1);
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	sealing_offer(&self->s, &self->tray, 2, 0xff);
	seal(self, KF_KEY_AES_256, 32);
	ASSERT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
}

FIXTURE_TEARDOWN(card)
{
	sealing_deinit(&self->s);
	tray_deinit(&self->tray);
}

static uint16_t process(struct fixture_card *self)
{
	return sealing_process_as(&self->s, &self->tray, KF_FUNCTION_IMPORT_SECRET);
}

static const struct container *target(struct fixture_card *self)
{
	return &self->tray.card->state->containers[2];
}

static void expect_installed(struct fixture_card *self, enum kf_key_type type, size_t n)
{
	const struct container *c = target(self);

	ASSERT_NOT_NULL(c->key);
	EXPECT_EQ(type, card_key_type(c->key));
	EXPECT_EQ(KF_PURPOSE_CIPHER, c->purpose);
	EXPECT_EQ(KF_ORIGIN_INJECTED, c->origin);
	EXPECT_BYTES_EQ(BYTES(secret, n), card_key_private(c->key));
}

TEST_F(card, a_key_of_each_length_is_installed)
{
	static const struct { enum kf_key_type type; size_t n; } rows[] = {
		{ KF_KEY_AES_256, 32 }, { KF_KEY_AES_192, 24 }, { KF_KEY_AES_128, 16 },
	};

	for (size_t i = 0; i < 3; i++) {
		seal(self, rows[i].type, rows[i].n);
		self->s.body.number = (uint32_t)i + 1;
		self->s.body.count = 3;
		if (i > 0) {
			self->s.body.replaces.present = true;
			memcpy(self->s.body.replaces.digest, card_key_hash(target(self)->key),
			       KF_DIGEST_SIZE);
		}
		sealing_seal(&self->s);
		ASSERT_EQ(SW_OK, process(self));
		expect_installed(self, rows[i].type, rows[i].n);
	}
}

TEST_F(card, the_receipt_names_the_key_and_proves_that_the_card_has_it)
{
	struct item_place place = { KF_METHOD_RSA, KF_FUNCTION_IMPORT_SECRET, { 0 }, 1 };
	struct item_keys keys = ITEM_KEYS_INIT;
	uint8_t mark_der[KEY_MARK_MAX], proof[ITEM_MAC_SIZE];
	struct packer p = pack_begin(mark_der, sizeof(mark_der));
	struct signed_receipt sr;
	struct secret_mark shown;
	struct key_mark mark;
	struct receipt r;

	ASSERT_EQ(SW_OK, process(self));
	ASSERT_EQ(0, signed_receipt_parse(tray_data(&self->tray), &sr));
	ASSERT_EQ(0, ecdsa_verify(tray_key(TRAY_DEVICE), sr.receipt, BYTES_NONE, sr.signature));
	ASSERT_EQ(0, receipt_parse(sr.receipt, &r));
	EXPECT_EQ(KF_FUNCTION_IMPORT_SECRET, r.function);
	EXPECT_EQ(KF_KEY_AES_256, r.key_type);
	EXPECT_EQ(KF_PURPOSE_CIPHER, r.purpose);
	ASSERT_EQ(0, secret_mark_parse(r.evidence, &shown));

	ASSERT_EQ(0, aes_mark(BYTES_OF(secret), &mark));
	key_mark_pack(&p, &mark);
	EXPECT_BYTES_EQ(pack_done(&p), shown.key);
	memcpy(place.h, self->s.h, sizeof(place.h));
	ASSERT_EQ(0, item_keys_derive(&keys, &self->s.s1, &place));
	ASSERT_EQ(0, item_proof(&keys, BYTES_OF(secret), proof));
	EXPECT_MEMEQ(proof, shown.proof, sizeof(proof));
	item_keys_deinit(&keys);
}

TEST_F(card, a_key_of_another_length_than_its_type_is_refused)
{
	static const size_t lengths[] = { 31, 24, 16 };

	for (size_t i = 0; i < 3; i++) {
		seal(self, KF_KEY_AES_256, lengths[i]);
		EXPECT_EQ(SW_REFUSED, process(self));
	}
	EXPECT_NULL(target(self)->key);
}

TEST_F(card, each_function_brings_its_own_types_alone)
{
	/* an AES key as a pair */
	self->s.body.function = KF_FUNCTION_IMPORT_KEYPAIR;
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	/* a pair as a secret key */
	sealing_take_key(&self->s, TRAY_P256, KF_PURPOSE_SIGN);
	self->s.body.function = KF_FUNCTION_IMPORT_SECRET;
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, process(self));
	EXPECT_NULL(target(self)->key);
}

TEST_F(card, an_aes_key_is_for_cipher_alone)
{
	static const enum kf_purpose others[] = { KF_PURPOSE_SIGN, KF_PURPOSE_KEK, KF_PURPOSE_SHARED };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		seal(self, KF_KEY_AES_256, 32);
		self->s.body.purpose = others[i];
		sealing_seal(&self->s);
		EXPECT_EQ(SW_REFUSED, process(self));
	}
	EXPECT_NULL(target(self)->key);
}

/* What the card can take it attests, so that no server has to guess. */
TEST_F(card, the_statement_lists_the_types)
{
	for (int type = KF_KEY_AES_128; type <= KF_KEY_AES_256; type++)
		EXPECT_TRUE(number_list_has(&self->s.statement.key_types, (uint8_t)type));
}
