/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/ccid/exchange.c - A reply is accepted if and only if it names our slot and our sequence
 * number and is of the type the command asks for; every other frame is either an old one of ours
 * (dropped, a few times) or malformed. Waiting has three bounds: the reader's own patience per
 * answer, a count of everything that is not an answer, and the deadline over both.
 */
#include "driver/ccid/exchange.h"

#include "base/secret.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#define FRAME_SLACK	1024	/* padding that some readers send, and a high-speed packet */
#define BUSY_FIRST_MS	10u

/* A wait for one reply. */
struct wait {
	struct ccid_addr to;
	const struct ccid_command *command;
	uint32_t answer_ms;
	struct deadline deadline;	/* of the operation */
	unsigned int stale, zero_length, extensions;
};

int exchange_init(struct exchange *x, struct pipe *pipe, const struct ccid_desc *desc)
{
	*x = EXCHANGE_INIT;
	x->pipe = pipe;
	x->desc = desc;
	x->frame_cap = (desc->max_message + FRAME_SLACK) / desc->in_packet * desc->in_packet +
		       desc->in_packet;		/* bulk IN is read in whole packets */
	x->frame = malloc(x->frame_cap);
	return x->frame ? 0 : -ENOMEM;
}

void exchange_deinit(struct exchange *x)
{
	exchange_wipe(x);
	free(x->frame);
	*x = EXCHANGE_INIT;
}

void exchange_wipe(struct exchange *x)
{
	if (x->frame)
		wipe(x->frame, x->used);
	x->used = 0;
}

unsigned int exchange_power_losses(struct exchange *x)
{
	if (sleep_happened(&x->sleep))
		x->sleeps++;
	return x->sleeps + x->pipe->power_losses;
}

/* Eight malformed messages in a minute: no reader, or one that attacks us. */
static int note_malformed(struct exchange *x)
{
	uint64_t now = clock_ms();
	uint64_t *oldest = &x->malformed_at[x->n_malformed++ % EXCHANGE_MALFORMED_MAX];
	bool full = x->n_malformed >= EXCHANGE_MALFORMED_MAX;

	*oldest = now;
	x->counts.malformed++;
	oldest = &x->malformed_at[x->n_malformed % EXCHANGE_MALFORMED_MAX];
	if (full && now - *oldest < limits.malformed_ms) {
		x->dead = true;
		return -ENODEV;
	}
	return -EBADMSG;
}

/* --- receiving --- */

/* Bytes that make the message in @frame whole: 0 if it is, or cannot be told yet. */
static int message_len(const struct exchange *x, size_t have, uint64_t *len)
{
	struct unpacker u = unpack_begin(BYTES(x->frame, have));

	unpack_skip(&u, 1);
	*len = CCID_HEADER_LEN + (uint64_t)unpack_le32(&u);
	if (have < CCID_HEADER_LEN) {
		*len = CCID_HEADER_LEN;
		return 0;
	}
	return *len <= x->desc->max_message ? 0 : -EBADMSG;
}

/* No short packet has ended the message, so USB has more of it to come. */
static bool may_continue(const struct exchange *x, size_t transfer)
{
	return transfer % x->desc->in_packet == 0 || quirk_has(x->desc->quirks, QUIRK_REASSEMBLE);
}

/*
 * How much to ask for. A reader that leaves out the empty packet behind a full one keeps a longer
 * transfer open until the deadline; once one has been seen to, it is asked for what it has: first
 * the packet with the header, then exactly the rest.
 */
static size_t ask_len(const struct exchange *x, size_t have, uint64_t len)
{
	size_t packet = x->desc->in_packet, rest = (size_t)len - have;

	if (!x->no_zero_packets || have % packet != 0)
		return x->frame_cap - have;
	return have == 0 ? packet : (rest + packet - 1) / packet * packet;
}

/* Reads transfers until they hold one message. Return: 0, -EBADMSG, or the pipe's error. */
static int read_message(struct exchange *x, struct wait *w, struct deadline deadline,
			struct bytes *out)
{
	uint64_t len = CCID_HEADER_LEN;
	size_t have = 0;

