/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One table row a command, one function a row. What always holds: a command of the host is
 * answered exactly once (time extensions apart), with its own slot and sequence number, and every
 * answer tells the truth about the card. `waiting` is that debt while it cannot be paid at once.
 *
 * The card may be away computing on another thread. Commands that need it then are remembered in
 * `pending`, one at most, as CCID allows one outstanding command per slot.
 */
#include "vreader/reader/ccid_dev.h"

#include "base/secret.h"
#include "vreader/reader/pps_card.h"

#include <stdlib.h>

enum {
	HEADER_LEN = 10,
	STATUS_FAILED = 0x40,		/* bmCommandStatus [CCID bStatus] */
	STATUS_MORE_TIME = 0x80,
	ICC_ACTIVE = 0,
	ICC_INACTIVE = 1,
	ICC_ABSENT = 2,
	ERROR_UNSUPPORTED = 0x00,	/* bError */
	ERROR_LENGTH = 0x01,		/* or: index of the byte that was wrong */
	ERROR_SLOT = 0x05,
	ERROR_SPECIFIC = 0x07,
	ERROR_LEVEL = 0x08,
	ERROR_SLOT_BUSY = 0xe0,
	ERROR_PIN_CANCELLED = 0xef,
	ERROR_PIN_TIMEOUT = 0xf0,
	ERROR_OVERRUN = 0xfc,
	ERROR_PARITY = 0xfd,
	ERROR_MUTE = 0xfe,
	ERROR_ABORTED = 0xff,
	REPLY_DATA = 0x80,
	REPLY_STATUS = 0x81,
	REPLY_PARAMETERS = 0x82,
	REPLY_ESCAPE = 0x83,
	REPLY_RATE = 0x84,
	CHAIN_WHOLE = 0x00,		/* wLevelParameter, bChainParameter at extended level */
	CHAIN_BEGIN = 0x01,
	CHAIN_END = 0x02,
	CHAIN_MIDDLE = 0x03,
	CHAIN_NEXT = 0x10,
	POWER_3V = 2,			/* bPowerSelect */
	BPS_DEFAULT = 10752,		/* 4 MHz / 372 */
	BPS_FAST = 129032,		/* the same with D = 12 */
	FIDI_FAST = 0x18,
	WTX_MULTIPLIER = 1,
};

/* TA1, TCCKST1 (LRC, direct), TC1, BWI/CWI, no clock stop, IFSC, NAD: what the ATR says. */
static const uint8_t parameters_t1[7] = { FIDI_FAST, 0x10, 0x00, 0x45, 0x00, 0xfe, 0x00 };
/* TA1, TCCKST0, TC1, WI, no clock stop. */
static const uint8_t parameters_t0[5] = { FIDI_FAST, 0x00, 0x00, 0x0a, 0x00 };

/**
 * struct command - one parsed bulk-OUT message
 * @type:	bMessageType
 * @to:		whom to answer
 * @specific:	bytes 7 to 9
 * @data:	payload
 */
struct command {
	uint8_t type;
	struct ccid_dev_addr to;
	uint8_t specific[3];
	struct bytes data;
};

static int command_parse(struct bytes message, struct command *out)
{
	struct unpacker u = unpack_begin(message);
	struct command c = { 0 };

	c.type = unpack_u8(&u);
	uint32_t len = unpack_le32(&u);		/* dwLength */
	c.to.slot = unpack_u8(&u);
	c.to.seq = unpack_u8(&u);
	unpack_copy(&u, c.specific, sizeof(c.specific));
	c.data = unpack_bytes(&u, len);
	if (unpack_end(&u) < 0)
		return -EBADMSG;
	*out = c;
	return 0;
}

static bool is_t0(const struct ccid_dev *dev)
{
	return dev->shape->level == SHAPE_TPDU_T0;
}

static struct bytes parameters_of_atr(const struct ccid_dev *dev)
{
	return is_t0(dev) ? BYTES_OF(parameters_t0) : BYTES_OF(parameters_t1);
}

/* A reader of few words does not look into the ATR, and stays at the default speed. */
static void reset_parameters(struct ccid_dev *dev)
{
	struct bytes from = parameters_of_atr(dev);

	memcpy(dev->parameters, from.p, from.n);
	if (dev->shape->manual)
		dev->parameters[0] = PPS_FIDI_DEFAULT;
}

