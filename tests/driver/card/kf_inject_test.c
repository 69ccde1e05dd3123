/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/hash.h"
#include "format/receipt.h"
#include "format/statement.h"
#include "driver/card/kf.h"
#include "tests/driver/card/script.h"
#include "tests/oom_openssl.h"

#include <stdlib.h>

FIXTURE(inject) {
	struct script s;
	uint8_t out[4096], der[4096];
	struct packer p;
};
FIXTURE_SETUP(inject)
{
	script_open(&self->s, 1);
	self->p = pack_begin(self->out, sizeof(self->out));
}
FIXTURE_TEARDOWN(inject)
{
	script_done(&self->s);
	script_close(&self->s);
}

#define SELF struct fixture_inject *self
#define N32	"5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A"
#define SID	"ABABABABABABABABABABABABABABABAB"
#define OFFER	"80500000 00002B 8020" N32 "810104 820102 830102 0000"

static const uint8_t spki[] = { 0x30, 0x03, 0x01, 0x02, 0x03 };
static const uint8_t sig[] = { 0x30, 0x00 };

/* --- offer --- */

static struct statement statement_like(void)
{
	struct statement st = {
		.level = KF_LEVEL_VIRTUAL, .serial = SCRIPT_SERIAL,
		.exchange_type = KF_KEY_RSA_3072, .purpose = KF_PURPOSE_EXCHANGE,
		.origin = KF_ORIGIN_GENERATED, .container = 4,
		.methods = { 2, { KF_METHOD_RSA, KF_METHOD_ECDH } }, .key_types = { 2, { 1, 4 } },
		.paddings = { 1, { 2 } }, .suites = { 1, { 1 } },
		.limit_item = 8192, .limit_items = 64, .limit_tries = 5,
	};

	memset(st.sid, 0xab, sizeof(st.sid));
	memset(st.nonce, 0x5a, sizeof(st.nonce));
	return st;
}

static struct bytes signed_statement(SELF, const struct statement *st)
{
	uint8_t inner[STATEMENT_MAX];
	struct packer p = pack_begin(inner, sizeof(inner));
	struct packer q = pack_begin(self->der, sizeof(self->der));
	struct signed_statement s;

	statement_pack(&p, st);
	ASSERT_FALSE(p.bad);
	s = (struct signed_statement){ pack_done(&p), BYTES_OF(sig), BYTES_OF(spki) };
	signed_statement_pack(&q, &s);
	ASSERT_FALSE(q.bad);
	return pack_done(&q);
}

static void expect_answer(SELF, const char *command, struct bytes data)
{
	uint8_t want[128], answer[4096];
	size_t n = script_hex(command, want, sizeof(want));
	struct packer p = pack_begin(answer, sizeof(answer));

	pack_bytes(&p, data);
	pack_be16(&p, 0x9000);
	script_add(&self->s, BYTES(want, n), pack_done(&p));
}

static struct kf_offer offer_like(void)
{
	struct kf_offer offer = {
		.container = 4, .method = KF_METHOD_RSA, .exchange_type = KF_KEY_RSA_3072,
	};

	memset(offer.nonce, 0x5a, sizeof(offer.nonce));
	return offer;
}

TEST_F(inject, an_offer_is_one_command_and_its_statement_is_about_it)
{
	struct statement st = statement_like();
	struct bytes der = signed_statement(self, &st);
	struct kf_offer offer = offer_like();

	expect_answer(self, OFFER, der);
	ASSERT_EQ(0, kf_card_driver.offer(script_begin(&self->s), &offer, &self->p));
	EXPECT_BYTES_EQ(der, pack_done(&self->p));
	EXPECT_MEMEQ(st.sid, offer.sid, sizeof(offer.sid));
	EXPECT_EQ(KF_CONTAINER_ANY, offer.exchange_container);
}

TEST_F(inject, the_default_exchange_key_is_what_server_policies_take)
{
	struct statement st = statement_like();
	struct kf_offer offer = offer_like();

	offer.exchange_type = KF_KEY_NONE;
	expect_answer(self, OFFER, signed_statement(self, &st));
	ASSERT_EQ(0, kf_card_driver.offer(script_begin(&self->s), &offer, &self->p));
	EXPECT_EQ((uint32_t)KF_KEY_RSA_3072, offer.exchange_type);
}

