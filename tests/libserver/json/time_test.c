// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libserver/json/time.h"
#include "tests/harness.h"

TEST(times_go_both_ways)
{
	static const struct { int64_t t; const char *text; } rows[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 951782399, "2000-02-28T23:59:59Z" },
		{ 1709164800, "2024-02-29T00:00:00Z" },
		{ 253402300799, "9999-12-31T23:59:59Z" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[UTC_SIZE];
		int64_t t = -1;

		EXPECT_EQ(0, utc_print(rows[i].t, text));
		EXPECT_STREQ(rows[i].text, text);
		EXPECT_EQ(0, utc_parse(text, &t));
		EXPECT_EQ(rows[i].t, t);
	}
}

TEST(what_prints_otherwise_is_no_time)
{
	static const char *const rows[] = {
		"", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z",
		"2024-01-01T24:00:00Z", "2024-01-01T00:00:60Z", "2024-01-01T00:00:00z",
		"2024-01-01 00:00:00Z", "2024-01-01T00:00:00+00:00", "2024-1-1T00:00:00Z",
		"1969-12-31T23:59:59Z", "2024-01-01T00:00: 1Z", "+024-01-01T00:00:00Z",
		"2024-01-01T00:00:00Z ",
	};
	int64_t t = 7;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (utc_parse(rows[i], &t) != -EINVAL)
			TEST_FAIL("\"%s\" is taken", rows[i]);
	EXPECT_EQ(7, t);
}

TEST(years_outside_1970_to_9999_do_not_print)
{
	char text[UTC_SIZE];

	EXPECT_EQ(-ERANGE, utc_print(-1, text));
	EXPECT_EQ(-ERANGE, utc_print(253402300800, text));
}
