/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How the card and its reader fare while a command runs, and how a card answers to reset.
 */
#include "vreader/reader/misbehave_own.h"

#include "vreader/reader/spoil.h"

#include <signal.h>

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
	(void)spoil_send_failure(line, message, 0x80, 1);
	return false;
}

static bool time_extension_zero(struct line *line, struct bytes message)
{
	(void)spoil_send_failure(line, message, 0x80, 0);
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
	return spoil_send_changed(line, message, message.n - 1,
				  (uint8_t)(message.p[message.n - 1] ^ 0xff));
}

static bool send_atr(struct line *line, struct bytes message, struct bytes atr)
{
	struct packer p = spoil_begin(line, bytes_slice(message, 0, 10));

	p.p[1] = (uint8_t)atr.n;
	pack_bytes(&p, atr);
	return spoil_send(line, &p);
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
	return spoil_send_failure(line, message, 0x41, 0xfe);
}

const struct misbehaviour misbehave_cards[] = {
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
	{ 0 }
};
