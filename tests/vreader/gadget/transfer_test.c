/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faces vreader/gadget/transfer.c: where messages end on a pipe of packets. */
#include "vreader/gadget/transfer.h"

#include "tests/harness.h"

#include <stdlib.h>

enum { CAP = 66048, PACKET = 512 };

FIXTURE(transfer)
{
	struct transfer t;
};

FIXTURE_SETUP(transfer)
{
	self->t = (struct transfer){ .buf = calloc(1, CAP), .cap = CAP, .packet_len = PACKET };
	ASSERT_NOT_NULL(self->t.buf);
}

FIXTURE_TEARDOWN(transfer)
{
	free(self->t.buf);
}

static void claim(struct transfer *t, uint32_t len)
{
	struct packer p = pack_begin(t->buf, 10);

	pack_u8(&p, 0x6f);
	pack_le32(&p, len);
}

/* A host sends a message that claims @len, of @n bytes, then an empty packet if @zlp. */
static enum transfer_next feed(struct transfer *t, uint32_t len, size_t n, bool zlp)
{
	enum transfer_next next = TRANSFER_MORE;

	t->n = 0;
	claim(t, len);
	while (next == TRANSFER_MORE) {
		size_t asked = transfer_want(t);
		size_t got = n < asked ? n : asked;

		if (got == 0 && !zlp)
			return TRANSFER_MORE; /* waits for what never comes */
		n -= got;
		next = transfer_took(t, asked, got);
	}
	return next;
}

TEST_F(transfer, one_packet_is_asked_for_first)
{
	EXPECT_EQ((size_t)PACKET, transfer_want(&self->t));
}

TEST_F(transfer, a_short_packet_ends_a_message)
{
	EXPECT_EQ(TRANSFER_DONE, feed(&self->t, 5, 15, false));
	EXPECT_EQ(15u, self->t.n);
}

TEST_F(transfer, messages_of_every_length_end_without_an_empty_packet)
{
	for (size_t n = 10; n < 3 * PACKET + 20; n++) {
		ASSERT_EQ(TRANSFER_DONE, feed(&self->t, (uint32_t)n - 10, n, false));
		ASSERT_EQ(n, self->t.n);
	}
	EXPECT_EQ(TRANSFER_DONE, feed(&self->t, 65544, 65554, false));
	EXPECT_EQ(65554u, self->t.n);
}

TEST_F(transfer, an_empty_packet_alone_is_nothing)
{
	EXPECT_EQ(TRANSFER_NOTHING, transfer_took(&self->t, PACKET, 0));
	EXPECT_EQ((size_t)PACKET, transfer_want(&self->t));
}

TEST_F(transfer, the_rest_is_asked_for_in_whole_packets)
{
	claim(&self->t, 990);
	ASSERT_EQ(TRANSFER_MORE, transfer_took(&self->t, PACKET, PACKET));
	EXPECT_EQ((size_t)PACKET, transfer_want(&self->t));
	claim(&self->t, 3000);
	EXPECT_EQ((size_t)5 * PACKET, transfer_want(&self->t));
}

TEST_F(transfer, a_message_that_claims_more_than_came_ends_with_its_packet)
{
	EXPECT_EQ(TRANSFER_DONE, feed(&self->t, 100, 13, false));
	EXPECT_EQ(13u, self->t.n);
	EXPECT_EQ(TRANSFER_DONE, feed(&self->t, 1000, PACKET + 1, false));
	EXPECT_EQ(PACKET + 1u, self->t.n);
}

TEST_F(transfer, a_claim_beyond_every_message_is_not_waited_for)
{
	static const uint32_t claims[] = { 66039, 0x7fffffff, 0xfffffff5, 0xfffffff6, 0xffffffff };

	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		EXPECT_EQ(TRANSFER_DONE, feed(&self->t, claims[i], PACKET, false));
		EXPECT_EQ((size_t)PACKET, self->t.n);
	}
}

TEST_F(transfer, a_header_shorter_than_its_length_field_ends_with_its_packet)
{
	EXPECT_EQ(TRANSFER_DONE, transfer_took(&self->t, PACKET, 3));
}

TEST(an_answer_that_fills_its_packets_needs_an_empty_one)
{
	uint8_t buf[1024] = { 0x80 };
	struct tail tail = { 0 };

	for (size_t n = 10; n <= sizeof(buf); n++) {
		struct packer p = pack_begin(buf + 1, 4);

		pack_le32(&p, (uint32_t)n - 10);
		EXPECT_EQ(n % 64 == 0, tail_needs_zlp(&tail, BYTES(buf, n), 64));
		EXPECT_EQ(0u, tail.left);
	}
}

TEST(a_part_that_is_to_be_continued_needs_none)
{
	uint8_t buf[128] = { 0x80, 118 }; /* 128 bytes in all */
	struct tail tail = { 0 };

	EXPECT_FALSE(tail_needs_zlp(&tail, BYTES(buf, 64), 64));
	EXPECT_EQ(64u, tail.left);
	EXPECT_TRUE(tail_needs_zlp(&tail, BYTES(buf + 64, 64), 64));
	EXPECT_EQ(0u, tail.left);
}

TEST(an_empty_part_needs_none)
{
	struct tail tail = { 0 };

	EXPECT_FALSE(tail_needs_zlp(&tail, BYTES_NONE, 64));
}
