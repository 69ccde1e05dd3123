/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/iso7816/link.c - Three transports: APDUs, T=1 blocks, T=0 TPDUs. Whatever goes wrong after a command may have reached the
 * card leaves the slot in need of a reset: it is then unknown what the card is about to say, and
 * no command is ever sent a second time from here.
 */
#include "driver/iso7816/link.h"

#include "driver/iso7816/t0.h"

#include "base/secret.h"

#include <errno.h>

static const struct ccid_desc *desc_of(const struct card_io *io)
{
	return io->slot->x->desc;
}

/* A reply that is no answer to what we sent: the reader, not the card, is at fault. */
static int nonsense(struct card_io *io, struct deadline deadline)
{
	int r = exchange_malformed(io->slot->x, io->slot->index, deadline);

	slot_fault(io->slot);
	return r;
}

/* A failed XfrBlock. What the reader refused outright has not reached the card. */
static int refused(struct card_io *io, const struct ccid_reply *reply)
{
	int r = ccid_reply_errno(reply);

	if (r == -EOPNOTSUPP || r == -EBUSY)
		io->ran = false;
	else
		slot_fault(io->slot);
	return r;
}

static int append(uint8_t *response, size_t cap, size_t *n, struct bytes part)
{
	struct packer p = pack_begin(response, cap);

	p.n = *n;
	pack_bytes(&p, part);
	*n = p.n;
	return p.bad ? -EBADMSG : 0;
}

/* One XfrBlock and a reply that is done; @answer_ms of silence are allowed. */
static int xfr_within(struct card_io *io, uint16_t level, struct bytes part, uint32_t answer_ms,
		      struct deadline deadline, struct ccid_reply *reply)
{
	int r = slot_block(io->slot, 0, level, part, answer_ms, deadline, reply);

	io->ran |= io->slot->x->sent;
	if (r < 0)
		return r;
	return reply->outcome == CCID_FAILED ? refused(io, reply) : 0;
}

/* --- APDU levels --- */

static int xfr(struct card_io *io, uint16_t level, struct bytes part, struct deadline deadline,
	       struct ccid_reply *reply)
{
	return xfr_within(io, level, part, limits.answer_max_ms, deadline, reply);
}

/* The reader may end a chain early, but only with a card's error. */
static bool is_early_error(const struct ccid_reply *reply)
{
	return reply->extra == CCID_CHAIN_WHOLE && reply->data.n == 2 && reply->data.p[0] != 0x90;
}

/* [CCID wLevelParameter]: all parts but the last. Return: 1 go on; 0 the answer is @reply. */
static int send_parts(struct card_io *io, struct bytes *command, struct deadline deadline,
		      struct ccid_reply *reply)
{
	size_t most = ccid_desc_payload(desc_of(io));
	uint16_t level = CCID_CHAIN_BEGINS;

	while (command->n > most) {
		int r = xfr(io, level, bytes_slice(*command, 0, most), deadline, reply);

		if (r < 0)
			return r;
		if (is_early_error(reply))
			return 0;
		if (reply->extra != CCID_CHAIN_NEXT || reply->data.n != 0)
			return nonsense(io, deadline);
		*command = bytes_slice(*command, most, command->n);
		level = CCID_CHAIN_CONTINUES;
	}
	return 1;
}

static int send_command(struct card_io *io, struct bytes command, struct deadline deadline,
			struct ccid_reply *reply)
{
	size_t before = command.n;
	int r = send_parts(io, &command, deadline, reply);

	if (r <= 0)
		return r;
	return xfr(io, before == command.n ? CCID_CHAIN_WHOLE : CCID_CHAIN_ENDS, command,
		   deadline, reply);
}

/* [CCID bChainParameter]: is @now possible behind @before? */
static bool may_follow(uint8_t before, uint8_t now)
{
	if (before == CCID_CHAIN_NEXT)		/* nothing yet */
		return now == CCID_CHAIN_WHOLE || now == CCID_CHAIN_BEGINS;
	return now == CCID_CHAIN_CONTINUES || now == CCID_CHAIN_ENDS;
}

