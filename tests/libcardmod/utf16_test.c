// SPDX-License-Identifier: LGPL-2.1-or-later
/* tests/libcardmod/utf16_test.c - Strings and multi-strings, in bytes. */
#include "libcardmod/utf16.h"
#include "tests/harness.h"

TEST(names_are_equal_in_every_character_or_not_at_all)
{
	EXPECT_TRUE(utf16_equal(u"Key Import Support", u"Key Import Support"));
	EXPECT_FALSE(utf16_equal(u"key import support", u"Key Import Support"));
	EXPECT_FALSE(utf16_equal(u"Key Import", u"Key Import Support"));
	EXPECT_FALSE(utf16_equal(u"Key Import Support ", u"Key Import Support"));
	EXPECT_FALSE(utf16_equal(NULL, u""));
	EXPECT_FALSE(utf16_equal(u"", NULL));
	EXPECT_TRUE(utf16_equal(u"", u""));
}

TEST(a_value_has_its_nul_and_is_little_endian)
{
	static const uint8_t iv[] = { 'I', 0, 'V', 0, 0, 0 };

	EXPECT_BYTES_EQ(BYTES_OF(iv), utf16_bytes(u"IV"));
	EXPECT_TRUE(utf16_value_is(BYTES_OF(iv), u"IV"));
	EXPECT_FALSE(utf16_value_is(BYTES(iv, 4), u"IV"));
	EXPECT_FALSE(utf16_value_is(BYTES(iv, 5), u"IV"));
}

TEST(a_list_of_one_has_10_bytes_and_an_empty_one_4)
{
	uint8_t buf[64];
	struct packer p = pack_begin(buf, sizeof(buf));

	utf16_multi_put(&p, u"RSA");
	utf16_multi_end(&p);
	EXPECT_EQ(10, pack_done(&p).n);
	p = pack_begin(buf, sizeof(buf));
	utf16_multi_end(&p);
	EXPECT_EQ(4, pack_done(&p).n);
}

TEST(ascii_is_widened_and_cut_to_what_fits)
{
	WCHAR out[4] = { 1, 1, 1, 1 };

	utf16_from_ascii("ab", out, 4);
	EXPECT_TRUE(utf16_equal(out, u"ab"));
	utf16_from_ascii("abcdef", out, 4);
	EXPECT_TRUE(utf16_equal(out, u"abc"));
}
