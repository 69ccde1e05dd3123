/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces: driver/iso7816/card_io.c driver/iso7816/link.c
 *
 * One card through a scripted reader at both levels. Names like t10 and a11 are rows of the
 * catalogue of hostile readers.
 */
#include "driver/iso7816/card_io.h"
#include "tests/driver/scripted.h"
#include "tests/harness.h"

#include <stdlib.h>

#define HEAR(what, ...) { .hear = what, .say = { __VA_ARGS__ } }

FIXTURE(card) {
	struct scripted s;
	struct reader *reader;
	struct card_io *io;
	const char *why;
	uint8_t response[APDU_RESPONSE_MAX];
	size_t n;
};

FIXTURE_SETUP(card)
{
	scripted_init(&self->s, SCRIPTED_EXTENDED, 271);
}

FIXTURE_TEARDOWN(card)
{
	self->io = card_io_free(self->io);
	if (!self->reader)
		return;
	(void)reader_free(self->reader);
	scripted_stop(&self->s);
}

static int start_n(struct fixture_card *self, const struct scripted_step *steps, size_t n)
{
	self->reader = scripted_reader(&self->s, steps, n);
	return card_io_new(&self->reader->slots[0], deadline_in(5000), &self->io, &self->why);
}
#define START(...) __extension__({ \
		static const struct scripted_step steps_[] = { __VA_ARGS__ }; \
		start_n(self, steps_, sizeof(steps_) / sizeof(steps_[0])); \
	})

static int transmit(struct fixture_card *self, const void *apdu, size_t n)
{
	return card_transmit(self->io, BYTES(apdu, n), self->response, sizeof(self->response),
			     &self->n, deadline_in(3000));
}

static int select_it(struct fixture_card *self)
{
	return transmit(self, "\x00\xa4\x04\x00", 4);
}

TEST_F(card, an_apdu_travels_whole_at_apdu_level)
{
	ASSERT_EQ(0, start_n(self, NULL, 0));
	EXPECT_EQ(1, self->io->protocol);
	EXPECT_TRUE(card_io_is_current(self->io));
	ASSERT_EQ(0, select_it(self));
	EXPECT_BYTES_EQ(BYTES("\x00\xa4\x04\x00\x90\x00", 6), BYTES(self->response, self->n));
	EXPECT_TRUE(self->io->ran);
	EXPECT_STREQ("65 63 62 61 6f ", self->s.heard);
}

TEST_F(card, d7_a_long_apdu_travels_in_parts)
{
	uint8_t apdu[607] = { 0x00, 0xda, 0, 0, 0x00, 0x02, 0x58 };

	ASSERT_EQ(0, START(
		HEAR("01 6f 05010000 00 04 00 01 00", "01 80 00000000 00 ss 00 00 10"),
		HEAR("01 6f 05010000 00 05 00 03 00", "01 80 00000000 00 ss 00 00 10"),
		HEAR("01 6f 55000000 00 06 00 02 00", "01 80 02000000 00 ss 00 00 00 9000")));
	ASSERT_EQ(0, transmit(self, apdu, sizeof(apdu)));
	EXPECT_EQ(2, self->n);
	EXPECT_EQ(0, self->s.n_steps);
}

TEST_F(card, t10_a_response_in_parts_is_joined)
{
	ASSERT_EQ(0, START(
		HEAR("016f", "01 80 02000000 00 ss 00 00 01 0102"),
		HEAR("01 6f 00000000 00 05 00 10 00", "01 80 01000000 00 ss 00 00 03 03"),
		HEAR("01 6f 00000000 00 06 00 10 00", "01 80 01000000 00 ss 00 00 03 04"),
		HEAR("01 6f 00000000 00 07 00 10 00", "01 80 02000000 00 ss 00 00 02 9000")));
	ASSERT_EQ(0, select_it(self));
	EXPECT_BYTES_EQ(BYTES("\1\2\3\4\x90\x00", 6), BYTES(self->response, self->n));
}

