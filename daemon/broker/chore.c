/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/chore.c - One chore at a time, the largest first: a reset takes the rest along.
 */
#include "daemon/broker/chore.h"

#include "daemon/broker/context.h"
#include "daemon/broker/reader.h"

#include <stdlib.h>

static void chore_ask(struct reader *reader, enum link_step step, uint32_t request, uint64_t ref)
{
	struct packet ask = packet_request(request, 0, 0);

	if (request == KF_KEY_DESTROY)
		((struct kf_key_destroy *)packet_body(&ask))->key = ref;
	else if (request == KF_DRV_DROP)
		((struct kf_drv_drop *)packet_body(&ask))->slot = reader->slot;
	else
		((struct kf_drv_power_cycle *)packet_body(&ask))->slot = reader->slot;
	link_ask(reader->device, reader, step, &ask, LINK_CHORE_MS);
}

void chore_drop(struct reader *reader, enum link_step step)
{
	chore_ask(reader, step, KF_DRV_DROP, 0);
}

bool chore_start(struct reader *reader)
{
	struct key *key = list_first(&reader->dead_keys, struct key, link);

	if (reader->reset_due)
		chore_ask(reader, LINK_CHORE_RESET, KF_DRV_POWER_CYCLE, 0);
	else if (security_must_go(&reader->security))
		chore_drop(reader, LINK_CHORE_DROP);
	else if (key)
		chore_ask(reader, LINK_CHORE_DESTROY, KF_KEY_DESTROY, key->ref);
	else
		return false;
	return true;
}

void chore_dropped(struct reader *reader, const struct packet *reply)
{
	const struct kf_drv_drop *drop = packet_read(reply);
	struct context *context;

	security_happens(&reader->security, SECURITY_DROPPED, NULL);
	if ((drop->flags & KF_DRV_DROPPED_KEYS) == 0)
		return;
	list_each(context, &reader->contexts, in_reader)
		if (context_has_card(context))
			context_happens(context, CONTEXT_RESET, KF_REASON_RESET);
}

int chore_was_reset(struct reader *reader, const struct packet *reply)
{
	const struct kf_drv_power_cycle *cycle = packet_read(reply);

	if (reader->entry.state != KF_READER_CARD || cycle->atr_len > sizeof(cycle->atr)) {
		link_break(reader->device);
		return -EIO;
	}
	reader_was_reset(reader, BYTES(cycle->atr, cycle->atr_len));
	return 0;
}

void chore_bury(struct reader *reader, uint64_t ref)
{
	struct key *key = calloc(1, sizeof(*key));

	if (!key) {
		reader->reset_due = true;
		return;
	}
	key->ref = ref;
	list_init(&key->link);
	list_push(&reader->dead_keys, &key->link);
}

void chore_buried(struct reader *reader)
{
	struct key *key = list_first(&reader->dead_keys, struct key, link);

	if (!key)
		return;
	list_drop(&key->link);
	free(key);
}
