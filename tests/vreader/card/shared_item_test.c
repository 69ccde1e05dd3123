/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Items that load SHARED keys (docs/card-application.md 5.4, container FD). */
#include "format/hash.h"
#include "format/receipt.h"
#include "format/secret_mark.h"
#include "format/shared_item.h"
#include "tests/harness.h"
#include "tests/vreader/card/tray.h"

/* A card with an injector and no SHARED keys, an offer for them taken up, and a good item for it. */
FIXTURE(card)
{
	struct tray tray;
	struct sealing s;
};

/* What sealing_derive() will work with. */
static void key_of(enum kf_method method, struct secret *out)
{
	_cleanup_(secret_deinit) struct secret master = SECRET_INIT;

	ASSERT_EQ(0, secret_init(&master, SHARED_KEY_SIZE));
	ASSERT_EQ(0, secret_resize(&master, SHARED_KEY_SIZE));
	memset(master.p, TRAY_MASTER, SHARED_KEY_SIZE);
	ASSERT_EQ(0, shared_key_derive(&master, method, KF_ORIGIN_FACTORY, TRAY_SERIAL, out));
}

static void mark_of(enum kf_method method, struct spki_hash *out)
{
	_cleanup_(secret_deinit) struct secret key = SECRET_INIT;
	struct shared_info info = { 0 };

	key_of(method, &key);
	ASSERT_EQ(0, shared_info_describe(&key, method, &info));
	out->present = true;
	memcpy(out->digest, info.mark, sizeof(out->digest));
}

static void seal(struct sealing *s, enum kf_method method)
{
	static const uint8_t none[16];
	_cleanup_(secret_deinit) struct secret key = SECRET_INIT;

	key_of(method, &key);
	sealing_take_secret(s, KF_KEY_AES_256, BYTES_OF(none));
	s->body.purpose = KF_PURPOSE_SHARED;
	s->body.pin = 0;
	s->body.policy = (struct key_policy){ 0 };
	ASSERT_EQ(0, shared_item_encode(&(struct shared_item){ method, secret_bytes(&key) }, &s->plain));
	sealing_seal(s);
}

