/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces: vreader/card/session.c
 *
 * Methods shared and derived on the card: a key that no command names, S1 out of it and out of what both
 * sides have drawn.
 */
#include "format/receipt.h"
#include "tests/harness.h"
#include "tests/vreader/card/tray.h"
#include "vreader/card/session.h"
#include "vreader/card/tlv.h"

FIXTURE(shared)
{
	struct tray tray;
	struct sealing s;
};

FIXTURE_VARIANT(shared)
{
	enum kf_method method;
	size_t host;			/* where the server's challenge or salt begins in its input */
};

FIXTURE_VARIANT_ADD(shared, shared) { KF_METHOD_SHARED, 0 };
FIXTURE_VARIANT_ADD(shared, derived) { KF_METHOD_DERIVED, SERVER_ID_SIZE };

FIXTURE_SETUP(shared)
{
	tray_init(&self->tray, 1);
	tray_share(&self->tray);
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	sealing_offer_by(&self->s, &self->tray, 2, variant->method, KF_KEY_AES_256);
	sealing_take_key(&self->s, TRAY_P256, KF_PURPOSE_SIGN);
}

FIXTURE_TEARDOWN(shared)
{
	sealing_deinit(&self->s);
	tray_deinit(&self->tray);
}

#define SELF struct fixture_shared *self

static struct offer *offer_of(SELF)
{
	return state_find_offer(self->tray.card->state, self->s.statement.sid);
}

/* At the import where the server confirms, else at the item; a try less and nothing else. */
static void expect_refused(SELF)
{
	uint8_t before = offer_of(self)->tries;
	bool opened = offer_of(self)->opened;

	if (method_confirms(self->s.method)) {
		EXPECT_EQ(SW_REFUSED, sealing_import(&self->s, &self->tray));
	} else {
		ASSERT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
		sealing_seal(&self->s);
		EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
		EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x80, INS_DESTROY_SESSION, self->s.session,
					   BYTES_NONE));
	}
	EXPECT_EQ(before - 1, offer_of(self)->tries);
	EXPECT_EQ(opened, offer_of(self)->opened);
	EXPECT_NULL(self->tray.card->state->containers[2].key);
}

TEST_F(shared, a_statement_says_whose_key_it_is_and_that_it_was_loaded)
{
	const struct statement *st = &self->s.statement;

	EXPECT_EQ(4u, st->methods.n);
	EXPECT_EQ(KF_KEY_AES_256, st->exchange_type);
	EXPECT_EQ(KF_PURPOSE_SHARED, st->purpose);
	EXPECT_EQ(KF_ORIGIN_FACTORY, st->origin);
	EXPECT_EQ(variant->method, self->s.shared.method);
}

TEST_F(shared, a_key_arrives)
{
	struct signed_receipt sr;
	struct receipt r;

	ASSERT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	EXPECT_EQ(APP_TRIES, offer_of(self)->tries);
	sealing_seal(&self->s);
	ASSERT_EQ(SW_OK, sealing_process(&self->s, &self->tray));
	ASSERT_EQ(0, signed_receipt_parse(tray_data(&self->tray), &sr));
	ASSERT_EQ(0, receipt_parse(sr.receipt, &r));
	EXPECT_EQ(variant->method, r.method);
	EXPECT_EQ(method_confirms(variant->method), r.confirms);
	if (r.confirms)
		EXPECT_MEMEQ(self->s.confirmation, r.confirmation, sizeof(r.confirmation));
	EXPECT_NULL(offer_of(self));
	EXPECT_EQ(SW_REFUSED, sealing_import(&self->s, &self->tray));	/* its challenge is spent */
}

/* The item is signed; the maker could have opened it all the same. */
TEST_F(shared, what_arrives_has_the_origin_of_the_key_it_came_under)
{
	ASSERT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	sealing_seal(&self->s);
	ASSERT_EQ(SW_OK, sealing_process(&self->s, &self->tray));
	EXPECT_EQ(KF_ORIGIN_FACTORY, self->tray.card->state->containers[2].origin);
}

