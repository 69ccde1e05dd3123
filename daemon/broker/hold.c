/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/hold.c - Transactions and relays in their turn (txn.h has their lives): no driver is
 * asked to begin or to end one.
 */
#include "daemon/broker/hold.h"

#include "daemon/broker/broker.h"
#include "daemon/broker/client.h"
#include "daemon/broker/context.h"
#include "daemon/broker/job.h"
#include "daemon/broker/reader.h"

void hold_for_keys(struct reader *reader, struct context *context)
{
	if (context->n_keys != 0 && !reader->sessions_stay)
		txn_hold_for_keys(reader, context);
}

static void turn_txn_begin(struct reader *reader, struct job *job)
{
	const struct kf_txn_begin *ask = packet_read(&job->request);
	struct packet reply = packet_reply(&job->request, 0);
	int r = txn_begin(reader, job->context, ask->hold_ms, ask->name);

	if (r < 0) {
		job_fail(job, r, KF_REASON_NONE, 0);
		return;
	}
	((struct kf_txn_begin *)packet_body(&reply))->context = job->context->handle;
	job_answer(job, &reply);
}

static void turn_txn_end(struct reader *reader, struct job *job)
{
	const struct kf_txn_end *ask = packet_read(&job->request);
	struct packet reply = packet_reply(&job->request, 0);
	uint16_t reason = 0;
	int r = txn_end(reader, job->context, &reason);

	if (r < 0) {
		job_fail(job, r, reason, 0);
		return;
	}
	if (ask->flags & KF_TXN_RESET)
		reader->reset_due = true;
	hold_for_keys(reader, job->context);
	((struct kf_txn_end *)packet_body(&reply))->context = job->context->handle;
	job_answer(job, &reply);
}

/* SECURITY section 7, Relay: one per uid. */
static bool has_relay(const struct broker *broker, const struct user *user)
{
	const struct reader *reader;

	list_each(reader, &broker->readers, link_broker)
		if (txn_is_relay(&reader->txn) && reader->txn.holder->client->user == user)
			return true;
	return false;
}

static void turn_relay_begin(struct reader *reader, struct job *job)
{
	const struct kf_relay_begin *ask = packet_read(&job->request);
	struct packet reply = packet_reply(&job->request, 0);
	int r;

	if (has_relay(reader->broker, job->client->user)) {
		job_fail(job, -EDQUOT, KF_REASON_RELAY_UID, 0);
		return;
	}
	r = txn_begin_relay(reader, job->context, ask->hold_ms, ask->count, ask->name);
	if (r < 0) {
		job_fail(job, r, KF_REASON_NONE, 0);
		return;
	}
	((struct kf_relay_begin *)packet_body(&reply))->context = job->context->handle;
	job_answer(job, &reply);
}

static void turn_relay_end(struct reader *reader, struct job *job)
{
	struct packet reply = packet_reply(&job->request, 0);
	uint16_t reason = KF_REASON_RELAY_OVER;
	int r = -EPROTO;

	if (txn_is_relay(&reader->txn) || job->context->txn_expired)
		r = txn_end(reader, job->context, &reason);
	if (r < 0) {
		job_fail(job, r, reason, 0);
		return;
	}
	((struct kf_relay_end *)packet_body(&reply))->context = job->context->handle;
	job_answer(job, &reply);
}

static bool is_of_relay(uint32_t nr)
{
	return nr == KF_RELAY_BEGIN || nr == KF_RELAY_APDU || nr == KF_RELAY_END;
}

bool hold_serve(struct reader *reader, struct job *job)
{
	const struct kf_relay_apdu *apdu = packet_read(&job->request);
	uint16_t reason = 0;
	uint32_t detail = 0;

	if (txn_is_relay(&reader->txn) && !is_of_relay(job_nr(job))) {
		job_fail(job, -EPROTO, KF_REASON_RELAY_HELD, 0);
		return true;
	}
	switch (job_nr(job)) {
	case KF_TXN_BEGIN:
		turn_txn_begin(reader, job);
		return true;
	case KF_TXN_END:
		turn_txn_end(reader, job);
		return true;
	case KF_RELAY_BEGIN:
		turn_relay_begin(reader, job);
		return true;
	case KF_RELAY_END:
		turn_relay_end(reader, job);
		return true;
	case KF_RELAY_APDU:
		if (txn_relay(reader, job->context, apdu->number, &reason, &detail) == 0)
			return false;
		job_fail(job, -EPROTO, reason, detail);
		return true;
	default:
		return false;
	}
}

void hold_end_relay(struct reader *reader, const struct job *job)
{
	if (job->context && txn_is_relay(&reader->txn))
		txn_abandon(reader, job->context);
}
