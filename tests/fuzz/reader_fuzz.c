/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The virtual reader under a hostile host: bulk messages, ABORT requests, ticks and card movement in
 * any order, at every level, with the answer of the card given early, late or in between. The input
 * is the reader's kind, then a list of steps: a kind byte, and for a message one length byte and the message.
 */
#include "vreader/reader/ccid_dev.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* A card that must be powered by nobody while it computes: the device's promise to the card. */
struct vcard { const struct ccid_dev *dev; };

static void judge_idle(const struct vcard *card)
{
	if (card->dev->computing)
		abort();
}

struct bytes vcard_atr(const struct vcard *card)
{
	(void)card;
	return BYTES_OF(vcard_atr_default);
}

struct bytes vcard_atr_of_t0(const struct vcard *card)
{
	(void)card;
	return BYTES_OF(vcard_atr_t0);
}

void vcard_power_on(struct vcard *card) { judge_idle(card); }
void vcard_reset(struct vcard *card) { judge_idle(card); }
void vcard_power_off(struct vcard *card) { judge_idle(card); }

/* Every message we send keeps its own promises, whatever came in. */
static void judge(struct ccid_port *port, enum ccid_port_pipe pipe, struct bytes message)
{
	(void)port;
	if (pipe != CCID_PORT_BULK)
		return;
	if (message.n < 10 || message.n > SHAPE_MESSAGE_MAX || message.p[0] < 0x80 ||
	    message.p[0] > 0x84 || (message.p[7] & 0x3c) != 0)
		abort();
}

static enum ccid_dev_next run(struct ccid_dev *dev)
{
	uint8_t answer[2] = { 0x90, 0x00 };

	/* As long a response as the first byte of the command wishes. */
	for (unsigned int i = 0; ccid_dev_command(dev).n != 0 && i < ccid_dev_command(dev).p[0]; i++)
		pack_zero(ccid_dev_response(dev), 3);
	pack_bytes(ccid_dev_response(dev), BYTES_OF(answer));
	return ccid_dev_ran(dev, 0);
}

static void step(struct ccid_dev *dev, struct unpacker *u)
{
	uint8_t kind = unpack_u8(u);

	switch (kind & 7) {
	case 0:
		(void)ccid_dev_abort(dev, unpack_u8(u), unpack_u8(u));
		break;
	case 1:
		ccid_dev_tick(dev);
		break;
	case 2:
		ccid_dev_remove(dev);
		break;
	case 3:
		ccid_dev_insert(dev);
		break;
	case 4:
		while (dev->computing)
			if (run(dev) == CCID_DEV_IDLE)
				break;
		break;
	default:
		(void)ccid_dev_bulk(dev, unpack_bytes(u, unpack_u8(u)));
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct unpacker u = unpack_begin(BYTES(data, n));
	struct ccid_port port = { .send = judge };
	struct shape shape = SHAPE_INIT;
	struct ccid_dev dev;
	struct vcard card = { &dev };

	static const enum shape_level levels[] = {
		SHAPE_EXTENDED, SHAPE_TPDU_T1, SHAPE_SHORT, SHAPE_TPDU_T0,
	};
	uint8_t kind = unpack_u8(&u);

	shape_set_level(&shape, levels[kind & 3]);
	shape.max_message = SHAPE_MESSAGE_MIN;
	shape.manual = shape_is_tpdu(&shape) && (kind & 4);
	if (ccid_dev_init(&dev, &shape, &port, &card) < 0)
		abort();
	while (u.left != 0)
		step(&dev, &u);
	while (dev.computing)
		(void)run(&dev);
	ccid_dev_deinit(&dev);
	return 0;
}
