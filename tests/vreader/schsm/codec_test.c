/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vreader/schsm/codec.h"

#include "tests/harness.h"
#include "tests/vreader/schsm/rig.h"

FIXTURE(codec)
{
	struct rig rig;
	uint8_t blob[HSM_CODEC_MAX];
};

/* A card with one of everything. */
FIXTURE_SETUP(codec)
{
	struct rig *rig = &self->rig;

	rig_init(rig);
	ASSERT_EQ(SW_OK, rig_initialize(rig, "92 01 02 93 02 0302 97 01 03"));
	ASSERT_EQ(SW_OK, rig_verify(rig, RIG_PIN));
	ASSERT_EQ(SW_OK, rig_send(rig, 0x80, HSM_DOMAIN, 0x0000, rig_share()));
	ASSERT_EQ(SW_OK, rig_send(rig, 0x80, HSM_DOMAIN, 0x0102, BYTES("\x01", 1)));
	ASSERT_EQ(SW_OK, rig_send(rig, 0x80, HSM_DOMAIN, 0x0002, rig_share()));
	ASSERT_EQ(SW_OK, rig_generate_rsa(rig, 1, 2048, "90 04 00000007 91 02 2033"));
	ASSERT_EQ(SW_OK, rig_generate_ec(rig, 2, "brainpoolP512r1", "92 01 02"));
	ASSERT_EQ(SW_OK, rig_send(rig, 0x00, INS_GENERATE_SECRET, 0x03b1, BYTES_NONE));
	ASSERT_EQ(SW_OK, rig_write(rig, 0xcd01, BYTES("text", 4)));
	ASSERT_EQ(SW_OK, rig_send_hex(rig, 0x00, INS_UPDATE_BINARY, 0xcf01, "54 02 0000 53 00"));
}

FIXTURE_TEARDOWN(codec)
{
	rig_deinit(&self->rig);
}

TEST_F(codec, a_state_comes_back_as_it_was)
{
	_cleanup_(hsm_state_freep) struct hsm_state *state = NULL;
	struct packer p = pack_begin(self->blob, sizeof(self->blob));
	const struct hsm_record *record;

	ASSERT_EQ(0, hsm_state_decode(BYTES(self->rig.blob, self->rig.blob_len), &state));
	ASSERT_EQ(0, hsm_state_encode(state, &p));
	EXPECT_BYTES_EQ(BYTES(self->rig.blob, self->rig.blob_len), pack_done(&p));
	EXPECT_TRUE(state->initialised);
	EXPECT_EQ(0x0001, state->options);
	EXPECT_EQ(3, state->n_pka);
	EXPECT_EQ(2, state->m_pka);
	EXPECT_EQ(3, state->n_domains);
	EXPECT_EQ(1, state->domains[0].outstanding);
	EXPECT_FALSE(state->domains[1].made);
	EXPECT_BYTES_EQ(rig_share(), hsm_domain_kek(&state->domains[2]));
	EXPECT_EQ(0u, hsm_domain_kek(&state->domains[0]).n);
	record = hsm_find_key(state, 1);
	ASSERT_NOT_NULL(record);
	EXPECT_TRUE(record->counted);
	EXPECT_EQ(7u, record->uses);
	EXPECT_TRUE(hsm_key_allows(record, 0x33));
	EXPECT_FALSE(hsm_key_allows(record, 0x92));
	record = hsm_find_key(state, 2);
	ASSERT_NOT_NULL(record);
	EXPECT_EQ(2, record->domain);
	EXPECT_FALSE(record->counted);
	EXPECT_BYTES_EQ(BYTES("text", 4), blob_bytes(hsm_find_file(state, 0xcd01)->content));
	EXPECT_NULL(hsm_find_file(state, 0xcf01)->content);
}

TEST_F(codec, a_state_that_is_cut_anywhere_is_none)
{
	for (size_t n = 0; n < self->rig.blob_len; n++) {
		struct hsm_state *state;

		EXPECT_EQ(-EBADMSG, hsm_state_decode(BYTES(self->rig.blob, n), &state));
	}
}

TEST_F(codec, bytes_behind_it_another_magic_and_another_version_are_refused)
{
	struct hsm_state *state;
	size_t n = self->rig.blob_len;

	memcpy(self->blob, self->rig.blob, n);
	EXPECT_EQ(-EBADMSG, hsm_state_decode(BYTES(self->blob, n + 1), &state));
	self->blob[4]++;
	EXPECT_EQ(-EPROTONOSUPPORT, hsm_state_decode(BYTES(self->blob, n), &state));
	self->blob[4]--;
	self->blob[0]++;
	EXPECT_EQ(-EBADMSG, hsm_state_decode(BYTES(self->blob, n), &state));
}

/* Certificates and numbers of keys are long, and each try restores every key. */
enum { MANY = 200, STRIDE = 11 };

/* Whatever comes out is in range, so nothing behind it has to look. */
TEST_F(codec, a_byte_changed_anywhere_leaves_a_state_in_range_or_none)
{
	size_t n = self->rig.blob_len;

	for (size_t i = 5; i < n; i += i < MANY ? 1 : STRIDE) {
		struct hsm_state *state = NULL;

		memcpy(self->blob, self->rig.blob, n);
		self->blob[i] ^= 0xff;
		if (hsm_state_decode(BYTES(self->blob, n), &state) < 0)
			continue;
		EXPECT_GE((uint8_t)HSM_DOMAINS_MAX, state->n_domains);
		EXPECT_GE(state->user.max, state->user.tries);
		for (size_t k = 0; k < state->n_keys; k++)
			EXPECT_TRUE(state->keys[k].domain < state->n_domains || state->keys[k].domain == 0);
		hsm_state_free(state);
	}
}
