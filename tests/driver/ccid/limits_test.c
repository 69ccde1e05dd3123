/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table that ships, value by value, against the limits that were agreed on for this driver. A
 * number that is changed in one place only is a mistake; changed in both, it is a decision.
 */
#include "driver/ccid/exchange.h"
#include "driver/ccid/limits.h"
#include "tests/harness.h"

TEST(messages_and_slots_have_the_sizes_agreed_on)
{
	EXPECT_EQ(65554, CCID_MESSAGE_MAX);
	EXPECT_EQ(33, CCID_ATR_MAX);
	EXPECT_EQ(32, CCID_SLOTS_MAX);
	EXPECT_EQ(8, EXCHANGE_MALFORMED_MAX);
}

TEST(counts_are_those_agreed_on)
{
	EXPECT_EQ(16u, limits.stale);
	EXPECT_EQ(4u, limits.zero_length);
	EXPECT_EQ(1000u, limits.extensions);
	EXPECT_EQ(3u, limits.extensions_plain);
	EXPECT_EQ(5u, limits.busy);
	EXPECT_EQ(4u, limits.empty_parts);
	EXPECT_EQ(4096u, limits.t1_blocks);
	EXPECT_EQ(3u, limits.t1_tries);
	EXPECT_EQ(3u, limits.t1_resynchs);
	EXPECT_EQ(32u, limits.t1_requests);
	EXPECT_EQ(4u, limits.t1_empty);
	EXPECT_EQ(260u, limits.get_responses);
	EXPECT_EQ(2u, limits.get_responses_empty);
	EXPECT_EQ(2u, limits.wrong_le);
}

TEST(times_are_those_agreed_on)
{
	EXPECT_EQ(5000u, limits.write_ms);
	EXPECT_EQ(3000u, limits.answer_min_ms);
	EXPECT_EQ(30000u, limits.answer_max_ms);
	EXPECT_GE(limits.person_ms, 90000u);	/* a person, three PINs */
	EXPECT_EQ(20000u, limits.power_on_ms);
	EXPECT_EQ(60000u, limits.power_on_slow_ms);
	EXPECT_EQ(1000u / 20, limits.notice_gap_ms);
	EXPECT_GE(limits.poll_ms, 250u);
	EXPECT_LE(limits.poll_ms, 400u);
	EXPECT_EQ(60000u, limits.malformed_ms);
}

TEST(the_ladder_has_the_steps_agreed_on)
{
	EXPECT_EQ(1000u, limits.abort_ms);
	EXPECT_EQ(500u, limits.clear_ms);
	EXPECT_EQ(300u, limits.probe_ms);
	EXPECT_EQ(3u, limits.probes);
	EXPECT_EQ(500u, limits.control_ms);
	/* All of it at one go fits: the pair, the halts, the questions, the power-off. */
	EXPECT_GE(limits.settle_ms, limits.abort_ms + limits.clear_ms +
		  limits.probes * limits.probe_ms + limits.answer_min_ms);
	EXPECT_EQ(60000u, limits.reset_gap_ms);
	EXPECT_EQ(8u, limits.unsettled);
}