TEST_F(shared, another_master_opens_nothing)
{
	sealing_derive(&self->s, TRAY_MASTER + 1);
	expect_refused(self);
	sealing_derive(&self->s, TRAY_MASTER);
	EXPECT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
}

TEST_F(shared, every_byte_of_the_input_counts)
{
	for (size_t i = 0; i < self->s.input_len; i += 7) {
		self->s.input[i] ^= 1;
		offer_of(self)->tries = APP_TRIES;
		expect_refused(self);
		self->s.input[i] ^= 1;
	}
	EXPECT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
}

TEST_F(shared, what_was_made_for_another_offer_is_refused)
{
	static struct sealing other;

	sealing_offer_by(&other, &self->tray, 2, variant->method, KF_KEY_AES_256);
	if (variant->method == KF_METHOD_DERIVED)
		EXPECT_MEMNE(other.shared.challenge, self->s.shared.challenge, CHALLENGE_SIZE);
	memcpy(self->s.input, other.input, sizeof(other.input));
	expect_refused(self);
	sealing_deinit(&other);
}

/* With a host confirmation that is right: only that the two are one tells. */
TEST_F_WHERE(shared, a_challenge_that_comes_back_is_refused, variant->method != KF_METHOD_SHARED)
{
	struct secret key = SECRET_INIT;
	struct agreed agreed = { .s1 = &self->s.s1 };
	struct shared_facts facts = {
		.method = variant->method, .h = self->s.h, .sid = self->s.statement.sid,
		.serial = TRAY_SERIAL, .server = self->s.input, .card = self->s.shared.challenge,
		.host = self->s.shared.challenge,
	};

	ASSERT_EQ(0, secret_init(&key, SHARED_KEY_SIZE));
	ASSERT_EQ(0, secret_set(&key, blob_bytes(state_shared(self->tray.card->state, variant->method))));
	ASSERT_EQ(0, shared_establish(&key, &facts, &agreed));
	memcpy(self->s.input + variant->host, self->s.shared.challenge, CHALLENGE_SIZE);
	memcpy(self->s.input + variant->host + CHALLENGE_SIZE, agreed.host, CONFIRMATION_SIZE);
	expect_refused(self);
	secret_deinit(&key);
}

TEST_F_WHERE(shared, only_the_first_challenge_of_a_server_opens_an_offer,
	     method_confirms(variant->method))
{
	ASSERT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	ASSERT_EQ(SW_OK, sealing_import(&self->s, &self->tray));	/* the same again */
	sealing_derive(&self->s, TRAY_MASTER);
	expect_refused(self);
}

static uint16_t import_as(SELF, unsigned int method, struct bytes input)
{
	uint8_t buf[700];
	struct packer p = pack_begin(buf, sizeof(buf));

	tlv_put(&p, 0x80, BYTES_OF(self->s.statement.sid));
	tlv_put(&p, 0x81, input);
	return tray_send(&self->tray, 0x80, INS_IMPORT_SESSION, method << 8, pack_done(&p));
}

TEST_F(shared, an_offer_is_opened_by_its_own_method_alone)
{
	struct bytes input = BYTES(self->s.input, self->s.input_len);

	for (unsigned int method = KF_METHOD_SHARED; method <= KF_METHOD_ECDH; method++)
		if (method != variant->method)
			EXPECT_EQ(SW_REFUSED, import_as(self, method, input));
	EXPECT_EQ(SW_DATA, import_as(self, variant->method, BYTES(input.p, input.n - 1)));
	EXPECT_EQ(SW_DATA, import_as(self, variant->method, BYTES(input.p, input.n + 1)));
	EXPECT_EQ(APP_TRIES, offer_of(self)->tries);
}

TEST_F(shared, an_item_of_another_method_is_refused)
{
	ASSERT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	self->s.body.method = variant->method == KF_METHOD_SHARED ? KF_METHOD_DERIVED : KF_METHOD_SHARED;
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, sealing_process(&self->s, &self->tray));
	EXPECT_EQ(APP_TRIES - 1, offer_of(self)->tries);
}

