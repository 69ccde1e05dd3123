/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/catalogue/random_test.c - A reader that does anything, from a seed: many schedules in one process, at
 * every level, with the driver's own code for reader, slot, exchange, protocols and commands. Time is
 * virtual: a wait that nothing ends costs no time but moves the clock to its deadline, so a
 * schedule of hours runs in a millisecond, and "by its deadline" is exact on any machine.
 *
 *	KF_SEED=n		the first seed, 1 unless given
 *	KF_SCHEDULES=n		how many, 3000 unless given
 *
 * A schedule that fails or crashes is named by its seed; KF_SEED=seed KF_SCHEDULES=1 plays it again.
 */
#include "driver/ccid/reader.h"
#include "driver/iso7816/card_io.h"
#include "tests/harness.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ================================ time ================================ */

static bool is_virtual;
static uint64_t virtual_us;

/* The clock of base/deadline.h. Ours stands in front of libc's in this program. */
int clock_gettime(clockid_t id, struct timespec *out)
{
	if (!is_virtual)
		return (int)syscall(SYS_clock_gettime, id, out);
	*out = (struct timespec){ (time_t)(virtual_us / 1000000), (long)(virtual_us % 1000000) * 1000 };
	return 0;
}

/* Only to sleep: the driver polls descriptors in its pipes, and ours is none. */
int poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct timespec t = { timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000 };

	if (!is_virtual || n != 0)
		return (int)syscall(SYS_ppoll, fds, n, timeout_ms < 0 ? NULL : &t, NULL, 8);
	virtual_us += (uint64_t)timeout_ms * 1000;
	return 0;
}

/* ================================ the reader ================================ */

#define QUEUE 80

struct transfer {
	uint64_t at_us;
	size_t n;
	uint8_t p[700];
};

/**
 * struct hostile - the far end of the pipe
 * @evil:	of a hundred answers, how many are not honest; @turns: each APDU anew
 * @from:	first of the @n transfers that wait to be fetched
 * @level:	0x01 TPDU, 0x02 short, 0x04 extended
 * @t0:		the card speaks T=0
 * @ns:		of the card's next I-block
 * @icc:	bmICCStatus
 * @calls:	of the pipe; a schedule that needs too many has no end
 * @taken:	an XfrBlock was taken since this was last cleared
 */
struct hostile {
	struct pipe pipe;
	uint64_t rng;
	unsigned int evil;
	struct transfer queue[QUEUE];
	size_t n;
	uint8_t device[18], config[93];
	uint8_t level, ns, icc, last_seq;
	bool turns, t0, gone, taken;
	unsigned long calls;
};

#define CALLS_MAX 300000

/* splitmix64 */
static uint32_t any(struct hostile *h, uint32_t below)
{
	uint64_t z = h->rng += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)((z ^ z >> 31) % below);
}

static bool chance(struct hostile *h, uint32_t in_1000)
{
	return any(h, 1000) < in_1000;
}

static struct hostile *hostile_of(struct pipe *pipe)
{
	return (struct hostile *)pipe;
}

static int call(struct hostile *h)
{
	if (++h->calls > CALLS_MAX) {
		(void)fprintf(stderr, "no end after %d calls of the pipe\n", CALLS_MAX);
		abort();
	}
	virtual_us += any(h, 300);
	return h->gone ? -ENODEV : 0;
}

static void queue(struct hostile *h, uint64_t delay_us, const uint8_t *p, size_t n)
{
	struct transfer *t;

	if (h->n == QUEUE)
		return;
	t = &h->queue[h->n++];
	t->at_us = virtual_us + delay_us;
	t->n = n < sizeof(t->p) ? n : sizeof(t->p);
	if (t->n != 0)
		memcpy(t->p, p, t->n);
}

/* --- what a good reader with a good card would say --- */

static void card_block(struct hostile *h, struct bytes in, struct packer *out)
{
	uint8_t pcb = in.n > 3 ? in.p[1] : 0x82;
	size_t from = out->n, inf = 2;
	uint8_t x = 0;

	pack_u8(out, 0);
	if ((pcb & 0xc0) == 0xc0) {
		pack_u8(out, pcb | 0x20);
		inf = in.p[2];
		pack_u8(out, inf);
		pack_bytes(out, bytes_slice(in, 3, inf));
		if (pcb == 0xc0)
			h->ns = 0;
	} else if ((pcb & 0xa0) == 0x20) {
		pack_u8(out, pcb & 0x40 ? 0x80 : 0x90);
		pack_u8(out, 0);
	} else {
		bool more = chance(h, 250);

		inf += any(h, 40);
		pack_u8(out, (h->ns ? 0x40 : 0) | (more ? 0x20 : 0));
		h->ns ^= 1;
		pack_u8(out, inf);
		pack_zero(out, inf - 2);
		pack_be16(out, 0x9000);
	}
	for (size_t i = from; i < out->n; i++)
		x ^= out->p[i];
	pack_u8(out, x);
}

