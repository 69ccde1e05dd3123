// SPDX-License-Identifier: LGPL-2.1-or-later
/* tests/libserver/pin_order_test.c - Orders about PINs, judged by a card that opens them. */
#include "libserver/pin_order.h"
#include "libserver/ticket.h"
#include "tests/libserver/server_fixture.h"

#define PUK "12345678"
#define FRESH "a-new-pin"
#define TEXT(text) (text), sizeof(text) - 1

FIXTURE(pins)
{
	struct voyage v;
	struct kf_md_key *key;
	struct kf_pin_order *order;
	char *cargo, *ticket;
	struct kf_receipt_report *report;
};

FIXTURE_SETUP(pins)
{
	voyage_init(&self->v, true, voyage_pins);
	ASSERT_EQ(0, kf_pin_order_unblock(TEXT(PUK), TEXT(FRESH), &self->order, NULL));
	ASSERT_EQ(0, kf_md_import_session_key(self->v.server, self->v.offer, NULL, 0, 1,
					      &self->key, NULL));
	ASSERT_EQ(0, kf_md_set_chaining_mode(self->key, KF_CHAIN_CBC, NULL));
	ASSERT_EQ(0, kf_md_set_iv(self->key, NULL, 0, NULL));
}

FIXTURE_TEARDOWN(pins)
{
	kf_receipt_report_free(self->report);
	kf_pin_order_free(self->order);
	kf_md_destroy_key(self->key);
	free(self->cargo);
	free(self->ticket);
	voyage_deinit(&self->v);
}

static void seal(struct fixture_pins *self)
{
	uint8_t *item = NULL;
	size_t len;

	ASSERT_EQ(0, kf_md_encrypt_pin(self->key, self->order, &item, &len, &self->v.e));
	free(item);
	ASSERT_EQ(0, kf_md_cargo(self->key, &self->cargo, &len, NULL));
	ASSERT_EQ(0, kf_md_ticket(self->key, &self->ticket, &len, NULL));
}

static int verify(struct fixture_pins *self, const struct fakecard_receipt_bend *bend)
{
	char *json = fakecard_receipt(&self->v.card, self->cargo, 0, bend);
	int r;

	self->report = kf_receipt_report_free(self->report);
	r = kf_receipt_verify(self->ticket, strlen(self->ticket), json, strlen(json),
			      &self->report, &self->v.e);
	free(json);
	return r;
}

TEST_F(pins, the_card_opens_what_was_ordered)
{
	struct fakecard_opened opened;

	ASSERT_EQ(0, kf_pin_order_set_least_tries(self->order, 5, NULL));
	seal(self);
	ASSERT_EQ(0, fakecard_open(&self->v.card, self->cargo, 1, self->v.injector, &opened));
	EXPECT_TRUE(opened.sender_is_valid);
	EXPECT_EQ(KF_FUNCTION_CHANGE_AUTHENTICATOR, opened.body.function);
	EXPECT_EQ((uint32_t)KF_CONTAINER_PINS, opened.body.container);
	EXPECT_EQ(KF_PIN_USER, opened.body.pin);
	EXPECT_EQ(KF_KEY_NONE, opened.body.key_type);
	EXPECT_EQ(KF_PIN_PUK, opened.order.authenticator);
	EXPECT_EQ(5u, opened.order.least_tries);
	EXPECT_BYTES_EQ(BYTES(PUK, 8), opened.order.proof);
	EXPECT_BYTES_EQ(BYTES(FRESH, 9), opened.order.fresh);
}

TEST_F(pins, a_true_receipt_proves_it_and_tells_the_tries)
{
	seal(self);
	ASSERT_EQ(0, verify(self, NULL));
	EXPECT_EQ(1u, kf_receipt_report_proved(self->report));
	EXPECT_EQ(KF_FUNCTION_CHANGE_AUTHENTICATOR,
		  kf_receipt_report_item_function(self->report, 0));
	EXPECT_EQ(KF_PIN_USER, kf_receipt_report_item_pin(self->report, 0));
	EXPECT_EQ(3u, kf_receipt_report_item_tries(self->report, 0));
	EXPECT_NULL(kf_receipt_report_item_key(self->report, 0));
}

static void other_function(struct receipt *r) { r->function = KF_FUNCTION_AUTHENTICATE; }
static void other_pin(struct receipt *r) { r->pin = KF_PIN_PUK; }
static void other_container(struct receipt *r) { r->container = 3; }
static void a_key(struct receipt *r) { r->key_type = KF_KEY_EC_P256; }
static void no_sender(struct receipt *r) { r->sender.present = false; }
static void mark_of_the_puk(struct receipt *r)
{
	static const uint8_t mark[] = { 0x30, 6, 2, 1, 2, 2, 1, 3 };

	r->evidence = BYTES_OF(mark);
}
static void no_mark(struct receipt *r)
{
	static const uint8_t mark[] = { 0x30, 3, 2, 1, 1 };

	r->evidence = BYTES_OF(mark);
}

