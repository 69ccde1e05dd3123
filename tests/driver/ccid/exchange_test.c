/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names like f6 and t3 are rows of the catalogue of hostile readers: F frame level, T time
 * extension and abort. Packets are those of docs/vreader.md; see scripted.h for the notation.
 */
#include "driver/ccid/exchange.h"
#include "tests/driver/scripted.h"
#include "tests/harness.h"

#include <sys/socket.h>
#include <unistd.h>

static const uint8_t apdu[] = { 0x00, 0xa4, 0x04, 0x00 };

#define GOOD "01 80 02000000 00 ss 00 00 00 9000"

/* One XfrBlock against a script; what came of it. */
struct outcome {
	int r;
	struct ccid_reply reply;
	uint8_t data[300];
	struct exchange_counts counts;
	bool lost, dead, sent;
	char heard[4096];
	int again;		/* a GetSlotStatus afterwards */
};

static void xfr_on(struct scripted *s, const struct scripted_step *steps, size_t n,
		   uint64_t within_ms, struct outcome *out)
{
	struct reader *reader = scripted_reader(s, steps, n);
	struct exchange *x = &reader->exchange;
	struct ccid_command xfr = ccid_xfr_block(0, 0, BYTES_OF(apdu));
	struct ccid_command status = ccid_get_slot_status();
	struct ccid_reply reply;
	uint64_t before = clock_ms();

	memset(out, 0, sizeof(*out));
	out->r = exchange_run(x, 0, &xfr, 0, deadline_in(within_ms), &out->reply);
	/* Whatever the reader does, an operation ends by its deadline. */
	EXPECT_LE(clock_ms() - before, within_ms + (uint64_t)harness_patience_ms(300));
	if (out->r == 0 && out->reply.data.n <= sizeof(out->data) && out->reply.data.n != 0)
		memcpy(out->data, out->reply.data.p, out->reply.data.n);
	out->counts = x->counts;
	out->lost = x->lost;
	out->sent = x->sent;
	out->again = exchange_run(x, 0, &status, 0, deadline_in(8000), &reply);
	out->dead = x->dead;
	(void)reader_free(reader);
	scripted_stop(s);
	memcpy(out->heard, s->heard, sizeof(s->heard));
}

#define XFR(within, out, ...) \
	do { \
		static const struct scripted_step steps_[] = { __VA_ARGS__ }; \
		struct scripted s_; \
		scripted_init(&s_, SCRIPTED_EXTENDED, 65554); \
		xfr_on(&s_, steps_, sizeof(steps_) / sizeof(steps_[0]), within, out); \
	} while (0)
#define HEAR(what, ...) { .hear = what, .say = { __VA_ARGS__ } }

static void expect_sw(const struct outcome *o)
{
	ASSERT_EQ(0, o->r);
	EXPECT_EQ(CCID_DONE, o->reply.outcome);
	ASSERT_EQ(2, o->reply.data.n);
	EXPECT_MEMEQ("\x90\x00", o->data, 2);
	EXPECT_EQ(0, o->again);
}

TEST(f1_an_ordinary_answer_is_delivered)
{
	struct outcome o;

	XFR(2000, &o, HEAR("016f", GOOD));
	expect_sw(&o);
	EXPECT_FALSE(o.lost);
	EXPECT_EQ(0, o.counts.malformed);
}

TEST(f2_answers_shorter_than_a_header_are_malformed_and_the_pipe_comes_back)
{
	struct outcome o;

	XFR(3000, &o, HEAR("016f", "01 80 02 00 00 00 00 ss 00 00"));
	EXPECT_EQ(-EBADMSG, o.r);
	EXPECT_STREQ("65 6f 03 72 65 ", o.heard);
	EXPECT_EQ(0, o.again);
	XFR(3000, &o, HEAR("016f", "01 80"));
	EXPECT_EQ(-EBADMSG, o.r);
	EXPECT_EQ(0, o.again);
}

TEST(f2_zero_length_transfers_are_ignored_four_times)
{
	struct outcome o;

	XFR(2000, &o, HEAR("016f", "*4 01", GOOD));
	expect_sw(&o);
	EXPECT_EQ(4, o.counts.zero_length);
	XFR(2000, &o, HEAR("016f", "*20 01"));
	EXPECT_EQ(-EBADMSG, o.r);
	EXPECT_EQ(0, o.again);
}