TEST_F(inject, a_statement_about_something_else_is_refused)
{
	for (int i = 0; i < 6; i++) {
		struct statement st = statement_like();
		struct kf_offer offer = offer_like();

		switch (i) {
		case 0: st.nonce[31] ^= 1; break;
		case 1: st.container = 5; break;
		case 2: st.serial[0] = 'X'; break;
		case 3: st.exchange_type = KF_KEY_RSA_2048; break;
		case 4: st.purpose = KF_PURPOSE_DECRYPT; break;
		case 5: st.methods = (struct number_list){ 1, { KF_METHOD_ECDH } }; break;
		}
		expect_answer(self, OFFER, signed_statement(self, &st));
		EXPECT_EQ(-EBADMSG, kf_card_driver.offer(script_begin(&self->s), &offer, &self->p));
	}
}

TEST_F(inject, a_cut_statement_is_refused)
{
	struct statement st = statement_like();
	struct bytes der = signed_statement(self, &st);

	for (size_t n = 0; n < der.n; n += 7) {
		struct kf_offer offer = offer_like();

		script_done(&self->s);
		script_close(&self->s);
		script_open(&self->s, 1);
		expect_answer(self, OFFER, BYTES(der.p, n));
		EXPECT_EQ(-EBADMSG, kf_card_driver.offer(script_begin(&self->s), &offer, &self->p));
	}
}

TEST_F(inject, an_existing_key_is_converted_once)
{
	struct statement st = statement_like();
	struct kf_offer offer = offer_like();

	offer.flags = KF_OFFER_EXISTING;
	offer.exchange_container = 9;
	script_place(&self->s, 9, KF_KEY_RSA_3072, KF_PURPOSE_DECRYPT, BYTES_OF(spki));
	script_expect(&self->s, "805A0009", "9000");
	expect_answer(self, "80500000 00002E 8020" N32 "810104 820102 830102 840109 0000",
		      signed_statement(self, &st));
	ASSERT_EQ(0, kf_card_driver.offer(script_begin(&self->s), &offer, &self->p));
	EXPECT_EQ(9u, offer.exchange_container);

	script_place(&self->s, 9, KF_KEY_RSA_3072, KF_PURPOSE_EXCHANGE, BYTES_OF(spki));
	expect_answer(self, "80500000 00002E 8020" N32 "810104 820102 830102 840109 0000",
		      signed_statement(self, &st));
	EXPECT_EQ(0, kf_card_driver.offer(script_begin(&self->s), &offer, &self->p));

	script_place(&self->s, 9, KF_KEY_RSA_3072, KF_PURPOSE_DECRYPT, BYTES_OF(spki));
	script_expect(&self->s, "805A0009", "6985");
	EXPECT_EQ(-EREMOTEIO, kf_card_driver.offer(script_begin(&self->s), &offer, &self->p));
	EXPECT_EQ(KF_REASON_KEY_PURPOSE, self->s.card->said.reason);

	script_place_empty(&self->s, 9);
	EXPECT_EQ(-ENOENT, kf_card_driver.offer(script_begin(&self->s), &offer, &self->p));
}

TEST_F(inject, an_offer_out_of_range_is_refused_here)
{
	for (int i = 0; i < 7; i++) {
		struct kf_offer offer = offer_like();
		int error = -EINVAL;

		switch (i) {
		case 0: offer.method = 0; break;
		case 1: offer.method = 9; break;
		case 2: offer.method = KF_METHOD_ECDH; error = -EOPNOTSUPP; break;
		case 3: offer.n_items = 65; break;
		case 4: offer.container = 16; break;
		case 5: offer.exchange_type = KF_KEY_EC_P256; break;
		case 6: offer.exchange_container = 3; break;
		}
		EXPECT_EQ(error, kf_card_driver.offer(script_begin(&self->s), &offer, &self->p));
	}
}

/* --- session key --- */

#define PENDING	"805C0000 000000"

static struct kf_session_import import_like(void)
{
	struct kf_session_import how = {
		.method = KF_METHOD_RSA, .padding = KF_PADDING_OAEP, .hash = KF_HASH_SHA256,
		.container = KF_CONTAINER_ANY,
	};

	memset(how.sid, 0xab, sizeof(how.sid));
	return how;
}

static void expect_import(SELF, struct bytes wrapped, const char *answer)
{
	uint8_t want[1024], reply[32];
	struct packer p = pack_begin(want, sizeof(want));

	pack_be(&p, 0x80520200, 4);
	pack_be(&p, 18 + 4 + wrapped.n, 3);
	pack_be(&p, 0x8010, 2);
	for (int i = 0; i < KF_SID_SIZE; i++)
		pack_u8(&p, 0xab);
	tlv_pack(&p, 0x81, wrapped);
	pack_be16(&p, 0);
	script_add(&self->s, pack_done(&p), BYTES(reply, script_hex(answer, reply, sizeof(reply))));
}

