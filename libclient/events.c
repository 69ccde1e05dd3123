/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libclient/events.c - Events are taken off the socket by whoever reads it, and told by
 * kf_client_dispatch() alone, so that no callback ever runs inside another call.
 */
#include "libclient/call.h"
#include "libclient/reader.h"

void events_push(struct event_queue *queue, const struct kf_event *event)
{
	if (!queue->ring || queue->mask == 0)
		return;		/* one that was under way when the subscription ended */
	if (queue->n == CLIENT_EVENTS_MAX) {
		queue->n = queue->first = 0;
		queue->lost = true;
	}
	if (queue->lost)
		return;
	queue->ring[(queue->first + queue->n++) % CLIENT_EVENTS_MAX] = *event;
}

void events_deinit(struct event_queue *queue)
{
	free(queue->ring);
	*queue = (struct event_queue){ 0 };
}

KF_EXPORT int kf_events_subscribe(struct kf_client *client, uint32_t mask, kf_event_fn fn,
				  void *data)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_events *events = call_begin(&call, client, KF_EVENTS);
	struct event_queue *queue;
	int r;

	if (!client)
		return -EINVAL;
	queue = &client->events;
	if (mask != 0 && !fn)
		call_refuse(&call, "events need a function to be told to");
	if (!queue->ring)
		queue->ring = calloc(CLIENT_EVENTS_MAX, sizeof(*queue->ring));
	if (!queue->ring)
		return call_no_memory(&call);
	events->mask = mask;
	if (mask != 0 && queue->mask == 0)
		queue->mask = mask;	/* the first event may come before the reply */
	r = call_run(&call, "cannot subscribe to events");
	if (r < 0)
		return r;
	queue->mask = mask;
	queue->fn = fn;
	queue->data = data;
	if (mask == 0)
		queue->n = 0;
	return 0;
}

static void tell(struct kf_client *client, uint32_t change, const struct kf_reader *reader)
{
	if (client->events.fn)
		client->events.fn(client, change, reader, client->events.data);
}

static int tell_all(struct kf_client *client)
{
	struct event_queue *queue = &client->events;
	int told = 0;

	for (; queue->n > 0; told++) {
		struct kf_event event = queue->ring[queue->first];
		struct kf_reader reader;

		reader_init(&reader, &event.entry);
		queue->first = (queue->first + 1) % CLIENT_EVENTS_MAX;
		queue->n--;
		tell(client, event.change, &reader);
	}
	if (queue->lost) {
		queue->lost = false;
		tell(client, KF_CHANGE_LOST, NULL);
		told++;
	}
	return told;
}

KF_EXPORT int kf_client_dispatch(struct kf_client *client)
{
	int r = 0, told;

	if (!client)
		return -EINVAL;
	if (client->events.dispatching)
		return -EBUSY;
	if (client->connected)
		r = client_take_events(client);
	client->events.dispatching = true;
	told = tell_all(client);
	client->events.dispatching = false;
	if (told > 0)
		return told;
	return r < 0 || !client->connected ? -ENOTCONN : 0;
}
