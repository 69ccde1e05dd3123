/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/der.h"
#include "tests/harness.h"

#define DER(...) BYTES(((const uint8_t[]){ __VA_ARGS__ }), sizeof((const uint8_t[]){ __VA_ARGS__ }))

static int read_uint(struct bytes der, uint64_t max, uint64_t *out)
{
	struct unpacker u = unpack_begin(der);

	*out = der_uint(&u, max);
	return unpack_end(&u);
}

TEST(an_integer_has_one_form)
{
	uint64_t v;

	EXPECT_EQ(0, read_uint(DER(0x02, 0x01, 0x00), 5, &v));
	EXPECT_EQ(0u, v);
	EXPECT_EQ(0, read_uint(DER(0x02, 0x02, 0x00, 0x80), 255, &v));
	EXPECT_EQ(0x80u, v);
	EXPECT_EQ(-EBADMSG, read_uint(DER(0x02, 0x00), 5, &v));			/* empty */
	EXPECT_EQ(-EBADMSG, read_uint(DER(0x02, 0x02, 0x00, 0x7f), 255, &v));	/* needless 00 */
	EXPECT_EQ(-EBADMSG, read_uint(DER(0x02, 0x01, 0x80), 255, &v));		/* negative */
	EXPECT_EQ(-EBADMSG, read_uint(DER(0x0a, 0x01, 0x01), 255, &v));		/* other tag */
	EXPECT_EQ(-EBADMSG, read_uint(DER(0x02, 0x01, 0x06), 5, &v));		/* over the most */
	EXPECT_EQ(-EBADMSG, read_uint(DER(0x02, 0x81, 0x01, 0x01), 5, &v));	/* long length */
	EXPECT_EQ(-EBADMSG, read_uint(DER(0x02, 0x80), 5, &v));			/* indefinite */
	EXPECT_EQ(-EBADMSG, read_uint(DER(0x02, 0x09, 1, 0, 0, 0, 0, 0, 0, 0, 0), UINT64_MAX, &v));
	EXPECT_EQ(0, read_uint(DER(0x02, 0x09, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
			       UINT64_MAX, &v));
	EXPECT_EQ(UINT64_MAX, v);
}

TEST(a_boolean_is_00_or_ff)
{
	struct unpacker yes = unpack_begin(DER(0x01, 0x01, 0xff));
	struct unpacker no = unpack_begin(DER(0x01, 0x01, 0x00));
	struct unpacker odd = unpack_begin(DER(0x01, 0x01, 0x01));

	EXPECT_TRUE(der_bool(&yes));
	EXPECT_FALSE(der_bool(&no));
	EXPECT_FALSE(der_bool(&odd));
	EXPECT_EQ(-EBADMSG, unpack_end(&odd));
}

TEST(numbers_come_back_as_they_went)
{
	static const uint64_t values[] = { 0,	1,     0x7f,  0x80,	  0xff,	      0x100,
					   0x7fff, 0x8000, 1u << 31, UINT32_MAX, INT64_MAX, UINT64_MAX };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		uint8_t buf[16];
		struct packer p = pack_begin(buf, sizeof(buf));
		uint64_t v = 0;

		der_put_uint(&p, DER_INTEGER, values[i]);
		EXPECT_EQ(0, pack_end(&p));
		EXPECT_EQ(0, read_uint(pack_done(&p), UINT64_MAX, &v));
		EXPECT_EQ(values[i], v);
	}
}

TEST(lengths_widen_at_128_and_256_and_end_at_65535)
{
	static const struct {
		size_t n, header;
	} rows[] = { { 0, 2 }, { 127, 2 }, { 128, 3 }, { 255, 3 }, { 256, 4 }, { 65535, 4 } };
	static uint8_t contents[65536], buf[65536 + 8];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct packer p = pack_begin(buf, sizeof(buf));
		struct unpacker u;

		memset(contents, (int)i + 1, rows[i].n);
		der_put(&p, DER_OCTETS, BYTES(contents, rows[i].n));
		EXPECT_EQ(rows[i].n + rows[i].header, pack_done(&p).n);
		u = unpack_begin(pack_done(&p));
		EXPECT_TRUE(bytes_equal(BYTES(contents, rows[i].n), der_take(&u, DER_OCTETS)));
		EXPECT_EQ(0, unpack_end(&u));
	}
	struct packer p = pack_begin(buf, sizeof(buf));

	der_put(&p, DER_OCTETS, BYTES(contents, 65536));
	EXPECT_EQ(-EMSGSIZE, pack_end(&p));
}

TEST(a_container_that_grows_over_the_buffer_is_bad_and_writes_nothing_outside)
{
	for (size_t cap = 0; cap < 132; cap++) {
		uint8_t buf[140];
		uint8_t contents[128] = { 0 };
		struct packer p = pack_begin(buf, cap);
		struct der_mark mark;

		memset(buf, 0xee, sizeof(buf));
		mark = der_begin(&p, DER_SEQUENCE);
		pack_bytes(&p, BYTES_OF(contents));
		der_end(&p, mark);
		EXPECT_EQ(cap < 131 ? -EMSGSIZE : 0, pack_end(&p));
		for (size_t i = cap; i < sizeof(buf); i++)
			EXPECT_EQ(0xee, buf[i]);
	}
}

TEST(bytes_left_over_inside_spoil_the_outside)
{
	struct unpacker whole = unpack_begin(DER(0x30, 0x06, 0x02, 0x01, 0x05, 0x02, 0x01, 0x06));
	struct unpacker inner = der_enter(&whole, DER_SEQUENCE);

	EXPECT_EQ(5u, der_uint(&inner, 9));
	der_leave(&whole, &inner);
	EXPECT_EQ(-EBADMSG, unpack_end(&whole));
}

TEST(a_length_beyond_the_end_is_refused)
{
	struct unpacker u = unpack_begin(DER(0x04, 0x82, 0xff, 0xff, 0x00));

	EXPECT_EQ(0u, der_take(&u, DER_OCTETS).n);
	EXPECT_EQ(-EBADMSG, unpack_end(&u));
	u = unpack_begin(DER(0x04, 0x83, 0x00, 0x00, 0x01, 0xaa));
	EXPECT_EQ(0u, der_take(&u, DER_OCTETS).n);
	EXPECT_EQ(-EBADMSG, unpack_end(&u));
}
