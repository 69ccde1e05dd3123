/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/reader/ccid_dev.h - The device side of CCID for one slot of a reader: messages of the host come in,
 * messages of the reader go out through a port. It owns the contacts of one card, but never runs a
 * command itself: it says CCID_DEV_RUN, the caller runs the card for as long as it takes, on
 * whatever thread, and reports by ccid_dev_ran(). In between messages may still come, and
 * ccid_dev_tick() keeps the host patient.
 *
 * Not thread-safe: the caller serialises. While the caller runs the card, nothing here touches
 * the card, ccid_dev_command() or ccid_dev_response().
 */
#pragma once

#include "base/bytes.h"
#include "vreader/reader/keypad.h"
#include "vreader/reader/shape.h"
#include "vreader/reader/t0_card.h"
#include "vreader/reader/t1_card.h"
#include "vreader/vcard.h"

enum ccid_port_pipe { CCID_PORT_BULK, CCID_PORT_INTERRUPT, CCID_PORT_STALL_OUT };

/**
 * struct ccid_port - where messages go
 * @send:	one whole message for @pipe; %CCID_PORT_STALL_OUT has none and means that the host's
 *		last transfer was no CCID message
 */
struct ccid_port {
	void (*send)(struct ccid_port *port, enum ccid_port_pipe pipe, struct bytes message);
};

enum ccid_dev_next {
	CCID_DEV_IDLE,		/* wait for the host */
	CCID_DEV_RUN,		/* run ccid_dev_command() into ccid_dev_response() */
};

/* bSlot and bSeq of a message; the reader copies both into its answer. */
struct ccid_dev_addr {
	uint8_t slot;
	uint8_t seq;
};

enum ccid_dev_pending { CCID_PENDING_NONE, CCID_PENDING_RUN, CCID_PENDING_POWER_ON };

struct ccid_dev_abort {
	bool control;		/* the control request came, for @seq */
	bool bulk;		/* the bulk message came, for @seq */
	uint8_t seq;
};

/**
 * struct ccid_dev - one slot of a reader
 * @shape:	what we told the host that we are; borrowed
 * @port:	borrowed
 * @card:	the card that can be inserted; borrowed
 * @slot:	bSlot
 * @present:	it is in the slot
 * @powered:	it is in the slot and powered
 * @computing:	between CCID_DEV_RUN and ccid_dev_ran()
 * @discard:	nobody wants the result of the running computation
 * @unpower:	the card lost its power while it was computing: tell it when it is done
 * @pending:	what starts as soon as the running computation is over
 * @waiting:	a bulk command is owed an answer, to @to
 * @typing:	a person has to type a PIN into @keypad; it is the bulk command that is owed an answer
 * @gathering:	extended level: in the middle of the host's chain
 * @sent:	extended level: how much of the response is out; @sending while there is more
 * @fresh:	TPDU level: nothing has been exchanged since the ATR, so a PPS is allowed
 * @card_fidi:	what the card listens at since the ATR or PPS, as TA1
 * @bps:	what the reader sends at; only a reader that leaves it to the host can be wrong about it
 * @parameters:	SetParameters' payload: 5 bytes for T=0, 7 for T=1
 * @n_ticks:	times to ask for more since the running computation began
 */
struct ccid_dev {
	const struct shape *shape;
	struct ccid_port *port;
	struct vcard *card;
	uint8_t slot;
	bool present;
	bool powered;
	bool computing;
	bool discard;
	bool unpower;
	enum ccid_dev_pending pending;
	bool waiting;
	struct ccid_dev_addr to;
	bool typing;
	struct keypad keypad;
	bool gathering;
	bool sending;
	size_t sent;
	unsigned int n_ticks;
	struct ccid_dev_abort abort;
	bool fresh;
	uint8_t card_fidi;
	uint32_t bps;
	uint8_t parameters[7];
	struct t0_card t0;
	struct t1_card t1;
	struct packer gather;	/* the command as it comes in */
	struct packer command;	/* the command that the card works on */
	struct packer response;
	uint8_t *message;	/* scratch for one outgoing message */
};

/* The card is inserted and unpowered. Return: 0, -ENOMEM. */
int ccid_dev_init(struct ccid_dev *dev, const struct shape *shape, struct ccid_port *port,
		  struct vcard *card);
void ccid_dev_deinit(struct ccid_dev *dev);

/* One bulk-OUT transfer of the host. */
enum ccid_dev_next ccid_dev_bulk(struct ccid_dev *dev, struct bytes message);

static inline struct bytes ccid_dev_command(const struct ccid_dev *dev)
{
	return BYTES(dev->command.p, dev->command.n);
}

static inline struct packer *ccid_dev_response(struct ccid_dev *dev)
{
	return &dev->response;
}

/* The card is done; @r is what vcard_process() returned. May ask to run it again at once. */
enum ccid_dev_next ccid_dev_ran(struct ccid_dev *dev, int r);

/* Another slot is at work, and this reader can only work in one at a time: refuses. */
void ccid_dev_refuse(struct ccid_dev *dev, struct bytes message);

/* While @typing: one key, or that no key came in time. */
enum ccid_dev_next ccid_dev_key(struct ccid_dev *dev, uint8_t key);
void ccid_dev_no_key(struct ccid_dev *dev);

/* The card is still computing, and a good part of the waiting time is over. */
void ccid_dev_tick(struct ccid_dev *dev);

/* Control request ABORT. Return: 0, or -EINVAL: stall it. */
int ccid_dev_abort(struct ccid_dev *dev, uint8_t slot, uint8_t seq);

/* Card movement; a no-op if the card is there, or gone, already. */
void ccid_dev_insert(struct ccid_dev *dev);
void ccid_dev_remove(struct ccid_dev *dev);

/*
 * Tells by an interrupt message what is in the slot, as after a bus reset. What is in the others is the
 * port's to add.
 */
void ccid_dev_announce(struct ccid_dev *dev);

/* A host was plugged in or out: unpower the card, forget all that was under way. */
void ccid_dev_restart(struct ccid_dev *dev);