TEST_F(inject, a_session_key_is_imported_and_knows_its_offer)
{
	struct kf_session_import how = import_like();
	struct card_session session = { .key = 1, .container = KF_CONTAINER_ANY, .next_item = 1 };
	uint8_t wrapped[384] = { 7 };

	script_expect(&self->s, PENDING,
		      "E41C 8010 00000000000000000000000000000000 810101 820105 83020001"
		      "E41C 8010" SID "810104 820105 83020003 9000");
	expect_import(self, BYTES_OF(wrapped), "800102 9000");
	ASSERT_EQ(0, kf_card_driver.session_import(script_begin(&self->s), &how, BYTES_OF(wrapped),
						   &session, &self->p));
	EXPECT_EQ(2u, session.ref);
	EXPECT_EQ(3u, session.next_item);
	EXPECT_EQ(4u, session.container);
	EXPECT_EQ((uint32_t)KF_KEY_AES_256, session.algorithm);
	EXPECT_MEMEQ(how.sid, session.sid, KF_SID_SIZE);
}

TEST_F(inject, a_sid_that_is_not_pending_is_the_cards_to_refuse)
{
	struct kf_session_import how = import_like();
	struct card_session session = { .key = 1, .container = KF_CONTAINER_ANY, .next_item = 1 };
	uint8_t wrapped[256] = { 7 };

	script_expect(&self->s, PENDING, "9000");
	expect_import(self, BYTES_OF(wrapped), "6988");
	EXPECT_EQ(-EREMOTEIO, kf_card_driver.session_import(script_begin(&self->s), &how,
							    BYTES_OF(wrapped), &session, &self->p));
	EXPECT_EQ(0x6988, self->s.card->said.sw);
	script_expect(&self->s, PENDING, "9000");
	expect_import(self, BYTES_OF(wrapped), "6A84");
	EXPECT_EQ(-ENOSPC, kf_card_driver.session_import(script_begin(&self->s), &how,
							 BYTES_OF(wrapped), &session, &self->p));
}

TEST_F(inject, a_malformed_list_or_session_number_is_refused)
{
	static const char *const lists[] = {
		"E41B 8010" SID "810104 820105 8302 9000", "E41C 8010" SID "810104 820105 83020000 9000",
		"E41C 8010" SID "810104 820105 830200 9000", "E5 9000",
		"E41C 8010" SID "820105 810104 83020001 9000",
	};
	struct kf_session_import how = import_like();
	uint8_t wrapped[256] = { 7 };

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct card_session session = { .key = 1 };

		script_expect(&self->s, PENDING, lists[i]);
		EXPECT_EQ(-EBADMSG, kf_card_driver.session_import(script_begin(&self->s), &how,
								  BYTES_OF(wrapped), &session, &self->p));
	}
	struct card_session session = { .key = 1 };

	script_expect(&self->s, PENDING, "9000");
	expect_import(self, BYTES_OF(wrapped), "800100 9000");
	EXPECT_EQ(-EBADMSG, kf_card_driver.session_import(script_begin(&self->s), &how,
							  BYTES_OF(wrapped), &session, &self->p));
}

TEST_F(inject, an_import_out_of_range_is_refused_here)
{
	uint8_t wrapped[513] = { 7 };

	for (int i = 0; i < 7; i++) {
		struct kf_session_import how = import_like();
		struct card_session session = { .key = 1 };
		struct bytes input = BYTES(wrapped, 256);
		int error = -EOPNOTSUPP;

		switch (i) {
		case 0: how.method = KF_METHOD_SHARED; break;
		case 1: how.method = 0; error = -EINVAL; break;
		case 2: how.algorithm = KF_KEY_AES_128; break;
		case 3: how.padding = KF_PADDING_PKCS1; break;
		case 4: how.hash = KF_HASH_SHA1; break;
		case 5: input.n = 513; error = -EINVAL; break;
		case 6: input.n = 255; error = -EINVAL; break;
		}
		EXPECT_EQ(error, kf_card_driver.session_import(script_begin(&self->s), &how, input,
							       &session, &self->p));
	}
}

