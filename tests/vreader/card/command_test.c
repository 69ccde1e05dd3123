/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vreader/card/command.h"
#include "format/hash.h"
#include "tests/harness.h"
#include "tests/vreader/card/tray.h"
#include "vreader/card/tlv.h"

FIXTURE(card)
{
	struct tray tray;
};

FIXTURE_SETUP(card)
{
	tray_init(&self->tray, 1);
}

FIXTURE_TEARDOWN(card)
{
	tray_deinit(&self->tray);
}

static uint16_t send(struct fixture_card *self, uint8_t cla, uint8_t ins, unsigned int p1p2,
		     struct bytes data)
{
	return tray_send(&self->tray, cla, ins, p1p2, data);
}

/* --- each row of the page --- */

TEST_F(card, nothing_but_select_is_answered_before_select)
{
	size_t n;
	const struct command_rule *rules = command_rules(&n);

	card_power_on(self->tray.card);
	for (size_t i = 0; i < n; i++) {
		if (rules[i].ins == INS_SELECT)
			continue;
		if (send(self, rules[i].cla, rules[i].ins, (unsigned int)(rules[i].p1 << 8 | rules[i].p2),
			 BYTES_NONE) != SW_CONDITIONS)
			TEST_FAIL("%s: %04x", rules[i].name, self->tray.sw);
	}
	EXPECT_EQ(SW_INS, send(self, 0x00, 0xb0, 0, BYTES_NONE));
}

TEST_F(card, every_command_refuses_other_classes)
{
	size_t n;
	const struct command_rule *rules = command_rules(&n);

	for (size_t i = 0; i < n; i++) {
		const struct command_rule *rule = &rules[i];
		unsigned int p1p2 = (unsigned int)(rule->p1 << 8 | rule->p2);
		uint8_t ins = rule->ins;

		EXPECT_EQ(SW_SECURE_MESSAGING, send(self, rule->cla | 0x0c, ins, p1p2, BYTES_NONE));
		EXPECT_EQ(SW_SECURE_MESSAGING, send(self, rule->cla | 0x04, ins, p1p2, BYTES_NONE));
		EXPECT_EQ(SW_CHANNEL, send(self, rule->cla | 0x01, ins, p1p2, BYTES_NONE));
		EXPECT_EQ(SW_CHANNEL, send(self, 0x40, ins, p1p2, BYTES_NONE));
		EXPECT_EQ(SW_CLA, send(self, 0x20, ins, p1p2, BYTES_NONE));
		EXPECT_EQ(SW_CLA, send(self, 0xa0, ins, p1p2, BYTES_NONE));
		EXPECT_EQ(SW_CLA, send(self, 0xff, ins, p1p2, BYTES_NONE));
		EXPECT_EQ(SW_INS, send(self, rule->cla ^ 0x80, ins, p1p2, BYTES_NONE));
	}
}

static bool p1p2_is_known(const struct command_rule *rules, size_t n, uint8_t cla, uint8_t ins,
			  unsigned int p1p2)
{
	for (size_t i = 0; i < n; i++) {
		if (rules[i].cla == cla && rules[i].ins == ins && rules[i].p1 == p1p2 >> 8 &&
		    rules[i].p2 <= (p1p2 & 0xff) && (p1p2 & 0xff) <= rules[i].p2_last)
			return true;
	}
	return false;
}

TEST_F(card, every_command_refuses_other_parameters)
{
	size_t n;
	const struct command_rule *rules = command_rules(&n);

	for (size_t i = 0; i < n; i++) {
		for (unsigned int p = 0; p < 0x10000; p += p % 0x100 == 0xff || p % 7 ? 1 : 3) {
			uint8_t command[4] = { rules[i].cla, rules[i].ins, (uint8_t)(p >> 8), (uint8_t)p };

			if (p1p2_is_known(rules, n, rules[i].cla, rules[i].ins, p))
				continue;
			if (tray_raw(&self->tray, BYTES_OF(command)) != SW_P1P2) {
				TEST_FAIL("%s %04x: %04x", rules[i].name, p, self->tray.sw);
				break;
			}
		}
	}
}