static int receive_parts(struct card_io *io, struct ccid_reply *reply, uint8_t *response,
			 size_t cap, size_t *n, struct deadline deadline)
{
	uint8_t before = CCID_CHAIN_NEXT;
	unsigned int empty = 0;
	int r;

	for (;;) {
		uint8_t now = reply->extra;

		if (desc_of(io)->level == CCID_LEVEL_SHORT_APDU)
			now = CCID_CHAIN_WHOLE;		/* reserved there, so ignored */
		if (!may_follow(before, now) || append(response, cap, n, reply->data) < 0)
			return nonsense(io, deadline);
		if (now == CCID_CHAIN_WHOLE || now == CCID_CHAIN_ENDS)
			return 0;
		if (reply->data.n == 0 && ++empty > limits.empty_parts)
			return nonsense(io, deadline);
		before = now;
		r = xfr(io, CCID_CHAIN_NEXT, BYTES_NONE, deadline, reply);
		if (r < 0)
			return r;
	}
}

static int transmit_apdu(struct card_io *io, struct bytes command, uint8_t *response, size_t cap,
			 size_t *n, struct deadline deadline)
{
	struct ccid_reply reply;
	int r = send_command(io, command, deadline, &reply);

	*n = 0;
	if (r == 0)
		r = receive_parts(io, &reply, response, cap, n, deadline);
	if (r == 0 && *n < 2)
		r = nonsense(io, deadline);
	exchange_wipe(io->slot->x);
	return r;
}

/* --- TPDU level, T=1 --- */

/* [7816-3 BWT], the way there and back, and a second for the reader. */
static uint32_t block_patience(const struct card_io *io)
{
	const uint32_t clock = desc_of(io)->clock_khz;
	uint64_t etus = (uint64_t)(io->t1.block_n + T1_BLOCK_MAX) * (12u + io->atr.guard);
	uint64_t ms = (uint64_t)atr_bwt_ms(&io->atr, io->fidi, clock) *
		      (io->t1.bwi != 0 ? io->t1.bwi : 1);

	ms += iso_etu_ms(etus, io->fidi, clock) + 1000;
	return ms < limits.answer_max_ms ? (uint32_t)ms : limits.answer_max_ms;
}

/* One block out, one in. Return: as t1_feed(), or as slot_block(). */
static int turn(struct card_io *io, struct deadline deadline)
{
	struct ccid_reply reply;
	int r = slot_block(io->slot, io->t1.bwi, 0, t1_block(&io->t1), block_patience(io),
			   deadline, &reply);

	if (r < 0)
		return r;
	if (reply.outcome == CCID_DONE)
		return t1_feed(&io->t1, reply.data);
	switch (reply.detail) {
	case CCID_ERROR_PARITY:
		return t1_silence(&io->t1, T1_FAULT_EDC);
	case CCID_ERROR_MUTE:
	case CCID_ERROR_OVERRUN:
		return t1_silence(&io->t1, T1_FAULT_OTHER);
	default:
		return ccid_reply_errno(&reply);
	}
}

/* Until the machine is done. Its counters end the loop, and so does the deadline. */
static int drive_from(struct card_io *io, int r, struct deadline deadline)
{
	while (r == T1_SEND) {
		r = turn(io, deadline);
		io->ran = io->t1.ran && io->slot->x->sent;
	}
	if (r < 0 && io->t1.state != T1_IDLE)
		slot_fault(io->slot);
	t1_wipe(&io->t1);
	exchange_wipe(io->slot->x);
	return r;
}

static int drive(struct card_io *io, struct deadline deadline)
{
	return drive_from(io, T1_SEND, deadline);
}

int link_t1_answer(struct card_io *io, struct bytes block, uint8_t *response, size_t cap, size_t *n,
		   struct deadline deadline)
{
	int r;

	t1_begin_sent(&io->t1, response, cap);
	r = drive_from(io, t1_feed(&io->t1, block), deadline);
	*n = io->t1.got;
	return r;
}

int link_negotiate_ifs(struct card_io *io, struct deadline deadline)
{
	t1_begin_ifs(&io->t1);
	return drive(io, deadline);
}

static int transmit_t1(struct card_io *io, struct bytes command, uint8_t *response, size_t cap,
		       size_t *n, struct deadline deadline)
{
	int r;

	if (t1_wants_ifs(&io->t1)) {
		r = link_negotiate_ifs(io, deadline);
		if (r < 0)
			return r;
	}
	t1_begin(&io->t1, command, response, cap);
	r = drive(io, deadline);
	if (r < 0)
		return r;
	if (io->t1.got < 2) {		/* an answer without a status word */
		slot_fault(io->slot);
		return -EBADMSG;
	}
	*n = io->t1.got;
	return 0;
}

