// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libcardmod/function_test.c - The secure functions, and orders about PINs on their way through
 * CardProcessEncryptedData: what is asked of the broker and what comes back in the response structure.
 */
#include "libcardmod/function.h"
#include "format/pin_item.h"
#include "tests/libcardmod/session_fixture.h"

TEST(functions_have_names_and_two_have_responses)
{
	EXPECT_EQ(KF_FUNCTION_IMPORT_KEYPAIR, function_find(u"Import Key Pair"));
	EXPECT_EQ(KF_FUNCTION_CHANGE_AUTHENTICATOR, function_find(u"Change Authenticator"));
	EXPECT_EQ(KF_FUNCTION_AUTHENTICATE, function_find(u"Authenticate"));
	EXPECT_EQ(KF_FUNCTION_NONE, function_find(u"authenticate"));
	EXPECT_EQ(KF_FUNCTION_NONE, function_find(NULL));
	EXPECT_EQ(0, function_response_size(KF_FUNCTION_IMPORT_KEYPAIR));
	EXPECT_EQ(8, function_response_size(KF_FUNCTION_CHANGE_AUTHENTICATOR));
	EXPECT_EQ(12, function_response_size(KF_FUNCTION_AUTHENTICATE));
}

/* --- with a card --- */

static void import_key(struct fixture_session *self)
{
	static BYTE wrapped[WRAPPED];
	CARD_DATA *c = &self->r.card;

	make_offer(self);
	reply_k1(self, KF_KEY_RSA_3072, KF_PURPOSE_EXCHANGE);
	reply_import(self);
	ASSERT_EQ(SCARD_S_SUCCESS,
		  c->pfnCardImportSessionKey(c, K1, NULL, BCRYPT_OPAQUE_KEY_BLOB,
					     CARD_AES_ALGORITHM, &self->key, wrapped, WRAPPED,
					     CARD_PADDING_OAEP));
	(void)was_asked(self, 0);
}

static DWORD process(struct fixture_session *self, LPCWSTR function, void *out, DWORD cap)
{
	BYTE item[ITEM];
	CARD_ENCRYPTED_DATA data = { item, sizeof(item) };
	CARD_DATA *c = &self->r.card;

	memset(item, 'A', sizeof(item));
	self->len = 99;
	return c->pfnCardProcessEncryptedData(c, self->key, function, &data, 1, out, cap,
					      &self->len, CARD_BLOCK_PADDING);
}

/* The card's receipt for an order, with the tries that are left. */
static void about(struct receipt *r, uint32_t pin, uint32_t tries)
{
	static uint8_t mark[32];
	struct packer p = pack_begin(mark, sizeof(mark));

	pin_mark_pack(&p, &(struct pin_mark){ pin, tries });
	r->pin = pin;
	r->function = KF_FUNCTION_CHANGE_AUTHENTICATOR;
	r->container = KF_CONTAINER_PINS;
	r->key_type = KF_KEY_NONE;
	r->purpose = KF_PURPOSE_NONE;
	r->evidence = pack_done(&p);
}

static void about_pin(struct receipt *r) { about(r, KF_PIN_USER, 3); }
static void about_puk(struct receipt *r) { about(r, KF_PIN_PUK, 8); }

TEST_F(session, a_changed_puk_answers_with_the_tries_that_the_card_signed)
{
	CARD_CHANGE_AUTHENTICATOR_RESPONSE response = { 0 };
	struct packet p;

	import_key(self);
	set_mode_and_iv(self);
	reply_receipt(self, KF_PROCESS, 'A', about_puk);
	EXPECT_EQ(SCARD_S_SUCCESS,
		  process(self, CSF_CHANGE_AUTHENTICATOR, &response, sizeof(response)));
	EXPECT_EQ(sizeof(response), self->len);
	EXPECT_EQ(7, response.dwVersion);
	EXPECT_EQ(8, response.cAttemptsRemaining);
	EXPECT_EQ(KF_FUNCTION_CHANGE_AUTHENTICATOR,
		  ((const struct kf_process *)card_asked(&self->r, KF_PROCESS, &p))->function);
}

