/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces: vreader/card/session.c
 *
 * Method ecdh on the card: the server shows that it has S1 before anything changes, the card shows it in
 * the answer and in the receipt, and whatever is wrong costs a try and one word.
 */
#include "format/hash.h"
#include "format/receipt.h"
#include "tests/harness.h"
#include "tests/vreader/card/tray.h"
#include "vreader/card/session.h"
#include "vreader/card/tlv.h"

FIXTURE(agree)
{
	struct tray tray;
	struct sealing s;
};

FIXTURE_VARIANT(agree)
{
	enum kf_key_type type;
	size_t point;			/* bytes of a public key */
};

FIXTURE_VARIANT_ADD(agree, p256) { KF_KEY_EC_P256, 65 };
FIXTURE_VARIANT_ADD(agree, p384) { KF_KEY_EC_P384, 97 };
FIXTURE_VARIANT_ADD(agree, x25519) { KF_KEY_X25519, 32 };

FIXTURE_SETUP(agree)
{
	tray_init(&self->tray, 1);
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	sealing_offer_by(&self->s, &self->tray, 2, KF_METHOD_ECDH, variant->type);
	sealing_take_key(&self->s, TRAY_P256, KF_PURPOSE_SIGN);
}

FIXTURE_TEARDOWN(agree)
{
	sealing_deinit(&self->s);
	tray_deinit(&self->tray);
}

#define SELF struct fixture_agree *self

static struct offer *offer_of(SELF)
{
	return state_find_offer(self->tray.card->state, self->s.statement.sid);
}

/* Refused like everything else: one try less, no session, no key, no second look. */
static void expect_refused(SELF, unsigned int tries_left)
{
	EXPECT_EQ(SW_REFUSED, sealing_import(&self->s, &self->tray));
	EXPECT_EQ(0u, self->tray.n);
	ASSERT_NOT_NULL(offer_of(self));
	EXPECT_EQ(tries_left, offer_of(self)->tries);
	EXPECT_FALSE(offer_of(self)->opened);
	EXPECT_NULL(session_find(self->tray.card, 1));
	EXPECT_TRUE(bytes_are_zero(BYTES(self->tray.card->sessions[0].s1.p, KF_S1_SIZE)));
	EXPECT_NULL(self->tray.card->state->containers[2].key);
}

TEST_F(agree, a_statement_attests_the_static_key)
{
	const struct statement *st = &self->s.statement;

	EXPECT_EQ(2u, st->methods.n);
	EXPECT_EQ(variant->type, st->exchange_type);
	EXPECT_EQ(KF_PURPOSE_EXCHANGE, st->purpose);
	EXPECT_EQ(KF_ORIGIN_GENERATED, st->origin);
	EXPECT_EQ(variant->point + CONFIRMATION_SIZE, self->s.input_len);
}

TEST_F(agree, a_key_arrives_and_the_receipt_confirms)
{
	struct signed_receipt sr;
	struct receipt r;

	ASSERT_EQ(SW_OK, sealing_import(&self->s, &self->tray));	/* sees the confirmation, too */
	EXPECT_EQ(APP_TRIES, offer_of(self)->tries);
	sealing_seal(&self->s);
	ASSERT_EQ(SW_OK, sealing_process(&self->s, &self->tray));
	ASSERT_EQ(0, signed_receipt_parse(tray_data(&self->tray), &sr));
	ASSERT_EQ(0, receipt_parse(sr.receipt, &r));
	EXPECT_EQ(KF_METHOD_ECDH, r.method);
	EXPECT_TRUE(r.confirms);
	EXPECT_MEMEQ(self->s.confirmation, r.confirmation, sizeof(r.confirmation));
	EXPECT_BYTES_EQ(tray_spki(TRAY_P256), r.evidence);
	EXPECT_NULL(offer_of(self));
}

TEST_F(agree, a_wrong_confirmation_is_refused_whichever_bit_it_is)
{
	for (size_t i = 0; i < CONFIRMATION_SIZE; i++) {
		uint8_t *at = &self->s.input[variant->point + i];

		*at ^= (uint8_t)(1u << (i % 8));
		offer_of(self)->tries = APP_TRIES;
		expect_refused(self, APP_TRIES - 1);
		*at ^= (uint8_t)(1u << (i % 8));
	}
	EXPECT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
}

TEST_F(agree, five_wrong_confirmations_and_the_sid_is_gone)
{
	self->s.input[variant->point] ^= 1;
	for (unsigned int left = APP_TRIES; left > 0; left--)
		expect_refused(self, left - 1);
	self->s.input[variant->point] ^= 1;
	EXPECT_EQ(SW_REFUSED, sealing_import(&self->s, &self->tray));
	EXPECT_NULL(offer_of(self));
}

TEST_F(agree, tries_do_not_come_back_with_power)
{
	self->s.input[variant->point] ^= 1;
	expect_refused(self, APP_TRIES - 1);
	tray_restart(&self->tray);
	EXPECT_EQ(APP_TRIES - 1, offer_of(self)->tries);
}

