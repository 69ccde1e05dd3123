/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/turn.h"
#include "tests/harness.h"

static int after(enum link_step asked, enum turn_event event)
{
	const struct turn_step *step = turn_step(asked, event);

	return step ? (int)step->to : -1;
}

TEST(a_turn_goes_to_the_card_by_way_of_what_must_come_before)
{
	EXPECT_EQ(LINK_DROP, after(LINK_IDLE, TURN_FOREIGN));
	EXPECT_EQ(LINK_TRIES, after(LINK_IDLE, TURN_CLEAN));
	EXPECT_EQ(LINK_TRIES, after(LINK_DROP, TURN_GOOD));
	EXPECT_EQ(LINK_JOB, after(LINK_TRIES, TURN_GOOD));
	EXPECT_EQ(LINK_IDLE, after(LINK_JOB, TURN_GOOD));
}

/* And none ends anywhere but where the next can begin. */
TEST(whatever_fails_leads_no_further)
{
	static const enum link_step asked[] = {
		LINK_DROP, LINK_TRIES, LINK_JOB, LINK_CHORE_DROP, LINK_CHORE_DESTROY,
		LINK_CHORE_RESET,
	};

	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		EXPECT_EQ(LINK_IDLE, after(asked[i], TURN_BAD));
}

TEST(a_driver_that_cannot_empty_the_card_is_given_up)
{
	EXPECT_EQ(TURN_DO_BREAK, turn_step(LINK_DROP, TURN_BAD)->action);
	EXPECT_EQ(TURN_DO_BREAK, turn_step(LINK_CHORE_DROP, TURN_BAD)->action);
	EXPECT_EQ(TURN_DO_BREAK, turn_step(LINK_CHORE_RESET, TURN_BAD)->action);
}

TEST(nothing_is_answered_that_was_not_asked)
{
	EXPECT_NULL(turn_step(LINK_IDLE, TURN_GOOD));
	EXPECT_NULL(turn_step(LINK_IDLE, TURN_BAD));
	EXPECT_NULL(turn_step(LINK_HELLO, TURN_GOOD));
	EXPECT_NULL(turn_step(LINK_WATCH, TURN_GOOD));
}
