/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Orders about PINs (docs/card-application.md 5.4, functions 02 and 03). */
#include "format/pin_item.h"
#include "format/hash.h"
#include "format/receipt.h"
#include "tests/harness.h"
#include "tests/vreader/card/tray.h"

#define NEW_PIN "a-new-pin-42"
#define TEXT(text) BYTES(text, sizeof(text) - 1)

/* A card whose user knows no PIN, an offer about PINs taken up, and a good order for it. */
FIXTURE(card)
{
	struct tray tray;
	struct sealing s;
	struct pin_item order;
	uint8_t before[CODEC_MAX];
	size_t before_len;
};

static void seal(struct fixture_card *self, enum kf_function function, uint32_t target)
{
	sealing_take_order(&self->s, function, target, &self->order);
	sealing_seal(&self->s);
}

static void remember(struct fixture_card *self)
{
	struct packer p = pack_begin(self->before, sizeof(self->before));

	pack_bytes(&p, BYTES(self->tray.blob, self->tray.blob_len));
	self->before_len = p.n;
}

FIXTURE_SETUP(card)
{
	tray_init(&self->tray, 1);
	sealing_offer(&self->s, &self->tray, KF_CONTAINER_PINS, 0xff);
	self->order = (struct pin_item){ KF_PIN_PUK, 2, TEXT(TRAY_PUK), TEXT(NEW_PIN) };
	seal(self, KF_FUNCTION_CHANGE_AUTHENTICATOR, KF_PIN_USER);
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

static void expect_only_a_try_spent(struct fixture_card *self)
{
	struct offer *offer = offer_of(self);
	static uint8_t buf[CODEC_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	ASSERT_NOT_NULL(offer);
	EXPECT_EQ(APP_TRIES - 1, offer->tries);
	offer->tries = APP_TRIES;
	ASSERT_EQ(0, state_encode(self->tray.card->state, &p));
	EXPECT_BYTES_EQ(BYTES(self->before, self->before_len), pack_done(&p));
}

static uint16_t set_pin(struct fixture_card *self)
{
	return sealing_process_as(&self->s, &self->tray, KF_FUNCTION_CHANGE_AUTHENTICATOR);
}

static uint16_t log_in(struct fixture_card *self)
{
	return sealing_process_as(&self->s, &self->tray, KF_FUNCTION_AUTHENTICATE);
}

static void block_the_pin(struct fixture_card *self)
{
	for (int i = 0; i < APP_PIN_TRIES; i++)
		(void)tray_verify(&self->tray, "000000");
	ASSERT_EQ(SW_BLOCKED, tray_verify(&self->tray, TRAY_PIN));
}

TEST_F(card, a_blocked_pin_is_set_anew_by_whoever_has_the_puk)
{
	block_the_pin(self);
	EXPECT_EQ(SW_OK, set_pin(self));
	EXPECT_FALSE(self->tray.card->pin_verified);
	EXPECT_NULL(offer_of(self));
	EXPECT_EQ(SW_TRIES | 2, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, NEW_PIN));
	EXPECT_EQ(1u, self->tray.card->state->counter);
}

TEST_F(card, the_receipt_says_which_pin_and_how_many_tries)
{
	struct signed_receipt sr;
	struct receipt r;
	struct pin_mark mark;
	uint8_t digest[KF_DIGEST_SIZE];

	block_the_pin(self);
	ASSERT_EQ(SW_OK, set_pin(self));
	ASSERT_EQ(0, signed_receipt_parse(tray_data(&self->tray), &sr));
	ASSERT_EQ(0, ecdsa_verify(tray_key(TRAY_DEVICE), sr.receipt, BYTES_NONE, sr.signature));
	ASSERT_EQ(0, receipt_parse(sr.receipt, &r));
	ASSERT_EQ(0, sha256(BYTES(self->s.item, self->s.item_len), digest));
	EXPECT_MEMEQ(digest, r.item, KF_DIGEST_SIZE);
	EXPECT_EQ(KF_FUNCTION_CHANGE_AUTHENTICATOR, r.function);
	EXPECT_EQ((uint32_t)KF_CONTAINER_PINS, r.container);
	EXPECT_EQ(KF_PIN_USER, r.pin);
	EXPECT_EQ(KF_KEY_NONE, r.key_type);
	EXPECT_TRUE(r.sender.present);
	ASSERT_EQ(0, pin_mark_parse(r.evidence, &mark));
	EXPECT_EQ(KF_PIN_USER, mark.pin);
	EXPECT_EQ((uint32_t)APP_PIN_TRIES, mark.tries);
}

TEST_F(card, a_pin_and_a_puk_change_by_themselves)
{
	self->order = (struct pin_item){ KF_PIN_USER, 1, TEXT(TRAY_PIN), TEXT(NEW_PIN) };
	seal(self, KF_FUNCTION_CHANGE_AUTHENTICATOR, KF_PIN_USER);
	self->s.body.count = 2;
	sealing_seal(&self->s);
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_OK, set_pin(self));
	EXPECT_FALSE(self->tray.card->pin_verified);	/* who was in by the old one is out */
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, NEW_PIN));

	self->order = (struct pin_item){ KF_PIN_PUK, 1, TEXT(TRAY_PUK), TEXT("a-new-puk-42") };
	sealing_take_order(&self->s, KF_FUNCTION_CHANGE_AUTHENTICATOR, KF_PIN_PUK, &self->order);
	self->s.body.number = self->s.body.count = 2;
	sealing_seal(&self->s);
	EXPECT_EQ(SW_OK, set_pin(self));
	EXPECT_TRUE(self->tray.card->pin_verified);
	EXPECT_BYTES_EQ(TEXT("a-new-puk-42"), blob_bytes(self->tray.card->state->puk.value));
}

