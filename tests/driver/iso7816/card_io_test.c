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

TEST_F(card, a_protocol_that_the_reader_does_not_speak_is_not_supported_in_words)
{
	scripted_init(&self->s, SCRIPTED_TPDU, 271);
	*scripted_class(&self->s, 6) = 0x02;		/* T=1 alone */
	EXPECT_EQ(-EOPNOTSUPP, START(HEAR("0162", "01 80 02000000 00 ss 00 00 00 3b00")));
	EXPECT_NOT_NULL(strstr(self->why, "protocol"));
}

/* A card of T=0 alone; and one that says it knows extended length, but no chaining. */
#define T0_TAKEN HEAR("0161", "01 82 05000000 00 ss 00 00 00 1100000a00")
#define T0_ATR HEAR("0162", "01 80 02000000 00 ss 00 00 00 3b00"), T0_TAKEN
#define T0_EXTENDED_ATR HEAR("0162", "01 80 07000000 00 ss 00 00 00 3b05 80 73 000040"), T0_TAKEN

static int start_t0(struct fixture_card *self, const struct scripted_step *steps, size_t n)
{
	scripted_init(&self->s, SCRIPTED_TPDU, 271);
	return start_n(self, steps, n);
}
#define START_T0(...) __extension__({ \
		static const struct scripted_step steps_[] = { __VA_ARGS__ }; \
		start_t0(self, steps_, sizeof(steps_) / sizeof(steps_[0])); \
	})

TEST_F(card, z1_at_tpdu_level_t0_cards_get_tpdus)
{
	ASSERT_EQ(0, START_T0(HEAR("0162", "01 80 02000000 00 ss 00 00 00 3b00"),
		HEAR("01 61 05000000 00 03 00 0000 11 00 00 0a 00", "01 82 05000000 00 ss 00 00 00 1100000a00"),
		HEAR("01 6f 05000000 00 04 00 0000 00a4040000", "01 80 02000000 00 ss 00 00 00 9000"),
		HEAR("01 6f 05000000 00 05 00 0000 00b0000002", "01 80 04000000 00 ss 00 00 00 aabb 9000"),
		HEAR("01 6f 07000000 00 06 00 0000 00d60000020102", "01 80 02000000 00 ss 00 00 00 9000"),
		HEAR("01 6f 07000000 00 07 00 0000 00a40400020102", "01 80 02000000 00 ss 00 00 00 6110")));
	EXPECT_EQ(0, self->io->protocol);
	EXPECT_EQ(0, self->io->t1.block_n);
	ASSERT_EQ(0, select_it(self));
	ASSERT_EQ(0, transmit(self, "\x00\xb0\x00\x00\x02", 5));
	EXPECT_BYTES_EQ(BYTES("\xaa\xbb\x90\x00", 4), BYTES(self->response, self->n));
	ASSERT_EQ(0, transmit(self, "\x00\xd6\x00\x00\x02\x01\x02", 7));
	ASSERT_EQ(0, transmit(self, "\x00\xa4\x04\x00\x02\x01\x02\x20", 8));
	EXPECT_BYTES_EQ(BYTES("\x61\x10", 2), BYTES(self->response, self->n));
	EXPECT_EQ(0, self->s.n_steps);
}

TEST_F(card, z6_z7_a_tpdu_answered_too_short_or_too_long_is_malformed)
{
	ASSERT_EQ(0, START_T0(T0_ATR, HEAR("016f", "01 80 01000000 00 ss 00 00 00 90")));
	EXPECT_EQ(-EBADMSG, select_it(self));
	EXPECT_TRUE(self->io->ran);
	EXPECT_EQ(SLOT_NEEDS_RESET, self->reader->slots[0].state);
}

TEST_F(card, z7_more_than_p3_allows_is_not_cut)
{
	ASSERT_EQ(0, START_T0(T0_ATR, HEAR("016f", "01 80 05000000 00 ss 00 00 00 aabbcc 9000")));
	EXPECT_EQ(-EBADMSG, transmit(self, "\x00\xb0\x00\x00\x02", 5));
}

TEST_F(card, z11_extended_length_goes_in_envelopes_to_who_knows_it)
{
	uint8_t apdu[307] = { 0x00, 0xda, 0, 0, 0x00, 0x01, 0x2c };

	ASSERT_EQ(0, START_T0(T0_EXTENDED_ATR,
		HEAR("01 6f 04010000 00 04 00 0000 00c20000ff 00da000000012c", "01 80 02000000 00 ss 00 00 00 9000"),
		HEAR("01 6f 39000000 00 05 00 0000 00c2000034", "01 80 02000000 00 ss 00 00 00 6a80")));
	EXPECT_TRUE(self->io->extended);
	ASSERT_EQ(0, transmit(self, apdu, sizeof(apdu)));
	EXPECT_BYTES_EQ(BYTES("\x6a\x80", 2), BYTES(self->response, self->n));
	EXPECT_EQ(0, self->s.n_steps);
}

