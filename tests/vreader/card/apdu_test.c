/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vreader/card/apdu.h"
#include "tests/harness.h"

/* [7816-3 12.1.3]: each case as the standard draws it. */
static const struct good {
	uint8_t bytes[16];
	size_t n, data_at, data_len, ne;
} goods[] = {
	{ { 0, 0xca, 1, 2 }, 4, 0, 0, 0 },
	{ { 0, 0xca, 1, 2, 9 }, 5, 0, 0, 9 },
	{ { 0, 0xca, 1, 2, 0 }, 5, 0, 0, 256 },
	{ { 0, 0xca, 1, 2, 2, 7, 8 }, 7, 5, 2, 0 },
	{ { 0, 0xca, 1, 2, 2, 7, 8, 0 }, 8, 5, 2, 256 },
	{ { 0, 0xca, 1, 2, 1, 7, 5 }, 7, 5, 1, 5 },
	{ { 0, 0xca, 1, 2, 0, 0, 0 }, 7, 0, 0, 65536 },
	{ { 0, 0xca, 1, 2, 0, 1, 2 }, 7, 0, 0, 258 },
	{ { 0, 0xca, 1, 2, 0, 0, 2, 7, 8 }, 9, 7, 2, 0 },
	{ { 0, 0xca, 1, 2, 0, 0, 2, 7, 8, 0, 0 }, 11, 7, 2, 65536 },
	{ { 0, 0xca, 1, 2, 0, 0, 2, 7, 8, 1, 0 }, 11, 7, 2, 256 },
};

TEST(each_case_is_told_by_its_length)
{
	for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
		struct apdu a;

		ASSERT_EQ(0, apdu_parse(BYTES(goods[i].bytes, goods[i].n), &a));
		EXPECT_EQ(0xca, a.ins);
		EXPECT_EQ(2, a.p2);
		EXPECT_EQ(goods[i].ne, a.ne);
		EXPECT_BYTES_EQ(BYTES(goods[i].bytes + goods[i].data_at, goods[i].data_len), a.data);
	}
}

TEST(what_fits_no_case_is_refused)
{
	static const struct {
		uint8_t bytes[16];
		size_t n;
	} bad[] = {
		{ { 0, 0xca, 1 }, 3 },
		{ { 0, 0xca, 1, 2, 0, 1 }, 6 },			/* half an extended length */
		{ { 0, 0xca, 1, 2, 3, 7, 8 }, 7 },		/* Lc longer than the data */
		{ { 0, 0xca, 1, 2, 1, 7, 5, 5 }, 8 },		/* something behind Le */
		{ { 0, 0xca, 1, 2, 0, 0, 0, 1 }, 8 },		/* extended Lc of zero */
		{ { 0, 0xca, 1, 2, 0, 0, 3, 7, 8 }, 9 },
		{ { 0, 0xca, 1, 2, 0, 0, 2, 7, 8, 1 }, 10 },	/* half an extended Le */
		{ { 0, 0xca, 1, 2, 0, 0, 2, 7, 8, 1, 0, 0 }, 12 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct apdu a;

		EXPECT_EQ(-EBADMSG, apdu_parse(BYTES(bad[i].bytes, bad[i].n), &a));
	}
}
