// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libcardmod/shared_key_test.c - A session key that nobody brings: on the server by every method,
 * judged by a fake card that opens what was sealed; with a card as it is asked of the broker.
 */
#include "tests/libcardmod/seal_fixture.h"
#include "tests/libcardmod/session_fixture.h"

enum { MASTER = 9 };

/* --- no card --- */

FIXTURE(keyless) { struct sealing s; };
FIXTURE_SETUP(keyless)
{
	CARD_DATA *c = &self->s.card;

	seal_begin(&self->s);
	ASSERT_EQ(SCARD_S_SUCCESS, c->pfnCardDestroyKey(c, self->s.key));
	ASSERT_EQ(SCARD_S_SUCCESS, c->pfnCardGetSharedKeyHandle(c, NULL, 0, NULL, NULL,
								&self->s.key));
}
FIXTURE_TEARDOWN(keyless) { seal_end(&self->s); }

FIXTURE_VARIANT(keyless)
{
	enum kf_method method;
	enum kf_key_type exchange;
};

FIXTURE_VARIANT_ADD(keyless, shared) { KF_METHOD_SHARED, KF_KEY_NONE };
FIXTURE_VARIANT_ADD(keyless, rsa) { KF_METHOD_RSA, KF_KEY_NONE };
FIXTURE_VARIANT_ADD(keyless, derived) { KF_METHOD_DERIVED, KF_KEY_NONE };
FIXTURE_VARIANT_ADD(keyless, ecdh_p256) { KF_METHOD_ECDH, KF_KEY_EC_P256 };
FIXTURE_VARIANT_ADD(keyless, ecdh_p384) { KF_METHOD_ECDH, KF_KEY_EC_P384 };
FIXTURE_VARIANT_ADD(keyless, ecdh_x25519) { KF_METHOD_ECDH, KF_KEY_X25519 };

static DWORD set_method(struct sealing *s, DWORD method)
{
	return seal_set_key(s, KF_METHOD_PROPERTY, &method, sizeof(method));
}

static DWORD set_master(struct sealing *s, BYTE fill, size_t n)
{
	BYTE master[33];

	memset(master, fill, sizeof(master));
	return seal_set_key(s, KF_MASTER_PROPERTY, master, n);
}

static void set_injector(struct sealing *s)
{
	EVP_PKEY *key = NULL;
	char *pem;

	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &key));
	pem = fakecard_pem(key);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_set_key(s, KF_INJECTOR_PROPERTY, pem, strlen(pem)));
	free(pem);
	EVP_PKEY_free(key);
}

/* An offer by that method, and everything but the statement said of it. */
static void offer_by(struct sealing *s, enum kf_method method, enum kf_key_type exchange)
{
	if (exchange != KF_KEY_NONE)
		fakecard_use(&s->fake, exchange);
	if (method == KF_METHOD_SHARED || method == KF_METHOD_DERIVED) {
		fakecard_share(&s->fake, method, MASTER);
		ASSERT_EQ(SCARD_S_SUCCESS, set_master(s, MASTER, 32));
		set_injector(s);
	}
	seal_new_offer(s);
	seal_trust(s);
	ASSERT_EQ(SCARD_S_SUCCESS, set_method(s, method));
}

TEST_F(keyless, the_card_has_the_same_key_and_its_receipt_proves_it)
{
	struct sealing *s = &self->s;
	PCARD_ENCRYPTED_DATA data = NULL;
	struct fakecard_opened opened;
	char *cargo, *receipt;
	DWORD n = 0;

	offer_by(s, variant->method, variant->exchange);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_verify(s));
	(void)seal_input(s);
	seal_mode_and_iv(s);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_encrypt(s, &data, &n));
	cargo = seal_cargo(s, data);
	ASSERT_EQ(0, fakecard_open(&s->fake, cargo, 1, NULL, &opened));
	EXPECT_EQ(1, EVP_PKEY_eq(s->pair, opened.key));
	EXPECT_EQ(variant->method, opened.body.method);
	EVP_PKEY_free(opened.key);
	receipt = fakecard_receipt(&s->fake, cargo, 0, NULL);
	EXPECT_EQ(SCARD_S_SUCCESS, seal_set_key(s, KF_RECEIPT_PROPERTY, receipt, strlen(receipt)));
	seal_mode_and_iv(s);
	seal_free_encrypted(data);
	data = NULL;
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, seal_encrypt(s, &data, &n));
	free(receipt);
	free(cargo);
}

