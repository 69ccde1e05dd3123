/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands on their way to the card and responses on their way back, at each level of exchange:
 * whole APDUs, APDUs in parts, TPDUs of T=0, blocks of T=1.
 */
#include "vreader/reader/ccid_own.h"

#include "base/secret.h"
#include "vreader/reader/pps_card.h"

struct bytes ccid_gathered(const struct ccid_dev *dev)
{
	if (dev->shape->level == SHAPE_TPDU_T1)
		return t1_card_command(&dev->t1);
	if (ccid_is_t0(dev))
		return t0_card_command(&dev->t0);
	return BYTES(dev->gather.p, dev->gather.n);
}

enum ccid_dev_next ccid_start_run(struct ccid_dev *dev)
{
	struct bytes command = ccid_gathered(dev);

	if (dev->computing) {
		dev->pending = CCID_PENDING_RUN;
		return CCID_DEV_IDLE;
	}
	ccid_buffer_clear(&dev->command);
	pack_bytes(&dev->command, command);
	wipe(dev->gather.p, command.n);		/* where @command was */
	dev->gather.n = 0;
	ccid_buffer_clear(&dev->response);
	dev->sent = 0;
	dev->n_ticks = 0;
	dev->computing = true;
	dev->discard = false;
	return CCID_DEV_RUN;
}

/* The next message of the response at extended level [CCID bChainParameter]. */
static void send_response_part(struct ccid_dev *dev)
{
	struct bytes all = BYTES(dev->response.p, dev->response.n);
	struct bytes part = bytes_slice(all, dev->sent, dev->shape->max_message - HEADER_LEN);
	bool first = dev->sent == 0;
	bool last = dev->sent + part.n == all.n;
	uint8_t chain = first ? (last ? CHAIN_WHOLE : CHAIN_BEGIN) : (last ? CHAIN_END : CHAIN_MIDDLE);

	dev->sent += part.n;
	dev->sending = !last;
	dev->waiting = false;
	ccid_send_ok(dev, REPLY_DATA, dev->to, chain, part);
	if (last)
		ccid_buffer_clear(&dev->response);
}

static enum ccid_dev_next refuse_xfr(struct ccid_dev *dev, uint8_t error)
{
	ccid_drop_exchange(dev);
	dev->waiting = false;
	ccid_send_failed(dev, REPLY_DATA, dev->to, error);
	return CCID_DEV_IDLE;
}

/* A part of a command; @begin and @end say where it stands. */
static enum ccid_dev_next gather_part(struct ccid_dev *dev, struct bytes data, bool begin, bool end)
{
	if (dev->gathering == begin)
		return refuse_xfr(dev, ERROR_LEVEL);
	if (begin) {
		dev->sending = false;
		dev->gather.n = 0;
	}
	if (data.n > dev->gather.cap - dev->gather.n)
		return refuse_xfr(dev, ERROR_LENGTH);
	pack_bytes(&dev->gather, data);
	dev->gathering = !end;
	if (end)
		return ccid_start_run(dev);
	dev->waiting = false;
	ccid_send_ok(dev, REPLY_DATA, dev->to, CHAIN_NEXT, BYTES_NONE);
	return CCID_DEV_IDLE;
}

/* wLevelParameter is nobody's business here [CCID 6.1.4]. */
static enum ccid_dev_next xfr_short(struct ccid_dev *dev, const struct ccid_command *c)
{
	if (c->data.n > SHAPE_APDU_MAX)
		return refuse_xfr(dev, ERROR_LENGTH);
	return gather_part(dev, c->data, true, true);
}

static enum ccid_dev_next xfr_extended(struct ccid_dev *dev, const struct ccid_command *c)
{
	switch (c->specific[1] | c->specific[2] << 8) {	/* wLevelParameter */
	case CHAIN_WHOLE:
		return gather_part(dev, c->data, true, true);
	case CHAIN_BEGIN:
		return gather_part(dev, c->data, true, false);
	case CHAIN_MIDDLE:
		return gather_part(dev, c->data, false, false);
	case CHAIN_END:
		return gather_part(dev, c->data, false, true);
	case CHAIN_NEXT:
		if (!dev->sending || c->data.n != 0)
			break;
		send_response_part(dev);
		return CCID_DEV_IDLE;
	}
	return refuse_xfr(dev, ERROR_LEVEL);
}

static void send_t1_block(struct ccid_dev *dev)
{
	dev->waiting = false;
	ccid_send_ok(dev, REPLY_DATA, dev->to, 0, t1_card_block_out(&dev->t1));
}

/* The response that was ready before the host asked for it. */
static bool t1_result_waits(const struct ccid_dev *dev)
{
	return dev->t1.phase == T1_RUNNING && !dev->computing && dev->response.n != 0;
}

static void send_t1_response(struct ccid_dev *dev)
{
	t1_card_answer(&dev->t1, BYTES(dev->response.p, dev->response.n));
	send_t1_block(dev);
}

static enum ccid_dev_next xfr_t1(struct ccid_dev *dev, const struct ccid_command *c)
{
	enum t1_next next = t1_card_block(&dev->t1, c->data);

