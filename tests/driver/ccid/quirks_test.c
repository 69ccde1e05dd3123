/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/ccid/quirks.h"
#include "tests/harness.h"

TEST(an_unknown_reader_has_no_quirk_and_no_override)
{
	const struct quirks *q = quirks_find(0x1209, 0x0001, 0x0100);

	EXPECT_EQ(0, q->flags);
	EXPECT_EQ(0, q->max_message);
	EXPECT_EQ(0, q->max_ifsd);
}

TEST(a_known_reader_is_found_whatever_its_release)
{
	EXPECT_TRUE(quirk_has(quirks_find(0x08e6, 0x4433, 0x0000), QUIRK_NO_PINPAD));
	EXPECT_TRUE(quirk_has(quirks_find(0x08e6, 0x4433, 0xffff), QUIRK_NO_ABORT));
	EXPECT_EQ(48, quirks_find(0x04e6, 0xe003, 0x0510)->max_ifsd);
	EXPECT_FALSE(quirk_has(quirks_find(0x08e6, 0x4434, 0), QUIRK_NO_ABORT));
}

TEST(an_old_firmware_has_what_a_new_one_has_not)
{
	EXPECT_TRUE(quirk_has(quirks_find(0x046a, 0x00a1, 0x0100), QUIRK_AT_EXTENDED));
	EXPECT_FALSE(quirk_has(quirks_find(0x046a, 0x00a1, 0x0101), QUIRK_AT_EXTENDED));
	EXPECT_TRUE(quirk_has(quirks_find(0x0529, 0x0620, 0x0013), QUIRK_NO_IFSD));
	EXPECT_FALSE(quirk_has(quirks_find(0x0529, 0x0620, 0x0014), QUIRK_NO_IFSD));
}