FIXTURE_SETUP(card)
{
	tray_init(&self->tray, 1);
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	sealing_offer(&self->s, &self->tray, KF_CONTAINER_SHARED, 0xff);
	seal(&self->s, KF_METHOD_DERIVED);
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

/* A voyage by @method into container 1. Return: the item's status word; where the key came from in @origin. */
static uint16_t inject_by(struct tray *tray, enum kf_method method, enum kf_origin *origin)
{
	static struct sealing s;
	uint16_t sw;

	sealing_offer_by(&s, tray, 1, method, KF_KEY_AES_256);
	EXPECT_EQ(KF_PURPOSE_SHARED, s.statement.purpose);
	*origin = s.statement.origin;
	sealing_derive(&s, TRAY_MASTER);
	sealing_take_key(&s, TRAY_P256, KF_PURPOSE_SIGN);
	sealing_seal(&s);
	sw = sealing_import(&s, tray);
	if (sw == SW_OK)
		sw = sealing_process(&s, tray);
	sealing_deinit(&s);
	return sw;
}

TEST_F(card, what_a_known_sender_loads_establishes_session_keys)
{
	static const enum kf_method methods[] = { KF_METHOD_DERIVED, KF_METHOD_SHARED };
	struct state *state;
	enum kf_origin origin;

	for (size_t i = 0; i < 2; i++) {
		seal(&self->s, methods[i]);
		self->s.body.number = (uint32_t)i + 1;
		self->s.body.count = 2;
		sealing_seal(&self->s);
		EXPECT_NULL(state_shared(self->tray.card->state, methods[i]));
		ASSERT_EQ(SW_OK, process(self));
	}
	tray_restart(&self->tray);		/* it is on the disk, and where it came from */
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	for (size_t i = 0; i < 2; i++) {
		ASSERT_EQ(SW_OK, inject_by(&self->tray, methods[i], &origin));
		state = self->tray.card->state;
		EXPECT_EQ(KF_ORIGIN_INJECTED, origin);
		EXPECT_EQ(KF_ORIGIN_INJECTED, state->containers[1].origin);
		state_empty_container(state, 1);
	}
}

TEST_F(card, the_receipt_names_the_key_by_its_mark)
{
	uint8_t der[SHARED_MARK_DER_MAX];
	struct packer p = pack_begin(der, sizeof(der));
	struct shared_info info = { .method = KF_METHOD_DERIVED };
	struct signed_receipt sr;
	struct secret_mark shown;
	struct spki_hash mark;
	struct receipt r;

	ASSERT_EQ(SW_OK, process(self));
	ASSERT_EQ(0, signed_receipt_parse(tray_data(&self->tray), &sr));
	ASSERT_EQ(0, ecdsa_verify(tray_key(TRAY_DEVICE), sr.receipt, BYTES_NONE, sr.signature));
	ASSERT_EQ(0, receipt_parse(sr.receipt, &r));
	EXPECT_EQ((uint32_t)KF_CONTAINER_SHARED, r.container);
	EXPECT_EQ(KF_PURPOSE_SHARED, r.purpose);
	EXPECT_TRUE(r.sender.present);
	ASSERT_EQ(0, secret_mark_parse(r.evidence, &shown));
	mark_of(KF_METHOD_DERIVED, &mark);
	memcpy(info.mark, mark.digest, sizeof(info.mark));
	shared_mark_pack(&p, &info);
	EXPECT_BYTES_EQ(pack_done(&p), shown.key);
}

TEST_F(card, one_that_is_there_is_replaced_by_its_mark_alone)
{
	struct spki_hash mark;

	tray_share(&self->tray);		/* the maker's */
	EXPECT_EQ(SW_CONDITIONS, process(self));
	mark_of(KF_METHOD_SHARED, &self->s.body.replaces);	/* of the other method's */
	sealing_seal(&self->s);
	EXPECT_EQ(SW_CONDITIONS, process(self));
	EXPECT_EQ(KF_ORIGIN_FACTORY, state_shared_origin(self->tray.card->state, KF_METHOD_DERIVED));
	mark_of(KF_METHOD_DERIVED, &mark);
	self->s.body.replaces = mark;
	sealing_seal(&self->s);
	EXPECT_EQ(SW_OK, process(self));
	EXPECT_EQ(KF_ORIGIN_INJECTED, state_shared_origin(self->tray.card->state, KF_METHOD_DERIVED));
	EXPECT_EQ(KF_ORIGIN_FACTORY, state_shared_origin(self->tray.card->state, KF_METHOD_SHARED));
}

TEST_F(card, none_is_replaced_where_there_is_none)
{
	mark_of(KF_METHOD_DERIVED, &self->s.body.replaces);
	sealing_seal(&self->s);
	EXPECT_EQ(SW_CONDITIONS, process(self));
	EXPECT_NULL(state_shared(self->tray.card->state, KF_METHOD_DERIVED));
}

/* Their statement describes a key that is gone. */
TEST_F(card, offers_by_the_key_that_was_are_forgotten)
{
	static struct sealing old;

	tray_share(&self->tray);
	sealing_offer_by(&old, &self->tray, 1, KF_METHOD_DERIVED, KF_KEY_AES_256);
	sealing_derive(&old, TRAY_MASTER);
	mark_of(KF_METHOD_DERIVED, &self->s.body.replaces);
	sealing_seal(&self->s);
	ASSERT_EQ(SW_OK, process(self));
	EXPECT_EQ(SW_REFUSED, sealing_import(&old, &self->tray));
	sealing_deinit(&old);
}

/* The key that protected it had been the maker's. */
TEST_F(card, what_came_under_a_makers_key_stays_the_makers)
{
	struct spki_hash mark;

	tray_share(&self->tray);
	sealing_deinit(&self->s);
	sealing_offer_by(&self->s, &self->tray, KF_CONTAINER_SHARED, KF_METHOD_SHARED, KF_KEY_AES_256);
	sealing_derive(&self->s, TRAY_MASTER);
	mark_of(KF_METHOD_DERIVED, &mark);
	seal(&self->s, KF_METHOD_DERIVED);
	self->s.body.replaces = mark;
	sealing_seal(&self->s);
	ASSERT_EQ(SW_OK, sealing_import(&self->s, &self->tray));
	ASSERT_EQ(SW_OK, process(self));
	EXPECT_EQ(KF_ORIGIN_FACTORY, state_shared_origin(self->tray.card->state, KF_METHOD_DERIVED));
}

static void other_type(struct item_body *b) { b->key_type = KF_KEY_AES_128; }
static void cipher(struct item_body *b) { b->purpose = KF_PURPOSE_CIPHER; }
static void with_pin(struct item_body *b) { b->pin = KF_PIN_USER; b->policy.pin_needed = true; }
static void with_time(struct item_body *b) { b->policy.not_after = 1; }
static void container_3(struct item_body *b) { b->container = 3; }

TEST_F(card, every_field_is_what_it_must_be)
{
	static void (*const rows[])(struct item_body *b) = {
		other_type, cipher, with_pin, with_time, container_3,
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		state_find_offer(self->tray.card->state, self->s.statement.sid)->tries = APP_TRIES;
		seal(&self->s, KF_METHOD_DERIVED);
		rows[i](&self->s.body);
		sealing_seal(&self->s);
		if (process(self) != SW_REFUSED)
			TEST_FAIL("row %zu: %04x", i, self->tray.sw);
	}
	EXPECT_NULL(state_shared(self->tray.card->state, KF_METHOD_DERIVED));
}

TEST_F(card, nobody_unknown_loads_one)
{
	self->s.signer = TRAY_STRANGER;
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, process(self));
	self->s.signer = TRAY_KEYS;
	self->s.body.sender.present = false;
	sealing_seal(&self->s);
	EXPECT_EQ(SW_REFUSED, process(self));
	EXPECT_NULL(state_shared(self->tray.card->state, KF_METHOD_DERIVED));
}

