/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/iso7816/t1.c - A block is parsed into a typed value or into a fault; then one function per
 * kind says what it means in this state. A block that means nothing is a fault as well, so there
 * is one way for everything that goes wrong: invalid().
 *
 * Always holds: nothing received is used before its checksum, length and address were right.
 */
#include "driver/iso7816/t1.h"

#include "base/secret.h"
#include "driver/ccid/limits.h"

#include <errno.h>

enum {
	PCB_MORE = 0x20,		/* of an I-block */
	PCB_I_SEQ = 0x40,
	PCB_R = 0x80,
	PCB_R_SEQ = 0x10,
	PCB_S = 0xc0,
	PCB_S_RESPONSE = 0x20,
};

enum s_type { S_RESYNCH, S_IFS, S_ABORT, S_WTX };
enum kind { KIND_I, KIND_R, KIND_S };

/* A received block. */
struct block {
	enum kind kind;
	uint8_t seq;		/* N(S) or N(R) */
	bool more;
	uint8_t error;		/* of an R-block */
	enum s_type type;
	bool response;		/* of an S-block */
	struct bytes inf;
};

/* --- blocks as bytes --- */

static uint8_t lrc(struct bytes b)
{
	uint8_t x = 0;

	for (size_t i = 0; i < b.n; i++)
		x ^= b.p[i];
	return x;
}

/* x^16 + x^12 + x^5 + 1, reflected, from 0xFFFF, not complemented; high byte first. */
static uint16_t crc(struct bytes b)
{
	uint16_t c = 0xffff;

	for (size_t i = 0; i < b.n; i++) {
		c ^= b.p[i];
		for (int bit = 0; bit < 8; bit++)
			c = (uint16_t)(c & 1 ? c >> 1 ^ 0x8408 : c >> 1);
	}
	return c;
}

static uint16_t edc_of(const struct t1 *t, struct bytes covered)
{
	return t->crc ? crc(covered) : lrc(covered);
}

static void build(struct t1 *t, uint8_t pcb, struct bytes inf)
{
	struct packer p = pack_begin(t->block, sizeof(t->block));

	wipe(t->block, t->block_n);
	pack_u8(&p, 0);			/* NAD: both ends are 0, always */
	pack_u8(&p, pcb);
	pack_u8(&p, (uint8_t)inf.n);
	pack_bytes(&p, inf);
	pack_be(&p, edc_of(t, pack_done(&p)), t->crc ? 2 : 1);
	t->block_n = p.n;
}

static int parse_pcb(uint8_t pcb, struct block *out)
{
	if (!(pcb & 0x80)) {
		out->kind = KIND_I;
		out->seq = (pcb & PCB_I_SEQ) != 0;
		out->more = (pcb & PCB_MORE) != 0;
		return pcb & 0x1f ? -EBADMSG : 0;
	}
	if (!(pcb & 0x40)) {
		out->kind = KIND_R;
		out->seq = (pcb & PCB_R_SEQ) != 0;
		out->error = pcb & 0x03;
		return (pcb & 0x2c) || out->error == 3 ? -EBADMSG : 0;
	}
	out->kind = KIND_S;
	out->type = (enum s_type)(pcb & 0x03);
	out->response = (pcb & PCB_S_RESPONSE) != 0;
	return pcb & 0x1c ? -EBADMSG : 0;
}

/* The length of the information field that this kind of block must have. */
static bool has_right_length(const struct block *b)
{
	if (b->kind == KIND_I)
		return true;
	if (b->kind == KIND_S && (b->type == S_IFS || b->type == S_WTX))
		return b->inf.n == 1;
	return b->inf.n == 0;
}

/* Return: 0, or the fault. */
static int parse(const struct t1 *t, struct bytes raw, struct block *out)
{
	size_t edc_len = t->crc ? 2 : 1;
	struct unpacker u = unpack_begin(raw);
	struct block b = { 0 };
	uint8_t nad = unpack_u8(&u);
	uint8_t pcb = unpack_u8(&u);
	uint8_t len = unpack_u8(&u);
	uint16_t edc;

	b.inf = unpack_bytes(&u, len);
	edc = (uint16_t)unpack_be(&u, edc_len);
	if (unpack_end(&u) < 0)
		return T1_FAULT_OTHER;
	if (edc != edc_of(t, bytes_slice(raw, 0, raw.n - edc_len)))
		return T1_FAULT_EDC;
	if (nad != 0 || len > t->accept || parse_pcb(pcb, &b) < 0 || !has_right_length(&b))
		return T1_FAULT_OTHER;
	*out = b;
	return 0;
}

/* --- what we send --- */