	for (;;) {
		size_t n = 0, cap = ask_len(x, have, len);
		int r = pipe_bulk_in(x->pipe, x->frame + have, cap, deadline, &n);

		x->used = x->used > have + n ? x->used : have + n;
		if (r < 0)
			return r == -EOVERFLOW ? -EBADMSG : r;
		if (n == 0) {
			x->counts.zero_length++;
			if (have != 0 || ++w->zero_length > limits.zero_length)
				return -EBADMSG;
			continue;
		}
		have += n;
		r = message_len(x, have, &len);
		if (r < 0)
			return r;
		if (have >= len && have >= CCID_HEADER_LEN) {
			/* Full packets, and only the deadline ended the transfer. */
			if (have % x->desc->in_packet == 0 && n < cap && deadline_passed(deadline))
				x->no_zero_packets = true;
			*out = BYTES(x->frame, have);
			return 0;
		}
		if (!may_continue(x, n) || have == x->frame_cap)
			return -EBADMSG;
	}
}

/*
 * A reader that does not know a command answers SlotStatus and failure, whatever was asked; QEMU
 * does. That is as good an answer as any.
 */
static bool is_answer(const struct ccid_command *command, const struct ccid_reply *reply)
{
	if (reply->type == ccid_answer_to(command->type))
		return true;
	return reply->type == CCID_SLOT_STATUS && reply->outcome == CCID_FAILED;
}

/* Commands behind which a card may take its time. */
static bool waits_for_card(uint8_t type)
{
	return type == CCID_XFR_BLOCK || type == CCID_SECURE || type == CCID_ESCAPE ||
	       type == CCID_POWER_ON;
}

static uint32_t clamp_answer(uint8_t type, uint64_t ms)
{
	uint32_t max_ms = type == CCID_SECURE ? limits.person_ms : limits.answer_max_ms;

	if (ms < limits.answer_min_ms)
		return limits.answer_min_ms;
	return ms < max_ms ? (uint32_t)ms : max_ms;
}

/* 0 is undefined and 0xFF means "a finger is wanted" on tokens: both count as one. */
static int extend(struct exchange *x, struct wait *w, uint8_t multiplier, struct deadline *answer)
{
	unsigned int limit = waits_for_card(w->command->type) ?
		limits.extensions : limits.extensions_plain;

	x->counts.extensions++;
	if (++w->extensions > limit)
		return -ETIMEDOUT;
	if (multiplier == 0 || multiplier == 0xff)
		multiplier = 1;
	*answer = deadline_sooner(w->deadline,
				  deadline_in(clamp_answer(w->command->type,
						       (uint64_t)w->answer_ms * multiplier)));
	return 0;
}

/* Return: 1 this is the reply; 0 keep waiting; or an error. */
static int sift(struct exchange *x, struct wait *w, const struct ccid_reply *reply,
		struct deadline *answer)
{
	if (reply->to.slot >= x->desc->n_slots)
		return -EBADMSG;
	if (reply->to.slot != w->to.slot || reply->to.seq != w->to.seq) {
		x->counts.stale++;
		return ++w->stale > limits.stale ? -EBADMSG : 0;
	}
	if (!is_answer(w->command, reply))
		return -EBADMSG;
	if (reply->surplus != 0)
		x->counts.surplus++;
	if (reply->outcome == CCID_MORE_TIME)
		return extend(x, w, reply->detail, answer);
	return 1;
}

static int await(struct exchange *x, struct wait *w, struct ccid_reply *out)
{
	struct deadline answer = deadline_sooner(w->deadline, deadline_in(w->answer_ms));

	for (;;) {
		struct ccid_reply reply;
		struct bytes frame;
		int r = read_message(x, w, answer, &frame);

		if (r == 0)
			r = ccid_reply_parse(frame, &reply);
		if (r == 0)
			r = sift(x, w, &reply, &answer);
		if (r < 0)
			return r;
		if (r > 0) {
			*out = reply;
			return 0;
		}
		/* What only keeps us busy must not outlive the deadline either. */
		if (deadline_passed(answer))
			return -ETIMEDOUT;
	}
}

/* --- sending --- */

/* Return: 0; -EIO the reader stalled; -ETIMEDOUT it did not take the command; in both it did not run. */
static int put(struct exchange *x, struct ccid_addr to, const struct ccid_command *command,
	       struct deadline deadline)
{
	struct packer p = pack_begin(x->frame, x->desc->max_message);
	int r;

	exchange_wipe(x);
	ccid_command_pack(&p, to, command);
	if (pack_end(&p) < 0)
		return -EMSGSIZE;
	x->used = p.n;
	x->pipe->answer_len = ask_len(x, 0, CCID_HEADER_LEN);
	r = pipe_bulk_out(x->pipe, pack_done(&p),
			  deadline_sooner(deadline, deadline_in(limits.write_ms)));
	exchange_wipe(x);
	if (r == -EIO)
		x->sent = true;		/* an error on the bus: nobody knows how far it came */
	if (r == -EPIPE) {
		x->counts.stalls++;
		return -EIO;
	}
	return r;
}

