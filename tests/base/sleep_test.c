/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/sleep.h"
#include "tests/harness.h"

TEST(nothing_is_said_of_the_time_before_the_first_question)
{
	struct sleep_watch watch = SLEEP_WATCH_INIT;

	EXPECT_FALSE(sleep_happened(&watch));
	EXPECT_FALSE(sleep_happened(&watch));
}

TEST(a_sleep_is_told_once)
{
	struct sleep_watch watch = SLEEP_WATCH_INIT;

	EXPECT_FALSE(sleep_happened(&watch));
	watch.between_ms -= 1000;	/* as if the clocks had been nearer then */
	EXPECT_TRUE(sleep_happened(&watch));
	EXPECT_FALSE(sleep_happened(&watch));
}

TEST(what_may_be_an_odd_reading_is_no_sleep)
{
	struct sleep_watch watch = SLEEP_WATCH_INIT;

	EXPECT_FALSE(sleep_happened(&watch));
	watch.between_ms -= 100;
	EXPECT_FALSE(sleep_happened(&watch));
	watch.between_ms += 3600000;
	EXPECT_FALSE(sleep_happened(&watch));
}
