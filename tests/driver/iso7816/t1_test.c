/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names like b6 are rows of the catalogue of hostile readers, part "T=1". A test is a dialogue: what
 * the machine is to send, and what it hears; blocks are written without their LRC.
 */
#include "driver/iso7816/t1.h"
#include "tests/driver/scripted.h"
#include "tests/harness.h"

static uint8_t lrc(const uint8_t *p, size_t n)
{
	uint8_t x = 0;

	while (n--)
		x ^= *p++;
	return x;
}

FIXTURE(t1) {
	struct t1 t;
	uint8_t response[70000];
	int r;
};

FIXTURE_SETUP(t1)
{
	t1_init(&self->t, 32, false, T1_IFS_DEFAULT);
	self->r = T1_SEND;
}

FIXTURE_TEARDOWN(t1)
{
	t1_deinit(&self->t);
}

#define SELF struct fixture_t1 *self

static void begin_n(SELF, size_t n)
{
	static uint8_t command[65544];

	for (size_t i = 0; i < n; i++)
		command[i] = (uint8_t)i;
	t1_begin(&self->t, BYTES(command, n), self->response, sizeof(self->response));
}

/* The block out now is this, LRC not given. */
static void sends(SELF, const char *hex)
{
	uint8_t want[300];
	size_t n = unhex(hex, want, sizeof(want) - 1);

	want[n] = lrc(want, n);
	EXPECT_EQ(T1_SEND, self->r);
	EXPECT_BYTES_EQ(BYTES(want, n + 1), t1_block(&self->t));
}

static void hears(SELF, const char *hex)
{
	uint8_t block[300];
	size_t n = unhex(hex, block, sizeof(block) - 1);

	ASSERT_EQ(T1_SEND, self->r);
	block[n] = lrc(block, n);
	self->r = t1_feed(&self->t, BYTES(block, n + 1));
}

/* The bytes as they are, checksum and all. */
static void hears_raw(SELF, const char *hex)
{
	uint8_t block[300];
	size_t n = unhex(hex, block, sizeof(block));

	ASSERT_EQ(T1_SEND, self->r);
	self->r = t1_feed(&self->t, BYTES(block, n));
}

/* Three tries, then RESYNCH. */
static void ends_in_resynch(SELF, const char *bad)
{
	for (int i = 0; i < 3; i++)
		hears_raw(self, bad);
	sends(self, "00 c0 00");
	hears(self, "00 e0 00");
	EXPECT_EQ(-EIO, self->r);
	EXPECT_EQ(T1_IDLE, self->t.state);
}

TEST_F(t1, b1_one_block_each_way_and_the_numbers_toggle)
{
	begin_n(self, 4);
	sends(self, "00 00 04 00010203");
	hears(self, "00 00 02 9000");
	ASSERT_EQ(T1_DONE, self->r);
	EXPECT_BYTES_EQ(BYTES("\x90\x00", 2), BYTES(self->response, self->t.got));
	self->r = T1_SEND;
	begin_n(self, 4);
	sends(self, "00 40 04 00010203");
	hears(self, "00 40 02 6d00");
	ASSERT_EQ(T1_DONE, self->r);
	EXPECT_EQ(0x6d, self->response[0]);
}

TEST_F(t1, b1_chains_in_both_directions)
{
	t1_init(&self->t, 4, false, T1_IFS_DEFAULT);
	begin_n(self, 10);
	EXPECT_FALSE(self->t.ran);
	sends(self, "00 20 04 00010203");
	hears(self, "00 90 00");
	sends(self, "00 60 04 04050607");
	hears(self, "00 80 00");
	sends(self, "00 00 02 0809");
	EXPECT_TRUE(self->t.ran);
	hears(self, "00 20 03 aabbcc");
	sends(self, "00 90 00");
	hears(self, "00 60 01 dd");
	sends(self, "00 80 00");
	hears(self, "00 00 02 9000");
	ASSERT_EQ(T1_DONE, self->r);
	EXPECT_BYTES_EQ(BYTES("\xaa\xbb\xcc\xdd\x90\x00", 6), BYTES(self->response, self->t.got));
}

