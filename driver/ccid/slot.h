/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/ccid/slot.h - One slot of a reader and what is known about the card in it. Knows power
 * and presence; what the card says in its ATR and in its blocks is judged one folder up.
 */
#pragma once

#include "driver/ccid/exchange.h"

/*
 *            seen                power               ATR good
 *  EMPTY ----------> UNPOWERED --------> POWERING ------------> READY
 *                       ^  ^               |   |                 | |
 *                       |  '- powered off -'   | ATR bad         | |
 *                       |                      v                 | |
 *                       |                     MUTE               | |
 *                       |                                        | |
 *                       '--- powered off, or seen inactive ------' |
 *                                                                  | fault
 *  NEEDS_RESET <---------------------------------------------------'
 *
 *  Absent, from any state: EMPTY. Power, from READY, MUTE and NEEDS_RESET too: POWERING.
 *  Fault, from any state with a card: NEEDS_RESET. The generation counts up whenever a
 *  card's volatile state is gone: arrival, removal, swap, power, fault.
 */
enum slot_state {
	SLOT_EMPTY,
	SLOT_UNPOWERED,
	SLOT_POWERING,
	SLOT_READY,
	SLOT_MUTE,		/* a card is in, but gives no ATR that we understand */
	SLOT_NEEDS_RESET,	/* it is unknown what the card did last: power it on again */
	SLOT_N_STATES,
};

enum slot_event {
	SLOT_SEEN_ABSENT,	/* the reader says so */
	SLOT_SEEN_INACTIVE,
	SLOT_SEEN_ACTIVE,
	SLOT_POWER,		/* we want the card on */
	SLOT_ATR_GOOD,
	SLOT_ATR_BAD,
	SLOT_POWERED_OFF,
	SLOT_FAULT,		/* an exchange ended without a usable reply */
	SLOT_N_EVENTS,
};

enum slot_action {
	SLOT_DO_NOTHING,
	SLOT_DO_ARRIVE,		/* announce, new generation */
	SLOT_DO_LEAVE,		/* announce, new generation */
	SLOT_DO_SWAP,		/* both: it is another card, or one that was out */
	SLOT_DO_FORGET,		/* new generation */
};

/**
 * struct slot - one slot
 * @x:		the reader's exchange, borrowed
 * @index:	bSlot
 * @state:	moved by slot_step() alone
 * @generation:	see the picture
 * @changed:	a card came or went since slot_take_change()
 * @atr:	what the card said at power-on; valid in POWERING, READY and MUTE
 * @atr_n:	its length, 0 or 2 to 33
 * @power_losses: exchange_power_losses() when the card was powered on
 * @error:	bError of the last failed command, for traces
 */
struct slot {
	struct exchange *x;
	uint8_t index;
	enum slot_state state;
	uint32_t generation;
	bool changed;
	uint8_t atr[CCID_ATR_MAX];
	size_t atr_n;
	uint8_t error;
	unsigned int power_losses;
};

#define SLOT_INIT ((struct slot){ 0 })

void slot_init(struct slot *slot, struct exchange *x, uint8_t index);

/* Pure lookup. Return: 0, or -EPROTO for a pair that cannot happen. */
int slot_step(enum slot_state state, enum slot_event event, enum slot_state *next,
	      enum slot_action *action);
const char *slot_state_words(enum slot_state state);

static inline bool slot_has_card(const struct slot *slot)
{
	return slot->state != SLOT_EMPTY;
}

static inline struct bytes slot_atr(const struct slot *slot)
{
	return BYTES(slot->atr, slot->atr_n);
}

/* True once after each arrival or removal; look at the state for which. */
bool slot_take_change(struct slot *slot);

/* Asks the reader what is in the slot. Return: 0 asked and noted; or as exchange_run(). */
int slot_probe(struct slot *slot, struct deadline deadline);

/**
 * slot_power_on - switches the card off and on again and takes its ATR
 *
 * On success the slot is POWERING until slot_accept() or slot_reject() says what the ATR was worth.
 * Return: 0; -ENOMEDIUM; -EIO the card is mute, at every voltage the reader has; or as
 * exchange_run().
 */
int slot_power_on(struct slot *slot, struct deadline deadline);
void slot_accept(struct slot *slot);
/* Switches the card off; it counts as mute until it is taken out or powered again. */
void slot_reject(struct slot *slot, struct deadline deadline);
int slot_power_off(struct slot *slot, struct deadline deadline);

/* A sleep or a reset of the device is a fault of each card that was powered. Return: it was one. */
bool slot_check_power(struct slot *slot);

/* The card can no longer be trusted to be where we think it is; it must be powered on again. */
void slot_fault(struct slot *slot);

/**
 * slot_block - one XfrBlock to the card
 * @bwi:	block waiting time multiplier, 0 for none
 * @level:	wLevelParameter
 * @answer_ms:	silence allowed, as exchange_run()
 * @out:	done or failed; a failed one with the card still active
 *
 * Return: 0; -ENOMEDIUM the card is gone; -ESTALE the slot must be powered on first; or as
 * exchange_run(), after which the slot is in NEEDS_RESET.
 */
int slot_block(struct slot *slot, uint8_t bwi, uint16_t level, struct bytes block,
	       uint32_t answer_ms, struct deadline deadline, struct ccid_reply *out);

/*
 * Secure: the person at the reader types a PIN, which goes to the card in a command that
 * @structure describes. Return: as slot_block().
 */
int slot_secure(struct slot *slot, struct bytes structure, uint32_t answer_ms,
		struct deadline deadline, struct ccid_reply *out);

/* SetParameters. Return: 0; -EOPNOTSUPP the reader wants none of it; else as slot_block(). */
int slot_set_parameters(struct slot *slot, const struct ccid_parameters *parameters,
			struct deadline deadline);

/* SetDataRateAndClockFrequency, for readers that do not draw it from the parameters. Return: likewise. */
int slot_set_rate(struct slot *slot, uint32_t clock_khz, uint32_t bps, struct deadline deadline);