FIXTURE(chain) { struct fixture_card c; };
FIXTURE_VARIANT(chain) { struct scripted_step steps[8]; size_t n; };
#define FIRST(chain, data) HEAR("016f", "01 80 01000000 00 ss 00 00 " chain data)
FIXTURE_VARIANT_ADD(chain, t11_continues_first) { { FIRST("03", "aa") }, 1 };
FIXTURE_VARIANT_ADD(chain, t11_ends_first) { { FIRST("02", "aa") }, 1 };
FIXTURE_VARIANT_ADD(chain, t11_begins_twice) { { FIRST("01", "aa"), FIRST("01", "aa") }, 2 };
FIXTURE_VARIANT_ADD(chain, t11_undefined) { { FIRST("55", "aa") }, 1 };
FIXTURE_VARIANT_ADD(chain, t11_t14_next_with_nothing_left) { { FIRST("10", "aa") }, 1 };
FIXTURE_VARIANT_ADD(chain, t14_next_empty) { { HEAR("016f", "01 80 00000000 00 ss 00 00 10") }, 1 };
#define NONE(chain) HEAR("016f", "01 80 00000000 00 ss 00 00 " chain)
FIXTURE_VARIANT_ADD(chain, t12_no_progress) {
	{ NONE("01"), NONE("03"), NONE("03"), NONE("03"), NONE("03") }, 5
};
FIXTURE_VARIANT_ADD(chain, z6_no_status_word) { { FIRST("00", "90") }, 1 };
FIXTURE_SETUP(chain) { fixture_card_set_up(&self->c, NULL); }
FIXTURE_TEARDOWN(chain) { fixture_card_tear_down(&self->c, NULL); }

TEST_F(chain, a_chain_out_of_order_is_malformed_and_the_card_must_be_reset)
{
	ASSERT_EQ(0, start_n(&self->c, variant->steps, variant->n));
	EXPECT_EQ(-EBADMSG, select_it(&self->c));
	EXPECT_TRUE(self->c.io->ran);
	EXPECT_EQ(SLOT_NEEDS_RESET, self->c.reader->slots[0].state);
	EXPECT_EQ(-ESTALE, select_it(&self->c));
	EXPECT_FALSE(self->c.io->ran);
	EXPECT_EQ(0, card_io_reset(self->c.io, deadline_in(3000), &self->c.why));
	EXPECT_EQ(0, select_it(&self->c));
}

TEST_F(card, t13_a_command_chain_may_end_early_only_with_an_error)
{
	uint8_t apdu[607] = { 0x00, 0xda, 0, 0, 0x00, 0x02, 0x58 };

	ASSERT_EQ(0, START(HEAR("016f", "01 80 02000000 00 ss 00 00 00 6700"),
			   HEAR("016f", "01 80 02000000 00 ss 00 00 00 9000")));
	ASSERT_EQ(0, transmit(self, apdu, sizeof(apdu)));
	EXPECT_EQ(0x67, self->response[0]);
	EXPECT_EQ(-EBADMSG, transmit(self, apdu, sizeof(apdu)));
}

TEST_F(card, a_command_the_reader_refuses_has_not_run)
{
	ASSERT_EQ(0, START(HEAR("016f", "01 80 00000000 00 ss 40 00 00"),
			   HEAR("016f", "01 80 00000000 00 ss 40 fe 00")));
	EXPECT_EQ(-EOPNOTSUPP, select_it(self));
	EXPECT_FALSE(self->io->ran);
	EXPECT_TRUE(card_io_is_current(self->io));
	EXPECT_EQ(-EIO, select_it(self));
	EXPECT_TRUE(self->io->ran);
	EXPECT_FALSE(card_io_is_current(self->io));
}

TEST_F(card, i10_a_card_pulled_out_is_no_medium)
{
	ASSERT_EQ(0, START(HEAR("016f", "01 80 00000000 00 ss 42 fe 00")));
	EXPECT_EQ(-ENOMEDIUM, select_it(self));
	EXPECT_EQ(-ENOMEDIUM, select_it(self));
}

TEST_F(card, d8_apdus_too_long_for_a_short_reader_are_refused_here)
{
	uint8_t apdu[60] = { 0x00, 0xda, 0, 0, 55 };

	scripted_init(&self->s, 0x000204ba, 64);
	ASSERT_EQ(0, START(HEAR("016f", "01 80 02000000 00 ss 00 00 00 9000")));
	EXPECT_FALSE(self->io->link_extended);
	EXPECT_EQ(54, self->io->max_command);
	EXPECT_EQ(-EOPNOTSUPP, transmit(self, apdu, 60));
	apdu[4] = 49;
	EXPECT_EQ(0, transmit(self, apdu, 54));
	EXPECT_EQ(-EOPNOTSUPP, transmit(self, "\x00\xca\x00\x00\x00\x01\x00", 7));
}

