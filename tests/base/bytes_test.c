/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/bytes.h"
#include "tests/harness.h"

#include <stdlib.h>

static const uint8_t eight[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

/* The first @n of the eight, ending at the edge of an allocation so that ASan sees a step over. */
static struct bytes edge(size_t n)
{
	static uint8_t *room;

	free(room);
	room = malloc(n ? n : 1);
	ASSERT_NOT_NULL(room);
	memcpy(room, eight, n);
	return BYTES(room, n);
}

/* --- ranges --- */

TEST(equal_ranges_have_equal_lengths_and_bytes)
{
	EXPECT_TRUE(bytes_equal(BYTES(eight, 3), BYTES("\1\2\3", 3)));
	EXPECT_FALSE(bytes_equal(BYTES(eight, 3), BYTES(eight, 2)));
	EXPECT_FALSE(bytes_equal(BYTES(eight, 3), BYTES("\1\2\4", 3)));
	EXPECT_TRUE(bytes_equal(BYTES_NONE, BYTES(eight, 0)));
}

TEST(a_prefix_is_never_longer_than_its_range)
{
	EXPECT_TRUE(bytes_have_prefix(edge(3), BYTES(eight, 3)));
	EXPECT_TRUE(bytes_have_prefix(edge(3), BYTES_NONE));
	EXPECT_TRUE(bytes_have_prefix(BYTES_NONE, BYTES_NONE));
	EXPECT_FALSE(bytes_have_prefix(edge(3), BYTES(eight, 4)));
	EXPECT_FALSE(bytes_have_prefix(edge(3), BYTES("\1\3", 2)));
}

TEST(only_zeros_are_zero_and_nothing_is_too)
{
	static const uint8_t nearly[5] = { 0, 0, 0, 0, 1 };

	EXPECT_TRUE(bytes_are_zero(BYTES(nearly, 4)));
	EXPECT_FALSE(bytes_are_zero(BYTES_OF(nearly)));
	EXPECT_TRUE(bytes_are_zero(BYTES_NONE));
}

TEST(a_slice_is_cut_where_the_range_ends)
{
	EXPECT_BYTES_EQ(BYTES("\3\4", 2), bytes_slice(BYTES_OF(eight), 2, 2));
	EXPECT_BYTES_EQ(BYTES("\7\10", 2), bytes_slice(BYTES_OF(eight), 6, 99));
	EXPECT_BYTES_EQ(BYTES("\10", 1), bytes_slice(BYTES_OF(eight), 7, SIZE_MAX));
	EXPECT_EQ(0, bytes_slice(BYTES_OF(eight), 8, 1).n);
	EXPECT_EQ(0, bytes_slice(BYTES_OF(eight), SIZE_MAX, SIZE_MAX).n);
	EXPECT_EQ(0, bytes_slice(BYTES_NONE, 0, 1).n);
}

/* --- reading: every step, at every distance from the edge --- */

TEST(what_stands_before_a_byte_is_taken_with_it)
{
	struct unpacker u = unpack_begin(edge(5));

	EXPECT_BYTES_EQ(BYTES("\1\2", 2), unpack_until(&u, 3));
	EXPECT_EQ(0, unpack_until(&u, 4).n);
	EXPECT_FALSE(u.bad);
	EXPECT_EQ(1, u.left);
	EXPECT_EQ(0, unpack_until(&u, 4).n);
	EXPECT_TRUE(u.bad);
	u = unpack_begin(BYTES_NONE);
	EXPECT_NULL(unpack_until(&u, 0).p);
	EXPECT_TRUE(u.bad);
}

static uint64_t step_u8(struct unpacker *u) { return unpack_u8(u); }
static uint64_t step_be16(struct unpacker *u) { return unpack_be16(u); }
static uint64_t step_be32(struct unpacker *u) { return unpack_be32(u); }
static uint64_t step_be64(struct unpacker *u) { return unpack_be64(u); }
static uint64_t step_le16(struct unpacker *u) { return unpack_le16(u); }
static uint64_t step_le32(struct unpacker *u) { return unpack_le32(u); }
static uint64_t step_le64(struct unpacker *u) { return unpack_le64(u); }
static uint64_t step_be24(struct unpacker *u) { return unpack_be(u, 3); }
static uint64_t step_le24(struct unpacker *u) { return unpack_le(u, 3); }

static uint64_t step_bytes(struct unpacker *u)
{
	struct bytes b = unpack_bytes(u, 5);

	return b.n == 5 && b.p[0] == 1 ? 5 : b.n;
}

static uint64_t step_copy(struct unpacker *u)
{
	uint8_t out[3] = { 9, 9, 9 };

	unpack_copy(u, out, sizeof(out));
	return (uint64_t)out[0] << 16 | (uint64_t)out[1] << 8 | out[2];
}

static uint64_t step_skip(struct unpacker *u)
{
	unpack_skip(u, 7);
	return 0;
}

FIXTURE(step) { int unused; };
FIXTURE_VARIANT(step) {
	uint64_t (*read)(struct unpacker *u);
	size_t takes;
	uint64_t value;
};
FIXTURE_VARIANT_ADD(step, u8) { step_u8, 1, 0x01 };
FIXTURE_VARIANT_ADD(step, be16) { step_be16, 2, 0x0102 };
FIXTURE_VARIANT_ADD(step, be24) { step_be24, 3, 0x010203 };
FIXTURE_VARIANT_ADD(step, be32) { step_be32, 4, 0x01020304 };
FIXTURE_VARIANT_ADD(step, be64) { step_be64, 8, 0x0102030405060708 };
FIXTURE_VARIANT_ADD(step, le16) { step_le16, 2, 0x0201 };
FIXTURE_VARIANT_ADD(step, le24) { step_le24, 3, 0x030201 };
FIXTURE_VARIANT_ADD(step, le32) { step_le32, 4, 0x04030201 };
FIXTURE_VARIANT_ADD(step, le64) { step_le64, 8, 0x0807060504030201 };
FIXTURE_VARIANT_ADD(step, bytes) { step_bytes, 5, 5 };
FIXTURE_VARIANT_ADD(step, copy) { step_copy, 3, 0x010203 };
FIXTURE_VARIANT_ADD(step, skip) { step_skip, 7, 0 };
FIXTURE_SETUP(step) { }
FIXTURE_TEARDOWN(step) { }

TEST_F(step, reads_up_to_the_edge_and_no_further)
{
	struct unpacker u = unpack_begin(edge(variant->takes));

	EXPECT_EQ(variant->value, variant->read(&u));
	EXPECT_EQ(0, unpack_end(&u));
}

TEST_F(step, over_the_edge_yields_zero_and_sticks)
{
	for (size_t n = 0; n < variant->takes; n++) {
		struct unpacker u = unpack_begin(edge(n));

		EXPECT_EQ(0, variant->read(&u));
		EXPECT_EQ(-EBADMSG, unpack_end(&u));
		EXPECT_EQ(0, unpack_u8(&u));
		EXPECT_EQ(-1, unpack_peek(&u));
		EXPECT_EQ(0, unpack_rest(&u).n);
		EXPECT_EQ(-EBADMSG, unpack_end(&u));
	}
}

TEST_F(step, after_a_bad_one_takes_nothing)
{
	struct unpacker u = unpack_begin(edge(8));

	unpack_fail(&u);
	EXPECT_EQ(0, variant->read(&u));
	EXPECT_EQ(-EBADMSG, unpack_end(&u));
}

TEST(bytes_left_over_are_refused)
{
	struct unpacker u = unpack_begin(edge(3));

	EXPECT_EQ(0x0102, unpack_be16(&u));
	EXPECT_EQ(-EBADMSG, unpack_end(&u));
	EXPECT_EQ(3, unpack_u8(&u));
	EXPECT_EQ(0, unpack_end(&u));
}

TEST(a_length_near_the_top_of_size_t_does_not_wrap)
{
	struct unpacker u = unpack_begin(edge(8));

	unpack_skip(&u, 4);
	EXPECT_EQ(0, unpack_bytes(&u, SIZE_MAX - 2).n);
	EXPECT_EQ(-EBADMSG, unpack_end(&u));
}

TEST(the_rest_is_all_that_is_left_and_may_be_nothing)
{
	struct unpacker u = unpack_begin(edge(8));

	unpack_skip(&u, 5);
	EXPECT_BYTES_EQ(BYTES("\6\7\10", 3), unpack_rest(&u));
	EXPECT_EQ(0, unpack_rest(&u).n);
	EXPECT_EQ(0, unpack_end(&u));
}

TEST(looking_ahead_takes_nothing_and_tells_the_end_from_a_zero)
{
	static const uint8_t zero[1] = { 0 };
	struct unpacker u = unpack_begin(BYTES_OF(zero));

	EXPECT_EQ(0, unpack_peek(&u));
	EXPECT_EQ(0, unpack_u8(&u));
	EXPECT_EQ(-1, unpack_peek(&u));
	EXPECT_EQ(0, unpack_end(&u));
}

TEST(an_empty_range_without_a_pointer_is_readable)
{
	struct unpacker u = unpack_begin(BYTES_NONE);
	uint8_t untouched = 7;

	unpack_copy(&u, &untouched, 0);
	EXPECT_EQ(7, untouched);
	EXPECT_EQ(0, unpack_bytes(&u, 0).n);
	EXPECT_EQ(0, unpack_be(&u, 0));
	EXPECT_EQ(0, unpack_end(&u));
}

/* --- writing --- */

TEST(every_number_is_written_in_its_order)
{
	static const uint8_t all[] = {
		0x01,
		0x01, 0x02, 0x01, 0x02, 0x03, 0x04, 1, 2, 3, 4, 5, 6, 7, 8,
		0x02, 0x01, 0x04, 0x03, 0x02, 0x01, 8, 7, 6, 5, 4, 3, 2, 1,
		0x01, 0x02, 0x03, 0x03, 0x02, 0x01,
		0, 0, 'x', 'y',
	};
	uint8_t buf[sizeof(all)];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_u8(&p, 0x01);
	pack_be16(&p, 0x0102);
	pack_be32(&p, 0x01020304);
	pack_be64(&p, 0x0102030405060708);
	pack_le16(&p, 0x0102);
	pack_le32(&p, 0x01020304);
	pack_le64(&p, 0x0102030405060708);
	pack_be(&p, 0x010203, 3);
	pack_le(&p, 0x010203, 3);
	pack_zero(&p, 2);
	pack_bytes(&p, BYTES("xy", 2));
	EXPECT_EQ(0, pack_end(&p));
	EXPECT_BYTES_EQ(BYTES_OF(all), pack_done(&p));
}

static void put_u8(struct packer *p) { pack_u8(p, 0xff); }
static void put_be16(struct packer *p) { pack_be16(p, 0xffff); }
static void put_be32(struct packer *p) { pack_be32(p, 0xffffffff); }
static void put_be64(struct packer *p) { pack_be64(p, UINT64_MAX); }
static void put_le16(struct packer *p) { pack_le16(p, 0xffff); }
static void put_le32(struct packer *p) { pack_le32(p, 0xffffffff); }
static void put_le64(struct packer *p) { pack_le64(p, UINT64_MAX); }
static void put_bytes(struct packer *p) { pack_bytes(p, BYTES("\xff\xff\xff", 3)); }

static void put_zero(struct packer *p)
{
	pack_zero(p, 6);
}

FIXTURE(put) { uint8_t room[16]; };
FIXTURE_VARIANT(put) {
	void (*write)(struct packer *p);
	size_t takes;
};
FIXTURE_VARIANT_ADD(put, u8) { put_u8, 1 };
FIXTURE_VARIANT_ADD(put, be16) { put_be16, 2 };
FIXTURE_VARIANT_ADD(put, be32) { put_be32, 4 };
FIXTURE_VARIANT_ADD(put, be64) { put_be64, 8 };
FIXTURE_VARIANT_ADD(put, le16) { put_le16, 2 };
FIXTURE_VARIANT_ADD(put, le32) { put_le32, 4 };
FIXTURE_VARIANT_ADD(put, le64) { put_le64, 8 };
FIXTURE_VARIANT_ADD(put, bytes) { put_bytes, 3 };
FIXTURE_VARIANT_ADD(put, zero) { put_zero, 6 };
FIXTURE_SETUP(put) { memset(self->room, 0xaa, sizeof(self->room)); }
FIXTURE_TEARDOWN(put) { }

TEST_F(put, fills_to_the_last_byte)
{
	struct packer p = pack_begin(self->room, variant->takes);

	variant->write(&p);
	EXPECT_EQ(0, pack_end(&p));
	EXPECT_EQ(variant->takes, pack_done(&p).n);
	EXPECT_EQ(0xaa, self->room[variant->takes]);
}

TEST_F(put, over_the_edge_writes_nothing_and_sticks)
{
	uint8_t before[sizeof(self->room)];

	memcpy(before, self->room, sizeof(before));
	for (size_t n = 0; n < variant->takes; n++) {
		struct packer p = pack_begin(self->room, n);

		variant->write(&p);
		EXPECT_MEMEQ(before, self->room, sizeof(before));
		pack_zero(&p, 0);
		EXPECT_EQ(-EMSGSIZE, pack_end(&p));
		EXPECT_EQ(0, pack_done(&p).n);
	}
}

TEST_F(put, after_a_bad_one_writes_nothing)
{
	struct packer p = pack_begin(self->room, sizeof(self->room));

	pack_fail(&p);
	variant->write(&p);
	EXPECT_EQ(0xaa, self->room[0]);
	EXPECT_EQ(-EMSGSIZE, pack_end(&p));
}

TEST(a_number_too_big_for_its_field_is_not_cut)
{
	static const struct { size_t n; uint64_t most; } rows[] = {
		{ 1, 0xff }, { 2, 0xffff }, { 3, 0xffffff }, { 4, 0xffffffff }, { 7, UINT64_MAX >> 8 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t buf[8];
		struct packer fits = pack_begin(buf, sizeof(buf));
		struct packer be = fits, le = fits;

		pack_be(&fits, rows[i].most, rows[i].n);
		EXPECT_EQ(0, pack_end(&fits));
		pack_be(&be, rows[i].most + 1, rows[i].n);
		EXPECT_EQ(-EMSGSIZE, pack_end(&be));
		pack_le(&le, rows[i].most + 1, rows[i].n);
		EXPECT_EQ(-EMSGSIZE, pack_end(&le));
	}
}

TEST(the_typed_writers_see_the_whole_number)
{
	uint8_t buf[4];
	struct packer p = pack_begin(buf, sizeof(buf));
	size_t n = 65536 + 5;

	pack_be16(&p, n);
	EXPECT_EQ(-EMSGSIZE, pack_end(&p));
}

TEST(a_reservation_near_the_top_of_size_t_does_not_wrap)
{
	uint8_t buf[4];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_u8(&p, 1);
	EXPECT_NULL(pack_reserve(&p, SIZE_MAX));
	EXPECT_EQ(-EMSGSIZE, pack_end(&p));
}

TEST(a_packer_without_room_takes_nothing_gladly)
{
	struct packer p = pack_begin(NULL, 0);

	pack_bytes(&p, BYTES_NONE);
	pack_zero(&p, 0);
	EXPECT_EQ(0, pack_end(&p));
	EXPECT_EQ(0, pack_done(&p).n);
}

TEST(a_text_is_counted_wherever_it_stands)
{
	EXPECT_EQ(2, bytes_count(BYTES("abcab", 5), "ab"));
	EXPECT_EQ(2, bytes_count(BYTES("aaa", 3), "aa"));
	EXPECT_EQ(0, bytes_count(BYTES("abc", 3), "abcd"));
	EXPECT_EQ(0, bytes_count(BYTES_NONE, "a"));
}