static void reset_speed(struct ccid_dev *dev)
{
	dev->fresh = true;
	dev->card_fidi = PPS_FIDI_DEFAULT;
	dev->bps = BPS_DEFAULT;
	reset_parameters(dev);
}

static uint32_t bps_of(uint8_t fidi)
{
	return fidi == FIDI_FAST ? BPS_FAST : BPS_DEFAULT;
}

/* Card and reader understand each other. */
static bool speeds_agree(const struct ccid_dev *dev)
{
	return !dev->shape->manual || (dev->parameters[0] == dev->card_fidi &&
				       dev->bps == bps_of(dev->card_fidi));
}

static uint8_t icc_status(const struct ccid_dev *dev)
{
	if (!dev->present)
		return ICC_ABSENT;
	return dev->powered ? ICC_ACTIVE : ICC_INACTIVE;
}

/* @outcome: bmCommandStatus; @detail: bError; @extra: byte 9, by message type. */
static void send_message(struct ccid_dev *dev, uint8_t type, struct ccid_dev_addr to,
			 uint8_t outcome, uint8_t detail, uint8_t extra, struct bytes data)
{
	struct packer p = pack_begin(dev->message, SHAPE_MESSAGE_MAX);

	pack_u8(&p, type);
	pack_le32(&p, (uint32_t)data.n);
	pack_u8(&p, to.slot);
	pack_u8(&p, to.seq);
	pack_u8(&p, to.slot != dev->slot ? outcome | ICC_ABSENT : outcome | icc_status(dev));
	pack_u8(&p, detail);
	pack_u8(&p, extra);
	pack_bytes(&p, data);
	assert(pack_end(&p) == 0);
	dev->port->send(dev->port, CCID_PORT_BULK, pack_done(&p));
	wipe(dev->message, p.n);	/* responses may carry decrypted data */
}

static void send_ok(struct ccid_dev *dev, uint8_t type, struct ccid_dev_addr to, uint8_t extra,
		    struct bytes data)
{
	send_message(dev, type, to, 0, 0, extra, data);
}

static void send_failed(struct ccid_dev *dev, uint8_t type, struct ccid_dev_addr to, uint8_t error)
{
	send_message(dev, type, to, STATUS_FAILED, error, 0, BYTES_NONE);
}

static void buffer_clear(struct packer *p)
{
	wipe(p->p, p->n);
	p->n = 0;
	p->bad = false;
}

/* Pays the debt to XfrBlock with a failure. */
static void fail_waiting(struct ccid_dev *dev, uint8_t error)
{
	if (!dev->waiting)
		return;
	dev->waiting = false;
	send_failed(dev, REPLY_DATA, dev->to, error);
}

/* The command that came in whole: T=0 and T=1 gather in the same buffer, by their own cursors. */
static struct bytes gathered(const struct ccid_dev *dev)
{
	if (dev->shape->level == SHAPE_TPDU_T1)
		return t1_card_command(&dev->t1);
	if (is_t0(dev))
		return t0_card_command(&dev->t0);
	return BYTES(dev->gather.p, dev->gather.n);
}

/* Forgets what the host had begun; a running computation goes on, for nobody. */
static void drop_exchange(struct ccid_dev *dev)
{
	dev->discard = dev->computing;
	dev->pending = CCID_PENDING_NONE;
	dev->typing = false;
	keypad_end(&dev->keypad);
	dev->gathering = false;
	dev->sending = false;
	dev->sent = 0;
	wipe(dev->gather.p, gathered(dev).n);
	dev->gather.n = 0;
	if (!dev->computing) {
		buffer_clear(&dev->command);
		buffer_clear(&dev->response);
	}
	t0_card_init(&dev->t0, dev->gather.p, dev->gather.cap);
	t1_card_init(&dev->t1, dev->gather.p, dev->gather.cap);
}

static void unpower(struct ccid_dev *dev)
{
	drop_exchange(dev);
	dev->powered = false;
	if (dev->computing)
		dev->unpower = true;
	else
		vcard_power_off(dev->card);
}

/* Moves the gathered command to the card's buffer, or leaves it there until the card is free. */
static enum ccid_dev_next start_run(struct ccid_dev *dev)
{
	struct bytes command = gathered(dev);

