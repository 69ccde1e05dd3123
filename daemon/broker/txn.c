/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/txn.h"

#include "daemon/broker/broker.h"
#include "daemon/broker/card.h"
#include "daemon/broker/client.h"
#include "daemon/broker/reader.h"

static void txn_clear(struct reader *reader)
{
	timer_disarm(&reader->broker->loop, &reader->txn.timer);
	reader->txn.holder = NULL;
	reader->txn.implied = false;
}

static void txn_ran_out(struct timer *timer)
{
	struct txn *txn = list_entry(timer, struct txn, timer);
	struct reader *reader = list_entry(txn, struct reader, txn);
	struct context *holder = txn->holder;

	log_provoked(&reader->broker->log,
		     "client=%u uid=%u reader=%s: transaction \"%s\" ended at its deadline",
		     holder->client->number, holder->client->uid, reader->entry.name, txn->name);
	holder->txn_expired = !txn->implied;
	txn_clear(reader);
	if (reader->dirty)
		reader->drop_due = true;
	if (reader->owner)
		reader->owner->pin_lost |= reader->owner->pins != 0;
	card_kick(reader);
}

int txn_begin(struct reader *reader, struct context *context, uint32_t hold_ms, const char *name)
{
	struct txn *txn = &reader->txn;
	uint64_t now = now_ns();
	int r;

	if (txn->holder && !txn->implied)
		return -EPROTO;
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
	txn->implied = false;
	context->txn_expired = false;
	packet_set_string(txn->name, name);
	return 0;
}

int txn_end(struct reader *reader, struct context *context, uint16_t *reason)
{
	if (reader->txn.holder != context || reader->txn.implied) {
		*reason = context->txn_expired ? KF_REASON_TXN_EXPIRED : KF_REASON_TXN_NONE;
		context->txn_expired = false;
		return -EPROTO;
	}
	txn_clear(reader);
	return 0;
}

void txn_abandon(struct reader *reader, struct context *context)
{
	if (reader->txn.holder == context)
		txn_clear(reader);
}

void txn_hold_for_keys(struct reader *reader, struct context *context)
{
	if (reader->txn.holder)
		return;
	if (txn_begin(reader, context, TXN_KEYS_MS, "session keys") == 0)
		reader->txn.implied = true;
}
