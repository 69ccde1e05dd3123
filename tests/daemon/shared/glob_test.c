/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/shared/glob.h"
#include "tests/harness.h"

TEST(a_pattern_matches_all_of_a_text_or_nothing)
{
	static const struct { const char *pattern, *text; bool match; } rows[] = {
		{ "", "", true },		{ "", "a", false },
		{ "a", "a", true },		{ "a", "ab", false },
		{ "a", "", false },		{ "?", "a", true },
		{ "?", "", false },		{ "?", "ab", false },
		{ "*", "", true },		{ "*", "abc", true },
		{ "**", "abc", true },		{ "a*", "a", true },
		{ "a*", "ba", false },		{ "*a", "bca", true },
		{ "*a", "ab", false },		{ "*a?c", "aabbacaxc", true },
		{ "virtual:*", "virtual:card", true }, { "virtual:*", "usb:08e6:3437", false },
		{ "*ab*ab", "abab", true },	{ "*ab*ab", "ab", false },
		{ "[a]", "a", false },		{ "[a]", "[a]", true },
		{ "\\*", "*", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (glob_match(rows[i].pattern, rows[i].text) != rows[i].match) {
			TEST_LOG("'%s' on '%s'", rows[i].pattern, rows[i].text);
			EXPECT_TRUE(false);
		}
}

/* With backtracking into every star this would take longer than the age of the universe. */
TEST(many_stars_do_not_take_for_ever)
{
	char pattern[130], text[4096];

	for (int i = 0; i < 128; i += 2) {
		pattern[i] = '*';
		pattern[i + 1] = 'a';
	}
	pattern[128] = 'b';
	pattern[129] = '\0';
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	EXPECT_FALSE(glob_match(pattern, text));
}
