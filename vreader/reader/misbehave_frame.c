/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Answers whose frames are wrong: header, length, payload, how they are cut into transfers.
 */
#include "vreader/reader/misbehave_own.h"

#include "base/deadline.h"
#include "vreader/reader/spoil.h"

static bool send_with_length(struct line *line, struct bytes message, uint32_t len)
{
	struct packer p = spoil_begin(line, message);
	struct packer field = pack_begin(p.p + 1, 4);

	pack_le32(&field, len);
	return spoil_send(line, &p);
}

/* Cuts the message every @step bytes, @gap_ms between the pieces. */
static bool send_cut(struct line *line, struct bytes message, size_t step,
		     unsigned int gap_ms)
{
	for (size_t at = 0; at < message.n; at += step) {
		if (at != 0)
			sleep_for_ms(gap_ms);
		line_send(line, LINE_BULK, bytes_slice(message, at, step));
	}
	return true;
}

static bool wrong_seq(struct line *line, struct bytes message)
{
	return spoil_send_changed(line, message, 6, (uint8_t)(message.p[6] + 77));
}

static bool stale(struct line *line, struct bytes message)
{
	(void)spoil_send_changed(line, message, 6, (uint8_t)(message.p[6] - 1));
	return false;
}

static bool wrong_slot(struct line *line, struct bytes message)
{
	return spoil_send_changed(line, message, 5, 1);
}

static bool wrong_type(struct line *line, struct bytes message)
{
	return spoil_send_changed(line, message, 0, 0x82);
}

static bool short_frame(struct line *line, struct bytes message)
{
	line_send(line, LINE_BULK, bytes_slice(message, 0, 9));
	return true;
}

static bool truncated(struct line *line, struct bytes message)
{
	line_send(line, LINE_BULK, bytes_slice(message, 0, message.n - 1));
	return true;
}

static bool length_lie(struct line *line, struct bytes message)
{
	return send_with_length(line, message, (uint32_t)(message.n - 10 + 100));
}

static bool length_huge(struct line *line, struct bytes message)
{
	return send_with_length(line, message, 0xfffffff6);	/* + 10 wraps to 0 */
}

static bool padded(struct line *line, struct bytes message)
{
	struct packer p = spoil_begin(line, message);

	pack_bytes(&p, BYTES("\xaa\x55\xaa\x55\xaa", 5));
	return spoil_send(line, &p);
}

static bool glued(struct line *line, struct bytes message)
{
	struct packer p = spoil_begin(line, message);

	pack_bytes(&p, message);
	return p.bad ? false : spoil_send(line, &p);
}

static bool twice(struct line *line, struct bytes message)
{
	line_send(line, LINE_BULK, message);
	return false;
}

static bool split(struct line *line, struct bytes message)
{
	return send_cut(line, message, SHAPE_PACKET_LEN, 0);
}

static bool split_odd(struct line *line, struct bytes message)
{
	line_send(line, LINE_BULK, bytes_slice(message, 0, 10));
	line_send(line, LINE_BULK, bytes_slice(message, 10, message.n));
	return true;
}

static bool slow_byte(struct line *line, struct bytes message)
{
	return send_cut(line, message, SHAPE_PACKET_LEN, 50);
}

static bool zlp(struct line *line, struct bytes message)
{
	(void)message;
	line_send(line, LINE_BULK, BYTES_NONE);
	return false;
}

static bool zlp_flood(struct line *line, struct bytes message)
{
	(void)message;
	for (int i = 0; i < 20; i++)
		line_send(line, LINE_BULK, BYTES_NONE);
	return true;
}

static bool garbage(struct line *line, struct bytes message)
{
	struct packer p = spoil_begin(line, message);
	uint32_t x = 0x2545f491;

	for (size_t i = 0; i < p.n; i++) {
		x = x * 1664525 + 1013904223;
		p.p[i] = (uint8_t)(x >> 24);
	}
	return spoil_send(line, &p);
}

static bool reserved_status(struct line *line, struct bytes message)
{
	return spoil_send_changed(line, message, 7, 0xc0);
}

