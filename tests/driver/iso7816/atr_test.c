/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names like a5 are rows of the catalogue of hostile readers, part "card start". */
#include "driver/iso7816/atr.h"
#include "tests/driver/scripted.h"
#include "tests/harness.h"

#include <stdlib.h>

static int parse(const char *hex, struct atr *out)
{
	uint8_t raw[64];

	return atr_parse(BYTES(raw, unhex(hex, raw, sizeof(raw))), out);
}

TEST(a1_the_shortest_atr_is_t0_with_all_defaults)
{
	struct atr atr;

	ASSERT_EQ(0, parse("3b 00", &atr));
	EXPECT_EQ(1, atr.protocols);
	EXPECT_EQ(0, atr.first);
	EXPECT_EQ(FIDI_DEFAULT, atr.fidi);
	EXPECT_EQ(10, atr.wi);
	EXPECT_EQ(32, atr.ifsc);
	EXPECT_EQ(4, atr.bwi);
	EXPECT_EQ(13, atr.cwi);
	EXPECT_FALSE(atr.specific);
	EXPECT_EQ(0, atr.warnings);
	EXPECT_EQ(2, atr.raw_n);
}

TEST(a1_a_t1_card_with_all_its_bytes)
{
	struct atr atr;

	/* TA1 18, TC1 ff, TD1 81, TD2 31, TA3 fe, TB3 45, then history, TCK */
	ASSERT_EQ(0, parse("3b da 18 ff 81 31 fe 45 80 73 c8 21 13 60 04 05 06 07 86", &atr));
	EXPECT_EQ(2, atr.protocols);
	EXPECT_EQ(1, atr.first);
	EXPECT_EQ(0x18, atr.fidi);
	EXPECT_EQ(0xff, atr.guard);
	EXPECT_EQ(254, atr.ifsc);
	EXPECT_EQ(4, atr.bwi);
	EXPECT_EQ(5, atr.cwi);
	EXPECT_FALSE(atr.crc);
	EXPECT_EQ(10, atr.historical_n);
	EXPECT_EQ(ATR_WARN_CHECKSUM, atr.warnings & (ATR_WARN_CHECKSUM | ATR_WARN_TRAILING));
	EXPECT_TRUE(atr.has_capabilities);
	EXPECT_FALSE(atr.extended);
}

TEST(a1_a_card_with_both_protocols_and_a_crc)
{
	struct atr atr;

	ASSERT_EQ(0, parse("3b 80 80 41 01 40", &atr));
	EXPECT_EQ(3, atr.protocols);
	EXPECT_EQ(0, atr.first);
	EXPECT_TRUE(atr.crc);
	EXPECT_EQ(0, atr.warnings);
}

TEST(a2_a3_length_and_ts_are_judged)
{
	struct atr atr;
	uint8_t long_one[34] = { 0x3b };

	EXPECT_EQ(-EBADMSG, parse("", &atr));
	EXPECT_EQ(-EBADMSG, parse("3b", &atr));
	EXPECT_EQ(-EBADMSG, parse("00 00", &atr));
	EXPECT_EQ(-EBADMSG, parse("03 00", &atr));
	EXPECT_EQ(0, parse("3f 00", &atr));
	EXPECT_TRUE(atr.inverse);
	EXPECT_EQ(-EBADMSG, atr_parse(BYTES(long_one, 34), &atr));
	EXPECT_EQ(0, atr_parse(BYTES(long_one, 33), &atr));
}

TEST(a4_fewer_bytes_than_announced_are_refused)
{
	struct atr atr;
	uint8_t chain[33];

	EXPECT_EQ(-EBADMSG, parse("3b 0f 01 02", &atr));
	EXPECT_EQ(-EBADMSG, parse("3b f0 11 22 33", &atr));
	EXPECT_EQ(-EBADMSG, parse("3b 80", &atr));
	memset(chain, 0x80, sizeof(chain));
	chain[0] = 0x3b;
	EXPECT_EQ(-EBADMSG, atr_parse(BYTES_OF(chain), &atr));
}

TEST(a5_a6_checksums_and_junk_are_warned_about)
{
	struct atr atr;

	ASSERT_EQ(0, parse("3b 80 01 81", &atr));
	EXPECT_EQ(0, atr.warnings);
	ASSERT_EQ(0, parse("3b 80 01 82", &atr));
	EXPECT_EQ(ATR_WARN_CHECKSUM, atr.warnings);
	ASSERT_EQ(0, parse("3b 80 01", &atr));
	EXPECT_EQ(ATR_WARN_NO_CHECKSUM, atr.warnings);
	ASSERT_EQ(0, parse("3b 00 00", &atr));
	EXPECT_EQ(ATR_WARN_TRAILING, atr.warnings);
	ASSERT_EQ(0, parse("3b 80 01 81 ff ff", &atr));
	EXPECT_EQ(ATR_WARN_TRAILING, atr.warnings);
	EXPECT_EQ(6, atr.raw_n);
}