static uint16_t any_sw(struct hostile *h)
{
	static const uint16_t words[] = { 0x9000, 0x9000, 0x6a82, 0x6100, 0x6c00, 0x6700, 0x6982 };
	uint16_t sw = words[any(h, 7)];

	return (sw & 0xff) == 0 && sw != 0x9000 && sw != 0x6700 ? (uint16_t)(sw | any(h, 256)) : sw;
}

static void card_answer(struct hostile *h, struct bytes in, struct packer *out)
{
	if (h->level == 0x01 && !h->t0) {
		card_block(h, in, out);
		return;
	}
	if (in.n >= 5 && (in.n == 5 || h->level != 0x01))
		pack_zero(out, any(h, 1u + (in.p[4] != 0 ? in.p[4] : 60u)));
	pack_be16(out, any_sw(h));
}

static void honest(struct hostile *h, struct bytes command, struct packer *out)
{
	static const uint8_t t1[] = { 0x3b, 0x90, 0x18, 0x01, 0x89 }, t0[] = { 0x3b, 0x10, 0x18 };
	static const uint8_t both[] = { 0x3b, 0x80, 0x80, 0x01, 0x01 };
	uint8_t type = command.p[0];
	struct bytes data = bytes_slice(command, 10, command.n);
	uint8_t payload[600], extra = 0, reply = 0x81;
	struct packer p = pack_begin(payload, sizeof(payload));

	switch (type) {
	case 0x62:
		reply = 0x80;
		h->icc = 0;
		h->ns = 0;
		pack_bytes(&p, h->t0 ? BYTES_OF(t0) : chance(h, 200) ? BYTES_OF(both) : BYTES_OF(t1));
		break;
	case 0x63:
		h->icc = 1;
		break;
	case 0x61:
		reply = 0x82;
		extra = command.p[7];
		pack_bytes(&p, data);
		break;
	case 0x73:
		reply = 0x84;
		pack_bytes(&p, data);
		break;
	case 0x6f:
		reply = 0x80;
		if (data.n > 2 && data.p[0] == 0xff)
			pack_bytes(&p, data);			/* PPS */
		else if (h->level == 0x04 && (command.p[8] & 1))
			extra = 0x10;
		else
			card_answer(h, data, &p);
		break;
	}
	pack_u8(out, reply);
	pack_le32(out, p.n);
	pack_u8(out, command.p[5]);
	pack_u8(out, command.p[6]);
	pack_u8(out, h->icc);
	pack_u8(out, 0);
	pack_u8(out, extra);
	pack_bytes(out, pack_done(&p));
}

/* --- what this one says --- */

enum mischief {
	SILENCE, OLD_SEQ, OTHER_SLOT, OTHER_TYPE, CUT, LIE, PAD, EMPTY_PACKETS, NOISE, FLIP, TWICE,
	MORE_TIME, MORE_TIME_FOR_EVER, FAIL, STATUS, CHAIN, LATE, HALT_IN, SPLIT, BLOCK, PULL, GLUE,
	N_MISCHIEF
};

static void fix_lrc(uint8_t *p, size_t n)
{
	if (n < 14)
		return;
	p[n - 1] = 0;
	for (size_t i = 10; i < n - 1; i++)
		p[n - 1] ^= p[i];
}

static void header(struct hostile *h, const uint8_t *p, uint8_t status, uint8_t error, uint64_t delay_us)
{
	uint8_t copy[10];

	memcpy(copy, p, 10);
	memset(copy + 1, 0, 4);
	copy[7] = status;
	copy[8] = error;
	copy[9] = 0;
	queue(h, delay_us, copy, sizeof(copy));
}

static void more_time(struct hostile *h, const uint8_t *p, unsigned int times, uint32_t gap_us)
{
	for (unsigned int i = 0; i < times; i++)
		header(h, p, (uint8_t)(0x80 | h->icc), (uint8_t)any(h, 256), (uint64_t)i * gap_us);
}

