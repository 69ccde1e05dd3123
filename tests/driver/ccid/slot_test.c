/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names like a12 are rows of the catalogue of hostile readers, part "card start". */
#include "driver/ccid/slot.h"
#include "tests/driver/scripted.h"
#include "tests/harness.h"

#define HEAR(what, ...) { .hear = what, .say = { __VA_ARGS__ } }

/* Written out once more, so that a changed row is a changed test. "-": cannot happen. */
static const char *const pictured[SLOT_N_STATES] = {
	/*		    absent inact. active power good bad off fault */
	[SLOT_EMPTY] =       "0uu---00",
	[SLOT_UNPOWERED] =   "0uup--un",
	[SLOT_POWERING] =    "0pppRmun",
	[SLOT_READY] =       "0uRp--un",
	[SLOT_MUTE] =        "0mmp--mn",
	[SLOT_NEEDS_RESET] = "0nnp--un",
};

TEST(every_pair_of_state_and_event_does_what_the_picture_says)
{
	static const char letters[SLOT_N_STATES] = {
		[SLOT_EMPTY] = '0', [SLOT_UNPOWERED] = 'u', [SLOT_POWERING] = 'p',
		[SLOT_READY] = 'R', [SLOT_MUTE] = 'm', [SLOT_NEEDS_RESET] = 'n',
	};

	for (int state = 0; state < SLOT_N_STATES; state++) {
		for (int event = 0; event < SLOT_N_EVENTS; event++) {
			enum slot_state next = SLOT_N_STATES;
			enum slot_action action;
			int r = slot_step((enum slot_state)state, (enum slot_event)event, &next,
					  &action);

			if (pictured[state][event] == '-')
				EXPECT_EQ(-EPROTO, r);
			else
				EXPECT_EQ(pictured[state][event], letters[next]);
		}
		EXPECT_STRNE("?", slot_state_words((enum slot_state)state));
	}
}

FIXTURE(slot) {
	struct scripted s;
	struct reader *reader;
	struct slot *slot;
};

FIXTURE_SETUP(slot)
{
	scripted_init(&self->s, SCRIPTED_EXTENDED, 65554);
}

FIXTURE_TEARDOWN(slot)
{
	if (!self->reader)
		return;
	(void)reader_free(self->reader);
	scripted_stop(&self->s);
}

static void start_n(struct fixture_slot *self, const struct scripted_step *steps, size_t n)
{
	self->reader = scripted_reader(&self->s, steps, n);
	self->slot = &self->reader->slots[0];
}
#define START(...) \
	do { \
		static const struct scripted_step steps_[] = { __VA_ARGS__ }; \
		start_n(self, steps_, sizeof(steps_) / sizeof(steps_[0])); \
	} while (0)

TEST_F(slot, a1_power_on_takes_the_atr_and_switches_off_first)
{
	uint32_t before;

	start_n(self, NULL, 0);
	EXPECT_EQ(SLOT_UNPOWERED, self->slot->state);
	before = self->slot->generation;
	ASSERT_EQ(0, slot_power_on(self->slot, deadline_in(3000)));
	EXPECT_EQ(SLOT_POWERING, self->slot->state);
	EXPECT_BYTES_EQ(BYTES("\x3b\x80\x01\x81", 4), slot_atr(self->slot));
	slot_accept(self->slot);
	EXPECT_EQ(SLOT_READY, self->slot->state);
	EXPECT_GT(self->slot->generation, before);
	EXPECT_STREQ("65 63 62 ", self->s.heard);
}

TEST_F(slot, a2_an_atr_too_short_or_too_long_is_refused_and_the_card_switched_off)
{
	START(HEAR("0162", "01 80 00000000 00 ss 00 00 00"),
	      HEAR("0162", "01 80 01000000 00 ss 00 00 00 3b"),
	      HEAR("0162", "01 80 22000000 00 ss 00 00 00"
		   "3b0000000000000000000000000000000000000000000000000000000000000000ff"));
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(-EIO, slot_power_on(self->slot, deadline_in(3000)));
		EXPECT_EQ(SLOT_MUTE, self->slot->state);
		EXPECT_EQ(1, self->s.icc);
	}
	EXPECT_EQ(0, slot_power_on(self->slot, deadline_in(3000)));
}

TEST_F(slot, a12_without_automatic_voltage_the_next_one_is_tried)
{
	scripted_init(&self->s, 0x000400b2, 65554);
	START(HEAR("0162 00000000 00 03 01", "01 80 00000000 00 ss 41 fe 00"),
	      HEAR("0162", "01 80 00000000 00 ss 41 fe 00"));
	/* reader_new: seq 0 status; off 1; on 2, 3, 4 */
	EXPECT_EQ(0, slot_power_on(self->slot, deadline_in(3000)));
	EXPECT_EQ(SLOT_POWERING, self->slot->state);
}

TEST_F(slot, a12_d18_every_voltage_is_tried_once_and_the_card_is_mute)
{
	scripted_init(&self->s, 0x000400b2, 65554);
	*scripted_class(&self->s, 5) = 0;
	START(HEAR("0162", "01 80 00000000 00 ss 41 07 00"),
	      HEAR("0162", "01 80 00000000 00 ss 41 fe 00"),
	      HEAR("0162", "01 80 00000000 00 ss 41 fe 00"),
	      HEAR("0162", "01 80 00000000 00 ss 41 fe 00"));
	EXPECT_EQ(-EIO, slot_power_on(self->slot, deadline_in(3000)));
	EXPECT_EQ(SLOT_MUTE, self->slot->state);
	EXPECT_STREQ("65 63 62 62 62 62 63 ", self->s.heard);
}