/* CRC-16/MCRF4XX, high byte first; computed by another program. */
TEST_F(t1, b1_the_crc_is_that_of_the_field)
{
	t1_init(&self->t, 32, true, T1_IFS_DEFAULT);
	begin_n(self, 4);
	EXPECT_BYTES_EQ(BYTES("\x00\x00\x04\x00\x01\x02\x03\x05\x68", 9), t1_block(&self->t));
	hears_raw(self, "00 00 02 9000 0000");
	EXPECT_EQ(0x81, t1_block(&self->t).p[1]);
	hears_raw(self, "00 00 02 9000 9c6d");
	EXPECT_EQ(T1_DONE, self->r);
}

TEST_F(t1, b2_a_wrong_checksum_is_asked_about_and_recovered)
{
	begin_n(self, 4);
	hears_raw(self, "00 00 02 9000 ff");
	sends(self, "00 81 00");
	hears_raw(self, "00 00 02 9000 ff");
	sends(self, "00 81 00");
	hears(self, "00 00 02 9000");
	EXPECT_EQ(T1_DONE, self->r);
}

TEST_F(t1, b2_always_wrong_ends_in_resynch_and_three_of_those_in_reset)
{
	begin_n(self, 4);
	for (int i = 0; i < 3; i++)
		hears_raw(self, "00 00 02 9000 ff");
	for (int i = 0; i < 3; i++) {
		sends(self, "00 c0 00");
		hears_raw(self, "00 e0 00 ff");
	}
	EXPECT_EQ(-EIO, self->r);
	EXPECT_EQ(T1_BROKEN, self->t.state);
	EXPECT_TRUE(self->t.ran);
}

FIXTURE(bad) { struct fixture_t1 t; };
FIXTURE_VARIANT(bad) { const char *block; };
FIXTURE_VARIANT_ADD(bad, b3_len_larger_than_the_block) { "00 00 05 9000 95" };
FIXTURE_VARIANT_ADD(bad, b3_len_ff) { "00 00 ff 9000 6f" };
FIXTURE_VARIANT_ADD(bad, b3_len_smaller_than_the_block) { "00 00 01 9000 91" };
FIXTURE_VARIANT_ADD(bad, b4_nad) { "01 00 02 9000 93" };
FIXTURE_VARIANT_ADD(bad, b5_sequence_number_of_a_stale_block) { "00 40 02 9000 d2" };
FIXTURE_VARIANT_ADD(bad, b7_acknowledged_but_not_answered) { "00 90 00 90" };
FIXTURE_VARIANT_ADD(bad, b8_r_with_error_3) { "00 83 00 83" };
FIXTURE_VARIANT_ADD(bad, b8_r_with_bit_5) { "00 a0 00 a0" };
FIXTURE_VARIANT_ADD(bad, b8_r_with_data) { "00 80 01 00 81" };
FIXTURE_VARIANT_ADD(bad, b9_i_with_reserved_bits) { "00 01 02 9000 93" };
FIXTURE_VARIANT_ADD(bad, b10_wtx_0) { "00 c3 01 00 c2" };
FIXTURE_VARIANT_ADD(bad, b10_wtx_without_a_number) { "00 c3 00 c3" };
FIXTURE_VARIANT_ADD(bad, b10_wtx_with_two) { "00 c3 02 0101 c1" };
FIXTURE_VARIANT_ADD(bad, b13_ifs_0) { "00 c1 01 00 c0" };
FIXTURE_VARIANT_ADD(bad, b13_ifs_255) { "00 c1 01 ff 3f" };
FIXTURE_VARIANT_ADD(bad, b14_abort_outside_a_chain) { "00 c2 00 c2" };
FIXTURE_VARIANT_ADD(bad, b15_resynch_by_the_card) { "00 c0 00 c0" };
FIXTURE_VARIANT_ADD(bad, b16_an_answer_to_nothing) { "00 e3 01 01 e3" };
FIXTURE_VARIANT_ADD(bad, b16_an_ifs_answer_to_nothing) { "00 e1 01 20 c0" };
FIXTURE_VARIANT_ADD(bad, vpp_state) { "00 c4 00 c4" };
FIXTURE_VARIANT_ADD(bad, b20_nothing) { "" };
FIXTURE_VARIANT_ADD(bad, b20_one_byte) { "00" };
FIXTURE_VARIANT_ADD(bad, b20_three_bytes) { "00 00 00" };
FIXTURE_VARIANT_ADD(bad, b21_longer_than_ifsd) {
	"00 00 21 000000000000000000000000000000000000000000000000000000000000000000 21"
};
FIXTURE_SETUP(bad) { fixture_t1_set_up(&self->t, NULL); }
FIXTURE_TEARDOWN(bad) { fixture_t1_tear_down(&self->t, NULL); }

