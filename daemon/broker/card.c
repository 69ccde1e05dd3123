/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/card.c - Performs the turns of turn.h. Chores come before any turn: what must not stay
 * in the card is gone before anybody speaks to it.
 */
#include "daemon/broker/card.h"

#include "daemon/broker/broker.h"
#include "daemon/broker/chore.h"
#include "daemon/broker/context.h"
#include "daemon/broker/hold.h"
#include "daemon/broker/job.h"
#include "daemon/broker/outcome.h"
#include "daemon/broker/reader.h"
#include "daemon/broker/turn.h"

#include <assert.h>

static void turn_next(struct reader *reader, enum link_step step);

static bool may_have_turn(const struct queued *queued, const void *arg)
{
	const struct job *job = list_entry(queued, struct job, queued);
	const struct reader *reader = arg;

	return !reader->txn.holder || reader->txn.holder == job->context;
}

static void turn_start(struct reader *reader, struct job *job)
{
	bool foreign = security_is_foreign(&reader->security, job->context);

	reader->running = job;
	turn_next(reader, turn_step(LINK_IDLE, foreign ? TURN_FOREIGN : TURN_CLEAN)->to);
}

void card_kick(struct reader *reader)
{
	while (link_is_free(&reader->device->link) && reader->entry.state == KF_READER_CARD &&
	       !reader->running) {
		struct queued *queued;
		struct job *job;

		if (chore_start(reader))
			return;
		queued = queue_take(&reader->queue, may_have_turn, reader);
		if (!queued)
			return;
		job = list_entry(queued, struct job, queued);
		job_take(job);
		if (!hold_serve(reader, job))
			turn_start(reader, job);
	}
}

/* The PIN whose last try @job may spend without having said so; 0: none. */
static uint32_t pin_at_risk(const struct job *job)
{
	const struct kf_kek_create *create = packet_read(&job->request);
	const struct kf_kek_set *set = packet_read(&job->request);
	const struct kf_card_init *init = packet_read(&job->request);
	const struct kf_pin_verify *verify = packet_read(&job->request);

	static_assert(offsetof(struct kf_pin_verify, pin) == offsetof(struct kf_pin_change, pin) &&
		      offsetof(struct kf_pin_verify, flags) ==
		      offsetof(struct kf_pin_change, flags) &&
		      offsetof(struct kf_pin_verify, flags) ==
		      offsetof(struct kf_pin_unblock, flags) &&
		      offsetof(struct kf_pin_verify, flags) ==
		      offsetof(struct kf_pin_pad, flags), "they begin alike");
	if (job_nr(job) == KF_KEK_CREATE)
		return create->flags & KF_PIN_LAST_TRY ? 0 : KF_PIN_PUK;
	if (job_nr(job) == KF_KEK_SET)
		return set->flags & KF_PIN_LAST_TRY ? 0 : KF_PIN_PUK;
	if (job_nr(job) == KF_CARD_INIT)
		return init->flags & KF_PIN_LAST_TRY ? 0 : KF_PIN_PUK;
	if (!job->pin_charged || (verify->flags & KF_PIN_LAST_TRY))
		return 0;
	return job_nr(job) == KF_PIN_UNBLOCK ? KF_PIN_PUK : verify->pin;
}

static void turn_ask_tries(struct reader *reader, uint32_t pin)
{
	struct packet ask = packet_request(KF_PIN_STATUS, 0, 0);

	((struct kf_pin_status *)packet_body(&ask))->context = reader->slot;
	((struct kf_pin_status *)packet_body(&ask))->pin = pin;
	link_ask(reader->device, reader, LINK_TRIES, &ask, LINK_CHORE_MS);
}

static bool leaves_state(uint32_t nr)
{
	return nr == KF_PIN_VERIFY || nr == KF_PIN_CHANGE || nr == KF_PIN_UNBLOCK ||
	       nr == KF_PIN_PAD_VERIFY || nr == KF_PIN_PAD_CHANGE ||
	       nr == KF_APDU || nr == KF_RELAY_APDU || nr == KF_PROCESS || nr == KF_CARD_INIT;
}

