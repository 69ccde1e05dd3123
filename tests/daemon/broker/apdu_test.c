/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/apdu.h"
#include "tests/harness.h"

static int screen(uint8_t cla, uint8_t ins)
{
	uint8_t apdu[5] = { cla, ins, 0, 0, 0 }, seen = 0;
	int r = apdu_screen(BYTES_OF(apdu), &seen);

	EXPECT_EQ(ins, seen);
	return r;
}

TEST(pin_commands_are_refused_in_every_class)
{
	static const uint8_t refused[] = { 0x20, 0x21, 0x24, 0x25, 0x26, 0x28, 0x2c, 0x2d, 0xc2, 0xc3 };

	for (unsigned int cla = 0; cla < 256; cla++)
		for (size_t i = 0; i < sizeof(refused); i++)
			EXPECT_EQ(-EACCES, screen((uint8_t)cla, refused[i]));
}

TEST(other_commands_pass_except_in_the_readers_own_class)
{
	EXPECT_EQ(0, screen(0x00, 0xa4));
	EXPECT_EQ(0, screen(0x80, 0xca));
	EXPECT_EQ(0, screen(0x00, 0x22));
	EXPECT_EQ(-EACCES, screen(0xff, 0xca));
}

/* [cards 2.3 INITIALIZE DEVICE] would be a way to try SO-PINs beside the budget. */
TEST(an_so_pin_passes_neither_raw_nor_relayed)
{
	static const uint8_t last[] = { 0x80, 0x50, 0, 0, 18, 0x80, 2, 0, 1, 0x81, 2, 1, 2, 0x82, 8,
					1, 2, 3, 4, 5, 6, 7, 8 };
	static const uint8_t extended[] = { 0x80, 0x50, 0, 0, 0, 0, 10, 0x82, 8, 1, 2, 3, 4, 5, 6, 7, 8 };
	static const uint8_t longer[] = { 0x80, 0x50, 0, 0, 11, 0x82, 0x81, 8, 1, 2, 3, 4, 5, 6, 7, 8 };
	static const uint8_t longest[] = { 0x80, 0x50, 0, 0, 17, 0x81, 0x82, 0, 1, 9, 0x82, 0x82, 0, 8,
					   1, 2, 3, 4, 5, 6, 7, 8 };
	static const uint8_t update[] = { 0x80, 0x50, 0x30, 0, 8, 0x82, 8, 3, 4, 5, 6, 7, 8, 0 };
	static const uint8_t offer[] = { 0x80, 0x50, 0, 0, 9, 0x80, 1, 9, 0x81, 1, 3, 0x82, 1, 2, 0 };
	static const uint8_t memory[] = { 0x80, 0x50, 0, 0, 0 };
	uint8_t ins;

	EXPECT_EQ(-EACCES, apdu_screen(BYTES_OF(last), &ins));
	EXPECT_EQ(-EACCES, apdu_screen_relay(BYTES_OF(last), &ins));
	EXPECT_EQ(-EACCES, apdu_screen(BYTES_OF(extended), &ins));
	EXPECT_EQ(-EACCES, apdu_screen(BYTES_OF(longer), &ins));
	EXPECT_EQ(-EACCES, apdu_screen(BYTES_OF(longest), &ins));
	EXPECT_EQ(0, apdu_screen_relay(BYTES_OF(offer), &ins));
	EXPECT_EQ(0, apdu_screen(BYTES_OF(offer), &ins));
	EXPECT_EQ(0, apdu_screen(BYTES_OF(memory), &ins));
	/* A bare challenge that looks like the front of one: eight bytes hold no SO-PIN. */
	EXPECT_EQ(0, apdu_screen_relay(BYTES_OF(update), &ins));
}

