/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/iso7816/start.h"
#include "driver/iso7816/t1.h"
#include "tests/driver/scripted.h"
#include "tests/harness.h"

static const struct quirks none, no_parameters = { .flags = QUIRK_NO_PARAMETERS },
	no_pps = { .flags = QUIRK_NO_PPS }, no_ifsd = { .flags = QUIRK_NO_IFSD };

static struct ccid_desc reader(enum ccid_level level, uint32_t features, uint32_t max_rate)
{
	return (struct ccid_desc){
		.n_slots = 1, .protocols = 3, .clock_khz = 4000, .rate = 10752,
		.max_rate = max_rate, .max_ifsd = 254, .features = features, .level = level,
		.max_message = 271, .quirks = &none,
	};
}

static struct atr card(const char *hex)
{
	uint8_t raw[33];
	struct atr atr;

	ASSERT_EQ(0, atr_parse(BYTES(raw, unhex(hex, raw, sizeof(raw))), &atr));
	return atr;
}

TEST(a_reader_that_negotiates_by_itself_is_left_alone)
{
	struct ccid_desc desc = reader(CCID_LEVEL_EXTENDED_APDU, CCID_AUTO_NEGOTIATION, 500000);
	struct atr atr = card("3b 90 96 01 07");
	struct start_plan plan;

	ASSERT_EQ(0, start_plan_make(&desc, &atr, false, &plan));
	EXPECT_FALSE(plan.pps);
	EXPECT_FALSE(plan.set_parameters);
	EXPECT_EQ(1, plan.protocol);
}

TEST(a_reader_that_does_pps_on_request_gets_parameters_with_the_speed)
{
	struct ccid_desc desc = reader(CCID_LEVEL_TPDU, CCID_AUTO_PPS, 500000);
	struct atr atr = card("3b 90 96 01 07");
	struct start_plan plan;
	struct ccid_parameters p;

	ASSERT_EQ(0, start_plan_make(&desc, &atr, false, &plan));
	EXPECT_FALSE(plan.pps);
	EXPECT_TRUE(plan.set_parameters);
	EXPECT_EQ(0x96, plan.fidi);
	EXPECT_EQ(254, plan.ifsd);
	EXPECT_FALSE(plan.reader_ifs);
	p = start_parameters(&plan, &atr, plan.fidi);
	EXPECT_EQ(1, p.protocol);
	EXPECT_EQ(0x4d, p.waiting);
	EXPECT_EQ(32, p.ifsc);
}

TEST(otherwise_the_host_does_pps_but_only_if_there_is_something_to_say)
{
	struct ccid_desc desc = reader(CCID_LEVEL_TPDU, 0, 500000);
	struct atr fast = card("3b 90 96 01 07"), slow = card("3b 80 01 81");
	struct atr second = card("3b 80 80 01 01");
	struct start_plan plan;

	ASSERT_EQ(0, start_plan_make(&desc, &fast, false, &plan));
	EXPECT_TRUE(plan.pps);
	ASSERT_EQ(0, start_plan_make(&desc, &slow, false, &plan));
	EXPECT_FALSE(plan.pps);
	ASSERT_EQ(0, start_plan_make(&desc, &second, false, &plan));	/* T=1 is not the first */
	EXPECT_TRUE(plan.pps);
	EXPECT_EQ(1, plan.protocol);
	EXPECT_EQ(FIDI_DEFAULT, plan.fidi);
	ASSERT_EQ(0, start_plan_make(&desc, &fast, true, &plan));
	EXPECT_FALSE(plan.pps);
	EXPECT_EQ(FIDI_DEFAULT, plan.fidi);
}

TEST(a8_a_speed_the_reader_cannot_reach_is_replaced_by_a_slower_one)
{
	struct ccid_desc desc = reader(CCID_LEVEL_TPDU, CCID_AUTO_PPS, 130000);
	struct atr fast = card("3b 90 96 01 07"), reserved = card("3b 90 ff 01 6e");
	struct start_plan plan;

	ASSERT_EQ(0, start_plan_make(&desc, &fast, false, &plan));
	EXPECT_EQ(0x95, plan.fidi);			/* 125000 bit/s */
	ASSERT_EQ(0, start_plan_make(&desc, &reserved, false, &plan));
	EXPECT_EQ(FIDI_DEFAULT, plan.fidi);
	desc.max_rate = 0;				/* D21 */
	desc.clock_khz = 0;
	ASSERT_EQ(0, start_plan_make(&desc, &fast, false, &plan));
	EXPECT_EQ(FIDI_DEFAULT, plan.fidi);
}

