/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Blocks of T=1 that are wrong; at extended level there are none, and nothing happens.
 */
#include "vreader/reader/misbehave_own.h"

#include "vreader/reader/spoil.h"

static bool has_block(const struct line *line, struct bytes message)
{
	return line->dev.shape->level == SHAPE_TPDU_T1 && message.n >= 14;
}

/* Changes a byte of the block and, unless it is the last one, makes the LRC right again. */
static bool send_block_changed(struct line *line, struct bytes message, size_t at, uint8_t mask)
{
	struct packer p = spoil_begin(line, message);

	p.p[10 + at] ^= mask;
	if (10 + at != p.n - 1)
		p.p[p.n - 1] ^= mask;
	return spoil_send(line, &p);
}

static bool t1_lrc(struct line *line, struct bytes message)
{
	return has_block(line, message) &&
	       send_block_changed(line, message, message.n - 11, 0x01);
}

static bool t1_nad(struct line *line, struct bytes message)
{
	return has_block(line, message) && send_block_changed(line, message, 0, 0x21);
}

static bool t1_ns(struct line *line, struct bytes message)
{
	return has_block(line, message) && send_block_changed(line, message, 1, 0x40);
}

static bool t1_len(struct line *line, struct bytes message)
{
	return has_block(line, message) && send_block_changed(line, message, 2, 0x80);
}

static bool send_block(struct line *line, struct bytes message, struct bytes block)
{
	struct packer p = spoil_begin(line, bytes_slice(message, 0, 10));

	p.p[1] = (uint8_t)block.n;
	p.p[2] = 0;
	pack_bytes(&p, block);
	return spoil_send(line, &p);
}

static bool t1_wtx_forever(struct line *line, struct bytes message)
{
	return has_block(line, message) && send_block(line, message, BYTES("\0\xc3\1\1\xc3", 5));
}

static bool t1_wtx_zero(struct line *line, struct bytes message)
{
	return has_block(line, message) && send_block(line, message, BYTES("\0\xc3\1\0\xc2", 5));
}

static bool t1_resynch(struct line *line, struct bytes message)
{
	return has_block(line, message) && send_block(line, message, BYTES("\0\xc0\0\xc0", 4));
}

static bool t1_abort(struct line *line, struct bytes message)
{
	return has_block(line, message) && send_block(line, message, BYTES("\0\xc2\0\xc2", 4));
}

const struct misbehaviour misbehave_blocks[] = {
	{ "t1-lrc", MISBEHAVE_REPLY, ONCE, 1, t1_lrc, "a block with a wrong LRC" },
	{ "t1-lrc-forever", MISBEHAVE_REPLY, FROM_ON, 1, t1_lrc, "every LRC is wrong" },
	{ "t1-nad", MISBEHAVE_REPLY, ONCE, 1, t1_nad, "a block from another node" },
	{ "t1-ns", MISBEHAVE_REPLY, ONCE, 1, t1_ns, "a block with the wrong N(S) or N(R)" },
	{ "t1-len", MISBEHAVE_REPLY, ONCE, 1, t1_len, "a block whose LEN lies" },
	{ "t1-wtx-forever", MISBEHAVE_REPLY, FROM_ON, 1, t1_wtx_forever, "S(WTX request) to everything" },
	{ "t1-wtx-zero", MISBEHAVE_REPLY, ONCE, 1, t1_wtx_zero, "S(WTX request) by 0" },
	{ "t1-resynch", MISBEHAVE_REPLY, ONCE, 1, t1_resynch, "S(RESYNCH request), which no card may send" },
	{ "t1-abort", MISBEHAVE_REPLY, ONCE, 1, t1_abort, "S(ABORT request)" },
	{ 0 }
};