TEST(f3_f4_lengths_beyond_what_came_are_malformed)
{
	struct outcome o;

	XFR(2000, &o, HEAR("016f", "01 80 64000000 00 ss 00 00 00 9000"));
	EXPECT_EQ(-EBADMSG, o.r);
	XFR(2000, &o, HEAR("016f", "01 80 ffffffff 00 ss 00 00 00 9000"));
	EXPECT_EQ(-EBADMSG, o.r);
	XFR(2000, &o, HEAR("016f", "01 80 f6ffffff 00 ss 00 00 00 9000"));
	EXPECT_EQ(-EBADMSG, o.r);
	XFR(2000, &o, HEAR("016f", "01 80 00000080 00 ss 00 00 00 9000"));
	EXPECT_EQ(-EBADMSG, o.r);
}

TEST(f5_f23_what_stands_behind_the_answer_is_dropped_and_counted)
{
	struct outcome o;

	XFR(2000, &o, HEAR("016f", GOOD "000000"));
	expect_sw(&o);
	EXPECT_EQ(1, o.counts.surplus);
	XFR(2000, &o, HEAR("016f", GOOD "80 02000000 00 ss 00 00 00 6d00"));
	expect_sw(&o);
}

TEST(f6_f11_answers_to_earlier_commands_are_dropped)
{
	struct outcome o;

	XFR(2000, &o, HEAR("016f", "01 80 02000000 00 tt 00 00 00 6d00", GOOD, GOOD));
	expect_sw(&o);
	EXPECT_EQ(1, o.counts.stale);
}

TEST(f7_answers_to_earlier_commands_for_ever_end_after_sixteen)
{
	struct outcome o;

	XFR(4000, &o, HEAR("016f", "*16 01 80 02000000 00 tt 00 00 00 6d00", GOOD));
	expect_sw(&o);
	XFR(4000, &o, HEAR("016f", "*17 01 80 02000000 00 tt 00 00 00 6d00", GOOD));
	EXPECT_EQ(-EBADMSG, o.r);
	EXPECT_EQ(0, o.again);
}

TEST(f8_slots_that_do_not_exist_are_malformed)
{
	struct outcome o;

	XFR(2000, &o, HEAR("016f", "01 80 02000000 01 ss 00 00 00 9000"));
	EXPECT_EQ(-EBADMSG, o.r);
	XFR(2000, &o, HEAR("016f", "01 80 02000000 ff ss 00 00 00 9000"));
	EXPECT_EQ(-EBADMSG, o.r);
}

TEST(f9_an_answer_of_another_type_is_malformed_unless_it_is_a_failure)
{
	struct outcome o;

	XFR(2000, &o, HEAR("016f", "01 82 02000000 00 ss 00 00 00 9000"));
	EXPECT_EQ(-EBADMSG, o.r);
	XFR(2000, &o, HEAR("016f", "01 81 00000000 00 ss 00 00 00"));
	EXPECT_EQ(-EBADMSG, o.r);
	XFR(2000, &o, HEAR("016f", "01 81 00000000 00 ss 40 00 00"));
	EXPECT_EQ(0, o.r);
	EXPECT_EQ(CCID_FAILED, o.reply.outcome);
	EXPECT_EQ(CCID_ERROR_UNSUPPORTED, o.reply.detail);	/* F15 */
}

TEST(f10_what_was_left_in_the_pipe_is_drained_at_the_start)
{
	static const struct scripted_step steps[] = { HEAR("0165", "01 81 00000000 00 ss 01 00 00") };
	struct scripted s;
	struct reader *reader;

	scripted_init(&s, SCRIPTED_EXTENDED, 65554);
	/* The first bytes the driver reads as an answer are those of an earlier life. */
	reader = SCRIPTED_READER(&s, steps);
	EXPECT_EQ(SLOT_UNPOWERED, reader->slots[0].state);
	(void)reader_free(reader);
	scripted_stop(&s);
}

TEST(f12_reserved_states_are_malformed)
{
	struct outcome o;

	XFR(2000, &o, HEAR("016f", "01 80 02000000 00 ss c0 00 00 9000"));
	EXPECT_EQ(-EBADMSG, o.r);
	XFR(2000, &o, HEAR("016f", "01 80 02000000 00 ss 03 00 00 9000"));
	EXPECT_EQ(-EBADMSG, o.r);
}