TEST_F(card, data_where_none_belongs_is_a_length_error)
{
	size_t n;
	const struct command_rule *rules = command_rules(&n);

	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	for (size_t i = 0; i < n; i++) {
		if (rules[i].data == DATA_NONE)
			EXPECT_EQ(SW_LENGTH, send(self, rules[i].cla, rules[i].ins,
						  (unsigned int)(rules[i].p1 << 8 | rules[i].p2),
						  BYTES("x", 1)));
	}
}

/* Where data belongs, garbage and no data at all are malformed, before anything else is judged. */
TEST_F(card, malformed_data_is_refused_by_every_command_that_takes_data)
{
	static const uint8_t long_form[] = { 0x80, 0x81, 0x01, 0x01 };
	static const uint8_t indefinite[] = { 0x80, 0x80, 0x01, 0x00, 0x00 };
	size_t n;
	const struct command_rule *rules = command_rules(&n);

	for (size_t i = 0; i < n; i++) {
		const struct command_rule *rule = &rules[i];
		unsigned int p1p2 = (unsigned int)(rule->p1 << 8 | rule->p2);

		if (rule->data == DATA_NONE || rule->ins == INS_SELECT || rule->ins == INS_VERIFY ||
		    rule->ins == INS_PSO)
			continue;
		if (rule->ins != INS_PUT_DATA)
			EXPECT_EQ(SW_DATA, send(self, rule->cla, rule->ins, p1p2, BYTES_NONE));
		EXPECT_EQ(SW_DATA, send(self, rule->cla, rule->ins, p1p2, BYTES("\x80", 1)));
		EXPECT_EQ(SW_DATA, send(self, rule->cla, rule->ins, p1p2, BYTES_OF(long_form)));
		EXPECT_EQ(SW_DATA, send(self, rule->cla, rule->ins, p1p2, BYTES_OF(indefinite)));
	}
	EXPECT_EQ(APP_PIN_TRIES, self->tray.card->state->pin.tries);
	EXPECT_EQ(APP_PUK_TRIES, self->tray.card->state->puk.tries);
}

/* [7816-3 10.3.3]: with T=0 such an INS cannot be told from a procedure byte. */
TEST(every_instruction_can_be_carried_by_t0)
{
	size_t n;
	const struct command_rule *rules = command_rules(&n);

	for (size_t i = 0; i < n; i++) {
		if ((rules[i].ins & 0xf0) == 0x60 || (rules[i].ins & 0xf0) == 0x90)
			TEST_FAIL("%s: INS %02x", rules[i].name, rules[i].ins);
	}
}

TEST_F(card, a_command_of_no_case_is_a_length_error)
{
	static const uint8_t commands[][9] = {
		{ 0x00, 0xca, 0x01 },
		{ 0x00, 0xca, 0x01, 0x00, 0x00, 0x01 },
		{ 0x00, 0x20, 0x00, 0x81, 0x05, 0x31 },
	};

	EXPECT_EQ(SW_LENGTH, tray_raw(&self->tray, BYTES_NONE));
	EXPECT_EQ(SW_LENGTH, tray_raw(&self->tray, BYTES(commands[0], 3)));
	EXPECT_EQ(SW_LENGTH, tray_raw(&self->tray, BYTES(commands[1], 6)));
	EXPECT_EQ(SW_LENGTH, tray_raw(&self->tray, BYTES(commands[2], 6)));
}

/* --- chaining and paging --- */

static uint16_t part(struct fixture_card *self, uint8_t cla, unsigned int p2, const char *text)
{
	uint8_t buf[64];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_u8(&p, cla);
	pack_u8(&p, INS_VERIFY);
	pack_be16(&p, (uint16_t)p2);
	pack_u8(&p, (uint8_t)strlen(text));
	pack_bytes(&p, BYTES(text, strlen(text)));
	return tray_raw(&self->tray, pack_done(&p));
}

