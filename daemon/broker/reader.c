/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/reader.c - What a change at the reader does to everybody who has to do with it. The
 * state is changed first, so that whatever the contexts' ends set off finds the card gone already.
 */
#include "daemon/broker/reader.h"

#include "daemon/broker/broker.h"
#include "daemon/broker/card.h"
#include "daemon/broker/client.h"
#include "daemon/broker/job.h"

#include <assert.h>
#include <stdlib.h>

static void reader_kicked(struct timer *timer)
{
	card_kick(list_entry(timer, struct reader, kick));
}

int reader_new(struct device *device, uint32_t slot, const char *name, struct reader **out)
{
	struct broker *broker = device->broker;
	struct reader *reader;

	/* Slot 0 always finds room: there are never more devices than BROKER_READERS. */
	if (slot != 0 && broker->n_readers - broker->n_devices >= BROKER_SLOTS - BROKER_READERS)
		return -EDQUOT;
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->broker = broker;
	reader->device = device;
	reader->slot = slot;
	reader->kick.fn = reader_kicked;
	reader->entry.reader = ++broker->next_reader;
	reader->entry.state = KF_READER_STARTING;
	packet_set_string(reader->entry.name, name);
	list_init(&reader->contexts);
	list_init(&reader->waiters);
	list_init(&reader->dead_keys);
	list_init(&reader->link_broker);
	list_init(&reader->in_device);
	queue_init(&reader->queue);
	list_push(&broker->readers, &reader->link_broker);
	list_push(&device->slots, &reader->in_device);
	broker->n_readers++;
	*out = reader;
	return 0;
}

struct reader *reader_free(struct reader *reader)
{
	if (!reader)
		return NULL;
	list_drop(&reader->link_broker);
	list_drop(&reader->in_device);
	reader->broker->n_readers--;
	assert(!reader->running && list_empty(&reader->contexts));
	assert(reader->device->link.whose != reader);
	assert(list_empty(&reader->waiters) && list_empty(&reader->dead_keys));
	timer_disarm(&reader->broker->loop, &reader->kick);
	queue_deinit(&reader->queue);
	free(reader);
	return NULL;
}

#define READER_BY(broker, test) ({ \
	struct reader *found_ = NULL, *r_; \
	list_each(r_, &(broker)->readers, link_broker) \
		if (!found_ && (test)) \
			found_ = r_; \
	found_; })

struct reader *reader_by_number(struct broker *broker, uint32_t number)
{
	return READER_BY(broker, r_->entry.reader == number);
}

struct reader *reader_by_name(struct broker *broker, const char *name)
{
	return READER_BY(broker, strcmp(r_->entry.name, name) == 0);
}

void reader_announce(struct reader *reader, enum kf_change change)
{
	bool is_card = change != KF_CHANGE_READER_ADDED && change != KF_CHANGE_READER_REMOVED &&
		       change != KF_CHANGE_READER_STATE;
	struct packet event = packet_event(KF_EVENT);
	struct kf_event *body = packet_body(&event);
	struct client *client;

	body->change = change;
	body->entry = reader->entry;
	list_each(client, &reader->broker->clients, link)
		if ((client->events & (is_card ? KF_EVENTS_CARD : KF_EVENTS_READER)) &&
		    client_may(client, reader, KF_RIGHT_LOOK, POLICY_SOME_CONTAINER))
			client_send(client, &event);
}

static void free_dead_keys(struct reader *reader)
{
	struct key *key;

	while ((key = list_first(&reader->dead_keys, struct key, link))) {
		list_drop(&key->link);
		free(key);
	}
}

static void reader_tell(struct reader *reader, enum context_event event, enum kf_reason reason)
{
	struct context *context, *next;

	list_each_safe(context, next, &reader->contexts, in_reader)
		context_happens(context, event, reason);
}

static void forget_card(struct reader *reader, uint32_t state)
{
	reader->entry.state = state;
	reader->entry.atr_len = 0;
	memset(reader->entry.atr, 0, sizeof(reader->entry.atr));
	memset(reader->entry.card, 0, sizeof(reader->entry.card));
	memset(reader->entry.serial, 0, sizeof(reader->entry.serial));
	reader->reset_due = reader->sessions_stay = false;
	security_happens(&reader->security, SECURITY_REMOVED, NULL);
	free_dead_keys(reader);
}

static void lose_card(struct reader *reader, uint32_t state, enum context_event event,
		      enum kf_reason reason)
{
	forget_card(reader, state);
	reader_tell(reader, event, reason);
	free_dead_keys(reader);
}

static void set_atr(struct reader *reader, struct bytes atr)
{
	assert(atr.n <= KF_ATR_MAX);
	reader->entry.generation++;
	reader->entry.atr_len = (uint32_t)atr.n;
	memset(reader->entry.atr, 0, sizeof(reader->entry.atr));
	memcpy(reader->entry.atr, atr.p, atr.n);
}

/* As it stands where it is text, else in hex. */
static void set_serial(struct reader *reader, struct bytes serial)
{
	static const char hex[] = "0123456789ABCDEF";
	bool text = true;

	for (size_t i = 0; i < serial.n; i++)
		text &= serial.p[i] > 0x20 && serial.p[i] < 0x7f;
	if (text && serial.n != 0)
		memcpy(reader->entry.serial, serial.p, serial.n);
	for (size_t i = 0; !text && i < serial.n; i++) {
		reader->entry.serial[2 * i] = hex[serial.p[i] >> 4];
		reader->entry.serial[2 * i + 1] = hex[serial.p[i] & 15];
	}
}

