/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/txn.c - The table of the header's picture, and the one place that performs it.
 */
#include "daemon/broker/txn.h"

#include "daemon/broker/broker.h"
#include "daemon/broker/card.h"
#include "daemon/broker/client.h"
#include "daemon/broker/reader.h"
#include "daemon/broker/step.h"

#include <assert.h>

static const struct txn_step steps[] = {
#define STEP(from, event, to, action) { TXN_##from, TXN_##event, TXN_##to, TXN_DO_##action },
#include "daemon/broker/txn.def"
#undef STEP
};

const struct txn_step *txn_step(enum txn_state state, enum txn_event event)
{
	return STEP_FIND(steps, state, event);
}

static void clear(struct reader *reader)
{
	timer_disarm(&reader->broker->loop, &reader->txn.timer);
	/* What a channel left in the card is nobody's business [SECURITY section 7, Relay]. */
	if (txn_is_relay(&reader->txn))
		reader->reset_due = true;
	reader->txn.holder = NULL;
	reader->txn.relay_count = 0;
}

static void lapse(struct reader *reader)
{
	const struct txn *txn = &reader->txn;
	const struct client *client = txn->holder->client;

	log_provoked(&reader->broker->log,
		     "client=%u uid=%u reader=%s: transaction \"%s\" ended at its deadline",
		     client->number, client->uid, reader->entry.name, txn->name);
	clear(reader);
	security_happens(&reader->security, SECURITY_RAN_OUT, NULL);
	card_kick(reader);
}

static void txn_ran_out(struct timer *timer);

static int take(struct reader *reader, struct context *context, uint32_t hold_ms, const char *name)
{
	struct txn *txn = &reader->txn;
	uint64_t now = now_ns();
	int r;

	if (hold_ms == 0)
		hold_ms = TXN_DEFAULT_MS;
	if (hold_ms > KF_TXN_MAX_MS)
		hold_ms = KF_TXN_MAX_MS;
	txn->timer.fn = txn_ran_out;
	r = timer_arm(&reader->broker->loop, &txn->timer, now + ms_to_ns(hold_ms));
	if (r < 0)
		return r;
	txn->holder = context;
	txn->since_ns = now;
	context->txn_expired = false;
	packet_set_string(txn->name, name);
	return 0;
}

/* What takes a transaction may fail, and goes through begin(). Return: 0, or -EPROTO. */
static int txn_happens(struct reader *reader, enum txn_event event)
{
	struct txn *txn = &reader->txn;
	const struct txn_step *step = txn_step(txn->state, event);

	if (!step)
		return -EPROTO;
	txn->state = step->to;
	switch (step->action) {
	case TXN_DO_NOTHING:
		break;
	case TXN_DO_CLEAR:
		clear(reader);
		break;
	case TXN_DO_EXPIRE:
		txn->holder->txn_expired = true;
		lapse(reader);
		break;
	case TXN_DO_LAPSE:
		txn->holder->txn_expired = false;
		lapse(reader);
		break;
	case TXN_DO_TAKE:
		assert(false);
	}
	return 0;
}

static void txn_ran_out(struct timer *timer)
{
	struct txn *txn = list_entry(timer, struct txn, timer);
	int r = txn_happens(list_entry(txn, struct reader, txn), TXN_RAN_OUT);

	assert(r == 0);
}

static int begin(struct reader *reader, enum txn_event event, struct context *context,
		 uint32_t hold_ms, const char *name)
{
	const struct txn_step *step = txn_step(reader->txn.state, event);
	int r = step ? 0 : -EPROTO;

	if (step && step->action == TXN_DO_TAKE)
		r = take(reader, context, hold_ms, name);
	if (r == 0)
		reader->txn.state = step->to;
	return r;
}

int txn_begin(struct reader *reader, struct context *context, uint32_t hold_ms, const char *name)
{
	return begin(reader, TXN_BEGUN, context, hold_ms, name);
}

int txn_begin_relay(struct reader *reader, struct context *context, uint32_t hold_ms,
		    uint32_t count, const char *name)
{
	int r = txn_begin(reader, context, hold_ms, name);

	if (r < 0)
		return r;
	reader->txn.relay_count = count;
	reader->txn.relay_next = 1;
	return 0;
}

int txn_relay(struct reader *reader, struct context *context, uint32_t number, uint16_t *reason,
	      uint32_t *detail)
{
	struct txn *txn = &reader->txn;

	if (!txn_is_relay(txn) || txn->holder != context) {
		*reason = context->txn_expired ? KF_REASON_TXN_EXPIRED : KF_REASON_RELAY_OVER;
		return -EPROTO;
	}
	if (number > txn->relay_count) {
		*reason = KF_REASON_RELAY_COUNT;
		*detail = txn->relay_count;
		return -EPROTO;
	}
	if (number != txn->relay_next) {
		*reason = KF_REASON_RELAY_NUMBER;
		*detail = txn->relay_next;
		return -EPROTO;
	}
	txn->relay_next++;
	return 0;
}

int txn_end(struct reader *reader, struct context *context, uint16_t *reason)
{
	int r = reader->txn.holder == context ? txn_happens(reader, TXN_ENDED) : -EPROTO;

	if (r < 0) {
		*reason = context->txn_expired ? KF_REASON_TXN_EXPIRED : KF_REASON_TXN_NONE;
		context->txn_expired = false;
	}
	return r;
}

void txn_abandon(struct reader *reader, struct context *context)
{
	if (reader->txn.holder == context)
		(void)txn_happens(reader, TXN_HOLDER_LEFT);
}

void txn_hold_for_keys(struct reader *reader, struct context *context)
{
	/* -ENOMEM: they go with the next client's turn */
	(void)begin(reader, TXN_KEYS_CAME, context, TXN_KEYS_MS, "session keys");
}

void txn_keys_gone(struct reader *reader, struct context *context)
{
	if (reader->txn.holder == context)
		(void)txn_happens(reader, TXN_KEYS_WENT);
}
