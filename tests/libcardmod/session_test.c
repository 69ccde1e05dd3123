// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libcardmod/session_test.c - The card's half: the offer made by vendor properties, S1, and
 * the sealed item, as they are asked of the broker.
 *
 * Faces: libcardmod/exchange.c
 */
#include "tests/libcardmod/session_fixture.h"

TEST_F(session, an_offer_needs_the_servers_nonce)
{
	BYTE value[64];
	static const DWORD itself = K1, far = 16;

	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, get(self, KF_STATEMENT_PROPERTY, NULL, 0));
	expect_told(&self->r.card);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, set(self, KF_NONCE_PROPERTY, self->nonce, 31));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, set(self, KF_TARGET_PROPERTY, &itself, 4));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, set(self, KF_TARGET_PROPERTY, &far, 4));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE, set(self, KF_STATEMENT_PROPERTY, self->nonce, 32));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, get(self, KF_NONCE_PROPERTY, value, 64));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, get(self, KF_TARGET_PROPERTY, value, 64));
}

TEST_F(session, the_card_is_asked_once_a_nonce_however_often_it_is_read)
{
	BYTE offer[16384], label[32];
	DWORD n;

	make_offer(self);
	n = self->len;
	/* No reply is queued: asking again would end in -ETIMEDOUT. */
	EXPECT_EQ(SCARD_S_SUCCESS, get(self, KF_STATEMENT_PROPERTY, NULL, 0));
	EXPECT_EQ(n, self->len);
	EXPECT_EQ(ERROR_INSUFFICIENT_BUFFER, get(self, KF_STATEMENT_PROPERTY, offer, n - 1));
	EXPECT_EQ(SCARD_S_SUCCESS, get(self, KF_LABEL_PROPERTY, label, sizeof(label)));
	EXPECT_MEMEQ(self->fake.h, label, 32);
	self->nonce[0]++;
	ASSERT_EQ(SCARD_S_SUCCESS, set(self, KF_NONCE_PROPERTY, self->nonce, 32));
	reply_k1_and_offer(self);
	EXPECT_EQ(SCARD_S_SUCCESS, get(self, KF_STATEMENT_PROPERTY, offer, sizeof(offer)));
}

TEST_F(session, without_a_target_the_first_empty_container_is_it)
{
	const struct kf_container_entry entries[] = {
		card_entry(0, KF_KEY_EC_P256, KF_PURPOSE_SIGN, 0),
		card_entry(1, KF_KEY_NONE, KF_PURPOSE_NONE, 0),
	};
	struct packet p;

	ASSERT_EQ(SCARD_S_SUCCESS, set(self, KF_NONCE_PROPERTY, self->nonce, 32));
	reply_k1(self, KF_KEY_RSA_3072, KF_PURPOSE_EXCHANGE);
	card_reply_list(&self->r, entries, 1);
	EXPECT_EQ(SCARD_E_WRITE_TOO_MANY, get(self, KF_STATEMENT_PROPERTY, NULL, 0));
	expect_told(&self->r.card);
	(void)was_asked(self, 0);
	reply_k1(self, KF_KEY_RSA_3072, KF_PURPOSE_EXCHANGE);
	card_reply_list(&self->r, entries, 2);
	reply_offer(self);
	EXPECT_EQ(SCARD_S_SUCCESS, get(self, KF_STATEMENT_PROPERTY, NULL, 0));
	(void)fake_asked(&self->r.f);
	(void)fake_asked(&self->r.f);
	EXPECT_EQ(1, ((const struct kf_offer *)card_asked(&self->r, KF_OFFER, &p))->container);
}

/* --- CardImportSessionKey --- */

static DWORD import(struct fixture_session *self, LPVOID info, LPCWSTR type, LPCWSTR algorithm,
		    DWORD n, DWORD flags)
{
	static BYTE wrapped[WRAPPED + 1];
	CARD_DATA *c = &self->r.card;

	self->key = 5;
	return c->pfnCardImportSessionKey(c, K1, info, type, algorithm, &self->key, wrapped, n,
					  flags);
}

static DWORD import_well(struct fixture_session *self)
{
	return import(self, NULL, BCRYPT_OPAQUE_KEY_BLOB, CARD_AES_ALGORITHM, WRAPPED,
		      CARD_PADDING_OAEP);
}

