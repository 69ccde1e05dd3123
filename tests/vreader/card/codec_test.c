/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vreader/card/codec.h"
#include "tests/harness.h"
#include "tests/vreader/card/tray.h"

/* A card with something of everything. */
FIXTURE(full)
{
	struct tray tray;
	uint8_t again[CODEC_MAX];
};

static void put_aes(struct tray *tray)
{
	static const uint8_t key[24] = { 5 };
	struct container *c = &tray->card->state->containers[14];

	ASSERT_EQ(0, card_key_new_secret(KF_KEY_AES_192, BYTES_OF(key), &c->key));
	c->purpose = KF_PURPOSE_CIPHER;
	c->origin = KF_ORIGIN_FACTORY;
}

/* What is in force goes into the memory. */
static struct bytes memory_of(struct tray *tray)
{
	struct packer p = pack_begin(tray->blob, sizeof(tray->blob));

	ASSERT_EQ(0, state_encode(tray->card->state, &p));
	tray->blob_len = p.n;
	return pack_done(&p);
}

FIXTURE_SETUP(full)
{
	static struct sealing s;

	tray_init(&self->tray, 1);
	tray_put_key(&self->tray, 1, TRAY_RSA, KF_PURPOSE_EXCHANGE, KF_ORIGIN_GENERATED, 1);
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	ASSERT_EQ(SW_OK, sealing_inject(&self->tray, 0, TRAY_P384, KF_PURPOSE_SIGN));
	ASSERT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_PUT_DATA, 0x0120, BYTES("\x30\0", 2)));
	sealing_offer(&s, &self->tray, 5, 1);
	sealing_deinit(&s);
	sealing_offer(&s, &self->tray, 6, 0xff);
	sealing_deinit(&s);
	sealing_offer_by(&s, &self->tray, 7, KF_METHOD_ECDH, KF_KEY_X25519);
	ASSERT_EQ(SW_OK, sealing_import(&s, &self->tray));
	sealing_deinit(&s);
	tray_share(&self->tray);
	sealing_offer_by(&s, &self->tray, 8, KF_METHOD_DERIVED, KF_KEY_AES_256);
	ASSERT_EQ(SW_OK, sealing_import(&s, &self->tray));
	sealing_deinit(&s);
	put_aes(&self->tray);
	tray_put_kek(&self->tray, 15, TRAY_RSA_OTHER, KF_HASH_SHA256, "https://card.example/keys/k");
	self->tray.card->state->containers[15].kek.refusals = 7;
	(void)memory_of(&self->tray);
}

FIXTURE_TEARDOWN(full)
{
	tray_deinit(&self->tray);
}

static struct bytes blob(struct fixture_full *self)
{
	return BYTES(self->tray.blob, self->tray.blob_len);
}

TEST_F(full, a_state_comes_back_as_it_was)
{
	_cleanup_(state_freep) struct state *state = NULL;
	struct packer p = pack_begin(self->again, sizeof(self->again));

	ASSERT_EQ(0, state_decode(blob(self), &state));
	EXPECT_EQ(4u, state->n_offers);
	EXPECT_TRUE(state->offers[2].opened);
	EXPECT_TRUE(state->offers[3].opened);
	EXPECT_EQ((size_t)SHARED_KEY_SIZE, blob_bytes(state_shared(state, KF_METHOD_DERIVED)).n);
	EXPECT_EQ(1u, state->n_receipts);
	EXPECT_EQ(1u, state->counter);
	EXPECT_EQ(1u, state->n_injectors);
	EXPECT_STREQ(TRAY_SERIAL, state->serial);
	/* the standing EXCHANGE key is one key again, not two */
	EXPECT_TRUE(state->offers[0].key == state->containers[1].key);
	ASSERT_EQ(0, state_encode(state, &p));
	EXPECT_BYTES_EQ(blob(self), pack_done(&p));
}

TEST_F(full, a_kek_and_an_aes_key_come_back_whole)
{
	_cleanup_(state_freep) struct state *state = NULL;
	const struct kek_rule *kek;
	const char *name = "https://card.example/keys/k";

	ASSERT_EQ(0, state_decode(blob(self), &state));
	kek = &state->containers[15].kek;
	EXPECT_BYTES_EQ(BYTES(name, strlen(name)), blob_bytes(kek->name));
	EXPECT_EQ(KF_HASH_SHA256, kek->hash);
	EXPECT_EQ(10u, kek->key_types.n);
	EXPECT_EQ(4u, kek->purposes.n);
	EXPECT_EQ(7, kek->refusals);
	EXPECT_FALSE(kek->disabled);
	EXPECT_EQ(24u, card_key_private(state->containers[14].key).n);
}