/* The request in the driver's terms: its own numbers and slots instead of handles. */
static struct packet to_driver(const struct reader *reader, const struct job *job)
{
	uint32_t nr = job_nr(job);
	struct packet ask;

	if (nr == KF_CARD_RESET) {
		ask = packet_request(KF_DRV_POWER_CYCLE, 0, 0);
		((struct kf_drv_power_cycle *)packet_body(&ask))->slot = reader->slot;
		return ask;
	}
	if (nr == KF_PIN_LOGOUT) {
		ask = packet_request(KF_DRV_DROP, 0, 0);
		((struct kf_drv_drop *)packet_body(&ask))->slot = reader->slot;
		return ask;
	}
	ask = job->request;
	ask.header = packet_request(nr, 0, 0).header;
	*(uint64_t *)packet_body(&ask) = job->key ? job->key->ref : reader->slot;
	return ask;
}

static void turn_go(struct reader *reader)
{
	struct job *job = reader->running;
	struct packet ask;
	uint32_t left = ms_until(job->timer.at_ns, now_ns());

	if (job->state == JOB_GIVEN_UP) {
		job_fail(job, job->give_up, KF_REASON_QUEUED, 0);
		return;
	}
	ask = to_driver(reader, job);
	if (leaves_state(job_nr(job)))
		security_happens(&reader->security, SECURITY_USED, job->context);
	job_ask(job);
	link_ask(reader->device, reader, LINK_JOB, &ask, left);
}

static void turn_next(struct reader *reader, enum link_step step)
{
	uint32_t pin = 0;

	if (step == LINK_IDLE)
		return;
	if (step == LINK_TRIES && reader->running->state != JOB_GIVEN_UP)
		pin = pin_at_risk(reader->running);
	if (step == LINK_DROP)
		chore_drop(reader, LINK_DROP);
	else if (pin)
		turn_ask_tries(reader, pin);
	else
		turn_go(reader);
}

/* Return: whether the turn goes on. */
static bool tries_suffice(struct reader *reader, const struct packet *reply)
{
	const struct kf_pin_status *status = packet_read(reply);

	if (status->tries_left != 1)
		return true;
	job_fail(reader->running, -EPERM, KF_REASON_PIN_LAST_TRY, 1);
	return false;
}

/* What the request may have left in the card, whatever came of it. */
static void card_was_used(struct reader *reader)
{
	struct context *context = reader->running->context;

	if (leaves_state(job_nr(reader->running)))
		security_happens(&reader->security, context ? SECURITY_ANSWERED : SECURITY_UNCLAIMED,
				 context);
}

/* Return: whether the turn, if it was one, goes on. */
static bool turn_perform(struct reader *reader, enum turn_do action, const struct packet *reply)
{
	const struct kf_header *header = &reply->header;

	switch (action) {
	case TURN_DO_NOTHING:
		break;
	case TURN_DO_DROPPED:
		chore_dropped(reader, reply);
		break;
	case TURN_DO_WAS_RESET:
		(void)chore_was_reset(reader, reply);
		break;
	case TURN_DO_BURY:
		chore_buried(reader);
		break;
	case TURN_DO_BREAK:
		link_break(reader->device);
		break;
	case TURN_DO_COMPARE:
		return tries_suffice(reader, reply);
	case TURN_DO_REFUSE:
		job_fail(reader->running, header->result, header->reason, header->detail);
		break;
	case TURN_DO_ANSWER:
		card_was_used(reader);
		outcome_done(reader, reply);
		break;
	case TURN_DO_FAIL:
		card_was_used(reader);
		outcome_failed(reader, reply);
		break;
	}
	return true;
}

void card_reply(struct reader *reader, enum link_step asked, const struct packet *reply)
{
	enum turn_event event = reply->header.result < 0 ? TURN_BAD : TURN_GOOD;
	const struct turn_step *step = turn_step(asked, event);

	assert(step);
	if (turn_perform(reader, step->action, reply))
		turn_next(reader, step->to);
}

void card_forget(struct reader *reader, struct context *context)
{
	txn_abandon(reader, context);
	if (reader->security.owner == context)
		security_happens(&reader->security, SECURITY_LEFT, context);
	(void)timer_arm(&reader->broker->loop, &reader->kick, 0);	/* -ENOMEM: the next event kicks */
}