static void import_key(struct fixture_session *self)
{
	struct packet p = { 0 };
	const struct kf_session_import *asked;

	make_offer(self);
	reply_k1(self, KF_KEY_RSA_3072, KF_PURPOSE_EXCHANGE);
	reply_import(self);
	ASSERT_EQ(SCARD_S_SUCCESS, import_well(self));
	EXPECT_NE(0, self->key);
	EXPECT_NE(FAKE_KEY, self->key);		/* the broker's handle stays with us */
	(void)fake_asked(&self->r.f);
	asked = card_asked(&self->r, KF_SESSION_IMPORT, &p);
	EXPECT_MEMEQ(self->fake.statement.sid, asked->sid, KF_SID_SIZE);
	EXPECT_EQ(KF_METHOD_RSA, asked->method);
}

TEST_F(session, s1_goes_to_the_card_under_the_sid_of_the_offer)
{
	import_key(self);
}

TEST_F(session, an_ec_or_signature_key_takes_no_session_key)
{
	make_offer(self);
	reply_k1(self, KF_KEY_EC_P256, KF_PURPOSE_DERIVE);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, import_well(self));
	EXPECT_EQ(0, self->key);
	reply_k1(self, KF_KEY_RSA_3072, KF_PURPOSE_SIGN);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, import_well(self));
	reply_k1(self, KF_KEY_NONE, KF_PURPOSE_NONE);
	EXPECT_EQ(SCARD_E_NO_KEY_CONTAINER, import_well(self));
	expect_told(&self->r.card);
}

TEST_F(session, without_an_offer_there_is_no_session)
{
	reply_k1(self, KF_KEY_RSA_3072, KF_PURPOSE_EXCHANGE);
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, import_well(self));
}

TEST_F(session, blob_types_algorithms_and_lengths)
{
	make_offer(self);
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  import(self, NULL, u"KeyDataBlob", u"AES", WRAPPED, CARD_PADDING_OAEP));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  import(self, NULL, u"Blob", u"AES", WRAPPED, CARD_PADDING_OAEP));
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  import(self, NULL, u"OpaqueKeyBlob", u"3DES", WRAPPED, CARD_PADDING_OAEP));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  import(self, NULL, u"OpaqueKeyBlob", u"DES", WRAPPED, CARD_PADDING_OAEP));
	reply_k1(self, KF_KEY_RSA_3072, KF_PURPOSE_EXCHANGE);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  import(self, NULL, u"OpaqueKeyBlob", u"AES", WRAPPED + 1, CARD_PADDING_OAEP));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  import(self, NULL, NULL, u"AES", WRAPPED, CARD_PADDING_OAEP));
}

static DWORD import_padded(struct fixture_session *self, LPCWSTR hash, PBYTE label, ULONG n,
			   DWORD flags)
{
	BCRYPT_OAEP_PADDING_INFO info = { hash, label, n };

	reply_k1(self, KF_KEY_RSA_3072, KF_PURPOSE_EXCHANGE);
	return import(self, &info, BCRYPT_OPAQUE_KEY_BLOB, CARD_AES_ALGORITHM, WRAPPED, flags);
}

TEST_F(session, padding_is_oaep_with_sha_256_and_the_label_of_the_statement)
{
	BYTE label[32];
	BCRYPT_OAEP_PADDING_INFO info = { u"SHA256", label, sizeof(label) };

	make_offer(self);
	ASSERT_EQ(SCARD_S_SUCCESS, get(self, KF_LABEL_PROPERTY, label, 32));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  import_padded(self, u"SHA256", label, 32, CARD_PADDING_PKCS1));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  import_padded(self, u"SHA256", label, 32, CARD_PADDING_NONE));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  import_padded(self, u"SHA256", label, 32, BCRYPT_PAD_OAEP));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  import_padded(self, u"SHA1", label, 32, CARD_PADDING_OAEP));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  import_padded(self, NULL, label, 32, CARD_PADDING_OAEP));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  import_padded(self, u"SHA256", label, 31, CARD_PADDING_OAEP));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  import_padded(self, u"SHA256", NULL, 32, CARD_PADDING_OAEP));
	label[0] ^= 1;
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  import_padded(self, u"SHA256", label, 32, CARD_PADDING_OAEP));
	EXPECT_EQ(0, self->key);
	label[0] ^= 1;
	reply_k1(self, KF_KEY_RSA_3072, KF_PURPOSE_EXCHANGE);
	reply_import(self);
	EXPECT_EQ(SCARD_S_SUCCESS, import(self, &info, u"OpaqueKeyBlob", u"AES", WRAPPED,
					  CARD_PADDING_OAEP));
	EXPECT_NE(0, self->key);
}

