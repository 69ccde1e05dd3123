/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What each call asks the broker, and what it makes of the answer.
 *
 * Faces: libclient/blob.c libclient/context.c libclient/pin.c libclient/key.c libclient/offer.c
 * Faces: libclient/session.c libclient/relay.c
 */
#include "tests/libclient/fake.h"

FIXTURE(requests) { struct fake f; };
FIXTURE_SETUP(requests) { fake_begin(&self->f); }
FIXTURE_TEARDOWN(requests) { fake_end(&self->f); }

TEST_F(requests, a_pin_travels_with_its_flags)
{
	const struct kf_pin_verify *verify;
	struct packet p;

	fake_answer(&self->f, KF_PIN_VERIFY, 0);
	EXPECT_EQ(0, kf_pin_verify(self->f.context, KF_PIN_USER, "1234", 4, KF_PIN_LAST_TRY));
	p = fake_asked(&self->f);
	verify = packet_read(&p);
	EXPECT_EQ(FAKE_CONTEXT, verify->context);
	EXPECT_EQ(KF_PIN_USER, verify->pin);
	EXPECT_EQ(KF_PIN_LAST_TRY, verify->flags);
	EXPECT_BYTES_EQ(BYTES("1234", 4), packet_get(&p, kf_pin_verify, value));
}

TEST_F(requests, old_and_new_pin_are_not_swapped)
{
	struct packet p;

	fake_answer(&self->f, KF_PIN_CHANGE, 0);
	EXPECT_EQ(0, kf_pin_change(self->f.context, KF_PIN_USER, "old", 3, "newer", 5, 0));
	p = fake_asked(&self->f);
	EXPECT_BYTES_EQ(BYTES("old", 3), packet_get(&p, kf_pin_change, old_value));
	EXPECT_BYTES_EQ(BYTES("newer", 5), packet_get(&p, kf_pin_change, new_value));

	fake_answer(&self->f, KF_PIN_UNBLOCK, 0);
	EXPECT_EQ(0, kf_pin_unblock(self->f.context, KF_PIN_USER, "puk", 3, "newer", 5, 0));
	p = fake_asked(&self->f);
	EXPECT_BYTES_EQ(BYTES("puk", 3), packet_get(&p, kf_pin_unblock, puk));
	EXPECT_BYTES_EQ(BYTES("newer", 5), packet_get(&p, kf_pin_unblock, new_value));
}

TEST_F(requests, a_pin_out_of_bounds_is_called_that_and_nothing_else_is)
{
	const struct kf_error *e = kf_client_error(self->f.client);

	fake_answer(&self->f, KF_PIN_CHANGE, -EINVAL);
	EXPECT_EQ(-EINVAL, kf_pin_change(self->f.context, KF_PIN_USER, "old", 3, "new", 3, 0));
	EXPECT_NOT_NULL(strstr(e->why, "fewer or more bytes"));
	EXPECT_STREQ("cannot change the PIN", e->what);
	expect_explained(self->f.client, -EINVAL);
	fake_answer(&self->f, KF_PIN_VERIFY, -EINVAL);
	EXPECT_EQ(-EINVAL, kf_pin_verify(self->f.context, KF_PIN_USER, "1234", 4, 0x80));
	EXPECT_NULL(strstr(e->why, "fewer or more bytes"));
	fake_answer(&self->f, KF_PIN_VERIFY, -EINVAL);
	EXPECT_EQ(-EINVAL, kf_pin_verify(self->f.context, 0, "1234", 4, 0));
	EXPECT_NULL(strstr(e->why, "fewer or more bytes"));
}

TEST_F(requests, a_pin_status_costs_no_copy_of_the_pin)
{
	struct packet p = fake_reply_begin(&self->f, KF_PIN_STATUS, 0);
	struct kf_pin_status *status = packet_body(&p);
	struct kf_pin *pin = NULL;

	status->flags = KF_PIN_VERIFIED;
	status->tries_left = 2;
	status->tries_max = 3;
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_pin_read(self->f.context, KF_PIN_USER, &pin));
	EXPECT_EQ(KF_PIN_VERIFIED, kf_pin_flags(pin));
	EXPECT_EQ(2, kf_pin_tries_left(pin));
	EXPECT_EQ(3, kf_pin_tries_max(pin));
	pin = kf_pin_free(pin);
}

TEST_F(requests, a_shared_secret_is_kept_in_locked_memory)
{
	struct packet p = fake_reply_begin(&self->f, KF_AGREE, 0);
	struct kf_blob *blob = NULL;

	packet_set(&p, kf_agree, secret, BYTES("shared", 6));
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_agree(self->f.context, 2, (const uint8_t *)"\x04xy", 3, &blob));
	EXPECT_NOT_NULL(((struct { struct secret s; } *)blob)->s.p);
	EXPECT_BYTES_EQ(BYTES("shared", 6), BYTES(kf_blob_data(blob), kf_blob_size(blob)));
	blob = kf_blob_free(blob);
}

