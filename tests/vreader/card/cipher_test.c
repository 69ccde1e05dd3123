/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/aes.h"
#include "tests/harness.h"
#include "tests/vreader/card/tray.h"
#include "vreader/card/command.h"
#include "vreader/card/tlv.h"

enum { AT = 4 };

static const uint8_t key[32] = { 0x60, 0x3d, 0xeb, 0x10 };

FIXTURE(card)
{
	struct tray tray;
	uint8_t data[8192];
	struct packer p;
};

static void put_key(struct fixture_card *self, size_t len, uint8_t policy)
{
	struct container *c = &self->tray.card->state->containers[AT];

	state_empty_container(self->tray.card->state, AT);
	ASSERT_EQ(0, card_key_new_secret((enum kf_key_type)(KF_KEY_AES_128 + (len - 16) / 8),
					 BYTES(key, len), &c->key));
	c->purpose = KF_PURPOSE_CIPHER;
	c->origin = KF_ORIGIN_INJECTED_OPEN;
	c->policy = policy;
}

FIXTURE_SETUP(card)
{
	tray_init(&self->tray, 1);
	put_key(self, 32, 0);
	self->p = pack_begin(self->data, sizeof(self->data));
}

FIXTURE_TEARDOWN(card)
{
	tray_deinit(&self->tray);
}

static uint16_t run(struct fixture_card *self, enum app_cipher how)
{
	uint16_t sw = tray_send(&self->tray, 0x80, INS_CIPHER, (unsigned int)how << 8 | AT,
				pack_done(&self->p));

	self->p = pack_begin(self->data, sizeof(self->data));
	return sw;
}

TEST_F(card, cbc_is_what_it_is_outside)
{
	static const uint8_t iv[16] = { 1 }, text[48] = { 2 };
	uint8_t wanted[48];

	for (size_t len = 16; len <= 32; len += 8) {
		struct packer w = pack_begin(wanted, sizeof(wanted));

		put_key(self, len, 0);
		ASSERT_EQ(0, aes_cbc(BYTES(key, len), true, BYTES_OF(iv), BYTES_OF(text), &w));
		tlv_put(&self->p, 0x80, BYTES_OF(iv));
		tlv_put(&self->p, 0x81, BYTES_OF(text));
		ASSERT_EQ(SW_OK, run(self, APP_CBC_ENCRYPT));
		EXPECT_BYTES_EQ(BYTES_OF(wanted), tray_data(&self->tray));
		tlv_put(&self->p, 0x80, BYTES_OF(iv));
		tlv_put(&self->p, 0x81, BYTES_OF(wanted));
		ASSERT_EQ(SW_OK, run(self, APP_CBC_DECRYPT));
		EXPECT_BYTES_EQ(BYTES_OF(text), tray_data(&self->tray));
	}
}

struct sealed {
	struct bytes iv, text, tag;
};

static struct sealed gcm_encrypt(struct fixture_card *self, struct bytes text, struct bytes aad)
{
	static uint8_t kept[8192];
	struct unpacker u;
	struct sealed s;

	tlv_put(&self->p, 0x81, text);
	tlv_put(&self->p, 0x83, aad);
	ASSERT_EQ(SW_OK, run(self, APP_GCM_ENCRYPT));
	memcpy(kept, self->tray.data, self->tray.n);
	u = unpack_begin(BYTES(kept, self->tray.n));
	s.iv = tlv_take(&u, 0x80);
	s.text = tlv_take(&u, 0x81);
	s.tag = tlv_take(&u, 0x82);
	ASSERT_EQ(0, unpack_end(&u));
	return s;
}

static uint16_t gcm_decrypt(struct fixture_card *self, const struct sealed *s, struct bytes aad)
{
	tlv_put(&self->p, 0x80, s->iv);
	tlv_put(&self->p, 0x81, s->text);
	tlv_put(&self->p, 0x82, s->tag);
	tlv_put(&self->p, 0x83, aad);
	return run(self, APP_GCM_DECRYPT);
}

TEST_F(card, gcm_takes_back_what_it_gave_and_nothing_else)
{
	static const uint8_t text[] = "the quick brown fox", aad[] = "header";
	uint8_t iv[12], buf[64];
	struct packer back = pack_begin(buf, sizeof(buf));
	struct sealed s = gcm_encrypt(self, BYTES_OF(text), BYTES_OF(aad));

	ASSERT_EQ(12u, s.iv.n);
	memcpy(iv, s.iv.p, 12);
	ASSERT_EQ(0, aes_gcm_decrypt(BYTES_OF(key), s.iv, BYTES_OF(aad), s.text, s.tag, &back));
	EXPECT_BYTES_EQ(BYTES_OF(text), pack_done(&back));
	ASSERT_EQ(SW_OK, gcm_decrypt(self, &s, BYTES_OF(aad)));
	EXPECT_BYTES_EQ(BYTES_OF(text), tray_data(&self->tray));
	EXPECT_EQ(SW_REFUSED, gcm_decrypt(self, &s, BYTES(aad, 3)));
	EXPECT_EQ(0u, self->tray.n);
	/* the same again under another nonce: the card chooses it */
	s = gcm_encrypt(self, BYTES_OF(text), BYTES_OF(aad));
	EXPECT_NE(0, memcmp(iv, s.iv.p, 12));
	s = gcm_encrypt(self, BYTES_NONE, BYTES_NONE);
	EXPECT_EQ(SW_OK, gcm_decrypt(self, &s, BYTES_NONE));
}

