/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names like z6 are rows of the catalogue of hostile readers, part T=0. */
#include "driver/iso7816/t0.h"
#include "tests/harness.h"

static struct bytes tpdu(const struct apdu *apdu)
{
	static uint8_t buf[T0_TPDU_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	t0_tpdu_pack(&p, apdu);
	return pack_done(&p);
}

TEST(z1_each_case_has_its_tpdu)
{
	struct apdu apdu = { .cla = 0x80, .ins = 0xca, .p1 = 1, .p2 = 2 };

	EXPECT_BYTES_EQ(BYTES("\x80\xca\1\2\0", 5), tpdu(&apdu));
	apdu.le = 16;
	EXPECT_BYTES_EQ(BYTES("\x80\xca\1\2\x10", 5), tpdu(&apdu));
	apdu.le = 256;
	EXPECT_BYTES_EQ(BYTES("\x80\xca\1\2\0", 5), tpdu(&apdu));
	apdu.le = 65536;		/* the rest comes by 61xx */
	EXPECT_BYTES_EQ(BYTES("\x80\xca\1\2\0", 5), tpdu(&apdu));
	apdu.data = BYTES("abc", 3);	/* Le of case 4 waits for GET RESPONSE */
	EXPECT_BYTES_EQ(BYTES("\x80\xca\1\2\3abc", 8), tpdu(&apdu));
	apdu.le = 0;
	EXPECT_BYTES_EQ(BYTES("\x80\xca\1\2\3abc", 8), tpdu(&apdu));
}

TEST(z11_data_that_p3_cannot_count_is_no_tpdu)
{
	uint8_t data[256] = { 0 };
	struct apdu apdu = { .data = BYTES(data, 255) };

	EXPECT_TRUE(t0_is_direct(&apdu));
	EXPECT_EQ(260, tpdu(&apdu).n);
	apdu.data.n = 256;
	EXPECT_FALSE(t0_is_direct(&apdu));
	EXPECT_EQ(0, tpdu(&apdu).n);
}

TEST(z6_z7_an_answer_has_a_status_word_and_no_more_than_was_asked_for)
{
	uint8_t answer[300] = { 0 };
	struct bytes read16 = BYTES("\0\xb0\0\0\x10", 5), read256 = BYTES("\0\xb0\0\0\0", 5);
	struct bytes write = BYTES("\0\xd6\0\0\1x", 6);

	EXPECT_EQ(-EBADMSG, t0_answer_check(read16, BYTES_NONE));
	EXPECT_EQ(-EBADMSG, t0_answer_check(read16, BYTES("\x90", 1)));
	EXPECT_EQ(0, t0_answer_check(read16, BYTES("\x90\x00", 2)));
	answer[16] = 0x90;
	EXPECT_EQ(0, t0_answer_check(read16, BYTES(answer, 18)));
	answer[16] = 0;
	answer[17] = 0x90;
	EXPECT_EQ(-EBADMSG, t0_answer_check(read16, BYTES(answer, 19)));
	answer[17] = 0;
	answer[256] = 0x61;
	EXPECT_EQ(0, t0_answer_check(read256, BYTES(answer, 258)));
	answer[256] = 0;
	answer[257] = 0x61;
	EXPECT_EQ(-EBADMSG, t0_answer_check(read256, BYTES(answer, 259)));
	EXPECT_EQ(0, t0_answer_check(write, BYTES("\x61\x10", 2)));
	EXPECT_EQ(-EBADMSG, t0_answer_check(write, BYTES("a\x90\x00", 3)));
}

TEST(what_t0_cannot_end_with_is_no_status_word)
{
	struct bytes write = BYTES("\0\xd6\0\0\1x", 6);

	for (unsigned int sw1 = 0; sw1 < 256; sw1++) {
		const uint8_t answer[] = { (uint8_t)sw1, 0x00 };
		bool good = (sw1 > 0x60 && sw1 < 0x70) || (sw1 >= 0x90 && sw1 < 0xa0);

		EXPECT_EQ(good ? 0 : -EBADMSG, t0_answer_check(write, BYTES_OF(answer)));
	}
}

TEST(z11_envelopes_carry_all_of_a_command_and_the_last_is_short)
{
	uint8_t command[510] = { 0x84, 0xda };
	struct apdu part;
	size_t n = 0;

	command[509] = 7;
	part = t0_envelope(0x84, BYTES_OF(command), 0, 255);
	EXPECT_EQ(0x00, part.cla);	/* proprietary gives way */
	EXPECT_EQ(0xc2, part.ins);
	for (size_t at = 0; at <= 510; at += 255) {
		part = t0_envelope(0x02, BYTES_OF(command), at, 255);
		EXPECT_EQ(0x02, part.cla);
		EXPECT_TRUE(bytes_equal(part.data, bytes_slice(BYTES_OF(command), n, part.data.n)));
		n += part.data.n;
	}
	EXPECT_EQ(510, n);
	EXPECT_EQ(0, part.data.n);	/* 510 is twice 255: an empty one ends it */
}