static int send_i(struct t1 *t)
{
	struct bytes inf = bytes_slice(t->command, t->acked, t->flying);
	bool more = t->acked + t->flying < t->command.n;

	t->state = more ? T1_SENDING : T1_WAITING;
	t->ran |= !more;
	build(t, (uint8_t)((t->ns ? PCB_I_SEQ : 0) | (more ? PCB_MORE : 0)), inf);
	return T1_SEND;
}

/* The next part of the command, no longer than the card takes now. */
static int send_next_i(struct t1 *t)
{
	size_t left = t->command.n - t->acked;

	t->flying = left < t->ifsc ? left : t->ifsc;
	return send_i(t);
}

static int send_r(struct t1 *t, uint8_t fault)
{
	build(t, (uint8_t)(PCB_R | (t->nr ? PCB_R_SEQ : 0) | fault), BYTES_NONE);
	return T1_SEND;
}

static int send_s(struct t1 *t, enum s_type type, bool response, struct bytes inf)
{
	build(t, (uint8_t)(PCB_S | (response ? PCB_S_RESPONSE : 0) | type), inf);
	return T1_SEND;
}

static int send_ifs(struct t1 *t)
{
	return send_s(t, S_IFS, false, BYTES(&t->ifsd_wanted, 1));
}

/* --- what goes wrong --- */

static int give_up(struct t1 *t, int r)
{
	t->state = T1_BROKEN;
	return r;
}

static int resynch(struct t1 *t)
{
	if (++t->resynchs > limits.t1_resynchs)
		return give_up(t, -EIO);
	t->state = T1_RESYNCHING;
	return send_s(t, S_RESYNCH, false, BYTES_NONE);
}

/* The card does not want to know how much we take; then it is the default. */
static int keep_ifsd(struct t1 *t)
{
	t->ifsd_wanted = t->ifsd;
	t->state = T1_IDLE;
	return T1_DONE;
}

/* [7816-3 error handling]: ask again twice, then resynchronise; S-requests are repeated as such. */
static int invalid(struct t1 *t, enum t1_fault fault)
{
	switch (t->state) {
	case T1_NEGOTIATING:
		return ++t->tries < limits.t1_tries ? send_ifs(t) : keep_ifsd(t);
	case T1_RESYNCHING:
		return resynch(t);
	case T1_SENDING:
	case T1_WAITING:
	case T1_RECEIVING:
		return ++t->tries < limits.t1_tries ? send_r(t, (uint8_t)fault) : resynch(t);
	default:
		return give_up(t, -EIO);
	}
}

/* The card asks for our I-block once more. */
static int repeat_i(struct t1 *t)
{
	if (t->unrepeatable)
		return resynch(t);
	return ++t->tries < limits.t1_tries ? send_i(t) : resynch(t);
}

/* --- what we are told --- */

static void progress(struct t1 *t)
{
	t->tries = 0;
	t->requests = 0;
}

static bool append(struct t1 *t, struct bytes inf)
{
	struct packer p = pack_begin(t->response, t->cap);

	p.n = t->got;
	pack_bytes(&p, inf);
	t->got = p.n;
	return !p.bad;
}

static int on_i(struct t1 *t, const struct block *b)
{
	if ((t->state != T1_WAITING && t->state != T1_RECEIVING) || b->seq != t->nr)
		return invalid(t, T1_FAULT_OTHER);
	if (t->state == T1_WAITING)	/* this acknowledges our last one */
		t->ns ^= 1;
	t->state = T1_RECEIVING;
	t->nr ^= 1;
	progress(t);
	if (!append(t, b->inf))
		return give_up(t, -EBADMSG);
	if (!b->more) {
		t->state = T1_IDLE;
		return T1_DONE;
	}
	if (b->inf.n == 0 && ++t->empty > limits.t1_empty)
		return give_up(t, -EBADMSG);
	return send_r(t, 0);
}

static int on_r(struct t1 *t, const struct block *b)
{
	switch (t->state) {
	case T1_SENDING:
		if (b->seq == t->ns)
			return repeat_i(t);
		if (b->error != 0)
			return invalid(t, T1_FAULT_OTHER);
		t->acked += t->flying;
		t->ns ^= 1;
		progress(t);
		return send_next_i(t);
	case T1_WAITING:
		return b->seq == t->ns ? repeat_i(t) : invalid(t, T1_FAULT_OTHER);
	case T1_RECEIVING:	/* our R got lost */
		return invalid(t, 0);
	default:
		return invalid(t, T1_FAULT_OTHER);
	}
}