TEST_F(card, a_chain_is_one_command)
{
	EXPECT_EQ(SW_OK, part(self, 0x10, 0x81, "12"));
	EXPECT_EQ(SW_OK, part(self, 0x10, 0x81, "34"));
	EXPECT_FALSE(self->tray.card->pin_verified);
	EXPECT_EQ(SW_OK, part(self, 0x00, 0x81, "56"));
	EXPECT_TRUE(self->tray.card->pin_verified);
}

TEST_F(card, another_command_ends_a_chain)
{
	EXPECT_EQ(SW_OK, part(self, 0x10, 0x81, "123"));
	EXPECT_EQ(SW_OK, send(self, 0x00, INS_GET_DATA, 0x0102, BYTES_NONE));
	EXPECT_EQ(SW_TRIES | 2, part(self, 0x00, 0x81, "456"));
}

TEST_F(card, a_chain_longer_than_the_page_allows_is_dropped)
{
	static uint8_t chunk[7 + 4096] = { 0x90, INS_PROCESS, 0x01, 0x01, 0x00, 0x10, 0x00 };

	EXPECT_EQ(SW_OK, tray_raw(&self->tray, BYTES_OF(chunk)));
	EXPECT_EQ(SW_OK, tray_raw(&self->tray, BYTES_OF(chunk)));
	EXPECT_EQ(SW_LENGTH, tray_raw(&self->tray, BYTES_OF(chunk)));
	EXPECT_EQ(0u, self->tray.card->chain.data.n);
	EXPECT_FALSE(self->tray.card->chain.open);
}

static uint16_t once(struct fixture_card *self, struct bytes apdu, struct packer *out)
{
	struct bytes sw;

	*out = pack_begin(self->tray.data, sizeof(self->tray.data));
	if (card_process(self->tray.card, apdu, out) < 0)
		return 0;
	sw = bytes_slice(pack_done(out), out->n - 2, 2);
	return (uint16_t)(sw.p[0] << 8 | sw.p[1]);
}

TEST_F(card, a_long_response_comes_in_pages)
{
	static const uint8_t device_cert[] = { 0x00, 0xca, 0x01, 0x01, 0x80 };
	static const uint8_t no_le[] = { 0x00, 0xca, 0x01, 0x01 };
	static const uint8_t more[] = { 0x00, 0xc0, 0x00, 0x00, 0x00 };
	static const uint8_t more_no_le[] = { 0x00, 0xc0, 0x00, 0x00 };
	size_t whole = blob_bytes(self->tray.card->state->device_cert).n;
	struct packer p;

	ASSERT_GT(whole, 384u);
	EXPECT_EQ(0x6100 | (whole - 128 < 256 ? whole - 128 : 0), once(self, BYTES_OF(device_cert), &p));
	EXPECT_EQ(130u, p.n);
	EXPECT_EQ(SW_LENGTH, once(self, BYTES_OF(more_no_le), &p));
	EXPECT_EQ(0x6100 | (whole - 384), once(self, BYTES_OF(more), &p));
	EXPECT_EQ(SW_OK, once(self, BYTES_OF(more), &p));
	EXPECT_EQ(whole - 384 + 2, p.n);
	EXPECT_EQ(SW_CONDITIONS, once(self, BYTES_OF(more), &p));

	EXPECT_EQ(0x6100, once(self, BYTES_OF(no_le), &p));
	EXPECT_EQ(2u, p.n);
	EXPECT_EQ(SW_INS, send(self, 0x00, 0xb0, 0, BYTES_NONE));	/* drops the rest */
	EXPECT_EQ(SW_CONDITIONS, once(self, BYTES_OF(more), &p));
}

TEST_F(card, command_and_response_buffers_are_empty_afterwards)
{
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_TRUE(bytes_are_zero(BYTES(self->tray.card->chain.data.p, APP_DATA_MAX)));
	ASSERT_EQ(SW_OK, send(self, 0x00, INS_GET_DATA, 0x0101, BYTES_NONE));
	EXPECT_TRUE(bytes_are_zero(BYTES(self->tray.card->reply.data.p, APP_DATA_MAX)));
}

/* --- every command with a key of every purpose --- */

struct try_key {
	struct tray *tray;
	enum kf_key_type type;
	enum kf_purpose purpose;
};

enum { KEY_AT = 3, EMPTY_AT = 4, OTHER_AT = 5 };