static void do_mischief(struct hostile *h, uint8_t *p, size_t n)
{
	switch ((enum mischief)any(h, N_MISCHIEF)) {
	case SILENCE:
		return;
	case OLD_SEQ:
		p[6] = (uint8_t)(p[6] - 1 - any(h, 3));
		for (uint32_t i = any(h, 20); i > 0; i--)
			queue(h, 0, p, n);
		return;
	case OTHER_SLOT:
		p[5] = (uint8_t)any(h, 256);
		break;
	case OTHER_TYPE:
		p[0] = (uint8_t)(0x7f + any(h, 8));
		break;
	case CUT:
		n = any(h, (uint32_t)n + 1);
		break;
	case LIE:
		for (int i = 1; i < 5; i++)
			p[i] = chance(h, 500) ? (uint8_t)any(h, 256) : p[i];
		break;
	case PAD:
		n += any(h, 64);
		break;
	case EMPTY_PACKETS:
		for (uint32_t i = any(h, 8); i > 0; i--)
			queue(h, 0, p, 0);
		break;
	case NOISE:
		for (size_t i = 0; i < n; i++)
			p[i] = (uint8_t)any(h, 256);
		break;
	case FLIP:
		p[any(h, (uint32_t)n)] ^= (uint8_t)(1u << any(h, 8));
		break;
	case TWICE:
		queue(h, 0, p, n);
		break;
	case MORE_TIME:
		more_time(h, p, any(h, 5), 1000 * any(h, 3000));
		queue(h, 1000 * any(h, 4000), p, n);
		return;
	case MORE_TIME_FOR_EVER:
		more_time(h, p, QUEUE, 1000 * any(h, 29000));
		return;
	case FAIL:
		header(h, p, (uint8_t)(0x40 | h->icc), (uint8_t)any(h, 256), 0);
		return;
	case STATUS:
		p[7] = (uint8_t)any(h, 256);
		break;
	case CHAIN:
		p[9] = (uint8_t[]){ 0, 1, 2, 3, 0x10, 0x55 }[any(h, 6)];
		break;
	case LATE:
		queue(h, 1000 * any(h, 60000), p, n);
		return;
	case HALT_IN:
		h->pipe.halted |= PIPE_HALTED_IN;
		h->n = 0;
		return;
	case SPLIT:
		queue(h, 0, p, n / 2);
		queue(h, 0, p + n / 2, n - n / 2);
		return;
	case BLOCK:
		if (n > 10)
			p[10 + any(h, (uint32_t)n - 10)] ^= (uint8_t)(1u << any(h, 8));
		if (chance(h, 700))
			fix_lrc(p, n);
		break;
	case PULL:
		h->icc = (uint8_t)any(h, 3);
		p[7] = h->icc;
		break;
	case GLUE:
		memcpy(p + n, p, n < 300 ? n : 300);
		n += n < 300 ? n : 300;
		break;
	case N_MISCHIEF:
		break;
	}
	queue(h, 0, p, n);
}

static int hostile_out(struct pipe *pipe, struct bytes transfer, struct deadline deadline)
{
	struct hostile *h = hostile_of(pipe);
	uint8_t message[1500] = { 0 };
	struct packer p = pack_begin(message, sizeof(message));
	int r = call(h);

	if (r < 0)
		return r;
	if (pipe->halted & PIPE_HALTED_OUT)
		return -EPIPE;
	if (any(h, 100) < h->evil && chance(h, 60)) {
		static const int refusals[] = { -EPIPE, -ETIMEDOUT, -EIO };

		r = refusals[any(h, 3)];
		if (r == -EPIPE)
			pipe->halted |= PIPE_HALTED_OUT;
		if (r == -EIO)		/* an error on the bus: nobody knows how far it came */
			h->taken |= transfer.p[0] == 0x6f;
		if (r == -ETIMEDOUT && deadline.at_ms > virtual_us / 1000)
			virtual_us = deadline.at_ms * 1000;
		if (chance(h, 30)) {
			h->gone = true;
			r = -ENODEV;
		}
		return r;
	}
	if (transfer.n < 10)
		abort();			/* the driver itself is wrong */
	h->taken |= transfer.p[0] == 0x6f;
	honest(h, transfer, &p);
	if (any(h, 100) < h->evil)
		do_mischief(h, message, p.n);
	else
		queue(h, any(h, 20000), message, p.n);
	return 0;
}