/* A confirmation cannot be right for a point that is none; it must not be told apart from a wrong one. */
TEST_F(agree, what_is_no_point_is_refused_as_a_wrong_confirmation_is)
{
	uint8_t good[512];
	unsigned int commits;

	memcpy(good, self->s.input, sizeof(good));
	self->s.input[variant->point] ^= 1;
	commits = self->tray.commits;
	expect_refused(self, APP_TRIES - 1);
	commits = self->tray.commits - commits;
	for (int i = 0; i < 5; i++) {
		unsigned int before = self->tray.commits;

		memcpy(self->s.input, good, sizeof(good));
		switch (i) {
		case 0: memset(self->s.input, 0, variant->point); break;
		case 1: self->s.input[0] = 0x02; break;			/* compressed; another number */
		case 2: self->s.input[variant->point - 1] ^= 1; break;	/* off the curve */
		case 3: memset(self->s.input + 1, 0xff, variant->point - 1); break;
		case 4: self->s.input[0] = 0x00; break;
		}
		offer_of(self)->tries = APP_TRIES;
		expect_refused(self, APP_TRIES - 1);
		EXPECT_EQ(commits, self->tray.commits - before);
	}
}

TEST_F(agree, only_the_first_server_that_confirmed_opens_an_offer)
{
	uint8_t first[512];
	size_t n = self->s.input_len;

	memcpy(first, self->s.input, sizeof(first));
	ASSERT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	sealing_agree(&self->s, variant->type == KF_KEY_EC_P256 ? TRAY_P256 :
				variant->type == KF_KEY_EC_P384 ? TRAY_P384 : TRAY_X25519);
	EXPECT_EQ(n, self->s.input_len);
	EXPECT_EQ(SW_REFUSED, sealing_import(&self->s, &self->tray));
	EXPECT_EQ(APP_TRIES - 1, offer_of(self)->tries);

	tray_restart(&self->tray);		/* also in non-volatile memory */
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_REFUSED, sealing_import(&self->s, &self->tray));
}

TEST_F(agree, an_interrupted_injection_is_taken_up_with_the_same_input)
{
	ASSERT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	tray_restart(&self->tray);
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	ASSERT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	sealing_seal(&self->s);
	ASSERT_EQ(SW_OK, sealing_process(&self->s, &self->tray));
	EXPECT_EQ(SW_REFUSED, sealing_import(&self->s, &self->tray));	/* and never again */
}

TEST_F(agree, a_commit_that_fails_opens_nothing)
{
	tray_fail_at(&self->tray, 1, -ENOSPC);
	EXPECT_EQ(SW_MEMORY, sealing_import(&self->s, &self->tray));
	EXPECT_EQ(APP_TRIES, offer_of(self)->tries);
	tray_fail_at(&self->tray, 2, -ENOSPC);
	EXPECT_EQ(SW_MEMORY, sealing_import(&self->s, &self->tray));
	EXPECT_EQ(APP_TRIES - 1, offer_of(self)->tries);
	EXPECT_FALSE(offer_of(self)->opened);
	EXPECT_NULL(session_find(self->tray.card, 1));
	EXPECT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
}

static uint16_t import_as(SELF, unsigned int method, struct bytes input)
{
	uint8_t buf[700];
	struct packer p = pack_begin(buf, sizeof(buf));

	tlv_put(&p, 0x80, BYTES_OF(self->s.statement.sid));
	tlv_put(&p, 0x81, input);
	return tray_send(&self->tray, 0x80, INS_IMPORT_SESSION, method << 8, pack_done(&p));
}

TEST_F(agree, an_offer_is_opened_by_its_own_method_alone)
{
	uint8_t wrapped[256] = { 0x42 };

	EXPECT_EQ(SW_REFUSED, import_as(self, KF_METHOD_RSA, BYTES_OF(wrapped)));
	EXPECT_EQ(SW_REFUSED, import_as(self, KF_METHOD_RSA, BYTES(self->s.input, self->s.input_len)));
	EXPECT_EQ(APP_TRIES, offer_of(self)->tries);
	EXPECT_EQ(SW_DATA, import_as(self, KF_METHOD_ECDH, BYTES_OF(wrapped)));
	EXPECT_EQ(SW_DATA, import_as(self, KF_METHOD_ECDH, BYTES(self->s.input, self->s.input_len - 1)));
	EXPECT_EQ(SW_P1P2, import_as(self, 5, BYTES_OF(wrapped)));
}

/* Its keys are of another label, and its number is under the MAC. */
TEST_F(agree, an_item_of_another_method_is_refused)
{
	ASSERT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	self->s.body.method = KF_METHOD_RSA;
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	EXPECT_EQ(APP_TRIES - 1, offer_of(self)->tries);
	self->s.body.method = KF_METHOD_ECDH;
	sealing_seal(&self->s);
	EXPECT_EQ(SW_OK, sealing_process(&self->s, &self->tray));
}

/* What a server agreed on with another card's key, or for another statement, opens nothing here. */
TEST_F(agree, another_statement_or_another_static_key_is_refused)
{
	enum tray_key own = variant->type == KF_KEY_EC_P256 ? TRAY_P256 :
			    variant->type == KF_KEY_EC_P384 ? TRAY_P384 : TRAY_X25519;

	self->s.h[0] ^= 1;
	sealing_agree(&self->s, own);
	expect_refused(self, APP_TRIES - 1);
	self->s.h[0] ^= 1;
	if (variant->type == KF_KEY_EC_P256) {
		sealing_agree(&self->s, TRAY_STRANGER);
		expect_refused(self, APP_TRIES - 2);
	}
	sealing_agree(&self->s, own);
	EXPECT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
}

TEST_F(agree, the_pin_comes_before_a_try_is_spent)
{
	ASSERT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_VERIFY, 0xff81, BYTES_NONE));
	EXPECT_EQ(SW_PIN_NEEDED, sealing_import(&self->s, &self->tray));
	EXPECT_EQ(APP_TRIES, offer_of(self)->tries);
}
