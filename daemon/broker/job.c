/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/job.h"

#include "base/secret.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/card.h"
#include "daemon/broker/client.h"
#include "daemon/broker/context.h"
#include "daemon/broker/reader.h"
#include "daemon/broker/watch.h"

#include <assert.h>
#include <stdlib.h>

/* Waiting in line while somebody else had the card for itself is said as such. */
static void job_too_late(struct job *job)
{
	const struct txn *txn = &job->reader->txn;

	if (job->state == JOB_QUEUED && txn->holder && txn->holder != job->context)
		job_fail(job, -EBUSY, KF_REASON_TXN_OTHER,
			 ms_until(txn->timer.at_ns, now_ns()));
	else
		job_fail(job, -ETIMEDOUT, KF_REASON_QUEUED, 0);
}

static void job_deadline(struct timer *timer)
{
	struct job *job = list_entry(timer, struct job, timer);
	struct context *context = job->context;
	bool parked = job->state == JOB_PARKED;

	if (job->state == JOB_LOOKS) {
		watch_late(job);
		return;
	}
	if (job->state == JOB_RUNNING) {	/* the driver has the same deadline, and a guard */
		job->give_up = -ETIMEDOUT;
		return;
	}
	job_too_late(job);
	if (parked && context)			/* an open that failed leaves no context */
		context_happens(context, CONTEXT_CLOSED, KF_REASON_CLOSED);
}

static uint64_t deadline_of(const struct packet *request)
{
	uint32_t ms = request->header.deadline_ms;

	if (ms == 0)
		ms = KF_DEADLINE_DEFAULT_MS;
	if (ms > KF_DEADLINE_MAX_MS)
		ms = KF_DEADLINE_MAX_MS;
	return now_ns() + ms_to_ns(ms);
}

int job_new(struct client *client, struct context *context, struct bytes frame,
	    struct job **out, uint16_t *reason)
{
	struct broker *broker = client->broker;
	uint32_t charge = (uint32_t)(sizeof(struct job) + frame.n);
	struct job *job;
	int r;

	if (quota_charge(&broker->quota, client->user, QUOTA_BYTES, charge) < 0) {
		*reason = KF_REASON_QUOTA_BYTES;
		return -EDQUOT;
	}
	job = calloc(1, sizeof(*job) + frame.n);
	if (!job) {
		quota_release(client->user, QUOTA_BYTES, charge);
		return -ENOMEM;
	}
	memcpy(job->frame, frame.p, frame.n);
	job->frame_len = frame.n;
	r = packet_parse(BYTES(job->frame, frame.n), &job->request);
	assert(r == 0);
	job->client = client;
	job->broker = broker;
	job->context = context;
	job->reader = context ? context->reader : NULL;
	job->charged = charge;
	job->timer.fn = job_deadline;
	list_init(&job->queued.link);
	list_init(&job->in_client);
	list_push(&client->jobs, &job->in_client);
	client->n_jobs++;
	r = timer_arm(&broker->loop, &job->timer, deadline_of(&job->request));
	if (r < 0)
		job_free(job);
	else
		*out = job;
	return r;
}

void job_detach(struct job *job)
{
	struct client *client = job->client;

	if (!client)
		return;
	list_drop(&job->in_client);
	client->n_jobs--;
	quota_release(client->user, QUOTA_BYTES, job->charged);
	if (job->pin_charged)
		quota_pin_back(client->user);
	job->client = NULL;
}

struct job *job_free(struct job *job)
{
	if (!job)
		return NULL;
	job_detach(job);
	if (job->queued.lane)
		queue_remove(&job->reader->queue, &job->queued);
	else
		list_drop(&job->queued.link);
	if (job->reader && job->reader->running == job)
		job->reader->running = NULL;
	timer_disarm(&job->broker->loop, &job->timer);
	if (job->state == JOB_LOOKS)
		watch_news(job->broker);
	wipe(job->frame, job->frame_len);
	free(job);
	return NULL;
}

int job_queue(struct job *job)
{
	job->state = JOB_QUEUED;
	return queue_push(&job->reader->queue, job->client->user, job->client, &job->queued);
}

void job_park(struct job *job)
{
	job->state = JOB_PARKED;
	list_push(&job->reader->waiters, &job->queued.link);
}

void job_fail(struct job *job, int result, uint16_t reason, uint32_t detail)
{
	struct client *client = job->client;
	struct packet head = { .header = job->request.header };

	job_free(job);
	if (client)
		client_fail(client, &head, result, reason, detail);
}

void job_answer(struct job *job, struct packet *reply)
{
	struct client *client = job->client;

	reply->header.request = job->request.header.request;
	reply->header.seq = job->request.header.seq;
	job_free(job);
	if (client)
		client_send(client, reply);
}

void job_cancel(struct job *job)
{
	struct reader *reader = job->reader;
	struct context *context = job->context;

	if (job->state == JOB_RUNNING) {
		job->give_up = -ECANCELED;
		if (reader_step(reader) == LINK_JOB)
			link_cancel(reader->device);
		return;
	}
	if (job->state == JOB_PARKED) {
		job_fail(job, -ECANCELED, KF_REASON_QUEUED, 0);
		context_happens(context, CONTEXT_CLOSED, KF_REASON_CLOSED);
		return;
	}
	job_fail(job, -ECANCELED, KF_REASON_QUEUED, 0);
}

void job_orphan(struct job *job)
{
	if (job->state != JOB_RUNNING) {
		job_detach(job);
		job_free(job);
		return;
	}
	if (reader_step(job->reader) != LINK_JOB)
		job->give_up = -ECANCELED;	/* it has not reached the card and need not */
	/* A PIN under way may be wrong: its try stays spent until it is forgiven in time. */
	job->pin_charged = false;
	job->context = NULL;		/* goes next, and will not find us any more */
	job->key = NULL;
	job_detach(job);
}

void job_context_ended(struct job *job, int result, enum kf_reason reason)
{
	job->key = NULL;
	job->context = NULL;
	if (job->state != JOB_RUNNING) {
		job_fail(job, result, (uint16_t)reason, 0);
		return;
	}
	if (reader_step(job->reader) != LINK_JOB)
		job->give_up = result;
}

struct job *job_find(struct client *client, uint32_t seq)
{
	struct job *job;

	list_each(job, &client->jobs, in_client)
		if (job->request.header.seq == seq)
			return job;
	return NULL;
}