TEST_F(inject, destroying_a_session_the_card_dropped_already_is_fine)
{
	struct card_session session = { .key = 1, .ref = 3 }, used = { .key = 2 };

	script_expect(&self->s, "80580003", "9000");
	EXPECT_EQ(0, kf_card_driver.session_destroy(script_begin(&self->s), &session));
	script_expect(&self->s, "80580003", "6A88");
	EXPECT_EQ(0, kf_card_driver.session_destroy(script_begin(&self->s), &session));
	EXPECT_EQ(0, kf_card_driver.session_destroy(script_begin(&self->s), &used));
}

/* --- item --- */

static const uint8_t cipher[32] = { 0xcc };

static struct item_body body_like(void)
{
	struct item_body body = {
		.suite = SUITE_AES256_CBC_CMAC, .method = KF_METHOD_RSA,
		.function = KF_FUNCTION_IMPORT_KEYPAIR, .number = 1, .count = 2,
		.serial = SCRIPT_SERIAL, .container = 4, .pin = KF_PIN_USER,
		.key_type = KF_KEY_EC_P256, .purpose = KF_PURPOSE_SIGN,
		.policy = { .pin_needed = true }, .sender = { .present = true },
		.ciphertext = BYTES(cipher, sizeof(cipher)),
	};

	memset(body.sid, 0xab, sizeof(body.sid));
	memset(body.sender.digest, SCRIPT_INJECTOR, sizeof(body.sender.digest));
	memset(body.iv, 0x1f, sizeof(body.iv));
	return body;
}

static struct bytes item_der(SELF, const struct item_body *body)
{
	static const uint8_t mac[ITEM_MAC_SIZE] = { 1 };
	uint8_t inner[2048];
	struct packer p = pack_begin(inner, sizeof(inner));
	struct packer q = pack_begin(self->der, sizeof(self->der));

	item_body_pack(&p, body);
	ASSERT_FALSE(p.bad);
	item_pack(&q, pack_done(&p), mac, body->sender.present ? BYTES_OF(sig) : BYTES_NONE);
	ASSERT_FALSE(q.bad);
	return pack_done(&q);
}

static struct card_session session_like(void)
{
	struct card_session session = {
		.key = 1, .ref = 2, .method = KF_METHOD_RSA, .algorithm = KF_KEY_AES_256,
		.container = 4, .next_item = 1,
	};

	memset(session.sid, 0xab, sizeof(session.sid));
	return session;
}

static struct bytes receipt_for(const struct item_body *body, struct bytes item, uint8_t *out,
				size_t cap)
{
	struct receipt receipt = {
		.serial = SCRIPT_SERIAL, .number = body->number, .function = body->function,
		.method = body->method, .container = body->container, .pin = body->pin,
		.key_type = body->key_type, .purpose = body->purpose, .policy = body->policy,
		.counter = 1, .evidence = BYTES(spki, sizeof(spki)),
	};
	uint8_t inner[RECEIPT_MAX];
	struct packer p = pack_begin(inner, sizeof(inner)), q = pack_begin(out, cap);
	struct signed_receipt s;

	memset(receipt.sid, 0xab, sizeof(receipt.sid));
	ASSERT_EQ(0, sha256(item, receipt.item));
	receipt_pack(&p, &receipt);
	s = (struct signed_receipt){ pack_done(&p), BYTES_OF(sig) };
	signed_receipt_pack(&q, &s);
	ASSERT_FALSE(q.bad);
	return pack_done(&q);
}

static void expect_process(SELF, struct bytes item, struct bytes answer, uint16_t sw)
{
	uint8_t want[4096], reply[4096];
	struct packer p = pack_begin(want, sizeof(want)), q = pack_begin(reply, sizeof(reply));

	pack_be(&p, 0x80540102, 4);
	pack_be(&p, item.n, 3);
	pack_bytes(&p, item);
	pack_be16(&p, 0);
	pack_bytes(&q, answer);
	pack_be16(&q, sw);
	script_add(&self->s, pack_done(&p), pack_done(&q));
}

static int process(SELF, struct card_session *session, struct bytes item)
{
	struct kf_process process = { .key = 1, .function = KF_FUNCTION_IMPORT_KEYPAIR };
	int r = kf_card_driver.process(script_begin(&self->s), session, &process, item, &self->p);

	if (r == 0) {
		EXPECT_EQ(4u, process.container);
		EXPECT_EQ(session->next_item - 1, process.item_no);
	}
	return r;
}

