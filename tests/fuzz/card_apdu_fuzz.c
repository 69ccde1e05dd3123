/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A personalised card and whatever a host may send it. An input is a byte of circumstances and then
 * commands, each behind two bytes of length. Besides not crashing, the card keeps its word: it
 * always answers with a status word, what it committed is what is in force, and keys that receive
 * keys stay what they are.
 */
#include "tests/keys/keys.h"
#include "vreader/card/card.h"

#include "format/ossl.h"

#include <openssl/ec.h>
#include <stdlib.h>

enum { WITH_PIN = 0x01, WITH_SESSION = 0x02, COMMANDS_MAX = 24, KEK_AT = 6 };

#define REQUIRE(claim) do { if (!(claim)) abort(); } while (0)

struct memory {
	uint8_t blob[CODEC_MAX];
	size_t len;
};

static struct memory blank, memory;
static struct card_key *rsa_key, *ec_key, *aes_key;

static int load(void *owner, struct secret *out)
{
	struct memory *m = owner;
	int r = secret_init(out, m->len);

	return r < 0 ? r : secret_set(out, BYTES(m->blob, m->len));
}

static int commit(void *owner, struct bytes blob)
{
	struct memory *m = owner;
	struct packer p = pack_begin(m->blob, sizeof(m->blob));

	pack_bytes(&p, blob);
	m->len = p.n;
	return pack_end(&p);
}

static void pause_not(void *owner, unsigned int ms)
{
	(void)owner;
	(void)ms;
}

/* Every RSA key is the same one: what matters here is what happens to it. */
static int generate(enum kf_key_type type, struct card_key **out)
{
	*out = card_key_ref(key_type_is_rsa(type) ? rsa_key : ec_key);
	return 0;
}

static void put_key(struct container *c, struct card_key *key, enum kf_purpose purpose)
{
	*c = (struct container){ .key = card_key_ref(key), .purpose = purpose,
				 .origin = KF_ORIGIN_GENERATED };
}

static struct card_key *make_key(EVP_PKEY *pkey)
{
	struct card_key *key;

	REQUIRE(pkey && card_key_new(pkey, &key) == 0);
	EVP_PKEY_free(pkey);
	return key;
}

static void put_kek(struct container *c)
{
	put_key(c, rsa_key, KF_PURPOSE_KEK);
	c->kek.hash = KF_HASH_SHA1;
	c->kek.key_types = (struct number_list){ 3, { KF_KEY_RSA_2048, KF_KEY_EC_P256, KF_KEY_AES_128 } };
	c->kek.purposes = (struct number_list){ 2, { KF_PURPOSE_SIGN, KF_PURPOSE_CIPHER } };
	REQUIRE(blob_new(BYTES("kek", 3), &c->kek.name) == 0);
}

static void fill(struct state *state)
{
	static const uint8_t cert[] = { 0x30, 0x00 };
	struct offer offer = { .sid = "sixteen bytes.", .standing = 1, .target = 5, .tries = APP_TRIES,
			       .method = KF_METHOD_RSA, .next = 1 };

	memcpy(state->serial, "FUZZ", 5);
	state->device = card_key_ref(ec_key);
	REQUIRE(blob_new(BYTES_OF(cert), &state->device_cert) == 0);
	REQUIRE(pin_set(&state->pin, BYTES("123456", 6)) == 0);
	REQUIRE(pin_set(&state->puk, BYTES("654321", 6)) == 0);
	put_key(&state->containers[0], rsa_key, KF_PURPOSE_SIGN);
	put_key(&state->containers[1], rsa_key, KF_PURPOSE_EXCHANGE);
	put_key(&state->containers[2], rsa_key, KF_PURPOSE_DECRYPT);
	put_key(&state->containers[3], ec_key, KF_PURPOSE_DERIVE);
	put_key(&state->containers[4], ec_key, KF_PURPOSE_SIGN);
	put_kek(&state->containers[KEK_AT]);
	put_key(&state->containers[7], aes_key, KF_PURPOSE_CIPHER);
	offer.key = card_key_ref(rsa_key);
	state_add_offer(state, &offer);
}

static void make_blank(void)
{
	struct state *state;
	struct packer out = pack_begin(blank.blob, sizeof(blank.blob));

	rsa_key = make_key(prepared_rsa(2048, 0));
	ec_key = make_key(EVP_EC_gen("P-256"));
	REQUIRE(card_key_new_secret(KF_KEY_AES_128, BYTES("sixteen bytes..", 16), &aes_key) == 0);
	REQUIRE(state_new(&state) == 0);
	fill(state);
	REQUIRE(state_encode(state, &out) == 0);
	blank.len = out.n;
	state_free(state);
}

static struct card *open_card(uint8_t circumstances)
{
	struct card_memory parts = { &memory, load, commit, generate, pause_not };
	struct card *card;

	memory = blank;
	REQUIRE(card_new(&parts, &card) == 0);
	card_power_on(card);
	card->selected = true;
	card->pin_verified = (circumstances & WITH_PIN) != 0;
	if (circumstances & WITH_SESSION) {
		memcpy(card->sessions[0].sid, card->state->offers[0].sid, KF_SID_SIZE);
		card->sessions[0].s1.n = KF_S1_SIZE;
	}
	return card;
}

static void send(struct card *card, struct bytes command)
{
	static uint8_t buf[VCARD_RESPONSE_MAX];
	struct packer out = pack_begin(buf, sizeof(buf));

	REQUIRE(card_process(card, command, &out) == 0);
	REQUIRE(out.n >= 2 && out.n <= APP_DATA_MAX + 2 && buf[out.n - 2] >= 0x61);
}

static void keeps_its_word(const struct card *card)
{
	static uint8_t buf[CODEC_MAX];
	struct packer out = pack_begin(buf, sizeof(buf));
	const struct container *k1 = &card->state->containers[1];
	const struct container *kek = &card->state->containers[KEK_AT];
	struct state *again;

	REQUIRE(state_encode(card->state, &out) == 0);
	REQUIRE(bytes_equal(pack_done(&out), BYTES(memory.blob, memory.len)));
	REQUIRE(state_decode(pack_done(&out), &again) == 0);
	state_free(again);
	if (k1->key && k1->purpose != KF_PURPOSE_EXCHANGE)	/* deleted first, then made anew */
		REQUIRE(k1->origin == KF_ORIGIN_GENERATED);
	/* a KEK allows for ever what it allowed at first; one made anew in its place allows what it says */
	if (kek->key && kek->purpose == KF_PURPOSE_KEK && bytes_equal(blob_bytes(kek->kek.name), BYTES("kek", 3)) &&
	    kek->kek.key_types.n == 3)
		REQUIRE(kek->kek.hash == KF_HASH_SHA1 && kek->kek.purposes.n == 2);
	REQUIRE(bytes_equal(card_key_spki(card->state->device), card_key_spki(ec_key)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct unpacker u = unpack_begin(BYTES(data, size));
	struct card *card;

	if (blank.len == 0)
		make_blank();
	card = open_card(unpack_u8(&u));
	for (int i = 0; i < COMMANDS_MAX && u.left != 0; i++) {
		size_t n = unpack_be16(&u);

		send(card, unpack_bytes(&u, n < u.left ? n : u.left));
	}
	keeps_its_word(card);
	card_free(card);
	return 0;
}
