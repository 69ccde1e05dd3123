/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/job.c - The table of the header's picture, and the one place that performs it. A
 * job is answered on its step to DONE, and no step leads away from there.
 */
#include "daemon/broker/job.h"

#include "base/secret.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/card.h"
#include "daemon/broker/client.h"
#include "daemon/broker/context.h"
#include "daemon/broker/reader.h"
#include "daemon/broker/step.h"
#include "daemon/broker/watch.h"

#include <assert.h>
#include <stdlib.h>

static const struct job_step steps[] = {
#define STEP(from, event, to, action) { JOB_##from, JOB_##event, JOB_##to, JOB_DO_##action },
#include "daemon/broker/job.def"
#undef STEP
};

const struct job_step *job_step(enum job_state state, enum job_event event)
{
	return STEP_FIND(steps, state, event);
}

static enum job_do step(struct job *job, enum job_event event)
{
	const struct job_step *row = job_step(job->state, event);

	assert(row);
	job->state = row->to;
	return row->action;
}

static void fail(struct job *job, int result, uint16_t reason, uint32_t detail)
{
	struct client *client = job->client;
	struct packet head = { .header = job->request.header };

	job_free(job);
	if (client)
		client_fail(client, &head, result, reason, detail);
}

static void orphan(struct job *job, int result)
{
	job->give_up = result;
	/* A PIN under way may be wrong: its try stays spent until it is forgiven in time. */
	job->pin_charged = false;
	job->context = NULL;		/* goes next, and will not find us any more */
	job->key = NULL;
	job_detach(job);
}

/* @result, @reason, @detail: what the client is told, now or at the end of the turn. */
static void job_happens(struct job *job, enum job_event event, int result, uint16_t reason,
			uint32_t detail)
{
	struct context *context = job->context;

	switch (step(job, event)) {
	case JOB_DO_NOTHING:
		return;
	case JOB_DO_FAIL:
		fail(job, result, reason, detail);
		return;
	case JOB_DO_CLOSE:
		fail(job, result, reason, detail);
		context_happens(context, CONTEXT_CLOSED, KF_REASON_CLOSED);
		return;
	case JOB_DO_DROP:
		job_free(job);
		return;
	case JOB_DO_ABORT:
		link_cancel(job->reader->device);
		job->give_up = result;
		return;
	case JOB_DO_GIVE_UP:
		job->give_up = result;
		return;
	case JOB_DO_ORPHAN:
		orphan(job, result);
		return;
	case JOB_DO_LATE:
		watch_late(job);
		return;
	}
}

/* Waiting in line while somebody else had the card for itself is said as such. */
static void job_deadline(struct timer *timer)
{
	struct job *job = list_entry(timer, struct job, timer);
	const struct txn *txn = job->reader ? &job->reader->txn : NULL;

	if (job->state == JOB_QUEUED && txn->holder && txn->holder != job->context)
		job_happens(job, JOB_DEADLINE, -EBUSY, KF_REASON_TXN_OTHER,
			    ms_until(txn->timer.at_ns, now_ns()));
	else
		job_happens(job, JOB_DEADLINE, -ETIMEDOUT, KF_REASON_QUEUED, 0);
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
	assert(job->state == JOB_NEW || job->state == JOB_DONE);
	job_detach(job);
	if (job->queued.lane)
		queue_remove(&job->reader->queue, &job->queued);
	else
		list_drop(&job->queued.link);
	if (job->reader && job->reader->running == job)
		job->reader->running = NULL;
	timer_disarm(&job->broker->loop, &job->timer);
	if (!job->reader)		/* it waited for a look at readers */
		watch_news(job->broker);
	wipe(job->frame, job->frame_len);
	free(job);
	return NULL;
}

int job_queue(struct job *job)
{
	int r = queue_push(&job->reader->queue, job->client->user, job->client, &job->queued);

	if (r == 0)
		(void)step(job, JOB_QUEUE);
	return r;
}

void job_park(struct job *job)
{
	(void)step(job, JOB_PARK);
	list_push(&job->reader->waiters, &job->queued.link);
}

void job_look(struct job *job)
{
	(void)step(job, JOB_LOOK);
	list_push(&job->broker->looks, &job->queued.link);
}

void job_take(struct job *job)
{
	(void)step(job, JOB_TURN);
}

void job_ask(struct job *job)
{
	(void)step(job, JOB_ASK);
}

void job_served(struct job *job)
{
	(void)step(job, JOB_SERVED);
}

void job_fail(struct job *job, int result, uint16_t reason, uint32_t detail)
{
	(void)step(job, JOB_ANSWER);
	fail(job, result, reason, detail);
}

void job_answer(struct job *job, struct packet *reply)
{
	struct client *client = job->client;

	(void)step(job, JOB_ANSWER);
	reply->header.request = job->request.header.request;
	reply->header.seq = job->request.header.seq;
	job_free(job);
	if (client)
		client_send(client, reply);
}

void job_cancel(struct job *job)
{
	job_happens(job, JOB_CANCEL, -ECANCELED, KF_REASON_QUEUED, 0);
}

void job_orphan(struct job *job)
{
	job_happens(job, JOB_CLIENT_LEFT, -ECANCELED, KF_REASON_NONE, 0);
}

void job_context_ended(struct job *job, int result, enum kf_reason reason)
{
	job->key = NULL;
	job->context = NULL;
	job_happens(job, JOB_CONTEXT_ENDED, result, (uint16_t)reason, 0);
}

void job_key_ended(struct job *job, enum kf_reason reason)
{
	job->key = NULL;
	job_happens(job, JOB_KEY_ENDED, -ESTALE, (uint16_t)reason, 0);
}

struct job *job_find(struct client *client, uint32_t seq)
{
	struct job *job;

	list_each(job, &client->jobs, in_client)
		if (job->request.header.seq == seq)
			return job;
	return NULL;
}