TEST(f13_f14_the_status_decides_not_payload_or_error_byte)
{
	struct outcome o;

	XFR(2000, &o, HEAR("016f", "01 80 02000000 00 ss 40 fd 00 9000"));
	EXPECT_EQ(0, o.r);
	EXPECT_EQ(CCID_FAILED, o.reply.outcome);
	EXPECT_EQ(-EIO, ccid_reply_errno(&o.reply));
	XFR(2000, &o, HEAR("016f", "01 80 02000000 00 ss 00 fd 00 9000"));
	expect_sw(&o);
}

TEST(f16_f17_a_busy_slot_is_asked_again_five_times)
{
	struct outcome o;

	XFR(3000, &o,
	    HEAR("016f", "01 80 00000000 00 ss 40 e0 00"),
	    HEAR("016f", "01 80 00000000 00 ss 40 f2 00"),
	    HEAR("016f", GOOD));
	expect_sw(&o);
	EXPECT_EQ(2, o.counts.busy);
#define BUSY HEAR("016f", "01 80 00000000 00 ss 40 e0 00")
	XFR(3000, &o, BUSY, BUSY, BUSY, BUSY, BUSY, BUSY, HEAR("016f", GOOD));
	EXPECT_EQ(0, o.r);
	EXPECT_EQ(-EBUSY, ccid_reply_errno(&o.reply));
}

/* 54 bytes of payload make a message of exactly 64. */
#define FIFTY "00000000000000000000000000000000000000000000000000" \
	      "00000000000000000000000000000000000000000000000000"

TEST(f20_a_message_of_whole_packets_needs_no_zero_length_packet_and_may_have_one)
{
	struct outcome o;

	XFR(2000, &o, HEAR("016f", "01 80 36000000 00 ss 00 00 00" FIFTY "11119000"));
	EXPECT_EQ(0, o.r);
	EXPECT_EQ(54, o.reply.data.n);
	XFR(2000, &o, HEAR("016f", "01 80 36000000 00 ss 00 00 00" FIFTY "11119000", "01"));
	EXPECT_EQ(0, o.r);
	EXPECT_EQ(54, o.reply.data.n);
	EXPECT_EQ(0, o.again);
}

TEST(f21_a_message_cut_at_a_short_packet_is_malformed_and_at_a_full_one_goes_on)
{
	struct outcome o;

	XFR(2000, &o, HEAR("016f", "01 80 02000000 00 ss 00 00 00", "01 9000"));
	EXPECT_EQ(-EBADMSG, o.r);
	EXPECT_EQ(0, o.again);
	XFR(2000, &o, HEAR("016f", "01 80 38000000 00 ss 00 00 00" FIFTY "11111111", "01 9000"));
	EXPECT_EQ(0, o.r);
	EXPECT_EQ(56, o.reply.data.n);
	/* A zero-length packet in the middle ends the message where it is. */
	XFR(2000, &o, HEAR("016f", "01 80 38000000 00 ss 00 00 00" FIFTY "11111111", "01"));
	EXPECT_EQ(-EBADMSG, o.r);
}

TEST(f22_a_message_longer_than_the_reader_said_is_malformed)
{
	struct scripted s;
	struct outcome o;
	static const struct scripted_step steps[] = {
		HEAR("016f", "01 80 37000000 00 ss 00 00 00" FIFTY "1111119000"),
	};

	scripted_init(&s, SCRIPTED_EXTENDED, 64);
	xfr_on(&s, steps, 1, 2000, &o);
	EXPECT_EQ(-EBADMSG, o.r);
	EXPECT_EQ(0, o.again);
}

TEST(f25_a_stall_is_cleared_and_tells_if_the_command_ran)
{
	struct outcome o;

	XFR(3000, &o, HEAR("016f", "04 82 01"));
	EXPECT_EQ(-EIO, o.r);
	EXPECT_TRUE(o.sent);
	EXPECT_STREQ("65 6f 04 04 65 65 ", o.heard);
	EXPECT_EQ(0, o.again);
	XFR(3000, &o, HEAR("016f", "04 01 01"));
	EXPECT_EQ(-EIO, o.r);
	EXPECT_FALSE(o.sent);
	EXPECT_EQ(0, o.again);
}

