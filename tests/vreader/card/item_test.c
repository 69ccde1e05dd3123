/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/harness.h"
#include "tests/vreader/card/tray.h"

FIXTURE(card)
{
	struct tray tray;
};

FIXTURE_SETUP(card)
{
	tray_init(&self->tray, 1);
	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
}

FIXTURE_TEARDOWN(card)
{
	tray_deinit(&self->tray);
}

TEST_F(card, a_sealed_key_of_each_type_is_installed)
{
	EXPECT_EQ(SW_OK, sealing_inject(&self->tray, 0, TRAY_RSA_OTHER, KF_PURPOSE_SIGN));
	EXPECT_EQ(SW_OK, sealing_inject(&self->tray, 1, TRAY_RSA3072, KF_PURPOSE_DECRYPT));
	EXPECT_EQ(SW_OK, sealing_inject(&self->tray, 2, TRAY_RSA4096, KF_PURPOSE_SIGN));
	EXPECT_EQ(SW_OK, sealing_inject(&self->tray, 3, TRAY_P256, KF_PURPOSE_SIGN));
	EXPECT_EQ(SW_OK, sealing_inject(&self->tray, 4, TRAY_P384, KF_PURPOSE_DERIVE));
	EXPECT_EQ(SW_OK, sealing_inject(&self->tray, 5, TRAY_P521, KF_PURPOSE_SIGN));
	EXPECT_EQ(6u, self->tray.card->state->counter);
}
