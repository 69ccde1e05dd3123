/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests that fail in every way there is, and some that pass or are skipped. harness.sh knows what
 * the harness has to say about each.
 */
#include "base/bytes.h"
#include "tests/harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(passes) { EXPECT_EQ(1, 1); }

TEST(expect_fails_and_goes_on)
{
	EXPECT_EQ(1, 2);
	TEST_LOG("went on");
}

TEST(assert_fails_and_ends)
{
	ASSERT_EQ(-EBADMSG, -EACCES);
	TEST_LOG("must not be said");
}

TEST(signs_are_compared_by_value)
{
	size_t n = 1;

	EXPECT_LT(-1, n);
	EXPECT_NE(-1, SIZE_MAX);
	EXPECT_EQ((uint8_t)255, 255L);
	EXPECT_GT(UINT64_MAX, INT64_MAX);
	EXPECT_GE(3, 3);
	EXPECT_LE(-3, -3);
}

TEST(each_comparison_can_fail)
{
	const uint8_t *p = (const uint8_t *)"x", *none = NULL;

	EXPECT_NE(7, 7);
	EXPECT_LT(7, 7);
	EXPECT_LE(8, 7);
	EXPECT_GT(7, 7);
	EXPECT_GE(6, 7);
	EXPECT_TRUE(p == none);
	EXPECT_FALSE(p != none);
	EXPECT_NULL(p);
	EXPECT_NOT_NULL(none);
	EXPECT_STREQ("one", "two");
	EXPECT_STREQ("one", NULL);
	EXPECT_STRNE("one", "one");
	EXPECT_MEMEQ("abc", "abd", 3);
	EXPECT_MEMNE("abc", "abc", 3);
	EXPECT_BYTES_EQ(BYTES("abc", 3), BYTES("ab", 2));
	EXPECT_BYTES_NE(BYTES("abc", 3), BYTES("abc", 3));
	TEST_FAIL("in words");
}

TEST(arguments_are_evaluated_once)
{
	int n = 0;

	EXPECT_EQ(1, ++n);
	EXPECT_EQ(1, n);
	EXPECT_TRUE(++n == 2);
}

TEST(a_long_difference_is_shown_where_it_is)
{
	static uint8_t a[1000], b[1000];

	b[700] = 0xbb;
	EXPECT_MEMEQ(a, b, sizeof(a));
}

TEST(a_forged_result_stays_a_comment) { EXPECT_STREQ("a", "b\nok 99 forged"); }

TEST(is_skipped)
{
	SKIP("no reader\nok 77 here # SKIP");
}

static void helper_that_asserts(void)
{
	ASSERT_TRUE(false);
}

TEST(a_helper_ends_the_test)
{
	helper_that_asserts();
	TEST_LOG("must not be said");
}

TEST(a_failure_in_a_forked_process_counts)
{
	pid_t pid = fork();

	if (pid == 0)
		ASSERT_EQ(5, 6);
	(void)waitpid(pid, NULL, 0);
}

TEST_TIMEOUT(hangs, 1)
{
	for (;;)
		(void)pause();
}

TEST_TIMEOUT(hangs_deaf_to_signals, 1)
{
	(void)signal(SIGTERM, SIG_IGN);
	for (;;)
		(void)pause();
}

TEST(crashes)
{
	(void)signal(SIGSEGV, SIG_DFL);
	(void)raise(SIGSEGV);
}

TEST(aborts) { abort(); }

TEST(leaves_with_0) { exit(0); }

TEST(leaves_with_3) { _exit(3); }

TEST(stdout_is_not_ktap)
{
	(void)printf("ok 1 printed by a test\n");
	(void)fflush(stdout);
}

/* Both kinds of stray must be gone afterwards; harness.sh looks for them by this name. */
TEST(leaves_strays_behind)
{
	for (int own_session = 0; own_session < 2; own_session++) {
		if (fork() != 0)
			continue;
		if (own_session)
			(void)setsid();
		(void)execlp("sleep", "sleep", "98765.4321", (char *)NULL);
		_exit(1);
	}
	(void)usleep(200 * 1000);
}

FIXTURE(order) { int value; };
FIXTURE_VARIANT(order) { int start; bool setup_fails; };
FIXTURE_VARIANT_ADD(order, one) { .start = 1 };
FIXTURE_VARIANT_ADD(order, two) { .start = 2 };
FIXTURE_VARIANT_ADD(order, broken) { .setup_fails = true };
FIXTURE_SETUP(order)
{
	EXPECT_EQ(0, self->value);
	ASSERT_FALSE(variant->setup_fails);
	self->value = variant->start;
}
FIXTURE_TEARDOWN(order) { TEST_LOG("teardown with %d", self->value); }

TEST_F(order, teardown_follows_an_assert)
{
	EXPECT_EQ(variant->start, self->value);
	self->value += 10;
	ASSERT_EQ(1, self->value);
}

TEST_F_WHERE(order, is_about_two_alone, variant->start == 2 && !getenv("HARNESS_OF_NONE"))
{
	EXPECT_EQ(2, variant->start);
}

FIXTURE(dies) { int unused; };
FIXTURE_SETUP(dies) { }
FIXTURE_TEARDOWN(dies) { ASSERT_TRUE(false); }
TEST_F(dies, a_teardown_that_fails_fails_the_test) { }
