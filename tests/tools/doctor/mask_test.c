/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/doctor/mask.h"

#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mask mask;

static void expect_masked(const char *want, const char *text)
{
	char *got = mask_apply(&mask, text);

	ASSERT_NOT_NULL(got);
	EXPECT_STREQ(want, got);
	free(got);
}

TEST(each_word_goes_wherever_it_stands)
{
	mask_add(&mask, "KF-0001");
	expect_masked("a <serial 1>, b=<serial 1>x", "a KF-0001, b=KF-0001x");
}

TEST(case_does_not_save_it)
{
	mask_add(&mask, "abcd12");
	expect_masked("<serial 1>", "ABCD12");
}

TEST(a_word_within_another_does_not_spoil_the_longer_one)
{
	mask_add(&mask, "1234");
	mask_add(&mask, "ab1234cd");
	expect_masked("<serial 1> <serial 2>", "ab1234cd 1234");
}

TEST(a_short_word_needs_its_own_place)
{
	mask_add(&mask, "A1");
	expect_masked("<serial 1> 3BA1FF (<serial 1>)", "A1 3BA1FF (a1)");
}

TEST(the_same_word_counts_once)
{
	mask_add(&mask, "KF-0001");
	mask_add(&mask, "kf-0001");
	mask_add(&mask, "");
	EXPECT_EQ(1, mask.n);
}

TEST(what_cannot_be_masked_whole_is_not_given_out)
{
	char longer[MASK_WORD_MAX + 1], word[32];

	for (int i = 0; i <= MASK_WORDS; i++) {
		(void)snprintf(word, sizeof(word), "serial%04d", i);
		mask_add(&mask, word);
	}
	EXPECT_TRUE(mask.full);
	EXPECT_NULL(mask_apply(&mask, "serial0001"));
	mask = MASK_INIT;
	memset(longer, 'x', MASK_WORD_MAX);
	longer[MASK_WORD_MAX] = '\0';
	mask_add(&mask, longer);
	EXPECT_NULL(mask_apply(&mask, "x"));
}