TEST(a7_specific_mode_names_its_protocol)
{
	struct atr atr;

	ASSERT_EQ(0, parse("3b 80 10 01", &atr));
	EXPECT_TRUE(atr.specific);
	EXPECT_EQ(1, atr.specific_protocol);
	EXPECT_FALSE(atr.implicit);
	ASSERT_EQ(0, parse("3b 80 11 9e 0f", &atr));
	EXPECT_EQ(14, atr.specific_protocol);
	EXPECT_TRUE(atr.implicit);
}

TEST(a9_a10_values_out_of_range_are_replaced)
{
	struct atr atr;

	ASSERT_EQ(0, parse("3b 80 81 31 00 ff 4f", &atr));
	EXPECT_EQ(32, atr.ifsc);
	EXPECT_EQ(9, atr.bwi);
	EXPECT_EQ(15, atr.cwi);
	EXPECT_EQ(ATR_WARN_RANGE, atr.warnings & ATR_WARN_RANGE);
	ASSERT_EQ(0, parse("3b 80 81 31 ff 45 8a", &atr));
	EXPECT_EQ(254, atr.ifsc);
	ASSERT_EQ(0, parse("3b 80 81 31 01 45 74", &atr));
	EXPECT_EQ(1, atr.ifsc);
	ASSERT_EQ(0, parse("3b 80 40 00 c0", &atr));	/* TC2 0 */
	EXPECT_EQ(10, atr.wi);
}

TEST(a8_speeds_of_reserved_indices_are_none)
{
	EXPECT_EQ(10752, iso_rate(0x11, 4000));
	EXPECT_EQ(250000, iso_rate(0x96, 4000));
	EXPECT_EQ(500000, iso_rate(0x97, 4000));
	EXPECT_EQ(0, iso_rate(0xff, 4000));
	EXPECT_EQ(0, iso_rate(0x00, 4000));
	EXPECT_EQ(0, iso_rate(0x11, 0));
}

TEST(waiting_times_are_those_of_the_formula)
{
	struct atr atr;

	ASSERT_EQ(0, parse("3b 80 01 81", &atr));
	/* 11 etu, and 16 * 960 * 372 / 3580 kHz = 1596.1 ms */
	EXPECT_EQ(1599, atr_bwt_ms(&atr, FIDI_DEFAULT, 3580));
	EXPECT_EQ(1599, atr_bwt_ms(&atr, FIDI_DEFAULT, 0));	/* D21 */
	atr.bwi = 9;
	EXPECT_GT(atr_bwt_ms(&atr, FIDI_DEFAULT, 3580), 51000);
	EXPECT_LT(atr_bwt_ms(&atr, FIDI_DEFAULT, 3580), 51200);
	EXPECT_EQ(UINT32_MAX, iso_etu_ms(UINT64_MAX / 400, FIDI_DEFAULT, 1));
}

TEST(card_capabilities_are_found_in_the_history)
{
	struct atr atr;

	/* T=0, 5 historical bytes: 80 73 c0 01 c0 */
	ASSERT_EQ(0, parse("3b 05 80 73 c0 01 c0", &atr));
	EXPECT_TRUE(atr.has_capabilities);
	EXPECT_TRUE(atr.chaining);
	EXPECT_TRUE(atr.extended);
	ASSERT_EQ(0, parse("3b 06 80 31 00 72 c0 01", &atr));
	EXPECT_TRUE(atr.has_capabilities);
	EXPECT_FALSE(atr.extended);
	ASSERT_EQ(0, parse("3b 03 80 75 c0", &atr));	/* cut short */
	EXPECT_FALSE(atr.has_capabilities);
	ASSERT_EQ(0, parse("3b 04 41 73 c0 c0", &atr));	/* another category */
	EXPECT_FALSE(atr.has_capabilities);
}

TEST(every_truncation_and_every_single_byte_change_is_survived)
{
	static const uint8_t good[] = {
		0x3b, 0xda, 0x18, 0xff, 0x81, 0xb1, 0xfe, 0x45, 0x1f, 0x03, 0x80, 0x73, 0xc8,
		0x21, 0x13, 0x60, 0x04, 0x05, 0x06, 0x07, 0x86,
	};

	for (size_t n = 0; n <= sizeof(good); n++) {
		for (size_t at = 0; at < n; at++) {
			for (unsigned int v = 0; v < 256; v++) {
				uint8_t *raw = malloc(n);
				struct atr atr;

				ASSERT_NOT_NULL(raw);
				memcpy(raw, good, n);
				raw[at] = (uint8_t)v;
				if (atr_parse(BYTES(raw, n), &atr) == 0) {
					ASSERT_GE(atr.ifsc, 1);
					ASSERT_LE(atr.ifsc, 254);
					ASSERT_LE(atr.bwi, 9);
					ASSERT_NE(0, atr.protocols);
				}
				free(raw);
			}
		}
	}
}
