/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/context.c - The table of the header's picture, and the one place that performs it.
 * Whatever ends a context ends its keys first, then its jobs, then its claim on the card.
 */
#include "daemon/broker/context.h"

#include "daemon/broker/broker.h"
#include "daemon/broker/card.h"
#include "daemon/broker/client.h"
#include "daemon/broker/job.h"
#include "daemon/broker/reader.h"
#include "daemon/broker/step.h"
#include "daemon/broker/watch.h"

#include <assert.h>
#include <stdlib.h>

static const struct context_step steps[] = {
#define STEP(from, event, to, action) \
	{ CONTEXT_##from, CONTEXT_##event, CONTEXT_##to, CONTEXT_DO_##action },
#include "daemon/broker/context.def"
#undef STEP
};

const struct context_step *context_step(enum context_state state, enum context_event event)
{
	return STEP_FIND(steps, state, event);
}

int context_new(struct client *client, struct reader *reader, struct context **out)
{
	struct broker *broker = client->broker;
	struct context *context;
	int r;

	r = quota_charge(&broker->quota, client->user, QUOTA_CONTEXTS, 1);
	if (r < 0)
		return r;
	context = calloc(1, sizeof(*context));
	r = context ? handle_new(&broker->handles, &client->handles, HANDLE_CONTEXT, context,
				 &context->handle) : -ENOMEM;
	if (r < 0) {
		quota_release(client->user, QUOTA_CONTEXTS, 1);
		free(context);
		return r;
	}
	context->client = client;
	context->reader = reader;
	context->state = reader->entry.state == KF_READER_CARD ? CONTEXT_BOUND : CONTEXT_WAITING;
	list_init(&context->in_client);
	list_init(&context->in_reader);
	list_init(&context->keys);
	list_push(&client->contexts, &context->in_client);
	list_push(&reader->contexts, &context->in_reader);
	watch_news(broker);
	*out = context;
	return 0;
}

static void age_keys(struct context *context, enum kf_reason reason, bool destroy)
{
	struct key *key;

	while ((key = list_first(&context->keys, struct key, link)))
		key_end(key, reason, destroy);
}

static int errno_of(enum kf_reason reason)
{
	return reason == KF_REASON_READER_GONE ? -ENODEV :
	       reason == KF_REASON_REMOVED ? -ENOMEDIUM : -ESTALE;
}

static void context_end(struct context *context, enum kf_reason reason)
{
	struct client *client = context->client;
	struct reader *reader = context->reader;
	struct job *job, *next;

	age_keys(context, reason, reason == KF_REASON_CLOSED);
	list_each_safe(job, next, &client->jobs, in_client)
		if (job->context == context)
			job_context_ended(job, errno_of(reason), reason);
	card_forget(reader, context);
	handle_age(&client->broker->handles, context->handle, reason);
	quota_release(client->user, QUOTA_CONTEXTS, 1);
	list_drop(&context->in_client);
	list_drop(&context->in_reader);
	watch_news(client->broker);
	free(context);
}

void context_happens(struct context *context, enum context_event event, enum kf_reason reason)
{
	const struct context_step *step = context_step(context->state, event);

	assert(step);
	context->state = step->to;
	if (step->action == CONTEXT_DO_AGE_KEYS) {
		age_keys(context, reason, false);
		txn_keys_gone(context->reader, context);
	}
	if (step->action == CONTEXT_DO_END)
		context_end(context, reason);
}

int key_new(struct context *context, uint64_t ref, struct key **out)
{
	struct client *client = context->client;
	struct broker *broker = client->broker;
	struct key *key = calloc(1, sizeof(*key));
	int r;

	if (!key) {
		context->reader->reset_due = true;	/* the only other way to be rid of it */
		return -ENOMEM;
	}
	list_init(&key->link);
	key->ref = ref;
	r = quota_charge(&broker->quota, client->user, QUOTA_KEYS, 1);
	if (r == 0) {
		r = handle_new(&broker->handles, &client->handles, HANDLE_KEY, key, &key->handle);
		if (r < 0)
			quota_release(client->user, QUOTA_KEYS, 1);
	}
	if (r < 0) {
		list_push(&context->reader->dead_keys, &key->link);
		return r;
	}
	key->context = context;
	list_push(&context->keys, &key->link);
	context->n_keys++;
	*out = key;
	return 0;
}

void key_end(struct key *key, enum kf_reason reason, bool destroy)
{
	struct context *context = key->context;
	struct client *client = context->client;
	struct job *job, *next;

	list_each_safe(job, next, &client->jobs, in_client)
		if (job->key == key)
			job_key_ended(job, reason);
	handle_age(&client->broker->handles, key->handle, reason);
	quota_release(client->user, QUOTA_KEYS, 1);
	list_drop(&key->link);
	context->n_keys--;
	key->context = NULL;
	if (destroy)
		list_push(&context->reader->dead_keys, &key->link);
	else
		free(key);
}