static bool is_rsa(const struct try_key *t)
{
	return key_type_is_rsa(t->type);
}

static uint16_t mse(const struct try_key *t, unsigned int p2, enum algorithm alg)
{
	const uint8_t data[] = { 0x80, 0x01, (uint8_t)alg, 0x84, 0x01, KEY_AT };

	return tray_send(t->tray, 0x00, INS_MSE, 0x4100 | p2, BYTES_OF(data));
}

static void want(const struct try_key *t, const char *what, uint16_t sw, uint16_t wanted)
{
	if (sw != wanted)
		TEST_FAIL("%s with a key of type %d and purpose %d: %04x, not %04x", what, t->type,
			  t->purpose, sw, wanted);
}

static uint16_t permitted(bool yes)
{
	return yes ? SW_OK : SW_CONDITIONS;
}

static void try_mse(const struct try_key *t)
{
	enum kf_purpose p = t->purpose;
	enum algorithm sign = is_rsa(t) ? ALG_PKCS1_SHA256 : ALG_ECDSA_SHA256;

	want(t, "mse, sign", mse(t, 0xb6, sign), permitted(p == KF_PURPOSE_SIGN));
	want(t, "mse, decipher", mse(t, 0xb8, ALG_OAEP_SHA256),
	     p == KF_PURPOSE_DECRYPT && !is_rsa(t) ? SW_DATA : permitted(p == KF_PURPOSE_DECRYPT));
	want(t, "mse, agree", mse(t, 0xa6, ALG_ECDH),
	     p == KF_PURPOSE_DERIVE && is_rsa(t) ? SW_DATA : permitted(p == KF_PURPOSE_DERIVE));
	/* whatever the purpose, a template takes its own algorithms only */
	want(t, "mse, sign by decryption", mse(t, 0xb6, ALG_RSAES_PKCS1), SW_DATA);
	want(t, "mse, decipher by signing", mse(t, 0xb8, ALG_PKCS1_SHA256), SW_DATA);
	want(t, "mse, agree by decryption", mse(t, 0xa6, ALG_RSAES_PKCS1), SW_DATA);
}

/* As if a selection had survived: PSO has to judge by itself. */
static uint16_t pso(const struct try_key *t, enum algorithm alg, unsigned int p1p2,
		    struct bytes data)
{
	t->tray->card->selection = (struct selection){ alg, KEY_AT };
	return tray_send(t->tray, 0x00, INS_PSO, p1p2, data);
}

static void try_pso(const struct try_key *t)
{
	static const uint8_t hash[32] = { 1 };
	uint8_t cryptogram[1 + 256] = { 0x00, 0x01 }, point[5 + 2 + 65] = { 0xa6, 0x46, 0x7f, 0x49, 0x43,
									  0x86, 0x41, 0x04 };
	enum kf_purpose p = t->purpose;
	enum algorithm sign = is_rsa(t) ? ALG_PSS_SHA256 : ALG_ECDSA_SHA256;

	want(t, "pso, sign", pso(t, sign, 0x9e9a, BYTES_OF(hash)), permitted(p == KF_PURPOSE_SIGN));
	/* a permitted key gets as far as the unpadding or the point, and no further */
	want(t, "pso, decipher", pso(t, ALG_RSAES_PKCS1, 0x8086, BYTES_OF(cryptogram)),
	     is_rsa(t) && p == KF_PURPOSE_DECRYPT ? SW_DATA : SW_CONDITIONS);
	want(t, "pso, agree", pso(t, ALG_ECDH, 0x8086, BYTES_OF(point)),
	     !is_rsa(t) && p == KF_PURPOSE_DERIVE ? SW_DATA : SW_CONDITIONS);
	t->tray->card->selection = (struct selection){ 0 };
	want(t, "pso, nothing selected", tray_send(t->tray, 0x00, INS_PSO, 0x9e9a, BYTES_OF(hash)),
	     SW_CONDITIONS);
}

