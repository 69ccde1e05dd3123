/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PIN entry through a scripted reader: what is sent, and what each answer means. */
#include "driver/iso7816/pad.h"
#include "tests/driver/scripted.h"
#include "tests/harness.h"

#include <errno.h>

#define HEAR(what, ...) { .hear = what, .say = { __VA_ARGS__ } }
#define SAYS(frame) HEAR("01 69", frame)

FIXTURE(pad) {
	struct scripted s;
	struct reader *reader;
	struct card_io *io;
	enum pad_outcome outcome;
	uint16_t sw;
};

FIXTURE_SETUP(pad)
{
	scripted_init(&self->s, SCRIPTED_EXTENDED, 271);
	*scripted_class(&self->s, 52) = 3;	/* bPINSupport */
}

FIXTURE_TEARDOWN(pad)
{
	self->io = card_io_free(self->io);
	(void)reader_free(self->reader);
	scripted_stop(&self->s);
}

static int enter(struct fixture_pad *self, bool modify, const struct scripted_step *steps, size_t n)
{
	const struct pad verify = { .ins = 0x20, .p2 = 0x81, .min = 4, .max = 12 };
	const struct pad change = {
		.ins = 0x24, .p2 = 0x81, .modify = true, .min = 4, .max = 12, .block = 12,
	};
	const char *why;

	self->reader = scripted_reader(&self->s, steps, n);
	ASSERT_EQ(0, card_io_new(&self->reader->slots[0], deadline_in(5000), &self->io, &why));
	return pad_exchange(self->io, modify ? &change : &verify, deadline_in(100000),
			    &self->outcome, &self->sw);
}
#define ENTER(modify, ...) __extension__({ \
		static const struct scripted_step steps_[] = { __VA_ARGS__ }; \
		enter(self, modify, steps_, sizeof(steps_) / sizeof(steps_[0])); \
	})

TEST_F(pad, the_reader_gets_the_card_drivers_command_and_the_card_answers)
{
	ASSERT_EQ(0, ENTER(false,
		HEAR("01 69 14000000 00 04 00 0000 00 3c 82 00 00 0c 04 02 01 0904 00 000000 0020008100",
		     "01 80 02000000 00 ss 00 00 00 9000")));
	EXPECT_EQ(PAD_SENT, self->outcome);
	EXPECT_EQ(0x9000, self->sw);
	EXPECT_TRUE(self->io->ran);
}

TEST_F(pad, a_change_has_room_for_two_pins)
{
	ASSERT_EQ(0, ENTER(true,
		HEAR("01 69 31000000 00 04 00 0000 01 20 82 0c 00 00 0c 0c 04 03 02 03 0904 00 01 02 "
		     "000000 0024008118 ffffffffffffffffffffffff ffffffffffffffffffffffff",
		     "01 80 02000000 00 ss 00 00 00 63c2")));
	EXPECT_EQ(PAD_SENT, self->outcome);
	EXPECT_EQ(0x63c2, self->sw);
}

TEST_F(pad, the_red_key_is_no_failure_of_the_card)
{
	ASSERT_EQ(0, ENTER(false, SAYS("01 80 00000000 00 ss 40 ef 00")));
	EXPECT_EQ(PAD_CANCELLED, self->outcome);
	EXPECT_FALSE(self->io->ran);
	EXPECT_TRUE(card_io_is_current(self->io));
}

TEST_F(pad, a_person_who_does_not_type_is_no_failure_either)
{
	ASSERT_EQ(0, ENTER(false, SAYS("01 80 00000000 00 ss 40 f0 00")));
	EXPECT_EQ(PAD_TIMEOUT, self->outcome);
	EXPECT_TRUE(card_io_is_current(self->io));
}

TEST_F(pad, words_that_the_reader_says_in_the_cards_place_are_told_apart)
{
	ASSERT_EQ(0, ENTER(true, SAYS("01 80 02000000 00 ss 00 00 00 6402")));
	EXPECT_EQ(PAD_MISMATCH, self->outcome);
	EXPECT_FALSE(self->io->ran);
}

TEST_F(pad, a_reader_that_claims_a_keypad_and_has_none_cannot)
{
	EXPECT_EQ(-EOPNOTSUPP, ENTER(false, SAYS("01 81 00000000 00 ss 40 00 00")));
	EXPECT_TRUE(card_io_is_current(self->io));
}

TEST_F(pad, one_that_does_not_claim_it_is_not_asked)
{
	*scripted_class(&self->s, 52) = 1;
	EXPECT_EQ(-EOPNOTSUPP, enter(self, true, NULL, 0));
	EXPECT_STREQ("65 63 62 61 ", self->s.heard);
}

TEST_F(pad, a_card_that_goes_mute_behind_the_keys_has_to_be_reset)
{
	EXPECT_GT(0, ENTER(false, SAYS("01 80 00000000 00 ss 40 fe 00")));
	EXPECT_TRUE(self->io->ran);
	EXPECT_FALSE(card_io_is_current(self->io));
}

TEST_F(pad, an_answer_without_a_status_word_is_none)
{
	EXPECT_EQ(-EBADMSG, ENTER(false, SAYS("01 80 01000000 00 ss 00 00 00 90")));
	EXPECT_FALSE(card_io_is_current(self->io));
}