TEST(a7_specific_mode_is_taken_as_it_is_or_refused)
{
	struct ccid_desc desc = reader(CCID_LEVEL_TPDU, 0, 500000);
	struct atr t1 = card("3b 90 96 11 81 86"), t14 = card("3b 80 11 0e 9f");
	struct start_plan plan;

	ASSERT_EQ(0, start_plan_make(&desc, &t1, false, &plan));
	EXPECT_FALSE(plan.pps);
	EXPECT_EQ(0x96, plan.fidi);
	EXPECT_EQ(-EOPNOTSUPP, start_plan_make(&desc, &t14, false, &plan));
}

TEST(t0_alone_works_where_the_reader_speaks_it)
{
	struct ccid_desc tpdu = reader(CCID_LEVEL_TPDU, 0, 0);
	struct ccid_desc apdu = reader(CCID_LEVEL_SHORT_APDU, 0, 0);
	struct atr t0 = card("3b 00");
	struct start_plan plan;

	ASSERT_EQ(0, start_plan_make(&tpdu, &t0, false, &plan));
	EXPECT_EQ(0, plan.protocol);
	EXPECT_FALSE(plan.pps);
	tpdu.protocols = CCID_T1;
	EXPECT_EQ(-EOPNOTSUPP, start_plan_make(&tpdu, &t0, false, &plan));
	ASSERT_EQ(0, start_plan_make(&apdu, &t0, false, &plan));
	EXPECT_EQ(0, plan.protocol);
	EXPECT_EQ(10, start_parameters(&plan, &t0, plan.fidi).waiting);
	apdu.protocols = CCID_T1;
	EXPECT_EQ(-EOPNOTSUPP, start_plan_make(&apdu, &t0, false, &plan));
}

TEST(of_two_protocols_the_host_takes_t1_and_the_first_if_it_cannot_negotiate)
{
	struct ccid_desc desc = reader(CCID_LEVEL_TPDU, 0, 0);
	struct atr both = card("3b 80 80 01 01");
	struct start_plan plan;

	ASSERT_EQ(0, start_plan_make(&desc, &both, false, &plan));
	EXPECT_EQ(1, plan.protocol);
	EXPECT_TRUE(plan.pps);
	ASSERT_EQ(0, start_plan_make(&desc, &both, true, &plan));
	EXPECT_EQ(0, plan.protocol);
	EXPECT_FALSE(plan.pps);
	desc.quirks = &no_pps;
	ASSERT_EQ(0, start_plan_make(&desc, &both, false, &plan));
	EXPECT_EQ(0, plan.protocol);
	EXPECT_FALSE(plan.pps);
}

TEST(a_reader_that_does_not_draw_the_rate_from_the_parameters_is_told_it)
{
	struct ccid_desc desc = reader(CCID_LEVEL_TPDU, 0, 500000);
	struct atr fast = card("3b 90 96 01 07");
	struct start_plan plan;

	ASSERT_EQ(0, start_plan_make(&desc, &fast, false, &plan));
	EXPECT_TRUE(plan.set_rate);
	desc.features = CCID_AUTO_BAUD;
	ASSERT_EQ(0, start_plan_make(&desc, &fast, false, &plan));
	EXPECT_FALSE(plan.set_rate);
}

TEST(d20_a_speed_that_is_not_in_the_list_is_replaced_by_one_that_is)
{
	struct ccid_desc desc = reader(CCID_LEVEL_TPDU, 0, 500000);
	struct atr fast = card("3b 90 96 01 07");	/* 250000 bit/s at 4 MHz */
	struct start_plan plan;

	desc.rates = (struct rates){ .bps = { 10752, 62500 }, .n = 2 };
	ASSERT_EQ(0, start_plan_make(&desc, &fast, false, &plan));
	EXPECT_EQ(0x94, plan.fidi);
}

TEST(quirks_take_steps_away)
{
	struct ccid_desc desc = reader(CCID_LEVEL_TPDU, 0, 500000);
	struct atr fast = card("3b 90 96 01 07");
	struct start_plan plan;

	desc.quirks = &no_parameters;
	ASSERT_EQ(0, start_plan_make(&desc, &fast, false, &plan));
	EXPECT_FALSE(plan.set_parameters);
	desc.quirks = &no_pps;
	ASSERT_EQ(0, start_plan_make(&desc, &fast, false, &plan));
	EXPECT_FALSE(plan.pps);
	EXPECT_EQ(FIDI_DEFAULT, plan.fidi);
	desc.quirks = &no_ifsd;
	ASSERT_EQ(0, start_plan_make(&desc, &fast, false, &plan));
	EXPECT_EQ(T1_IFS_DEFAULT, plan.ifsd);
	desc.quirks = &none;
	desc.features = CCID_AUTO_IFSD;
	ASSERT_EQ(0, start_plan_make(&desc, &fast, false, &plan));
	EXPECT_TRUE(plan.reader_ifs);
}