static uint16_t offer(const struct try_key *t, uint8_t target, bool standing)
{
	uint8_t buf[64], nonce[KF_NONCE_SIZE] = { 0 };
	struct packer p = pack_begin(buf, sizeof(buf));

	tlv_put(&p, 0x80, BYTES_OF(nonce));
	tlv_put_number(&p, 0x81, target, 1);
	tlv_put_number(&p, 0x82, KF_METHOD_RSA, 1);
	tlv_put_number(&p, 0x83, KF_KEY_RSA_2048, 1);
	if (standing)
		tlv_put_number(&p, 0x84, KEY_AT, 1);
	return tray_send(t->tray, 0x80, INS_OFFER, 0, pack_done(&p));
}

static bool receives_keys(enum kf_purpose p)
{
	return p == KF_PURPOSE_EXCHANGE || p == KF_PURPOSE_KEK || p == KF_PURPOSE_SHARED;
}

static void try_offer(const struct try_key *t)
{
	want(t, "offer into it", offer(t, KEY_AT, false), permitted(!receives_keys(t->purpose)));
	want(t, "offer of it", offer(t, EMPTY_AT, true),
	     permitted(is_rsa(t) && t->purpose == KF_PURPOSE_EXCHANGE));
}

/* An item that names the key rightly, under an offer from before the key came into its place. */
static void try_item_of(const struct try_key *t, enum kf_function function, const char *what)
{
	static const uint8_t secret[32] = { 4 };
	static struct sealing s;
	struct container held = t->tray->card->state->containers[KEY_AT];

	t->tray->card->state->containers[KEY_AT] = (struct container){ 0 };
	sealing_offer(&s, t->tray, KEY_AT, 0xff);
	t->tray->card->state->containers[KEY_AT] = held;
	sealing_take_key(&s, TRAY_P384, KF_PURPOSE_SIGN);
	if (function == KF_FUNCTION_IMPORT_SECRET)
		sealing_take_secret(&s, KF_KEY_AES_256, BYTES_OF(secret));
	s.body.replaces.present = true;
	memcpy(s.body.replaces.digest, card_key_hash(held.key), KF_DIGEST_SIZE);
	sealing_seal(&s);
	ASSERT_EQ(SW_OK, sealing_import(&s, t->tray));
	want(t, what, sealing_process_as(&s, t->tray, function),
	     permitted(!receives_keys(t->purpose)));
	(void)tray_send(t->tray, 0x80, INS_DESTROY_SESSION, s.session, BYTES_NONE);
	sealing_deinit(&s);
}

static void put(const struct try_key *t);

static void try_item(const struct try_key *t)
{
	try_item_of(t, KF_FUNCTION_IMPORT_KEYPAIR, "item into it");
	put(t);
	try_item_of(t, KF_FUNCTION_IMPORT_SECRET, "secret into it");
	put(t);
}

static void put_secret(const struct try_key *t)
{
	static const uint8_t key[16] = { 3 };
	struct container *c = &t->tray->card->state->containers[KEY_AT];

	state_empty_container(t->tray->card->state, KEY_AT);
	ASSERT_EQ(0, card_key_new_secret(t->type, BYTES_OF(key), &c->key));
	c->purpose = t->purpose;
	c->origin = KF_ORIGIN_INJECTED_OPEN;
}

static void put(const struct try_key *t)
{
	if (key_type_is_aes(t->type))
		put_secret(t);
	else if (t->purpose == KF_PURPOSE_KEK)
		tray_put_kek(t->tray, KEY_AT, is_rsa(t) ? TRAY_RSA : TRAY_P256, KF_HASH_SHA1, "kek");
	else
		tray_put_key(t->tray, KEY_AT, is_rsa(t) ? TRAY_RSA : TRAY_P256, t->purpose,
			     KF_ORIGIN_GENERATED, 0);
}

/* --- commands on KEKs and AES keys --- */

static uint16_t with_puk(const struct try_key *t, unsigned int what)
{
	const uint8_t data[] = { 0x80, 8, '8', '7', '6', '5', '4', '3', '2', '1' };

	return tray_send(t->tray, 0x80, INS_SET_KEK, what << 8 | KEY_AT, BYTES_OF(data));
}

