/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vreader/gadget/transfer.h"

enum { HEADER_LEN = 10 };

/* Of the message that begins with these bytes; 0 if they do not tell. */
static uint64_t message_len(struct bytes begin)
{
	struct unpacker u = unpack_begin(begin);

	unpack_skip(&u, 1);
	uint32_t len = unpack_le32(&u); /* dwLength */

	return u.bad ? 0 : (uint64_t)len + HEADER_LEN;
}

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

size_t transfer_want(const struct transfer *t)
{
	uint64_t len = message_len(BYTES(t->buf, t->n));

	/* Whole packets: a host that sends more than it said must not overrun us. */
	if (len <= t->n)
		return t->packet_len;
	return round_up((size_t)len - t->n, t->packet_len);
}

enum transfer_next transfer_took(struct transfer *t, size_t asked, size_t got)
{
	uint64_t len;

	assert(got <= asked && asked <= t->cap - t->n);
	t->n += got;
	if (t->n == 0)
		return TRANSFER_NOTHING;
	len = message_len(BYTES(t->buf, t->n));
	/* One that claims more than a message can have ends here, and is judged by its claim. */
	if (got < asked || len <= t->n || round_up((size_t)len, t->packet_len) > t->cap ||
	    len > t->cap)
		return TRANSFER_DONE;
	return TRANSFER_MORE;
}

bool tail_needs_zlp(struct tail *tail, struct bytes part, size_t packet_len)
{
	uint64_t len = tail->left != 0 ? tail->left : message_len(part);

	tail->left = len > part.n && len - part.n < SIZE_MAX / 2 ? (size_t)len - part.n : 0;
	/* A part that ends inside its message, at the edge of a packet, is to be continued. */
	return part.n != 0 && part.n % packet_len == 0 && len == part.n;
}