/* The PUK may have proved it, and its tries are not those of the PIN. */
TEST_F(session, a_pin_that_was_set_does_not_tell_the_tries_of_what_proved_it)
{
	CARD_CHANGE_AUTHENTICATOR_RESPONSE response = { 0 };

	import_key(self);
	set_mode_and_iv(self);
	reply_receipt(self, KF_PROCESS, 'A', about_pin);
	EXPECT_EQ(SCARD_S_SUCCESS,
		  process(self, CSF_CHANGE_AUTHENTICATOR, &response, sizeof(response)));
	EXPECT_EQ(CARD_DATA_VALUE_UNKNOWN, response.cAttemptsRemaining);
}

TEST_F(session, a_login_answers_without_a_session_pin)
{
	union {
		CARD_AUTHENTICATE_RESPONSE response;
		BYTE bytes[20];
	} out = { .bytes = { [12] = 0x5a } };
	struct packet p;

	import_key(self);
	set_mode_and_iv(self);
	reply_receipt(self, KF_PROCESS, 'A', about_pin);
	EXPECT_EQ(SCARD_S_SUCCESS, process(self, CSF_AUTHENTICATE, &out, sizeof(out)));
	EXPECT_EQ(12, self->len);
	EXPECT_EQ(7, out.response.dwVersion);
	EXPECT_EQ(0, out.response.cbSessionPin);
	EXPECT_EQ(3, out.response.cAttemptsRemaining);
	EXPECT_EQ(0x5a, out.bytes[12]);		/* and no byte more than it says */
	EXPECT_EQ(KF_FUNCTION_AUTHENTICATE,
		  ((const struct kf_process *)card_asked(&self->r, KF_PROCESS, &p))->function);
}

/* [minidriver 8.8]: before anything is sent. A repeated order would cost a try. */
TEST_F(session, a_response_that_does_not_fit_is_said_before_the_card_is_asked)
{
	BYTE out[12];

	import_key(self);
	set_mode_and_iv(self);
	EXPECT_EQ(ERROR_INSUFFICIENT_BUFFER, process(self, CSF_AUTHENTICATE, out, 11));
	EXPECT_EQ(12, self->len);
	expect_told(&self->r.card);
	EXPECT_EQ(ERROR_INSUFFICIENT_BUFFER, process(self, CSF_CHANGE_AUTHENTICATOR, NULL, 0));
	EXPECT_EQ(8, self->len);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, process(self, CSF_AUTHENTICATE, NULL, 12));
	EXPECT_FALSE(was_asked(self, KF_PROCESS));
	/* and has cost no IV */
	reply_receipt(self, KF_PROCESS, 'A', about_pin);
	EXPECT_EQ(SCARD_S_SUCCESS, process(self, CSF_AUTHENTICATE, out, 12));
}

TEST_F(session, who_does_not_want_the_response_gets_none)
{
	BYTE item[ITEM];
	CARD_ENCRYPTED_DATA data = { item, sizeof(item) };
	CARD_DATA *c = &self->r.card;

	memset(item, 'A', sizeof(item));
	import_key(self);
	set_mode_and_iv(self);
	reply_receipt(self, KF_PROCESS, 'A', about_pin);
	EXPECT_EQ(SCARD_S_SUCCESS,
		  c->pfnCardProcessEncryptedData(c, self->key, CSF_AUTHENTICATE, &data, 1, NULL, 0,
						 NULL, CARD_BLOCK_PADDING));
}

