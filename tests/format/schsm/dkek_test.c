/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The values of the card dossier, 11.2. */
#include "format/schsm/dkek.h"
#include "base/cleanup.h"
#include "tests/format/schsm/hex.h"

FIXTURE(dkek)
{
	struct dkek dkek;
	struct secret enc, mac;
	uint8_t value[DKEK_SIZE];
};

FIXTURE_SETUP(dkek)
{
	self->dkek = DKEK_INIT;
	self->enc = self->mac = SECRET_INIT;
	ASSERT_EQ(0, dkek_init(&self->dkek));
	ASSERT_EQ(0, secret_init(&self->enc, 32));
	ASSERT_EQ(0, secret_init(&self->mac, 32));
	for (uint8_t i = 0; i < DKEK_SIZE; i++)
		self->value[i] = i;
}

FIXTURE_TEARDOWN(dkek)
{
	dkek_deinit(&self->dkek);
	secret_deinit(&self->enc);
	secret_deinit(&self->mac);
}

TEST_F(dkek, check_value_and_keys_are_the_dossiers)
{
	uint8_t kcv[DKEK_KCV_SIZE];

	ASSERT_EQ(0, dkek_add_share(&self->dkek, BYTES_OF(self->value)));
	ASSERT_EQ(0, dkek_kcv(&self->dkek, kcv));
	EXPECT_HEX("630DCD2966C43366", BYTES_OF(kcv));
	ASSERT_EQ(0, dkek_keys(&self->dkek, &self->enc, &self->mac));
	EXPECT_HEX("04A6950A06D3E3308AD7D3606EF810EB124E3943404CA746A12C51C7BF776839",
		   secret_bytes(&self->enc));
	EXPECT_HEX("0F8D842AC9CB62349779A7537A78327D545AAEB33B2D42C7D1DC3680A4B23628",
		   secret_bytes(&self->mac));
}

TEST_F(dkek, shares_are_combined_in_any_order)
{
	uint8_t mask[DKEK_SIZE], rest[DKEK_SIZE], kcv[DKEK_KCV_SIZE];

	memset(mask, 0xa5, sizeof(mask));
	for (size_t i = 0; i < DKEK_SIZE; i++)
		rest[i] = self->value[i] ^ 0xa5;
	ASSERT_EQ(0, dkek_add_share(&self->dkek, BYTES_OF(rest)));
	ASSERT_EQ(0, dkek_kcv(&self->dkek, kcv));
	EXPECT_NE(0x63, kcv[0]);
	ASSERT_EQ(0, dkek_add_share(&self->dkek, BYTES_OF(mask)));
	ASSERT_EQ(0, dkek_kcv(&self->dkek, kcv));
	EXPECT_HEX("630DCD2966C43366", BYTES_OF(kcv));
}

TEST_F(dkek, a_share_of_another_length_is_refused)
{
	uint8_t longer[DKEK_SIZE + 1] = { 1 };

	EXPECT_EQ(-EINVAL, dkek_add_share(&self->dkek, BYTES(longer, DKEK_SIZE - 1)));
	EXPECT_EQ(-EINVAL, dkek_add_share(&self->dkek, BYTES(longer, DKEK_SIZE + 1)));
	EXPECT_EQ(-EINVAL, dkek_add_share(&self->dkek, BYTES_NONE));
	EXPECT_TRUE(bytes_are_zero(secret_bytes(&self->dkek.value)));
}

TEST_F(dkek, keys_that_find_no_room_are_refused)
{
	_cleanup_(secret_deinit) struct secret small = SECRET_INIT;

	ASSERT_EQ(0, secret_init(&small, 16));
	EXPECT_EQ(-EMSGSIZE, dkek_keys(&self->dkek, &self->enc, &small));
}
