/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/iso7816/pps.h"
#include "tests/harness.h"

static int answer(const void *p, size_t n, uint8_t *agreed)
{
	return pps_parse(BYTES(p, n), 1, 0x18, agreed);
}

TEST(a_request_names_protocol_and_speed)
{
	uint8_t buf[PPS_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	pps_pack(&p, 1, 0x18);
	EXPECT_BYTES_EQ(BYTES("\xff\x11\x18\xf6", 4), pack_done(&p));
	p = pack_begin(buf, sizeof(buf));
	pps_pack(&p, 1, 0x11);
	EXPECT_BYTES_EQ(BYTES("\xff\x01\xfe", 3), pack_done(&p));
}

TEST(a11_an_echo_or_an_echo_without_the_speed_is_agreement_and_nothing_else)
{
	uint8_t agreed = 0;

	EXPECT_EQ(0, answer("\xff\x11\x18\xf6", 4, &agreed));
	EXPECT_EQ(0x18, agreed);
	EXPECT_EQ(0, answer("\xff\x01\xfe", 3, &agreed));
	EXPECT_EQ(0x11, agreed);
	EXPECT_EQ(-EBADMSG, answer("\xff\x10\x18\xf7", 4, &agreed));	/* other T */
	EXPECT_EQ(-EBADMSG, answer("\xff\x11\x18\xf7", 4, &agreed));	/* wrong PCK */
	EXPECT_EQ(-EBADMSG, answer("\xff\x11\x18", 3, &agreed));
	EXPECT_EQ(-EBADMSG, answer("\xff\x11\x18\xf6\x00", 5, &agreed));
	EXPECT_EQ(-EBADMSG, answer("", 0, &agreed));
}