TEST_F(session, a_wrong_pin_in_an_order_says_how_many_tries_are_left)
{
	CARD_AUTHENTICATE_RESPONSE response = { 0 };

	import_key(self);
	set_mode_and_iv(self);
	card_answer(&self->r, KF_PROCESS, -EKEYREJECTED, KF_REASON_PIN_WRONG, 2);
	EXPECT_EQ(SCARD_W_WRONG_CHV, process(self, CSF_AUTHENTICATE, &response, sizeof(response)));
	EXPECT_EQ(12, self->len);
	EXPECT_EQ(2, response.cAttemptsRemaining);
	expect_told(&self->r.card);
	(void)was_asked(self, 0);
	set_mode_and_iv(self);
	card_answer(&self->r, KF_PROCESS, -EKEYREVOKED, 0, 0);
	EXPECT_EQ(SCARD_W_CHV_BLOCKED,
		  process(self, CSF_AUTHENTICATE, &response, sizeof(response)));
	EXPECT_EQ(0, response.cAttemptsRemaining);
}

/* The sender's own condition; nothing was compared, so nothing is known of tries. */
TEST_F(session, fewer_tries_than_the_sender_asks_for_are_a_violation)
{
	CARD_AUTHENTICATE_RESPONSE response = { .cAttemptsRemaining = 77 };

	import_key(self);
	set_mode_and_iv(self);
	card_answer(&self->r, KF_PROCESS, -EREMOTEIO, KF_REASON_PIN_LEAST, 0);
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION,
		  process(self, CSF_AUTHENTICATE, &response, sizeof(response)));
	EXPECT_EQ(0, self->len);
	EXPECT_EQ(77, response.cAttemptsRemaining);
	(void)was_asked(self, 0);
	set_mode_and_iv(self);
	card_answer(&self->r, KF_PROCESS, -EREMOTEIO, 0, 0);
	EXPECT_EQ(SCARD_E_UNEXPECTED,
		  process(self, CSF_AUTHENTICATE, &response, sizeof(response)));
}

/* As of a key: the stored receipt is the answer that was lost. */
TEST_F(session, if_the_answer_to_an_order_is_lost_its_receipt_tells)
{
	CARD_CHANGE_AUTHENTICATOR_RESPONSE response = { 0 };

	import_key(self);
	set_mode_and_iv(self);
	card_answer(&self->r, KF_PROCESS, -EIO, KF_REASON_ON_CARD, 0);
	reply_receipt(self, KF_RECEIPT_GET, 'A', about_puk);
	EXPECT_EQ(SCARD_S_SUCCESS,
		  process(self, CSF_CHANGE_AUTHENTICATOR, &response, sizeof(response)));
	EXPECT_EQ(8, response.cAttemptsRemaining);
}

/* cardcf follows: whoever caches PIN state by it sees that a PIN changed [minidriver 6]. */
TEST_F(session, an_order_that_changed_a_pin_shows_in_the_cache_file)
{
	static const struct kf_container_entry none = { .container = 0 };
	CARD_DATA *c = &self->r.card;
	CARD_CACHE_FILE_FORMAT before, after;
	CARD_CHANGE_AUTHENTICATOR_RESPONSE response;
	char name[] = szCACHE_FILE;
	PBYTE file;
	DWORD n;

	card_reply_list(&self->r, &none, 1);
	ASSERT_EQ(SCARD_S_SUCCESS, c->pfnCardReadFile(c, NULL, name, 0, &file, &n));
	memcpy(&before, file, sizeof(before));
	c->pfnCspFree(file);
	(void)was_asked(self, 0);
	import_key(self);
	set_mode_and_iv(self);
	reply_receipt(self, KF_PROCESS, 'A', about_pin);
	ASSERT_EQ(SCARD_S_SUCCESS,
		  process(self, CSF_CHANGE_AUTHENTICATOR, &response, sizeof(response)));
	card_reply_list(&self->r, &none, 1);
	ASSERT_EQ(SCARD_S_SUCCESS, c->pfnCardReadFile(c, NULL, name, 0, &file, &n));
	memcpy(&after, file, sizeof(after));
	c->pfnCspFree(file);
	EXPECT_EQ(before.bPinsFreshness + 1, after.bPinsFreshness);
	EXPECT_EQ(before.wContainersFreshness, after.wContainersFreshness);
}