	if (dev->computing) {
		dev->pending = CCID_PENDING_RUN;
		return CCID_DEV_IDLE;
	}
	buffer_clear(&dev->command);
	pack_bytes(&dev->command, command);
	wipe(dev->gather.p, command.n);		/* where @command was */
	dev->gather.n = 0;
	buffer_clear(&dev->response);
	dev->sent = 0;
	dev->n_ticks = 0;
	dev->computing = true;
	dev->discard = false;
	return CCID_DEV_RUN;
}

static void finish_power_on(struct ccid_dev *dev)
{
	dev->waiting = false;
	drop_exchange(dev);
	if (dev->powered)
		vcard_reset(dev->card);
	else
		vcard_power_on(dev->card);
	dev->powered = true;
	reset_speed(dev);
	send_ok(dev, REPLY_DATA, dev->to, 0,
		is_t0(dev) ? BYTES_OF(vcard_atr_t0) : vcard_atr(dev->card));
}

/* We declared automatic voltage, or none: any other choice is the host's mistake. */
static bool power_is_selected(const struct ccid_dev *dev, uint8_t select)
{
	return dev->shape->manual ? select >= 1 && select <= 3 : select == 0;
}

static enum ccid_dev_next on_power_on(struct ccid_dev *dev, const struct command *c)
{
	if (!power_is_selected(dev, c->specific[0])) {
		send_failed(dev, REPLY_DATA, c->to, ERROR_SPECIFIC);
		return CCID_DEV_IDLE;
	}
	/* Our card is of class B, as far as a reader can tell that does not try by itself. */
	if (!dev->present || (dev->shape->manual && c->specific[0] != POWER_3V)) {
		send_failed(dev, REPLY_DATA, c->to, ERROR_MUTE);
		return CCID_DEV_IDLE;
	}
	dev->waiting = true;
	dev->to = c->to;
	if (dev->computing) {
		drop_exchange(dev);
		dev->pending = CCID_PENDING_POWER_ON;
	} else {
		finish_power_on(dev);
	}
	return CCID_DEV_IDLE;
}

static enum ccid_dev_next on_power_off(struct ccid_dev *dev, const struct command *c)
{
	unpower(dev);
	send_ok(dev, REPLY_STATUS, c->to, dev->present ? 1 : 0, BYTES_NONE);
	return CCID_DEV_IDLE;
}

static enum ccid_dev_next on_get_status(struct ccid_dev *dev, const struct command *c)
{
	send_ok(dev, REPLY_STATUS, c->to, dev->powered ? 0 : 1, BYTES_NONE);
	return CCID_DEV_IDLE;
}

static void send_parameters(struct ccid_dev *dev, const struct command *c)
{
	send_ok(dev, REPLY_PARAMETERS, c->to, is_t0(dev) ? 0 : 1,
		BYTES(dev->parameters, parameters_of_atr(dev).n));
}

static enum ccid_dev_next on_get_parameters(struct ccid_dev *dev, const struct command *c)
{
	if (!dev->powered)
		send_failed(dev, REPLY_PARAMETERS, c->to, ERROR_MUTE);
	else
		send_parameters(dev, c);
	return CCID_DEV_IDLE;
}

static enum ccid_dev_next on_reset_parameters(struct ccid_dev *dev, const struct command *c)
{
	reset_parameters(dev);
	return on_get_parameters(dev, c);
}

/* Return: 0, or the bError that names the byte which the card cannot do. */
static uint8_t parameters_judge(const struct ccid_dev *dev, const struct command *c)
{
	if (c->specific[0] != (is_t0(dev) ? 0 : 1))
		return ERROR_SPECIFIC;
	if (c->data.n != parameters_of_atr(dev).n)
		return ERROR_LENGTH;
	if (shape_is_tpdu(dev->shape) && c->data.p[0] != PPS_FIDI_DEFAULT &&
	    c->data.p[0] != FIDI_FAST)
		return HEADER_LEN;
	if (is_t0(dev))			/* bmTCCKST0: direct convention; WI */
		return (c->data.p[1] & 0xfd) != 0 ? HEADER_LEN + 1 :
		       c->data.p[3] == 0 ? HEADER_LEN + 3 : 0;
	if ((c->data.p[1] & 0xfd) != 0x10)	/* bmTCCKST1: LRC only */
		return HEADER_LEN + 1;
	if (c->data.p[5] == 0 || c->data.p[5] == 255)
		return HEADER_LEN + 5;
	return 0;
}