TEST(t1_a_time_extension_is_waited_for)
{
	struct outcome o;

	XFR(2000, &o, HEAR("016f", "01 80 00000000 00 ss 80 02 00", "~100 " GOOD));
	expect_sw(&o);
	EXPECT_EQ(1, o.counts.extensions);
}

TEST(t2_the_multipliers_0_and_ff_count_as_one)
{
	struct outcome o;

	XFR(2000, &o, HEAR("016f", "01 80 00000000 00 ss 80 00 00", "01 80 00000000 00 ss 80 ff 00",
			   GOOD));
	expect_sw(&o);
	EXPECT_EQ(2, o.counts.extensions);
}

TEST(t3_extensions_for_ever_end_at_their_count)
{
	struct outcome o;

	XFR(4000, &o, HEAR("016f", "*1001 01 80 00000000 00 ss 80 01 00", GOOD));
	EXPECT_EQ(-ETIMEDOUT, o.r);
	EXPECT_EQ(1001, o.counts.extensions);
	EXPECT_EQ(0, o.again);
}

TEST(t3_t4_extensions_for_ever_end_at_the_deadline)
{
	struct outcome o;

#define MORE "~40 01 80 00000000 00 ss 80 ff 00"
	XFR(200, &o, HEAR("016f", MORE, MORE, MORE, MORE, MORE, MORE, MORE, MORE));
	EXPECT_EQ(-ETIMEDOUT, o.r);
	EXPECT_TRUE(o.lost);
	EXPECT_EQ(0, o.again);
	EXPECT_NOT_NULL(strstr(o.heard, "03 72 "));	/* the abort came with the next command */
}

TEST(t5_commands_without_a_card_behind_them_get_three)
{
	static const struct scripted_step steps[] = {
		HEAR("0165", "01 81 00000000 00 ss 01 00 00"),
		HEAR("0165", "*4 01 81 00000000 00 ss 81 01 00"),
	};
	struct ccid_command status = ccid_get_slot_status();
	struct ccid_reply reply;
	struct scripted s;
	struct reader *reader;

	scripted_init(&s, SCRIPTED_EXTENDED, 65554);
	reader = SCRIPTED_READER(&s, steps);
	EXPECT_EQ(-ETIMEDOUT, exchange_run(&reader->exchange, 0, &status, 0, deadline_in(3000),
					   &reply));
	(void)reader_free(reader);
	scripted_stop(&s);
}

TEST(t7_a_stalled_abort_leads_to_the_next_step)
{
	struct outcome o;

	XFR(4000, &o, HEAR("016f", "01 80"), HEAR("03", "03 01"));
	EXPECT_EQ(-EBADMSG, o.r);
	EXPECT_STREQ("65 6f 03 04 04 65 65 ", o.heard);
	EXPECT_EQ(0, o.again);
}

TEST(t8_an_abort_answered_wrongly_or_not_at_all_leads_to_the_next_step_within_a_second)
{
	struct outcome o;

	XFR(6000, &o, HEAR("016f", "01 80"), HEAR("0172", "01 81 00000000 00 tt 00 00 00"));
	EXPECT_EQ(-EBADMSG, o.r);
	EXPECT_STREQ("65 6f 03 72 04 04 65 65 ", o.heard);
	EXPECT_EQ(0, o.again);
}

TEST(t9_the_aborted_commands_own_answer_may_come_first)
{
	struct outcome o;

	XFR(4000, &o, HEAR("016f", "01 80"),
	    HEAR("0172", "01 80 02000000 00 tt 00 00 00 9000", "01 81 00000000 00 ss 00 00 00"));
	EXPECT_EQ(-EBADMSG, o.r);
	EXPECT_STREQ("65 6f 03 72 65 ", o.heard);
	EXPECT_EQ(0, o.again);
}

TEST_TIMEOUT(a_reader_that_answers_no_step_of_the_ladder_is_given_up, 20)
{
	struct outcome o;

#define DEAF(what) { .hear = what }
	XFR(9000, &o, HEAR("016f", "01 80"), HEAR("03", "03 01"), DEAF("0165"), DEAF("0165"),
	    DEAF("0165"), DEAF("0163"));
	EXPECT_EQ(-EBADMSG, o.r);
	EXPECT_EQ(-ENODEV, o.again);
	EXPECT_TRUE(o.dead);
}

