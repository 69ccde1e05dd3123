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

TEST(what_is_no_apdu_is_refused)
{
	static uint8_t big[APDU_MAX + 1] = { 0, 0xa4 };
	uint8_t ins;

	for (size_t n = 0; n < 4; n++)
		EXPECT_EQ(-EINVAL, apdu_screen(BYTES(big, n), &ins));
	EXPECT_EQ(0, apdu_screen(BYTES(big, APDU_MAX), &ins));
	EXPECT_EQ(-EINVAL, apdu_screen(BYTES_OF(big), &ins));
}