static int hostile_in(struct pipe *pipe, uint8_t *buf, size_t cap, struct deadline deadline, size_t *n)
{
	struct hostile *h = hostile_of(pipe);
	uint64_t until_us = deadline.at_ms > UINT64_MAX / 1000 ? UINT64_MAX : deadline.at_ms * 1000;
	struct transfer first;
	int r = call(h);

	if (r < 0)
		return r;
	if (pipe->halted)
		return -EPIPE;
	if (h->n == 0 || (h->queue[0].at_us > virtual_us && h->queue[0].at_us >= until_us)) {
		if (until_us == UINT64_MAX)
			abort();		/* a wait without an end */
		if (virtual_us < until_us)
			virtual_us = until_us;
		return -ETIMEDOUT;
	}
	first = h->queue[0];
	memmove(&h->queue[0], &h->queue[1], --h->n * sizeof(h->queue[0]));
	if (virtual_us < first.at_us)
		virtual_us = first.at_us;
	if (first.n > cap)
		return -EOVERFLOW;
	if (first.n != 0)
		memcpy(buf, first.p, first.n);
	*n = first.n;
	return 0;
}

static int hostile_interrupt(struct pipe *pipe, uint8_t *buf, size_t cap, size_t *n)
{
	struct hostile *h = hostile_of(pipe);
	int r = call(h);

	if (r < 0)
		return r;
	if (!chance(h, 300))
		return chance(h, 20) ? -EOVERFLOW : -EAGAIN;
	*n = any(h, 9);
	for (size_t i = 0; i < *n && i < cap; i++)
		buf[i] = (uint8_t)(i == 0 && chance(h, 700) ? 0x50 : any(h, 256));
	return 0;
}

static int hostile_control(struct pipe *pipe, const struct usb_setup *setup, struct bytes out,
			   uint8_t *in, size_t in_cap, struct deadline deadline, size_t *in_n)
{
	struct hostile *h = hostile_of(pipe);
	int r = call(h);

	(void)out;
	if (r < 0)
		return r;
	if (any(h, 100) < h->evil) {
		if (chance(h, 400))
			return -EPIPE;
		if (virtual_us < deadline.at_ms * 1000)
			virtual_us = deadline.at_ms * 1000;
		return -ETIMEDOUT;
	}
	if (in_n) {
		*in_n = any(h, (setup->length < in_cap ? setup->length : (uint32_t)in_cap) + 1u);
		for (size_t i = 0; i < *in_n; i++)
			in[i] = (uint8_t)any(h, 256);
	}
	return 0;
}

static int hostile_clear(struct pipe *pipe, uint8_t endpoint, struct deadline deadline)
{
	struct hostile *h = hostile_of(pipe);
	int r = call(h);

	(void)deadline;
	if (r < 0)
		return r;
	pipe->halted &= endpoint == 0x01 ? ~PIPE_HALTED_OUT : ~PIPE_HALTED_IN;
	return any(h, 100) < h->evil && chance(h, 200) ? -EPIPE : 0;
}

static void hostile_close(struct pipe *pipe)
{
	free(hostile_of(pipe));
}

static const struct pipe_ops hostile_ops = {
	.bulk_out = hostile_out, .bulk_in = hostile_in, .interrupt_in = hostile_interrupt,
	.control = hostile_control, .clear_halt = hostile_clear, .close = hostile_close,
};

static const uint8_t device[18] = {
	0x12, 0x01, 0x00, 0x02, 0, 0, 0, 0x40, 0x09, 0x12, 0x01, 0x00, 0x00, 0x01, 1, 2, 3, 1,
};
static const uint8_t config[93] = {
	0x09, 0x02, 0x5d, 0x00, 0x01, 0x01, 0x00, 0x80, 0x32,
	0x09, 0x04, 0x00, 0x00, 0x03, 0x0b, 0x00, 0x00, 0x00,
	0x36, 0x21, 0x10, 0x01, 0x00, 0x07, 0x03, 0x00, 0x00, 0x00,
	0xa0, 0x0f, 0x00, 0x00, 0xa0, 0x0f, 0x00, 0x00, 0x00,
	0x00, 0x2a, 0x00, 0x00, 0x08, 0xf8, 0x01, 0x00, 0x03,
	0xfe, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0xba, 0x04, 0x04, 0x00, 0x0f, 0x01, 0x00, 0x00,
	0xff, 0xff, 0x00, 0x00, 0x00, 0x01,
	0x07, 0x05, 0x01, 0x02, 0x40, 0x00, 0x00,
	0x07, 0x05, 0x82, 0x02, 0x40, 0x00, 0x00,
	0x07, 0x05, 0x83, 0x03, 0x08, 0x00, 0x10,
};

