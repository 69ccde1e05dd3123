/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/handle.c - Slots in one array. The low 17 bits of a handle are the index, the 47
 * above come fresh from the kernel each time a slot is used, so a guess is right once in 2^47 and
 * a former number never comes back to life. Former handles only take what nobody needs: when every
 * slot is in use, the one that died first is forgotten.
 */
#include "daemon/broker/handle.h"

#include "daemon/broker/step.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#define INDEX_BITS 17
static_assert(HANDLES_MAX <= 1 << INDEX_BITS, "an index fits");

struct handle_slot {
	struct list link;	/* in owner->live or owner->stale */
	struct list aged;	/* while STALE: in table->aged */
	uint64_t id;
	struct handle_owner *owner;
	void *object;
	uint32_t next_free;	/* while FREE: index plus one of the next */
	uint16_t reason;	/* while STALE */
	uint8_t kind, state;
};

int handle_step(enum handle_state state, enum handle_event event)
{
	static const struct handle_row {
		enum handle_state from;
		enum handle_event event;
		enum handle_state to;
	} rows[] = {
#define STEP(from, event, to) { HANDLE_##from, HANDLE_##event, HANDLE_##to },
#include "daemon/broker/handle.def"
#undef STEP
	};
	const struct handle_row *row = STEP_FIND(rows, state, event);

	return row ? (int)row->to : -EPROTO;
}

static void slot_step(struct handle_slot *slot, enum handle_event event)
{
	int next = handle_step(slot->state, event);

	assert(next >= 0);
	slot->state = (uint8_t)next;
}

void handle_owner_init(struct handle_owner *owner)
{
	list_init(&owner->live);
	list_init(&owner->stale);
	owner->n_stale = 0;
}

int handle_table_init(struct handle_table *t)
{
	*t = HANDLE_TABLE_INIT;
	list_init(&t->aged);
	t->slots = calloc(HANDLES_MAX, sizeof(*t->slots));
	return t->slots ? 0 : -ENOMEM;
}

void handle_table_deinit(struct handle_table *t)
{
	assert(t->n_live == 0);
	free(t->slots);
	*t = HANDLE_TABLE_INIT;
}

static void slot_release(struct handle_table *t, struct handle_slot *slot)
{
	if (slot->state == HANDLE_STALE)
		slot->owner->n_stale--;
	slot_step(slot, HANDLE_RELEASE);
	list_drop(&slot->link);
	list_drop(&slot->aged);
	slot->id = 0;
	slot->owner = NULL;
	slot->object = NULL;
	slot->next_free = t->free;
	t->free = (uint32_t)(slot - t->slots) + 1;
}

static struct handle_slot *slot_take(struct handle_table *t)
{
	struct handle_slot *slot;

	if (t->free == 0 && t->n_used < HANDLES_MAX)
		return &t->slots[t->n_used++];
	if (t->free == 0 && !list_empty(&t->aged))
		slot_release(t, list_first(&t->aged, struct handle_slot, aged));
	if (t->free == 0)
		return NULL;
	slot = &t->slots[t->free - 1];
	t->free = slot->next_free;
	return slot;
}

static int id_make(size_t index, uint64_t *out)
{
	uint64_t random;

	do {
		if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
			return -EIO;
	} while (random >> INDEX_BITS == 0);	/* 0 is never a handle, whatever the index */
	*out = (random >> INDEX_BITS << INDEX_BITS) | index;
	return 0;
}

int handle_new(struct handle_table *t, struct handle_owner *owner, enum handle_kind kind,
	       void *object, uint64_t *out)
{
	struct handle_slot *slot = slot_take(t);
	uint64_t id;
	int r;

	if (!slot)
		return -ENOSPC;
	list_init(&slot->link);
	list_init(&slot->aged);
	slot_step(slot, HANDLE_MAKE);
	r = id_make((size_t)(slot - t->slots), &id);
	if (r < 0) {
		slot_release(t, slot);
		return r;
	}
	slot->id = id;
	slot->kind = (uint8_t)kind;
	slot->owner = owner;
	slot->object = object;
	list_push(&owner->live, &slot->link);
	t->n_live++;
	*out = id;
	return 0;
}

static struct handle_slot *slot_find(const struct handle_table *t, uint64_t id)
{
	size_t index = id & ((1u << INDEX_BITS) - 1);

	if (id == 0 || index >= t->n_used || t->slots[index].id != id)
		return NULL;
	return &t->slots[index];
}

int handle_lookup(const struct handle_table *t, const struct handle_owner *owner, uint64_t id,
		  enum handle_kind kind, void **object, uint16_t *reason)
{
	const struct handle_slot *slot = slot_find(t, id);

	if (!slot || slot->owner != owner || slot->kind != kind)
		return -EBADF;
	if (slot->state != HANDLE_LIVE) {
		*reason = slot->reason;
		return -ESTALE;
	}
	*object = slot->object;
	return 0;
}

void handle_age(struct handle_table *t, uint64_t id, enum kf_reason reason)
{
	struct handle_slot *slot = slot_find(t, id);
	struct handle_owner *owner;

	assert(slot);
	owner = slot->owner;
	slot_step(slot, HANDLE_AGE);
	slot->object = NULL;
	slot->reason = (uint16_t)reason;
	list_drop(&slot->link);
	list_push(&owner->stale, &slot->link);
	list_push(&t->aged, &slot->aged);
	t->n_live--;
	if (++owner->n_stale > HANDLES_STALE)
		slot_release(t, list_first(&owner->stale, struct handle_slot, link));
}

void handle_forget(struct handle_table *t, struct handle_owner *owner, uint64_t id)
{
	struct handle_slot *slot = slot_find(t, id);

	if (!slot || slot->owner != owner || slot->state != HANDLE_STALE)
		return;
	slot_release(t, slot);
}

void handle_owner_deinit(struct handle_table *t, struct handle_owner *owner)
{
	struct handle_slot *slot;

	assert(list_empty(&owner->live));
	while ((slot = list_first(&owner->stale, struct handle_slot, link)))
		slot_release(t, slot);
}
