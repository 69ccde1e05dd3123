/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/iso7816/tlv.h"
#include "tests/driver/scripted.h"
#include "tests/harness.h"

#include <stdlib.h>

static int next(const char *hex, struct tlv *out)
{
	static uint8_t *raw;
	uint8_t buf[300];
	size_t n = unhex(hex, buf, sizeof(buf));
	struct unpacker u;

	free(raw);
	raw = malloc(n + 1);
	ASSERT_NOT_NULL(raw);
	memcpy(raw, buf, n);
	u = unpack_begin(BYTES(raw, n));
	return tlv_next(&u, out);
}

TEST(tags_of_one_two_and_three_bytes_are_read)
{
	struct tlv t;

	ASSERT_EQ(1, next("86 02 aabb", &t));
	EXPECT_EQ(0x86, t.tag);
	EXPECT_EQ(2, t.value.n);
	ASSERT_EQ(1, next("7f49 00", &t));
	EXPECT_EQ(0x7f49, t.tag);
	EXPECT_TRUE(tlv_is_constructed(t.tag));
	ASSERT_EQ(1, next("5f 81 7f 01 aa", &t));
	EXPECT_EQ(0x5f817f, t.tag);
	EXPECT_FALSE(tlv_is_constructed(t.tag));
	EXPECT_EQ(0, next("", &t));
}

TEST(other_ways_to_write_the_same_are_refused)
{
	static const char *const bad[] = {
		"00 00", "ff 00",			/* padding */
		"1f 1e 00", "1f 80 01 00",		/* number too small, leading zero */
		"1f 81 81 00",				/* four bytes of tag */
		"86 81 7f", "86 82 00ff", "86 80", "86 83 000001", "86 ff",
		"86", "86 01", "86 82 01", "1f",	/* cut short */
	};
	struct tlv t;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT_EQ(-EBADMSG, next(bad[i], &t));
}

TEST(an_object_is_found_once_or_not_at_all)
{
	uint8_t buf[64];
	struct bytes b, value;

	b = BYTES(buf, unhex("80 01 aa 81 01 bb 80 01 cc", buf, sizeof(buf)));
	ASSERT_EQ(0, tlv_find(b, 0x81, &value));
	EXPECT_EQ(0xbb, value.p[0]);
	EXPECT_EQ(-EBADMSG, tlv_find(b, 0x80, &value));
	EXPECT_EQ(-ENOENT, tlv_find(b, 0x82, &value));
	/* What stands behind it must parse as well. */
	EXPECT_EQ(-EBADMSG, tlv_find(BYTES(buf, b.n - 1), 0x81, &value));
	EXPECT_EQ(0, tlv_only(BYTES(buf, 3), 0x80, &value));
	EXPECT_EQ(-EBADMSG, tlv_only(BYTES(buf, 3), 0x81, &value));
	EXPECT_EQ(-EBADMSG, tlv_only(b, 0x80, &value));
	EXPECT_EQ(-EBADMSG, tlv_only(BYTES_NONE, 0x80, &value));
}

TEST(what_is_packed_has_the_size_foretold_and_is_read_again)
{
	static const uint32_t tags[] = { 0x80, 0x7f49, 0x5f817f };
	static const size_t lens[] = { 0, 1, 127, 128, 255, 256, 65535 };
	static uint8_t zeros[65535], buf[65600];

	for (size_t t = 0; t < 3; t++) {
		for (size_t l = 0; l < 7; l++) {
			struct packer p = pack_begin(buf, sizeof(buf));
			struct bytes value;

			tlv_pack(&p, tags[t], BYTES(zeros, lens[l]));
			ASSERT_EQ(0, pack_end(&p));
			EXPECT_EQ(tlv_size(tags[t], lens[l]), p.n);
			ASSERT_EQ(0, tlv_only(pack_done(&p), tags[t], &value));
			EXPECT_EQ(lens[l], value.n);
		}
	}
}
