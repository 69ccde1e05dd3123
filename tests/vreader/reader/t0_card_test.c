/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faces vreader/reader/t0_card.c: TPDUs in, APDUs out, and back. */
#include "vreader/reader/t0_card.h"

#include "tests/harness.h"

FIXTURE(t0) { struct t0_card card; uint8_t buf[2000]; };

FIXTURE_SETUP(t0) { t0_card_init(&self->card, self->buf, sizeof(self->buf)); }
FIXTURE_TEARDOWN(t0) { (void)self; }

#define TPDU(s) t0_card_tpdu(&self->card, BYTES(s, sizeof(s) - 1))
#define ANSWER(s) t0_card_answer(&self->card, BYTES(s, sizeof(s) - 1))
#define EXPECT_OUT(s) EXPECT_BYTES_EQ(BYTES(s, sizeof(s) - 1), t0_card_out(&self->card))
#define EXPECT_COMMAND(s) EXPECT_BYTES_EQ(BYTES(s, sizeof(s) - 1), t0_card_command(&self->card))

TEST_F(t0, a_tpdu_with_data_is_run_without_le_and_one_without_asks_for_p3)
{
	EXPECT_EQ(T0_RUN, TPDU("\x00\xd6\x00\x00\x03" "abc"));
	EXPECT_COMMAND("\x00\xd6\x00\x00\x03" "abc");
	ANSWER("\x61\x10");
	EXPECT_OUT("\x61\x10");
	EXPECT_EQ(T0_RUN, TPDU("\x00\xb0\x00\x00\x02"));
	EXPECT_COMMAND("\x00\xb0\x00\x00\x02");
	ANSWER("ab\x90\x00");
	EXPECT_OUT("ab\x90\x00");
	EXPECT_EQ(T0_RUN, TPDU("\x00\xb0\x00\x00\x00"));
	EXPECT_COMMAND("\x00\xb0\x00\x00\x00");
}

TEST_F(t0, less_than_p3_is_held_back_until_it_is_asked_for_by_its_length)
{
	EXPECT_EQ(T0_RUN, TPDU("\x00\xb0\x00\x01\x00"));
	ANSWER("abc\x90\x00");
	EXPECT_OUT("\x6c\x03");
	EXPECT_EQ(T0_SEND, TPDU("\x00\xb0\x00\x01\x03"));
	EXPECT_OUT("abc\x90\x00");
	EXPECT_EQ(T0_RUN, TPDU("\x00\xb0\x00\x01\x03"));	/* that was it */
	ANSWER("a\x90\x00");
	EXPECT_OUT("\x6c\x01");
	EXPECT_EQ(T0_RUN, TPDU("\x00\xb0\x00\x02\x01"));	/* another command */
}

TEST_F(t0, more_than_p3_is_held_back_like_less)
{
	EXPECT_EQ(T0_RUN, TPDU("\x00\xb0\x00\x01\x02"));
	ANSWER("abc\x90\x00");
	EXPECT_OUT("\x6c\x03");
	EXPECT_EQ(T0_SEND, TPDU("\x00\xb0\x00\x01\x03"));
	EXPECT_OUT("abc\x90\x00");
}

/* However P3, which was the length of the other way, compares with that of the answer. */
TEST_F(t0, a_tpdu_that_brought_data_is_told_how_much_there_is_to_fetch)
{
	EXPECT_EQ(T0_RUN, TPDU("\x00\xa4\x04\x00\x03" "aid"));
	ANSWER("abc\x90\x00");
	EXPECT_OUT("\x61\x03");
	EXPECT_EQ(T0_SEND, TPDU("\x00\xc0\x00\x00\x03"));
	EXPECT_OUT("abc\x90\x00");
	EXPECT_EQ(T0_RUN, TPDU("\x00\xa4\x04\x00\x03" "aid"));
	ANSWER("a\x90\x00");
	EXPECT_OUT("\x61\x01");
	EXPECT_EQ(T0_SEND, TPDU("\x00\xc0\x00\x00\x01"));
	EXPECT_OUT("a\x90\x00");
	EXPECT_EQ(T0_RUN, TPDU("\x00\xc2\x00\x00\x05" "\x00\xb0\x00\x00\x02"));
	ANSWER("abcdef\x90\x00");
	EXPECT_OUT("\x61\x06");
	EXPECT_EQ(T0_RUN, TPDU("\x00\xb0\x00\x00\x06"));	/* what was not fetched is gone */
	ANSWER("\x90\x00");
	EXPECT_EQ(T0_RUN, TPDU("\x00\xc0\x00\x00\x06"));
}

