/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/vreader/card/tray.h"

#include "format/agree.h"
#include "format/hash.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "format/pin_item.h"
#include "tests/harness.h"
#include "tests/keys/keys.h"
#include "vreader/card/kek.h"
#include "vreader/card/maker.h"
#include "vreader/card/tlv.h"

#include <openssl/ec.h>
#include <openssl/rand.h>
#include <stdlib.h>

/* --- prepared keys --- */

static EVP_PKEY *make_key(enum tray_key which)
{
	switch (which) {
	case TRAY_RSA:	     return prepared_rsa(2048, 0);
	case TRAY_RSA_OTHER: return prepared_rsa(2048, 1);
	case TRAY_RSA3072:   return prepared_rsa(3072, 0);
	case TRAY_RSA4096:   return prepared_rsa(4096, 0);
	case TRAY_P384:	     return EVP_EC_gen("P-384");
	case TRAY_P521:	     return EVP_EC_gen("P-521");
	case TRAY_P256K:     return EVP_EC_gen("secp256k1");
	case TRAY_X25519:    return EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	default:	     return EVP_EC_gen("P-256");
	}
}

EVP_PKEY *tray_key(enum tray_key which)
{
	static EVP_PKEY *keys[TRAY_KEYS];

	if (!keys[which])
		keys[which] = make_key(which);
	ASSERT_NOT_NULL(keys[which]);
	return keys[which];
}

struct bytes tray_spki(enum tray_key which)
{
	static uint8_t spki[TRAY_KEYS][SPKI_MAX];
	static size_t len[TRAY_KEYS];
	struct packer p = pack_begin(spki[which], SPKI_MAX);

	if (len[which] == 0) {
		ASSERT_EQ(0, key_spki(tray_key(which), &p));
		len[which] = p.n;
	}
	return BYTES(spki[which], len[which]);
}

static enum tray_key prepared_of_type(enum kf_key_type type)
{
	switch (type) {
	case KF_KEY_RSA_2048: return TRAY_RSA;
	case KF_KEY_RSA_3072: return TRAY_RSA3072;
	case KF_KEY_RSA_4096: return TRAY_RSA4096;
	case KF_KEY_EC_P256:  return TRAY_P256;
	case KF_KEY_EC_P384:  return TRAY_P384;
	case KF_KEY_EC_P521:  return TRAY_P521;
	case KF_KEY_X25519:   return TRAY_X25519;
	default:	      return TRAY_KEYS;
	}
}

static int prepared_generate(enum kf_key_type type, struct card_key **out)
{
	enum tray_key which = prepared_of_type(type);

	return which == TRAY_KEYS ? -EIO : card_key_new(tray_key(which), out);
}

/* --- memory --- */

static int memory_load(void *owner, struct secret *out)
{
	struct tray *tray = owner;

	if (tray->blob_len == 0)
		return -ENOENT;
	if (secret_init(out, tray->blob_len) < 0)
		return -ENOMEM;
	return secret_set(out, BYTES(tray->blob, tray->blob_len));
}

static int memory_commit(void *owner, struct bytes blob)
{
	struct tray *tray = owner;
	struct packer p = pack_begin(tray->blob, sizeof(tray->blob));

	tray->commits++;
	if (tray->fail_at != 0 && --tray->fail_at == 0)
		return tray->fail_with;
	pack_bytes(&p, blob);
	tray->blob_len = p.n;
	return pack_end(&p);
}

static void memory_pause(void *owner, unsigned int ms)
{
	struct tray *tray = owner;

	tray->paused_ms += ms;
}

static const struct card_memory memory_of_tray = {
	.load = memory_load,
	.commit = memory_commit,
	.generate = prepared_generate,
	.pause = memory_pause,
};

void tray_fail_at(struct tray *tray, unsigned int commit, int with)
{
	tray->fail_at = commit;
	tray->fail_with = with;
}

/* --- the card --- */

