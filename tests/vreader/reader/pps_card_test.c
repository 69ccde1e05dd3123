/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vreader/reader/pps_card.h"

#include "tests/harness.h"

static int judge(const char *s, size_t n, uint8_t protocol, uint8_t *fidi)
{
	return pps_card_judge(BYTES(s, n), protocol, 0x18, fidi);
}

TEST(the_speed_of_the_atr_and_the_default_are_agreed_to)
{
	uint8_t fidi = 0;

	EXPECT_EQ(0, judge("\xff\x11\x18\xf6", 4, 1, &fidi));
	EXPECT_EQ(0x18, fidi);
	EXPECT_EQ(0, judge("\xff\x10\x18\xf7", 4, 0, &fidi));
	EXPECT_EQ(0, judge("\xff\x01\xfe", 3, 1, &fidi));
	EXPECT_EQ(0x11, fidi);
	EXPECT_EQ(0, judge("\xff\x11\x11\xff", 4, 1, &fidi));
	EXPECT_EQ(0, judge("\xff\x71\x18\x00\x00\x96", 6, 1, &fidi));
	EXPECT_EQ(0x18, fidi);
}

TEST(anything_else_is_met_with_silence)
{
	uint8_t fidi = 0x55;

	EXPECT_EQ(-EBADMSG, judge("\xff\x11\x18\xf6", 4, 0, &fidi));	/* another protocol */
	EXPECT_EQ(-EBADMSG, judge("\xff\x11\x96\x78", 4, 1, &fidi));	/* faster */
	EXPECT_EQ(-EBADMSG, judge("\xff\x11\x18\xf7", 4, 1, &fidi));	/* PCK */
	EXPECT_EQ(-EBADMSG, judge("\xff\x91\x18\x76", 4, 1, &fidi));	/* bit 7 of PPS0 */
	for (size_t n = 1; n < 4; n++)
		EXPECT_EQ(-EBADMSG, judge("\xff\x11\x18\xf6", n, 1, &fidi));
	EXPECT_EQ(-EBADMSG, judge("\xff\x11\x18\xf6\x00", 5, 1, &fidi));
	EXPECT_EQ(0x55, fidi);
	EXPECT_FALSE(pps_is(BYTES_NONE));
	EXPECT_FALSE(pps_is(BYTES("\x00", 1)));
}