static bool failed_with_data(struct line *line, struct bytes message)
{
	struct packer p = spoil_begin(line, message);

	p.p[7] = 0x40;
	p.p[8] = 0xfb;			/* hardware error */
	return spoil_send(line, &p);
}

static bool slot_busy(struct line *line, struct bytes message)
{
	return spoil_send_failure(line, message, 0x40, 0xe0);
}

static bool parity(struct line *line, struct bytes message)
{
	return spoil_send_failure(line, message, 0x40, 0xfd);
}

static bool bad_chain(struct line *line, struct bytes message)
{
	return spoil_send_changed(line, message, 9, 0x55);
}

/* 01 first, then 03 for ever, a byte each: whatever the host sends, there is more. */
static bool chain_forever(struct line *line, struct bytes message)
{
	struct packer p = spoil_begin(line, bytes_slice(message, 0, 10));

	memset(p.p + 1, 0, 4);
	p.p[1] = 1;
	p.p[7] = 0;
	p.p[8] = 0;
	p.p[9] = line->chain_begun ? 0x03 : 0x01;
	line->chain_begun = true;
	pack_u8(&p, 0x00);
	return spoil_send(line, &p);
}

const struct misbehaviour misbehave_frames[] = {
	{ "silent", MISBEHAVE_REPLY, ONCE, 1, spoil_withhold, "the answer never comes" },
	{ "wrong-seq", MISBEHAVE_REPLY, FROM_ON, 1, wrong_seq, "answers carry a foreign bSeq" },
	{ "stale", MISBEHAVE_REPLY, FROM_ON, 1, stale, "an answer with the previous bSeq comes first" },
	{ "wrong-slot", MISBEHAVE_REPLY, ONCE, 1, wrong_slot, "the answer is from slot 1" },
	{ "wrong-type", MISBEHAVE_REPLY, ONCE, 1, wrong_type, "Parameters answers XfrBlock" },
	{ "short-frame", MISBEHAVE_REPLY, ONCE, 1, short_frame, "nine bytes of header" },
	{ "truncated", MISBEHAVE_REPLY, ONCE, 1, truncated, "the last byte is missing" },
	{ "length-lie", MISBEHAVE_REPLY, ONCE, 1, length_lie, "dwLength is 100 too large" },
	{ "length-huge", MISBEHAVE_REPLY, ONCE, 1, length_huge, "dwLength is 0xfffffff6" },
	{ "padded", MISBEHAVE_REPLY, FROM_ON, 1, padded, "five stray bytes follow the message" },
	{ "glued", MISBEHAVE_REPLY, FROM_ON, 1, glued, "the answer twice in one transfer" },
	{ "twice", MISBEHAVE_REPLY, FROM_ON, 1, twice, "the answer in two transfers" },
	{ "split", MISBEHAVE_REPLY, FROM_ON, 1, split, "cut into full 64-byte packets: legal" },
	{ "split-odd", MISBEHAVE_REPLY, ONCE, 1, split_odd, "cut after the header" },
	{ "slow-byte", MISBEHAVE_REPLY, FROM_ON, 1, slow_byte, "64 bytes every 50 ms: legal" },
	{ "zlp", MISBEHAVE_REPLY, FROM_ON, 1, zlp, "a zero-length packet comes first" },
	{ "zlp-flood", MISBEHAVE_REPLY, ONCE, 1, zlp_flood, "20 zero-length packets, no answer" },
	{ "garbage", MISBEHAVE_REPLY, ONCE, 1, garbage, "noise of the right length" },
	{ "reserved-status", MISBEHAVE_REPLY, ONCE, 1, reserved_status, "bStatus c0" },
	{ "failed-with-data", MISBEHAVE_REPLY, ONCE, 1, failed_with_data,
	  "hardware error, and a payload all the same" },
	{ "slot-busy", MISBEHAVE_REPLY, ONCE, 1, slot_busy, "slot busy; the command was executed" },
	{ "parity", MISBEHAVE_REPLY, ONCE, 1, parity, "parity error; the command was executed" },
	{ "bad-chain", MISBEHAVE_REPLY, ONCE, 1, bad_chain, "bChainParameter 55" },
	{ "chain-forever", MISBEHAVE_REPLY, FROM_ON, 1, chain_forever, "a response without an end" },
	{ 0 }
};