static int on_request(struct t1 *t, const struct block *b)
{
	uint8_t value = b->inf.n == 1 ? b->inf.p[0] : 0;
	bool in_chain = t->state == T1_SENDING || t->state == T1_RECEIVING;

	if (t->state == T1_RESYNCHING || t->state == T1_ABORTING)
		return invalid(t, T1_FAULT_OTHER);
	if (++t->requests > limits.t1_requests)
		return give_up(t, -EBADMSG);
	if (b->type == S_IFS && value >= 1 && value <= T1_IFS_MAX) {
		t->ifsc = value;
		return send_s(t, S_IFS, true, b->inf);
	}
	if (b->type == S_WTX && value >= 1) {
		t->bwi = value;
		return send_s(t, S_WTX, true, b->inf);
	}
	if (b->type == S_ABORT && in_chain) {
		t->state = T1_ABORTING;
		return send_s(t, S_ABORT, true, BYTES_NONE);
	}
	return invalid(t, T1_FAULT_OTHER);
}

static int on_ifs_response(struct t1 *t, uint8_t value)
{
	if (value != t->ifsd_wanted)
		return invalid(t, T1_FAULT_OTHER);
	t1_assume_ifs(t);
	t->state = T1_IDLE;
	return T1_DONE;
}

static int on_response(struct t1 *t, const struct block *b)
{
	if (t->state == T1_NEGOTIATING && b->type == S_IFS)
		return on_ifs_response(t, b->inf.p[0]);
	if (t->state == T1_RESYNCHING && b->type == S_RESYNCH) {
		/* Both sides start over, and what the card was told about IFSD is void. */
		t->ns = t->nr = 0;
		t->ifsd = T1_IFS_DEFAULT;
		t->state = T1_IDLE;
		return -EIO;
	}
	return invalid(t, T1_FAULT_OTHER);
}

/* Each received block counts, and so does each silence. */
static bool may_go_on(struct t1 *t)
{
	t->bwi = 0;
	return ++t->blocks <= limits.t1_blocks && t->state != T1_ABORTING;
}

int t1_feed(struct t1 *t, struct bytes raw)
{
	struct block b;
	int fault;

	assert(t->state != T1_IDLE && t->state != T1_BROKEN);
	if (!may_go_on(t))
		return give_up(t, t->state == T1_ABORTING ? -EIO : -EBADMSG);
	fault = parse(t, raw, &b);
	if (fault != 0)
		return invalid(t, (enum t1_fault)fault);
	if (b.kind == KIND_I)
		return on_i(t, &b);
	if (b.kind == KIND_R)
		return on_r(t, &b);
	return b.response ? on_response(t, &b) : on_request(t, &b);
}

int t1_silence(struct t1 *t, enum t1_fault fault)
{
	assert(t->state != T1_IDLE && t->state != T1_BROKEN);
	if (!may_go_on(t))
		return give_up(t, -EIO);
	return invalid(t, fault);
}

/* --- life --- */

void t1_init(struct t1 *t, uint8_t ifsc, bool crc, uint8_t ifsd)
{
	*t = (struct t1){
		.state = T1_IDLE, .ifsc = ifsc, .crc = crc, .ifsd = T1_IFS_DEFAULT,
		.ifsd_wanted = ifsd, .accept = T1_IFS_DEFAULT,
	};
}

void t1_wipe(struct t1 *t)
{
	wipe(t->block, sizeof(t->block));
	t->block_n = 0;
}

void t1_deinit(struct t1 *t)
{
	t1_wipe(t);
	*t = (struct t1){ 0 };
}

static void start(struct t1 *t, enum t1_state state)
{
	assert(t->state == T1_IDLE);
	t->state = state;
	t->blocks = t->tries = t->resynchs = t->requests = t->empty = 0;
	t->bwi = 0;
	t->ran = t->unrepeatable = false;
}

void t1_assume_ifs(struct t1 *t)
{
	t->ifsd = t->ifsd_wanted;
	if (t->accept < t->ifsd)
		t->accept = t->ifsd;
}

void t1_begin_ifs(struct t1 *t)
{
	start(t, T1_NEGOTIATING);
	(void)send_ifs(t);
}

void t1_begin(struct t1 *t, struct bytes command, uint8_t *response, size_t cap)
{
	start(t, T1_WAITING);
	t->command = command;
	t->acked = t->got = 0;
	t->response = response;
	t->cap = cap;
	(void)send_next_i(t);
}

void t1_prologue(const struct t1 *t, size_t n, uint8_t out[static 3])
{
	assert(t->state == T1_IDLE && n <= t->ifsc);
	out[0] = 0;
	out[1] = t->ns ? PCB_I_SEQ : 0;
	out[2] = (uint8_t)n;
}

void t1_begin_sent(struct t1 *t, uint8_t *response, size_t cap)
{
	start(t, T1_WAITING);
	t->unrepeatable = t->ran = true;
	t->command = BYTES_NONE;
	t->acked = t->flying = t->got = 0;
	t->response = response;
	t->cap = cap;
}