static enum ccid_dev_next on_set_parameters(struct ccid_dev *dev, const struct command *c)
{
	uint8_t error = dev->powered ? parameters_judge(dev, c) : ERROR_MUTE;

	if (error != 0) {
		send_failed(dev, REPLY_PARAMETERS, c->to, error);
		return CCID_DEV_IDLE;
	}
	memcpy(dev->parameters, c->data.p, c->data.n);
	/* Declared: we do the PPS ourselves, and the rate follows [CCID dwFeatures 0x80, 0x20]. */
	if (!dev->shape->manual) {
		dev->card_fidi = dev->parameters[0];
		dev->fresh = false;
	}
	send_parameters(dev, c);
	return CCID_DEV_IDLE;
}

/* dwClockFrequency stays; dwDataRate is one of the two that we have. */
static enum ccid_dev_next on_set_rate(struct ccid_dev *dev, const struct command *c)
{
	struct unpacker u = unpack_begin(c->data);
	uint32_t khz = unpack_le32(&u);
	uint32_t bps = unpack_le32(&u);

	if (!dev->shape->manual)
		send_failed(dev, REPLY_RATE, c->to, ERROR_UNSUPPORTED);
	else if (unpack_end(&u) < 0)
		send_failed(dev, REPLY_RATE, c->to, ERROR_LENGTH);
	else if (khz != 4000)
		send_failed(dev, REPLY_RATE, c->to, HEADER_LEN);
	else if (bps != BPS_DEFAULT && bps != BPS_FAST)
		send_failed(dev, REPLY_RATE, c->to, HEADER_LEN + 4);
	else
		send_ok(dev, REPLY_RATE, c->to, 0, c->data);
	if (dev->shape->manual && khz == 4000 && (bps == BPS_DEFAULT || bps == BPS_FAST))
		dev->bps = bps;
	return CCID_DEV_IDLE;
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
	send_ok(dev, REPLY_DATA, dev->to, chain, part);
	if (last)
		buffer_clear(&dev->response);
}

static enum ccid_dev_next refuse_xfr(struct ccid_dev *dev, uint8_t error)
{
	drop_exchange(dev);
	dev->waiting = false;
	send_failed(dev, REPLY_DATA, dev->to, error);
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
		return start_run(dev);
	dev->waiting = false;
	send_ok(dev, REPLY_DATA, dev->to, CHAIN_NEXT, BYTES_NONE);
	return CCID_DEV_IDLE;
}

/* wLevelParameter is nobody's business here [CCID 6.1.4]. */
static enum ccid_dev_next xfr_short(struct ccid_dev *dev, const struct command *c)
{
	if (c->data.n > SHAPE_APDU_MAX)
		return refuse_xfr(dev, ERROR_LENGTH);
	return gather_part(dev, c->data, true, true);
}

static enum ccid_dev_next xfr_extended(struct ccid_dev *dev, const struct command *c)
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
	send_ok(dev, REPLY_DATA, dev->to, 0, t1_card_block_out(&dev->t1));
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

static enum ccid_dev_next xfr_t1(struct ccid_dev *dev, const struct command *c)
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
		return start_run(dev);
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
	send_ok(dev, REPLY_DATA, dev->to, 0, t0_card_out(&dev->t0));
	t0_card_sent(&dev->t0);
	if (dev->t0.kept.n == 0 && !dev->computing)
		buffer_clear(&dev->response);
}

static enum ccid_dev_next xfr_t0(struct ccid_dev *dev, const struct command *c)
{
	if (t0_card_tpdu(&dev->t0, c->data) == T0_RUN)
		return start_run(dev);
	send_t0_answer(dev);
	return CCID_DEV_IDLE;
}

/* The card echoes what it agrees to, still at the old speed, and is silent about anything else. */
static enum ccid_dev_next negotiate(struct ccid_dev *dev, const struct command *c)
{
	uint8_t fidi;

	if (pps_card_judge(c->data, is_t0(dev) ? 0 : 1, FIDI_FAST, &fidi) < 0)
		return refuse_xfr(dev, ERROR_MUTE);
	dev->waiting = false;
	send_ok(dev, REPLY_DATA, dev->to, 0, c->data);
	dev->card_fidi = fidi;
	if (!dev->shape->manual) {
		dev->parameters[0] = fidi;
		dev->bps = bps_of(fidi);
	}
	return CCID_DEV_IDLE;
}

