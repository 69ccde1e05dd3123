/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/iso7816/pad.c - At the APDU levels and for T=0 the reader is given a command; at TPDU level
 * with T=1 it builds the block out of the prologue that we choose, and we have the answer block. A
 * block that holds a PIN cannot be sent twice from here, so a card that asks for it again costs the
 * command (t1.c).
 */
#include "driver/iso7816/pad.h"

#include "driver/ccid/pinpad.h"
#include "driver/iso7816/link.h"

#include <errno.h>

#define ENTRY_MAX_S	60u	/* between two keys; a person who has gone does not come back */
#define ENTRY_MIN_S	5u
#define SLACK_MS	3000u	/* for the reader to say that the time is over */
#define FILL		0xff
#define APDU_MAX	(5 + 2 * 15)

/* [PC/SC 10]: words that readers say in the card's place. */
enum { SW_PAD_TIMEOUT = 0x6400, SW_PAD_CANCELLED = 0x6401, SW_PAD_MISMATCH = 0x6402, SW_PAD_LENGTH = 0x6403 };

static const struct ccid_desc *desc_of(const struct card_io *io)
{
	return io->slot->x->desc;
}

bool pad_is_there(const struct card_io *io, bool modify)
{
	return io->slot && (desc_of(io)->pin_support & (modify ? 2 : 1)) != 0;
}

static void pack_apdu(struct packer *p, const struct pad *pad)
{
	uint8_t lc = pad->modify ? 2 * pad->block : pad->block;

	pack_u8(p, 0x00);
	pack_u8(p, pad->ins);
	pack_u8(p, 0x00);
	pack_u8(p, pad->p2);
	pack_u8(p, lc);
	for (uint8_t i = 0; i < lc; i++)
		pack_u8(p, FILL);
}

/*
 * The reader has to give up before we do: only then the card stays as it is. Three PINs take three
 * times as long.
 */
static uint8_t entry_seconds(const struct pad *pad, struct deadline deadline)
{
	int left_ms = deadline_poll_ms(deadline);
	unsigned int entries = pad->modify ? 3 : 1;
	unsigned int s = ENTRY_MAX_S;

	if (left_ms >= 0 && (unsigned int)left_ms / 1000 < s * entries + SLACK_MS / 1000)
		s = (unsigned int)left_ms > SLACK_MS ?
		    ((unsigned int)left_ms - SLACK_MS) / 1000 / entries : 0;
	return (uint8_t)(s < ENTRY_MIN_S ? ENTRY_MIN_S : s);
}

static enum pad_outcome outcome_of(uint16_t sw)
{
	switch (sw) {
	case SW_PAD_TIMEOUT:
		return PAD_TIMEOUT;
	case SW_PAD_CANCELLED:
		return PAD_CANCELLED;
	case SW_PAD_MISMATCH:
		return PAD_MISMATCH;
	case SW_PAD_LENGTH:
		return PAD_LENGTH;
	default:
		return PAD_SENT;
	}
}

/* The reader says that it did not come to a command. Return: 0 with @outcome, or why. */
static int refused(struct card_io *io, const struct ccid_reply *reply, enum pad_outcome *outcome)
{
	int r = ccid_reply_errno(reply);

	io->ran = false;
	if (reply->detail == CCID_ERROR_PIN_TIMEOUT)
		*outcome = PAD_TIMEOUT;
	else if (reply->detail == CCID_ERROR_PIN_CANCELLED)
		*outcome = PAD_CANCELLED;
	else if (r == -EOPNOTSUPP || r == -EBUSY)
		return r;
	else {
		io->ran = true;		/* mute, parity: behind the keys, at the card */
		slot_fault(io->slot);
		return r;
	}
	return 0;
}

/* @answer ends in a status word, which may be the reader's own. */
static int take_answer(struct card_io *io, struct bytes answer, enum pad_outcome *outcome,
		       uint16_t *sw)
{
	struct unpacker u = unpack_begin(answer);

	if (answer.n < 2) {
		slot_fault(io->slot);
		return -EBADMSG;
	}
	unpack_skip(&u, answer.n - 2);
	*sw = unpack_be16(&u);
	*outcome = outcome_of(*sw);
	io->ran = *outcome == PAD_SENT;
	return 0;
}

static bool is_t1(const struct card_io *io)
{
	return desc_of(io)->level == CCID_LEVEL_TPDU && io->protocol == 1;
}

int pad_exchange(struct card_io *io, const struct pad *pad, struct deadline deadline,
		 enum pad_outcome *outcome, uint16_t *sw)
{
	uint8_t apdu[APDU_MAX], structure[PINPAD_STRUCTURE_MAX];
	struct packer a = pack_begin(apdu, sizeof(apdu));
	struct packer s = pack_begin(structure, sizeof(structure));
	struct pinpad pinpad = {
		.modify = pad->modify, .min = pad->min, .max = pad->max, .block = pad->block,
		.timeout_s = entry_seconds(pad, deadline),
	};
	struct ccid_reply reply;
	uint32_t patience_ms = pinpad.timeout_s * 1000u * (pad->modify ? 3 : 1) + SLACK_MS;
	int r;

	io->ran = false;
	if (!pad_is_there(io, pad->modify))
		return -EOPNOTSUPP;
	if (!card_io_is_current(io))
		return slot_has_card(io->slot) ? -ESTALE : -ENOMEDIUM;
	pack_apdu(&a, pad);
	pinpad.apdu = pack_done(&a);
	if (is_t1(io))
		t1_prologue(&io->t1, pinpad.apdu.n, pinpad.prologue);
	pinpad_pack(&s, &pinpad);
	assert(!a.bad && !s.bad);
	r = slot_secure(io->slot, pack_done(&s), patience_ms, deadline, &reply);
	io->ran = io->slot->x->sent;
	if (r == 0 && reply.outcome == CCID_FAILED)
		return refused(io, &reply, outcome);
	if (r == 0 && is_t1(io) && reply.data.n > 2) {
		size_t n = 0;

		r = link_t1_answer(io, reply.data, io->response, APDU_RESPONSE_MAX, &n, deadline);
		if (r == 0) {
			io->response_used = n;
			r = take_answer(io, BYTES(io->response, n), outcome, sw);
		}
	} else if (r == 0) {
		r = take_answer(io, reply.data, outcome, sw);
	}
	exchange_wipe(io->slot->x);
	return r;
}