TEST_F(card, the_longest_text_passes_and_one_more_does_not)
{
	static const uint8_t iv[16], text[KF_CIPHER_MAX + 16], aad[APP_AAD_MAX + 1];
	struct sealed s = gcm_encrypt(self, BYTES(text, KF_CIPHER_MAX), BYTES(aad, APP_AAD_MAX));

	EXPECT_EQ(KF_CIPHER_MAX, s.text.n);
	EXPECT_EQ(SW_OK, gcm_decrypt(self, &s, BYTES(aad, APP_AAD_MAX)));
	tlv_put(&self->p, 0x80, BYTES_OF(iv));
	tlv_put(&self->p, 0x81, BYTES_OF(text));
	EXPECT_EQ(SW_DATA, run(self, APP_CBC_ENCRYPT));
	tlv_put(&self->p, 0x81, BYTES(text, KF_CIPHER_MAX + 1));
	tlv_put(&self->p, 0x83, BYTES_NONE);
	EXPECT_EQ(SW_DATA, run(self, APP_GCM_ENCRYPT));
	tlv_put(&self->p, 0x81, BYTES(text, 1));
	tlv_put(&self->p, 0x83, BYTES_OF(aad));
	EXPECT_EQ(SW_DATA, run(self, APP_GCM_ENCRYPT));
}

TEST_F(card, what_is_out_of_form_is_malformed)
{
	static const uint8_t iv[16], text[32], tag[16];
	static const struct {
		enum app_cipher how;
		int iv, text, tag, aad;		/* lengths; -1: absent */
	} rows[] = {
		{ APP_CBC_ENCRYPT, 16, 15, -1, -1 }, { APP_CBC_ENCRYPT, 16, 0, -1, -1 },
		{ APP_CBC_ENCRYPT, 15, 16, -1, -1 }, { APP_CBC_ENCRYPT, -1, 16, -1, -1 },
		{ APP_CBC_ENCRYPT, 16, 16, -1, 0 },  { APP_CBC_DECRYPT, 12, 16, -1, -1 },
		{ APP_CBC_DECRYPT, 16, 16, 16, -1 }, { APP_GCM_ENCRYPT, 12, 16, -1, 0 },
		{ APP_GCM_ENCRYPT, -1, 16, -1, -1 }, { APP_GCM_DECRYPT, 16, 16, 16, 0 },
		{ APP_GCM_DECRYPT, 12, 16, 15, 0 },  { APP_GCM_DECRYPT, 12, 16, 12, 0 },
		{ APP_GCM_DECRYPT, 12, 16, -1, 0 },  { APP_GCM_DECRYPT, 12, 16, 16, -1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].iv >= 0)
			tlv_put(&self->p, 0x80, BYTES(iv, (size_t)rows[i].iv));
		if (rows[i].text >= 0)
			tlv_put(&self->p, 0x81, BYTES(text, (size_t)rows[i].text));
		if (rows[i].tag >= 0)
			tlv_put(&self->p, 0x82, BYTES(tag, (size_t)rows[i].tag));
		if (rows[i].aad >= 0)
			tlv_put(&self->p, 0x83, BYTES(text, (size_t)rows[i].aad));
		if (run(self, rows[i].how) != SW_DATA)
			TEST_FAIL("row %zu: %04x", i, self->tray.sw);
	}
	EXPECT_FALSE(self->tray.card->state->containers[AT].used);
}

TEST_F(card, a_key_asks_for_the_pin_if_its_policy_does_and_remembers_its_use)
{
	put_key(self, 16, STATE_POLICY_PIN);
	tlv_put(&self->p, 0x81, BYTES("x", 1));
	tlv_put(&self->p, 0x83, BYTES_NONE);
	EXPECT_EQ(SW_PIN_NEEDED, run(self, APP_GCM_ENCRYPT));
	EXPECT_FALSE(self->tray.card->state->containers[AT].used);
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	(void)gcm_encrypt(self, BYTES("x", 1), BYTES_NONE);
	EXPECT_TRUE(self->tray.card->state->containers[AT].used);
	state_empty_container(self->tray.card->state, AT);
	tlv_put(&self->p, 0x81, BYTES("x", 1));
	tlv_put(&self->p, 0x83, BYTES_NONE);
	EXPECT_EQ(SW_NO_OBJECT, run(self, APP_GCM_ENCRYPT));
}