/* Version 1 had no KEKs, version 2 no offers for PINs, and else they had the same form. */
TEST_F(full, a_card_of_an_older_version_is_read)
{
	_cleanup_(state_freep) struct state *state = NULL;

	state_empty_container(self->tray.card->state, 15);
	for (size_t i = 0; i < STATE_SHARED; i++)
		self->tray.card->state->shared[i] = blob_unref(self->tray.card->state->shared[i]);
	(void)memory_of(&self->tray);
	self->tray.blob_len -= STATE_SHARED * 3;	/* two empty fields at the end, two origins */
	self->tray.blob[5] = 1;
	EXPECT_EQ(0, state_decode(blob(self), &state));
	state = state_free(state);
	self->tray.blob[5] = 2;
	EXPECT_EQ(0, state_decode(blob(self), &state));
	self->tray.blob[5] = 0;
	EXPECT_EQ(-EPROTONOSUPPORT, state_decode(blob(self), &(struct state *){ NULL }));
}

/* Until version 5 only makers had loaded SHARED keys, and nobody wrote that down. */
TEST_F(full, a_shared_key_of_an_older_version_is_the_makers)
{
	_cleanup_(state_freep) struct state *state = NULL;

	self->tray.blob_len -= STATE_SHARED;
	self->tray.blob[5] = 5;
	ASSERT_EQ(0, state_decode(blob(self), &state));
	EXPECT_EQ(KF_ORIGIN_FACTORY, state_shared_origin(state, KF_METHOD_DERIVED));
	self->tray.blob[5] = 6;
	EXPECT_EQ(-EBADMSG, state_decode(blob(self), &(struct state *){ NULL }));
}

TEST_F(full, every_truncation_is_refused)
{
	for (size_t n = 0; n < self->tray.blob_len; n += n < 64 ? 1 : 7) {
		struct state *state = NULL;

		if (state_decode(BYTES(self->tray.blob, n), &state) != -EBADMSG &&
		    n >= 6) {
			TEST_FAIL("%zu bytes decode", n);
			state_free(state);
		}
	}
	self->tray.blob[self->tray.blob_len] = 0;
	EXPECT_EQ(-EBADMSG, state_decode(BYTES(self->tray.blob, self->tray.blob_len + 1),
					 &(struct state *){ NULL }));
}

/* What decodes says again what was read: no byte is ignored. */
TEST_F(full, a_changed_byte_is_refused_or_kept)
{
	for (size_t i = 0; i < self->tray.blob_len; i += i < 512 ? 1 : 11) {
		_cleanup_(state_freep) struct state *state = NULL;
		struct packer p = pack_begin(self->again, sizeof(self->again));

		self->tray.blob[i] ^= 0x41;
		if (state_decode(blob(self), &state) == 0) {
			ASSERT_EQ(0, state_encode(state, &p));
			EXPECT_BYTES_EQ(blob(self), pack_done(&p));
		}
		self->tray.blob[i] ^= 0x41;
	}
}

/* @spoil bends a good state; encoded, it must not be one any more. */
static int decode_spoiled(struct fixture_full *self, void (*spoil)(struct state *state))
{
	_cleanup_(state_freep) struct state *state = NULL, *again = NULL;
	struct packer p = pack_begin(self->again, sizeof(self->again));

	ASSERT_EQ(0, state_decode(blob(self), &state));
	spoil(state);
	ASSERT_EQ(0, state_encode(state, &p));
	return state_decode(pack_done(&p), &again);
}

static void keep(struct state *state) { (void)state; }

static void no_device_cert(struct state *state)
{
	state->device_cert = blob_unref(state->device_cert);
}

static void no_receipt(struct state *state)
{
	state->receipts[0].der = blob_unref(state->receipts[0].der);
}

static void no_origin(struct state *state) { state->containers[0].origin = 0; }