TEST_F(requests, an_offer_is_relayed_as_the_card_gave_it)
{
	struct packet p = fake_reply_begin(&self->f, KF_OFFER, 0);
	struct kf_offer *offer = packet_body(&p);
	const uint8_t nonce[KF_NONCE_SIZE] = { 9 };
	struct kf_signed_offer *out = NULL;
	const struct kf_offer *asked;
	size_t len;

	offer->container = 4;
	offer->exchange_container = KF_CONTAINER_ANY;
	offer->sid[0] = 7;
	packet_set(&p, kf_offer, statement, BYTES("statement", 9));
	packet_set(&p, kf_offer, chain, BYTES("chain", 5));
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_offer(self->f.context, 4, KF_METHOD_RSA, KF_KEY_RSA_3072, 1, nonce, &out));
	EXPECT_EQ(4, kf_signed_offer_target(out));
	EXPECT_EQ(KF_CONTAINER_ANY, kf_signed_offer_exchange(out));
	EXPECT_EQ(7, kf_signed_offer_sid(out)[0]);
	EXPECT_MEMEQ("statement", kf_signed_offer_statement(out, &len), 9);
	EXPECT_MEMEQ("chain", kf_signed_offer_chain(out, &len), 5);
	EXPECT_EQ(5, len);
	out = kf_signed_offer_free(out);
	p = fake_asked(&self->f);
	asked = packet_read(&p);
	EXPECT_EQ(0, asked->flags);
	EXPECT_EQ(9, asked->nonce[0]);
}

TEST_F(requests, an_existing_exchange_key_is_asked_for_by_flag)
{
	const uint8_t nonce[KF_NONCE_SIZE] = { 9 };
	struct kf_signed_offer *out = NULL;
	const struct kf_offer *asked;
	struct packet p;

	fake_answer(&self->f, KF_OFFER, 0);
	ASSERT_EQ(0, kf_offer_existing(self->f.context, 2, 5, KF_METHOD_RSA, 1, nonce, &out));
	out = kf_signed_offer_free(out);
	p = fake_asked(&self->f);
	asked = packet_read(&p);
	EXPECT_EQ(KF_OFFER_EXISTING, asked->flags);
	EXPECT_EQ(2, asked->exchange_container);
	EXPECT_EQ(5, asked->container);
}

TEST_F(requests, session_calls_name_the_key_not_the_context)
{
	const uint8_t sid[KF_SID_SIZE] = { 1 };
	struct packet p = fake_reply_begin(&self->f, KF_SESSION_IMPORT, 0);
	struct kf_blob *receipt = NULL;
	kf_key_handle key = 0;

	((struct kf_session_import *)packet_body(&p))->key = FAKE_KEY;
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_session_import(self->f.context, sid, KF_METHOD_RSA, sid, 16, &key));
	EXPECT_EQ(FAKE_KEY, key);
	p = fake_asked(&self->f);
	EXPECT_EQ(FAKE_CONTEXT, ((const struct kf_session_import *)packet_read(&p))->context);
	EXPECT_EQ(KF_PADDING_OAEP, ((const struct kf_session_import *)packet_read(&p))->padding);

	fake_answer(&self->f, KF_PROCESS, 0);
	ASSERT_EQ(0, kf_process(self->f.context, key, KF_FUNCTION_IMPORT_KEYPAIR, sid, 16, &receipt));
	receipt = kf_blob_free(receipt);
	p = fake_asked(&self->f);
	EXPECT_EQ(FAKE_KEY, ((const struct kf_process *)packet_read(&p))->key);

	fake_answer(&self->f, KF_KEY_DESTROY, 0);
	ASSERT_EQ(0, kf_key_destroy(self->f.context, key));
	p = fake_asked(&self->f);
	EXPECT_EQ(FAKE_KEY, ((const struct kf_key_destroy *)packet_read(&p))->key);
}

TEST_F(requests, a_handle_of_zero_is_no_handle)
{
	const uint8_t sid[KF_SID_SIZE] = { 1 };
	kf_key_handle key = 5;

	fake_answer(&self->f, KF_SESSION_IMPORT, 0);
	EXPECT_EQ(-EBADMSG, kf_session_import(self->f.context, sid, KF_METHOD_RSA, sid, 16, &key));
	EXPECT_EQ(5, key);
}

TEST_F(requests, what_is_too_large_for_a_packet_is_not_sent)
{
	static const uint8_t large[KF_PACKET_MAX];
	struct kf_blob *blob = NULL;

	EXPECT_EQ(-EINVAL, kf_decrypt(self->f.context, 1, KF_PADDING_OAEP, KF_HASH_SHA256, large,
				      sizeof(large), &blob));
	expect_explained(self->f.client, -EINVAL);
	EXPECT_LE(0, kf_client_fd(self->f.client));
	EXPECT_EQ(-EINVAL, kf_cert_store(self->f.context, 1, large, KF_CERT_MAX + 1));
	self->f.seq = self->f.client->seq + 1;
	fake_answer(&self->f, KF_PIN_LOGOUT, 0);
	EXPECT_EQ(0, kf_pin_logout(self->f.context));
}

