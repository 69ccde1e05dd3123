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
	EXPECT_EQ(2u, state->n_offers);
	EXPECT_EQ(1u, state->n_receipts);
	EXPECT_EQ(1u, state->counter);
	EXPECT_EQ(1u, state->n_injectors);
	EXPECT_STREQ(TRAY_SERIAL, state->serial);
	/* the standing EXCHANGE key is one key again, not two */
	EXPECT_TRUE(state->offers[0].key == state->containers[1].key);
	ASSERT_EQ(0, state_encode(state, &p));
	EXPECT_BYTES_EQ(blob(self), pack_done(&p));
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