/* A card that attests a method is not taken by another, whoever asked it for that. */
TEST_F(keyless, an_offer_by_another_method_is_refused)
{
	struct sealing *s = &self->s;

	offer_by(s, variant->method, variant->exchange);
	for (DWORD other = KF_METHOD_SHARED; other <= KF_METHOD_ECDH; other++) {
		if (other == (DWORD)variant->method)
			continue;
		ASSERT_EQ(SCARD_S_SUCCESS, set_method(s, other));
		EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, seal_verify(s));
		expect_told(&s->card);
	}
	ASSERT_EQ(SCARD_S_SUCCESS, set_method(s, variant->method));
	EXPECT_EQ(SCARD_S_SUCCESS, seal_verify(s));
}

FIXTURE(server) { struct sealing s; };
FIXTURE_SETUP(server) { seal_begin(&self->s); }
FIXTURE_TEARDOWN(server) { seal_end(&self->s); }

static DWORD new_handle(struct fixture_server *self)
{
	CARD_DATA *c = &self->s.card;

	return c->pfnCardGetSharedKeyHandle(c, NULL, 0, NULL, NULL, &self->s.key);
}

TEST_F(server, outputs_are_zeroed_and_nothing_goes_in)
{
	CARD_DATA *c = &self->s.card;
	BYTE in[4] = { 0 }, *p = in;
	CARD_KEY_HANDLE key = 5;
	DWORD n = 5;

	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardGetSharedKeyHandle(c, in, sizeof(in), &p, &n, &key));
	EXPECT_NULL(p);
	EXPECT_EQ(0, n);
	EXPECT_EQ(0, key);
	expect_told(c);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardGetSharedKeyHandle(c, NULL, 0, NULL, NULL, NULL));
	for (int i = 1; i < 16; i++)
		EXPECT_EQ(SCARD_S_SUCCESS, new_handle(self));
	EXPECT_EQ(SCARD_E_NO_MEMORY, new_handle(self));
	EXPECT_EQ(0, self->s.key);
}

TEST_F(server, a_key_that_was_brought_is_wrapped_and_no_other_method_takes_it)
{
	DWORD value = 0, n;

	EXPECT_EQ(SCARD_S_SUCCESS, seal_get_key(&self->s, KF_METHOD_PROPERTY, &value, 4, &n));
	EXPECT_EQ(KF_METHOD_PROPERTY_RSA, value);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, set_method(&self->s, KF_METHOD_PROPERTY_ECDH));
	EXPECT_EQ(SCARD_S_SUCCESS, set_method(&self->s, KF_METHOD_PROPERTY_RSA));
	ASSERT_EQ(SCARD_S_SUCCESS, new_handle(self));
	EXPECT_EQ(SCARD_S_SUCCESS, seal_get_key(&self->s, KF_METHOD_PROPERTY, &value, 4, &n));
	EXPECT_EQ(KF_METHOD_PROPERTY_ECDH, value);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, set_method(&self->s, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, set_method(&self->s, 5));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  seal_set_key(&self->s, KF_METHOD_PROPERTY, &value, 3));
}

TEST_F(server, shared_keys_want_the_right_master)
{
	ASSERT_EQ(SCARD_S_SUCCESS, new_handle(self));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, set_master(&self->s, 1, 31));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, set_master(&self->s, 1, 33));
	offer_by(&self->s, KF_METHOD_DERIVED, KF_KEY_NONE);
	ASSERT_EQ(SCARD_S_SUCCESS, set_master(&self->s, MASTER + 1, 32));
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, seal_verify(&self->s));
	expect_told(&self->s.card);
	ASSERT_EQ(SCARD_S_SUCCESS, set_master(&self->s, MASTER, 32));
	EXPECT_EQ(SCARD_S_SUCCESS, seal_verify(&self->s));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, set_master(&self->s, MASTER, 32));
}

TEST_F(server, nothing_is_told_of_a_key_before_the_statement_is_verified)
{
	static LPCWSTR const names[] = {
		KF_SESSION_KEY_PROPERTY, KF_PUBLIC_KEY_PROPERTY, KF_CONFIRMATION_PROPERTY,
	};
	BYTE value[600];
	DWORD n;

	ASSERT_EQ(SCARD_S_SUCCESS, new_handle(self));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		EXPECT_EQ(SCARD_W_SECURITY_VIOLATION,
			  seal_get_key(&self->s, names[i], value, sizeof(value), &n));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  seal_get_key(&self->s, KF_MASTER_PROPERTY, value, sizeof(value), &n));
}