TEST(a_silent_reader_ends_at_the_deadline)
{
	struct outcome o;

	XFR(150, &o, DEAF("016f"));
	EXPECT_EQ(-ETIMEDOUT, o.r);
	EXPECT_TRUE(o.sent);
	EXPECT_EQ(0, o.again);
}

TEST(an_unplugged_reader_is_gone_for_good)
{
	struct outcome o;

	XFR(2000, &o, HEAR("016f", "!"));
	EXPECT_EQ(-ENODEV, o.r);
	EXPECT_EQ(-ENODEV, o.again);
}

TEST_TIMEOUT(eight_malformed_messages_in_a_minute_end_a_reader, 20)
{
#define BAD HEAR("016f", "01 80")
	static const struct scripted_step steps[] = { BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD };
	struct ccid_command xfr = ccid_xfr_block(0, 0, BYTES_OF(apdu));
	struct ccid_reply reply;
	struct scripted s;
	struct reader *reader;

	scripted_init(&s, SCRIPTED_EXTENDED, 65554);
	reader = SCRIPTED_READER(&s, steps);
	for (int i = 0; i < 7; i++)
		EXPECT_EQ(-EBADMSG, exchange_run(&reader->exchange, 0, &xfr, 0, deadline_in(3000),
						 &reply));
	EXPECT_EQ(-ENODEV, exchange_run(&reader->exchange, 0, &xfr, 0, deadline_in(3000), &reply));
	EXPECT_TRUE(reader->exchange.dead);
	(void)reader_free(reader);
	scripted_stop(&s);
}

/* --- cancel --- */

struct canceller {
	int fds[2];
	int calls;
};

static int on_wake(void *arg)
{
	struct canceller *c = arg;
	char byte;

	c->calls++;
	EXPECT_EQ(1, read(c->fds[0], &byte, 1));
	return byte == 'c' ? -ECANCELED : 0;
}

TEST(a_cancel_during_the_wait_aborts_the_command)
{
	static const struct scripted_step steps[] = { DEAF("016f") };
	struct ccid_command xfr = ccid_xfr_block(0, 0, BYTES_OF(apdu));
	struct canceller c = { 0 };
	struct ccid_reply reply;
	struct scripted s;
	struct reader *reader;

	ASSERT_EQ(0, pipe(c.fds));
	scripted_init(&s, SCRIPTED_EXTENDED, 65554);
	reader = SCRIPTED_READER(&s, steps);
	reader->pipe->wake = (struct wake){ c.fds[0], on_wake, &c };
	ASSERT_EQ(2, write(c.fds[1], ".c", 2));	/* the first call goes on waiting */
	EXPECT_EQ(-ECANCELED, exchange_run(&reader->exchange, 0, &xfr, 0, deadline_in(4000),
					   &reply));
	EXPECT_EQ(2, c.calls);
	EXPECT_TRUE(reader->exchange.sent);
	EXPECT_FALSE(reader->exchange.lost);
	(void)reader_free(reader);
	scripted_stop(&s);
	EXPECT_STREQ("65 6f 03 72 ", s.heard);
}

/* --- sizes --- */

TEST(a_command_longer_than_the_reader_takes_is_not_sent)
{
	static const uint8_t big[100];
	struct ccid_command xfr = ccid_xfr_block(0, 0, BYTES_OF(big));
	struct ccid_reply reply;
	struct scripted s;
	struct reader *reader;

	scripted_init(&s, SCRIPTED_EXTENDED, 64);
	reader = scripted_reader(&s, NULL, 0);
	EXPECT_EQ(-EMSGSIZE, exchange_run(&reader->exchange, 0, &xfr, 0, deadline_in(1000),
					  &reply));
	EXPECT_FALSE(reader->exchange.sent);
	EXPECT_FALSE(reader->exchange.lost);
	(void)reader_free(reader);
	scripted_stop(&s);
	EXPECT_STREQ("65 ", s.heard);
}

TEST(k10_sequence_numbers_wrap)
{
	struct ccid_command status = ccid_get_slot_status();
	struct ccid_reply reply;
	struct scripted s;
	struct reader *reader;

	scripted_init(&s, SCRIPTED_EXTENDED, 65554);
	reader = scripted_reader(&s, NULL, 0);
	for (int i = 0; i < 600; i++)
		ASSERT_EQ(0, exchange_run(&reader->exchange, 0, &status, 0, deadline_in(2000),
					  &reply));
	(void)reader_free(reader);
	scripted_stop(&s);
}
