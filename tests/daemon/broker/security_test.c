/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/security.h"
#include "daemon/broker/context.h"
#include "tests/harness.h"

/* Every pair, so that a new state or event cannot be forgotten here. X: no row, on purpose. */
TEST(every_pair_of_state_and_event_is_decided)
{
#define X -1
#define ABSENT SECURITY_ABSENT
#define CLEAN SECURITY_CLEAN
#define OWNED SECURITY_OWNED
#define LAPSED SECURITY_LAPSED
#define ORPHAN SECURITY_ORPHAN
	static const int want[SECURITY_STATES][SECURITY_EVENTS] = {
		/*           INSERTED USED    ANSWERED UNCLAIMED */
		[ABSENT] = { CLEAN,   X,      X,       ABSENT,
		/*           LEFT     RAN_OUT DROPPED  RESET   REMOVED */
			     X,       X,      ABSENT,  X,      ABSENT },
		[CLEAN] =  { X,       OWNED,  OWNED,   ORPHAN,
			     X,       CLEAN,  CLEAN,   CLEAN,  ABSENT },
		[OWNED] =  { X,       OWNED,  OWNED,   X,
			     ORPHAN,  LAPSED, CLEAN,   CLEAN,  ABSENT },
		[LAPSED] = { X,       LAPSED, LAPSED,  X,
			     ORPHAN,  LAPSED, CLEAN,   CLEAN,  ABSENT },
		[ORPHAN] = { X,       X,      X,       ORPHAN,
			     X,       ORPHAN, CLEAN,   CLEAN,  ABSENT },
	};

	for (int s = 0; s < SECURITY_STATES; s++)
		for (int e = 0; e < SECURITY_EVENTS; e++) {
			const struct security_step *step =
				security_step((enum security_state)s, (enum security_event)e);

			EXPECT_EQ(want[s][e], step ? (int)step->to : X);
		}
}

/* Back to CLEAN leads what empties the card, and nothing else. */
TEST(what_may_be_in_the_card_is_forgotten_only_when_it_is_gone)
{
	for (int s = SECURITY_OWNED; s < SECURITY_STATES; s++)
		for (int e = 0; e < SECURITY_EVENTS; e++) {
			const struct security_step *step =
				security_step((enum security_state)s, (enum security_event)e);
			bool empties = e == SECURITY_DROPPED || e == SECURITY_RESET;

			if (step)
				EXPECT_EQ(empties, step->to == SECURITY_CLEAN);
		}
}

TEST(an_owner_learns_that_its_pins_are_gone_and_one_without_learns_nothing)
{
	struct context with = { .pins = 2 }, without = { 0 };
	struct security security = { .state = SECURITY_CLEAN };

	security_happens(&security, SECURITY_USED, &with);
	EXPECT_EQ(&with, security.owner);
	security_happens(&security, SECURITY_DROPPED, NULL);
	EXPECT_NULL(security.owner);
	EXPECT_EQ(0u, with.pins);
	EXPECT_TRUE(with.pin_lost);
	security_happens(&security, SECURITY_USED, &without);
	security_happens(&security, SECURITY_RESET, NULL);
	EXPECT_FALSE(without.pin_lost);
}

TEST(whoever_does_not_own_it_finds_it_foreign_even_if_nobody_does)
{
	struct context owner = { 0 }, other = { 0 };
	struct security security = { .state = SECURITY_CLEAN };

	EXPECT_FALSE(security_is_foreign(&security, &other));
	security_happens(&security, SECURITY_USED, &owner);
	EXPECT_FALSE(security_is_foreign(&security, &owner));
	EXPECT_TRUE(security_is_foreign(&security, &other));
	EXPECT_FALSE(security_must_go(&security));
	security_happens(&security, SECURITY_LEFT, NULL);
	EXPECT_TRUE(security_is_foreign(&security, &other));
	EXPECT_TRUE(security_must_go(&security));
}
