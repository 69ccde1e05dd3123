/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/driver/card/script.h"
#include "tests/oom.h"

FIXTURE(card) { struct script s; };
FIXTURE_SETUP(card) { script_open(&self->s, 0); }
FIXTURE_TEARDOWN(card) { script_close(&self->s); }

static const struct card_command challenge = { .ins = 0x84, .answers = true };
#define CHALLENGE "00840000 000000"

TEST_F(card, an_answer_is_given_with_9000_alone)
{
	struct bytes data = BYTES_OF("x");

	script_expect(&self->s, CHALLENGE, "0102 9000");
	ASSERT_EQ(0, card_call(script_begin(&self->s), &challenge, &data));
	EXPECT_EQ((size_t)2, data.n);
	EXPECT_EQ(0, self->s.card->said.sw);
	script_expect(&self->s, CHALLENGE, "0102 6985");
	EXPECT_EQ(-EREMOTEIO, card_call(script_begin(&self->s), &challenge, &data));
	EXPECT_EQ((size_t)0, data.n);
	EXPECT_EQ(0x6985, self->s.card->said.sw);
	EXPECT_FALSE(self->s.card->lost);
}

TEST_F(card, what_may_have_run_loses_the_card_and_nothing_is_sent_again)
{
	struct bytes data;

	script_break(&self->s, CHALLENGE, -EIO, true);
	EXPECT_EQ(-EIO, card_call(script_begin(&self->s), &challenge, &data));
	EXPECT_TRUE(self->s.card->lost);
	EXPECT_EQ(KF_REASON_ON_CARD, self->s.card->said.reason);
	EXPECT_EQ(-EIO, card_call(self->s.card, &challenge, &data));	/* the script has no more */
	script_done(&self->s);
}

TEST_F(card, what_never_ran_leaves_the_card_as_it_was)
{
	struct bytes data;

	script_break(&self->s, CHALLENGE, -ETIMEDOUT, false);
	EXPECT_EQ(-ETIMEDOUT, card_call(script_begin(&self->s), &challenge, &data));
	EXPECT_FALSE(self->s.card->lost);
	EXPECT_EQ(KF_REASON_NONE, self->s.card->said.reason);
	script_expect(&self->s, CHALLENGE, "9000");
	EXPECT_EQ(0, card_call(script_begin(&self->s), &challenge, &data));
}

TEST_F(card, a_raw_apdu_gets_data_and_word_as_they_are)
{
	static const uint8_t get[] = { 0x00, 0x84, 0x00, 0x00, 0x04 };
	uint8_t buf[16], want[] = { 1, 2, 0x6a, 0x88 };
	struct packer p = pack_begin(buf, sizeof(buf));

	script_expect(&self->s, "00840000 04", "0102 6A88");
	ASSERT_EQ(0, card_raw(script_begin(&self->s), BYTES_OF(get), &p));
	EXPECT_BYTES_EQ(BYTES_OF(want), pack_done(&p));
	EXPECT_FALSE(self->s.card->elsewhere);
}

TEST_F(card, a_raw_select_takes_the_card_elsewhere)
{
	static const uint8_t select[] = { 0x00, 0xa4, 0x04, 0x00, 0x01, 0xaa };
	uint8_t buf[16];
	struct packer p = pack_begin(buf, sizeof(buf));

	script_expect(&self->s, "00A40400 01 AA", "6A82");
	ASSERT_EQ(0, card_raw(script_begin(&self->s), BYTES_OF(select), &p));
	EXPECT_TRUE(self->s.card->elsewhere);
}

TEST_F(card, what_is_no_command_never_reaches_a_card)
{
	static const uint8_t bad[][6] = {
		{ 0x00, 0x84, 0x00 }, { 0xff, 0x84, 0, 0, 0, 0 }, { 0x00, 0x61, 0, 0, 0, 0 },
		{ 0x00, 0x84, 0, 0, 9, 0 },
	};
	static const size_t n[] = { 3, 5, 5, 6 };
	uint8_t buf[16];

	self->s.io->protocol = 0;	/* INS 61 is one over T=1 */
	for (size_t i = 0; i < 4; i++) {
		struct packer p = pack_begin(buf, sizeof(buf));

		EXPECT_EQ(-EINVAL, card_raw(script_begin(&self->s), BYTES(bad[i], n[i]), &p));
	}
	script_done(&self->s);
}

static struct card_trace traced;
static void on_trace(const struct card_trace *trace) { traced = *trace; }

TEST_F(card, a_trace_has_lengths_and_words_and_of_a_pin_not_even_the_length)
{
	const struct card_command verify = { .ins = 0x20, .p2 = 0x81, .data = BYTES("123456", 6) };
	struct bytes data;

	self->s.card->trace = on_trace;
	script_expect(&self->s, CHALLENGE, "010203 9000");
	ASSERT_EQ(0, card_call(script_begin(&self->s), &challenge, &data));
	EXPECT_EQ(0x84, traced.header[1]);
	EXPECT_EQ((size_t)3, traced.n_answer);
	EXPECT_EQ(0x9000, traced.sw);
	EXPECT_FALSE(traced.hide_data);
	script_expect(&self->s, "00200081 06 313233343536", "63C1");
	EXPECT_EQ(-EKEYREJECTED, card_call(script_begin(&self->s), &verify, &data));
	EXPECT_TRUE(traced.hide_data);
	EXPECT_EQ(0x63c1, traced.sw);
}

TEST_F(card, the_last_answer_is_wiped_when_it_is_forgotten)
{
	struct bytes data;

	script_expect(&self->s, CHALLENGE, "AABBCCDD 9000");
	ASSERT_EQ(0, card_call(script_begin(&self->s), &challenge, &data));
	EXPECT_FALSE(bytes_are_zero(data));
	card_forget(self->s.card);
	EXPECT_TRUE(bytes_are_zero(data));
}

static int refuse(struct card *card)
{
	(void)card;
	return -ENXIO;
}

TEST_F(card, a_weaker_claim_gets_its_chance_when_the_stronger_was_wrong)
{
	static const uint8_t aid[] = { 0xa0, 1 };
	static const struct card_driver strong = {
		.name = "strong", .open = refuse,
		.matches = { { .strength = 900, .aid = BYTES(aid, sizeof(aid)) } },
	};
	const struct card_driver *const drivers[] = { &kf_card_driver, &strong, NULL };

	script_close(&self->s);
	script_blank(&self->s);
	script_expect(&self->s, "00A40400 00000A F06B657966657272 7901 0000", "6A82");
	EXPECT_EQ(0, card_identify(self->s.card, drivers));
	EXPECT_NULL(self->s.card->driver);
	script_done(&self->s);
}

TEST(without_memory_a_card_is_not_half_met)
{
	long n = 0;
	bool all;

	do {
		struct script s = { 0 };
		struct card_io *io = NULL;
		struct card *card = NULL;
		int r;

		script_blank(&s);
		script_meeting(&s, 1);
		oom_begin(n);
		r = card_io_new_with(s.io->ops, &io);
		if (r == 0)
			r = card_new(io, &card);
		if (r == 0)
			r = card_identify(card, card_drivers);
		all = oom_end(&n);
		EXPECT_EQ(all ? 0 : -ENOMEM, r);
		EXPECT_EQ(all, card && card->driver);
		card = card_free(card);
		io = card_io_free(io);
		script_close(&s);
	} while (!all);
	EXPECT_EQ(5, n);	/* card_io and its two buffers, card, what we know of it */
}