TEST_F(session, a_refused_import_leaves_no_handle)
{
	make_offer(self);
	for (int i = 0; i < 20; i++) {		/* more than there are places */
		reply_k1(self, KF_KEY_RSA_3072, KF_PURPOSE_EXCHANGE);
		card_answer(&self->r, KF_SESSION_IMPORT, -EPERM, KF_REASON_PIN_NEEDED, 1);
		EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, import_well(self));
		EXPECT_EQ(0, self->key);
		(void)fake_asked(&self->r.f);
		(void)fake_asked(&self->r.f);
	}
}

/* --- CardProcessEncryptedData --- */

static bool writing_fails;

/* NOLINTNEXTLINE(bugprone-reserved-identifier) */
int __real_receipt_file_write(const struct receipt_file *file, char **text, size_t *len,
			      struct kf_error *e);
/* NOLINTNEXTLINE(bugprone-reserved-identifier) */
int __wrap_receipt_file_write(const struct receipt_file *file, char **text, size_t *len,
			      struct kf_error *e);

/* As it does without memory. */
int __wrap_receipt_file_write(const struct receipt_file *file, char **text, size_t *len,
			      struct kf_error *e)
{
	return writing_fails ? -ENOMEM : __real_receipt_file_write(file, text, len, e);
}

/* The same behind calls that nobody has looked at. */
static void set_mode_and_iv_after(struct fixture_session *self)
{
	(void)was_asked(self, 0);
	set_mode_and_iv(self);
}

/* Item @which is ITEM bytes of that number. */
static DWORD process(struct fixture_session *self, BYTE which)
{
	BYTE item[ITEM];
	CARD_ENCRYPTED_DATA data = { item, sizeof(item) };
	CARD_DATA *c = &self->r.card;

	memset(item, which, sizeof(item));
	self->len = 5;
	return c->pfnCardProcessEncryptedData(c, self->key, CSF_IMPORT_KEYPAIR, &data, 1, NULL, 0,
					      &self->len, CARD_BLOCK_PADDING);
}

static void change_sid(struct receipt *r) { r->sid[0] ^= 1; }
static void change_serial(struct receipt *r) { r->serial[0] ^= 1; }
static void change_number(struct receipt *r) { r->number = 2; }

static DWORD get_receipt(struct fixture_session *self, BYTE *out, DWORD cap)
{
	CARD_DATA *c = &self->r.card;

	return c->pfnCardGetKeyProperty(c, self->key, KF_RECEIPT_PROPERTY, out, cap, &self->len, 0);
}

/* The receipt file has in it what make_receipt() made. */
static void expect_receipt(struct fixture_session *self)
{
	struct receipt_file file = RECEIPT_FILE_INIT;
	struct signed_receipt outer;
	struct receipt receipt;
	BYTE text[4096];

	ASSERT_EQ(SCARD_S_SUCCESS, get_receipt(self, text, sizeof(text)));
	ASSERT_EQ(0, receipt_file_parse(BYTES(text, self->len), &file, NULL));
	EXPECT_STREQ("FAKE-1", file.serial);
	EXPECT_MEMEQ(self->fake.statement.sid, file.sid, KF_SID_SIZE);
	ASSERT_EQ(1, file.n);
	ASSERT_EQ(0, signed_receipt_parse(blob_bytes(&file.receipts[0].receipt), &outer));
	ASSERT_EQ(0, receipt_parse(outer.receipt, &receipt));
	EXPECT_EQ(1, receipt.number);
	receipt_file_deinit(&file);
}

TEST_F(session, a_sealed_key_is_processed_and_its_receipt_kept)
{
	struct packet p;

	import_key(self);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, get_receipt(self, NULL, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, process(self, 'A'));
	set_mode_and_iv(self);
	reply_receipt(self, KF_PROCESS, 'A', NULL);
	EXPECT_EQ(SCARD_S_SUCCESS, process(self, 'A'));
	EXPECT_EQ(0, self->len);
	(void)card_asked(&self->r, KF_PROCESS, &p);
	EXPECT_EQ(ITEM, packet_get(&p, kf_process, item).n);
	expect_receipt(self);
}

/* Without this the receipt of the first would stand for the second [SECURITY section 9]. */
TEST_F(session, a_handle_that_installed_an_item_takes_no_other)
{
	struct pollfd sent = { .fd = self->r.f.peer, .events = POLLIN };
	struct packet p;

	import_key(self);
	set_mode_and_iv(self);
	reply_receipt(self, KF_PROCESS, 'A', NULL);
	ASSERT_EQ(SCARD_S_SUCCESS, process(self, 'A'));
	(void)card_asked(&self->r, KF_PROCESS, &p);
	set_mode_and_iv(self);
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, process(self, 'B'));
	EXPECT_EQ(0, poll(&sent, 1, 0));
	expect_told(&self->r.card);
}