/* The two pieces of method 4 are what is handed out as a whole. */
TEST_F(server, point_and_confirmation_are_the_session_key_in_pieces)
{
	BYTE whole[128], blob[128], proof[16];
	BCRYPT_ECCKEY_BLOB head;
	DWORD n, n_blob, n_proof;

	ASSERT_EQ(SCARD_S_SUCCESS, new_handle(self));
	offer_by(&self->s, KF_METHOD_ECDH, KF_KEY_EC_P384);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_verify(&self->s));
	ASSERT_EQ(SCARD_S_SUCCESS,
		  seal_get_key(&self->s, KF_SESSION_KEY_PROPERTY, whole, sizeof(whole), &n));
	ASSERT_EQ(SCARD_S_SUCCESS,
		  seal_get_key(&self->s, KF_PUBLIC_KEY_PROPERTY, blob, sizeof(blob), &n_blob));
	ASSERT_EQ(SCARD_S_SUCCESS,
		  seal_get_key(&self->s, KF_CONFIRMATION_PROPERTY, proof, sizeof(proof), &n_proof));
	memcpy(&head, blob, sizeof(head));
	EXPECT_EQ(BCRYPT_ECDH_PUBLIC_P384_MAGIC, head.dwMagic);
	EXPECT_EQ(48, head.cbKey);
	ASSERT_EQ(8 + 96, n_blob);
	ASSERT_EQ(16, n_proof);
	ASSERT_EQ(1 + 96 + 16, n);
	EXPECT_MEMEQ(whole + 1, blob + 8, 96);
	EXPECT_MEMEQ(whole + 97, proof, 16);
}

TEST_F(server, no_other_method_has_pieces_and_x25519_no_blob)
{
	BYTE value[600];
	DWORD n;

	seal_trust(&self->s);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_verify(&self->s));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  seal_get_key(&self->s, KF_PUBLIC_KEY_PROPERTY, value, sizeof(value), &n));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  seal_get_key(&self->s, KF_CONFIRMATION_PROPERTY, value, sizeof(value), &n));
	ASSERT_EQ(SCARD_S_SUCCESS, new_handle(self));
	offer_by(&self->s, KF_METHOD_ECDH, KF_KEY_X25519);
	ASSERT_EQ(SCARD_S_SUCCESS, seal_verify(&self->s));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  seal_get_key(&self->s, KF_PUBLIC_KEY_PROPERTY, value, sizeof(value), &n));
	EXPECT_EQ(SCARD_S_SUCCESS,
		  seal_get_key(&self->s, KF_CONFIRMATION_PROPERTY, value, sizeof(value), &n));
	EXPECT_EQ(16, n);
}

/* --- with a card --- */

static DWORD set_card(struct fixture_session *self, LPCWSTR name, const void *value, size_t n)
{
	CARD_DATA *c = &self->r.card;

	return c->pfnCardSetProperty(c, name, (PBYTE)(uintptr_t)value, (DWORD)n, 0);
}

static DWORD get_card(struct fixture_session *self, LPCWSTR name, void *value, size_t cap)
{
	CARD_DATA *c = &self->r.card;

	return c->pfnCardGetProperty(c, name, value, (DWORD)cap, &self->len, 0);
}

/* The fake card signs an offer; which of its keys it is by is the broker's business. */
static void offer_of_card(struct fixture_session *self, DWORD method, DWORD target)
{
	static BYTE offer[16384];
	struct packet p;

	ASSERT_EQ(SCARD_S_SUCCESS, set_card(self, KF_NONCE_PROPERTY, self->nonce, 32));
	ASSERT_EQ(SCARD_S_SUCCESS, set_card(self, KF_TARGET_PROPERTY, &target, sizeof(target)));
	ASSERT_EQ(SCARD_S_SUCCESS, set_card(self, KF_METHOD_PROPERTY, &method, sizeof(method)));
	reply_offer(self);
	ASSERT_EQ(SCARD_S_SUCCESS, get_card(self, KF_STATEMENT_PROPERTY, offer, sizeof(offer)));
	const struct kf_offer *asked = card_asked(&self->r, KF_OFFER, &p);

	EXPECT_EQ(0, asked->flags);
	EXPECT_EQ(method, asked->method);
	EXPECT_EQ(target, asked->container);
	EXPECT_MEMEQ(self->nonce, asked->nonce, 32);
}