TEST_F(card, z11_an_envelope_refused_is_the_last_word)
{
	uint8_t apdu[307] = { 0x00, 0xda, 0, 0, 0x00, 0x01, 0x2c };

	ASSERT_EQ(0, START_T0(T0_EXTENDED_ATR,
		HEAR("016f", "01 80 02000000 00 ss 00 00 00 6d00")));
	ASSERT_EQ(0, transmit(self, apdu, sizeof(apdu)));
	EXPECT_BYTES_EQ(BYTES("\x6d\x00", 2), BYTES(self->response, self->n));
	EXPECT_STREQ("65 63 62 61 6f ", self->s.heard);
}

TEST_F(card, z11_extended_length_is_refused_where_the_card_does_not_say_it_knows_it)
{
	uint8_t apdu[307] = { 0x00, 0xda, 0, 0, 0x00, 0x01, 0x2c };

	ASSERT_EQ(0, START_T0(T0_ATR));
	EXPECT_FALSE(self->io->extended);
	EXPECT_EQ(-EOPNOTSUPP, transmit(self, apdu, sizeof(apdu)));
	EXPECT_FALSE(self->io->ran);
	EXPECT_STREQ("65 63 62 61 ", self->s.heard);
}

TEST_F(card, a_waiting_card_of_t0_has_its_wi)
{
	struct atr atr = { .wi = 255, .fidi = FIDI_DEFAULT };

	/* 255 * 960 * 372 / 3.58 MHz, whatever D is. */
	EXPECT_EQ(25438u, atr_wwt_ms(&atr, FIDI_DEFAULT, 3580));
	EXPECT_EQ(25438u, atr_wwt_ms(&atr, 0x18, 0));
	atr.wi = 10;
	EXPECT_EQ(998u, atr_wwt_ms(&atr, FIDI_DEFAULT, 3580));
}

#define TPDU_HOST_PPS 0x0001003au	/* no 0x80: PPS is ours */
#define TPDU_HOST_ALL 0x00010000u	/* and the voltage, and the rate */
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

/* A reader of 1999: voltage, negotiation, parameters and rate are all the host's. */
#define ALL_OURS(pps, ...) \
	HEAR("01 62 00000000 00 02 01", "01 80 00000000 00 ss 41 fe 00"), \
	HEAR("01 62 00000000 00 03 02", "01 80 05000000 00 ss 00 00 00 3b90180189"), \
	HEAR("01 6f 04000000 00 04 00 0000 ff1118f6", "01 80 04000000 00 ss 00 00 00 " pps), \
	HEAR("01 61 07000000 00 05 01 0000 18", "01 82 07000000 00 ss 00 00 01 18100045002000"), \
	HEAR("01 73 08000000 00 06 000000 a00f0000 08f80100", __VA_ARGS__), \
	HEAR("016f", "01 80 05000000 00 ss 00 00 00 00e101fe1e")

static void old_reader(struct fixture_card *self)
{
	scripted_init(&self->s, TPDU_HOST_ALL, 271);
	*scripted_class(&self->s, 25) = 0x04;
}

TEST_F(card, a12_a11_voltage_negotiation_parameters_and_rate_are_done_by_the_host_in_this_order)
{
	old_reader(self);
	ASSERT_EQ(0, START(ALL_OURS("ff1118f6", "01 84 08000000 00 ss 00 00 00 a00f000008f80100")));
	EXPECT_EQ(0x18, self->io->fidi);
	EXPECT_STREQ("65 63 62 62 6f 61 73 6f ", self->s.heard);
}

TEST_F(card, a_reader_that_does_not_know_the_rate_command_has_it_from_the_parameters)
{
	old_reader(self);
	ASSERT_EQ(0, START(ALL_OURS("ff1118f6", "01 84 00000000 00 ss 40 00 00")));
	EXPECT_EQ(0x18, self->io->fidi);
}

TEST_F(card, a_rate_that_fails_the_card_leaves_it_at_the_default_speed)
{
	old_reader(self);
	ASSERT_EQ(0, START(
		HEAR("0162", "01 80 05000000 00 ss 00 00 00 3b90180189"),
		HEAR("016f", "01 80 04000000 00 ss 00 00 00 ff1118f6"),
		HEAR("0173", "01 84 00000000 00 ss 40 fb 00"),
		HEAR("0162", "01 80 05000000 00 ss 00 00 00 3b90180189"),
		HEAR("016f", "01 80 05000000 00 ss 00 00 00 00e101fe1e")));
	EXPECT_EQ(FIDI_DEFAULT, self->io->fidi);
}

TEST_F(card, a11_silence_to_pps_keeps_the_first_protocol_at_the_default_speed)
{
	scripted_init(&self->s, TPDU_HOST_PPS, 271);
	ASSERT_EQ(0, START(
		HEAR("0162", "01 80 05000000 00 ss 00 00 00 3b80800101"),
		HEAR("01 6f 03000000 00 03 00 0000 ff01fe", "01 80 00000000 00 ss 40 fe 00"),
		HEAR("0162", "01 80 05000000 00 ss 00 00 00 3b80800101"), T0_TAKEN,
		HEAR("01 6f 05000000 00 07 00 0000 00a4040000", "01 80 02000000 00 ss 00 00 00 9000")));
	EXPECT_EQ(0, self->io->protocol);
	EXPECT_EQ(0, select_it(self));
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