static uint16_t offer(SELF, unsigned int method, unsigned int type, bool standing)
{
	uint8_t buf[64], nonce[KF_NONCE_SIZE] = { 0 };
	struct packer p = pack_begin(buf, sizeof(buf));

	tlv_put(&p, 0x80, BYTES_OF(nonce));
	tlv_put_number(&p, 0x81, 3, 1);
	tlv_put_number(&p, 0x82, method, 1);
	tlv_put_number(&p, 0x83, type, 1);
	if (standing)
		tlv_put_number(&p, 0x84, 5, 1);
	return tray_send(&self->tray, 0x80, INS_OFFER, 0, pack_done(&p));
}

TEST_F(shared, a_card_without_such_a_key_offers_none)
{
	EXPECT_EQ(SW_OK, offer(self, variant->method, KF_KEY_AES_256, false));
	EXPECT_EQ(SW_DATA, offer(self, variant->method, KF_KEY_AES_256, true));
	EXPECT_EQ(SW_DATA, offer(self, variant->method, KF_KEY_AES_128, false));
	EXPECT_EQ(SW_DATA, offer(self, variant->method, KF_KEY_RSA_3072, false));
	EXPECT_EQ(SW_DATA, offer(self, KF_METHOD_ECDH, KF_KEY_AES_256, false));
	tray_deinit(&self->tray);
	tray_init(&self->tray, 1);
	EXPECT_EQ(SW_NO_OBJECT, offer(self, variant->method, KF_KEY_AES_256, false));
}

/* --- [SECURITY section 2]: no container holds it, so no command can name it --- */

enum { CONTROL = 6 };

/* Any quarter of it. */
static bool shows(const struct tray *tray, struct bytes secret)
{
	for (size_t at = 0; at + 8 <= secret.n; at += 8)
		if (memmem(tray->data, tray->n, secret.p + at, 8))
			return true;
	return false;
}

/* Asks as a client that has the PIN. Return: the status word. */
static uint16_t ask(SELF, uint8_t cla, uint8_t ins, unsigned int p1p2, struct bytes data)
{
	const struct state *state;
	uint16_t sw;

	self->tray.card->pin_verified = true;
	sw = tray_send(&self->tray, cla, ins, p1p2, data);
	state = self->tray.card->state;		/* a commit puts another in its place */
	if (shows(&self->tray, blob_bytes(state_shared(state, KF_METHOD_SHARED))) ||
	    shows(&self->tray, blob_bytes(state_shared(state, KF_METHOD_DERIVED))) ||
	    shows(&self->tray, secret_bytes(&self->s.s1)))
		TEST_FAIL("%02x %02x %04x shows a secret", cla, ins, p1p2);
	return sw;
}

TEST_F(shared, no_container_holds_it)
{
	for (size_t i = 0; i < APP_CONTAINERS; i++)
		EXPECT_NULL(self->tray.card->state->containers[i].key);
	EXPECT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_GET_DATA, 0x0100, BYTES_NONE));
	EXPECT_NOT_NULL(memmem(self->tray.data, self->tray.n, "\x83\x04\1\2\3\4", 6));
}

/* A word of the card's for each container but that one, which shows that the command is well formed. */
static void expect_no_object(SELF, uint8_t cla, uint8_t ins, unsigned int p1p2, struct bytes data,
			     bool p2_is_container)
{
	for (unsigned int c = 0; c < APP_CONTAINERS; c++) {
		uint8_t copy[256];

		if (data.n != 0)
			memcpy(copy, data.p, data.n);
		if (!p2_is_container)
			copy[data.n - 1] = (uint8_t)c;	/* 84 01 c stands last */
		EXPECT_EQ(c == CONTROL ? SW_OK : SW_NO_OBJECT,
			  ask(self, cla, ins, p1p2 + (p2_is_container ? c : 0), BYTES(copy, data.n)));
	}
}