TEST_F(inject, an_item_is_sent_whole_and_its_receipt_handed_up)
{
	struct card_session session = session_like();
	struct item_body body = body_like();
	struct bytes item = item_der(self, &body), receipt;
	uint8_t buf[RECEIPT_MAX];

	receipt = receipt_for(&body, item, buf, sizeof(buf));
	session.iv_len = KF_IV_SIZE;
	memset(session.iv, 0x1f, KF_IV_SIZE);
	script_place_empty(&self->s, 4);
	expect_process(self, item, receipt, 0x9000);
	ASSERT_EQ(0, process(self, &session, item));
	EXPECT_BYTES_EQ(receipt, pack_done(&self->p));
	EXPECT_EQ(2u, session.next_item);
	EXPECT_EQ(2u, session.ref);
	EXPECT_EQ(0u, session.iv_len);		/* an IV is for one item */
}

TEST_F(inject, the_last_item_ends_the_session)
{
	struct card_session session = session_like();
	struct item_body body = body_like();
	struct bytes item;
	uint8_t buf[RECEIPT_MAX];

	body.count = 1;
	item = item_der(self, &body);
	script_place_empty(&self->s, 4);
	expect_process(self, item, receipt_for(&body, item, buf, sizeof(buf)), 0x9000);
	ASSERT_EQ(0, process(self, &session, item));
	EXPECT_EQ(0u, session.ref);
	EXPECT_EQ(-EPROTO, process(self, &session, item));
}

TEST_F(inject, each_public_fact_is_compared_before_the_card_is_asked)
{
	for (int field = KF_ITEM_SUITE; field <= KF_ITEM_CIPHERTEXT; field++) {
		struct card_session session = session_like();
		struct item_body body = body_like();

		switch (field) {
		case KF_ITEM_SUITE: body.suite = (enum suite)2; break;
		case KF_ITEM_METHOD: body.method = KF_METHOD_ECDH; break;
		case KF_ITEM_FUNCTION: body.function = KF_FUNCTION_AUTHENTICATE; break;
		case KF_ITEM_SID: body.sid[15] ^= 1; break;
		case KF_ITEM_NUMBER: body.number = 2; break;
		case KF_ITEM_SERIAL: body.serial[0] = 'X'; break;
		case KF_ITEM_CONTAINER: body.container = 5; break;
		case KF_ITEM_REPLACES:
			body.replaces.present = true;
			script_place_empty(&self->s, 4);
			break;
		case KF_ITEM_PIN: body.pin = 0; break;
		case KF_ITEM_KEY_TYPE: body.key_type = KF_KEY_AES_256; break;
		case KF_ITEM_PURPOSE: body.purpose = KF_PURPOSE_DECRYPT; break;
		case KF_ITEM_IV: session.iv_len = KF_IV_SIZE; break;
		case KF_ITEM_CIPHERTEXT: body.ciphertext.n = 31; break;
		}
		EXPECT_EQ(-EINVAL, process(self, &session, item_der(self, &body)));
		EXPECT_EQ(KF_REASON_ITEM, self->s.card->said.reason);
		EXPECT_EQ((uint32_t)field, self->s.card->said.detail);
		EXPECT_EQ(1u, session.next_item);
	}
}

/* --- orders about PINs --- */

static struct item_body order_like(enum kf_function function)
{
	struct item_body body = body_like();

	body.function = function;
	body.container = KF_CONTAINER_PINS;
	body.key_type = KF_KEY_NONE;
	body.purpose = KF_PURPOSE_NONE;
	body.policy.pin_needed = false;
	return body;
}

static int process_order(SELF, struct card_session *session, const struct item_body *body)
{
	struct kf_process process = { .key = 1, .function = body->function };

	return kf_card_driver.process(script_begin(&self->s), session, &process,
				      item_der(self, body), &self->p);
}

static void expect_order(SELF, const struct item_body *body, struct bytes answer, uint16_t sw)
{
	uint8_t want[4096], reply[4096];
	struct packer p = pack_begin(want, sizeof(want)), q = pack_begin(reply, sizeof(reply));
	struct bytes item = item_der(self, body);

	pack_be(&p, 0x80540002u | (uint32_t)body->function << 8, 4);
	pack_be(&p, item.n, 3);
	pack_bytes(&p, item);
	pack_be16(&p, 0);
	pack_bytes(&q, answer);
	pack_be16(&q, sw);
	script_add(&self->s, pack_done(&p), pack_done(&q));
}

