// SPDX-License-Identifier: LGPL-2.1-or-later
/* tests/libserver/armour_test.c - Blocks are found whole, and base64 has one form. */
#include "base/cleanup.h"
#include "libserver/armour.h"
#include "tests/harness.h"

static struct bytes text_of(const char *text)
{
	return BYTES(text, strlen(text));
}

static int decode(const char *base64, struct secret *out)
{
	struct armour armour = { .base64 = text_of(base64) };

	return armour_decode(&armour, out);
}

TEST(blocks_are_taken_one_after_the_other)
{
	struct bytes text = text_of("Bag Attributes\r\n-----BEGIN A B-----\r\nZm9v\r\n"
				    "-----END A B----- \r\nwords\n-----BEGIN C-----\n-----END C-----");
	struct armour armour;

	ASSERT_TRUE(armour_next(&text, &armour));
	EXPECT_TRUE(armour_is(&armour, "A B"));
	EXPECT_FALSE(armour_is(&armour, "A"));
	EXPECT_BYTES_EQ(text_of("Zm9v\r\n"), armour.base64);
	EXPECT_EQ(0, armour.headers.n);
	ASSERT_TRUE(armour_next(&text, &armour));
	EXPECT_TRUE(armour_is(&armour, "C"));
	EXPECT_EQ(0, armour.base64.n);
	EXPECT_FALSE(armour_next(&text, &armour));
}

TEST(headers_end_at_the_empty_line)
{
	struct bytes text = text_of("-----BEGIN K-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: X,00\n\nZm9v\n"
				    "-----END K-----\n");
	struct armour armour;

	ASSERT_TRUE(armour_next(&text, &armour));
	EXPECT_BYTES_EQ(text_of("Proc-Type: 4,ENCRYPTED\nDEK-Info: X,00\n\n"), armour.headers);
	EXPECT_BYTES_EQ(text_of("Zm9v\n"), armour.base64);
}

TEST(what_does_not_end_as_it_began_is_no_block)
{
	static const char *const rows[] = {
		"", "-----BEGIN -----\n-----END -----\n", "-----BEGIN A-----\nZm9v\n",
		"-----BEGIN A-----\nZm9v\n-----END B-----\n", "x-----BEGIN A-----\n-----END A-----\n",
		"-----BEGIN A----\n-----END A-----\n", "-----BEGIN A-----\n-----END A----\n",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes text = text_of(rows[i]);
		struct armour armour;

		EXPECT_FALSE(armour_next(&text, &armour));
	}
}

TEST(base64_of_every_length_and_digit_is_decoded)
{
	static const char *const rows[][2] = {
		{ "Zg==", "f" }, { "Zm8=", "fo" }, { "Zm9v", "foo" }, { "Zm9v\r\nYmFy\n", "foobar" },
		{ "++//", "\xfb\xef\xff" }, { " Z m\t9v\n", "foo" },
	};
	_cleanup_(secret_deinit) struct secret all = SECRET_INIT;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(secret_deinit) struct secret s = SECRET_INIT;

		ASSERT_EQ(0, decode(rows[i][0], &s));
		EXPECT_BYTES_EQ(text_of(rows[i][1]), secret_bytes(&s));
	}
	ASSERT_EQ(0, decode("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", &all));
	ASSERT_EQ(48, all.n);
	for (size_t i = 0; i < 64; i++) {
		size_t bit = 6 * i, byte = bit / 8;
		uint32_t two = (uint32_t)all.p[byte] << 8 | (byte + 1 < 48 ? all.p[byte + 1] : 0);

		EXPECT_EQ(i, two >> (10 - bit % 8) & 63);
	}
}

TEST(base64_has_one_form_only)
{
	static const char *const rows[] = {
		"Z", "Zm", "Zm9", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zm9v=", "Zg==Zg==", "Zm8=v", "Zg=w",
		"Zm-v", "Zm_v", "Zm9v:", "Zm@v", "Zm[v", "Zm`v", "Zm{v", "Zm.v", "Zm,v", "Zm\x80v", "Zm9v*",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(secret_deinit) struct secret s = SECRET_INIT;

		EXPECT_EQ(-EBADMSG, decode(rows[i], &s));
		EXPECT_NULL(s.p);
	}
}