	/* S(RESYNCH) cuts the command off from its result. */
	if (dev->t1.phase != T1_RUNNING) {
		dev->discard = dev->computing;
		dev->pending = CCID_PENDING_NONE;
	}
	switch (next) {
	case T1_SEND:
		send_t1_block(dev);
		return CCID_DEV_IDLE;
	case T1_RUN:
		return ccid_start_run(dev);
	case T1_HOLD:
		if (t1_result_waits(dev))
			send_t1_response(dev);
		return CCID_DEV_IDLE;
	}
	return CCID_DEV_IDLE;
}

static void send_t0_answer(struct ccid_dev *dev)
{
	dev->waiting = false;
	ccid_send_ok(dev, REPLY_DATA, dev->to, 0, t0_card_out(&dev->t0));
	t0_card_sent(&dev->t0);
	if (dev->t0.kept.n == 0 && !dev->computing)
		ccid_buffer_clear(&dev->response);
}

static enum ccid_dev_next xfr_t0(struct ccid_dev *dev, const struct ccid_command *c)
{
	if (t0_card_tpdu(&dev->t0, c->data) == T0_RUN)
		return ccid_start_run(dev);
	send_t0_answer(dev);
	return CCID_DEV_IDLE;
}

/* The card echoes what it agrees to, still at the old speed, and is silent about anything else. */
static enum ccid_dev_next negotiate(struct ccid_dev *dev, const struct ccid_command *c)
{
	uint8_t fidi;

	if (pps_card_judge(c->data, ccid_is_t0(dev) ? 0 : 1, FIDI_FAST, &fidi) < 0)
		return refuse_xfr(dev, ERROR_MUTE);
	dev->waiting = false;
	ccid_send_ok(dev, REPLY_DATA, dev->to, 0, c->data);
	dev->card_fidi = fidi;
	if (!dev->shape->manual) {
		dev->parameters[0] = fidi;
		dev->bps = ccid_bps_of(fidi);
	}
	return CCID_DEV_IDLE;
}

static enum ccid_dev_next xfr_tpdu(struct ccid_dev *dev, const struct ccid_command *c)
{
	bool fresh = dev->fresh;

	dev->fresh = false;
	if (!ccid_speeds_agree(dev))
		return refuse_xfr(dev, ERROR_PARITY);
	if (fresh && pps_is(c->data))
		return negotiate(dev, c);
	return ccid_is_t0(dev) ? xfr_t0(dev, c) : xfr_t1(dev, c);
}

enum ccid_dev_next ccid_xfr(struct ccid_dev *dev, const struct ccid_command *c)
{
	switch (dev->shape->level) {
	case SHAPE_EXTENDED:
		return xfr_extended(dev, c);
	case SHAPE_SHORT:
		return xfr_short(dev, c);
	default:
		return xfr_tpdu(dev, c);
	}
}

enum ccid_dev_next ccid_on_xfr(struct ccid_dev *dev, const struct ccid_command *c)
{
	if (!dev->powered) {
		ccid_send_failed(dev, REPLY_DATA, c->to, ERROR_MUTE);
		return CCID_DEV_IDLE;
	}
	dev->waiting = true;
	dev->to = c->to;
	return ccid_xfr(dev, c);
}

/* A command that could not be stored is a card that tore: mute until the next power on. */
void ccid_deliver(struct ccid_dev *dev, int r)
{
	if (r < 0 || pack_end(&dev->response) < 0) {
		ccid_unpower(dev);
		ccid_fail_waiting(dev, ERROR_MUTE);
		return;
	}
	switch (dev->shape->level) {
	case SHAPE_EXTENDED:
		send_response_part(dev);
		break;
	case SHAPE_SHORT:
		/* Only an extended Le asks for more, and a reader of this level has no place for it. */
		if (dev->response.n > dev->shape->max_message - HEADER_LEN)
			refuse_xfr(dev, ERROR_OVERRUN);
		else
			send_response_part(dev);
		break;
	case SHAPE_TPDU_T0:
		t0_card_answer(&dev->t0, BYTES(dev->response.p, dev->response.n));
		send_t0_answer(dev);
		break;
	case SHAPE_TPDU_T1:
		if (dev->waiting)	/* else the host has yet to answer our S(WTX request) */
			send_t1_response(dev);
		break;
	}
}

/*
 * Hosts bear so many S(WTX request)s in a row and no more, ours 32 [CCID dossier 10.2]: a card that makes
 * an RSA-4096 key on a slow board asks for more at a time. A BWT is longer than two ticks.
 */
static void ask_time_by_block(struct ccid_dev *dev, unsigned int tick)
{
	if (tick >= WTX_SOON && (tick - WTX_SOON) % WTX_LONGER != 0)
		return;
	t1_card_ask_time(&dev->t1, tick < WTX_SOON ? WTX_MULTIPLIER : WTX_LONGER);
	send_t1_block(dev);
}

void ccid_ask_time(struct ccid_dev *dev)
{
	unsigned int tick = dev->n_ticks++;

	if (dev->shape->level == SHAPE_TPDU_T1 && dev->pending != CCID_PENDING_POWER_ON) {
		ask_time_by_block(dev, tick);
		return;
	}
	/* bError is the multiplier of the waiting time here [CCID bmCommandStatus 2] */
	ccid_send(dev, REPLY_DATA, dev->to, STATUS_MORE_TIME, WTX_MULTIPLIER, 0, BYTES_NONE);
}