TEST_F(bad, an_invalid_block_is_asked_about_twice_then_resynchronised)
{
	begin_n(&self->t, 4);
	hears_raw(&self->t, variant->block);
	sends(&self->t, "00 82 00");
	hears_raw(&self->t, variant->block);
	sends(&self->t, "00 82 00");
	hears_raw(&self->t, variant->block);
	sends(&self->t, "00 c0 00");
	hears(&self->t, "00 e0 00");
	EXPECT_EQ(-EIO, self->t.r);
	EXPECT_EQ(T1_IDLE, self->t.t.state);
}

TEST_F(t1, b6_a_block_asked_for_again_is_sent_again_at_most_twice)
{
	begin_n(self, 4);
	for (int i = 0; i < 2; i++) {
		hears(self, "00 80 00");
		sends(self, "00 00 04 00010203");
	}
	hears(self, "00 81 00");
	sends(self, "00 c0 00");
}

TEST_F(t1, b10_waiting_time_is_granted_once_and_told_to_the_reader)
{
	begin_n(self, 4);
	EXPECT_EQ(0, self->t.bwi);
	hears(self, "00 c3 01 05");
	sends(self, "00 e3 01 05");
	EXPECT_EQ(5, self->t.bwi);
	hears(self, "00 c3 01 ff");
	sends(self, "00 e3 01 ff");
	EXPECT_EQ(255, self->t.bwi);
	hears(self, "00 00 02 9000");
	EXPECT_EQ(T1_DONE, self->r);
	EXPECT_EQ(0, self->t.bwi);
}

TEST_F(t1, b11_waiting_time_for_ever_ends_after_32)
{
	begin_n(self, 4);
	for (int i = 0; i < 32; i++)
		hears(self, "00 c3 01 01");
	EXPECT_EQ(T1_SEND, self->r);
	hears(self, "00 c3 01 01");
	EXPECT_EQ(-EBADMSG, self->r);
	EXPECT_EQ(T1_BROKEN, self->t.state);
}

TEST_F(t1, b12_a_smaller_ifsc_holds_from_the_next_block)
{
	t1_init(&self->t, 8, false, T1_IFS_DEFAULT);
	begin_n(self, 16);
	sends(self, "00 20 08 0001020304050607");
	hears(self, "00 c1 01 04");
	sends(self, "00 e1 01 04");
	hears(self, "00 90 00");
	sends(self, "00 60 04 08090a0b");
	hears(self, "00 80 00");
	sends(self, "00 00 04 0c0d0e0f");
}

TEST_F(t1, b12_a_block_asked_for_after_an_s_request_is_the_i_block)
{
	begin_n(self, 4);
	hears(self, "00 c3 01 01");
	hears(self, "00 80 00");
	sends(self, "00 00 04 00010203");
}

TEST_F(t1, b14_an_abort_in_a_chain_is_answered_and_the_command_fails)
{
	t1_init(&self->t, 4, false, T1_IFS_DEFAULT);
	begin_n(self, 10);
	hears(self, "00 c2 00");
	sends(self, "00 e2 00");
	EXPECT_FALSE(self->t.ran);
	hears(self, "00 90 00");
	EXPECT_EQ(-EIO, self->r);
	EXPECT_EQ(T1_BROKEN, self->t.state);
}