TEST_F(session, an_iv_serves_one_call)
{
	import_key(self);
	set_mode_and_iv(self);
	card_answer(&self->r, KF_PROCESS, -EREMOTEIO, 0, 0);
	EXPECT_EQ(SCARD_E_UNEXPECTED, process(self, 'A'));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, get_receipt(self, NULL, 0));	/* refused: none */
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, process(self, 'A'));
	expect_told(&self->r.card);
}

static void lose_answer(struct fixture_session *self, int code)
{
	import_key(self);
	set_mode_and_iv(self);
	card_answer(&self->r, KF_PROCESS, code, KF_REASON_ON_CARD, 0);
}

TEST_F(session, if_the_answer_is_lost_the_receipt_tells)
{
	lose_answer(self, -EIO);
	reply_receipt(self, KF_RECEIPT_GET, 'A', NULL);
	EXPECT_EQ(SCARD_S_SUCCESS, process(self, 'A'));
	EXPECT_EQ(0, kf_cardmod_error(&self->r.card)->code);
	expect_receipt(self);
	set_mode_and_iv_after(self);
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, process(self, 'A'));
}

/* All that may leave an item in the card, as keyferry.h says of kf_process(). */
TEST_F(session, whatever_lost_the_answer_the_card_is_asked)
{
	static const int codes[] = {
		-EIO, -ETIMEDOUT, -ECANCELED, -ENOTCONN, -ESTALE, -ENODEV, -ENOMEDIUM, -ENOMEM,
	};

	import_key(self);
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		DWORD status;

		set_mode_and_iv_after(self);
		card_answer(&self->r, KF_PROCESS, codes[i], KF_REASON_ON_CARD, 0);
		card_answer(&self->r, KF_RECEIPT_GET, -ENOENT, 0, 0);
		status = process(self, 'A');
		EXPECT_NE(SCARD_S_SUCCESS, status);
		if (!was_asked(self, KF_RECEIPT_GET))
			TEST_FAIL("%d: the card was not asked for the receipt", codes[i]);
	}
}

TEST_F(session, what_never_left_the_queue_is_not_in_the_card)
{
	import_key(self);
	set_mode_and_iv(self);
	card_answer(&self->r, KF_PROCESS, -ETIMEDOUT, KF_REASON_QUEUED, 0);
	EXPECT_EQ(SCARD_E_TIMEOUT, process(self, 'A'));
	EXPECT_FALSE(was_asked(self, KF_RECEIPT_GET));
}

TEST_F(session, a_receipt_of_something_else_proves_nothing)
{
	static void (*const bends[])(struct receipt *r) = {
		change_sid, change_serial, change_number,
	};

	lose_answer(self, -EIO);
	reply_receipt(self, KF_RECEIPT_GET, 'A', NULL);
	EXPECT_EQ(SCARD_F_COMM_ERROR, process(self, 'B'));
	expect_told(&self->r.card);
	for (size_t i = 0; i < sizeof(bends) / sizeof(bends[0]); i++) {
		set_mode_and_iv_after(self);
		card_answer(&self->r, KF_PROCESS, -EIO, KF_REASON_ON_CARD, 0);
		reply_receipt(self, KF_RECEIPT_GET, 'B', bends[i]);
		EXPECT_EQ(SCARD_F_COMM_ERROR, process(self, 'B'));
	}
	reply_receipt(self, KF_RECEIPT_GET, 'A', NULL);
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, get_receipt(self, NULL, 0));
	expect_told(&self->r.card);
}

TEST_F(session, bytes_that_are_no_receipt_prove_nothing)
{
	struct packet p;

	lose_answer(self, -EIO);
	p = fake_reply_begin(&self->r.f, KF_RECEIPT_GET, 0);
	packet_set(&p, kf_receipt_get, receipt, BYTES("receipt", 7));
	fake_send(&self->r.f, &p);
	EXPECT_EQ(SCARD_F_COMM_ERROR, process(self, 'A'));
}

TEST_F(session, if_there_is_no_receipt_either_it_failed)
{
	lose_answer(self, -EIO);
	card_answer(&self->r, KF_RECEIPT_GET, -ENOENT, 0, 0);
	EXPECT_EQ(SCARD_F_COMM_ERROR, process(self, 'A'));
	card_answer(&self->r, KF_RECEIPT_GET, -ENOENT, 0, 0);
	EXPECT_EQ(SCARD_E_FILE_NOT_FOUND, get_receipt(self, NULL, 0));
	expect_told(&self->r.card);
}