TEST_F(inject, an_order_about_pins_asks_for_no_container)
{
	struct card_session session = session_like();
	struct item_body body = order_like(KF_FUNCTION_CHANGE_AUTHENTICATOR);
	uint8_t buf[RECEIPT_MAX];

	session.container = KF_CONTAINER_PINS;
	expect_order(self, &body, receipt_for(&body, item_der(self, &body), buf, sizeof(buf)), 0x9000);
	EXPECT_EQ(0, process_order(self, &session, &body));
	EXPECT_EQ(2u, session.next_item);
}

TEST_F(inject, what_the_card_says_of_a_pin_is_passed_on)
{
	static const struct { uint16_t sw; int error; enum kf_reason reason; uint32_t detail; } said[] = {
		{ 0x63c1, -EKEYREJECTED, KF_REASON_PIN_WRONG, 1 },
		{ 0x6983, -EKEYREVOKED, KF_REASON_NONE, 0 },
		{ 0x6985, -EREMOTEIO, KF_REASON_PIN_LEAST, 0 },
		{ 0x6988, -EREMOTEIO, KF_REASON_NONE, 0 },
	};
	struct item_body body = order_like(KF_FUNCTION_AUTHENTICATE);

	for (size_t i = 0; i < 4; i++) {
		struct card_session session = session_like();

		session.container = KF_CONTAINER_PINS;
		expect_order(self, &body, BYTES_NONE, said[i].sw);
		EXPECT_EQ(said[i].error, process_order(self, &session, &body));
		EXPECT_EQ(said[i].reason, self->s.card->said.reason);
		EXPECT_EQ(said[i].detail, self->s.card->said.detail);
		EXPECT_EQ(1u, session.next_item);
	}
}

TEST_F(inject, an_order_out_of_form_is_told_before_the_card_is_asked)
{
	for (int i = 0; i < 8; i++) {
		struct card_session session = session_like();
		struct item_body body = order_like(KF_FUNCTION_CHANGE_AUTHENTICATOR);
		enum kf_item_field field = KF_ITEM_CONTAINER;

		session.container = KF_CONTAINER_PINS;
		switch (i) {
		case 0: body.container = 4; break;
		case 1: session.container = 4; break;
		case 2: session.container = body.container = 4; break;
		case 3: body.replaces.present = true; field = KF_ITEM_REPLACES; break;
		case 4: body.pin = 3; field = KF_ITEM_PIN; break;
		case 5: body.policy.pin_needed = true; field = KF_ITEM_PIN; break;
		case 6: body.key_type = KF_KEY_EC_P256; field = KF_ITEM_KEY_TYPE; break;
		case 7: body.purpose = KF_PURPOSE_SIGN; field = KF_ITEM_PURPOSE; break;
		}
		EXPECT_EQ(-EINVAL, process_order(self, &session, &body));
		EXPECT_EQ((uint32_t)field, self->s.card->said.detail);
	}
}

TEST_F(inject, an_item_of_a_batch_goes_where_it_says)
{
	struct card_session session = session_like();
	struct item_body body = body_like();
	struct bytes item = item_der(self, &body);
	uint8_t buf[RECEIPT_MAX];

	session.container = KF_CONTAINER_BATCH;
	script_place_empty(&self->s, 4);
	expect_process(self, item, receipt_for(&body, item, buf, sizeof(buf)), 0x9000);
	EXPECT_EQ(0, process(self, &session, item));
	body = order_like(KF_FUNCTION_AUTHENTICATE);
	body.number = 2;
	EXPECT_EQ(-EINVAL, process_order(self, &session, &body));
	EXPECT_EQ((uint32_t)KF_ITEM_CONTAINER, self->s.card->said.detail);
}

TEST_F(inject, a_key_does_not_come_by_an_offer_about_pins)
{
	struct card_session session = session_like();
	struct item_body body = body_like();

	session.container = body.container = KF_CONTAINER_PINS;
	EXPECT_EQ(-EINVAL, process(self, &session, item_der(self, &body)));
	EXPECT_EQ((uint32_t)KF_ITEM_CONTAINER, self->s.card->said.detail);
}

TEST_F(inject, an_offer_about_pins_is_made_for_no_container)
{
	struct statement st = statement_like();
	struct kf_offer offer = offer_like();

	st.container = offer.container = KF_CONTAINER_PINS;
	expect_answer(self, "80500000 00002B 8020" N32 "8101FF 820102 830102 0000",
		      signed_statement(self, &st));
	EXPECT_EQ(0, kf_card_driver.offer(script_begin(&self->s), &offer, &self->p));
}