static DWORD get_handle(struct fixture_session *self, const void *input, size_t n)
{
	CARD_DATA *c = &self->r.card;
	PBYTE out = (PBYTE)self;
	DWORD n_out = 5, status;

	self->key = 5;
	status = c->pfnCardGetSharedKeyHandle(c, (PBYTE)(uintptr_t)input, (DWORD)n, &out, &n_out,
					      &self->key);
	EXPECT_NULL(out);
	EXPECT_EQ(0, n_out);
	return status;
}

TEST_F(session, what_the_server_made_goes_to_the_card_under_its_offer)
{
	static const BYTE input[32] = { 1, 2, 3 };
	const struct kf_session_import *asked;
	struct packet p;

	for (DWORD method = KF_METHOD_SHARED; method <= KF_METHOD_ECDH; method++) {
		offer_of_card(self, method, TARGET);
		reply_import(self);
		ASSERT_EQ(SCARD_S_SUCCESS, get_handle(self, input, sizeof(input)));
		EXPECT_NE(0, self->key);
		EXPECT_NE(FAKE_KEY, self->key);
		asked = card_asked(&self->r, KF_SESSION_IMPORT, &p);
		EXPECT_EQ(method, asked->method);
		EXPECT_MEMEQ(self->fake.statement.sid, asked->sid, KF_SID_SIZE);
		EXPECT_BYTES_EQ(BYTES_OF(input), packet_get(&p, kf_session_import, input));
	}
}

TEST_F(session, an_offer_of_the_card_may_be_about_pins)
{
	offer_of_card(self, KF_METHOD_ECDH, KF_TARGET_PINS);
}

TEST_F(session, without_an_offer_of_the_card_there_is_no_handle)
{
	static const BYTE input[32] = { 1 };

	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, get_handle(self, input, sizeof(input)));
	EXPECT_EQ(0, self->key);
	expect_told(&self->r.card);
	make_offer(self);			/* of a container: another thing */
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, get_handle(self, input, sizeof(input)));
	EXPECT_FALSE(was_asked(self, KF_SESSION_IMPORT));
}

TEST_F(session, input_is_there_and_not_longer_than_any_method_has_it)
{
	static BYTE input[513];

	offer_of_card(self, KF_METHOD_SHARED, TARGET);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, get_handle(self, NULL, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, get_handle(self, NULL, 32));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, get_handle(self, input, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, get_handle(self, input, sizeof(input)));
	EXPECT_EQ(0, self->key);
}

/* One word for a wrong confirmation and all else the card does not like. */
TEST_F(session, a_refused_establishment_leaves_no_handle)
{
	static const BYTE input[80] = { 1 };

	offer_of_card(self, KF_METHOD_DERIVED, TARGET);
	for (int i = 0; i < 20; i++) {		/* more than there are places */
		card_answer(&self->r, KF_SESSION_IMPORT, -EREMOTEIO, 0, 0);
		EXPECT_EQ(SCARD_E_UNEXPECTED, get_handle(self, input, sizeof(input)));
		EXPECT_EQ(0, self->key);
		(void)was_asked(self, 0);
	}
}

TEST_F(session, properties_of_the_cards_offer)
{
	static const DWORD five = 5, target = TARGET, far = 16;
	BYTE value[64];

	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, get_card(self, KF_STATEMENT_PROPERTY, NULL, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, get_card(self, KF_METHOD_PROPERTY, value, 64));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, set_card(self, KF_METHOD_PROPERTY, &five, 4));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, set_card(self, KF_TARGET_PROPERTY, &far, 4));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, set_card(self, KF_NONCE_PROPERTY, value, 31));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, set_card(self, KF_NONCE_PROPERTY, NULL, 32));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, set_card(self, KF_LABEL_PROPERTY, value, 32));
	ASSERT_EQ(SCARD_S_SUCCESS, set_card(self, KF_TARGET_PROPERTY, &target, 4));
	EXPECT_EQ(SCARD_S_SUCCESS, get_card(self, KF_TARGET_PROPERTY, value, 64));
	EXPECT_EQ(TARGET, value[0]);
	/* A container has no method but its key's. */
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, set(self, KF_METHOD_PROPERTY, &target, 4));
}
