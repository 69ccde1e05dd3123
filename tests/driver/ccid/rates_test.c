/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* D20 is a row of the catalogue of hostile readers. */
#include "driver/ccid/desc.h"
#include "driver/ccid/limits.h"
#include "driver/ccid/rates.h"
#include "tests/driver/scripted.h"
#include "tests/harness.h"

TEST(d20_scraps_zeros_and_odd_lengths_are_no_list)
{
	uint8_t many[4 * RATES_MAX + 4];
	struct rates rates = { .n = 7 };

	for (size_t n = 0; n < 4; n++) {
		EXPECT_EQ(-EBADMSG, rates_parse(BYTES("\1\2\3", n), &rates));
		EXPECT_EQ(0u, rates.n);
	}
	EXPECT_EQ(-EBADMSG, rates_parse(BYTES("\1\2\3\4\5", 5), &rates));
	EXPECT_EQ(-EBADMSG, rates_parse(BYTES("\0\0\0\0\0\0\0\0", 8), &rates));
	EXPECT_EQ(0u, rates.n);
	memset(many, 1, sizeof(many));
	ASSERT_EQ(0, rates_parse(BYTES_OF(many), &rates));
	EXPECT_EQ((unsigned int)RATES_MAX, rates.n);
}

TEST(zeros_in_a_list_are_skipped_and_rounding_is_forgiven)
{
	struct rates rates;

	ASSERT_EQ(0, rates_parse(BYTES("\0\x2a\0\0" "\0\0\0\0" "\x48\xe8\1\0", 12), &rates));
	ASSERT_EQ(2u, rates.n);
	EXPECT_TRUE(rates_have(&rates, 10752));
	EXPECT_TRUE(rates_have(&rates, 10753));
	EXPECT_TRUE(rates_have(&rates, 125000));
	EXPECT_TRUE(rates_have(&rates, 123500));
	EXPECT_FALSE(rates_have(&rates, 115200));
	EXPECT_FALSE(rates_have(&rates, 0));
}

TEST(a_list_counts_more_than_the_greatest_rate)
{
	struct ccid_desc desc = { .max_rate = 500000 };

	EXPECT_TRUE(ccid_desc_reaches(&desc, 250000));
	EXPECT_FALSE(ccid_desc_reaches(&desc, 500001));
	EXPECT_FALSE(ccid_desc_reaches(&desc, 0));
	desc.rates = (struct rates){ .bps = { 10752, 125000 }, .n = 2 };
	EXPECT_FALSE(ccid_desc_reaches(&desc, 250000));
	EXPECT_TRUE(ccid_desc_reaches(&desc, 125000));
}

FIXTURE(asked) { struct scripted s; struct reader *reader; };
FIXTURE_VARIANT(asked) { struct scripted_step steps[1]; unsigned int n; };
#define ANSWER(...) { { .hear = "03 a1 03 0000 0000 0c00", .say = { __VA_ARGS__ } } }
FIXTURE_VARIANT_ADD(asked, list) { ANSWER("03 00 002a0000 48e80100 00000000"), 2 };
FIXTURE_VARIANT_ADD(asked, stall) { ANSWER("03 01"), 0 };
FIXTURE_VARIANT_ADD(asked, silence) { ANSWER(NULL), 0 };
FIXTURE_VARIANT_ADD(asked, one_byte) { ANSWER("03 00 ff"), 0 };
FIXTURE_VARIANT_ADD(asked, five_bytes) { ANSWER("03 00 0102030405"), 0 };

FIXTURE_SETUP(asked)
{
	scripted_init(&self->s, SCRIPTED_TPDU, 271);
	*scripted_class(&self->s, 27) = 3;	/* bNumDataRatesSupported */
}

FIXTURE_TEARDOWN(asked)
{
	(void)reader_free(self->reader);
	scripted_stop(&self->s);
}

TEST_F(asked, d20_the_reader_is_taken_whatever_it_says_and_within_a_second)
{
	uint64_t before = clock_ms();

	self->reader = scripted_reader(&self->s, variant->steps, 1);
	EXPECT_LE(clock_ms() - before, (uint64_t)limits.control_ms + (uint64_t)harness_patience_ms(500));
	EXPECT_EQ(0, self->s.n_steps);
	EXPECT_EQ(variant->n, self->reader->desc.rates.n);
}

TEST(who_speaks_to_the_card_by_itself_is_not_asked)
{
	struct scripted s;
	struct reader *reader;

	scripted_init(&s, SCRIPTED_EXTENDED, 65554);
	*scripted_class(&s, 27) = 3;
	reader = scripted_reader(&s, NULL, 0);
	EXPECT_STREQ("65 ", s.heard);
	(void)reader_free(reader);
	scripted_stop(&s);
}