static int screen_relay(uint8_t cla, uint8_t ins, uint16_t p1p2)
{
	uint8_t apdu[5] = { cla, ins, (uint8_t)(p1p2 >> 8), (uint8_t)p1p2, 0 }, seen = 0;
	int r = apdu_screen_relay(BYTES_OF(apdu), &seen);

	EXPECT_EQ(ins, seen);
	return r;
}

TEST(what_is_protected_is_relayed_whatever_it_is)
{
	static const uint8_t protected[] = { 0x04, 0x08, 0x0c, 0x0f, 0x1c, 0x84, 0x8c, 0x60, 0xe0 };

	for (size_t i = 0; i < sizeof(protected); i++)
		for (unsigned int ins = 0; ins < 256; ins++)
			EXPECT_EQ(0, screen_relay(protected[i], (uint8_t)ins, 0));
}

TEST(of_plain_commands_only_those_that_set_up_a_channel)
{
	static const uint8_t plain[] = { 0x22, 0x82, 0x84, 0x86, 0x87, 0x88, 0xa4, 0xc0, 0xca, 0xcb };
	static const uint8_t own[] = { 0x50, 0x52, 0x54, 0x56, 0x58, 0x5c, 0x82, 0x88, 0xca };

	for (unsigned int ins = 0; ins < 256; ins++) {
		bool in_plain = memchr(plain, (int)ins, sizeof(plain)) != NULL;
		bool in_own = memchr(own, (int)ins, sizeof(own)) != NULL;

		EXPECT_EQ(in_plain ? 0 : -EACCES, screen_relay(0x00, (uint8_t)ins, 0x0081));
		EXPECT_EQ(in_plain ? 0 : -EACCES, screen_relay(0x40, (uint8_t)ins, 0x0081));
		EXPECT_EQ(in_own ? 0 : -EACCES, screen_relay(0x80, (uint8_t)ins, 0x0081));
		EXPECT_EQ(-EACCES, screen_relay(0xff, (uint8_t)ins, 0x0081));
	}
	EXPECT_EQ(0, screen_relay(0x00, 0x2a, 0x00be));
	EXPECT_EQ(0, screen_relay(0x00, 0x2a, 0x00ae));
	EXPECT_EQ(-EACCES, screen_relay(0x00, 0x2a, 0x9e9a));
}

TEST(of_files_one_that_is_public_everywhere_can_be_read)
{
	for (unsigned int fid = 0; fid < 0x10000; fid++)
		EXPECT_EQ(fid == 0x2f02 ? 0 : -EACCES, screen_relay(0x00, 0xb1, (uint16_t)fid));
	EXPECT_EQ(-EACCES, screen_relay(0x80, 0xb1, 0x2f02));
	EXPECT_EQ(-EACCES, screen_relay(0x10, 0xb1, 0x2f02));
	EXPECT_EQ(-EACCES, screen_relay(0x00, 0xb0, 0x2f02));
	EXPECT_EQ(-EACCES, screen_relay(0x00, 0xd7, 0x2f02));
}

TEST(what_is_no_apdu_is_not_relayed)
{
	static uint8_t big[APDU_MAX + 1] = { 0, 0xa4 };
	uint8_t ins;

	for (size_t n = 0; n < 4; n++)
		EXPECT_EQ(-EINVAL, apdu_screen_relay(BYTES(big, n), &ins));
	EXPECT_EQ(0, apdu_screen_relay(BYTES(big, APDU_MAX), &ins));
	EXPECT_EQ(-EINVAL, apdu_screen_relay(BYTES_OF(big), &ins));
}

TEST(what_is_no_apdu_is_refused)
{
	static uint8_t big[APDU_MAX + 1] = { 0, 0xa4 };
	uint8_t ins;

	for (size_t n = 0; n < 4; n++)
		EXPECT_EQ(-EINVAL, apdu_screen(BYTES(big, n), &ins));
	EXPECT_EQ(0, apdu_screen(BYTES(big, APDU_MAX), &ins));
	EXPECT_EQ(-EINVAL, apdu_screen(BYTES_OF(big), &ins));
}
