/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faces vreader/reader/t1_card.c, in the words of the scenarios of [7816-3 annex A]. */
#include "vreader/reader/t1_card.h"

#include "tests/harness.h"

FIXTURE(t1)
{
	struct t1_card card;
	uint8_t buf[1024];
	uint8_t block[T1_BLOCK_MAX + 8];
};

FIXTURE_SETUP(t1)
{
	t1_card_init(&self->card, self->buf, sizeof(self->buf));
}

FIXTURE_TEARDOWN(t1)
{
	(void)self;
}

/* Sends NAD 0, @pcb, @inf with a good LRC. */
static enum t1_next send(struct fixture_t1 *self, uint8_t pcb, const char *inf, size_t n)
{
	struct packer p = pack_begin(self->block, sizeof(self->block));
	uint8_t lrc = 0;

	pack_u8(&p, 0);
	pack_u8(&p, pcb);
	pack_u8(&p, (uint8_t)n);
	pack_bytes(&p, BYTES(inf, n));
	for (size_t i = 0; i < p.n; i++)
		lrc ^= p.p[i];
	pack_u8(&p, lrc);
	return t1_card_block(&self->card, pack_done(&p));
}

/* The last block out is sound, and this is its PCB. */
static uint8_t pcb_out(const struct fixture_t1 *self)
{
	struct bytes b = t1_card_block_out(&self->card);
	uint8_t lrc = 0;

	for (size_t i = 0; i < b.n; i++)
		lrc ^= b.p[i];
	EXPECT_EQ(0, lrc);
	EXPECT_EQ(0, b.p[0]);
	EXPECT_EQ(b.n, 4u + b.p[2]);
	return b.p[1];
}

#define EXPECT_OUT(pcb, next) do { EXPECT_EQ(T1_SEND, next); EXPECT_EQ(pcb, pcb_out(self)); } while (0)

TEST_F(t1, one_block_each_way_and_the_numbers_alternate)
{
	EXPECT_EQ(T1_RUN, send(self, 0x00, "abc", 3));
	EXPECT_BYTES_EQ(BYTES("abc", 3), t1_card_command(&self->card));
	t1_card_answer(&self->card, BYTES("\x90\x00", 2));
	EXPECT_EQ(0x00, pcb_out(self));
	EXPECT_EQ(T1_RUN, send(self, 0x40, "d", 1));
	EXPECT_BYTES_EQ(BYTES("d", 1), t1_card_command(&self->card));
	t1_card_answer(&self->card, BYTES("\x90\x00", 2));
	EXPECT_EQ(0x40, pcb_out(self));
}

TEST_F(t1, a_chain_of_the_host_is_gathered)
{
	EXPECT_OUT(0x90, send(self, 0x20, "ab", 2));
	EXPECT_OUT(0x80, send(self, 0x60, "cd", 2));
	EXPECT_EQ(T1_RUN, send(self, 0x00, "e", 1));
	EXPECT_BYTES_EQ(BYTES("abcde", 5), t1_card_command(&self->card));
}

TEST_F(t1, a_long_response_is_chained_by_what_the_host_can_take)
{
	uint8_t response[70] = { 1 };

	EXPECT_EQ(T1_RUN, send(self, 0x00, "x", 1));
	t1_card_answer(&self->card, BYTES_OF(response));	/* IFSD 32 until S(IFS) */
	EXPECT_EQ(0x20, pcb_out(self));
	EXPECT_EQ(36u, t1_card_block_out(&self->card).n);
	EXPECT_OUT(0x60, send(self, 0x90, "", 0));
	EXPECT_OUT(0x00, send(self, 0x80, "", 0));
	EXPECT_EQ(10u, t1_card_block_out(&self->card).n);
	EXPECT_EQ(T1_READY, self->card.phase);
}

TEST_F(t1, ifs_is_agreed_within_its_range_only)
{
	EXPECT_OUT(0xe1, send(self, 0xc1, "\xfe", 1));
	EXPECT_EQ(0xfe, self->card.ifsd);
	EXPECT_OUT(0x82, send(self, 0xc1, "\x00", 1));
	EXPECT_OUT(0x82, send(self, 0xc1, "\xff", 1));
	EXPECT_OUT(0x82, send(self, 0xc1, "", 0));
	EXPECT_EQ(0xfe, self->card.ifsd);
}

TEST_F(t1, a_wrong_lrc_is_asked_for_again_and_nothing_is_run)
{
	const uint8_t bad[] = { 0, 0, 1, 'a', 0 };

	EXPECT_OUT(0x81, t1_card_block(&self->card, BYTES_OF(bad)));
	EXPECT_EQ(T1_RUN, send(self, 0x00, "a", 1));
}

