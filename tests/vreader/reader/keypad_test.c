/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The structures are the host's own, so the two ends check each other. */
#include "driver/ccid/pinpad.h"
#include "tests/harness.h"
#include "vreader/reader/keypad.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t verify[] = { 0x00, 0x20, 0x00, 0x81, 0x00 };
static const uint8_t change[5 + 24] = { 0x00, 0x24, 0x00, 0x81, 24 };

FIXTURE(keypad) {
	struct keypad keypad;
	struct pinpad asked;
	uint8_t buf[PINPAD_STRUCTURE_MAX];
};

FIXTURE_SETUP(keypad)
{
	self->asked = (struct pinpad){
		.timeout_s = 7, .min = 4, .max = 12, .apdu = BYTES_OF(verify),
	};
}

FIXTURE_TEARDOWN(keypad)
{
	keypad_end(&self->keypad);
}

#define SELF struct fixture_keypad *self

static void ask_change(SELF)
{
	self->asked.modify = true;
	self->asked.block = 12;
	self->asked.apdu = BYTES_OF(change);
}

static unsigned int begin(SELF)
{
	struct packer p = pack_begin(self->buf, sizeof(self->buf));

	pinpad_pack(&p, &self->asked);
	return keypad_begin(&self->keypad, pack_done(&p));
}

static enum keypad_next type(SELF, const char *keys)
{
	enum keypad_next next = KEYPAD_MORE;

	for (; *keys && next == KEYPAD_MORE; keys++)
		next = keypad_key(&self->keypad, (uint8_t)*keys);
	return next;
}

TEST_F(keypad, a_pin_becomes_the_data_of_the_command)
{
	static const uint8_t want[] = { 0x00, 0x20, 0x00, 0x81, 4, '1', '2', '3', '4' };

	ASSERT_EQ(0u, begin(self));
	EXPECT_EQ(7, self->keypad.timeout_s);
	EXPECT_EQ(KEYPAD_DONE, type(self, "1234\n"));
	EXPECT_BYTES_EQ(BYTES_OF(want), keypad_command(&self->keypad));
}

TEST_F(keypad, a_change_fills_two_blocks)
{
	uint8_t want[29] = { 0x00, 0x24, 0x00, 0x81, 24 };

	ask_change(self);
	memset(want + 5, 0xff, 24);
	memcpy(want + 5, "123456", 6);
	memcpy(want + 17, "7777", 4);
	ASSERT_EQ(0u, begin(self));
	EXPECT_EQ(KEYPAD_DONE, type(self, "123456\n7777\n7777\n"));
	EXPECT_BYTES_EQ(BYTES_OF(want), keypad_command(&self->keypad));
}

TEST_F(keypad, two_different_new_pins_are_a_mismatch)
{
	ask_change(self);
	ASSERT_EQ(0u, begin(self));
	EXPECT_EQ(KEYPAD_MISMATCH, type(self, "123456\n7777\n7778\n"));
}

TEST_F(keypad, digits_are_counted)
{
	ASSERT_EQ(0u, begin(self));
	EXPECT_EQ(KEYPAD_LENGTH, type(self, "123\n"));
	ASSERT_EQ(0u, begin(self));
	EXPECT_EQ(KEYPAD_LENGTH, type(self, "1234567890123"));
}

TEST_F(keypad, keys_that_are_none_do_nothing_and_a_digit_is_taken_back)
{
	static const uint8_t want[] = { 0x00, 0x20, 0x00, 0x81, 4, '1', '2', '3', '4' };

	ASSERT_EQ(0u, begin(self));
	EXPECT_EQ(KEYPAD_DONE, type(self, "<<9x<12 39<4\n"));
	EXPECT_BYTES_EQ(BYTES_OF(want), keypad_command(&self->keypad));
	EXPECT_EQ(KEYPAD_CANCELLED, (begin(self), type(self, "12c")));
}

TEST_F(keypad, what_is_no_pin_command_gets_no_pin)
{
	static const uint8_t put_data[] = { 0x00, 0xda, 0x00, 0x81, 0x00 };
	static const uint8_t foreign[] = { 0x80, 0x20, 0x00, 0x81, 0x00 };

	self->asked.apdu = BYTES_OF(put_data);
	EXPECT_NE(0u, begin(self));
	self->asked.apdu = BYTES_OF(foreign);
	EXPECT_NE(0u, begin(self));
}

TEST_F(keypad, every_truncation_is_refused_and_nothing_read_beyond)
{
	struct packer p = pack_begin(self->buf, sizeof(self->buf));

	ask_change(self);
	pinpad_pack(&p, &self->asked);
	for (size_t n = 0; n < p.n; n++) {
		uint8_t *exact = malloc(n ? n : 1);

		memcpy(exact, self->buf, n);
		EXPECT_NE(0u, keypad_begin(&self->keypad, BYTES(exact, n)));
		free(exact);
	}
}

/* One byte changed: refused, or an entry whose command still fits. */
TEST_F(keypad, no_byte_makes_it_write_outside)
{
	struct packer p = pack_begin(self->buf, sizeof(self->buf));

	ask_change(self);
	pinpad_pack(&p, &self->asked);
	for (size_t i = 0; i < p.n; i++) {
		for (unsigned int v = 0; v < 256; v++) {
			uint8_t was = self->buf[i];

			self->buf[i] = (uint8_t)v;
			if (keypad_begin(&self->keypad, pack_done(&p)) == 0)
				(void)type(self, "12345678\n12345678\n12345678\n");
			EXPECT_LE(keypad_command(&self->keypad).n, (size_t)KEYPAD_COMMAND_MAX);
			self->buf[i] = was;
		}
	}
}
