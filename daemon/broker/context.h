/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/context.h - One client with one card, or with an empty slot it waits on; and the
 * session keys it has there.
 *
 *	           inserted             removed, driver died, reader gone, closed
 *	WAITING ------------> BOUND ----------------------------------------------> ENDED
 *	   |                   | ^                                                    ^
 *	   |                   '-' reset: its keys age                                |
 *	   '--------------------------------------------------------------------------'
 *	                         reader gone, closed
 */
#pragma once

#include "base/list.h"
#include "keyferry/proto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct reader;

enum context_state { CONTEXT_WAITING, CONTEXT_BOUND, CONTEXT_ENDED, CONTEXT_STATES };
enum context_event {
	CONTEXT_INSERTED, CONTEXT_REMOVED, CONTEXT_RESET, CONTEXT_DRIVER_DIED, CONTEXT_READER_GONE,
	CONTEXT_CLOSED, CONTEXT_EVENTS
};
enum context_do { CONTEXT_DO_NOTHING, CONTEXT_DO_AGE_KEYS, CONTEXT_DO_END };

struct context_step {
	enum context_state from;
	enum context_event event;
	enum context_state to;
	enum context_do action;
};

/* Pure. Return: the row, or NULL: out of turn. */
const struct context_step *context_step(enum context_state state, enum context_event event);

struct context {
	struct list in_client, in_reader;
	struct client *client;
	struct reader *reader;
	struct list keys;
	size_t n_keys;
	uint64_t handle;
	enum context_state state;
	uint32_t pins;		/* bit by PIN id: verified in the card, while we are its owner */
	bool pin_lost;		/* had been, until somebody else's turn */
	bool txn_expired;	/* its transaction was ended for it */
};

/*
 * ref: the driver's number. context is NULL once it only waits to be destroyed in the card.
 * target: the container its items are for; %KF_CONTAINER_ANY if the driver does not know.
 */
struct key {
	struct list link;	/* in context->keys or reader->dead_keys */
	struct context *context;
	uint64_t handle;
	uint64_t ref;
	uint32_t target;
};

/* Return: 0, -ENOMEM, -EDQUOT. */
int context_new(struct client *client, struct reader *reader, struct context **out);
/* Performs the step; after %CONTEXT_DO_END the context is gone and its handle stale. */
void context_happens(struct context *context, enum context_event event, enum kf_reason reason);

static inline bool context_has_card(const struct context *context)
{
	return context->state == CONTEXT_BOUND;
}

/* Return: 0, -ENOMEM, -EDQUOT; on failure the card's session object is destroyed in time. */
int key_new(struct context *context, uint64_t ref, struct key **out);
/* @destroy: the card still has it and must be told. */
void key_end(struct key *key, enum kf_reason reason, bool destroy);
