/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/deadline.h"
#include "tests/harness.h"

TEST(never_never_passes_and_the_past_always_has)
{
	EXPECT_FALSE(deadline_passed(DEADLINE_NEVER));
	EXPECT_EQ(-1, deadline_poll_ms(DEADLINE_NEVER));
	EXPECT_TRUE(deadline_passed(DEADLINE_PAST));
	EXPECT_EQ(0, deadline_poll_ms(DEADLINE_PAST));
	EXPECT_EQ(UINT64_MAX, deadline_in(UINT64_MAX).at_ms);
}

TEST(a_deadline_lies_ahead_until_it_comes)
{
	struct deadline far = deadline_in(100000), now = deadline_in(0);

	EXPECT_FALSE(deadline_passed(far));
	EXPECT_LE(deadline_poll_ms(far), 100000);
	EXPECT_GT(deadline_poll_ms(far), 50000);
	EXPECT_TRUE(deadline_passed(now));
	EXPECT_EQ(0, deadline_poll_ms(now));
	EXPECT_EQ(INT_MAX, deadline_poll_ms(deadline_in((uint64_t)INT_MAX * 8)));
}

TEST(of_two_the_sooner_counts)
{
	struct deadline a = deadline_in(10), b = deadline_in(20000);

	EXPECT_EQ(a.at_ms, deadline_sooner(a, b).at_ms);
	EXPECT_EQ(a.at_ms, deadline_sooner(b, a).at_ms);
	EXPECT_EQ(b.at_ms, deadline_sooner(DEADLINE_NEVER, b).at_ms);
}