static void lose(struct exchange *x, struct ccid_addr at)
{
	x->lost = true;
	x->lost_slot = at.slot;
	x->lost_seq = at.seq;
}

/* The reader is out of step, or left in the middle of a command: say why, then climb. */
static int recover(struct exchange *x, struct wait *w, int r)
{
	exchange_wipe(x);
	if (r == -ENODEV)
		return r;
	if (r == -EPIPE) {
		x->counts.stalls++;
		/* An OUT stall that shows late: the command was never taken. */
		x->sent = !(x->pipe->halted & PIPE_HALTED_OUT);
		r = -EIO;
	}
	if (r == -EBADMSG)
		r = note_malformed(x);
	lose(x, w->to);
	if (!x->dead && !deadline_passed(w->deadline))
		(void)exchange_settle(x, deadline_sooner(w->deadline,
							 deadline_in(limits.settle_ms)));
	return r;
}

static int run_once(struct exchange *x, struct wait *w, struct ccid_reply *out)
{
	int r;

	w->to.seq = x->seq++;
	w->stale = w->zero_length = w->extensions = 0;
	r = put(x, w->to, w->command, w->deadline);
	if (r == -EMSGSIZE)
		return r;
	if (r < 0)
		return recover(x, w, r);
	x->sent = true;
	r = await(x, w, out);
	return r < 0 ? recover(x, w, r) : 0;
}

static bool is_busy(const struct ccid_reply *reply)
{
	return reply->outcome == CCID_FAILED && reply->icc != CCID_ICC_ABSENT &&
	       (reply->detail == CCID_ERROR_SLOT_BUSY || reply->detail == CCID_ERROR_BUSY_AUTO);
}

static void pause_until(struct deadline deadline)
{
	(void)poll(NULL, 0, deadline_poll_ms(deadline));
}

static uint32_t patience(const struct exchange *x, uint8_t type, uint32_t answer_ms)
{
	if (answer_ms != 0)
		return clamp_answer(type, answer_ms);
	if (type != CCID_POWER_ON)
		return limits.answer_min_ms;
	return quirk_has(x->desc->quirks, QUIRK_SLOW_START) ?
		limits.power_on_slow_ms : limits.power_on_ms;
}

int exchange_run(struct exchange *x, uint8_t slot, const struct ccid_command *command,
		 uint32_t answer_ms, struct deadline deadline, struct ccid_reply *out)
{
	struct wait w = {
		.to = { .slot = slot }, .command = command, .deadline = deadline,
		.answer_ms = patience(x, command->type, answer_ms),
	};
	int r;

	assert(slot < x->desc->n_slots);
	x->sent = false;
	if (x->lost) {
		r = exchange_settle(x, deadline);
		if (r < 0)
			return r;
	}
	if (x->dead)
		return -ENODEV;
	for (unsigned int busy = 0; ; busy++) {
		r = run_once(x, &w, out);
		if (r < 0 || !is_busy(out) || busy == limits.busy)
			return r;
		x->counts.busy++;	/* refused, so it did not run and may be sent again */
		pause_until(deadline_sooner(deadline, deadline_in(BUSY_FIRST_MS << busy)));
	}
}

/* --- the ladder --- */

/* Frames that wait in the pipe answer nothing any more. */
void exchange_drain(struct exchange *x)
{
	for (unsigned int i = 0; i < limits.stale; i++) {
		size_t n = 0;

		if (pipe_bulk_in(x->pipe, x->frame, x->frame_cap, DEADLINE_PAST, &n) < 0)
			break;
		x->used = x->used > n ? x->used : n;
	}
	exchange_wipe(x);
}

/* One command of the ladder: no retries, no further recovery. Return: 0 answered, done or failed. */
static int ask(struct exchange *x, struct ccid_addr to, const struct ccid_command *command,
	       struct deadline deadline, enum ccid_outcome *outcome)
{
	struct wait w = {
		.to = to, .command = command, .deadline = deadline,
		.answer_ms = limits.answer_min_ms,
	};
	struct ccid_reply reply;
	int r = put(x, to, command, deadline);

	if (r == 0)
		r = await(x, &w, &reply);
	if (r == 0)
		*outcome = reply.outcome;
	exchange_wipe(x);
	return r;
}

/*
 * [CCID ABORT]: the control request and the bulk message carry one and the same new sequence
 * number. The aborted command's own answer, if it comes, is a stale frame to ask().
 */
