/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names like i5 are rows of the catalogue of hostile readers, part "interrupts". */
#include "driver/ccid/reader.h"
#include "tests/driver/scripted.h"
#include "tests/harness.h"

#include "driver/socket/socket.h"

#include <poll.h>

#define HEAR(what, ...) { .hear = what, .say = { __VA_ARGS__ } }

static unsigned int count(const char *heard, const char *what)
{
	unsigned int n = 0;

	for (; (heard = strstr(heard, what)); heard++)
		n++;
	return n;
}

/* Dispatches for @ms, as a main loop would. */
static int run(struct reader *reader, int ms)
{
	struct deadline end = deadline_in((uint64_t)ms);
	int r = 0;

	while (r == 0 && !deadline_passed(end)) {
		struct pollfd fd = { .fd = reader_fd(reader), .events = POLLIN };
		int wait = deadline_poll_ms(end), due = reader_prepare_poll(reader);

		bool is_due = due >= 0 && due < wait;

		if (poll(&fd, 1, is_due ? due : wait) > 0 || is_due)
			r = reader_dispatch(reader, deadline_in(2000));
	}
	return r;
}

TEST(a_reader_without_strings_is_named_by_its_ids)
{
	struct scripted s;
	struct reader *reader;

	scripted_init(&s, SCRIPTED_EXTENDED, 65554);
	reader = scripted_reader(&s, NULL, 0);
	EXPECT_STREQ("CCID reader 1209:0001", reader->name);
	EXPECT_STREQ("", reader->serial);
	EXPECT_TRUE(reader_take_change(reader) == &reader->slots[0]);
	EXPECT_NULL(reader_take_change(reader));
	(void)reader_free(reader);
	scripted_stop(&s);
}

TEST(d19_strings_of_a_device_are_made_harmless)
{
	static const struct scripted_step steps[] = {
		HEAR("03 80060103", "03 00 0c03 4100 2f00 1b00 0000 22d8"),
		HEAR("03 80060203", "03 00 0803 4200 2200 2000"),
		HEAR("03 80060303", "03 00 ff03 4300"),
	};
	struct scripted s;
	struct reader *reader;

	scripted_init(&s, SCRIPTED_EXTENDED, 65554);
	s.descriptors[14] = 1;
	s.descriptors[15] = 2;
	s.descriptors[16] = 3;
	reader = SCRIPTED_READER(&s, steps);
	EXPECT_STREQ("A-??? B'", reader->name);
	EXPECT_STREQ("", reader->serial);
	(void)reader_free(reader);
	scripted_stop(&s);
}

TEST(i1_notices_are_confirmed_by_a_question)
{
	static const struct scripted_step steps[] = {
		HEAR("0165", "01 81 00000000 00 ss 02 00 00", "02 50 03"),
		HEAR("0165", "01 81 00000000 00 ss 01 00 00", "02 50 02"),
		HEAR("0165", "01 81 00000000 00 ss 02 00 00"),
	};
	struct scripted s;
	struct reader *reader;

	scripted_init(&s, SCRIPTED_EXTENDED, 65554);
	reader = SCRIPTED_READER(&s, steps);
	EXPECT_NULL(reader_take_change(reader));
	EXPECT_EQ(0, run(reader, 250));
	EXPECT_NOT_NULL(reader_take_change(reader));
	EXPECT_EQ(SLOT_EMPTY, reader->slots[0].state);
	EXPECT_EQ(-1, reader_prepare_poll(reader));	/* idle means no wake-ups */
	(void)reader_free(reader);
	scripted_stop(&s);
	EXPECT_STREQ("65 65 65 ", s.heard);
}

/* The descriptor is silent on a notice that came with an answer. */
TEST(i1_a_notice_that_comes_during_a_question_is_a_question_too)
{
	static const struct scripted_step steps[] = {
		HEAR("0165", "01 81 00000000 00 ss 02 00 00", "02 50 03"),
		HEAR("0165", "02 50 03", "01 81 00000000 00 ss 02 00 00"),
		HEAR("0165", "01 81 00000000 00 ss 01 00 00"),
	};
	struct scripted s;
	struct reader *reader;

	scripted_init(&s, SCRIPTED_EXTENDED, 65554);
	reader = SCRIPTED_READER(&s, steps);
	EXPECT_EQ(0, run(reader, 400));
	EXPECT_NOT_NULL(reader_take_change(reader));
	EXPECT_EQ(-1, reader_prepare_poll(reader));
	(void)reader_free(reader);
	scripted_stop(&s);
	EXPECT_STREQ("65 65 65 ", s.heard);
}

