/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/ccid/slot.c - Every reply carries what the reader sees in the slot, so every reply is an
 * event. slot_happens() is the one place that changes state.
 */
#include "driver/ccid/slot.h"

#include "base/secret.h"

#include <errno.h>

#define ROW(state, event, next, action) { SLOT_##state, SLOT_##event, SLOT_##next, SLOT_DO_##action }

static const struct slot_row {
	enum slot_state state;
	enum slot_event event;
	enum slot_state next;
	enum slot_action action;
} rows[] = {
	ROW(EMPTY,	 SEEN_ABSENT,	EMPTY,		NOTHING),
	ROW(EMPTY,	 SEEN_INACTIVE,	UNPOWERED,	ARRIVE),
	ROW(EMPTY,	 SEEN_ACTIVE,	UNPOWERED,	ARRIVE),
	ROW(EMPTY,	 POWERED_OFF,	EMPTY,		NOTHING),
	ROW(EMPTY,	 FAULT,		EMPTY,		NOTHING),

	ROW(UNPOWERED,	 SEEN_ABSENT,	EMPTY,		LEAVE),
	ROW(UNPOWERED,	 SEEN_INACTIVE,	UNPOWERED,	NOTHING),
	ROW(UNPOWERED,	 SEEN_ACTIVE,	UNPOWERED,	NOTHING),
	ROW(UNPOWERED,	 POWER,		POWERING,	FORGET),
	ROW(UNPOWERED,	 POWERED_OFF,	UNPOWERED,	NOTHING),
	ROW(UNPOWERED,	 FAULT,		NEEDS_RESET,	FORGET),

	ROW(POWERING,	 SEEN_ABSENT,	EMPTY,		LEAVE),
	ROW(POWERING,	 SEEN_INACTIVE,	POWERING,	NOTHING),
	ROW(POWERING,	 SEEN_ACTIVE,	POWERING,	NOTHING),
	ROW(POWERING,	 POWER,		POWERING,	FORGET),
	ROW(POWERING,	 ATR_GOOD,	READY,		NOTHING),
	ROW(POWERING,	 ATR_BAD,	MUTE,		NOTHING),
	ROW(POWERING,	 POWERED_OFF,	UNPOWERED,	FORGET),
	ROW(POWERING,	 FAULT,		NEEDS_RESET,	FORGET),

	ROW(READY,	 SEEN_ABSENT,	EMPTY,		LEAVE),
	/* It was active when we left it: somebody took it out and put one in. */
	ROW(READY,	 SEEN_INACTIVE,	UNPOWERED,	SWAP),
	ROW(READY,	 SEEN_ACTIVE,	READY,		NOTHING),
	ROW(READY,	 POWER,		POWERING,	FORGET),
	ROW(READY,	 POWERED_OFF,	UNPOWERED,	FORGET),
	ROW(READY,	 FAULT,		NEEDS_RESET,	FORGET),

	ROW(MUTE,	 SEEN_ABSENT,	EMPTY,		LEAVE),
	ROW(MUTE,	 SEEN_INACTIVE,	MUTE,		NOTHING),
	ROW(MUTE,	 SEEN_ACTIVE,	MUTE,		NOTHING),
	ROW(MUTE,	 POWER,		POWERING,	FORGET),
	ROW(MUTE,	 POWERED_OFF,	MUTE,		NOTHING),
	ROW(MUTE,	 FAULT,		NEEDS_RESET,	FORGET),

	ROW(NEEDS_RESET, SEEN_ABSENT,	EMPTY,		LEAVE),
	ROW(NEEDS_RESET, SEEN_INACTIVE,	NEEDS_RESET,	NOTHING),
	ROW(NEEDS_RESET, SEEN_ACTIVE,	NEEDS_RESET,	NOTHING),
	ROW(NEEDS_RESET, POWER,		POWERING,	FORGET),
	ROW(NEEDS_RESET, POWERED_OFF,	UNPOWERED,	FORGET),
	ROW(NEEDS_RESET, FAULT,		NEEDS_RESET,	NOTHING),
};

int slot_step(enum slot_state state, enum slot_event event, enum slot_state *next,
	      enum slot_action *action)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].state == state && rows[i].event == event) {
			*next = rows[i].next;
			*action = rows[i].action;
			return 0;
		}
	}
	return -EPROTO;
}

const char *slot_state_words(enum slot_state state)
{
	static const char *const words[SLOT_N_STATES] = {
		[SLOT_EMPTY] = "empty",
		[SLOT_UNPOWERED] = "card in, not powered",
		[SLOT_POWERING] = "powering on",
		[SLOT_READY] = "ready",
		[SLOT_MUTE] = "card does not answer",
		[SLOT_NEEDS_RESET] = "needs a reset",
	};

	return state < SLOT_N_STATES ? words[state] : "?";
}