TEST_F(card, to_authenticate_is_to_verify)
{
	self->order = (struct pin_item){ KF_PIN_USER, 2, TEXT(TRAY_PIN), BYTES_NONE };
	seal(self, KF_FUNCTION_AUTHENTICATE, KF_PIN_USER);
	(void)tray_verify(&self->tray, "000000");
	EXPECT_EQ(SW_OK, log_in(self));
	EXPECT_TRUE(self->tray.card->pin_verified);
	EXPECT_EQ(APP_PIN_TRIES, self->tray.card->state->pin.tries);
}

TEST_F(card, below_the_least_tries_nothing_is_compared_and_nothing_changes)
{
	self->order.least_tries = APP_PUK_TRIES + 1;
	seal(self, KF_FUNCTION_CHANGE_AUTHENTICATOR, KF_PIN_USER);
	EXPECT_EQ(SW_CONDITIONS, set_pin(self));
	expect_only_a_try_spent(self);

	/* with a wrong PUK, too: it is not looked at */
	self->order.proof = TEXT("00000000");
	seal(self, KF_FUNCTION_CHANGE_AUTHENTICATOR, KF_PIN_USER);
	EXPECT_EQ(SW_CONDITIONS, set_pin(self));
	expect_only_a_try_spent(self);

	self->order = (struct pin_item){ KF_PIN_PUK, APP_PUK_TRIES, TEXT(TRAY_PUK), TEXT(NEW_PIN) };
	seal(self, KF_FUNCTION_CHANGE_AUTHENTICATOR, KF_PIN_USER);
	EXPECT_EQ(SW_OK, set_pin(self));
}

TEST_F(card, a_wrong_pin_costs_a_try_and_sets_nothing)
{
	self->order.proof = TEXT("00000000");
	seal(self, KF_FUNCTION_CHANGE_AUTHENTICATOR, KF_PIN_USER);
	EXPECT_EQ(SW_TRIES | (APP_PUK_TRIES - 1), set_pin(self));
	EXPECT_EQ(APP_PUK_TRIES - 1, self->tray.card->state->puk.tries);
	self->tray.card->state->puk.tries = APP_PUK_TRIES;
	expect_only_a_try_spent(self);
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));

	self->order = (struct pin_item){ KF_PIN_USER, 1, TEXT("000000"), BYTES_NONE };
	seal(self, KF_FUNCTION_AUTHENTICATE, KF_PIN_USER);
	EXPECT_EQ(SW_TRIES | (APP_PIN_TRIES - 1), log_in(self));
	EXPECT_FALSE(self->tray.card->pin_verified);
	block_the_pin(self);
	EXPECT_EQ(SW_BLOCKED, log_in(self));
}