static void curve_to_receive(struct state *state)
{
	state->offers[1].key = card_key_unref(state->offers[1].key);
	ASSERT_EQ(0, card_key_new(tray_key(TRAY_P256), &state->offers[1].key));
}

static void curve_exchange(struct state *state)
{
	struct container *c = &state->containers[0];

	c->key = card_key_unref(c->key);
	ASSERT_EQ(0, card_key_new(tray_key(TRAY_P521), &c->key));
	c->purpose = KF_PURPOSE_EXCHANGE;
}
static void next_zero(struct state *state) { state->offers[0].next = 0; }
static void next_behind_count(struct state *state) { state->offers[0].next = 3; state->offers[0].count = 2; }
static void other_method(struct state *state) { state->offers[0].method = KF_METHOD_ECDH; }
static void rsa_to_agree(struct state *state) { state->offers[2].method = KF_METHOD_RSA; }
static void short_shared(struct state *state)
{
	state->shared[0] = blob_unref(state->shared[0]);
	ASSERT_EQ(0, blob_new(BYTES("short", 5), &state->shared[0]));
}

static void shared_by_somebody(struct state *state) { state->shared_origin[0] = KF_ORIGIN_INJECTED_OPEN; }
static void six_tries(struct state *state) { state->offers[0].tries = APP_TRIES + 1; }
static void four_pin_tries(struct state *state) { state->pin.tries = APP_PIN_TRIES + 1; }
static void no_such_target(struct state *state) { state->offers[0].target = APP_CONTAINERS; }
static void empty_standing(struct state *state) { state->offers[0].standing = 9; }
static void nameless(struct state *state)
{
	state->containers[15].kek.name = blob_unref(state->containers[15].kek.name);
}

static void badly_named(struct state *state)
{
	nameless(state);
	ASSERT_EQ(0, blob_new(BYTES("a b", 3), &state->containers[15].kek.name));
}

static void no_hash(struct state *state) { state->containers[15].kek.hash = KF_HASH_NONE; }
static void unwraps_nothing(struct state *state) { state->containers[15].kek.key_types.n = 0; }
static void unwraps_des(struct state *state) { state->containers[15].kek.key_types.v[0] = KF_KEY_3DES_112; }
static void makes_keks(struct state *state) { state->containers[15].kek.purposes.v[0] = KF_PURPOSE_KEK; }
static void aes_signs(struct state *state) { state->containers[14].purpose = KF_PURPOSE_SIGN; }
static void rsa_ciphers(struct state *state) { state->containers[1].purpose = KF_PURPOSE_CIPHER; }
static void other_policy(struct state *state) { state->containers[0].policy = 2; }

TEST_F(full, what_no_card_could_have_become_is_refused)
{
	static void (*const spoils[])(struct state *state) = {
		no_device_cert, no_receipt, no_origin, curve_to_receive, curve_exchange, next_zero,
		next_behind_count, other_method, rsa_to_agree, short_shared, shared_by_somebody, six_tries, four_pin_tries, no_such_target,
		empty_standing, other_policy, nameless, badly_named, no_hash, unwraps_nothing,
		unwraps_des, makes_keks, aes_signs, rsa_ciphers,
	};

	EXPECT_EQ(0, decode_spoiled(self, keep));
	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		if (decode_spoiled(self, spoils[i]) != -EBADMSG)
			TEST_FAIL("row %zu decodes", i);
	}
	/* a counter of more than 32 bits */
	self->tray.blob[self->tray.blob_len - STATE_SHARED * (3 + SHARED_KEY_SIZE) - 5] = 1;
	EXPECT_EQ(-EBADMSG, state_decode(blob(self), &(struct state *){ NULL }));
}

TEST_F(full, a_newer_version_is_told_from_damage)
{
	struct state *state;

	self->tray.blob[5]++;
	EXPECT_EQ(-EPROTONOSUPPORT, state_decode(blob(self), &state));
	self->tray.blob[0]++;
	EXPECT_EQ(-EBADMSG, state_decode(blob(self), &state));
}

TEST(the_fullest_card_fits)
{
	/* 16 containers and 8 offers of RSA 4096, 17 certificates, 16 receipts, and change */
	EXPECT_LE(24 * (2400 + 600 + 64) + 17 * (KF_CERT_MAX + 64) + 16 * 2048 + 8 * 128 + 4096,
		  CODEC_MAX);
}
