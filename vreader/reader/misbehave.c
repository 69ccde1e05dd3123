/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The catalogue. Each function is as short as the misbehaviour is simple; the ones that spoil an
 * answer copy it, change it, and send the copy. Nothing here is random: a test that found something
 * finds it again.
 */
#include "vreader/reader/misbehave.h"

#include "base/deadline.h"
#include "vreader/reader/line.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

/* --- helpers: a changed copy of the honest message --- */

static struct packer spoil_begin(struct line *line, struct bytes message)
{
	struct packer p = pack_begin(line->spoilt, LINE_PACKET_MAX - 1);

	pack_bytes(&p, message);
	return p;
}

static bool send_spoilt(struct line *line, struct packer *p)
{
	line_send(line, LINE_BULK, pack_done(p));
	wipe(line->spoilt, p->n);
	return true;
}

static bool send_changed(struct line *line, struct bytes message, size_t at, uint8_t value)
{
	struct packer p = spoil_begin(line, message);

	if (at < p.n)
		p.p[at] = value;
	return send_spoilt(line, &p);
}

static bool send_with_length(struct line *line, struct bytes message, uint32_t len)
{
	struct packer p = spoil_begin(line, message);
	struct packer field = pack_begin(p.p + 1, 4);

	pack_le32(&field, len);
	return send_spoilt(line, &p);
}

