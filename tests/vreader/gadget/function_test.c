/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faces vreader/gadget/function.c: what FunctionFS is told, at both speeds. */
#include "vreader/gadget/function.h"

#include "tests/harness.h"
#include "vreader/reader/shape.h"

static size_t describe(const struct shape *shape, uint8_t *buf, size_t cap)
{
	struct packer p = pack_begin(buf, cap);

	shape_pack_descriptors(shape, &p);
	ASSERT_EQ(0, pack_end(&p));
	return p.n;
}

static size_t blob_of(const struct shape *shape, uint8_t *blob)
{
	uint8_t buf[512];
	size_t n = describe(shape, buf, sizeof(buf));
	struct packer p = pack_begin(blob, FUNCTION_BLOB_MAX);
	struct function f;

	ASSERT_EQ(0, function_parse(BYTES(buf, n), &f));
	function_pack_descriptors(&f, &p);
	ASSERT_EQ(0, pack_end(&p));
	return p.n;
}

TEST(the_blob_says_its_own_length_and_how_many_descriptors_there_are)
{
	struct shape shape = SHAPE_INIT;
	uint8_t blob[FUNCTION_BLOB_MAX];
	size_t n = blob_of(&shape, blob);
	struct unpacker u = unpack_begin(BYTES(blob, n));

	EXPECT_EQ(3u, unpack_le32(&u)); /* FUNCTIONFS_DESCRIPTORS_MAGIC_V2 */
	EXPECT_EQ(n, unpack_le32(&u));
	EXPECT_EQ(3u, unpack_le32(&u)); /* full and high speed */
	EXPECT_EQ(5u, unpack_le32(&u));
	EXPECT_EQ(5u, unpack_le32(&u));
	EXPECT_EQ(20u + 2 * (9 + 54 + 3 * 7), n);
}

TEST(full_speed_is_what_the_reader_itself_says)
{
	struct shape shape = SHAPE_INIT;
	uint8_t blob[FUNCTION_BLOB_MAX], own[512];
	size_t n_own = describe(&shape, own, sizeof(own));

	(void)blob_of(&shape, blob);
	EXPECT_BYTES_EQ(BYTES(own + 27, n_own - 27), BYTES(blob + 20, n_own - 27));
}

TEST(high_speed_has_its_own_packets_and_interval)
{
	static const uint8_t endpoints[] = {
		0x07, 0x05, 0x01, 0x02, 0x00, 0x02, 0x00, 0x07, 0x05, 0x82, 0x02,
		0x00, 0x02, 0x00, 0x07, 0x05, 0x83, 0x03, 0x08, 0x00, 0x08, /* 2^7 * 125 us = 16 ms */
	};
	struct shape shape = SHAPE_INIT;
	uint8_t blob[FUNCTION_BLOB_MAX];
	size_t n = blob_of(&shape, blob);

	EXPECT_BYTES_EQ(BYTES_OF(endpoints),
			BYTES(blob + n - sizeof(endpoints), sizeof(endpoints)));
}

TEST(a_reader_without_interrupts_has_two_endpoints)
{
	struct shape shape = SHAPE_INIT;
	uint8_t blob[FUNCTION_BLOB_MAX];

	shape.interrupt = false;
	EXPECT_EQ(20u + 2 * (9 + 54 + 2 * 7), blob_of(&shape, blob));
	EXPECT_EQ(4, blob[12]);
}

TEST(descriptors_cut_anywhere_are_refused)
{
	struct shape shape = SHAPE_INIT;
	uint8_t own[512];
	size_t n = describe(&shape, own, sizeof(own));
	struct function f;

	/* Without its last endpoint it is a reader without interrupts; shorter it is none. */
	for (size_t cut = 0; cut < n; cut++)
		EXPECT_EQ(cut == n - 7 ? 0 : -EBADMSG, function_parse(BYTES(own, cut), &f));
}

TEST(a_second_interface_is_refused)
{
	struct shape shape = SHAPE_INIT;
	uint8_t own[512];
	size_t n = describe(&shape, own, sizeof(own));
	struct function f;

	memcpy(own + n, own + 27, 9);
	EXPECT_EQ(-EBADMSG, function_parse(BYTES(own, n + 9), &f));
}

TEST(a_class_descriptor_that_the_kernel_would_refuse_is_refused)
{
	struct shape shape = SHAPE_INIT;
	uint8_t own[512];
	size_t n = describe(&shape, own, sizeof(own));
	struct function f;

	own[36] = 53;
	memmove(own + 36 + 53, own + 36 + 54, n - 36 - 54);
	EXPECT_EQ(-EBADMSG, function_parse(BYTES(own, n - 1), &f));
}

TEST(there_are_no_strings)
{
	uint8_t buf[FUNCTION_BLOB_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	function_pack_strings(&p);
	EXPECT_BYTES_EQ(BYTES("\2\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0", 16), pack_done(&p));
}
