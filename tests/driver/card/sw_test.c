/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/card/sw.h"
#include "keyferry/proto.h"
#include "tests/harness.h"

static const struct {
	uint16_t sw;
	int error;
	uint16_t reason;
	uint32_t detail;
} words[] = {
	{ 0x9000, 0, 0, 0 },
	{ 0x63c2, -EKEYREJECTED, KF_REASON_PIN_WRONG, 2 },
	{ 0x63c0, -EKEYREJECTED, KF_REASON_PIN_WRONG, 0 },
	{ 0x6581, -EREMOTEIO, 0, 0 },
	{ 0x6700, -EREMOTEIO, 0, 0 },
	{ 0x6881, -EOPNOTSUPP, 0, 0 },
	{ 0x6882, -EOPNOTSUPP, 0, 0 },
	{ 0x6982, -EPERM, KF_REASON_PIN_NEEDED, 0 },
	{ 0x6983, -EKEYREVOKED, 0, 0 },
	{ 0x6985, -EREMOTEIO, 0, 0 },
	{ 0x6988, -EREMOTEIO, 0, 0 },
	{ 0x6a80, -EREMOTEIO, 0, 0 },
	{ 0x6a82, -ENOENT, 0, 0 },
	{ 0x6a84, -ENOSPC, 0, 0 },
	{ 0x6a86, -EREMOTEIO, 0, 0 },
	{ 0x6a88, -ENOENT, 0, 0 },
	{ 0x6d00, -EOPNOTSUPP, 0, 0 },
	{ 0x6e00, -EOPNOTSUPP, 0, 0 },
	{ 0x6f00, -EREMOTEIO, 0, 0 },
	{ 0x9001, -EREMOTEIO, 0, 0 },
};

TEST(each_word_of_the_card_page_has_its_errno)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct sw_meaning m = sw_meaning(words[i].sw);

		EXPECT_EQ(words[i].error, m.error);
		EXPECT_EQ(words[i].reason, m.reason);
		EXPECT_EQ(words[i].detail, m.detail);
	}
}

TEST(only_9000_is_success_and_every_other_word_has_an_errno)
{
	for (uint32_t sw = 0; sw <= 0xffff; sw++)
		if (sw != 0x9000 && sw_meaning((uint16_t)sw).error >= 0)
			TEST_FAIL("%04X counts as success", sw);
}

TEST(what_is_no_status_word_is_malformed)
{
	EXPECT_EQ(-EBADMSG, sw_meaning(0x0000).error);
	EXPECT_EQ(-EBADMSG, sw_meaning(0x6000).error);
	EXPECT_EQ(-EBADMSG, sw_meaning(0x6110).error);
	EXPECT_EQ(-EBADMSG, sw_meaning(0x6c10).error);
	EXPECT_EQ(-EBADMSG, sw_meaning(0xa000).error);
}