/* In a container it would be a key that commands could name. */
TEST_F(card, no_container_takes_one)
{
	static struct sealing s;

	sealing_offer(&s, &self->tray, 2, 0xff);
	seal(&s, KF_METHOD_DERIVED);
	ASSERT_EQ(SW_OK, sealing_import(&s, &self->tray));
	EXPECT_EQ(SW_REFUSED, sealing_process_as(&s, &self->tray, KF_FUNCTION_IMPORT_SECRET));
	s.body.container = KF_CONTAINER_SHARED;
	sealing_seal(&s);
	EXPECT_EQ(SW_REFUSED, sealing_process_as(&s, &self->tray, KF_FUNCTION_IMPORT_SECRET));
	sealing_deinit(&s);
}

static uint16_t offer_shared(struct tray *tray)
{
	static const uint8_t data[] = {
		0x80, 32, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
		25, 26, 27, 28, 29, 30, 31, 32, 0x81, 1, KF_CONTAINER_SHARED, 0x82, 1, KF_METHOD_ECDH,
		0x83, 1, KF_KEY_EC_P256,
	};

	return tray_send(tray, 0x80, INS_OFFER, 0x0000, BYTES_OF(data));
}

TEST(a_card_that_knows_no_sender_offers_nothing_like_it)
{
	static struct tray tray;

	tray_init(&tray, 1);
	EXPECT_EQ(SW_OK, offer_shared(&tray));
	tray_deinit(&tray);
	tray_init(&tray, 0);
	EXPECT_EQ(SW_CONDITIONS, offer_shared(&tray));
	tray_deinit(&tray);
}