static void queue_list(struct fake *f, const struct kf_reader_entry *rows, uint32_t n)
{
	struct packet p = fake_reply_begin(f, KF_READER_LIST, 0);

	((struct kf_reader_list *)packet_body(&p))->n_readers = n;
	packet_set(&p, kf_reader_list, readers, BYTES(rows, n * sizeof(rows[0])));
	fake_send(f, &p);
}

TEST_F(requests, the_only_card_is_chosen_and_two_are_not_guessed_between)
{
	struct kf_reader_entry rows[2] = { { .state = KF_READER_EMPTY },
					   { .state = KF_READER_CARD } };
	struct kf_context *context = NULL;
	struct packet p;

	packet_set_string(rows[0].name, "one");
	packet_set_string(rows[1].name, "two");
	queue_list(&self->f, rows, 2);
	p = fake_reply_begin(&self->f, KF_CONTEXT_OPEN, 0);
	((struct kf_context_open *)packet_body(&p))->context = 1;
	fake_send(&self->f, &p);
	ASSERT_EQ(0, kf_context_open(self->f.client, NULL, 0, &context));
	(void)fake_asked(&self->f);
	p = fake_asked(&self->f);
	EXPECT_STREQ("two", ((const struct kf_context_open *)packet_read(&p))->name);
	fake_answer(&self->f, KF_CONTEXT_CLOSE, 0);
	context = kf_context_close(context);

	rows[0].state = KF_READER_CARD;
	queue_list(&self->f, rows, 2);
	EXPECT_EQ(-ENOENT, kf_context_open(self->f.client, NULL, 0, &context));
	expect_explained(self->f.client, -ENOENT);
}

TEST_F(requests, a_reader_name_that_cannot_be_is_not_asked_for)
{
	struct kf_context *context = NULL;

	EXPECT_EQ(-EINVAL, kf_context_open(self->f.client, "line\nbreak", 0, &context));
	expect_explained(self->f.client, -EINVAL);
}

TEST_F(requests, closing_keeps_the_last_failure)
{
	fake_answer(&self->f, KF_PIN_LOGOUT, -ENODEV);
	EXPECT_EQ(-ENODEV, kf_pin_logout(self->f.context));
	fake_answer(&self->f, KF_CONTEXT_CLOSE, -EBADF);
	self->f.context = kf_context_close(self->f.context);
	EXPECT_EQ(-ENODEV, kf_client_error(self->f.client)->code);
}

TEST_F(requests, a_relay_hands_out_the_answer_that_ended_it)
{
	static const uint8_t command[] = { 0x00, 0x84, 0x00, 0x00, 0x08 };
	struct packet p = fake_reply_begin(&self->f, KF_RELAY_APDU, 0);
	struct kf_relay_apdu *said = packet_body(&p);
	const struct kf_relay_apdu *asked;
	struct kf_blob *blob = NULL;

	said->sw = 0x6a82;
	said->flags = KF_RELAY_ENDED;
	packet_set(&p, kf_relay_apdu, response, BYTES("\x6a\x82", 2));
	fake_send(&self->f, &p);
	EXPECT_EQ(-ECANCELED, kf_relay_apdu(self->f.context, 7, command, sizeof(command), 0x9000,
					    0xff00, &blob));
	EXPECT_EQ(2u, kf_blob_size(blob));
	expect_explained(self->f.client, -ECANCELED);
	blob = kf_blob_free(blob);
	p = fake_asked(&self->f);
	asked = packet_read(&p);
	EXPECT_EQ(FAKE_CONTEXT, asked->context);
	EXPECT_EQ(7u, asked->number);
	EXPECT_EQ(0x9000, asked->expect);
	EXPECT_EQ(0xff00, asked->mask);
	EXPECT_BYTES_EQ(BYTES_OF(command), packet_get(&p, kf_relay_apdu, command));
}

TEST_F(requests, a_relay_is_bounded_and_named)
{
	const struct kf_relay_begin *begin;
	struct packet p;

	fake_answer(&self->f, KF_RELAY_BEGIN, 0);
	EXPECT_EQ(0, kf_relay_begin(self->f.context, "relay", UINT32_MAX, 12));
	p = fake_asked(&self->f);
	begin = packet_read(&p);
	EXPECT_EQ(KF_TXN_MAX_MS, begin->hold_ms);
	EXPECT_EQ(12u, begin->count);
	EXPECT_STREQ("relay", begin->name);
	fake_answer(&self->f, KF_RELAY_END, -EPROTO);
	EXPECT_EQ(-EPROTO, kf_relay_end(self->f.context));
}

TEST_F(requests, a_transaction_is_bounded_and_named)
{
	const struct kf_txn_begin *begin;
	struct packet p;

	fake_answer(&self->f, KF_TXN_BEGIN, 0);
	EXPECT_EQ(0, kf_transaction_begin(self->f.context, "test", UINT32_MAX));
	p = fake_asked(&self->f);
	begin = packet_read(&p);
	EXPECT_EQ(KF_TXN_MAX_MS, begin->hold_ms);
	EXPECT_STREQ("test", begin->name);
}