TEST_F(inject, a_card_that_knows_no_sender_is_not_asked_about_pins)
{
	struct kf_offer offer = offer_like();

	offer.container = KF_CONTAINER_PINS;
	kf_of(self->s.card)->n_injectors = 0;
	EXPECT_EQ(-EREMOTEIO, kf_card_driver.offer(script_begin(&self->s), &offer, &self->p));
	EXPECT_EQ(KF_REASON_SENDER, self->s.card->said.reason);
}

TEST_F(inject, what_is_no_item_is_not_sent)
{
	struct card_session session = session_like();
	struct item_body body = body_like();
	struct bytes item = item_der(self, &body);

	for (size_t n = 0; n < item.n; n += 5) {
		EXPECT_EQ(-EINVAL, process(self, &session, BYTES(item.p, n)));
		EXPECT_EQ((uint32_t)KF_ITEM_FORM, self->s.card->said.detail);
	}
}

TEST_F(inject, a_sender_the_card_does_not_know_is_told_so)
{
	struct card_session session = session_like();
	struct item_body body = body_like();

	body.sender.digest[0] ^= 1;
	EXPECT_EQ(-EREMOTEIO, process(self, &session, item_der(self, &body)));
	EXPECT_EQ(KF_REASON_SENDER, self->s.card->said.reason);
	body.sender.present = false;
	EXPECT_EQ(-EREMOTEIO, process(self, &session, item_der(self, &body)));
	EXPECT_EQ(KF_REASON_SENDER, self->s.card->said.reason);
}

TEST_F(inject, an_occupied_container_is_replaced_only_by_name)
{
	struct card_session session = session_like();
	struct item_body body = body_like();
	uint8_t buf[RECEIPT_MAX];
	struct bytes item;

	script_place(&self->s, 4, KF_KEY_EC_P256, KF_PURPOSE_SIGN, BYTES_OF(spki));
	EXPECT_EQ(-EEXIST, process(self, &session, item_der(self, &body)));
	EXPECT_EQ((uint32_t)KF_ITEM_REPLACES, self->s.card->said.detail);

	body.replaces.present = true;
	script_place(&self->s, 4, KF_KEY_EC_P256, KF_PURPOSE_SIGN, BYTES_OF(spki));
	EXPECT_EQ(-EEXIST, process(self, &session, item_der(self, &body)));

	ASSERT_EQ(0, sha256(BYTES_OF(spki), body.replaces.digest));
	script_place(&self->s, 4, KF_KEY_RSA_2048, KF_PURPOSE_EXCHANGE, BYTES_OF(spki));
	EXPECT_EQ(-EREMOTEIO, process(self, &session, item_der(self, &body)));
	EXPECT_EQ(KF_REASON_KEY_PURPOSE, self->s.card->said.reason);

	item = item_der(self, &body);
	script_place(&self->s, 4, KF_KEY_EC_P256, KF_PURPOSE_SIGN, BYTES_OF(spki));
	expect_process(self, item, receipt_for(&body, item, buf, sizeof(buf)), 0x9000);
	EXPECT_EQ(0, process(self, &session, item));
}

TEST_F(inject, the_cards_refusals_are_handed_up_as_they_are)
{
	static const struct { uint16_t sw; int error; uint16_t reason; } rows[] = {
		{ 0x6988, -EREMOTEIO, 0 }, { 0x6985, -EREMOTEIO, KF_REASON_KEY_PURPOSE },
		{ 0x6982, -EPERM, KF_REASON_PIN_NEEDED }, { 0x6a80, -EREMOTEIO, 0 },
		{ 0x6581, -EREMOTEIO, 0 }, { 0x6a88, -ENOENT, 0 },
	};
	struct card_session session = session_like();
	struct item_body body = body_like();
	struct bytes item = item_der(self, &body);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		script_place_empty(&self->s, 4);
		expect_process(self, item, BYTES_NONE, rows[i].sw);
		EXPECT_EQ(rows[i].error, process(self, &session, item));
		EXPECT_EQ(rows[i].sw, self->s.card->said.sw);
		EXPECT_EQ(rows[i].reason, self->s.card->said.reason);
		EXPECT_EQ(1u, session.next_item);
	}
}