TEST_F(card, a_replay_changes_nothing)
{
	ASSERT_EQ(SW_OK, set_pin(self));
	remember(self);
	EXPECT_EQ(SW_NO_OBJECT, set_pin(self));
	EXPECT_EQ(SW_REFUSED, sealing_import(&self->s, &self->tray));
	EXPECT_BYTES_EQ(BYTES(self->before, self->before_len),
			BYTES(self->tray.blob, self->tray.blob_len));
}

TEST_F_TIMEOUT(card, every_flipped_bit_is_refused_and_changes_only_the_tries, 30)
{
	for (size_t bit = 0; bit < self->s.item_len * 8; bit++) {
		uint16_t sw;

		self->s.item[bit / 8] ^= (uint8_t)(1 << bit % 8);
		sw = set_pin(self);
		self->s.item[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (sw != SW_REFUSED && sw != SW_DATA)
			TEST_FAIL("bit %zu: %04x", bit, sw);
		if (sw == SW_REFUSED)
			expect_only_a_try_spent(self);
	}
	EXPECT_EQ(SW_OK, set_pin(self));
}

/* Where the values stand in the plaintext of an order [formats 13]. */
enum { PROOF = 14, FRESH = PROOF + APP_PIN_FIELD + 2 };

/* A byte of padding less, and all lengths around it as they should be. */
static void shorten(struct secret *plain, size_t field)
{
	size_t end = field + APP_PIN_FIELD - 1;

	plain->p[2]--;
	plain->p[field - 1]--;
	memmove(plain->p + end, plain->p + end + 1, plain->n - end - 1);
	plain->n--;
}

/* Sealed and signed as they should be, and yet not orders that a card does. */
static void spoil(struct fixture_card *self, unsigned int how)
{
	struct item_body *b = &self->s.body;
	struct pin_item *order = &self->order;
	static const uint8_t long_pin[APP_PIN_MAX + 1] = { 1 };

	switch (how) {
	case 0: b->container = 3; break;
	case 1: b->replaces.present = true; break;
	case 2: b->pin = 0; break;
	case 3: b->pin = 3; break;
	case 4: b->key_type = KF_KEY_EC_P256; break;
	case 5: b->purpose = KF_PURPOSE_SIGN; break;
	case 6: b->policy.pin_needed = true; break;
	case 7: b->policy.not_after = 1; break;
	case 8: b->function = KF_FUNCTION_AUTHENTICATE; break;
	case 9: b->sender.present = false; self->s.signer = TRAY_KEYS; break;
	case 10: self->s.signer = TRAY_STRANGER; break;
	case 11: b->serial[0] ^= 1; break;
	case 12: b->exchange[0] ^= 1; break;
	case 13: self->s.plain.p[11] = 1; break;		/* a session PIN */
	case 14: self->s.plain.p[8] = 0; break;			/* no tries at all */
	case 15: order->fresh = TEXT("123"); break;
	case 16: order->fresh = BYTES_OF(long_pin); break;
	case 17: order->fresh = BYTES_NONE; break;
	case 18: order->authenticator = 3; break;
	case 19: b->pin = KF_PIN_PUK; order->authenticator = KF_PIN_USER; break;
	case 20: self->s.plain.p[PROOF + APP_PIN_FIELD - 1] = 1; break;
	case 21: self->s.plain.p[FRESH + APP_PIN_FIELD - 1] = 1; break;
	case 22: shorten(&self->s.plain, PROOF); break;
	case 23: shorten(&self->s.plain, FRESH); break;
	default: TEST_FAIL("no such spoiling: %u", how);
	}
	if (how >= 15 && how < 20)
		ASSERT_EQ(0, pin_item_encode(order, &self->s.plain));
}

TEST_F(card, each_field_is_judged_even_when_the_mac_is_right)
{
	const struct pin_item good = self->order;

	for (unsigned int how = 0; how <= 23; how++) {
		self->order = good;
		sealing_take_order(&self->s, KF_FUNCTION_CHANGE_AUTHENTICATOR, KF_PIN_USER, &good);
		spoil(self, how);
		sealing_seal(&self->s);
		if (set_pin(self) != SW_REFUSED)
			TEST_FAIL("spoiling %u: %04x", how, self->tray.sw);
		expect_only_a_try_spent(self);
	}
}

/* As long as the application takes them, and with the padding that this leaves. */
TEST_F(card, a_pin_of_32_bytes_is_set_and_proves_itself)
{
	static const char longest[] = "0123456789-23456789-23456789-280";

	static_assert(sizeof(longest) - 1 == APP_PIN_MAX, "the longest there is");
	self->order.fresh = TEXT(longest);
	seal(self, KF_FUNCTION_CHANGE_AUTHENTICATOR, KF_PIN_USER);
	self->s.body.count = 2;
	sealing_seal(&self->s);
	ASSERT_EQ(SW_OK, set_pin(self));
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, longest));

	self->order = (struct pin_item){ KF_PIN_USER, 1, TEXT(longest), TEXT(NEW_PIN) };
	seal(self, KF_FUNCTION_CHANGE_AUTHENTICATOR, KF_PIN_USER);
	self->s.body.number = self->s.body.count = 2;
	sealing_seal(&self->s);
	EXPECT_EQ(SW_OK, set_pin(self));
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, NEW_PIN));
}