static enum ccid_dev_next xfr_tpdu(struct ccid_dev *dev, const struct command *c)
{
	bool fresh = dev->fresh;

	dev->fresh = false;
	if (!speeds_agree(dev))
		return refuse_xfr(dev, ERROR_PARITY);
	if (fresh && pps_is(c->data))
		return negotiate(dev, c);
	return is_t0(dev) ? xfr_t0(dev, c) : xfr_t1(dev, c);
}

static enum ccid_dev_next xfr(struct ccid_dev *dev, const struct command *c)
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

static enum ccid_dev_next on_xfr(struct ccid_dev *dev, const struct command *c)
{
	if (!dev->powered) {
		send_failed(dev, REPLY_DATA, c->to, ERROR_MUTE);
		return CCID_DEV_IDLE;
	}
	dev->waiting = true;
	dev->to = c->to;
	return xfr(dev, c);
}

/* --- the keypad --- */

static enum ccid_dev_next on_secure(struct ccid_dev *dev, const struct command *c)
{
	unsigned int wrong;

	if (!dev->shape->keypad || !dev->powered) {
		send_failed(dev, REPLY_DATA, c->to,
			    dev->shape->keypad ? ERROR_MUTE : ERROR_UNSUPPORTED);
		return CCID_DEV_IDLE;
	}
	wrong = keypad_begin(&dev->keypad, c->data);
	if (wrong != 0) {
		send_failed(dev, REPLY_DATA, c->to, (uint8_t)(HEADER_LEN + wrong - 1));
		return CCID_DEV_IDLE;
	}
	dev->waiting = dev->typing = true;
	dev->to = c->to;
	return CCID_DEV_IDLE;
}

/* What the host would have sent, had it known the PIN. */
static enum ccid_dev_next send_typed(struct ccid_dev *dev)
{
	uint8_t buf[3 + KEYPAD_COMMAND_MAX + 1], lrc = 0;
	struct packer p = pack_begin(buf, sizeof(buf));
	struct bytes apdu = keypad_command(&dev->keypad);
	struct command c = { .to = dev->to };
	enum ccid_dev_next next;

	if (dev->shape->level == SHAPE_TPDU_T1) {
		pack_u8(&p, dev->keypad.prologue[0]);
		pack_u8(&p, dev->keypad.prologue[1]);
		pack_u8(&p, (uint8_t)apdu.n);	/* [CCID bTeoPrologue]: LEN grew with the PIN */
	}
	pack_bytes(&p, apdu);
	for (size_t i = 0; i < p.n; i++)
		lrc ^= buf[i];
	if (dev->shape->level == SHAPE_TPDU_T1)
		pack_u8(&p, lrc);
	assert(!p.bad);
	keypad_end(&dev->keypad);
	c.data = pack_done(&p);
	next = xfr(dev, &c);
	wipe(buf, sizeof(buf));
	return next;
}

static void answer_typing(struct ccid_dev *dev, uint16_t sw)
{
	const uint8_t word[] = { (uint8_t)(sw >> 8), (uint8_t)sw };

	dev->waiting = false;
	send_ok(dev, REPLY_DATA, dev->to, 0, BYTES_OF(word));
}

enum ccid_dev_next ccid_dev_key(struct ccid_dev *dev, uint8_t key)
{
	enum keypad_next next = keypad_key(&dev->keypad, key);

	if (next == KEYPAD_MORE)
		return CCID_DEV_IDLE;
	dev->typing = false;
	if (next == KEYPAD_DONE)
		return send_typed(dev);
	keypad_end(&dev->keypad);
	if (next == KEYPAD_CANCELLED)
		fail_waiting(dev, ERROR_PIN_CANCELLED);
	else				/* [PC/SC 10]: what a card never says */
		answer_typing(dev, next == KEYPAD_MISMATCH ? 0x6402 : 0x6403);
	return CCID_DEV_IDLE;
}

void ccid_dev_no_key(struct ccid_dev *dev)
{
	dev->typing = false;
	keypad_end(&dev->keypad);
	fail_waiting(dev, ERROR_PIN_TIMEOUT);
}

