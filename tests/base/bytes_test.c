/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/bytes.h"
#include "tests/harness.h"

static const uint8_t eight[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

TEST(reading_over_the_edge_yields_zero_and_sticks)
{
	struct unpacker u = unpack_begin(BYTES(eight, 3));

	EXPECT_EQ(0x0102, unpack_be16(&u));
	EXPECT_EQ(0, unpack_be16(&u));
	EXPECT_EQ(0, unpack_u8(&u));
	EXPECT_EQ(-EBADMSG, unpack_end(&u));
}
