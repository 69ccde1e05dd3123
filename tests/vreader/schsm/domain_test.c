/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/harness.h"
#include "tests/vreader/schsm/rig.h"

/* [card dossier 11.2] */
#define KCV "\x63\x0d\xcd\x29\x66\xc4\x33\x66"
#define ZERO "\0\0\0\0\0\0\0\0"

FIXTURE(card)
{
	struct rig rig;
};

FIXTURE_SETUP(card)
{
	rig_init(&self->rig);
}

FIXTURE_TEARDOWN(card)
{
	rig_deinit(&self->rig);
}

static uint16_t domain(struct rig *rig, unsigned int p1p2, struct bytes data)
{
	return rig_send(rig, 0x80, HSM_DOMAIN, p1p2, data);
}

static void expect_status(struct rig *rig, unsigned int number, const char *want)
{
	EXPECT_EQ(SW_OK, domain(rig, number, BYTES_NONE));
	EXPECT_BYTES_EQ(BYTES(want, 10), rig_data(rig));
}

TEST_F(card, without_domains_the_command_is_unknown)
{
	EXPECT_EQ(SW_INS, domain(&self->rig, 0x0000, BYTES_NONE));
	ASSERT_EQ(SW_OK, rig_initialize(&self->rig, ""));
	EXPECT_EQ(SW_INS, domain(&self->rig, 0x0000, BYTES_NONE));
	EXPECT_EQ(SW_INS, domain(&self->rig, 0x0000, rig_share()));
	ASSERT_EQ(SW_OK, rig_verify(&self->rig, RIG_PIN));
	EXPECT_EQ(SW_INS, domain(&self->rig, 0x0100, BYTES("\x01", 1)));
	EXPECT_EQ(SW_INS, domain(&self->rig, 0x0300, BYTES_NONE));
	EXPECT_EQ(SW_INS, domain(&self->rig, 0x0400, BYTES_NONE));
}

TEST_F(card, one_share_is_the_dkek_and_no_pin_is_asked_for)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(SW_OK, rig_initialize(rig, "92 01 01"));
	expect_status(rig, 0, "\x01\x01" ZERO);
	EXPECT_EQ(SW_OK, domain(rig, 0x0000, rig_share()));
	EXPECT_BYTES_EQ(BYTES("\x01\x00" KCV, 10), rig_data(rig));
	rig_restart(rig);
	expect_status(rig, 0, "\x01\x00" KCV);
	EXPECT_EQ(SW_CONDITIONS, domain(rig, 0x0000, rig_share()));	/* none is outstanding */
	expect_status(rig, 0, "\x01\x00" KCV);
}

TEST_F(card, the_dkek_is_the_xor_of_its_shares_and_unknown_before_the_last)
{
	struct rig *rig = &self->rig;
	uint8_t first[32], second[32];

	for (size_t i = 0; i < 32; i++) {
		first[i] = (uint8_t)(0xa5 + 3 * i);
		second[i] = (uint8_t)(first[i] ^ i);
	}
	ASSERT_EQ(SW_OK, rig_initialize(rig, "92 01 02"));
	EXPECT_EQ(SW_OK, domain(rig, 0x0000, BYTES_OF(first)));
	EXPECT_BYTES_EQ(BYTES("\x02\x01" ZERO, 10), rig_data(rig));
	rig_restart(rig);
	EXPECT_EQ(SW_OK, domain(rig, 0x0000, BYTES_OF(second)));
	EXPECT_BYTES_EQ(BYTES("\x02\x00" KCV, 10), rig_data(rig));
}

TEST_F(card, a_share_has_32_bytes)
{
	struct rig *rig = &self->rig;
	static const uint8_t share[33];

	ASSERT_EQ(SW_OK, rig_initialize(rig, "92 01 01"));
	for (size_t n = 1; n <= 33; n++) {
		if (n != 32)
			EXPECT_EQ(SW_LENGTH, domain(rig, 0x0000, BYTES(share, n)));
	}
	expect_status(rig, 0, "\x01\x01" ZERO);
}