void slot_init(struct slot *slot, struct exchange *x, uint8_t index)
{
	*slot = SLOT_INIT;
	slot->x = x;
	slot->index = index;
}

bool slot_take_change(struct slot *slot)
{
	bool changed = slot->changed;

	slot->changed = false;
	return changed;
}

static void forget(struct slot *slot)
{
	slot->generation++;
	wipe(slot->atr, sizeof(slot->atr));
	slot->atr_n = 0;
}

static int slot_happens(struct slot *slot, enum slot_event event)
{
	enum slot_state next;
	enum slot_action action;
	int r = slot_step(slot->state, event, &next, &action);

	if (r < 0)
		return r;
	slot->state = next;
	switch (action) {
	case SLOT_DO_ARRIVE:
	case SLOT_DO_LEAVE:
	case SLOT_DO_SWAP:
		slot->changed = true;
		forget(slot);
		break;
	case SLOT_DO_FORGET:
		forget(slot);
		break;
	case SLOT_DO_NOTHING:
		break;
	}
	return 0;
}

static void see(struct slot *slot, enum ccid_icc icc)
{
	static const enum slot_event seen[] = {
		[CCID_ICC_ACTIVE] = SLOT_SEEN_ACTIVE,
		[CCID_ICC_INACTIVE] = SLOT_SEEN_INACTIVE,
		[CCID_ICC_ABSENT] = SLOT_SEEN_ABSENT,
	};

	(void)slot_happens(slot, seen[icc]);
}

void slot_fault(struct slot *slot)
{
	(void)slot_happens(slot, SLOT_FAULT);
}

bool slot_check_power(struct slot *slot)
{
	if (slot->state != SLOT_READY && slot->state != SLOT_POWERING)
		return false;
	if (slot->power_losses == exchange_power_losses(slot->x))
		return false;
	slot_fault(slot);
	return true;
}

static int run(struct slot *slot, const struct ccid_command *command, uint32_t answer_ms,
	       struct deadline deadline, struct ccid_reply *out)
{
	int r = exchange_run(slot->x, slot->index, command, answer_ms, deadline, out);

	if (r < 0) {
		if (r != -EMSGSIZE)
			slot_fault(slot);
		return r;
	}
	slot->error = out->outcome == CCID_FAILED ? out->detail : 0;
	return 0;
}

int slot_probe(struct slot *slot, struct deadline deadline)
{
	struct ccid_command command = ccid_get_slot_status();
	struct ccid_reply reply;
	int r = run(slot, &command, 0, deadline, &reply);

	if (r == 0)
		see(slot, reply.icc);
	return r;
}

int slot_power_off(struct slot *slot, struct deadline deadline)
{
	struct ccid_command command = ccid_power_off();
	struct ccid_reply reply;
	int r = run(slot, &command, 0, deadline, &reply);

	if (r < 0)
		return r;
	(void)slot_happens(slot, SLOT_POWERED_OFF);
	see(slot, reply.icc);
	return 0;
}

/* Return: how many voltages there are to try, in order [CCID bPowerSelect]. */
static unsigned int voltages(const struct ccid_desc *desc, enum ccid_power out[4])
{
	unsigned int n = 0;

	if (ccid_desc_has(desc, CCID_AUTO_VOLTAGE) || ccid_desc_has(desc, CCID_AUTO_ACTIVATION)) {
		out[n++] = CCID_POWER_AUTO;
		return n;
	}
	if (desc->voltages == 0)
		out[n++] = CCID_POWER_AUTO;
	for (unsigned int i = 0; i < 3; i++)
		if (desc->voltages == 0 || (desc->voltages & 1u << i))
			out[n++] = (enum ccid_power)(CCID_POWER_5V + i);
	return n;
}

/* Return: 0 with an ATR; -ENOMEDIUM; -EIO not at this voltage; or as exchange_run(). */
static int power_at(struct slot *slot, enum ccid_power power, struct deadline deadline)
{
	struct ccid_command command = ccid_power_on(power);
	struct unpacker u;
	struct ccid_reply reply;
	int r = run(slot, &command, 0, deadline, &reply);

	if (r < 0)
		return r;
	if (reply.icc == CCID_ICC_ABSENT) {
		see(slot, reply.icc);
		return -ENOMEDIUM;
	}
	if (reply.outcome == CCID_FAILED)
		return -EIO;
	/* [7816-3 ATR]: TS and T0 at least, 33 bytes at most. */
	if (reply.data.n < 2 || reply.data.n > CCID_ATR_MAX)
		return -EIO;
	u = unpack_begin(reply.data);
	slot->atr_n = reply.data.n;
	unpack_copy(&u, slot->atr, slot->atr_n);
	return 0;
}

