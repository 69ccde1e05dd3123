// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libcardmod/value_test.c - One rule of buffer and length, and the ways in and out of an entry
 * point.
 *
 * Faces: libcardmod/module.c
 */
#include "libcardmod/value.h"
#include "tests/libcardmod/no_card.h"

FIXTURE(value) { CARD_DATA card; struct module *module; };
FIXTURE_SETUP(value)
{
	no_card_begin(&self->card);
	ASSERT_EQ(SCARD_S_SUCCESS, module_enter(&self->card, MODULE_SERVER, "Test", &self->module));
}
FIXTURE_TEARDOWN(value) { no_card_end(&self->card); }

TEST_F(value, no_buffer_asks_for_the_length)
{
	DWORD len = 0;
	struct value_out out = { NULL, 0, &len };

	EXPECT_EQ(SCARD_S_SUCCESS, value_give(self->module, BYTES("abc", 3), &out));
	EXPECT_EQ(3, len);
}

TEST_F(value, a_byte_short_is_too_short_and_says_by_how_much)
{
	BYTE buf[3] = { 0xee, 0xee, 0xee };
	DWORD len = 0;
	struct value_out out = { buf, 2, &len };

	EXPECT_EQ(ERROR_INSUFFICIENT_BUFFER, value_give(self->module, BYTES("abc", 3), &out));
	EXPECT_EQ(3, len);
	EXPECT_EQ(0xee, buf[0]);
	expect_told(&self->card);
}

TEST_F(value, an_exact_buffer_is_enough)
{
	BYTE buf[4] = { 0 };
	DWORD len = 0;
	struct value_out out = { buf, 3, &len };

	EXPECT_EQ(SCARD_S_SUCCESS, value_give(self->module, BYTES("abc", 3), &out));
	EXPECT_MEMEQ("abc", buf, 4);
}

TEST_F(value, a_null_with_a_size_or_without_a_length_is_refused)
{
	DWORD len = 0;
	struct value_out sized = { NULL, 3, &len }, unmeasured = { (PBYTE)&len, 4, NULL };

	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, value_give(self->module, BYTES("abc", 3), &sized));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, value_give(self->module, BYTES("abc", 3), &unmeasured));
}

TEST_F(value, a_dword_is_four_bytes_little_endian)
{
	static const uint8_t bytes[] = { 0x78, 0x56, 0x34, 0x12, 0 };
	DWORD number = 0;

	EXPECT_TRUE(value_take_u32(BYTES(bytes, 4), &number));
	EXPECT_EQ(0x12345678, number);
	EXPECT_FALSE(value_take_u32(BYTES(bytes, 3), &number));
	EXPECT_FALSE(value_take_u32(BYTES(bytes, 5), &number));
	EXPECT_FALSE(value_take_u32(BYTES_NONE, &number));
}

TEST_F(value, a_context_of_the_other_kind_is_unsupported)
{
	struct module *module = NULL;

	EXPECT_EQ(SCARD_E_UNSUPPORTED_FEATURE,
		  module_enter(&self->card, MODULE_CARD, "Test", &module));
	EXPECT_NULL(module);
	expect_told(&self->card);
	EXPECT_EQ(SCARD_S_SUCCESS, module_enter(&self->card, MODULE_EITHER, "Test", &module));
	EXPECT_EQ(0, kf_cardmod_error(&self->card)->code);
}

TEST(no_context_is_an_invalid_parameter)
{
	struct module *module;
	CARD_DATA card = allocator_card();

	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, module_enter(NULL, MODULE_EITHER, "Test", &module));
	EXPECT_EQ(SCARD_E_INVALID_PARAMETER, module_enter(&card, MODULE_EITHER, "Test", &module));
}