static void try_kek(const struct try_key *t)
{
	uint16_t wanted = t->purpose == KF_PURPOSE_KEK ? SW_OK : SW_NO_OBJECT;

	want(t, "kek", tray_send(t->tray, 0x00, INS_GET_DATA, 0x0130 | KEY_AT, BYTES_NONE), wanted);
	want(t, "attest kek", tray_send(t->tray, 0x80, INS_ATTEST_KEK, KEY_AT, BYTES_NONE), wanted);
	want(t, "disable kek", with_puk(t, APP_KEK_SET_DISABLE), wanted);
	want(t, "enable kek", with_puk(t, APP_KEK_SET_ENABLE), wanted);
	want(t, "delete", t->purpose == KF_PURPOSE_KEK ?
	     tray_send(t->tray, 0x80, INS_DELETE, KEY_AT, BYTES_NONE) : SW_CONDITIONS, SW_CONDITIONS);
	want(t, "delete kek", with_puk(t, APP_KEK_SET_DELETE), wanted);
	put(t);
}

static uint16_t unwrap(const struct try_key *t, uint8_t kek, uint8_t target, bool replaces)
{
	const struct container *c = &t->tray->card->state->containers[target];
	uint8_t buf[512], blob[256 + 152] = { 0x01 };
	struct packer p = pack_begin(buf, sizeof(buf));

	tlv_put_number(&p, 0x80, target, 1);
	tlv_put_number(&p, 0x81, KF_KEY_EC_P256, 1);
	tlv_put_number(&p, 0x82, KF_PURPOSE_SIGN, 1);
	tlv_put_number(&p, 0x83, 0, 1);
	if (replaces)
		tlv_put(&p, 0x84, BYTES(card_key_hash(c->key), KF_DIGEST_SIZE));
	tlv_put(&p, 0x85, BYTES_OF(blob));
	return tray_send(t->tray, 0x80, INS_UNWRAP, kek, pack_done(&p));
}

/* A permitted key gets as far as opening the blob, which is none. */
static void try_unwrap(const struct try_key *t)
{
	bool kek = t->purpose == KF_PURPOSE_KEK;

	want(t, "unwrap", unwrap(t, KEY_AT, EMPTY_AT, false),
	     !kek ? SW_NO_OBJECT : is_rsa(t) ? SW_REFUSED : SW_DATA);
	tray_put_kek(t->tray, OTHER_AT, TRAY_RSA_OTHER, KF_HASH_SHA1, "other");
	want(t, "unwrap over it", unwrap(t, OTHER_AT, KEY_AT, true),
	     receives_keys(t->purpose) ? SW_CONDITIONS : SW_REFUSED);
	state_empty_container(t->tray->card->state, OTHER_AT);
}

static void try_cipher(const struct try_key *t)
{
	static const uint8_t data[] = {
		0x80, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0x81, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x83, 0 };
	bool may = key_type_is_aes(t->type) && t->purpose == KF_PURPOSE_CIPHER;
	uint8_t gcm[50] = { 0x80, 12, [14] = 0x81, 0, 0x82, 16, [34] = 0x83, 0 };

	want(t, "cipher, cbc encrypt", tray_send(t->tray, 0x80, INS_CIPHER, 0x0100 | KEY_AT,
	     BYTES(data, 36)), permitted(may));
	want(t, "cipher, cbc decrypt", tray_send(t->tray, 0x80, INS_CIPHER, 0x0200 | KEY_AT,
	     BYTES(data, 36)), permitted(may));
	want(t, "cipher, gcm encrypt", tray_send(t->tray, 0x80, INS_CIPHER, 0x0300 | KEY_AT,
	     BYTES(data + 18, 20)), permitted(may));
	want(t, "cipher, gcm decrypt", tray_send(t->tray, 0x80, INS_CIPHER, 0x0400 | KEY_AT,
	     BYTES(gcm, 36)), may ? SW_REFUSED : SW_CONDITIONS);
}