TEST(i2_i3_notices_that_say_nothing_cost_nothing)
{
	static const struct scripted_step steps[] = {
		HEAR("0165", "01 81 00000000 00 ss 02 00 00", "02", "02 50", "02 50 fc", "02 51 00",
		     "02 51 00 00 01", "02 99 99"),
	};
	struct scripted s;
	struct reader *reader;

	scripted_init(&s, SCRIPTED_EXTENDED, 65554);
	reader = SCRIPTED_READER(&s, steps);
	EXPECT_EQ(0, run(reader, 150));
	(void)reader_free(reader);
	scripted_stop(&s);
	EXPECT_STREQ("65 ", s.heard);
}

/* Removal and insertion in one transfer: the card there now may be another one. */
TEST(i4_glued_notices_are_both_heard)
{
	static const struct scripted_step steps[] = {
		HEAR("0165", "01 81 00000000 00 ss 01 00 00", "02 50 02 50 03"),
		HEAR("0165", "01 81 00000000 00 ss 01 00 00"),
	};
	struct scripted s;
	struct reader *reader;

	scripted_init(&s, SCRIPTED_EXTENDED, 65554);
	reader = SCRIPTED_READER(&s, steps);
	EXPECT_EQ(0, run(reader, 250));
	(void)reader_free(reader);
	scripted_stop(&s);
	EXPECT_STREQ("65 65 ", s.heard);
}

TEST(i6_what_the_reader_answers_counts_and_not_what_it_notifies)
{
	static const struct scripted_step steps[] = {
		HEAR("0165", "01 81 00000000 00 ss 02 00 00", "02 50 03"),	/* "a card is in" */
		HEAR("0165", "01 81 00000000 00 ss 02 00 00"),		/* there is none */
	};
	struct scripted s;
	struct reader *reader;

	scripted_init(&s, SCRIPTED_EXTENDED, 65554);
	reader = SCRIPTED_READER(&s, steps);
	EXPECT_EQ(0, run(reader, 250));
	EXPECT_NULL(reader_take_change(reader));
	EXPECT_EQ(SLOT_EMPTY, reader->slots[0].state);
	(void)reader_free(reader);
	scripted_stop(&s);
}

/* Without an interrupt endpoint, a swap between two polls shows as a card that lost its power. */
TEST(i9_a_card_swapped_between_two_polls_is_another_card)
{
	static const struct scripted_step steps[] = {
		HEAR("0165", "01 81 00000000 00 ss 01 00 00"),
		HEAR("0165", "01 81 00000000 00 ss 01 00 00"),
	};
	struct scripted s;
	struct reader *reader;
	uint32_t generation;

	scripted_init(&s, SCRIPTED_EXTENDED, 65554);
	s.descriptors_n -= 7;
	s.descriptors[18 + 2] -= 7;
	reader = SCRIPTED_READER(&s, steps);
	EXPECT_NOT_NULL(reader_take_change(reader));
	ASSERT_EQ(0, slot_power_on(&reader->slots[0], deadline_in(2000)));
	slot_accept(&reader->slots[0]);
	generation = reader->slots[0].generation;
	EXPECT_EQ(0, run(reader, 500));
	EXPECT_NE(generation, reader->slots[0].generation);
	EXPECT_TRUE(reader_take_change(reader) == &reader->slots[0]);
	(void)reader_free(reader);
	scripted_stop(&s);
}

TEST(a_notice_of_one_slot_asks_about_that_slot_alone)
{
	static const struct scripted_step steps[] = {
		HEAR("0165 00000000 00", "01 81 00000000 00 ss 02 00 00"),
		HEAR("0165 00000000 01", "01 81 00000000 01 ss 02 00 00", "02 50 0c"),
		HEAR("0165 00000000 01", "01 81 00000000 01 ss 01 00 00"),
	};
	struct scripted s;
	struct reader *reader;

	scripted_init(&s, SCRIPTED_EXTENDED, 65554);
	*scripted_class(&s, 4) = 1;		/* bMaxSlotIndex */
	reader = SCRIPTED_READER(&s, steps);
	EXPECT_EQ(0, run(reader, 250));
	EXPECT_TRUE(reader_take_change(reader) == &reader->slots[1]);
	EXPECT_FALSE(slot_has_card(&reader->slots[0]));
	(void)reader_free(reader);
	scripted_stop(&s);
	EXPECT_STREQ("65 65 65 ", s.heard);
}