enum { CLASS = 18, FEATURES = CLASS + 40, MESSAGE = CLASS + 44, IFSD = CLASS + 28, SLOTS = CLASS + 4 };

static const unsigned int degrees[] = { 0, 2, 10, 40, 90 };

static struct hostile *hostile_new(uint64_t seed)
{
	struct hostile *h = calloc(1, sizeof(*h));

	if (!h)
		abort();
	h->rng = seed;
	h->turns = chance(h, 800);
	h->evil = degrees[any(h, 5)];
	h->level = (uint8_t)(1u << any(h, 3));
	h->t0 = chance(h, 400);
	h->icc = 1;
	memcpy(h->device, device, sizeof(device));
	memcpy(h->config, config, sizeof(config));
	h->config[FEATURES] = (uint8_t)(chance(h, 500) ? 0xba : any(h, 256));
	h->config[FEATURES + 1] = (uint8_t)(chance(h, 500) ? 0x04 : 0);
	h->config[FEATURES + 2] = h->level;
	if (h->evil != 0 && chance(h, 200)) {
		h->config[MESSAGE] = (uint8_t)any(h, 256);
		h->config[MESSAGE + 1] = (uint8_t)any(h, 3);
		h->config[IFSD] = (uint8_t)any(h, 256);
		h->config[SLOTS] = (uint8_t)any(h, 4);
	}
	if (h->evil == 90 && chance(h, 100))
		h->config[any(h, sizeof(config))] ^= (uint8_t)(1u << any(h, 8));
	h->pipe = (struct pipe){
		.ops = &hostile_ops, .fd = -1, .wake = WAKE_NONE,
		.device = BYTES_OF(h->device), .config = BYTES_OF(h->config),
	};
	return h;
}

/* ================================ the schedule ================================ */

/**
 * struct tally - what became of it all, shared with the child that plays
 * @seed:	being played
 * @refused:	readers; @mute: cards
 * @done, @failed: APDUs
 * @calls:	of the pipe
 */
struct tally {
	uint64_t seed;
	unsigned long refused, mute, done, failed, calls;
};

static struct tally *tally;

/* The errors that an operation on a card may end with, as card_io.h and reader.h name them. */
static bool is_named(int r)
{
	static const int named[] = {
		0, -ENOMEDIUM, -EIO, -EBADMSG, -EOPNOTSUPP, -ETIMEDOUT, -ESTALE, -ENODEV, -EBUSY,
		-ECANCELED, -EMSGSIZE,
	};

	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (r == named[i])
			return true;
	return false;
}

/* What comes behind a deadline is a look without waiting, a few times; not one wait more. */
#define GRACE_MS 100

static void judge(const char *what, int r, struct deadline deadline)
{
	if (!is_named(r)) {
		(void)fprintf(stderr, "%s ends with %d, which has no name here\n", what, r);
		abort();
	}
	if (virtual_us / 1000 > deadline.at_ms + GRACE_MS) {
		(void)fprintf(stderr, "%s ends %llu ms behind its deadline, with %d\n", what,
			      (unsigned long long)(virtual_us / 1000 - deadline.at_ms), r);
		abort();
	}
}

static int transmit(struct hostile *h, struct card_io *io)
{
	static const uint8_t data[700];
	struct apdu apdu = {
		.cla = (uint8_t)any(h, 4), .ins = (uint8_t)(0x20 + any(h, 16)),
		.data = BYTES(data, any(h, 4) == 0 ? any(h, 700) : any(h, 30)),
		.le = any(h, 3) == 0 ? APDU_LE_MAX : any(h, 257),
	};
	struct apdu_response out = { 0 };
	struct deadline deadline = deadline_in(1 + any(h, 70000));
	int r;

	h->taken = false;
	r = apdu_exchange(io, &apdu, deadline, &out);
	judge("an APDU", r, deadline);
	if (r == 0 && out.data.n > APDU_LE_MAX)
		abort();
	*(r == 0 ? &tally->done : &tally->failed) += 1;
	if (r < 0 && io->ran && !h->taken) {
		(void)fprintf(stderr, "an APDU that nobody took is said to have run\n");
		abort();
	}
	return r;
}