/* --- TPDU level, T=0 --- */

/* [7816-3 WWT], the way there and back, and a second for the reader. */
static uint32_t tpdu_patience(const struct card_io *io, struct bytes tpdu)
{
	const uint32_t clock = desc_of(io)->clock_khz;
	uint64_t etus = (uint64_t)(tpdu.n + APDU_SHORT_LE + 2) * (12u + io->atr.guard);
	uint64_t ms = (uint64_t)atr_wwt_ms(&io->atr, io->fidi, clock) +
		      iso_etu_ms(etus, io->fidi, clock) + 1000;

	return ms < limits.answer_max_ms ? (uint32_t)ms : limits.answer_max_ms;
}

static int transmit_tpdu(struct card_io *io, const struct apdu *apdu, uint8_t *response, size_t cap,
			 size_t *n, struct deadline deadline)
{
	uint8_t tpdu[T0_TPDU_MAX];
	struct packer p = pack_begin(tpdu, sizeof(tpdu));
	struct ccid_reply reply;
	int r;

	t0_tpdu_pack(&p, apdu);
	*n = 0;
	r = xfr_within(io, 0, pack_done(&p), tpdu_patience(io, pack_done(&p)), deadline, &reply);
	if (r == 0 && (t0_answer_check(pack_done(&p), reply.data) < 0 ||
		       append(response, cap, n, reply.data) < 0))
		r = nonsense(io, deadline);
	exchange_wipe(io->slot->x);
	wipe(tpdu, sizeof(tpdu));
	return r;
}

/* Data bytes that one TPDU through this reader can carry. */
static size_t tpdu_data_max(const struct card_io *io)
{
	size_t room = ccid_desc_payload(desc_of(io)) - T0_HEADER;

	return room < APDU_SHORT_DATA ? room : APDU_SHORT_DATA;
}

/* [7816-4 ENVELOPE]: each part but the last must be answered 9000. */
static int transmit_enveloped(struct card_io *io, struct bytes command, uint8_t *response,
			      size_t cap, size_t *n, struct deadline deadline)
{
	size_t most = tpdu_data_max(io);

	for (size_t at = 0; ; at += most) {
		struct apdu part = t0_envelope(command.p[0], command, at, most);
		int r = transmit_tpdu(io, &part, response, cap, n, deadline);

		if (r < 0 || part.data.n < most)
			return r;
		if (*n != 2 || response[0] != 0x90 || response[1] != 0x00)
			return 0;	/* the card's last word */
	}
}

static int transmit_t0(struct card_io *io, struct bytes command, uint8_t *response, size_t cap,
		       size_t *n, struct deadline deadline)
{
	struct apdu apdu;

	if (apdu_parse(command, &apdu, NULL) < 0)
		return -EINVAL;
	if (t0_is_direct(&apdu))
		return transmit_tpdu(io, &apdu, response, cap, n, deadline);
	return transmit_enveloped(io, command, response, cap, n, deadline);
}

/* --- which --- */

static int transmit_at_tpdu_level(struct card_io *io, struct bytes command, uint8_t *response,
				  size_t cap, size_t *n, struct deadline deadline)
{
	return io->protocol == 0 ? transmit_t0(io, command, response, cap, n, deadline) :
				   transmit_t1(io, command, response, cap, n, deadline);
}

static const struct card_io_ops apdu_ops = { .transmit = transmit_apdu };
static const struct card_io_ops tpdu_ops = { .transmit = transmit_at_tpdu_level };

const struct card_io_ops *link_ops(const struct ccid_desc *desc)
{
	return desc->level == CCID_LEVEL_TPDU ? &tpdu_ops : &apdu_ops;
}

bool link_is_t0(const struct card_io *io)
{
	return desc_of(io)->level == CCID_LEVEL_TPDU && io->protocol == 0;
}

size_t link_max_command(const struct card_io *io)
{
	size_t payload = ccid_desc_payload(desc_of(io));

	/* Extended length travels in ENVELOPEs, which not every card knows. */
	if (link_is_t0(io))
		return io->atr.extended ? APDU_COMMAND_MAX : T0_HEADER + tpdu_data_max(io) + 1;
	if (desc_of(io)->level != CCID_LEVEL_SHORT_APDU)
		return APDU_COMMAND_MAX;
	return payload < 261 ? payload : 261;
}