TEST_F(t0, a_status_word_alone_needs_no_length)
{
	EXPECT_EQ(T0_RUN, TPDU("\x00\xb0\x00\x00\x10"));
	ANSWER("\x69\x82");
	EXPECT_OUT("\x69\x82");
	EXPECT_EQ(T0_RUN, TPDU("\x80\x58\x00\x01\x00"));
	ANSWER("\x90\x00");
	EXPECT_OUT("\x90\x00");
}

TEST_F(t0, a_tpdu_of_another_length_than_p3_says_is_refused_and_not_run)
{
	EXPECT_EQ(T0_SEND, TPDU("\x00\xd6\x00\x00\x03" "ab"));
	EXPECT_OUT("\x67\x00");
	EXPECT_EQ(T0_SEND, TPDU("\x00\xd6\x00\x00\x03" "abcd"));
	EXPECT_OUT("\x67\x00");
	for (size_t n = 0; n < 5; n++) {
		EXPECT_EQ(T0_SEND, t0_card_tpdu(&self->card, BYTES("\x00\xd6\x00\x00\x03", n)));
		EXPECT_OUT("\x67\x00");
	}
}

TEST_F(t0, envelopes_are_gathered_and_le_is_left_out)
{
	uint8_t tpdu[260] = { 0x00, 0xc2, 0x00, 0x00, 0xff, 0x00, 0xda, 0x00, 0x00, 0x00, 0x01, 0x2c };

	EXPECT_EQ(T0_SEND, t0_card_tpdu(&self->card, BYTES_OF(tpdu)));
	EXPECT_OUT("\x90\x00");
	tpdu[4] = 54;			/* 7 + 300 + 2 of Le, less 255 */
	EXPECT_EQ(T0_RUN, t0_card_tpdu(&self->card, BYTES(tpdu, 59)));
	EXPECT_EQ(307u, t0_card_command(&self->card).n);
	ANSWER("\x61\x00");
	EXPECT_OUT("\x61\x00");
}

TEST_F(t0, an_empty_envelope_ends_one_that_filled_its_last_part)
{
	uint8_t tpdu[260] = { 0x00, 0xc2, 0x00, 0x00, 0xff, 0x00, 0xda, 0x00, 0x00, 0x00, 0x00, 0xf8 };

	EXPECT_EQ(T0_SEND, t0_card_tpdu(&self->card, BYTES_OF(tpdu)));
	EXPECT_EQ(T0_RUN, TPDU("\x00\xc2\x00\x00\x00"));
	EXPECT_EQ(255u, t0_card_command(&self->card).n);
}

TEST_F(t0, envelopes_that_never_become_whole_are_refused)
{
	uint8_t tpdu[260] = { 0x00, 0xc2, 0x00, 0x00, 0xff, 0x00, 0xda, 0x00, 0x00, 0x00, 0xff, 0xff };

	EXPECT_EQ(T0_SEND, t0_card_tpdu(&self->card, BYTES_OF(tpdu)));
	EXPECT_EQ(T0_SEND, TPDU("\x00\xc2\x00\x00\x00"));
	EXPECT_OUT("\x67\x00");
	for (int i = 0; i < 7; i++)
		EXPECT_EQ(T0_SEND, t0_card_tpdu(&self->card, BYTES_OF(tpdu)));
	EXPECT_OUT("\x90\x00");
	EXPECT_EQ(T0_SEND, t0_card_tpdu(&self->card, BYTES_OF(tpdu)));	/* the buffer is full */
	EXPECT_OUT("\x67\x00");
}

TEST_F(t0, what_was_handed_on_and_what_was_gathered_is_wiped)
{
	EXPECT_EQ(T0_RUN, TPDU("\x00\x20\x00\x81\x06" "123456"));
	EXPECT_EQ(T0_RUN, TPDU("\x00\xb0\x00\x00\x02"));
	EXPECT_TRUE(bytes_are_zero(BYTES(self->buf + 5, 6)));
	ANSWER("ab\x90\x00");
	t0_card_sent(&self->card);
	EXPECT_TRUE(bytes_are_zero(BYTES_OF(self->card.out)));
}