/* The flood goes on behind each answer, so that nothing but the driver holds the questions back. */
TEST(i5_a_flood_of_notices_costs_twenty_questions_a_second)
{
	static const struct scripted_step steps[] = {
		{ .hear = "0165", .say = { "01 81 00000000 00 ss 02 00 00", "*20 02 50 02" }, .again = true },
	};
	struct scripted s;
	struct reader *reader;

	scripted_init(&s, SCRIPTED_EXTENDED, 65554);
	reader = SCRIPTED_READER(&s, steps);
	EXPECT_EQ(0, run(reader, 500));
	(void)reader_free(reader);
	scripted_stop(&s);
	EXPECT_LE(count(s.heard, "65"), 12);
	EXPECT_GE(count(s.heard, "65"), 2);
}

TEST(d13_without_an_interrupt_endpoint_the_reader_is_polled_while_watched)
{
	struct scripted s;
	struct reader *reader;

	scripted_init(&s, SCRIPTED_EXTENDED, 65554);
	s.descriptors_n -= 7;
	s.descriptors[18 + 2] -= 7;
	reader = scripted_reader(&s, NULL, 0);
	EXPECT_GE(reader_prepare_poll(reader), 0);
	EXPECT_LE(reader_prepare_poll(reader), limits.poll_ms);
	EXPECT_EQ(0, run(reader, 700));
	EXPECT_EQ(0, reader_watch(reader, false, deadline_in(2000)));
	EXPECT_EQ(-1, reader_prepare_poll(reader));
	EXPECT_EQ(0, run(reader, 700));
	EXPECT_EQ(3, count(s.heard, "65"));
	/* Whoever begins to watch knows at once, but nobody can make us ask without end. */
	EXPECT_EQ(0, reader_watch(reader, true, deadline_in(2000)));
	EXPECT_EQ(4, count(s.heard, "65"));
	for (int i = 0; i < 100; i++)
		EXPECT_EQ(0, reader_watch(reader, true, deadline_in(2000)));
	(void)reader_free(reader);
	scripted_stop(&s);
	EXPECT_LE(count(s.heard, "65"), 20);
}

TEST(a_pipe_out_of_step_is_brought_back_when_idle)
{
	static const struct scripted_step steps[] = { { .hear = "016f" } };
	struct ccid_command xfr = ccid_xfr_block(0, 0, BYTES("\0\0\0\0", 4));
	struct ccid_reply reply;
	struct scripted s;
	struct reader *reader;

	scripted_init(&s, SCRIPTED_EXTENDED, 65554);
	reader = SCRIPTED_READER(&s, steps);
	EXPECT_EQ(-ETIMEDOUT, exchange_run(&reader->exchange, 0, &xfr, 0, deadline_in(50), &reply));
	EXPECT_TRUE(reader->exchange.lost);
	EXPECT_EQ(0, reader_prepare_poll(reader));
	EXPECT_EQ(0, reader_dispatch(reader, deadline_in(3000)));
	EXPECT_FALSE(reader->exchange.lost);
	(void)reader_free(reader);
	scripted_stop(&s);
	EXPECT_STREQ("65 6f 03 72 ", s.heard);
}

TEST(an_unplugged_reader_says_so_when_dispatched)
{
	static const struct scripted_step steps[] = {
		HEAR("0165", "01 81 00000000 00 ss 02 00 00", "!"),
	};
	struct scripted s;
	struct reader *reader;

	scripted_init(&s, SCRIPTED_EXTENDED, 65554);
	reader = SCRIPTED_READER(&s, steps);
	EXPECT_EQ(-ENODEV, run(reader, 2000));
	(void)reader_free(reader);
	scripted_stop(&s);
}

TEST(a_reader_that_we_do_not_serve_is_refused_with_a_sentence)
{
	struct scripted s;
	struct reader *reader = NULL;
	struct pipe *pipe = NULL;
	const char *why = NULL;

	scripted_init(&s, 0x000000ba, 271);
	ASSERT_EQ(0, socket_pipe_new(scripted_start(&s, NULL, 0), deadline_in(2000), &pipe));
	EXPECT_EQ(-EOPNOTSUPP, reader_new(pipe, -1, deadline_in(2000), &reader, &why));
	EXPECT_NOT_NULL(strstr(why, "character level"));
	EXPECT_NULL(reader);
	scripted_stop(&s);
}