TEST_F(pins, a_receipt_that_differs_proves_nothing)
{
	static void (*const bends[])(struct receipt *) = {
		other_function, other_pin, other_container, a_key, no_sender, mark_of_the_puk,
		no_mark,
	};

	seal(self);
	for (size_t i = 0; i < sizeof(bends) / sizeof(bends[0]); i++) {
		if (verify(self, &(struct fakecard_receipt_bend){ .receipt = bends[i] }) != -EACCES)
			TEST_FAIL("bend %zu", i);
	}
	EXPECT_EQ(-EACCES, verify(self, &(struct fakecard_receipt_bend){ .other_key = true }));
}

TEST_F(pins, orders_and_keys_need_offers_of_their_own)
{
	struct kf_keypair *pair = voyage_pair(KF_KEY_EC_P256);
	struct voyage keys;
	struct kf_md_key *key = NULL;
	uint8_t *item = NULL;
	size_t len;

	EXPECT_EQ(-EACCES, kf_md_encrypt_data(self->key, KF_FUNCTION_IMPORT_KEYPAIR, pair, &item,
					      &len, NULL));
	voyage_init(&keys, true, NULL);
	ASSERT_EQ(0, kf_md_import_session_key(keys.server, keys.offer, NULL, 0, 1, &key, NULL));
	ASSERT_EQ(0, kf_md_set_chaining_mode(key, KF_CHAIN_CBC, NULL));
	ASSERT_EQ(0, kf_md_set_iv(key, NULL, 0, NULL));
	EXPECT_EQ(-EACCES, kf_md_encrypt_pin(key, self->order, &item, &len, NULL));
	kf_md_destroy_key(key);
	kf_keypair_free(pair);
	voyage_deinit(&keys);
}

static void pins_without_sender(struct statement *s)
{
	s->container = KF_CONTAINER_PINS;
	s->holds.present = false;
	s->n_injectors = 0;
}

/* SECURITY section 4: PIN change and unblock always need an injector's signature. */
TEST_F(pins, a_card_that_knows_no_sender_gets_none)
{
	struct fakecard_bend bend = { .statement = pins_without_sender, .file = voyage_pins_file };
	struct kf_verified_offer *offer = NULL;
	uint8_t nonce[KF_NONCE_SIZE] = { 7 };
	char *json = fakecard_offer(&self->v.card, nonce, &bend);

	EXPECT_EQ(-EACCES, kf_offer_verify(self->v.server, self->v.enrolled, nonce, json,
					   strlen(json), &offer, &self->v.e));
	EXPECT_STREQ("the card knows no sender", self->v.e.why);
	free(json);
}

TEST(what_no_card_takes_is_refused)
{
	static const char long_pin[33] = "x";
	struct kf_pin_order *order = NULL;
	struct kf_error e = KF_ERROR_INIT;

	EXPECT_EQ(-EINVAL, kf_pin_order_unblock("123", 3, TEXT(FRESH), &order, NULL));
	EXPECT_EQ(-EINVAL, kf_pin_order_unblock(TEXT(PUK), "123", 3, &order, NULL));
	EXPECT_EQ(-EINVAL, kf_pin_order_unblock(TEXT(PUK), long_pin, 33, &order, NULL));
	EXPECT_EQ(-EINVAL, kf_pin_order_change(3, TEXT(PUK), TEXT(FRESH), &order, NULL));
	EXPECT_EQ(-EINVAL, kf_pin_order_authenticate(NULL, 0, 0, &order, NULL));
	EXPECT_EQ(-EACCES, kf_pin_order_authenticate(TEXT(FRESH), 0x10000000, &order, &e));
	EXPECT_STREQ("a session PIN is asked for", e.why);
	EXPECT_NULL(order);
	ASSERT_EQ(0, kf_pin_order_authenticate(TEXT(FRESH), 0, &order, NULL));
	EXPECT_EQ(2u, order->least_tries);
	EXPECT_EQ(-EINVAL, kf_pin_order_set_least_tries(order, 0, NULL));
	EXPECT_EQ(-EINVAL, kf_pin_order_set_least_tries(order, 128, NULL));
	EXPECT_EQ(0, kf_pin_order_set_least_tries(order, 127, NULL));
	kf_pin_order_free(order);
}