/* The answer to a command that failed: its header with another status, no payload. */
static bool send_failure(struct line *line, struct bytes message, uint8_t status, uint8_t error)
{
	struct packer p = spoil_begin(line, bytes_slice(message, 0, 10));

	memset(p.p + 1, 0, 4);
	p.p[7] = status;
	p.p[8] = error;
	p.p[9] = 0;
	return send_spoilt(line, &p);
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

/* --- frames --- */

static bool silent(struct line *line, struct bytes message)
{
	(void)line;
	(void)message;
	return true;
}

static bool wrong_seq(struct line *line, struct bytes message)
{
	return send_changed(line, message, 6, (uint8_t)(message.p[6] + 77));
}

static bool stale(struct line *line, struct bytes message)
{
	(void)send_changed(line, message, 6, (uint8_t)(message.p[6] - 1));
	return false;
}

static bool wrong_slot(struct line *line, struct bytes message)
{
	return send_changed(line, message, 5, 1);
}

static bool wrong_type(struct line *line, struct bytes message)
{
	return send_changed(line, message, 0, 0x82);
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
	return send_spoilt(line, &p);
}

static bool glued(struct line *line, struct bytes message)
{
	struct packer p = spoil_begin(line, message);

	pack_bytes(&p, message);
	return p.bad ? false : send_spoilt(line, &p);
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
	return send_spoilt(line, &p);
}

static bool reserved_status(struct line *line, struct bytes message)
{
	return send_changed(line, message, 7, 0xc0);
}

static bool failed_with_data(struct line *line, struct bytes message)
{
	struct packer p = spoil_begin(line, message);

	p.p[7] = 0x40;
	p.p[8] = 0xfb;			/* hardware error */
	return send_spoilt(line, &p);
}

static bool slot_busy(struct line *line, struct bytes message)
{
	return send_failure(line, message, 0x40, 0xe0);
}

static bool parity(struct line *line, struct bytes message)
{
	return send_failure(line, message, 0x40, 0xfd);
}

static bool bad_chain(struct line *line, struct bytes message)
{
	return send_changed(line, message, 9, 0x55);
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
	return send_spoilt(line, &p);
}

/* --- pipes and connection --- */

static bool stall(struct line *line, struct bytes message)
{
	(void)message;
	line_halt(line, SHAPE_EP_IN);
	return true;
}

static bool stall_out(struct line *line, struct bytes message)
{
	(void)message;
	line_halt(line, SHAPE_EP_OUT);
	return true;
}

static bool nak(struct line *line, struct bytes message)
{
	(void)message;
	line->deaf = true;
	return true;
}

static bool unknown_kind(struct line *line, struct bytes message)
{
	line_send(line, (enum line_kind)0x7f, message);
	return true;
}

static bool empty_packet(struct line *line, struct bytes message)
{
	(void)message;
	(void)send(line->fd, "", 0, MSG_NOSIGNAL);
	return true;
}

static bool second_descriptors(struct line *line, struct bytes message)
{
	uint8_t buf[256];
	struct packer p = pack_begin(buf, sizeof(buf));

	(void)message;
	shape_pack_descriptors(line->dev.shape, &p);
	line_send(line, LINE_DESCRIPTORS, pack_done(&p));
	return false;
}

static bool bad_descriptors(struct line *line, struct bytes message)
{
	uint8_t buf[256];
	struct packer p = pack_begin(buf, sizeof(buf));

	(void)message;
	shape_pack_descriptors(line->dev.shape, &p);
	buf[36] = 0;			/* bLength of the class descriptor: a loop that trusts it hangs */
	line_send(line, LINE_DESCRIPTORS, pack_done(&p));
	return true;
}

static bool interrupt_flood(struct line *line, struct bytes message)
{
	(void)message;
	for (int i = 0; i < 1000; i++)
		line_send(line, LINE_INTERRUPT, BYTES("\x50\x03", 2));
	return false;
}

static bool interrupt_garbage(struct line *line, struct bytes message)
{
	(void)message;
	line_send(line, LINE_INTERRUPT, BYTES_NONE);
	line_send(line, LINE_INTERRUPT, BYTES("\x50", 1));
	line_send(line, LINE_INTERRUPT, BYTES("\x50\xff\xff\xff", 4));
	line_send(line, LINE_INTERRUPT, BYTES("\x51", 1));
	line_send(line, LINE_INTERRUPT, BYTES("\x77\x00\x00", 3));
	return false;
}

/* --- time --- */

static bool endless_time_extension(struct line *line, struct bytes message)
{
	(void)message;
	line->endless = true;
	line->period_ms = LINE_IMPATIENCE_MS;
	return false;
}

static bool hang(struct line *line, struct bytes message)
{
	(void)message;
	line->endless = true;
	line->silent = true;
	return false;
}

static bool time_extension(struct line *line, struct bytes message)
{
	(void)send_failure(line, message, 0x80, 1);
	return false;
}

static bool time_extension_zero(struct line *line, struct bytes message)
{
	(void)send_failure(line, message, 0x80, 0);
	return false;
}

/* --- the card --- */

static void fate_remove(struct line *line) { ccid_dev_remove(&line->dev); }
static void fate_drop(struct line *line) { line_drop(line); }

static void fate_flap(struct line *line)
{
	ccid_dev_remove(&line->dev);
	ccid_dev_insert(&line->dev);
}

static void fate_die(struct line *line)
{
	(void)line;
	(void)raise(SIGKILL);
}

/* Whoever tests us looks around, or kills somebody, and sends SIGCONT. */
static void fate_stop(struct line *line)
{
	(void)line;
	(void)raise(SIGSTOP);
}

#define FATE(name, fate, moment) \
	static bool name(struct line *line, struct bytes message) \
	{ \
		(void)message; \
		moment(line, fate); \
		return false; \
	}

static void now(struct line *line, void (*fate)(struct line *)) { fate(line); }
static void before(struct line *line, void (*fate)(struct line *)) { line->before_answer = fate; }
static void after(struct line *line, void (*fate)(struct line *)) { line->after_answer = fate; }

FATE(tear, fate_remove, now)
FATE(remove_during, fate_remove, before)
FATE(remove_after, fate_remove, after)
FATE(flap, fate_flap, before)
FATE(flap_after, fate_flap, after)
FATE(drop_before, fate_drop, now)
FATE(drop_connection, fate_drop, before)
FATE(drop_after, fate_drop, after)
FATE(die_before, fate_die, now)
FATE(die, fate_die, before)
FATE(die_after, fate_die, after)
FATE(stop_before, fate_stop, now)
FATE(stop, fate_stop, before)
FATE(stop_after, fate_stop, after)

static bool bad_atr(struct line *line, struct bytes message)
{
	return send_changed(line, message, message.n - 1, (uint8_t)(message.p[message.n - 1] ^ 0xff));
}

static bool send_atr(struct line *line, struct bytes message, struct bytes atr)
{
	struct packer p = spoil_begin(line, bytes_slice(message, 0, 10));

	p.p[1] = (uint8_t)atr.n;
	pack_bytes(&p, atr);
	return send_spoilt(line, &p);
}

static bool empty_atr(struct line *line, struct bytes message)
{
	return send_atr(line, message, BYTES_NONE);
}

static bool long_atr(struct line *line, struct bytes message)
{
	uint8_t atr[40] = { 0x3b, 0x8f, 0x01 };

	return send_atr(line, message, BYTES_OF(atr));
}

static bool greedy_atr(struct line *line, struct bytes message)
{
	/* Every TD promises another round, and the bytes end in the middle of one. */
	return send_atr(line, message, BYTES("\x3b\xff\x11\x00\x00\xf1\x11\x00\x00\xf1\x11", 11));
}

static bool mute(struct line *line, struct bytes message)
{
	line->dev.powered = false;
	return send_failure(line, message, 0x41, 0xfe);
}

static bool abort_stall(struct line *line, struct bytes message)
{
	(void)line;
	return message.n == 0;		/* stalls the control request; the bulk one goes on alone */
}

static bool abort_ignore(struct line *line, struct bytes message)
{
	(void)line;
	return message.n != 0;
}

/* --- T=1 blocks; at extended level there are none, and nothing happens --- */

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
	return send_spoilt(line, &p);
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
	return send_spoilt(line, &p);
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

#define ONCE false
#define FROM_ON true

static const struct misbehaviour misbehaviours[] = {
	{ "silent", MISBEHAVE_REPLY, ONCE, 1, silent, "the answer never comes" },
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

	{ "stall", MISBEHAVE_REPLY, ONCE, 1, stall, "the IN endpoint halts instead of the answer" },
	{ "stall-out", MISBEHAVE_COMMAND, ONCE, 1, stall_out,
	  "the OUT endpoint halts; the command is not carried out" },
	{ "nak", MISBEHAVE_COMMAND, ONCE, 1, nak, "stops reading, for ever" },
	{ "unknown-kind", MISBEHAVE_REPLY, ONCE, 1, unknown_kind, "a packet of kind 7f" },
	{ "empty-packet", MISBEHAVE_REPLY, ONCE, 1, empty_packet, "a packet without a kind" },
	{ "second-descriptors", MISBEHAVE_REPLY, ONCE, 1, second_descriptors,
	  "descriptors again, in mid-session" },
	{ "no-descriptors", MISBEHAVE_CONNECT, FROM_ON, 1, silent, "says nothing when connected" },
	{ "bad-descriptors", MISBEHAVE_CONNECT, FROM_ON, 1, bad_descriptors,
	  "the class descriptor has length 0" },
	{ "interrupt-flood", MISBEHAVE_COMMAND, FROM_ON, 1, interrupt_flood,
	  "1000 slot changes before each command" },
	{ "interrupt-garbage", MISBEHAVE_COMMAND, FROM_ON, 1, interrupt_garbage,
	  "five malformed interrupt messages" },
	{ "abort-stall", MISBEHAVE_ABORT, FROM_ON, 1, abort_stall, "stalls the ABORT request" },
	{ "abort-ignore", MISBEHAVE_ABORT, FROM_ON, 1, abort_ignore, "does not see bulk Abort" },

	{ "time-extension", MISBEHAVE_REPLY, FROM_ON, 1, time_extension,
	  "a time extension before each answer: legal" },
	{ "time-extension-zero", MISBEHAVE_REPLY, FROM_ON, 1, time_extension_zero,
	  "a time extension by 0 before each answer" },
	{ "endless-time-extension", MISBEHAVE_RUN, ONCE, 1, endless_time_extension,
	  "a time extension every 10 ms, no answer" },
	{ "hang", MISBEHAVE_RUN, ONCE, 1, hang, "the card computes for ever, in silence" },

	{ "tear", MISBEHAVE_RUN, ONCE, 1, tear, "card removed before it got the command" },
	{ "remove-during", MISBEHAVE_RUN, ONCE, 1, remove_during,
	  "card removed when it has carried out the command, before the answer" },
	{ "remove-after", MISBEHAVE_RUN, ONCE, 1, remove_after, "card removed after the answer" },
	{ "flap", MISBEHAVE_RUN, ONCE, 1, flap, "card removed and inserted before the answer" },
	{ "flap-after", MISBEHAVE_RUN, ONCE, 1, flap_after, "card removed and inserted after the answer" },
	{ "drop-before", MISBEHAVE_RUN, ONCE, 1, drop_before, "hangs up before the card got the command" },
	{ "drop-connection", MISBEHAVE_RUN, ONCE, 1, drop_connection, "hangs up instead of the answer" },
	{ "drop-after", MISBEHAVE_RUN, ONCE, 1, drop_after, "hangs up after the answer" },
	{ "die-before", MISBEHAVE_RUN, ONCE, 1, die_before, "SIGKILL before the card got the command" },
	{ "die", MISBEHAVE_RUN, ONCE, 1, die, "SIGKILL instead of the answer" },
	{ "die-after", MISBEHAVE_RUN, ONCE, 1, die_after, "SIGKILL after the answer" },
	{ "stop-before", MISBEHAVE_RUN, ONCE, 1, stop_before,
	  "SIGSTOP before the card got the command" },
	{ "stop", MISBEHAVE_RUN, ONCE, 1, stop, "SIGSTOP before the answer" },
	{ "stop-after", MISBEHAVE_RUN, ONCE, 1, stop_after, "SIGSTOP after the answer" },
	{ "stop-each", MISBEHAVE_RUN, FROM_ON, 1, stop, "SIGSTOP before every answer" },

	{ "bad-atr", MISBEHAVE_ATR, FROM_ON, 1, bad_atr, "TCK is wrong" },
	{ "empty-atr", MISBEHAVE_ATR, FROM_ON, 1, empty_atr, "an ATR of no bytes" },
	{ "long-atr", MISBEHAVE_ATR, FROM_ON, 1, long_atr, "an ATR of 40 bytes" },
	{ "greedy-atr", MISBEHAVE_ATR, FROM_ON, 1, greedy_atr, "T0 and TDs promise more than comes" },
	{ "mute", MISBEHAVE_ATR, FROM_ON, 1, mute, "the card does not answer the reset" },

	{ "t1-lrc", MISBEHAVE_REPLY, ONCE, 1, t1_lrc, "a block with a wrong LRC" },
	{ "t1-lrc-forever", MISBEHAVE_REPLY, FROM_ON, 1, t1_lrc, "every LRC is wrong" },
	{ "t1-nad", MISBEHAVE_REPLY, ONCE, 1, t1_nad, "a block from another node" },
	{ "t1-ns", MISBEHAVE_REPLY, ONCE, 1, t1_ns, "a block with the wrong N(S) or N(R)" },
	{ "t1-len", MISBEHAVE_REPLY, ONCE, 1, t1_len, "a block whose LEN lies" },
	{ "t1-wtx-forever", MISBEHAVE_REPLY, FROM_ON, 1, t1_wtx_forever, "S(WTX request) to everything" },
	{ "t1-wtx-zero", MISBEHAVE_REPLY, ONCE, 1, t1_wtx_zero, "S(WTX request) by 0" },
	{ "t1-resynch", MISBEHAVE_REPLY, ONCE, 1, t1_resynch, "S(RESYNCH request), which no card may send" },
	{ "t1-abort", MISBEHAVE_REPLY, ONCE, 1, t1_abort, "S(ABORT request)" },
};

enum { N_MISBEHAVIOURS = sizeof(misbehaviours) / sizeof(misbehaviours[0]) };

static const struct misbehaviour *find(const char *name, size_t len)
{
	for (size_t i = 0; i < N_MISBEHAVIOURS; i++)
		if (strlen(misbehaviours[i].name) == len &&
		    strncmp(misbehaviours[i].name, name, len) == 0)
			return &misbehaviours[i];
	return NULL;
}

int misbehave_add(struct misbehave *m, const char *spec)
{
	const char *equals = strchrnul(spec, '=');
	const struct misbehaviour *what = find(spec, (size_t)(equals - spec));
	unsigned long n;
	char *end;

	if (!what)
		return -ENOENT;
	if (m->n_chosen == MISBEHAVE_MAX)
		return -E2BIG;
	n = what->n;
	if (*equals == '=') {
		n = strtoul(equals + 1, &end, 10);
		if (equals[1] < '0' || equals[1] > '9' || *end != '\0' || n == 0 || n > 1000000000)
			return -ERANGE;
	}
	m->chosen[m->n_chosen].what = what;
	m->chosen[m->n_chosen].n = (unsigned int)n;
	m->n_chosen++;
	return 0;
}

static const char *const when_words[] = {
	[MISBEHAVE_CONNECT] = "connection",
	[MISBEHAVE_COMMAND] = "command",
	[MISBEHAVE_RUN] = "APDU",
	[MISBEHAVE_REPLY] = "answer",
	[MISBEHAVE_ATR] = "power-on",
	[MISBEHAVE_ABORT] = "abort",
};

void misbehave_list(FILE *to)
{
	for (size_t i = 0; i < N_MISBEHAVIOURS; i++) {
		const struct misbehaviour *m = &misbehaviours[i];

		(void)fprintf(to, "%-24s %-10s %-10s %s\n", m->name, when_words[m->when],
			      m->from_on ? "from N on" : "N-th", m->help);
	}
}

bool misbehave(struct line *line, enum misbehave_when when, struct bytes message)
{
	struct misbehave *m = line->misbehave;
	bool dealt_with = false;

	for (size_t i = 0; m && i < m->n_chosen; i++) {
		const struct misbehaviour *what = m->chosen[i].what;
		unsigned int seen;

		if (what->when != when)
			continue;
		seen = ++m->chosen[i].seen;
		if (!dealt_with && (what->from_on ? seen >= m->chosen[i].n : seen == m->chosen[i].n))
			dealt_with = what->apply(line, message);
	}
	return dealt_with;
}
