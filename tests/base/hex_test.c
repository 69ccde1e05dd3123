/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/hex.h"

#include "tests/harness.h"

/* All 256 of them, by another way to say what is a digit. */
TEST(a_digit_has_its_value_and_nothing_else_is_one)
{
	static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";

	for (unsigned int c = 0; c < 256; c++) {
		const char *l = c ? strchr(lower, (char)c) : NULL, *u = c ? strchr(upper, (char)c) : NULL;
		uint32_t value = l ? (uint32_t)(l - lower) : HEX_NONE;

		EXPECT_EQ(value, hex_value((uint8_t)c, HEX_LOWER));
		EXPECT_EQ(u ? (uint32_t)(u - upper) : value, hex_value((uint8_t)c, HEX_ANY));
	}
}

TEST(two_digits_are_a_byte)
{
	uint8_t out[3] = { 0 };

	EXPECT_EQ(0, hex_read(BYTES("00fFa5", 6), HEX_ANY, out, 3));
	EXPECT_BYTES_EQ(BYTES("\x00\xff\xa5", 3), BYTES_OF(out));
	EXPECT_EQ(0, hex_read(BYTES("09abcd", 6), HEX_LOWER, out, 3));
	EXPECT_BYTES_EQ(BYTES("\x09\xab\xcd", 3), BYTES_OF(out));
	EXPECT_EQ(0, hex_read(BYTES_NONE, HEX_LOWER, out, 0));
}

TEST(bytes_are_written_in_capital_letters)
{
	char text[7] = "......";

	hex_write(BYTES("\x00\xff\xa5", 3), text);
	EXPECT_STREQ("00FFA5", text);
	hex_write(BYTES_NONE, text);
	EXPECT_STREQ("", text);
}

TEST(what_is_no_such_text_leaves_nothing)
{
	static const char *const bad[] = { "0001xx", "g00102", "000A02", "0 0102", "0x0102", "-10102" };
	uint8_t out[3];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(out, 0xee, sizeof(out));
		EXPECT_EQ(-EINVAL, hex_read(BYTES(bad[i], 6), HEX_LOWER, out, 3));
		EXPECT_TRUE(bytes_are_zero(BYTES_OF(out)));
	}
	memset(out, 0xee, sizeof(out));
	EXPECT_EQ(-EINVAL, hex_read(BYTES("00010", 5), HEX_ANY, out, 3));
	EXPECT_EQ(-EINVAL, hex_read(BYTES("00010203", 8), HEX_ANY, out, 3));
	EXPECT_EQ(-EINVAL, hex_read(BYTES_NONE, HEX_ANY, out, 3));
}