TEST_F(card, of_no_shares_the_card_makes_a_dkek_of_its_own)
{
	struct rig *rig = &self->rig;
	uint8_t kcv[8];

	ASSERT_EQ(SW_OK, rig_initialize(rig, "92 01 00"));
	EXPECT_EQ(SW_OK, domain(rig, 0x0000, BYTES_NONE));
	EXPECT_EQ(0, rig->data[0]);
	EXPECT_EQ(0, rig->data[1]);
	memcpy(kcv, rig->data + 2, 8);
	EXPECT_BYTES_NE(BYTES(ZERO, 8), BYTES_OF(kcv));
	EXPECT_EQ(SW_CONDITIONS, domain(rig, 0x0000, rig_share()));
	ASSERT_EQ(SW_OK, rig_verify(rig, RIG_PIN));
	EXPECT_EQ(SW_CONDITIONS, domain(rig, 0x0400, BYTES_NONE));	/* nobody could give it back */
	ASSERT_EQ(SW_OK, rig_initialize(rig, "92 01 00"));
	EXPECT_EQ(SW_OK, domain(rig, 0x0000, BYTES_NONE));
	EXPECT_BYTES_NE(BYTES_OF(kcv), BYTES(rig->data + 2, 8));
}

TEST_F(card, domains_are_unused_made_and_deleted)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(SW_OK, rig_initialize(rig, "97 01 03"));
	EXPECT_EQ(SW_NO_OBJECT, domain(rig, 0x0000, BYTES_NONE));
	EXPECT_EQ(SW_NO_OBJECT, domain(rig, 0x0002, rig_share()));
	EXPECT_EQ(SW_P1P2, domain(rig, 0x0003, BYTES_NONE));
	EXPECT_EQ(SW_PIN_NEEDED, domain(rig, 0x0102, BYTES("\x01", 1)));
	ASSERT_EQ(SW_OK, rig_verify(rig, RIG_PIN));
	EXPECT_EQ(SW_DATA, domain(rig, 0x0102, BYTES("\x00", 1)));
	EXPECT_EQ(SW_LENGTH, domain(rig, 0x0102, BYTES("\x01\x01", 2)));
	EXPECT_EQ(SW_P1P2, domain(rig, 0x0103, BYTES("\x01", 1)));
	EXPECT_EQ(SW_NO_OBJECT, domain(rig, 0x0302, BYTES_NONE));
	EXPECT_EQ(SW_NO_OBJECT, domain(rig, 0x0402, BYTES_NONE));
	EXPECT_EQ(SW_OK, domain(rig, 0x0102, BYTES("\x01", 1)));
	EXPECT_BYTES_EQ(BYTES("\x01\x01" ZERO, 10), rig_data(rig));
	EXPECT_EQ(SW_EXISTS, domain(rig, 0x0102, BYTES("\x02", 1)));
	EXPECT_EQ(SW_OK, domain(rig, 0x0002, rig_share()));
	expect_status(rig, 2, "\x01\x00" KCV);
	EXPECT_EQ(SW_OK, domain(rig, 0x0302, BYTES_NONE));
	EXPECT_EQ(SW_NO_OBJECT, domain(rig, 0x0002, BYTES_NONE));
	EXPECT_EQ(SW_NO_FUNCTION, domain(rig, 0x0200, BYTES("\x01", 1)));	/* of XKEK */
}

TEST_F(card, a_domain_with_a_key_in_it_is_not_deleted)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(SW_OK, rig_initialize(rig, "97 01 03"));
	ASSERT_EQ(SW_OK, rig_verify(rig, RIG_PIN));
	ASSERT_EQ(SW_OK, domain(rig, 0x0102, BYTES("\x01", 1)));
	ASSERT_EQ(SW_OK, domain(rig, 0x0002, rig_share()));
	ASSERT_EQ(SW_OK, rig_generate_ec(rig, 1, "prime256v1", "92 01 02"));
	EXPECT_EQ(SW_EXISTS, domain(rig, 0x0302, BYTES_NONE));
	expect_status(rig, 2, "\x01\x00" KCV);
	EXPECT_EQ(SW_OK, domain(rig, 0x0402, BYTES_NONE));	/* its DKEK may go: the key stays */
	expect_status(rig, 2, "\x01\x01" ZERO);
	EXPECT_EQ(SW_CONDITIONS, rig_send(rig, 0x80, HSM_WRAP, 0x0192, BYTES_NONE));
	EXPECT_EQ(SW_OK, domain(rig, 0x0002, rig_share()));
	EXPECT_EQ(SW_OK, rig_send(rig, 0x80, HSM_WRAP, 0x0192, BYTES_NONE));
	ASSERT_EQ(SW_OK, rig_delete(rig, 0xcc01));
	EXPECT_EQ(SW_OK, domain(rig, 0x0302, BYTES_NONE));
}