TEST_F(session, a_receipt_that_could_not_be_kept_is_asked_for_and_the_key_is_in)
{
	import_key(self);
	set_mode_and_iv(self);
	reply_receipt(self, KF_PROCESS, 'A', NULL);
	writing_fails = true;
	EXPECT_EQ(SCARD_S_SUCCESS, process(self, 'A'));
	reply_receipt(self, KF_RECEIPT_GET, 'A', NULL);
	EXPECT_EQ(SCARD_E_NO_MEMORY, get_receipt(self, NULL, 0));
	writing_fails = false;
	reply_receipt(self, KF_RECEIPT_GET, 'A', NULL);
	expect_receipt(self);
}

TEST_F(session, a_receipt_that_could_not_be_had_is_asked_for_later)
{
	lose_answer(self, -EIO);
	card_answer(&self->r, KF_RECEIPT_GET, -EIO, KF_REASON_ON_CARD, 0);
	EXPECT_EQ(SCARD_F_COMM_ERROR, process(self, 'A'));
	card_answer(&self->r, KF_RECEIPT_GET, -EIO, KF_REASON_ON_CARD, 0);
	EXPECT_EQ(SCARD_F_COMM_ERROR, get_receipt(self, NULL, 0));
	reply_receipt(self, KF_RECEIPT_GET, 'A', NULL);
	expect_receipt(self);
	expect_receipt(self);		/* kept: no second reply is queued */
	set_mode_and_iv_after(self);
	EXPECT_EQ(SCARD_W_SECURITY_VIOLATION, process(self, 'A'));
}

TEST_F(session, functions_flags_and_blobs_are_judged_before_the_card)
{
	CARD_DATA *c = &self->r.card;
	BYTE item[16] = { 0 };
	CARD_ENCRYPTED_DATA data[2] = { { item, 16 }, { item, 16 } }, none = { NULL, 16 };

	import_key(self);
	set_mode_and_iv(self);
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardProcessEncryptedData(c, self->key, u"Format", data, 1, NULL, 0, NULL, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardProcessEncryptedData(c, self->key, CSF_IMPORT_KEYPAIR, data, 2, NULL, 0,
						 NULL, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardProcessEncryptedData(c, self->key, CSF_IMPORT_KEYPAIR, &none, 1, NULL, 0,
						 NULL, 0));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER,
		  c->pfnCardProcessEncryptedData(c, self->key, CSF_IMPORT_KEYPAIR, data, 1, NULL, 0,
						 NULL, 2));
	EXPECT_EQ(SCARD_E_INVALID_HANDLE,
		  c->pfnCardProcessEncryptedData(c, self->key + 1, CSF_IMPORT_KEYPAIR, data, 1, NULL,
						 0, NULL, 0));
}

TEST_F(session, a_key_is_destroyed_in_the_card_once)
{
	CARD_DATA *c = &self->r.card;
	struct packet p;

	import_key(self);
	card_answer(&self->r, KF_KEY_DESTROY, 0, 0, 0);
	EXPECT_EQ(SCARD_S_SUCCESS, c->pfnCardDestroyKey(c, self->key));
	(void)card_asked(&self->r, KF_KEY_DESTROY, &p);
	EXPECT_EQ(SCARD_E_INVALID_HANDLE, c->pfnCardDestroyKey(c, self->key));
}

TEST_F(session, a_key_that_went_with_the_card_is_no_handle_any_more)
{
	CARD_DATA *c = &self->r.card;

	import_key(self);
	card_answer(&self->r, KF_KEY_DESTROY, -ESTALE, KF_REASON_RESET, 0);
	EXPECT_EQ(SCARD_E_INVALID_HANDLE, c->pfnCardDestroyKey(c, self->key));
	EXPECT_EQ(SCARD_E_INVALID_HANDLE, c->pfnCardDestroyKey(c, self->key));
}

TEST_F(session, the_servers_calls_are_not_for_a_context_with_a_card)
{
	CARD_DATA *c = &self->r.card;
	PCARD_ENCRYPTED_DATA out = (PCARD_ENCRYPTED_DATA)self;
	BYTE blob[44] = { 0 };
	DWORD n;

	self->key = 5;
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  c->pfnMDImportSessionKey(c, BCRYPT_KEY_DATA_BLOB, CARD_AES_ALGORITHM, &self->key,
					   blob, sizeof(blob)));
	EXPECT_EQ(0, self->key);
	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  c->pfnMDEncryptData(c, 1, CSF_IMPORT_KEYPAIR, blob, 44, 0, &out, &n));
	EXPECT_NULL(out);
}