static void try_container(const struct try_key *t)
{
	static const uint8_t generate[] = { 0x80, 1, KF_KEY_EC_P256, 0x81, 1, KF_PURPOSE_SIGN, 0x82, 1, 0 };

	static const uint8_t kek[] = { 0x80, 4, 'n', 'o', 'p', 'e', 0x81, 1, KF_KEY_RSA_2048, 0x82, 1, 'k',
				       0x83, 1, KF_HASH_SHA1, 0x84, 1, KF_KEY_EC_P256, 0x85, 1,
				       KF_PURPOSE_SIGN };

	want(t, "create kek over it", tray_send(t->tray, 0x80, INS_CREATE_KEK, KEY_AT, BYTES_OF(kek)),
	     SW_CONDITIONS);
	want(t, "generate over it", tray_send(t->tray, 0x00, INS_GENERATE, 0x8000 | KEY_AT,
	     BYTES_OF(generate)), SW_CONDITIONS);
	put(t);
	want(t, "convert", tray_send(t->tray, 0x80, INS_CONVERT, KEY_AT, BYTES_NONE),
	     permitted(t->purpose == (is_rsa(t) ? KF_PURPOSE_DECRYPT : KF_PURPOSE_DERIVE)));
}

TEST_F(card, each_command_takes_keys_of_its_own_purpose_only)
{
	static const enum kf_key_type types[] = { KF_KEY_RSA_2048, KF_KEY_EC_P256, KF_KEY_AES_128 };

	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	for (int purpose = KF_PURPOSE_DEVICE; purpose <= KF_PURPOSE_CIPHER; purpose++) {
		for (size_t i = 0; i < 3; i++) {
			struct try_key t = { &self->tray, types[i], (enum kf_purpose)purpose };

			put(&t);
			/* secret keys of this card have one purpose; CIPHER judges by itself */
			if (key_type_is_aes(types[i]) && purpose != KF_PURPOSE_CIPHER) {
				try_cipher(&t);
				continue;
			}
			try_kek(&t);
			try_unwrap(&t);
			try_cipher(&t);
			try_mse(&t);
			try_pso(&t);
			try_offer(&t);
			try_item(&t);
			try_container(&t);
		}
	}
}

/* A command that is new to the table has to be thought about above. */
TEST(every_command_that_names_a_key_is_tried)
{
	static const char *const judged[] = {
		"select", "select, silent", "get response", "card information", "device cert",
		"pin information", "verify", "unverify", "change pin", "change puk", "unblock", "challenge",
		/* public parts, or gone for good: any purpose */
		"container", "get cert", "put cert",
		/* tried */
		"generate", "mse, sign", "mse, decipher", "mse, agree", "pso, sign", "pso, decipher", "offer",
		"process item", "process, secret", "convert", "delete", "kek", "create kek", "attest kek", "disable kek", "enable kek",
		"delete kek", "unwrap", "cipher, cbc encrypt", "cipher, cbc decrypt", "cipher, gcm encrypt",
		"cipher, gcm decrypt",
		/* by sid: the key is the offer's, which only OFFER can make */
		"import session, rsa", "import session, ecdh", "import session, shared",
		"import session, derived", "get receipt", "destroy session", "list pending",
		/* about PINs, whatever is in the containers */
		"process, set pin", "process, log in",
	};
	size_t n;
	const struct command_rule *rules = command_rules(&n);

	EXPECT_EQ(sizeof(judged) / sizeof(judged[0]), n);
	for (size_t i = 0; i < n; i++) {
		bool found = false;

		for (size_t j = 0; j < sizeof(judged) / sizeof(judged[0]); j++)
			found |= strcmp(judged[j], rules[i].name) == 0;
		if (!found)
			TEST_FAIL("%s: no test of purposes", rules[i].name);
	}
}

/* --- the EXCHANGE key as an oracle --- */

static bool holds(struct bytes hay, struct bytes needle)
{
	return needle.n <= hay.n && memmem(hay.p, hay.n, needle.p, needle.n) != NULL;
}

