/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces: vreader/schsm/key.c vreader/schsm/state.c vreader/schsm/codec.c vreader/schsm/hsm.c
 * Faces: vreader/schsm/command.c vreader/schsm/file.c vreader/schsm/pin.c vreader/schsm/initialize.c
 * Faces: vreader/schsm/domain.c vreader/schsm/generate.c vreader/schsm/wrap.c vreader/schsm/use.c
 * Faces: vreader/schsm/trust.c vreader/schsm/channel.c vreader/schsm/issuer.c
 * Faces: vreader/schsm/personalise.c
 */
#include "format/ossl.h"
#include "tests/harness.h"
#include "tests/vreader/schsm/rig.h"

FIXTURE(card)
{
	struct rig rig;
};

FIXTURE_SETUP(card)
{
	rig_init_ready(&self->rig);
}

FIXTURE_TEARDOWN(card)
{
	rig_deinit(&self->rig);
}

static void expect_signature(struct rig *rig, uint8_t id, EVP_PKEY *public)
{
	_cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	ASSERT_EQ(SW_OK, rig_send(rig, 0x80, HSM_SIGN, (unsigned int)id << 8 | 0x73,
				  BYTES("text", 4)));
	ASSERT_EQ(1, EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, public));
	EXPECT_EQ(1, EVP_DigestVerify(ctx, rig->data, rig->n, (const uint8_t *)"text", 4));
}

TEST_F(card, a_key_is_made_wrapped_deleted_unwrapped_and_signs_as_before)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *public = NULL;
	struct rig *rig = &self->rig;
	uint8_t blob[1024];
	size_t n;

	ASSERT_EQ(SW_OK, rig_generate_ec(rig, 1, "prime256v1", ""));
	public = rig_take_public(rig);
	expect_signature(rig, 1, public);
	ASSERT_EQ(SW_OK, rig_send(rig, 0x80, HSM_WRAP, 0x0192, BYTES_NONE));
	n = rig->n;
	memcpy(blob, rig->data, n);
	ASSERT_EQ(SW_OK, rig_delete(rig, 0xcc01));
	EXPECT_EQ(SW_NO_OBJECT, rig_send(rig, 0x80, HSM_WRAP, 0x0192, BYTES_NONE));
	ASSERT_EQ(SW_OK, rig_send(rig, 0x80, HSM_UNWRAP, 0x0793, BYTES(blob, n)));
	expect_signature(rig, 7, public);
}