TEST_F(inject, a_receipt_of_another_item_leaves_the_outcome_open)
{
	struct card_session session = session_like();
	struct item_body body = body_like();
	struct bytes item = item_der(self, &body);
	uint8_t buf[RECEIPT_MAX];

	script_place_empty(&self->s, 4);
	expect_process(self, item, receipt_for(&body, BYTES_OF(cipher), buf, sizeof(buf)), 0x9000);
	EXPECT_EQ(-EBADMSG, process(self, &session, item));
	EXPECT_EQ(KF_REASON_ON_CARD, self->s.card->said.reason);
}

TEST_F(inject, an_item_lost_on_the_way_is_not_sent_again)
{
	struct card_session session = session_like();
	struct item_body body = body_like();
	struct bytes item = item_der(self, &body);

	script_place_empty(&self->s, 4);
	expect_process(self, item, BYTES_NONE, 0x9000);
	self->s.steps[self->s.n - 1].error = -ETIMEDOUT;
	self->s.steps[self->s.n - 1].ran = true;
	EXPECT_EQ(-ETIMEDOUT, process(self, &session, item));
	EXPECT_EQ(KF_REASON_ON_CARD, self->s.card->said.reason);
	EXPECT_TRUE(self->s.card->lost);
}

TEST_F(inject, a_stored_receipt_is_fetched_by_sid_and_number)
{
	struct kf_receipt_get which = { .item_no = 1 };
	struct item_body body = body_like();
	struct bytes item = item_der(self, &body), receipt;
	uint8_t buf[RECEIPT_MAX];

	receipt = receipt_for(&body, item, buf, sizeof(buf));
	memset(which.sid, 0xab, sizeof(which.sid));
	expect_answer(self, "80560000 000016 8010" SID "81020001 0000", receipt);
	ASSERT_EQ(0, kf_card_driver.receipt_get(script_begin(&self->s), &which, &self->p));
	EXPECT_BYTES_EQ(receipt, pack_done(&self->p));

	script_expect(&self->s, "80560000 000016 8010" SID "81020001 0000", "6A88");
	EXPECT_EQ(-ENOENT, kf_card_driver.receipt_get(script_begin(&self->s), &which, &self->p));
	which.item_no = 2;
	expect_answer(self, "80560000 000016 8010" SID "81020002 0000", receipt);
	EXPECT_EQ(-EBADMSG, kf_card_driver.receipt_get(script_begin(&self->s), &which, &self->p));
	which.item_no = 0;	/* of an import, and this is none */
	expect_answer(self, "80560000 000016 8010" SID "81020000 0000", receipt);
	EXPECT_EQ(-EBADMSG, kf_card_driver.receipt_get(script_begin(&self->s), &which, &self->p));
	which.item_no = 65536;
	EXPECT_EQ(-EINVAL, kf_card_driver.receipt_get(script_begin(&self->s), &which, &self->p));
}

/* The card may have installed the key when the hash of its receipt cannot be made: never a success. */
TEST_F(inject, without_memory_an_item_is_no_success_and_the_session_stays_usable)
{
	struct item_body body = body_like();
	uint8_t buf[RECEIPT_MAX];
	long n = 0, refused = 0;
	bool all;

	oom_with_openssl();
	do {
		struct card_session session = session_like();
		struct bytes item = item_der(self, &body);
		size_t played = self->s.at;
		int r;

		script_place(&self->s, 4, KF_KEY_EC_P256, KF_PURPOSE_SIGN, BYTES_OF(spki));
		ASSERT_EQ(0, sha256(BYTES_OF(spki), body.replaces.digest));
		body.replaces.present = true;
		item = item_der(self, &body);
		expect_process(self, item, receipt_for(&body, item, buf, sizeof(buf)), 0x9000);
		self->p = pack_begin(self->out, sizeof(self->out));
		oom_begin(n);
		r = process(self, &session, item);
		all = oom_end(&n);
		refused += r < 0;
		EXPECT_TRUE(r == 0 || r == -EIO || r == -EBADMSG);
		if (all)
			EXPECT_EQ(0, r);
		if (r < 0 && self->s.at == played + 1)		/* the card was not asked for more */
			EXPECT_EQ(1u, session.next_item);
		if (r < 0 && self->s.at == self->s.n)
			EXPECT_EQ((uint16_t)KF_REASON_ON_CARD, self->s.card->said.reason);
		while (self->s.n > self->s.at) {		/* the next try has a script of its own */
			free(self->s.steps[--self->s.n].want);
			free(self->s.steps[self->s.n].answer);
		}
	} while (!all);
	EXPECT_LT(2, refused);
}