TEST_F(card, apdus_that_are_none_or_not_for_cards_stay_here)
{
	ASSERT_EQ(0, start_n(self, NULL, 0));
	EXPECT_EQ(-EINVAL, transmit(self, "\x00\xa4\x04", 3));
	EXPECT_EQ(-EINVAL, transmit(self, "\x00\xa4\x04\x00\x05\x00", 6));
	EXPECT_EQ(-EOPNOTSUPP, transmit(self, "\xff\xca\x00\x00\x00", 5));
	EXPECT_STREQ("65 63 62 61 ", self->s.heard);
}

/* --- TPDU --- */

TEST_F(card, at_tpdu_level_blocks_travel_and_ifsd_is_raised_first)
{
	scripted_init(&self->s, SCRIPTED_TPDU, 271);
	ASSERT_EQ(0, START(
		HEAR("01 6f 05000000 00 04 00 00 00 00c101fe3e", "01 80 05000000 00 ss 00 00 00 00e101fe1e"),
		HEAR("01 6f 08000000 00 05 00 00 00 00000400a40400a4",
		     "01 80 06000000 00 ss 00 00 00 00 00 02 9000 92")));
	EXPECT_EQ(254, self->io->t1.accept);
	ASSERT_EQ(0, select_it(self));
	EXPECT_EQ(2, self->n);
	EXPECT_TRUE(self->io->link_extended);
}

TEST_F(card, b10_the_waiting_time_goes_to_the_reader)
{
	scripted_init(&self->s, SCRIPTED_TPDU, 271);
	ASSERT_EQ(0, START(
		HEAR("016f", "01 80 05000000 00 ss 00 00 00 00e101fe1e"),
		HEAR("016f", "01 80 05000000 00 ss 00 00 00 00c30107c5"),
		HEAR("01 6f 05000000 00 06 07 00 00 00e30107e5",
		     "01 80 06000000 00 ss 00 00 00 00 00 02 9000 92")));
	ASSERT_EQ(0, select_it(self));
	EXPECT_EQ(0, self->s.n_steps);
}

TEST_F(card, b2_b20_parity_silence_and_stubs_are_asked_about)
{
	scripted_init(&self->s, SCRIPTED_TPDU, 271);
	ASSERT_EQ(0, START(
		HEAR("016f", "01 80 05000000 00 ss 00 00 00 00e101fe1e"),
		HEAR("016f", "01 80 00000000 00 ss 40 fd 00"),
		HEAR("01 6f 04000000 00 06 00 00 00 00810081", "01 80 03000000 00 ss 00 00 00 000002"),
		HEAR("01 6f 04000000 00 07 00 00 00 00820082",
		     "01 80 06000000 00 ss 00 00 00 00 00 02 9000 92")));
	ASSERT_EQ(0, select_it(self));
	EXPECT_TRUE(card_io_is_current(self->io));
}

#define MUTE HEAR("016f", "01 80 00000000 00 ss 40 fe 00")

TEST_F(card, b2_a_card_that_fell_silent_is_lost_and_comes_back_by_reset)
{
	scripted_init(&self->s, SCRIPTED_TPDU, 271);
	ASSERT_EQ(0, START(HEAR("016f", "01 80 05000000 00 ss 00 00 00 00e101fe1e"),
			   MUTE, MUTE, MUTE, MUTE, MUTE, MUTE,
			   HEAR("016f", "01 80 05000000 00 ss 00 00 00 00e101fe1e"),
			   HEAR("016f", "01 80 06000000 00 ss 00 00 00 00 00 02 9000 92")));
	EXPECT_EQ(-EIO, select_it(self));
	EXPECT_TRUE(self->io->ran);
	EXPECT_EQ(SLOT_NEEDS_RESET, self->reader->slots[0].state);
	ASSERT_EQ(0, card_io_reset(self->io, deadline_in(3000), &self->why));
	EXPECT_EQ(0, select_it(self));
}

TEST_F(card, b19_after_a_resynch_the_command_is_lost_but_the_card_is_not)
{
	scripted_init(&self->s, SCRIPTED_TPDU, 271);
	ASSERT_EQ(0, START(HEAR("016f", "01 80 05000000 00 ss 00 00 00 00e101fe1e"),
			   MUTE, MUTE, MUTE,
			   HEAR("01 6f 04000000 00 08 00 00 00 00c000c0",
				"01 80 04000000 00 ss 00 00 00 00e000e0"),
			   HEAR("016f", "01 80 05000000 00 ss 00 00 00 00e101fe1e"),
			   HEAR("016f", "01 80 06000000 00 ss 00 00 00 00 00 02 9000 92")));
	EXPECT_EQ(-EIO, select_it(self));
	EXPECT_TRUE(self->io->ran);
	EXPECT_TRUE(card_io_is_current(self->io));
	EXPECT_EQ(0, select_it(self));		/* S(IFS) again, then the command */
	EXPECT_EQ(0, self->s.n_steps);
}

