/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/watch.c - One timer, armed for now, does all that follows from news: it stands
 * between those who bring them, in the middle of whatever they do, and the clients who are served.
 */
#include "daemon/broker/watch.h"

#include "daemon/broker/broker.h"
#include "daemon/broker/client.h"
#include "daemon/broker/context.h"
#include "daemon/broker/device.h"
#include "daemon/broker/job.h"
#include "daemon/broker/reader.h"
#include "daemon/broker/request.h"

#include <assert.h>
#include <stdlib.h>

static bool is_polled(const struct device *device)
{
	return (device->hello.features & KF_FEATURE_POLLED) != 0;
}

static bool any_is(const struct device *device, enum kf_reader_state state)
{
	const struct reader *reader;

	list_each(reader, &device->slots, in_device)
		if (reader->entry.state == state)
			return true;
	return false;
}

/* One that nobody serves has nothing that could be waited for. */
static bool is_current(const struct device *device)
{
	const struct watch *watch = &device->watch;

	if (!is_polled(device) || reader_is_unserved(device_slot(device, 0)))
		return true;
	return link_up(&device->link) && watch->state == WATCH_ON && watch->behind == 0 &&
	       !watch->leaving && !any_is(device, KF_READER_STARTING);
}

static bool may_look(const struct client *client, const struct device *device)
{
	const struct reader *reader;

	list_each(reader, &device->slots, in_device)
		if (client_may(client, reader, KF_RIGHT_LOOK, POLICY_SOME_CONTAINER))
			return true;
	return false;
}

/* --- those who wait --- */

/* Whether a list must wait for @device. */
static bool holds_up(const struct device *device, const struct client *client)
{
	return !is_current(device) && !device->watch.late && may_look(client, device);
}

static bool all_current(const struct broker *broker, const struct client *client)
{
	const struct device *device;

	list_each(device, &broker->devices, link_broker)
		if (holds_up(device, client))
			return false;
	return true;
}

static bool has_waited(const struct job *job)
{
	const struct device *device;

	if (job->look_at == 0)
		return all_current(job->broker, job->client);
	device = device_by_key(job->broker, job->look_at);
	return !device || is_current(device);
}

/* An open answers for the card it finds, so it does not make do with what was known. */
static bool must_be_current(const struct call *call)
{
	return call->request->shape->request == KF_CONTEXT_OPEN;
}

static uint64_t look_ends(const struct call *call, const struct job *job)
{
	uint64_t end = now_ns() + ms_to_ns(WATCH_LOOK_MS);

	if (call->deadline_ns)
		return call->deadline_ns;
	return !must_be_current(call) && end < job->timer.at_ns ? end : job->timer.at_ns;
}

int watch_wait(struct call *call, const struct device *device)
{
	struct broker *broker = call->broker;
	struct job *job;
	int r;

	if (call->looked || (device ? is_current(device) : all_current(broker, call->client)))
		return 0;
	r = job_new(call->client, NULL, call->frame, &job, &call->reason);
	if (r < 0) {
		call->detail = call->broker->quota.limit[QUOTA_BYTES];
		return r;
	}
	job->look_at = device ? device->key : 0;
	(void)timer_arm(&broker->loop, &job->timer, look_ends(call, job));	/* it is armed */
	job_look(job);
	watch_news(broker);
	return CALL_LATER;
}

/* It still counts as interested while it is served, so that nothing is switched off meanwhile. */
static void serve(struct job *job, bool looked)
{
	struct client *client = job->client;
	uint64_t deadline_ns = job->timer.at_ns;

	job_served(job);
	job_detach(job);
	request_again(client, BYTES(job->frame, job->frame_len), deadline_ns, looked);
	job_free(job);
}

void watch_late(struct job *job)
{
	struct device *device;

	if (job->request.shape->request == KF_CONTEXT_OPEN) {
		job_fail(job, -ETIMEDOUT, KF_REASON_QUEUED, 0);
		return;
	}
	list_each(device, &job->broker->devices, link_broker)
		if (!is_current(device) && (job->look_at == 0 || job->look_at == device->key))
			device->watch.late = true;
	serve(job, true);
}