/* Where keys come from anybody, orders about PINs still do not [SECURITY section 4]. */
TEST_F(card, an_order_needs_a_sender_even_on_an_open_card)
{
	self->tray.card->state->n_injectors = 0;
	self->s.body.sender.present = false;
	self->s.signer = TRAY_KEYS;
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, set_pin(self));
}

TEST_F(card, to_authenticate_sets_nothing)
{
	self->order = (struct pin_item){ KF_PIN_USER, 1, TEXT(TRAY_PIN), TEXT(NEW_PIN) };
	seal(self, KF_FUNCTION_AUTHENTICATE, KF_PIN_USER);
	EXPECT_EQ(SW_REFUSED, log_in(self));
	expect_only_a_try_spent(self);
	self->order = (struct pin_item){ KF_PIN_PUK, 1, TEXT(TRAY_PUK), BYTES_NONE };
	seal(self, KF_FUNCTION_AUTHENTICATE, KF_PIN_USER);
	EXPECT_EQ(SW_REFUSED, log_in(self));
	expect_only_a_try_spent(self);
}

/* A key has to come by an offer for a container, an order about PINs by one for PINs. */
TEST_F(card, orders_and_keys_do_not_come_by_each_others_offers)
{
	static struct sealing keys;

	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	sealing_take_key(&self->s, TRAY_P256, KF_PURPOSE_SIGN);
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	expect_only_a_try_spent(self);

	sealing_offer(&keys, &self->tray, 2, 0xff);
	ASSERT_EQ(SW_OK, sealing_import(&keys, &self->tray));
	for (uint32_t container = 2; container <= KF_CONTAINER_PINS; container += 253) {
		sealing_take_order(&keys, KF_FUNCTION_CHANGE_AUTHENTICATOR, KF_PIN_USER,
				   &self->order);
		keys.body.container = container;
		sealing_seal(&keys);
		EXPECT_EQ(SW_REFUSED, sealing_process_as(&keys, &self->tray,
							 KF_FUNCTION_CHANGE_AUTHENTICATOR));
	}
	EXPECT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	sealing_deinit(&keys);
}

