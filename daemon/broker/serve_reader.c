/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* daemon/broker/serve_reader.c - Readers listed, contexts opened and closed. */
#include "daemon/broker/broker.h"
#include "daemon/broker/card.h"
#include "daemon/broker/client.h"
#include "daemon/broker/context.h"
#include "daemon/broker/job.h"
#include "daemon/broker/reader.h"
#include "daemon/broker/request.h"
#include "daemon/broker/watch.h"

static bool may_look(const struct call *call, const struct reader *reader)
{
	return client_may(call->client, reader, KF_RIGHT_LOOK, POLICY_SOME_CONTAINER);
}

int on_reader_list(struct call *call)
{
	struct kf_reader_list *out = packet_body(&call->reply);
	struct kf_reader_entry rows[BROKER_SLOTS];
	struct reader *reader;
	size_t n = 0;
	int r = watch_wait(call, NULL);

	if (r != 0)
		return r;
	list_each(reader, &call->broker->readers, link_broker)
		if (may_look(call, reader))
			rows[n++] = reader->entry;
	out->n_readers = (uint32_t)n;
	packet_set(&call->reply, kf_reader_list, readers, BYTES(rows, n * sizeof(rows[0])));
	client_send(call->client, &call->reply);	/* here, while rows lives */
	return CALL_LATER;
}

/* The only one that the client may see. */
static struct reader *reader_only(const struct call *call)
{
	struct reader *reader, *only = NULL;

	list_each(reader, &call->broker->readers, link_broker) {
		if (!may_look(call, reader))
			continue;
		if (only)
			return NULL;
		only = reader;
	}
	return only;
}

/* By number, or by name, or the only one there is. */
static int reader_find(struct call *call, uint32_t number, const char *name, struct reader **out)
{
	struct reader *reader;

	if (number != 0)
		reader = reader_by_number(call->broker, number);
	else if (name[0] != '\0')
		reader = reader_by_name(call->broker, name);
	else
		reader = reader_only(call);
	if (!reader)
		return number != 0 ? -ENODEV : -ENOENT;
	if (!may_look(call, reader))
		return call_refuse(call, KF_REASON_RIGHT_HERE, KF_RIGHT_LOOK);
	*out = reader;
	return 0;
}

int on_reader_info(struct call *call)
{
	const struct kf_reader_info *ask = packet_read(call->request);
	struct kf_reader_info *out = packet_body(&call->reply);
	struct reader *reader;
	int r;

	r = reader_find(call, ask->reader, ask->entry.name, &reader);
	if (r == 0)
		r = watch_wait(call, reader->device);
	if (r != 0)
		return r;
	out->reader = reader->entry.reader;
	out->entry = reader->entry;
	out->features = reader->device->hello.features;
	out->exchange = reader->device->hello.exchange;
	out->slot = reader->slot;
	out->n_slots = reader->device->n_slots;
	out->max_message = reader->device->hello.max_message;
	memcpy(out->product_name, reader->device->hello.product_name, sizeof(out->product_name));
	memcpy(out->driver_version, reader->device->hello.driver_version, sizeof(out->driver_version));
	return 0;
}

static int open_wait(struct call *call, struct context *context)
{
	struct job *job;
	int r;

	r = job_new(call->client, context, call->frame, &job, &call->reason);
	if (r < 0) {
		context_happens(context, CONTEXT_CLOSED, KF_REASON_CLOSED);
		return r;
	}
	if (call->deadline_ns)		/* it has been waiting for another thing; and it is armed */
		(void)timer_arm(&call->broker->loop, &job->timer, call->deadline_ns);
	job_park(job);
	return CALL_LATER;
}

/*
 * A reader whose driver has just been started will know in a moment whether it has a card; nobody
 * gains from an error that says so.
 */
static bool has_to_wait(const struct context *context, uint32_t flags)
{
	return !context_has_card(context) &&
	       ((flags & KF_OPEN_WAIT) || context->reader->entry.state == KF_READER_STARTING);
}

int on_context_open(struct call *call)
{
	const struct kf_context_open *ask = packet_read(call->request);
	struct kf_context_open *out = packet_body(&call->reply);
	struct reader *reader = NULL;
	struct context *context;
	int r;

	r = reader_find(call, ask->reader, ask->name, &reader);
	if (r == 0)
		r = watch_wait(call, reader->device);
	if (r != 0)
		return r;
	r = context_new(call->client, reader, &context);
	if (r < 0) {
		call->reason = r == -EDQUOT ? KF_REASON_QUOTA_CONTEXTS : KF_REASON_NONE;
		call->detail = r == -EDQUOT ? call->broker->quota.limit[QUOTA_CONTEXTS] : 0;
		return r;
	}
	if (has_to_wait(context, ask->flags))
		return open_wait(call, context);
	out->context = context->handle;
	out->reader = reader->entry.reader;
	out->state = reader->entry.state;
	out->generation = reader->entry.generation;
	memcpy(out->name, reader->entry.name, sizeof(out->name));
	return 0;
}

int on_context_close(struct call *call)
{
	const struct kf_context_close *ask = packet_read(call->request);
	struct reader *reader;

	if (!call->context) {
		handle_forget(&call->broker->handles, &call->client->handles, ask->context);
		return 0;
	}
	reader = call->context->reader;
	context_happens(call->context, CONTEXT_CLOSED, KF_REASON_CLOSED);
	card_kick(reader);
	return 0;
}
