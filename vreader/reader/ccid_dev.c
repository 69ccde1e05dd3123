/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One table row a command, one function a row. What always holds: a command of the host is
 * answered exactly once (time extensions apart), with its own slot and sequence number, and every
 * answer tells the truth about the card. `waiting` is that debt while it cannot be paid at once.
 *
 * The card may be away computing on another thread. Commands that need it then are remembered in
 * `pending`, one at most, as CCID allows one outstanding command per slot.
 */
#include "vreader/reader/ccid_own.h"

#include "base/secret.h"

#include <stdlib.h>

static int command_parse(struct bytes message, struct ccid_command *out)
{
	struct unpacker u = unpack_begin(message);
	struct ccid_command c = { 0 };

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

static uint8_t icc_status(const struct ccid_dev *dev)
{
	if (!dev->present)
		return ICC_ABSENT;
	return dev->powered ? ICC_ACTIVE : ICC_INACTIVE;
}

void ccid_send(struct ccid_dev *dev, uint8_t type, struct ccid_dev_addr to, uint8_t outcome,
	       uint8_t detail, uint8_t extra, struct bytes data)
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

void ccid_send_ok(struct ccid_dev *dev, uint8_t type, struct ccid_dev_addr to, uint8_t extra,
		  struct bytes data)
{
	ccid_send(dev, type, to, 0, 0, extra, data);
}

void ccid_send_failed(struct ccid_dev *dev, uint8_t type, struct ccid_dev_addr to, uint8_t error)
{
	ccid_send(dev, type, to, STATUS_FAILED, error, 0, BYTES_NONE);
}

void ccid_buffer_clear(struct packer *p)
{
	wipe(p->p, p->n);
	p->n = 0;
	p->bad = false;
}

void ccid_fail_waiting(struct ccid_dev *dev, uint8_t error)
{
	if (!dev->waiting)
		return;
	dev->waiting = false;
	ccid_send_failed(dev, REPLY_DATA, dev->to, error);
}

void ccid_drop_exchange(struct ccid_dev *dev)
{
	dev->discard = dev->computing;
	dev->pending = CCID_PENDING_NONE;
	dev->typing = false;
	keypad_end(&dev->keypad);
	dev->gathering = false;
	dev->sending = false;
	dev->sent = 0;
	wipe(dev->gather.p, ccid_gathered(dev).n);
	dev->gather.n = 0;
	if (!dev->computing) {
		ccid_buffer_clear(&dev->command);
		ccid_buffer_clear(&dev->response);
	}
	t0_card_init(&dev->t0, dev->gather.p, dev->gather.cap);
	t1_card_init(&dev->t1, dev->gather.p, dev->gather.cap);
}

void ccid_unpower(struct ccid_dev *dev)
{
	ccid_drop_exchange(dev);
	dev->powered = false;
	if (dev->computing)
		dev->unpower = true;
	else
		vcard_power_off(dev->card);
}

static void finish_power_on(struct ccid_dev *dev)
{
	dev->waiting = false;
	ccid_drop_exchange(dev);
	if (dev->powered)
		vcard_reset(dev->card);
	else
		vcard_power_on(dev->card);
	dev->powered = true;
	ccid_speed_reset(dev);
	ccid_send_ok(dev, REPLY_DATA, dev->to, 0,
		     ccid_is_t0(dev) ? vcard_atr_of_t0(dev->card) : vcard_atr(dev->card));
}

/* We declared automatic voltage, or none: any other choice is the host's mistake. */
static bool power_is_selected(const struct ccid_dev *dev, uint8_t select)
{
	return dev->shape->manual ? select >= 1 && select <= 3 : select == 0;
}

static enum ccid_dev_next on_power_on(struct ccid_dev *dev, const struct ccid_command *c)
{
	if (!power_is_selected(dev, c->specific[0])) {
		ccid_send_failed(dev, REPLY_DATA, c->to, ERROR_SPECIFIC);
		return CCID_DEV_IDLE;
	}
	/* Our card is of class B, as far as a reader can tell that does not try by itself. */
	if (!dev->present || (dev->shape->manual && c->specific[0] != POWER_3V)) {
		ccid_send_failed(dev, REPLY_DATA, c->to, ERROR_MUTE);
		return CCID_DEV_IDLE;
	}
	dev->waiting = true;
	dev->to = c->to;
	if (dev->computing) {
		ccid_drop_exchange(dev);
		dev->pending = CCID_PENDING_POWER_ON;
	} else {
		finish_power_on(dev);
	}
	return CCID_DEV_IDLE;
}

static enum ccid_dev_next on_power_off(struct ccid_dev *dev, const struct ccid_command *c)
{
	ccid_unpower(dev);
	ccid_send_ok(dev, REPLY_STATUS, c->to, dev->present ? 1 : 0, BYTES_NONE);
	return CCID_DEV_IDLE;
}

static enum ccid_dev_next on_get_status(struct ccid_dev *dev, const struct ccid_command *c)
{
	ccid_send_ok(dev, REPLY_STATUS, c->to, dev->powered ? 0 : 1, BYTES_NONE);
	return CCID_DEV_IDLE;
}

/* --- the keypad --- */

static enum ccid_dev_next on_secure(struct ccid_dev *dev, const struct ccid_command *c)
{
	unsigned int wrong;

	if (!dev->shape->keypad || !dev->powered) {
		ccid_send_failed(dev, REPLY_DATA, c->to,
				 dev->shape->keypad ? ERROR_MUTE : ERROR_UNSUPPORTED);
		return CCID_DEV_IDLE;
	}
	wrong = keypad_begin(&dev->keypad, c->data);
	if (wrong != 0) {
		ccid_send_failed(dev, REPLY_DATA, c->to, (uint8_t)(HEADER_LEN + wrong - 1));
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
	struct ccid_command c = { .to = dev->to };
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
	next = ccid_xfr(dev, &c);
	wipe(buf, sizeof(buf));
	return next;
}

static void answer_typing(struct ccid_dev *dev, uint16_t sw)
{
	const uint8_t word[] = { (uint8_t)(sw >> 8), (uint8_t)sw };

	dev->waiting = false;
	ccid_send_ok(dev, REPLY_DATA, dev->to, 0, BYTES_OF(word));
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
		ccid_fail_waiting(dev, ERROR_PIN_CANCELLED);
	else				/* [PC/SC 10]: what a card never says */
		answer_typing(dev, next == KEYPAD_MISMATCH ? 0x6402 : 0x6403);
	return CCID_DEV_IDLE;
}

void ccid_dev_no_key(struct ccid_dev *dev)
{
	dev->typing = false;
	keypad_end(&dev->keypad);
	ccid_fail_waiting(dev, ERROR_PIN_TIMEOUT);
}

/* Both halves of the pair are there: the running command is over, and the pair is answered. */
static void finish_abort(struct ccid_dev *dev, uint8_t slot)
{
	struct ccid_dev_addr to = { slot, dev->abort.seq };

	dev->abort = (struct ccid_dev_abort){ 0 };
	ccid_fail_waiting(dev, ERROR_ABORTED);
	ccid_drop_exchange(dev);
	ccid_send_ok(dev, REPLY_STATUS, to, dev->powered ? 0 : 1, BYTES_NONE);
}

static enum ccid_dev_next on_abort(struct ccid_dev *dev, const struct ccid_command *c)
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
	enum ccid_dev_next (*run)(struct ccid_dev *dev, const struct ccid_command *c);
} command_rows[] = {
	{ 0x61, REPLY_PARAMETERS, false, ccid_on_set_parameters },
	{ 0x62, REPLY_DATA, false, on_power_on },
	{ 0x63, REPLY_STATUS, false, on_power_off },
	{ 0x65, REPLY_STATUS, true, on_get_status },
	{ 0x69, REPLY_DATA, false, on_secure },
	{ 0x6a, REPLY_STATUS, false, NULL },			/* T0APDU */
	{ 0x6b, REPLY_ESCAPE, false, NULL },
	{ 0x6c, REPLY_PARAMETERS, false, ccid_on_get_parameters },
	{ 0x6d, REPLY_PARAMETERS, false, ccid_on_reset_parameters },
	{ 0x6e, REPLY_STATUS, false, NULL },			/* IccClock */
	{ 0x6f, REPLY_DATA, false, ccid_on_xfr },
	{ 0x71, REPLY_STATUS, false, NULL },			/* Mechanical */
	{ 0x72, REPLY_STATUS, true, on_abort },
	{ 0x73, REPLY_RATE, false, ccid_on_set_rate },
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
	struct ccid_command c;

	/* Without a whole header there is nobody to answer, and a lying length is no message. */
	if (message.n > dev->shape->max_message || command_parse(message, &c) < 0) {
		dev->port->send(dev->port, CCID_PORT_STALL_OUT, BYTES_NONE);
		return CCID_DEV_IDLE;
	}
	row = row_find(c.type);
	if (c.to.slot != dev->slot) {
		ccid_send_failed(dev, row->reply, c.to, ERROR_SLOT);
	} else if ((dev->abort.control || dev->abort.bulk) && row->run != on_abort) {
		ccid_send_failed(dev, row->reply, c.to, ERROR_ABORTED);
	} else if (dev->waiting && !row->busy_ok) {
		ccid_send_failed(dev, row->reply, c.to, ERROR_SLOT_BUSY);
	} else if (!row->run) {
		ccid_send_failed(dev, row->reply, c.to, ERROR_UNSUPPORTED);
	} else {
		return row->run(dev, &c);
	}
	return CCID_DEV_IDLE;
}

void ccid_dev_refuse(struct ccid_dev *dev, struct bytes message)
{
	struct ccid_command c;

	if (message.n > dev->shape->max_message || command_parse(message, &c) < 0)
		dev->port->send(dev->port, CCID_PORT_STALL_OUT, BYTES_NONE);
	else
		ccid_send_failed(dev, row_find(c.type)->reply, c.to, ERROR_SLOT_BUSY);
}

enum ccid_dev_next ccid_dev_ran(struct ccid_dev *dev, int r)
{
	enum ccid_dev_pending pending = dev->pending;

	assert(dev->computing);
	dev->computing = false;
	dev->pending = CCID_PENDING_NONE;
	ccid_buffer_clear(&dev->command);
	if (dev->unpower) {
		dev->unpower = false;
		vcard_power_off(dev->card);
	}
	if (!dev->discard) {
		ccid_deliver(dev, r);
		return CCID_DEV_IDLE;
	}
	dev->discard = false;
	ccid_buffer_clear(&dev->response);
	if (pending == CCID_PENDING_POWER_ON)
		finish_power_on(dev);
	if (pending == CCID_PENDING_RUN)
		return ccid_start_run(dev);
	return CCID_DEV_IDLE;
}

void ccid_dev_tick(struct ccid_dev *dev)
{
	if (!dev->computing || !dev->waiting)
		return;
	ccid_ask_time(dev);
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
	ccid_unpower(dev);
	ccid_fail_waiting(dev, ERROR_MUTE);
	ccid_dev_announce(dev);
}

void ccid_dev_restart(struct ccid_dev *dev)
{
	ccid_unpower(dev);
	dev->waiting = false;
	dev->abort = (struct ccid_dev_abort){ 0 };
	ccid_speed_reset(dev);
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