/* S1 wrapped for the card: whoever has the PIN and the wrapped key tries to get it opened. */
TEST_F(card, an_exchange_key_opens_nothing_for_the_client)
{
	static struct sealing s;
	uint8_t cryptogram[1 + 256] = { 0x00 };
	struct packer w = pack_begin(cryptogram + 1, 256);
	static const enum algorithm algs[] = { ALG_RSAES_PKCS1, ALG_OAEP_SHA1, ALG_OAEP_SHA256,
					       ALG_OAEP_SHA384, ALG_OAEP_SHA512, ALG_PKCS1_SHA256 };
	struct try_key t = { &self->tray, KF_KEY_RSA_2048, KF_PURPOSE_EXCHANGE };

	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	put(&t);
	sealing_offer(&s, &self->tray, EMPTY_AT, KEY_AT);
	ASSERT_EQ(0, session_key_wrap(tray_key(TRAY_RSA), s.h, &s.s1, &w));
	for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
		EXPECT_NE(SW_OK, mse(&t, 0xb8, algs[i]));
		EXPECT_NE(SW_OK, mse(&t, 0xb6, algs[i]));
		EXPECT_EQ(SW_CONDITIONS, pso(&t, algs[i], 0x8086, BYTES_OF(cryptogram)));
		EXPECT_EQ(0u, self->tray.n);
	}
	ASSERT_EQ(SW_OK, sealing_import(&s, &self->tray));
	EXPECT_FALSE(holds(tray_data(&self->tray), secret_bytes(&s.s1)));
	EXPECT_EQ(SW_CONDITIONS, tray_send(&self->tray, 0x00, INS_GENERATE, 0x8000 | KEY_AT,
		  BYTES("\x80\1\1\x81\1\6\x82\1\0", 9)));
	sealing_deinit(&s);
}

/* A DECRYPT key selected, then converted: the selection must not reach the EXCHANGE key. */
TEST_F(card, a_selection_does_not_survive_conversion)
{
	uint8_t cryptogram[1 + 256] = { 0x00 };
	struct try_key t = { &self->tray, KF_KEY_RSA_2048, KF_PURPOSE_DECRYPT };

	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	put(&t);
	ASSERT_EQ(SW_OK, mse(&t, 0xb8, ALG_OAEP_SHA256));
	ASSERT_EQ(SW_OK, tray_send(&self->tray, 0x80, INS_CONVERT, KEY_AT, BYTES_NONE));
	EXPECT_EQ(ALG_NONE, self->tray.card->selection.algorithm);
	EXPECT_EQ(SW_CONDITIONS, tray_send(&self->tray, 0x00, INS_PSO, 0x8086, BYTES_OF(cryptogram)));
}

/* Everything the card says, asked in every way the table knows. */
TEST_F(card, no_command_outputs_a_private_key_or_a_session_key)
{
	static struct sealing s;
	size_t n;
	const struct command_rule *rules = command_rules(&n);
	const struct state *state;

	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	tray_put_key(&self->tray, 0, TRAY_P384, KF_PURPOSE_SIGN, KF_ORIGIN_GENERATED, 0);
	tray_put_key(&self->tray, 1, TRAY_RSA_OTHER, KF_PURPOSE_DECRYPT, KF_ORIGIN_GENERATED, 0);
	sealing_offer(&s, &self->tray, 2, 0xff);
	ASSERT_EQ(SW_OK, sealing_import(&s, &self->tray));
	for (size_t i = 0; i < n; i++) {
		for (unsigned int p2 = rules[i].p2; p2 <= rules[i].p2_last; p2++) {
			if (rules[i].ins == INS_DELETE || rules[i].ins == INS_DESTROY_SESSION)
				continue;
			(void)tray_send(&self->tray, rules[i].cla, rules[i].ins,
					(unsigned int)rules[i].p1 << 8 | p2, BYTES_NONE);
			state = self->tray.card->state;
			EXPECT_FALSE(holds(tray_data(&self->tray), secret_bytes(&s.s1)));
			EXPECT_FALSE(holds(tray_data(&self->tray),
					   bytes_slice(card_key_private(state->containers[0].key), 8, 16)));
			/* q of the RSA key stands in the second half of its DER */
			EXPECT_FALSE(holds(tray_data(&self->tray),
					   bytes_slice(card_key_private(state->containers[1].key), 700, 16)));
		}
	}
	sealing_deinit(&s);
}