static void fill_identity(struct state *state, size_t n_injectors)
{
	_cleanup_(maker_freep) struct maker *maker = NULL;
	uint8_t der[KF_CERT_MAX];
	struct packer p = pack_begin(der, sizeof(der));

	memcpy(state->serial, TRAY_SERIAL, sizeof(TRAY_SERIAL));
	ASSERT_EQ(0, maker_new(&maker));
	ASSERT_EQ(0, maker_issue(maker, tray_key(TRAY_DEVICE), TRAY_SERIAL, &p));
	ASSERT_EQ(0, blob_new(pack_done(&p), &state->device_cert));
	ASSERT_EQ(0, card_key_new(tray_key(TRAY_DEVICE), &state->device));
	ASSERT_EQ(0, pin_set(&state->pin, BYTES(TRAY_PIN, strlen(TRAY_PIN))));
	ASSERT_EQ(0, pin_set(&state->puk, BYTES(TRAY_PUK, strlen(TRAY_PUK))));
	if (n_injectors != 0)
		ASSERT_EQ(0, state_add_injector(state, tray_spki(TRAY_INJECTOR)));
}

static void tray_store(struct tray *tray, const struct state *state)
{
	struct packer p = pack_begin(tray->blob, sizeof(tray->blob));

	ASSERT_EQ(0, state_encode(state, &p));
	tray->blob_len = p.n;
}

static void tray_power(struct tray *tray)
{
	static const uint8_t select[] = { 0x00, 0xa4, 0x04, 0x0c, 0x0a, 0xf0, 0x6b, 0x65,
					  0x79, 0x66, 0x65, 0x72, 0x72, 0x79, 0x01 };
	struct card_memory memory = memory_of_tray;

	memory.owner = tray;
	ASSERT_EQ(0, card_new(&memory, &tray->card));
	card_power_on(tray->card);
	ASSERT_EQ(SW_OK, tray_raw(tray, BYTES_OF(select)));
}

void tray_init(struct tray *tray, size_t n_injectors)
{
	_cleanup_(state_freep) struct state *state = NULL;

	tray->blob_len = tray->n = 0;
	tray->commits = tray->fail_at = tray->paused_ms = 0;
	ASSERT_EQ(0, state_new(&state));
	fill_identity(state, n_injectors);
	tray_store(tray, state);
	tray_power(tray);
}

void tray_deinit(struct tray *tray)
{
	tray->card = card_free(tray->card);
}

void tray_restart(struct tray *tray)
{
	tray_deinit(tray);
	tray_power(tray);
}

void tray_put_key(struct tray *tray, unsigned int container, enum tray_key which,
		  enum kf_purpose purpose, enum kf_origin origin, uint8_t policy)
{
	struct state *state = tray->card->state;
	struct container *c = &state->containers[container];

	state_empty_container(state, container);
	ASSERT_EQ(0, card_key_new(tray_key(which), &c->key));
	c->purpose = purpose;
	c->origin = origin;
	c->policy = policy;
	memset(c->exchange_id, (int)container, sizeof(c->exchange_id));
	tray_store(tray, state);
}

void tray_put_kek(struct tray *tray, unsigned int container, enum tray_key which, enum kf_hash hash,
		  const char *name)
{
	struct kek_rule *kek;
	struct bytes types = kek_key_types(), purposes = kek_purposes();

	tray_put_key(tray, container, which, KF_PURPOSE_KEK, KF_ORIGIN_GENERATED, 0);
	kek = &tray->card->state->containers[container].kek;
	kek->hash = hash;
	kek->key_types.n = types.n;
	memcpy(kek->key_types.v, types.p, types.n);
	kek->purposes.n = purposes.n;
	memcpy(kek->purposes.v, purposes.p, purposes.n);
	(void)blob_unref(kek->name);
	ASSERT_EQ(0, blob_new(BYTES(name, strlen(name)), &kek->name));
	tray_store(tray, tray->card->state);
}

static struct secret shared_of(uint8_t master, enum kf_method method)
{
	_cleanup_(secret_deinit) struct secret m = SECRET_INIT;
	struct secret key = SECRET_INIT;

	ASSERT_EQ(0, secret_init(&m, SHARED_KEY_SIZE));
	memset(m.p, master, SHARED_KEY_SIZE);
	m.n = SHARED_KEY_SIZE;
	ASSERT_EQ(0, shared_key_derive(&m, method, KF_ORIGIN_FACTORY, TRAY_SERIAL, &key));
	return key;
}

void tray_share(struct tray *tray)
{
	static const enum kf_method methods[] = { KF_METHOD_SHARED, KF_METHOD_DERIVED };

	for (size_t i = 0; i < 2; i++) {
		_cleanup_(secret_deinit) struct secret key = shared_of(TRAY_MASTER, methods[i]);

		ASSERT_EQ(0, state_set_shared(tray->card->state, methods[i], secret_bytes(&key),
					      KF_ORIGIN_FACTORY));
	}
	tray_store(tray, tray->card->state);
}