/*
 * An open whose wait is over: any once a card has come, else those that waited for no more than a
 * driver that was still starting.
 */
static struct job *first_served(struct reader *reader)
{
	bool has_card = reader->entry.state == KF_READER_CARD;
	struct queued *queued;

	list_each(queued, &reader->waiters, link) {
		struct job *job = list_entry(queued, struct job, queued);
		const struct kf_context_open *ask = packet_read(&job->request);

		if (has_card || !(ask->flags & KF_OPEN_WAIT))
			return job;
	}
	return NULL;
}

/* From the start each time: an answer may end its client, and take that one's other jobs along. */
static void serve_waiters(struct reader *reader)
{
	struct job *job;

	while ((job = first_served(reader))) {
		struct packet reply = packet_reply(&job->request, 0);
		struct kf_context_open *body = packet_body(&reply);

		body->context = job->context->handle;
		body->reader = reader->entry.reader;
		body->state = reader->entry.state;
		body->generation = reader->entry.generation;
		memcpy(body->name, reader->entry.name, sizeof(body->name));
		job_answer(job, &reply);
	}
}

static void card_inserted(struct reader *reader, const struct kf_drv_event *event)
{
	reader->entry.state = KF_READER_CARD;
	security_happens(&reader->security, SECURITY_INSERTED, NULL);
	reader->sessions_stay = event->flags & KF_CARD_SESSIONS_STAY;
	set_atr(reader, BYTES(event->atr, event->atr_len));
	set_serial(reader, BYTES(event->serial, event->serial_len));
	memcpy(reader->entry.card, event->card, sizeof(event->card));
	reader_tell(reader, CONTEXT_INSERTED, KF_REASON_NONE);
	reader_announce(reader, KF_CHANGE_CARD_INSERTED);
	serve_waiters(reader);
}

static void card_removed(struct reader *reader, uint32_t state)
{
	uint32_t before = reader->entry.state;

	lose_card(reader, state, CONTEXT_REMOVED, KF_REASON_REMOVED);
	if (before == KF_READER_CARD || before == KF_READER_MUTE)
		reader_announce(reader, KF_CHANGE_CARD_REMOVED);
	if (state == KF_READER_MUTE)
		reader_announce(reader, KF_CHANGE_CARD_MUTE);
	serve_waiters(reader);
}

void reader_was_reset(struct reader *reader, struct bytes atr)
{
	set_atr(reader, atr);
	reader->reset_due = false;
	security_happens(&reader->security, SECURITY_RESET, NULL);
	free_dead_keys(reader);
	reader_tell(reader, CONTEXT_RESET, KF_REASON_RESET);
	reader_announce(reader, KF_CHANGE_CARD_RESET);
}

int reader_event(struct reader *reader, const struct kf_drv_event *event)
{
	bool has_card = reader->entry.state == KF_READER_CARD;

	if (event->atr_len > sizeof(event->atr) || event->serial_len > sizeof(event->serial))
		return -EPROTO;
	switch (event->change) {
	case KF_CHANGE_CARD_INSERTED:
		if (has_card)
			return -EPROTO;
		card_inserted(reader, event);
		return 0;
	case KF_CHANGE_CARD_REMOVED:
		card_removed(reader, KF_READER_EMPTY);
		return 0;
	case KF_CHANGE_CARD_MUTE:
		card_removed(reader, KF_READER_MUTE);
		return 0;
	case KF_CHANGE_CARD_RESET:
		if (!has_card)
			return -EPROTO;
		reader_was_reset(reader, BYTES(event->atr, event->atr_len));
		return 0;
	default:
		return -EPROTO;
	}
}

void reader_unserved(struct reader *reader, uint32_t state)
{
	if (reader->entry.state == state)
		return;
	reader->entry.state = state;
	reader_announce(reader, KF_CHANGE_READER_STATE);
	serve_waiters(reader);
}

void reader_served(struct reader *reader)
{
	if (!reader_is_unserved(reader))
		return;
	reader->entry.state = KF_READER_STARTING;
	reader_announce(reader, KF_CHANGE_READER_STATE);
}

void reader_fail_running(struct reader *reader)
{
	struct job *job = reader->running;
	bool on_card;

	if (!job)
		return;
	on_card = job->state == JOB_AT_CARD;
	if (on_card)
		job->pin_charged = false;	/* whether the PIN was wrong nobody will know */
	if (job->give_up)
		job_fail(job, job->give_up, on_card ? KF_REASON_ON_CARD : KF_REASON_QUEUED, 0);
	else if (reader->entry.state == KF_READER_CARD)
		job_fail(job, -EIO, on_card ? KF_REASON_ON_CARD : KF_REASON_DRIVER_DIED, 0);
	else
		job_fail(job, -ENOMEDIUM, KF_REASON_REMOVED, 0);
}

void reader_lost_driver(struct reader *reader)
{
	bool had_card = reader->entry.state == KF_READER_CARD;

	lose_card(reader, KF_READER_STARTING, CONTEXT_DRIVER_DIED, KF_REASON_DRIVER_DIED);
	if (had_card)
		reader_announce(reader, KF_CHANGE_CARD_REMOVED);
}

void reader_gone(struct reader *reader)
{
	lose_card(reader, KF_READER_GONE, CONTEXT_READER_GONE, KF_REASON_READER_GONE);
	reader_announce(reader, KF_CHANGE_READER_REMOVED);
	reader_free(reader);
}