TEST_F(t1, every_truncation_of_a_block_is_answered_by_r)
{
	const uint8_t good[] = { 0, 0, 3, 'a', 'b', 'c', 0x63 };

	for (size_t n = 0; n < sizeof(good); n++)
		EXPECT_OUT(0x82, t1_card_block(&self->card, BYTES(good, n)));
	EXPECT_EQ(T1_RUN, t1_card_block(&self->card, BYTES_OF(good)));
}

TEST_F(t1, a_foreign_node_or_reserved_bits_are_answered_by_r)
{
	const uint8_t nad[] = { 0x21, 0, 0, 0x21 };

	EXPECT_OUT(0x82, t1_card_block(&self->card, BYTES_OF(nad)));
	EXPECT_OUT(0x82, send(self, 0x01, "a", 1));
	EXPECT_OUT(0x82, send(self, 0x83, "", 0));
	EXPECT_OUT(0x82, send(self, 0xc5, "", 0));
	EXPECT_OUT(0x82, send(self, 0xe0, "", 0));
}

TEST_F(t1, the_last_block_is_repeated_when_asked_for)
{
	EXPECT_EQ(T1_RUN, send(self, 0x00, "a", 1));
	t1_card_answer(&self->card, BYTES("\x6a\x82", 2));
	EXPECT_OUT(0x00, send(self, 0x81, "", 0));
	EXPECT_BYTES_EQ(BYTES("\x00\x00\x02\x6a\x82\xea", 6), t1_card_block_out(&self->card));
	EXPECT_OUT(0x00, send(self, 0x82, "", 0));
}

TEST_F(t1, a_repeated_i_block_is_not_run_twice)
{
	EXPECT_EQ(T1_RUN, send(self, 0x00, "a", 1));
	t1_card_answer(&self->card, BYTES("\x90\x00", 2));
	EXPECT_OUT(0x92, send(self, 0x00, "a", 1));
}

TEST_F(t1, time_is_asked_for_and_granted)
{
	EXPECT_EQ(T1_RUN, send(self, 0x00, "a", 1));
	t1_card_ask_time(&self->card, 1);
	EXPECT_EQ(0xc3, pcb_out(self));
	EXPECT_OUT(0xc3, send(self, 0x81, "", 0));		/* it did not arrive: again */
	EXPECT_OUT(0x92, send(self, 0xe3, "\x02", 1));		/* not what we asked for */
	t1_card_ask_time(&self->card, 1);
	EXPECT_EQ(T1_HOLD, send(self, 0xe3, "\x01", 1));
	EXPECT_EQ(T1_HOLD, send(self, 0x80, "", 0));
	t1_card_answer(&self->card, BYTES("\x90\x00", 2));
	EXPECT_EQ(0x00, pcb_out(self));
}

TEST_F(t1, resynch_begins_anew_whatever_went_on)
{
	uint8_t response[100] = { 0 };

	EXPECT_OUT(0xe1, send(self, 0xc1, "\xfe", 1));
	EXPECT_OUT(0x90, send(self, 0x20, "ab", 2));
	EXPECT_OUT(0xe0, send(self, 0xc0, "", 0));
	EXPECT_EQ(T1_RUN, send(self, 0x00, "c", 1));
	EXPECT_BYTES_EQ(BYTES("c", 1), t1_card_command(&self->card));
	t1_card_answer(&self->card, BYTES_OF(response));
	EXPECT_EQ(0x20, pcb_out(self));				/* IFSD is 32 again */
	EXPECT_OUT(0xe0, send(self, 0xc0, "", 0));
	EXPECT_EQ(T1_READY, self->card.phase);
	EXPECT_EQ(T1_RUN, send(self, 0x00, "d", 1));
}

TEST_F(t1, abort_is_for_chains_only)
{
	EXPECT_OUT(0x82, send(self, 0xc2, "", 0));
	EXPECT_OUT(0x90, send(self, 0x20, "ab", 2));
	EXPECT_OUT(0xe2, send(self, 0xc2, "", 0));
	EXPECT_EQ(T1_RUN, send(self, 0x40, "c", 1));
	EXPECT_BYTES_EQ(BYTES("c", 1), t1_card_command(&self->card));
}

TEST_F(t1, a_command_longer_than_the_buffer_is_never_run)
{
	static const char part[254];
	uint8_t ns = 0;

	for (int i = 0; i < 4; i++, ns ^= 0x40)
		EXPECT_OUT(ns ? 0x80 : 0x90, send(self, (uint8_t)(0x20 | ns), part, 254));
	EXPECT_OUT(0x82, send(self, 0x00, part, 254));
	EXPECT_OUT(0x82, send(self, 0x00, part, 254));
}