static struct job *first_to_serve(const struct broker *broker)
{
	struct queued *queued;

	list_each(queued, &broker->looks, link) {
		struct job *job = list_entry(queued, struct job, queued);

		if (job->client && has_waited(job))
			return job;
	}
	return NULL;
}

static void on_news(struct timer *timer)
{
	struct broker *broker = list_entry(timer, struct broker, news);
	struct device *device;
	struct job *job;

	/* From the start each time: an answer may take other jobs of its client along. */
	while ((job = first_to_serve(broker)))
		serve(job, false);
	list_each(device, &broker->devices, link_broker)
		watch_kick(device);
}

void watch_news(struct broker *broker)
{
	const struct device *device;

	list_each(device, &broker->devices, link_broker)
		if (is_polled(device)) {
			/* -ENOMEM: the next news */
			(void)timer_arm(&broker->loop, &broker->news, 0);
			return;
		}
}

/* --- the switch --- */

static bool is_waited_for(const struct device *device)
{
	const struct queued *queued;

	list_each(queued, &device->broker->looks, link) {
		const struct job *job = list_entry(queued, struct job, queued);

		if (job->look_at == 0 || job->look_at == device->key)
			return true;
	}
	return false;
}

static bool is_listened_to(const struct device *device)
{
	const struct client *client;

	list_each(client, &device->broker->clients, link)
		if ((client->events & KF_EVENTS_CARD) && may_look(client, device))
			return true;
	return false;
}

static bool has_contexts(const struct device *device)
{
	const struct reader *reader;

	list_each(reader, &device->slots, in_device)
		if (!list_empty(&reader->contexts))
			return true;
	return false;
}

static bool is_interesting(const struct device *device)
{
	return has_contexts(device) || is_waited_for(device) || is_listened_to(device);
}

/* A driver that powers cards has no ear for us, and one that leaves no use. */
static bool may_be_asked(const struct device *device)
{
	const struct watch *watch = &device->watch;

	return is_polled(device) && link_is_free(&device->link) && watch->behind == 0 &&
	       !watch->leaving && !any_is(device, KF_READER_STARTING);
}

void watch_kick(struct device *device)
{
	struct packet ask = packet_request(KF_DRV_WATCH, 0, 0);
	struct watch *watch = &device->watch;
	bool wanted;

	if (!may_be_asked(device))
		return;
	wanted = is_interesting(device);
	if (wanted == (watch->state == WATCH_ON))
		return;
	watch->state = WATCH_SWITCHING;
	watch->wanted = wanted;
	((struct kf_drv_watch *)packet_body(&ask))->flags = wanted ? KF_DRV_WATCH_ON : 0;
	link_ask(device, device_slot(device, 0), LINK_WATCH, &ask, LINK_CHORE_MS);
}

void watch_reset(struct device *device)
{
	bool late = device->watch.late;

	device->watch = (struct watch){ .late = late };
	watch_news(device->broker);
}

/* A look that failed leaves us with what we knew; the driver goes on asking. */
void watch_reply(struct device *device, const struct packet *reply)
{
	const struct kf_drv_watch *said = packet_read(reply);
	struct watch *watch = &device->watch;
	const struct reader *reader;

	watch->state = watch->wanted ? WATCH_ON : WATCH_OFF;
	watch->late = false;
	if (reply->header.result == 0)
		list_each(reader, &device->slots, in_device)
			watch->behind |= said->behind & 1u << reader->slot;
	watch_news(device->broker);
}

void watch_event(struct device *device, const struct kf_drv_event *event, bool had_card)
{
	struct watch *watch = &device->watch;

	watch->behind &= ~(1u << event->slot);
	watch->leaving |= event->change == KF_CHANGE_CARD_REMOVED && had_card &&
			  !device_has_card(device);
	watch_news(device->broker);
}

void watch_init(struct broker *broker)
{
	list_init(&broker->looks);
	broker->news.fn = on_news;
}

void watch_deinit(struct broker *broker)
{
	assert(list_empty(&broker->looks));
	timer_disarm(&broker->loop, &broker->news);
}