/* Both halves of the pair are there: the running command is over, and the pair is answered. */
static void finish_abort(struct ccid_dev *dev, uint8_t slot)
{
	struct ccid_dev_addr to = { slot, dev->abort.seq };

	dev->abort = (struct ccid_dev_abort){ 0 };
	fail_waiting(dev, ERROR_ABORTED);
	drop_exchange(dev);
	send_ok(dev, REPLY_STATUS, to, dev->powered ? 0 : 1, BYTES_NONE);
}

static enum ccid_dev_next on_abort(struct ccid_dev *dev, const struct command *c)
{
	if (dev->abort.control && dev->abort.seq == c->to.seq) {
		finish_abort(dev, c->to.slot);
		return CCID_DEV_IDLE;
	}
	dev->abort = (struct ccid_dev_abort){ .bulk = true, .seq = c->to.seq };
	return CCID_DEV_IDLE;
}

int ccid_dev_abort(struct ccid_dev *dev, uint8_t slot, uint8_t seq)
{
	if (slot != dev->slot)
		return -EINVAL;
	if (dev->abort.bulk && dev->abort.seq == seq)
		finish_abort(dev, slot);
	else
		dev->abort = (struct ccid_dev_abort){ .control = true, .seq = seq };
	return 0;
}

/**
 * struct command_row - one message type of the host
 * @reply:	type of the answer, failures included
 * @busy_ok:	allowed while another command is owed its answer
 * @run:	NULL: command not supported [CCID bError 0]
 */
static const struct command_row {
	uint8_t type;
	uint8_t reply;
	bool busy_ok;
	enum ccid_dev_next (*run)(struct ccid_dev *dev, const struct command *c);
} command_rows[] = {
	{ 0x61, REPLY_PARAMETERS, false, on_set_parameters },
	{ 0x62, REPLY_DATA, false, on_power_on },
	{ 0x63, REPLY_STATUS, false, on_power_off },
	{ 0x65, REPLY_STATUS, true, on_get_status },
	{ 0x69, REPLY_DATA, false, on_secure },
	{ 0x6a, REPLY_STATUS, false, NULL },			/* T0APDU */
	{ 0x6b, REPLY_ESCAPE, false, NULL },
	{ 0x6c, REPLY_PARAMETERS, false, on_get_parameters },
	{ 0x6d, REPLY_PARAMETERS, false, on_reset_parameters },
	{ 0x6e, REPLY_STATUS, false, NULL },			/* IccClock */
	{ 0x6f, REPLY_DATA, false, on_xfr },
	{ 0x71, REPLY_STATUS, false, NULL },			/* Mechanical */
	{ 0x72, REPLY_STATUS, true, on_abort },
	{ 0x73, REPLY_RATE, false, on_set_rate },
	{ 0 },
};

static const struct command_row *row_find(uint8_t type)
{
	static const struct command_row unknown = { 0, REPLY_STATUS, false, NULL };

	for (const struct command_row *row = command_rows; row->type != 0; row++)
		if (row->type == type)
			return row;
	return &unknown;
}

enum ccid_dev_next ccid_dev_bulk(struct ccid_dev *dev, struct bytes message)
{
	const struct command_row *row;
	struct command c;

	/* Without a whole header there is nobody to answer, and a lying length is no message. */
	if (message.n > dev->shape->max_message || command_parse(message, &c) < 0) {
		dev->port->send(dev->port, CCID_PORT_STALL_OUT, BYTES_NONE);
		return CCID_DEV_IDLE;
	}
	row = row_find(c.type);
	if (c.to.slot != dev->slot) {
		send_failed(dev, row->reply, c.to, ERROR_SLOT);
	} else if ((dev->abort.control || dev->abort.bulk) && row->run != on_abort) {
		send_failed(dev, row->reply, c.to, ERROR_ABORTED);
	} else if (dev->waiting && !row->busy_ok) {
		send_failed(dev, row->reply, c.to, ERROR_SLOT_BUSY);
	} else if (!row->run) {
		send_failed(dev, row->reply, c.to, ERROR_UNSUPPORTED);
	} else {
		return row->run(dev, &c);
	}
	return CCID_DEV_IDLE;
}

