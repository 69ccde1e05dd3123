/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rules are those of [7816-3 11.6]. The card never starts a recovery: it repeats, or says R with an
 * error, and leaves resynchronisation to the interface device. LRC only, NAD 00 only.
 */
#include "vreader/reader/t1_card.h"

#include "base/secret.h"

enum {
	PCB_R = 0x80,
	PCB_S = 0xc0,
	PCB_I_NS = 0x40,
	PCB_I_MORE = 0x20,
	PCB_R_NR = 0x10,
	S_RESYNCH = 0xc0, S_IFS = 0xc1, S_ABORT = 0xc2, S_WTX = 0xc3,
	S_RESPONSE = 0x20,
	R_EDC = 1,			/* redundancy code wrong */
	R_OTHER = 2,
};

static uint8_t lrc(struct bytes b)
{
	uint8_t x = 0;

	for (size_t i = 0; i < b.n; i++)
		x ^= b.p[i];
	return x;
}

static enum t1_next send_block(struct t1_card *t1, uint8_t pcb, struct bytes inf)
{
	struct packer p = pack_begin(t1->last, sizeof(t1->last));

	pack_u8(&p, 0x00);		/* NAD */
	pack_u8(&p, pcb);
	pack_u8(&p, (uint8_t)inf.n);	/* LEN */
	pack_bytes(&p, inf);
	pack_u8(&p, lrc(pack_done(&p)));
	t1->last_len = p.n;
	return T1_SEND;
}

static enum t1_next send_r(struct t1_card *t1, uint8_t error)
{
	return send_block(t1, (uint8_t)(PCB_R | (t1->recv_ns ? PCB_R_NR : 0) | error), BYTES_NONE);
}

static enum t1_next repeat(struct t1_card *t1)
{
	return t1->last_len != 0 ? T1_SEND : send_r(t1, R_OTHER);
}

/* The next part of the response, and the phase that follows from it. */
static enum t1_next send_part(struct t1_card *t1)
{
	struct bytes part = bytes_slice(t1->response, 0, t1->ifsd);
	bool more = part.n < t1->response.n;
	uint8_t pcb = (uint8_t)((t1->send_ns ? PCB_I_NS : 0) | (more ? PCB_I_MORE : 0));

	t1->response = bytes_slice(t1->response, part.n, t1->response.n);
	t1->phase = more ? T1_SENDING : T1_READY;
	t1->send_ns ^= 1;
	return send_block(t1, pcb, part);
}

static void drop_command(struct t1_card *t1)
{
	wipe(t1->command.p, t1->command.n);	/* it may have carried a PIN */
	t1->command.n = 0;
	t1->gathering = false;
}

/* The protocol's part of a reset; what the host can take survives only by a new S(IFS). */
static void restart(struct t1_card *t1)
{
	drop_command(t1);
	t1->phase = T1_READY;
	t1->response = BYTES_NONE;
	t1->asked_time = 0;
	t1->recv_ns = 0;
	t1->send_ns = 0;
	t1->ifsd = T1_IFSD_DEFAULT;
}

static enum t1_next on_i_block(struct t1_card *t1, uint8_t pcb, struct bytes inf)
{
	uint8_t ns = pcb & PCB_I_NS ? 1 : 0;

	if ((pcb & 0x1f) != 0 || ns != t1->recv_ns || t1->phase != T1_READY)
		return send_r(t1, R_OTHER);
	if (!t1->gathering)
		drop_command(t1);
	if (inf.n > t1->command.cap - t1->command.n)
		return send_r(t1, R_OTHER);	/* longer than any APDU */
	pack_bytes(&t1->command, inf);
	t1->recv_ns ^= 1;
	t1->gathering = (pcb & PCB_I_MORE) != 0;
	if (t1->gathering)
		return send_r(t1, 0);
	t1->phase = T1_RUNNING;
	return T1_RUN;
}

/*
 * N(R) names the block the host wants next. Our next one: it acknowledges a chain. The last one
 * sent: it wants that again, which is also all an R can mean after our own R or S.
 */
static enum t1_next on_r_block(struct t1_card *t1, uint8_t pcb)
{
	uint8_t nr = pcb & PCB_R_NR ? 1 : 0;
	bool last_is_i = t1->last_len != 0 && (t1->last[1] & PCB_R) == 0;

	if ((pcb & 0x2c) != 0 || (pcb & 3) == 3)
		return send_r(t1, R_OTHER);
	if (t1->phase == T1_RUNNING && t1->asked_time == 0)
		return T1_HOLD;
	if (t1->phase == T1_SENDING && last_is_i && nr == t1->send_ns)
		return send_part(t1);
	if (last_is_i && nr == t1->send_ns)
		return send_r(t1, R_OTHER);
	return repeat(t1);
}

static enum t1_next on_wtx_response(struct t1_card *t1, struct bytes inf)
{
	if (t1->asked_time == 0 || inf.n != 1 || inf.p[0] != t1->asked_time)
		return send_r(t1, R_OTHER);
	t1->asked_time = 0;
	return T1_HOLD;
}

static enum t1_next on_s_block(struct t1_card *t1, uint8_t pcb, struct bytes inf)
{
	switch (pcb) {
	case S_RESYNCH:
		if (inf.n != 0)
			break;
		restart(t1);
		return send_block(t1, S_RESYNCH | S_RESPONSE, BYTES_NONE);
	case S_IFS:
		if (inf.n != 1 || inf.p[0] == 0 || inf.p[0] == 255)
			break;
		t1->ifsd = inf.p[0];
		return send_block(t1, S_IFS | S_RESPONSE, inf);
	case S_ABORT:
		if (inf.n != 0 || (!t1->gathering && t1->phase != T1_SENDING))
			break;
		drop_command(t1);
		t1->phase = T1_READY;
		t1->response = BYTES_NONE;
		return send_block(t1, S_ABORT | S_RESPONSE, BYTES_NONE);
	case S_WTX | S_RESPONSE:
		return on_wtx_response(t1, inf);
	}
	return send_r(t1, R_OTHER);
}

void t1_card_init(struct t1_card *t1, uint8_t *buf, size_t cap)
{
	*t1 = (struct t1_card){
		.ifsd = T1_IFSD_DEFAULT,
		.command = pack_begin(buf, cap),
	};
}

enum t1_next t1_card_block(struct t1_card *t1, struct bytes block)
{
	struct unpacker u = unpack_begin(block);
	uint8_t nad = unpack_u8(&u);
	uint8_t pcb = unpack_u8(&u);
	struct bytes inf = unpack_bytes(&u, unpack_u8(&u));

	unpack_skip(&u, 1);		/* EDC, checked over the whole */
	if (unpack_end(&u) < 0 || inf.n > 254 || nad != 0)
		return send_r(t1, R_OTHER);
	if (lrc(block) != 0)
		return send_r(t1, R_EDC);
	if ((pcb & PCB_R) == 0)
		return on_i_block(t1, pcb, inf);
	if ((pcb & PCB_S) == PCB_R)
		return on_r_block(t1, pcb);
	return on_s_block(t1, pcb, inf);
}

void t1_card_answer(struct t1_card *t1, struct bytes response)
{
	t1->asked_time = 0;
	t1->response = response;
	(void)send_part(t1);
}

void t1_card_ask_time(struct t1_card *t1, uint8_t multiplier)
{
	t1->asked_time = multiplier;
	(void)send_block(t1, S_WTX, BYTES(&multiplier, 1));
}