static void use(struct hostile *h, struct reader *reader, struct card_io *io)
{
	for (uint32_t n = 1 + any(h, 5); n > 0; n--) {
		struct deadline deadline;
		const char *why;
		int r;

		if (h->turns)
			h->evil = degrees[any(h, 5)];
		r = transmit(h, io);
		if (r == -ENODEV)
			return;
		virtual_us += any(h, 2000000);
		deadline = deadline_in(1 + any(h, 10000));
		r = reader_dispatch(reader, deadline);
		if (r == -ENODEV)
			return;
		judge("a look at the slots", r, deadline);
		if (card_io_is_current(io))
			continue;
		deadline = deadline_in(1 + any(h, 40000));
		r = card_io_reset(io, deadline, &why);
		judge("a reset", r, deadline);
		if (r < 0)
			return;
	}
}

static void play(uint64_t seed)
{
	struct hostile *h;
	struct deadline deadline;
	struct reader *reader = NULL;
	struct card_io *io = NULL;
	const char *why = NULL;
	int r;

	virtual_us = 1000000000;
	h = hostile_new(seed);
	deadline = deadline_in(15000);
	r = reader_new(&h->pipe, -1, deadline, &reader, &why);
	judge("the start of a reader", r, deadline);
	if (r < 0) {
		if (!why)
			abort();	/* a refusal without a sentence */
		tally->refused++;
		return;
	}
	deadline = deadline_in(1 + any(h, 40000));
	r = card_io_new(&reader->slots[0], deadline, &io, &why);
	judge("the start of a card", r, deadline);
	if (r == 0)
		use(h, reader, io);
	tally->mute += r != 0;
	tally->calls += h->calls;
	io = card_io_free(io);
	reader = reader_free(reader);
}

/* ================================ many of them ================================ */

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static void tally_begin(void)
{
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(tally != MAP_FAILED);
}

/* Plays in a child, so that a crash leaves somebody to tell its seed. */
static void play_some(uint64_t first, uint64_t n)
{
	pid_t child = fork();
	int status = 0;

	ASSERT_GE(child, 0);
	if (child == 0) {
		is_virtual = true;
		for (tally->seed = first; tally->seed < first + n; tally->seed++)
			play(tally->seed);
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	if (status != 0)
		TEST_FAIL("KF_SEED=%llu KF_SCHEDULES=1 plays it again (status %x)",
			  (unsigned long long)tally->seed, (unsigned)status);
}

TEST_TIMEOUT(whatever_a_reader_does_each_operation_ends_by_its_deadline_with_a_named_error, 1200)
{
	uint64_t seed = number("KF_SEED", 1), n = number("KF_SCHEDULES", 3000);

	tally_begin();
	for (uint64_t done = 0; done < n; done += 1000)
		play_some(seed + done, n - done < 1000 ? n - done : 1000);
	TEST_LOG("seeds %llu to %llu: %lu APDUs answered, %lu failed, %lu readers refused, %lu cards "
		 "mute, %lu calls of the pipe", (unsigned long long)seed,
		 (unsigned long long)(seed + n - 1), tally->done, tally->failed, tally->refused,
		 tally->mute, tally->calls);
	/* Mischief that only ever met a closed door would prove little. */
	if (n >= 1000) {
		EXPECT_GE(tally->done, n);
		EXPECT_GE(tally->failed, n / 4);
	}
}

/* The control: without mischief the same readers and cards serve. */
TEST(readers_that_mean_well_are_served)
{
	unsigned int served = 0, met = 0;

	tally_begin();
	is_virtual = true;
	for (uint64_t seed = 1; seed < 300; seed++) {
		struct hostile *h;
		struct reader *reader = NULL;
		struct card_io *io = NULL;
		const char *why = NULL;

		virtual_us = 1000000000;
		h = hostile_new(seed);
		if (h->evil != 0) {
			free(h);
			continue;
		}
		met++;
		h->turns = false;
		ASSERT_EQ(0, reader_new(&h->pipe, -1, deadline_in(15000), &reader, &why));
		if (card_io_new(&reader->slots[0], deadline_in(30000), &io, &why) == 0) {
			served++;
			use(h, reader, io);
		}
		io = card_io_free(io);
		reader = reader_free(reader);
	}
	is_virtual = false;
	EXPECT_GE(met, 30u);
	/* A T=0 card among whose reader's protocols, or the other way round, is no mischief. */
	EXPECT_EQ(met, served);
}
