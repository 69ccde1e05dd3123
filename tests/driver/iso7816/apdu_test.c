/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/iso7816/apdu.h"
#include "tests/harness.h"

#include <stdlib.h>

static uint8_t zeros[70000];

/* The decode rule by total length, written the other way round as the standard has it. */
static bool is_valid(size_t n, uint8_t b4, size_t b56)
{
	if (n == 4 || n == 5)
		return true;
	if (n < 4)
		return false;
	if (b4 != 0)
		return n == 5u + b4 || n == 6u + b4;
	return n == 7 || (n > 7 && b56 != 0 && (n == 7 + b56 || n == 9 + b56));
}

TEST(k2_every_length_is_a_case_or_refused)
{
	static const struct { uint8_t b4; uint16_t b56; } lens[] = {
		{ 0, 0 }, { 0, 1 }, { 0, 255 }, { 0, 256 }, { 1, 0 }, { 2, 0 }, { 255, 0 },
		{ 0, 3000 },
	};

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		for (size_t n = 0; n < 3100; n++) {
			uint8_t *raw = calloc(1, n + 1);
			struct apdu apdu;

			ASSERT_NOT_NULL(raw);
			if (n > 4)
				raw[4] = lens[i].b4;
			if (n > 6 && lens[i].b4 == 0) {
				raw[5] = (uint8_t)(lens[i].b56 >> 8);
				raw[6] = (uint8_t)lens[i].b56;
			}
			EXPECT_EQ(is_valid(n, lens[i].b4, lens[i].b56) ? 0 : -EBADMSG,
				  apdu_parse(BYTES(raw, n), &apdu, NULL));
			free(raw);
		}
	}
}

TEST(what_is_packed_is_parsed_again)
{
	static const size_t data[] = { 0, 1, 255, 256, 65535 };
	static const uint32_t le[] = { 0, 1, 255, 256, 257, 65535, 65536 };
	uint8_t *buf = malloc(APDU_COMMAND_MAX);

	ASSERT_NOT_NULL(buf);
	for (size_t d = 0; d < 5; d++) {
		for (size_t l = 0; l < 7; l++) {
			struct apdu in = { 0x80, 0xca, 1, 2, BYTES(zeros, data[d]), le[l] }, out;
			struct packer p = pack_begin(buf, APDU_COMMAND_MAX);
			bool extended;

			apdu_pack(&p, &in);
			ASSERT_EQ(0, pack_end(&p));
			ASSERT_EQ(0, apdu_parse(pack_done(&p), &out, &extended));
			EXPECT_EQ(in.data.n, out.data.n);
			EXPECT_EQ(in.le, out.le);
			EXPECT_EQ(0x80, out.cla);
			EXPECT_EQ(2, out.p2);
			EXPECT_EQ(!apdu_is_short(&in), extended);
		}
	}
	free(buf);
}

TEST(fields_over_their_limit_are_not_packed)
{
	uint8_t buf[16];
	struct apdu too_long = { .data = BYTES(zeros, 65536) }, too_much = { .le = 65537 };
	struct packer p = pack_begin(buf, sizeof(buf));

	apdu_pack(&p, &too_long);
	EXPECT_NE(0, pack_end(&p));
	p = pack_begin(buf, sizeof(buf));
	apdu_pack(&p, &too_much);
	EXPECT_NE(0, pack_end(&p));
}

TEST(k2_z10_pseudo_classes_and_status_like_instructions_stay_here)
{
	EXPECT_TRUE(apdu_is_legal(&(struct apdu){ .cla = 0x00, .ins = 0xa4 }, true));
	EXPECT_TRUE(apdu_is_legal(&(struct apdu){ .cla = 0xfe, .ins = 0x88 }, true));
	EXPECT_FALSE(apdu_is_legal(&(struct apdu){ .cla = 0xff, .ins = 0xa4 }, true));
	EXPECT_FALSE(apdu_is_legal(&(struct apdu){ .cla = 0xff, .ins = 0xa4 }, false));
	EXPECT_FALSE(apdu_is_legal(&(struct apdu){ .ins = 0x60 }, true));
	EXPECT_TRUE(apdu_is_legal(&(struct apdu){ .cla = 0x80, .ins = 0x68 }, false));
	EXPECT_FALSE(apdu_is_legal(&(struct apdu){ .ins = 0x9f }, true));
}

TEST(z6_a_response_without_a_status_word_is_refused)
{
	struct apdu_response r;

	EXPECT_EQ(-EBADMSG, apdu_response_parse(BYTES(zeros, 0), &r));
	EXPECT_EQ(-EBADMSG, apdu_response_parse(BYTES(zeros, 1), &r));
	EXPECT_EQ(-EBADMSG, apdu_response_parse(BYTES(zeros, 65539), &r));
	ASSERT_EQ(0, apdu_response_parse(BYTES("ab\x90\x00", 4), &r));
	EXPECT_EQ(0x9000, r.sw);
	EXPECT_EQ(2, r.data.n);
}