static uint32_t power_on_limit(const struct slot *slot)
{
	return quirk_has(slot->x->desc->quirks, QUIRK_SLOW_START) ?
		limits.power_on_slow_ms : limits.power_on_ms;
}

int slot_power_on(struct slot *slot, struct deadline deadline)
{
	enum ccid_power power[4];
	unsigned int n = voltages(slot->x->desc, power);
	int r;

	deadline = deadline_sooner(deadline, deadline_in(power_on_limit(slot)));
	/*
	 * Always off first: a card that another process left active must not carry that state to
	 * us, and some tokens are mute without it.
	 */
	r = slot_power_off(slot, deadline);
	if (r < 0)
		return r;
	if (slot_happens(slot, SLOT_POWER) < 0)
		return -ENOMEDIUM;
	slot->power_losses = exchange_power_losses(slot->x);
	r = -EIO;
	for (unsigned int i = 0; i < n && r == -EIO && slot->state == SLOT_POWERING; i++)
		r = power_at(slot, power[i], deadline);
	if (r == -EIO && slot->state == SLOT_POWERING)
		slot_reject(slot, deadline);
	return r;
}

void slot_accept(struct slot *slot)
{
	(void)slot_happens(slot, SLOT_ATR_GOOD);
}

void slot_reject(struct slot *slot, struct deadline deadline)
{
	if (slot_happens(slot, SLOT_ATR_BAD) == 0)
		(void)slot_power_off(slot, deadline);
}

static int check_powered(struct slot *slot)
{
	(void)slot_check_power(slot);
	if (slot->state == SLOT_EMPTY)
		return -ENOMEDIUM;
	return slot->state == SLOT_READY || slot->state == SLOT_POWERING ? 0 : -ESTALE;
}

/* A failed command with the card still there is the caller's to judge. */
static int still_active(struct slot *slot, const struct ccid_reply *reply)
{
	see(slot, reply->icc);
	if (reply->icc == CCID_ICC_ABSENT)
		return -ENOMEDIUM;
	if (reply->icc == CCID_ICC_INACTIVE) {
		slot_fault(slot);
		return -EIO;
	}
	return 0;
}

int slot_block(struct slot *slot, uint8_t bwi, uint16_t level, struct bytes block,
	       uint32_t answer_ms, struct deadline deadline, struct ccid_reply *out)
{
	struct ccid_command command = ccid_xfr_block(bwi, level, block);
	int r = check_powered(slot);

	if (r == 0)
		r = run(slot, &command, answer_ms, deadline, out);
	return r < 0 ? r : still_active(slot, out);
}

/* A command that a card in use is told of, or its reader. */
static int configure(struct slot *slot, const struct ccid_command *command,
		     struct deadline deadline)
{
	struct ccid_reply reply;
	int r = check_powered(slot);

	if (r == 0)
		r = run(slot, command, 0, deadline, &reply);
	if (r == 0)
		r = still_active(slot, &reply);
	if (r < 0)
		return r;
	return reply.outcome == CCID_FAILED ? ccid_reply_errno(&reply) : 0;
}

int slot_secure(struct slot *slot, struct bytes structure, uint32_t answer_ms,
		struct deadline deadline, struct ccid_reply *out)
{
	struct ccid_command command = ccid_secure(0, 0, structure);
	int r = check_powered(slot);

	if (r == 0)
		r = run(slot, &command, answer_ms, deadline, out);
	return r < 0 ? r : still_active(slot, out);
}

int slot_set_parameters(struct slot *slot, const struct ccid_parameters *parameters,
			struct deadline deadline)
{
	uint8_t payload[7];
	struct packer p = pack_begin(payload, sizeof(payload));
	struct ccid_command command;

	ccid_parameters_pack(&p, parameters);
	command = ccid_set_parameters(parameters->protocol, pack_done(&p));
	return configure(slot, &command, deadline);
}

int slot_set_rate(struct slot *slot, uint32_t clock_khz, uint32_t bps, struct deadline deadline)
{
	uint8_t payload[8];
	struct packer p = pack_begin(payload, sizeof(payload));
	struct ccid_command command;

	pack_le32(&p, clock_khz);
	pack_le32(&p, bps);
	command = ccid_set_rate(pack_done(&p));
	return configure(slot, &command, deadline);
}