void ccid_dev_refuse(struct ccid_dev *dev, struct bytes message)
{
	struct command c;

	if (message.n > dev->shape->max_message || command_parse(message, &c) < 0)
		dev->port->send(dev->port, CCID_PORT_STALL_OUT, BYTES_NONE);
	else
		send_failed(dev, row_find(c.type)->reply, c.to, ERROR_SLOT_BUSY);
}

/* A command that could not be stored is a card that tore: mute until the next power on. */
static void deliver(struct ccid_dev *dev, int r)
{
	if (r < 0 || pack_end(&dev->response) < 0) {
		unpower(dev);
		fail_waiting(dev, ERROR_MUTE);
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

enum ccid_dev_next ccid_dev_ran(struct ccid_dev *dev, int r)
{
	enum ccid_dev_pending pending = dev->pending;

	assert(dev->computing);
	dev->computing = false;
	dev->pending = CCID_PENDING_NONE;
	buffer_clear(&dev->command);
	if (dev->unpower) {
		dev->unpower = false;
		vcard_power_off(dev->card);
	}
	if (!dev->discard) {
		deliver(dev, r);
		return CCID_DEV_IDLE;
	}
	dev->discard = false;
	buffer_clear(&dev->response);
	if (pending == CCID_PENDING_POWER_ON)
		finish_power_on(dev);
	if (pending == CCID_PENDING_RUN)
		return start_run(dev);
	return CCID_DEV_IDLE;
}

void ccid_dev_tick(struct ccid_dev *dev)
{
	if (!dev->computing || !dev->waiting)
		return;
	dev->n_ticks++;
	if (dev->shape->level == SHAPE_TPDU_T1 && dev->pending != CCID_PENDING_POWER_ON) {
		t1_card_ask_time(&dev->t1, WTX_MULTIPLIER);
		send_t1_block(dev);
		return;
	}
	/* bError is the multiplier of the waiting time here [CCID bmCommandStatus 2] */
	send_message(dev, REPLY_DATA, dev->to, STATUS_MORE_TIME, WTX_MULTIPLIER, 0, BYTES_NONE);
}

void ccid_dev_announce(struct ccid_dev *dev)
{
	/* NotifySlotChange: present, changed [CCID RDR_to_PC_NotifySlotChange] */
	const uint8_t message[] = { 0x50, (uint8_t)((dev->present ? 0x03 : 0x02) << 2 * dev->slot) };

	if (dev->shape->interrupt)
		dev->port->send(dev->port, CCID_PORT_INTERRUPT, BYTES_OF(message));
}

void ccid_dev_insert(struct ccid_dev *dev)
{
	if (dev->present)
		return;
	dev->present = true;
	ccid_dev_announce(dev);
}

void ccid_dev_remove(struct ccid_dev *dev)
{
	if (!dev->present)
		return;
	dev->present = false;
	unpower(dev);
	fail_waiting(dev, ERROR_MUTE);
	ccid_dev_announce(dev);
}

void ccid_dev_restart(struct ccid_dev *dev)
{
	unpower(dev);
	dev->waiting = false;
	dev->abort = (struct ccid_dev_abort){ 0 };
	reset_speed(dev);
}

int ccid_dev_init(struct ccid_dev *dev, const struct shape *shape, struct ccid_port *port,
		  struct vcard *card)
{
	*dev = (struct ccid_dev){ .shape = shape, .port = port, .card = card, .present = true };
	dev->gather = pack_begin(malloc(VCARD_COMMAND_MAX), VCARD_COMMAND_MAX);
	dev->command = pack_begin(malloc(VCARD_COMMAND_MAX), VCARD_COMMAND_MAX);
	dev->response = pack_begin(malloc(VCARD_RESPONSE_MAX), VCARD_RESPONSE_MAX);
	dev->message = malloc(SHAPE_MESSAGE_MAX);
	if (!dev->gather.p || !dev->command.p || !dev->response.p || !dev->message) {
		ccid_dev_deinit(dev);
		return -ENOMEM;
	}
	ccid_dev_restart(dev);
	return 0;
}

static void buffer_free(struct packer *p)
{
	if (p->p)
		wipe(p->p, p->cap);
	free(p->p);
	*p = (struct packer){ 0 };
}

void ccid_dev_deinit(struct ccid_dev *dev)
{
	assert(!dev->computing);
	buffer_free(&dev->gather);
	buffer_free(&dev->command);
	buffer_free(&dev->response);
	free(dev->message);
	dev->message = NULL;
}
