/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vreader/card/reply.h"
#include "tests/harness.h"

static void fill(struct reply *reply, size_t n)
{
	struct packer p;

	p = reply_begin(reply);
	pack_zero(&p, n);
	ASSERT_EQ(0, reply_take(reply, &p));
}

TEST(the_status_word_counts_what_is_left)
{
	static const struct {
		size_t whole, ne;
		uint16_t sw;
	} rows[] = {
		{ 0, 0, SW_OK }, { 0, 256, SW_OK }, { 10, 256, SW_OK }, { 10, 10, SW_OK },
		{ 10, 9, 0x6101 }, { 10, 0, 0x610a }, { 511, 256, 0x61ff }, { 512, 256, 0x6100 },
		{ APP_DATA_MAX, 256, 0x6100 }, { APP_DATA_MAX, 65536, SW_OK },
	};
	static uint8_t buf[APP_DATA_MAX];
	struct reply reply = REPLY_INIT;

	ASSERT_EQ(0, reply_init(&reply));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct packer out = pack_begin(buf, sizeof(buf));

		fill(&reply, rows[i].whole);
		EXPECT_EQ(rows[i].sw, reply_send(&reply, rows[i].ne, &out));
		EXPECT_EQ(rows[i].sw != SW_OK, reply_is_pending(&reply));
	}
	reply_deinit(&reply);
}

TEST(a_reply_over_the_edge_is_none_and_wiped)
{
	struct reply reply = REPLY_INIT;
	struct packer p;

	ASSERT_EQ(0, reply_init(&reply));
	p = reply_begin(&reply);
	pack_bytes(&p, BYTES("secret", 6));
	pack_zero(&p, APP_DATA_MAX);
	EXPECT_EQ(-EMSGSIZE, reply_take(&reply, &p));
	EXPECT_FALSE(reply_is_pending(&reply));
	EXPECT_TRUE(bytes_are_zero(BYTES(reply.data.p, reply.data.cap)));
	reply_deinit(&reply);
}
