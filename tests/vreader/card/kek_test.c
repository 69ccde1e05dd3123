/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vreader/card/kek.h"
#include "format/hash.h"
#include "format/kek_statement.h"
#include "tests/harness.h"
#include "tests/vreader/card/tray.h"
#include "vreader/card/command.h"
#include "vreader/card/tlv.h"

#define NAME "https://card.vault.localhost/keys/kek/051928341be67dcba03f0e04104d9047"

/**
 * struct wanted - data of CREATE KEK; a test spoils what it wants to
 * @extra:	a byte behind the last object
 */
struct wanted {
	const char *puk, *name;
	uint8_t type, hash;
	struct bytes key_types, purposes;
	bool extra;
};

FIXTURE(card)
{
	struct tray tray;
	struct wanted want;
};

FIXTURE_SETUP(card)
{
	static const uint8_t key_types[] = { KF_KEY_RSA_2048, KF_KEY_EC_P256, KF_KEY_AES_256 };
	static const uint8_t purposes[] = { KF_PURPOSE_SIGN, KF_PURPOSE_CIPHER };

	tray_init(&self->tray, 1);
	self->want = (struct wanted){ TRAY_PUK, NAME, KF_KEY_RSA_2048, KF_HASH_SHA1,
				      BYTES_OF(key_types), BYTES_OF(purposes), false };
}

FIXTURE_TEARDOWN(card)
{
	tray_deinit(&self->tray);
}

static uint16_t create(struct fixture_card *self, unsigned int container)
{
	const struct wanted *w = &self->want;
	uint8_t buf[512];
	struct packer p = pack_begin(buf, sizeof(buf));

	tlv_put(&p, 0x80, BYTES(w->puk, strlen(w->puk)));
	tlv_put_number(&p, 0x81, w->type, 1);
	tlv_put(&p, 0x82, BYTES(w->name, strlen(w->name)));
	tlv_put_number(&p, 0x83, w->hash, 1);
	tlv_put(&p, 0x84, w->key_types);
	tlv_put(&p, 0x85, w->purposes);
	if (w->extra)
		pack_u8(&p, 0);
	return tray_send(&self->tray, 0x80, INS_CREATE_KEK, container, pack_done(&p));
}

static uint16_t set(struct fixture_card *self, unsigned int what, unsigned int container,
		    const char *puk)
{
	uint8_t buf[64];
	struct packer p = pack_begin(buf, sizeof(buf));

	tlv_put(&p, 0x80, BYTES(puk, strlen(puk)));
	return tray_send(&self->tray, 0x80, INS_SET_KEK, what << 8 | container, pack_done(&p));
}

static uint8_t puk_tries(const struct fixture_card *self)
{
	return self->tray.card->state->puk.tries;
}

/* What a verifier would find; the signature is checked under the card's DEVICE key. */
static struct kek_statement believed(struct bytes response)
{
	struct signed_statement outer;
	struct kek_statement s = { 0 };
	uint8_t hash[KF_DIGEST_SIZE];

	ASSERT_EQ(0, signed_statement_parse(response, &outer));
	ASSERT_EQ(0, ecdsa_verify(tray_key(TRAY_DEVICE), outer.statement, BYTES_NONE,
				  outer.signature));
	ASSERT_EQ(0, kek_statement_parse(outer.statement, &s));
	ASSERT_EQ(0, sha256(outer.key, hash));
	EXPECT_BYTES_EQ(BYTES_OF(s.kek), BYTES_OF(hash));
	return s;
}

TEST_F(card, a_kek_is_made_and_attested)
{
	struct kek_statement s;
	uint8_t device[KF_DIGEST_SIZE];

	ASSERT_EQ(SW_OK, create(self, 7));
	s = believed(tray_data(&self->tray));
	EXPECT_STREQ(TRAY_SERIAL, s.serial);
	EXPECT_STREQ(NAME, s.name);
	EXPECT_EQ(KF_LEVEL_VIRTUAL, s.level);
	EXPECT_EQ(KF_KEY_RSA_2048, s.kek_type);
	EXPECT_EQ(KF_ORIGIN_GENERATED, s.origin);
	EXPECT_EQ(KF_HASH_SHA1, s.hash);
	EXPECT_EQ(7u, s.container);
	EXPECT_EQ(3u, s.key_types.n);
	EXPECT_FALSE(number_list_has(&s.purposes, KF_PURPOSE_DECRYPT));
	ASSERT_EQ(0, sha256(blob_bytes(self->tray.card->state->device_cert), device));
	EXPECT_BYTES_EQ(BYTES_OF(device), BYTES_OF(s.device));

	tray_restart(&self->tray);
	ASSERT_EQ(SW_OK, tray_send(&self->tray, 0x80, INS_ATTEST_KEK, 7, BYTES_NONE));
	EXPECT_STREQ(NAME, believed(tray_data(&self->tray)).name);
	EXPECT_EQ(SW_NO_OBJECT, tray_send(&self->tray, 0x80, INS_ATTEST_KEK, 6, BYTES_NONE));
}