/* --- the client's hands --- */

static uint16_t take_response(struct tray *tray, const struct packer *p)
{
	struct bytes sw = bytes_slice(pack_done(p), p->n - 2, 2);

	tray->n += p->n - 2;
	tray->sw = (uint16_t)(sw.p[0] << 8 | sw.p[1]);
	return tray->sw;
}

static uint16_t exchange(struct tray *tray, struct bytes apdu)
{
	static uint8_t buf[VCARD_RESPONSE_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct packer data;

	if (card_process(tray->card, apdu, &p) < 0)
		return tray->sw = 0;
	data = (struct packer){ .p = tray->data, .cap = sizeof(tray->data), .n = tray->n };
	pack_bytes(&data, bytes_slice(pack_done(&p), 0, p.n - 2));
	return take_response(tray, &p);
}

uint16_t tray_raw(struct tray *tray, struct bytes apdu)
{
	static const uint8_t get_response[] = { 0x00, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00 };

	tray->n = 0;
	(void)exchange(tray, apdu);
	while ((tray->sw & 0xff00) == SW_MORE)
		(void)exchange(tray, BYTES_OF(get_response));
	return tray->sw;
}

uint16_t tray_send(struct tray *tray, uint8_t cla, uint8_t ins, unsigned int p1p2,
		   struct bytes data)
{
	static uint8_t buf[VCARD_COMMAND_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_u8(&p, cla);
	pack_u8(&p, ins);
	pack_be16(&p, (uint16_t)p1p2);
	pack_u8(&p, 0);
	if (data.n != 0) {
		pack_be16(&p, (uint16_t)data.n);
		pack_bytes(&p, data);
	}
	pack_be16(&p, 0);
	return tray_raw(tray, pack_done(&p));
}

uint16_t tray_verify(struct tray *tray, const char *pin)
{
	return tray_send(tray, 0x00, INS_VERIFY, 0x0081, BYTES(pin, strlen(pin)));
}

/* --- the server's hands --- */

/* s->method is set. */
static void check_statement(struct sealing *s, struct bytes response)
{
	struct signed_statement signed_statement;
	uint8_t hash[KF_DIGEST_SIZE];

	ASSERT_EQ(0, signed_statement_parse(response, &signed_statement));
	ASSERT_EQ(0, statement_parse(signed_statement.statement, &s->statement));
	ASSERT_EQ(0, statement_hash(signed_statement.statement, s->h));
	ASSERT_EQ(0, ecdsa_verify(tray_key(TRAY_DEVICE), signed_statement.statement, BYTES_NONE,
				  signed_statement.signature));
	ASSERT_EQ(0, sha256(signed_statement.key, hash));
	EXPECT_MEMEQ(hash, s->statement.exchange, sizeof(hash));
	if (method_is_shared(s->method))
		ASSERT_EQ(0, shared_info_parse(signed_statement.key, &s->shared));
}

void sealing_agree(struct sealing *s, enum tray_key which)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *ephemeral = NULL;
	uint8_t fixed[AGREE_POINT_MAX];
	struct packer f = pack_begin(fixed, sizeof(fixed)), p = pack_begin(s->input, sizeof(s->input));
	struct agree_facts facts = { .h = s->h };
	struct agreed agreed = { .s1 = &s->s1 };

	ASSERT_EQ(0, key_type_of(tray_key(which), &facts.type));
	ASSERT_EQ(0, key_generate(facts.type, &ephemeral));
	ASSERT_EQ(0, agree_point(tray_key(which), &f));
	ASSERT_EQ(0, agree_point(ephemeral, &p));
	facts.fixed = pack_done(&f);
	facts.ephemeral = pack_done(&p);
	ASSERT_EQ(0, agree_ephemeral(ephemeral, &facts, &agreed));
	pack_bytes(&p, BYTES_OF(agreed.host));
	s->input_len = p.n;
	memcpy(s->confirmation, agreed.card, sizeof(s->confirmation));
}

void sealing_derive(struct sealing *s, uint8_t master)
{
	enum kf_method method = s->method;
	_cleanup_(secret_deinit) struct secret key = shared_of(master, method);
	uint8_t id[SERVER_ID_SIZE] = { 0x1d }, ours[CHALLENGE_SIZE];
	struct packer p = pack_begin(s->input, sizeof(s->input));
	struct agreed agreed = { .s1 = &s->s1 };
	struct shared_facts facts = {
		.method = method, .h = s->h, .sid = s->statement.sid, .serial = TRAY_SERIAL,
		.server = id, .card = s->shared.challenge, .host = ours,
	};

	ASSERT_EQ(1, RAND_bytes(ours, sizeof(ours)));
	ASSERT_EQ(0, shared_establish(&key, &facts, &agreed));
	if (method == KF_METHOD_DERIVED)
		pack_bytes(&p, BYTES_OF(id));
	pack_bytes(&p, BYTES_OF(ours));
	if (method == KF_METHOD_DERIVED)
		pack_bytes(&p, BYTES_OF(agreed.host));
	s->input_len = p.n;
	memcpy(s->confirmation, agreed.card, sizeof(s->confirmation));
}

static void offer_as(struct sealing *s, struct tray *tray, uint8_t target, enum kf_method method,
		     enum kf_key_type type, uint8_t standing)
{
	uint8_t buf[64], nonce[KF_NONCE_SIZE] = { 0x4e };
	struct packer p = pack_begin(buf, sizeof(buf));

	*s = (struct sealing){ .method = method, .signer = TRAY_KEYS, .exchange = tray_key(TRAY_RSA) };
	tlv_put(&p, 0x80, BYTES_OF(nonce));
	tlv_put_number(&p, 0x81, target, 1);
	tlv_put_number(&p, 0x82, method, 1);
	tlv_put_number(&p, 0x83, type, 1);
	if (standing != 0xff)
		tlv_put_number(&p, 0x84, standing, 1);
	ASSERT_EQ(SW_OK, tray_send(tray, 0x80, INS_OFFER, 0x0000, pack_done(&p)));
	check_statement(s, tray_data(tray));
	ASSERT_EQ(0, secret_init(&s->s1, KF_S1_SIZE));
	ASSERT_EQ(0, secret_init(&s->plain, KF_ITEM_MAX));
	ASSERT_EQ(1, RAND_bytes(s->s1.p, KF_S1_SIZE));
	s->s1.n = KF_S1_SIZE;
	if (method == KF_METHOD_ECDH)
		sealing_agree(s, prepared_of_type(type));
	if (method_is_shared(method))
		sealing_derive(s, TRAY_MASTER);
}

void sealing_offer(struct sealing *s, struct tray *tray, uint8_t target, uint8_t standing)
{
	offer_as(s, tray, target, KF_METHOD_RSA, KF_KEY_RSA_2048, standing);
}

void sealing_offer_by(struct sealing *s, struct tray *tray, uint8_t target, enum kf_method method,
		      enum kf_key_type type)
{
	offer_as(s, tray, target, method, type, 0xff);
}

void sealing_deinit(struct sealing *s)
{
	secret_deinit(&s->s1);
	secret_deinit(&s->plain);
}

void sealing_take_key(struct sealing *s, enum tray_key which, enum kf_purpose purpose)
{
	const struct statement *st = &s->statement;
	struct item_body *b = &s->body;

	*b = (struct item_body){
		.suite = SUITE_AES256_CBC_CMAC,
		.method = s->method,
		.function = KF_FUNCTION_IMPORT_KEYPAIR,
		.number = 1,
		.count = 1,
		.container = st->container,
		.replaces = st->holds,
		.pin = KF_PIN_USER,
		.purpose = purpose,
		.policy = { .pin_needed = true, .not_after = 1900000000 },
		.iv = { 0x17 },
	};
	ASSERT_EQ(0, key_type_of(tray_key(which), &b->key_type));
	memcpy(b->sid, st->sid, sizeof(b->sid));
	memcpy(b->serial, st->serial, sizeof(b->serial));
	memcpy(b->exchange, st->exchange, sizeof(b->exchange));
	if (st->n_injectors != 0) {
		s->signer = TRAY_INJECTOR;
		b->sender.present = true;
		memcpy(b->sender.digest, st->injectors[0], KF_DIGEST_SIZE);
	}
	ASSERT_EQ(0, key_plain_encode(tray_key(which), &s->plain));
}

void sealing_take_secret(struct sealing *s, enum kf_key_type type, struct bytes key)
{
	sealing_take_key(s, TRAY_P256, KF_PURPOSE_CIPHER);
	s->body.function = KF_FUNCTION_IMPORT_SECRET;
	s->body.key_type = type;
	ASSERT_EQ(0, secret_set(&s->plain, key));
}

void sealing_take_order(struct sealing *s, enum kf_function function, uint32_t target,
			const struct pin_item *order)
{
	struct item_body *b = &s->body;

	sealing_take_key(s, TRAY_P256, KF_PURPOSE_SIGN);
	b->function = function;
	b->pin = target;
	b->key_type = KF_KEY_NONE;
	b->purpose = KF_PURPOSE_NONE;
	b->policy = (struct key_policy){ 0 };
	ASSERT_EQ(0, pin_item_encode(order, &s->plain));
}

uint16_t sealing_import(struct sealing *s, struct tray *tray)
{
	uint8_t wrapped[512], buf[600];
	struct packer w = pack_begin(wrapped, sizeof(wrapped)), p = pack_begin(buf, sizeof(buf));
	struct unpacker u;

	if (s->method == KF_METHOD_RSA)
		ASSERT_EQ(0, session_key_wrap(s->exchange, s->h, &s->s1, &w));
	else
		pack_bytes(&w, BYTES(s->input, s->input_len));
	tlv_put(&p, 0x80, BYTES_OF(s->statement.sid));
	tlv_put(&p, 0x81, pack_done(&w));
	if (tray_send(tray, 0x80, INS_IMPORT_SESSION, (unsigned int)s->method << 8, pack_done(&p)) != SW_OK)
		return tray->sw;
	u = unpack_begin(tray_data(tray));
	s->session = (unsigned int)tlv_take_number(&u, 0x80, 1);
	if (method_confirms(s->method))
		EXPECT_BYTES_EQ(BYTES_OF(s->confirmation), tlv_take(&u, 0x81));
	EXPECT_EQ(0, unpack_end(&u));
	return SW_OK;
}

void sealing_seal(struct sealing *s)
{
	uint8_t cipher[KF_ITEM_MAX], body[2 * KF_ITEM_MAX], mac[ITEM_MAC_SIZE], sig[ECDSA_SIG_MAX];
	struct packer c = pack_begin(cipher, sizeof(cipher)), b = pack_begin(body, sizeof(body));
	struct packer sp = pack_begin(sig, sizeof(sig));
	struct packer out = pack_begin(s->item, sizeof(s->item));
	struct item_keys keys = ITEM_KEYS_INIT;
	struct item_place claimed = { s->body.method, s->body.function, { 0 }, s->body.number };
	uint8_t mac_der[2 + ITEM_MAC_SIZE] = { 0x04, ITEM_MAC_SIZE };

	memcpy(claimed.h, s->h, sizeof(claimed.h));
	ASSERT_EQ(0, item_keys_derive(&keys, &s->s1, s->place ? s->place : &claimed));
	ASSERT_EQ(0, item_encrypt(&keys, s->body.iv, &s->plain, &c));
	s->body.ciphertext = pack_done(&c);
	item_body_pack(&b, &s->body);
	ASSERT_EQ(0, item_mac(&keys, pack_done(&b), mac));
	item_keys_deinit(&keys);
	mac[15] ^= s->mac_flip;
	memcpy(mac_der + 2, mac, sizeof(mac));
	if (s->signer != TRAY_KEYS)
		ASSERT_EQ(0, ecdsa_sign(tray_key(s->signer), pack_done(&b), BYTES_OF(mac_der), &sp));
	item_pack(&out, pack_done(&b), mac, pack_done(&sp));
	ASSERT_EQ(0, pack_end(&out));
	s->item_len = out.n;
}

uint16_t sealing_process(struct sealing *s, struct tray *tray)
{
	return tray_send(tray, 0x80, INS_PROCESS, 0x0100 | s->session, BYTES(s->item, s->item_len));
}

uint16_t sealing_process_as(struct sealing *s, struct tray *tray, enum kf_function function)
{
	return tray_send(tray, 0x80, INS_PROCESS, (unsigned int)function << 8 | s->session,
			 BYTES(s->item, s->item_len));
}

uint16_t sealing_inject(struct tray *tray, uint8_t target, enum tray_key which,
			enum kf_purpose purpose)
{
	static struct sealing s;
	uint16_t sw;

	sealing_offer(&s, tray, target, 0xff);
	sealing_take_key(&s, which, purpose);
	sealing_seal(&s);
	sw = sealing_import(&s, tray);
	if (sw == SW_OK)
		sw = sealing_process(&s, tray);
	sealing_deinit(&s);
	return sw;
}
