/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vreader/card/tlv.h"
#include "tests/harness.h"

TEST(what_is_put_is_taken)
{
	static const size_t lengths[] = { 0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff };
	static uint8_t value[0xffff], buf[0x10010];

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct packer p = pack_begin(buf, sizeof(buf));
		struct unpacker u;

		tlv_put(&p, 0x7f49, BYTES(value, lengths[i]));
		ASSERT_EQ(0, pack_end(&p));
		u = unpack_begin(pack_done(&p));
		EXPECT_TRUE(tlv_is_next(&u, 0x7f49));
		EXPECT_FALSE(tlv_is_next(&u, 0x86));
		EXPECT_EQ(lengths[i], tlv_take(&u, 0x7f49).n);
		EXPECT_EQ(0, unpack_end(&u));
	}
}

TEST(only_minimal_definite_lengths_are_read)
{
	static const uint8_t bad[][6] = {
		{ 0x80, 0x81, 0x01, 0xaa }, { 0x80, 0x82, 0x00, 0x01, 0xaa }, { 0x80, 0x80, 0x00, 0x00 },
		{ 0x80, 0x83, 0x00, 0x00, 0x01, 0xaa }, { 0x81, 0x01, 0xaa }, { 0x80, 0x05, 0xaa }, { 0x80 },
	};
	static const size_t lengths[] = { 4, 5, 4, 6, 3, 3, 1 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct unpacker u = unpack_begin(BYTES(bad[i], lengths[i]));

		(void)tlv_take(&u, 0x80);
		EXPECT_EQ(-EBADMSG, unpack_end(&u));
	}
}

TEST(a_number_has_its_length)
{
	static const uint8_t two[] = { 0x83, 0x02, 0x01, 0x02 };
	struct unpacker u = unpack_begin(BYTES_OF(two));

	EXPECT_EQ(0x0102u, tlv_take_number(&u, 0x83, 2));
	EXPECT_EQ(0, unpack_end(&u));
	u = unpack_begin(BYTES_OF(two));
	(void)tlv_take_number(&u, 0x83, 1);
	EXPECT_EQ(-EBADMSG, unpack_end(&u));
	u = unpack_begin(BYTES_NONE);
	EXPECT_FALSE(tlv_is_next(&u, 0x83));
}

TEST(any_object_is_taken_with_its_tag)
{
	static const uint8_t some[] = { 0x7f, 0x49, 0x01, 0xaa, 0x06, 0x00, 0x82, 0x81, 0x01, 0xbb };
	struct unpacker u = unpack_begin(BYTES_OF(some));
	unsigned int tag;

	EXPECT_EQ(1u, tlv_take_any(&u, &tag).n);
	EXPECT_EQ(0x7f49u, tag);
	EXPECT_EQ(0u, tlv_take_any(&u, &tag).n);
	EXPECT_EQ(0x06u, tag);
	(void)tlv_take_any(&u, &tag);		/* its length is not minimal */
	EXPECT_EQ(0x82u, tag);
	EXPECT_EQ(-EBADMSG, unpack_end(&u));
	u = unpack_begin(BYTES_OF(some));
	u.left = 1;
	(void)tlv_take_any(&u, &tag);
	EXPECT_EQ(-EBADMSG, unpack_end(&u));
}