TEST_F(card, a_kek_describes_itself)
{
	struct unpacker u, kek;

	ASSERT_EQ(SW_OK, create(self, 2));
	ASSERT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_GET_DATA, 0x0132, BYTES_NONE));
	u = unpack_begin(tray_data(&self->tray));
	kek = unpack_begin(tlv_take(&u, 0xe5));
	EXPECT_BYTES_EQ(BYTES(NAME, strlen(NAME)), tlv_take(&kek, 0x80));
	EXPECT_EQ(KF_HASH_SHA1, tlv_take_number(&kek, 0x81, 1));
	EXPECT_BYTES_EQ(self->want.key_types, tlv_take(&kek, 0x82));
	EXPECT_BYTES_EQ(self->want.purposes, tlv_take(&kek, 0x83));
	EXPECT_EQ(1u, tlv_take_number(&kek, 0x84, 1));
	EXPECT_EQ(0, unpack_end(&kek));
	EXPECT_EQ(SW_NO_OBJECT, tray_send(&self->tray, 0x00, INS_GET_DATA, 0x0131, BYTES_NONE));
	tray_put_key(&self->tray, 1, TRAY_RSA, KF_PURPOSE_DECRYPT, KF_ORIGIN_GENERATED, 0);
	EXPECT_EQ(SW_NO_OBJECT, tray_send(&self->tray, 0x00, INS_GET_DATA, 0x0131, BYTES_NONE));
}

TEST_F(card, only_who_has_the_puk_makes_a_kek)
{
	self->want.puk = TRAY_PIN;
	EXPECT_EQ(SW_TRIES | (APP_PUK_TRIES - 1), create(self, 0));
	EXPECT_EQ(APP_PUK_TRIES - 1, puk_tries(self));
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));	/* which does not help */
	EXPECT_EQ(SW_TRIES | (APP_PUK_TRIES - 2), create(self, 0));
	EXPECT_TRUE(self->tray.card->state->containers[0].key == NULL);
	self->want.puk = TRAY_PUK;
	EXPECT_EQ(SW_OK, create(self, 0));
	EXPECT_EQ(APP_PUK_TRIES, puk_tries(self));
	for (int i = 0; i < APP_PUK_TRIES; i++)
		(void)set(self, APP_KEK_SET_DELETE, 0, "nope");
	EXPECT_EQ(SW_BLOCKED, set(self, APP_KEK_SET_DELETE, 0, TRAY_PUK));
	EXPECT_TRUE(self->tray.card->state->containers[0].key != NULL);
}

static void spoil(struct wanted *w, int what)
{
	static const uint8_t twice[] = { 4, 4 }, falling[] = { 4, 1 }, x25519[] = { 7 }, des[] = { 11 };
	static const uint8_t only_aes[] = { 8, 9 }, kek[] = { 3, 6 }, many[17] = { 1, 2, 3, 4, 5, 6 };
	static char long_name[KF_KID_MAX + 2];

	memset(long_name, 'n', KF_KID_MAX + 1);
	switch (what) {
	case 0: w->type = KF_KEY_EC_P256; break;
	case 1: w->type = KF_KEY_AES_256; break;
	case 2: w->type = 0; break;
	case 3: w->name = ""; break;
	case 4: w->name = "a name"; break;
	case 5: w->name = long_name; break;
	case 6: w->hash = 0; break;
	case 7: w->hash = 5; break;
	case 8: w->key_types = BYTES_NONE; break;
	case 9: w->key_types = BYTES_OF(twice); break;
	case 10: w->key_types = BYTES_OF(falling); break;
	case 11: w->key_types = BYTES_OF(x25519); break;
	case 12: w->key_types = BYTES_OF(des); break;
	case 13: w->key_types = BYTES_OF(many); break;
	case 14: w->key_types = BYTES_OF(only_aes); break;	/* and nothing that signs */
	case 15: w->purposes = BYTES_NONE; break;
	case 16: w->purposes = BYTES_OF(kek); break;
	case 17: w->extra = true; break;
	}
}