TEST_F(slot, a15_a_card_that_leaves_during_power_on_is_no_card_and_one_event)
{
	START(HEAR("0162", "01 80 00000000 00 ss 42 fe 00"));
	(void)slot_take_change(self->slot);
	EXPECT_EQ(-ENOMEDIUM, slot_power_on(self->slot, deadline_in(3000)));
	EXPECT_EQ(SLOT_EMPTY, self->slot->state);
	EXPECT_TRUE(slot_take_change(self->slot));
	EXPECT_FALSE(slot_take_change(self->slot));
}

TEST_F(slot, i6_i9_the_reader_decides_what_is_in_the_slot)
{
	START(HEAR("0165", "01 81 00000000 00 ss 02 00 00"),
	      HEAR("0165", "01 81 00000000 00 ss 01 00 00"),
	      HEAR("0165", "01 81 00000000 00 ss 01 00 00"));
	EXPECT_EQ(SLOT_EMPTY, self->slot->state);
	EXPECT_FALSE(slot_take_change(self->slot));
	ASSERT_EQ(0, slot_probe(self->slot, deadline_in(1000)));
	EXPECT_TRUE(slot_take_change(self->slot));
	ASSERT_EQ(0, slot_power_on(self->slot, deadline_in(1000)));
	slot_accept(self->slot);
	/* I9: inactive though we left it active */
	ASSERT_EQ(0, slot_probe(self->slot, deadline_in(1000)));
	EXPECT_EQ(SLOT_UNPOWERED, self->slot->state);
	EXPECT_TRUE(slot_take_change(self->slot));
	EXPECT_EQ(0, slot_atr(self->slot).n);
}

TEST_F(slot, i10_a_card_that_leaves_during_a_block_is_gone)
{
	struct ccid_reply reply;

	START(HEAR("016f", "01 80 00000000 00 ss 42 fe 00"));
	ASSERT_EQ(0, slot_power_on(self->slot, deadline_in(1000)));
	slot_accept(self->slot);
	EXPECT_EQ(-ENOMEDIUM, slot_block(self->slot, 0, 0, BYTES("\0\0\0\0", 4), 0,
					 deadline_in(1000), &reply));
	EXPECT_EQ(SLOT_EMPTY, self->slot->state);
}

TEST_F(slot, after_a_malformed_answer_the_card_must_be_reset_first)
{
	struct ccid_reply reply;

	START(HEAR("016f", "01 80"));
	ASSERT_EQ(0, slot_power_on(self->slot, deadline_in(1000)));
	slot_accept(self->slot);
	EXPECT_EQ(-EBADMSG, slot_block(self->slot, 0, 0, BYTES("\0\0\0\0", 4), 0,
				       deadline_in(3000), &reply));
	EXPECT_EQ(SLOT_NEEDS_RESET, self->slot->state);
	EXPECT_EQ(-ESTALE, slot_block(self->slot, 0, 0, BYTES("\0\0\0\0", 4), 0,
				      deadline_in(3000), &reply));
	EXPECT_EQ(0, slot_power_on(self->slot, deadline_in(3000)));
}

TEST_F(slot, a14_f19_set_parameters_refused_is_told_from_failed)
{
	struct ccid_parameters parameters = { .protocol = 1, .fidi = 0x11 };

	START(HEAR("0161", "01 82 00000000 00 ss 40 00 00"),
	      HEAR("0161", "01 81 00000000 00 ss 40 0b 00"),
	      HEAR("0161", "01 82 00000000 00 ss 40 fb 00"),
	      HEAR("0161", "01 82 03000000 00 ss 00 00 09 000000"));
	ASSERT_EQ(0, slot_power_on(self->slot, deadline_in(1000)));
	EXPECT_EQ(-EOPNOTSUPP, slot_set_parameters(self->slot, &parameters, deadline_in(1000)));
	EXPECT_EQ(-EOPNOTSUPP, slot_set_parameters(self->slot, &parameters, deadline_in(1000)));
	EXPECT_EQ(-EIO, slot_set_parameters(self->slot, &parameters, deadline_in(1000)));
	/* Its own idea of the parameters is of no interest, well formed or not. */
	EXPECT_EQ(0, slot_set_parameters(self->slot, &parameters, deadline_in(1000)));
}

TEST_F(slot, h17_a_card_that_may_have_lost_its_power_gets_no_apdu_before_it_is_powered)
{
	struct ccid_reply reply;

	start_n(self, NULL, 0);
	ASSERT_EQ(0, slot_power_on(self->slot, deadline_in(3000)));
	slot_accept(self->slot);
	EXPECT_FALSE(slot_check_power(self->slot));
	self->slot->x->sleep.between_ms -= 60000;	/* as if the machine had slept */
	EXPECT_EQ(-ESTALE, slot_block(self->slot, 0, 0, BYTES("\x00\xa4\x04\x00", 4), 0,
				      deadline_in(3000), &reply));
	EXPECT_EQ(SLOT_NEEDS_RESET, self->slot->state);
	ASSERT_EQ(0, slot_power_on(self->slot, deadline_in(3000)));
	slot_accept(self->slot);
	self->reader->pipe->power_losses++;		/* and as if the device was reset */
	ASSERT_EQ(0, reader_dispatch(self->reader, deadline_in(3000)));
	EXPECT_EQ(SLOT_NEEDS_RESET, self->slot->state);
}
