/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/card/match.h"
#include "tests/harness.h"

static const uint8_t atr[] = { 0x3b, 0x80, 0x01, 0x81 };
static const uint8_t all_ones[] = { 0xff, 0xff, 0xff, 0xff };
static const uint8_t front[] = { 0xff, 0xff, 0x00, 0x00 };
static const uint8_t other[] = { 0x3b, 0x80, 0x02, 0x82 };
static const uint8_t aid[] = { 0xa0, 0, 0, 0, 1 };

#define ATR_CLAIM(s, a, m) { .strength = (s), .atr = BYTES(a, sizeof(a)), .mask = BYTES(m, sizeof(m)) }

static const struct card_driver exact = { .name = "exact", .matches = { ATR_CLAIM(30, atr, all_ones) } };
static const struct card_driver family = { .name = "family", .matches = { ATR_CLAIM(20, other, front) } };
static const struct card_driver by_aid = {
	.name = "aid", .matches = { { .strength = 10, .aid = BYTES(aid, sizeof(aid)) } },
};
static const struct card_driver rival = { .name = "rival", .matches = { ATR_CLAIM(20, atr, all_ones) } };

TEST(the_strongest_claim_comes_first_in_whatever_order_the_list_is)
{
	const struct card_driver *const up[] = { &by_aid, &family, &exact, NULL };
	const struct card_driver *const down[] = { &exact, &family, &by_aid, NULL };
	const struct card_driver *const *lists[] = { up, down };

	for (size_t i = 0; i < 2; i++) {
		const struct card_driver *d = NULL;

		EXPECT_EQ(30u, card_match_next(lists[i], BYTES_OF(atr), 1000, &d));
		EXPECT_TRUE(d == &exact);
		EXPECT_EQ(20u, card_match_next(lists[i], BYTES_OF(atr), 30, &d));
		EXPECT_TRUE(d == &family);
		EXPECT_EQ(10u, card_match_next(lists[i], BYTES_OF(atr), 20, &d));
		EXPECT_TRUE(d == &by_aid);
		EXPECT_EQ(0u, card_match_next(lists[i], BYTES_OF(atr), 10, &d));
	}
}

TEST(an_atr_has_to_fit_in_length_and_under_the_mask)
{
	const struct card_driver *const drivers[] = { &exact, &family, NULL };
	const struct card_driver *d = NULL;

	EXPECT_EQ(20u, card_match_next(drivers, BYTES_OF(other), 1000, &d));
	EXPECT_TRUE(d == &family);
	EXPECT_EQ(0u, card_match_next(drivers, BYTES(atr, 3), 1000, &d));
}

TEST(equal_claims_are_an_error_at_start_up)
{
	const struct card_driver *const fine[] = { &exact, &family, &by_aid, NULL };
	const struct card_driver *const clash[] = { &exact, &family, &rival, NULL };

	EXPECT_EQ(0, card_match_check(fine));
	EXPECT_EQ(-EEXIST, card_match_check(clash));
	EXPECT_EQ(0, card_match_check(card_drivers));
}