TEST_F(card, a_kek_that_cannot_be_costs_no_try)
{
	for (int what = 0; what <= 17; what++) {
		struct wanted good = self->want;

		spoil(&self->want, what);
		if (create(self, 0) != SW_DATA)
			TEST_FAIL("spoilt in way %d: %04x", what, self->tray.sw);
		self->want = good;
	}
	EXPECT_EQ(APP_PUK_TRIES, puk_tries(self));
	ASSERT_EQ(SW_OK, create(self, 0));
	self->want.puk = "wrong";
	EXPECT_EQ(SW_CONDITIONS, create(self, 0));	/* occupied */
	self->want.name = "HTTPS://card.vault.localhost/keys/KEK/051928341be67dcba03f0e04104d9047";
	EXPECT_EQ(SW_CONDITIONS, create(self, 1));	/* called so already, in another case */
	EXPECT_EQ(APP_PUK_TRIES, puk_tries(self));
}

TEST_F(card, a_kek_is_switched_off_and_on_and_deleted_by_the_puk_alone)
{
	const struct container *kek;

	ASSERT_EQ(SW_OK, create(self, 3));
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	EXPECT_EQ(SW_CONDITIONS, tray_send(&self->tray, 0x80, INS_DELETE, 3, BYTES_NONE));
	EXPECT_EQ(SW_NO_OBJECT, set(self, APP_KEK_SET_DISABLE, 4, TRAY_PUK));
	ASSERT_EQ(SW_OK, set(self, APP_KEK_SET_DISABLE, 3, TRAY_PUK));
	tray_restart(&self->tray);
	kek = &self->tray.card->state->containers[3];
	EXPECT_TRUE(kek->kek.disabled);
	ASSERT_EQ(SW_OK, set(self, APP_KEK_SET_DISABLE, 3, TRAY_PUK));
	ASSERT_EQ(SW_OK, set(self, APP_KEK_SET_ENABLE, 3, TRAY_PUK));
	kek = &self->tray.card->state->containers[3];
	EXPECT_FALSE(kek->kek.disabled);
	EXPECT_EQ(SW_P1P2, tray_send(&self->tray, 0x80, INS_SET_KEK, 0x0303, BYTES_NONE));
	ASSERT_EQ(SW_OK, set(self, APP_KEK_SET_DELETE, 3, TRAY_PUK));
	EXPECT_TRUE(self->tray.card->state->containers[3].key == NULL);
	EXPECT_EQ(SW_OK, create(self, 3));	/* the name is free again */
}

TEST_F(card, who_has_the_puk_forgives_the_refusals_by_enabling)
{
	static const struct { uint8_t what, puk_is_right, left; } rows[] = {
		{ APP_KEK_SET_DISABLE, 1, 40 }, { APP_KEK_SET_ENABLE, 0, 40 }, { APP_KEK_SET_ENABLE, 1, 0 },
	};
	struct container *kek;

	ASSERT_EQ(SW_OK, create(self, 3));
	self->tray.card->state->containers[3].kek.refusals = 40;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)set(self, rows[i].what, 3, rows[i].puk_is_right ? TRAY_PUK : "00000000");
		kek = &self->tray.card->state->containers[3];
		EXPECT_EQ(rows[i].left, kek->kek.refusals);
	}
	kek->kek.refusals = 7;
	EXPECT_EQ(SW_OK, set(self, APP_KEK_SET_ENABLE, 3, TRAY_PUK));	/* enabled already */
	EXPECT_EQ(0, self->tray.card->state->containers[3].kek.refusals);
}

TEST_F(card, a_cut_of_the_power_leaves_a_kek_whole_or_not_there)
{
	/* 1: the try; 2: given back; 3: the key */
	for (unsigned int commit = 1; commit <= 3; commit++) {
		tray_fail_at(&self->tray, commit, -ENOSPC);
		EXPECT_EQ(SW_MEMORY, create(self, 0));
		tray_restart(&self->tray);
		EXPECT_TRUE(self->tray.card->state->containers[0].key == NULL);
	}
	EXPECT_EQ(SW_OK, create(self, 0));
}

TEST_F(card, the_card_says_what_its_keks_can_be)
{
	struct unpacker u, info;

	ASSERT_EQ(SW_OK, tray_send(&self->tray, 0x00, INS_GET_DATA, 0x0100, BYTES_NONE));
	u = unpack_begin(tray_data(&self->tray));
	info = unpack_begin(tlv_take(&u, 0xe1));
	for (unsigned int tag = 0x80; tag <= 0x8e; tag++)
		(void)tlv_take(&info, tag);
	EXPECT_BYTES_EQ(kek_key_types(), tlv_take(&info, 0x8f));
	EXPECT_BYTES_EQ(kek_hashes(), tlv_take(&info, 0x90));
	(void)tlv_take(&info, 0x91);
	(void)tlv_take(&info, 0x92);
	EXPECT_EQ(0, unpack_end(&info));
}