TEST_F(t1, b17_ifsd_is_negotiated_or_stays_32)
{
	t1_init(&self->t, 32, false, 254);
	EXPECT_TRUE(t1_wants_ifs(&self->t));
	t1_begin_ifs(&self->t);
	sends(self, "00 c1 01 fe");
	hears(self, "00 e1 01 fe");
	EXPECT_EQ(T1_DONE, self->r);
	EXPECT_EQ(254, self->t.accept);
	EXPECT_FALSE(t1_wants_ifs(&self->t));

	t1_init(&self->t, 32, false, 254);
	self->r = T1_SEND;
	t1_begin_ifs(&self->t);
	hears(self, "00 e1 01 20");			/* another value */
	sends(self, "00 c1 01 fe");
	hears(self, "00 82 00");			/* R */
	sends(self, "00 c1 01 fe");
	self->r = t1_silence(&self->t, T1_FAULT_OTHER);	/* nothing */
	EXPECT_EQ(T1_DONE, self->r);
	EXPECT_EQ(32, self->t.accept);
	EXPECT_FALSE(t1_wants_ifs(&self->t));
	self->r = T1_SEND;
	begin_n(self, 4);
	sends(self, "00 00 04 00010203");
}

TEST_F(t1, b18_a_chain_for_ever_ends_at_the_limits)
{
	begin_n(self, 4);
	for (int i = 0; i < 5; i++)
		hears(self, i & 1 ? "00 60 00" : "00 20 00");
	EXPECT_EQ(-EBADMSG, self->r);
	EXPECT_EQ(T1_BROKEN, self->t.state);

	t1_init(&self->t, 32, false, T1_IFS_DEFAULT);
	self->r = T1_SEND;
	begin_n(self, 4);
	for (int i = 0; i < 4096; i++)
		hears(self, i & 1 ? "00 60 01 aa" : "00 20 01 aa");
	EXPECT_EQ(T1_SEND, self->r);
	hears(self, "00 20 01 aa");
	EXPECT_EQ(-EBADMSG, self->r);
}

TEST_F(t1, b18_a_response_longer_than_its_buffer_ends_the_command)
{
	uint8_t small[4];

	t1_begin(&self->t, BYTES("\0\0\0\0", 4), small, sizeof(small));
	hears(self, "00 20 04 01020304");
	hears(self, "00 40 01 05");
	EXPECT_EQ(-EBADMSG, self->r);
	EXPECT_EQ(T1_BROKEN, self->t.state);
}

TEST_F(t1, b19_after_a_resynch_nothing_is_sent_again_and_ifsd_is_asked_for_anew)
{
	t1_init(&self->t, 32, false, 254);
	t1_begin_ifs(&self->t);
	hears(self, "00 e1 01 fe");
	self->r = T1_SEND;
	begin_n(self, 4);
	ends_in_resynch(self, "00");
	EXPECT_TRUE(self->t.ran);
	EXPECT_TRUE(t1_wants_ifs(&self->t));
	EXPECT_EQ(254, self->t.accept);
	EXPECT_EQ(0, self->t.ns);
}

TEST_F(t1, a_lost_r_block_is_repeated)
{
	begin_n(self, 4);
	hears(self, "00 20 02 aabb");
	sends(self, "00 90 00");
	hears(self, "00 92 00");
	sends(self, "00 90 00");
	hears(self, "00 40 02 9000");
	EXPECT_EQ(T1_DONE, self->r);
	EXPECT_EQ(4, self->t.got);
}

TEST_F(t1, silence_and_parity_are_bad_blocks_too)
{
	begin_n(self, 4);
	self->r = t1_silence(&self->t, T1_FAULT_EDC);
	sends(self, "00 81 00");
	self->r = t1_silence(&self->t, T1_FAULT_OTHER);
	sends(self, "00 82 00");
	hears(self, "00 00 02 9000");
	EXPECT_EQ(T1_DONE, self->r);
}

TEST_F(t1, every_pair_of_bytes_is_survived_in_every_state)
{
	static const char *const lead[] = { NULL, "00 20 02 aabb", "00 c3 01 01" };

	for (size_t i = 0; i < 3; i++) {
		for (unsigned int v = 0; v < 0x10000; v++) {
			uint8_t block[4] = { 0, (uint8_t)(v >> 8), 0, 0 };

			t1_init(&self->t, 32, false, T1_IFS_DEFAULT);
			self->r = T1_SEND;
			begin_n(self, i == 0 ? 40 : 4);
			if (lead[i])
				hears(self, lead[i]);
			block[3] = (uint8_t)(block[1] ^ (v & 0xff));
			(void)t1_feed(&self->t, BYTES_OF(block));
		}
	}
}