/* --- start --- */

TEST_F(card, a3_a_malformed_atr_is_refused_and_the_card_switched_off)
{
	EXPECT_EQ(-EBADMSG, START(HEAR("0162", "01 80 02000000 00 ss 00 00 00 0300")));
	EXPECT_NOT_NULL(strstr(self->why, "answer to reset"));
	EXPECT_EQ(SLOT_MUTE, self->reader->slots[0].state);
	EXPECT_STREQ("65 63 62 63 ", self->s.heard);
}

TEST_F(card, t0_alone_at_tpdu_level_is_not_supported_in_words)
{
	scripted_init(&self->s, SCRIPTED_TPDU, 271);
	EXPECT_EQ(-EOPNOTSUPP, START(HEAR("0162", "01 80 02000000 00 ss 00 00 00 3b00")));
	EXPECT_NOT_NULL(strstr(self->why, "protocol"));
}

#define TPDU_HOST_PPS 0x0001003au	/* no 0x80: PPS is ours */
#define FAST_ATR HEAR("0162", "01 80 05000000 00 ss 00 00 00 3b90180189")

static void fast_reader(struct fixture_card *self)
{
	scripted_init(&self->s, TPDU_HOST_PPS, 271);
	*scripted_class(&self->s, 25) = 0x04;		/* dwMaxDataRate: 0x0004xxxx */
}

TEST_F(card, a11_pps_is_done_by_the_host_where_the_reader_leaves_it)
{
	fast_reader(self);
	ASSERT_EQ(0, START(FAST_ATR,
			   HEAR("01 6f 04000000 00 03 00 00 00 ff1118f6",
				"01 80 04000000 00 ss 00 00 00 ff1118f6"),
			   HEAR("01 61 07000000 00 04 01 00 00 18", "01 82 07000000 00 ss 00 00 01 18100045002000"),
			   HEAR("016f", "01 80 05000000 00 ss 00 00 00 00e101fe1e")));
	EXPECT_EQ(0x18, self->io->fidi);
}

TEST_F(card, a11_a_bad_answer_to_pps_resets_the_card_and_keeps_the_default_speed)
{
	fast_reader(self);
	ASSERT_EQ(0, START(FAST_ATR, HEAR("016f", "01 80 04000000 00 ss 00 00 00 ff1018f7"),
			   FAST_ATR,
			   HEAR("0161", "01 82 07000000 00 ss 00 00 01 18100045002000"),
			   HEAR("016f", "01 80 05000000 00 ss 00 00 00 00e101fe1e")));
	EXPECT_EQ(FIDI_DEFAULT, self->io->fidi);
	EXPECT_STREQ("65 63 62 6f 63 62 61 6f ", self->s.heard);
}

TEST_F(card, a14_a_reader_that_wants_no_parameters_is_left_alone)
{
	ASSERT_EQ(0, START(HEAR("0161", "01 82 00000000 00 ss 40 00 00")));
	EXPECT_EQ(0, select_it(self));
}

TEST_F(card, b17_a_card_that_wants_no_ifsd_keeps_32)
{
	scripted_init(&self->s, SCRIPTED_TPDU, 271);
	ASSERT_EQ(0, START(MUTE, MUTE, MUTE,
			   HEAR("016f", "01 80 06000000 00 ss 00 00 00 00 00 02 9000 92")));
	EXPECT_EQ(32, self->io->t1.accept);
	EXPECT_EQ(0, select_it(self));
}

TEST_F(card, a_reset_starts_a_new_generation)
{
	uint32_t before;

	ASSERT_EQ(0, start_n(self, NULL, 0));
	before = self->io->generation;
	ASSERT_EQ(0, card_io_reset(self->io, deadline_in(3000), &self->why));
	EXPECT_NE(before, self->io->generation);
	EXPECT_TRUE(card_io_is_current(self->io));
	slot_fault(self->io->slot);
	EXPECT_FALSE(card_io_is_current(self->io));
}