/* A batch leaves the container to its items, but not what they are about. */
TEST_F(card, no_order_comes_by_a_batch)
{
	static struct sealing batch;

	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	sealing_offer(&batch, &self->tray, KF_CONTAINER_BATCH, 0xff);
	ASSERT_EQ(SW_OK, sealing_import(&batch, &self->tray));
	sealing_take_order(&batch, KF_FUNCTION_CHANGE_AUTHENTICATOR, KF_PIN_USER, &self->order);
	batch.body.container = KF_CONTAINER_PINS;
	sealing_seal(&batch);
	EXPECT_EQ(SW_REFUSED, sealing_process_as(&batch, &self->tray,
						 KF_FUNCTION_CHANGE_AUTHENTICATOR));
	sealing_deinit(&batch);
}

/* The user's PIN is needed for all but orders by an offer about PINs. */
TEST_F(card, no_pin_is_needed_but_for_keys)
{
	static struct sealing keys;

	sealing_offer(&keys, &self->tray, 2, 0xff);
	EXPECT_EQ(SW_PIN_NEEDED, sealing_import(&keys, &self->tray));
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	ASSERT_EQ(SW_OK, sealing_import(&keys, &self->tray));
	ASSERT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_VERIFY, 0xff81, BYTES_NONE));
	sealing_take_order(&keys, KF_FUNCTION_CHANGE_AUTHENTICATOR, KF_PIN_USER, &self->order);
	sealing_seal(&keys);
	EXPECT_EQ(SW_PIN_NEEDED, sealing_process_as(&keys, &self->tray,
						    KF_FUNCTION_CHANGE_AUTHENTICATOR));
	sealing_take_key(&self->s, TRAY_P256, KF_PURPOSE_SIGN);
	sealing_seal(&self->s);
	EXPECT_EQ(SW_PIN_NEEDED, sealing_process(&self->s, &self->tray));
	sealing_deinit(&keys);
}

/* Power gone at any commit: the PIN is the old one or the new one, and the receipt goes with it. */
TEST_F(card, a_kill_at_each_commit_leaves_the_old_pin_or_the_new_one)
{
	for (unsigned int at = 1; at <= 4; at++) {
		bool done;

		tray_fail_at(&self->tray, at, -EIO);
		(void)set_pin(self);
		tray_restart(&self->tray);
		done = self->tray.card->state->counter == 1;
		EXPECT_EQ(at == 4, done);
		EXPECT_EQ(done, offer_of(self) == NULL);
		EXPECT_EQ(done, self->tray.card->state->n_receipts == 1);
		EXPECT_BYTES_EQ(done ? TEXT(NEW_PIN) : TEXT(TRAY_PIN),
				blob_bytes(self->tray.card->state->pin.value));
		/* a try of the PUK may be gone, and comes back with the order that succeeds */
		EXPECT_EQ(at == 3 ? APP_PUK_TRIES - 1 : APP_PUK_TRIES,
			  self->tray.card->state->puk.tries);
		if (!done)
			ASSERT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	}
}

TEST_F(card, an_offer_about_pins_outlives_power)
{
	tray_restart(&self->tray);
	ASSERT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	EXPECT_EQ(SW_OK, set_pin(self));
}

/* SECURITY section 4: no PIN is set for a sender nobody knows. */
TEST(a_card_that_knows_no_sender_offers_nothing_about_pins)
{
	static struct tray tray;
	static const uint8_t ask[] = {
		0x80, 0x20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
		21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
		0x81, 0x01, KF_CONTAINER_PINS, 0x82, 0x01, KF_METHOD_RSA, 0x83, 0x01, KF_KEY_RSA_2048,
	};

	tray_init(&tray, 0);
	EXPECT_EQ(SW_CONDITIONS, tray_send(&tray, 0x80, INS_OFFER, 0x0000, BYTES_OF(ask)));
	EXPECT_EQ(0u, tray.card->state->n_offers);
	tray_deinit(&tray);
}