static const uint8_t select_ecdh[] = { 0x80, 1, ALG_ECDH, 0x84, 1, 0 };
static const uint8_t encrypt[] = { 0x80, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
				   0x81, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

TEST_F(shared, no_command_uses_it_for_anything_else)
{
	struct container *control;

	ASSERT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	tray_put_key(&self->tray, CONTROL, TRAY_P256, KF_PURPOSE_DERIVE, KF_ORIGIN_GENERATED, 0);
	expect_no_object(self, 0x00, INS_MSE, 0x41a6, BYTES_OF(select_ecdh), false);
	expect_no_object(self, 0x80, INS_CONVERT, 0, BYTES_NONE, true);
	expect_no_object(self, 0x80, INS_DELETE, 0, BYTES_NONE, true);
	control = &self->tray.card->state->containers[CONTROL];
	ASSERT_EQ(0, card_key_new_secret(KF_KEY_AES_256, BYTES(encrypt, 32), &control->key));
	control->purpose = KF_PURPOSE_CIPHER;
	control->origin = KF_ORIGIN_INJECTED;
	for (unsigned int how = 1; how <= 2; how++)
		expect_no_object(self, 0x80, INS_CIPHER, how << 8, BYTES_OF(encrypt), true);
	for (unsigned int c = 0; c < APP_CONTAINERS; c++)
		for (unsigned int type = 0; type < 256; type++) {
			const uint8_t pair[] = { 0x80, 1, (uint8_t)type, 0x81, 1, KF_PURPOSE_SHARED, 0x82, 1, 0 };

			EXPECT_EQ(SW_DATA, ask(self, 0x00, INS_GENERATE, 0x8000 + c, BYTES_OF(pair)));
		}
}

/* Every instruction, with what is data to one or the other of them. */
TEST_F_TIMEOUT(shared, no_answer_shows_it, 30)
{
	static const uint8_t ins[] = {
		INS_MSE, INS_PSO, INS_GENERATE, INS_GET_CHALLENGE, INS_SELECT, INS_GET_RESPONSE, INS_GET_DATA,
		INS_PUT_DATA, INS_OFFER, INS_IMPORT_SESSION, INS_PROCESS, INS_GET_RECEIPT, INS_DESTROY_SESSION,
		INS_CONVERT, INS_LIST_PENDING, INS_CREATE_KEK, INS_SET_KEK, INS_ATTEST_KEK, INS_UNWRAP,
		INS_CIPHER, INS_DELETE,
	};
	static const uint8_t p1[] = { 0, 1, 2, 3, 4, 0x41, 0x80, 0x9e, 0xff };
	uint8_t named[22] = { 0x80, KF_SID_SIZE, [18] = 0x81, 2, 0, 1 };
	const struct bytes data[] = { BYTES_NONE, BYTES_OF(select_ecdh), BYTES_OF(encrypt), BYTES_OF(named) };
	size_t answers = 0;

	memcpy(named + 2, self->s.statement.sid, KF_SID_SIZE);
	ASSERT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	for (size_t i = 0; i < sizeof(ins); i++)
		for (size_t j = 0; j < sizeof(p1); j++)
			for (unsigned int p2 = 0; p2 < 256; p2++)
				for (size_t k = 0; k < sizeof(data) / sizeof(data[0]); k++) {
					uint8_t cla = ins[i] & 0x80 || ins[i] == INS_MSE ? 0x00 : 0x80;
					unsigned int p1p2 = (unsigned int)p1[j] << 8 | p2;

					answers += ask(self, cla, ins[i], p1p2, data[k]) == SW_OK;
					answers += ask(self, cla ^ 0x80, ins[i], p1p2, data[k]) == SW_OK;
				}
	EXPECT_LT(20u, answers);
	EXPECT_NOT_NULL(offer_of(self));
	EXPECT_EQ(SW_DATA, offer(self, variant->method, KF_KEY_AES_256, true));	/* 84: no container */
}