static int abort_pair(struct exchange *x, struct deadline deadline)
{
	struct ccid_addr to = { x->lost_slot, x->seq++ };
	struct ccid_command command = ccid_abort();
	struct usb_setup setup = {
		.type = 0x21, .request = 0x01,
		.value = (uint16_t)(to.seq << 8 | to.slot), .index = x->desc->interface,
	};
	enum ccid_outcome outcome = CCID_FAILED;
	int r;

	if (quirk_has(x->desc->quirks, QUIRK_NO_ABORT))
		return -EOPNOTSUPP;
	r = pipe_control(x->pipe, &setup, BYTES_NONE, NULL, 0, deadline, NULL);
	if (r == 0)
		r = ask(x, to, &command, deadline, &outcome);
	if (r < 0)
		return r;
	return outcome == CCID_DONE ? 0 : -EOPNOTSUPP;	/* it may still be running */
}

static int clear_halts(struct exchange *x, struct deadline deadline)
{
	int r = pipe_clear_halt(x->pipe, x->desc->ep_out, deadline);

	if (r < 0)
		return r;
	return pipe_clear_halt(x->pipe, x->desc->ep_in, deadline);
}

static int probe(struct exchange *x, struct deadline deadline)
{
	struct ccid_command command = ccid_get_slot_status();
	enum ccid_outcome outcome;
	int r = -ETIMEDOUT;

	for (unsigned int i = 0; i < limits.probes && r < 0 && r != -ENODEV; i++) {
		struct ccid_addr to = { x->lost_slot, x->seq++ };

		r = ask(x, to, &command,
			deadline_sooner(deadline, deadline_in(limits.probe_ms)), &outcome);
	}
	return r;
}

static struct deadline within(uint32_t ms, struct deadline deadline)
{
	return deadline_sooner(deadline_in(ms), deadline);
}

static bool may_reset(const struct exchange *x)
{
	return x->pipe->ops->reset &&
	       (x->reset_at == 0 || clock_ms() - x->reset_at >= limits.reset_gap_ms);
}

/* The last rung, by itself: whoever waits for a reply should not have to wait for a port reset. */
static int reset(struct exchange *x, struct deadline deadline)
{
	int r;

	x->reset_due = false;
	x->reset_at = clock_ms();
	x->counts.resets++;
	r = x->pipe->ops->reset(x->pipe, deadline);
	return r < 0 ? r : probe(x, deadline_in(limits.probes * limits.probe_ms));
}

static int climb(struct exchange *x, struct deadline deadline)
{
	struct ccid_command off = ccid_power_off();
	enum ccid_outcome outcome;
	int r = -EIO;

	if (x->reset_due)
		return reset(x, deadline);
	exchange_drain(x);
	if (!x->pipe->halted)
		r = abort_pair(x, within(limits.abort_ms, deadline));
	if (r == 0 || r == -ENODEV)
		return r;
	r = clear_halts(x, within(limits.clear_ms, deadline));
	if (r == 0)
		r = probe(x, deadline);
	if (r == 0 || r == -ENODEV)
		return r;
	r = ask(x, (struct ccid_addr){ x->lost_slot, x->seq++ }, &off,
		within(limits.answer_min_ms, deadline), &outcome);
	x->reset_due = r < 0 && r != -ENODEV && !deadline_passed(deadline) && may_reset(x);
	return r;
}

/*
 * Nobody can cancel this: the wake callback has had its say, and a reader that is left out of step
 * serves no one. The bound is the deadline.
 */
int exchange_settle(struct exchange *x, struct deadline deadline)
{
	struct wake wake = x->pipe->wake;
	bool sent = x->sent;
	int r;

	if (x->dead)
		return -ENODEV;
	if (!x->lost)
		return 0;
	x->pipe->wake = WAKE_NONE;
	r = climb(x, deadline);
	x->pipe->wake = wake;
	x->sent = sent;		/* what the ladder says is nobody's command */
	if (r == 0) {
		x->lost = false;
		x->unsettled = 0;
		x->counts.settled++;
		return 0;
	}
	if (r != -ENODEV && x->reset_due)
		return -ETIMEDOUT;
	/* Not tried to the end: go on next time, but not for ever. */
	if (r != -ENODEV && deadline_passed(deadline) && ++x->unsettled < limits.unsettled)
		return -ETIMEDOUT;
	x->dead = true;
	return -ENODEV;
}

int exchange_malformed(struct exchange *x, uint8_t slot, struct deadline deadline)
{
	struct wait w = { .to = { slot, (uint8_t)(x->seq - 1) }, .deadline = deadline };

	return recover(x, &w, -EBADMSG);
}
