/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/card.c - Performs the turns of turn.h. Chores come before any turn: what must not stay
 * in the card is gone before anybody speaks to it.
 */
#include "daemon/broker/card.h"

#include "daemon/broker/broker.h"
#include "daemon/broker/client.h"
#include "daemon/broker/context.h"
#include "daemon/broker/job.h"
#include "daemon/broker/reader.h"
#include "daemon/broker/request.h"
#include "daemon/broker/turn.h"

#include <assert.h>
#include <stdlib.h>

static uint32_t nr_of(const struct job *job)
{
	return job->request.shape->request;
}

static void turn_next(struct reader *reader, enum link_step step);

static void chore(struct reader *reader, enum link_step step, uint32_t request, uint64_t ref)
{
	struct packet ask = packet_request(request, 0, 0);

	if (request == KF_KEY_DESTROY)
		((struct kf_key_destroy *)packet_body(&ask))->key = ref;
	else if (request == KF_DRV_DROP)
		((struct kf_drv_drop *)packet_body(&ask))->slot = reader->slot;
	else
		((struct kf_drv_power_cycle *)packet_body(&ask))->slot = reader->slot;
	link_ask(reader->device, reader, step, &ask, LINK_CHORE_MS);
}

/* Return: whether the driver is busy with one now. */
static bool chore_start(struct reader *reader)
{
	struct key *key = list_first(&reader->dead_keys, struct key, link);

	if (reader->reset_due)
		chore(reader, LINK_CHORE_RESET, KF_DRV_POWER_CYCLE, 0);
	else if (security_must_go(&reader->security))
		chore(reader, LINK_CHORE_DROP, KF_DRV_DROP, 0);
	else if (key)
		chore(reader, LINK_CHORE_DESTROY, KF_KEY_DESTROY, key->ref);
	else
		return false;
	return true;
}

static bool may_have_turn(const struct queued *queued, const void *arg)
{
	const struct job *job = list_entry(queued, struct job, queued);
	const struct reader *reader = arg;

	return !reader->txn.holder || reader->txn.holder == job->context;
}

/* The next client's drop would take its keys along. */
static void hold_for_keys(struct reader *reader, struct context *context)
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

/* What the broker answers itself, refusals included. Return: whether that is all there is to it. */
static bool turn_is_done_here(struct reader *reader, struct job *job)
{
	const struct kf_relay_apdu *apdu = packet_read(&job->request);
	uint16_t reason = 0;
	uint32_t detail = 0;

	if (txn_is_relay(&reader->txn) && !is_of_relay(nr_of(job))) {
		job_fail(job, -EPROTO, KF_REASON_RELAY_HELD, 0);
		return true;
	}
	switch (nr_of(job)) {
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
		if (!turn_is_done_here(reader, job))
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
	if (nr_of(job) == KF_KEK_CREATE)
		return create->flags & KF_PIN_LAST_TRY ? 0 : KF_PIN_PUK;
	if (nr_of(job) == KF_KEK_SET)
		return set->flags & KF_PIN_LAST_TRY ? 0 : KF_PIN_PUK;
	if (nr_of(job) == KF_CARD_INIT)
		return init->flags & KF_PIN_LAST_TRY ? 0 : KF_PIN_PUK;
	if (!job->pin_charged || (verify->flags & KF_PIN_LAST_TRY))
		return 0;
	return nr_of(job) == KF_PIN_UNBLOCK ? KF_PIN_PUK : verify->pin;
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
	uint32_t nr = nr_of(job);
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
	if (leaves_state(nr_of(job)))
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
		chore(reader, LINK_DROP, KF_DRV_DROP, 0);
	else if (pin)
		turn_ask_tries(reader, pin);
	else
		turn_go(reader);
}

/* The card holds nobody's state any more. */
static void state_dropped(struct reader *reader, const struct packet *reply)
{
	const struct kf_drv_drop *drop = packet_read(reply);
	struct context *context;

	security_happens(&reader->security, SECURITY_DROPPED, NULL);
	if ((drop->flags & KF_DRV_DROPPED_KEYS) == 0)
		return;
	list_each(context, &reader->contexts, in_reader)
		if (context_has_card(context))
			context_happens(context, CONTEXT_RESET, KF_REASON_RESET);
}

/* A card that was taken out meanwhile was not reset, whatever its driver says. */
static int was_reset(struct reader *reader, const struct packet *reply)
{
	const struct kf_drv_power_cycle *cycle = packet_read(reply);

	if (reader->entry.state != KF_READER_CARD || cycle->atr_len > sizeof(cycle->atr)) {
		link_break(reader->device);
		return -EIO;
	}
	reader_was_reset(reader, BYTES(cycle->atr, cycle->atr_len));
	return 0;
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

static void fill_card_info(struct reader *reader, struct context *context, struct kf_card_info *info)
{
	info->generation = reader->entry.generation;
	info->verified = reader->security.owner == context ? context->pins : 0;
	info->atr_len = reader->entry.atr_len;
	memcpy(info->atr, reader->entry.atr, sizeof(info->atr));
}

static void pin_was_right(struct reader *reader, struct context *context, uint32_t pin)
{
	if (!context || reader->security.owner != context || pin == 0 || pin >= KF_PINS_MAX)
		return;
	context->pins |= 1u << pin;
	context->pin_lost = false;
}

/* The first failure ends it [DESIGN section 6], and the card is reset before anybody's turn. */
static void relay_over(struct reader *reader, const struct job *job)
{
	if (job->context && txn_is_relay(&reader->txn))
		txn_abandon(reader, job->context);
}

static void relay_was_answered(struct reader *reader, struct job *job, struct kf_relay_apdu *said)
{
	const struct kf_relay_apdu *ask = packet_read(&job->request);

	said->number = ask->number;
	said->flags = 0;
	if (((said->sw ^ ask->expect) & ask->mask) == 0)
		return;
	said->flags = KF_RELAY_ENDED;
	relay_over(reader, job);
}

/*
 * Another card lies there now, or might: whatever anybody knew of it is void. What the card refused
 * before it began, or never got, changed nothing.
 */
static void card_was_made_new(struct reader *reader, const struct job *job, int result)
{
	bool untouched = result == -EKEYREJECTED || result == -EKEYREVOKED || result == -EPERM ||
			 result == -EINVAL || result == -EOPNOTSUPP;

	if (nr_of(job) == KF_CARD_INIT && !untouched)
		reader->reset_due = true;
}

/* An order about PINs leaves the card logged in, or out where it was in. */
static void pins_were_touched(struct reader *reader, struct job *job)
{
	const struct kf_process *process = packet_read(&job->request);

	if (process->function == KF_FUNCTION_AUTHENTICATE)
		pin_was_right(reader, job->context, KF_PIN_USER);
	else if (process->function == KF_FUNCTION_CHANGE_AUTHENTICATOR && job->context)
		job->context->pins = 0;
}

/* For the card to be rid of, when there is nobody it could belong to. */
static void bury_session_key(struct reader *reader, uint64_t ref)
{
	struct key *key = calloc(1, sizeof(*key));

	if (!key) {
		reader->reset_due = true;
		return;
	}
	key->ref = ref;
	list_init(&key->link);
	list_push(&reader->dead_keys, &key->link);
}

/* The card has a session key now; whatever happens, somebody will destroy it. */
static int take_session_key(struct reader *reader, struct context *context,
			    struct kf_session_import *import)
{
	struct key *key;
	int r;

	if (import->key == 0) {
		link_break(reader->device);
		return -EIO;
	}
	if (!context) {			/* asked for by somebody who left */
		bury_session_key(reader, import->key);
		return -ESTALE;
	}
	/* Only now is it known which container the sid is for. */
	if (!client_may(context->client, reader, request_right_to_inject(import->target),
			import->target)) {
		bury_session_key(reader, import->key);
		return -EACCES;
	}
	r = key_new(context, import->key, &key);
	if (r < 0)
		return r;
	key->target = import->target;
	import->key = key->handle;
	hold_for_keys(reader, context);
	return 0;
}

static void key_was_destroyed(struct reader *reader, struct job *job)
{
	struct key *key = job->key;
	struct context *context = job->context;

	if (!key)
		return;
	job->key = NULL;
	key_end(key, KF_REASON_CLOSED, false);
	if (context->n_keys == 0)
		txn_keys_gone(reader, context);
}

/* Success, in the client's terms. Return: 0, or what to say instead. */
static int translate(struct reader *reader, struct job *job, const struct packet *from,
		     struct packet *to)
{
	struct context *context = job->context;
	const struct kf_pin_verify *verify = packet_read(&job->request);
	void *body = packet_body(to);
	int r;

	switch (nr_of(job)) {
	case KF_CARD_RESET:
		r = was_reset(reader, from);
		((struct kf_card_reset *)body)->generation = reader->entry.generation;
		return r;
	case KF_PIN_LOGOUT:
		state_dropped(reader, from);
		if (context)
			context->pin_lost = false;
		return 0;
	case KF_PIN_VERIFY:
	case KF_PIN_PAD_VERIFY:
		pin_was_right(reader, context, verify->pin);
		return 0;
	case KF_PIN_STATUS:
		((struct kf_pin_status *)body)->flags &= ~KF_PIN_VERIFIED;
		if (context && reader->security.owner == context &&
		    (context->pins >> (verify->pin % 32) & 1))
			((struct kf_pin_status *)body)->flags |= KF_PIN_VERIFIED;
		return 0;
	case KF_CARD_INFO:
		if (context)
			fill_card_info(reader, context, body);
		return 0;
	case KF_SESSION_IMPORT:
		return take_session_key(reader, context, body);
	case KF_RELAY_APDU:
		relay_was_answered(reader, job, body);
		return 0;
	case KF_PROCESS:
		pins_were_touched(reader, job);
		return 0;
	case KF_KEY_DESTROY:
		key_was_destroyed(reader, job);
		return 0;
	default:
		return 0;
	}
}

/*
 * The card may have compared the PIN all the same: else a deadline or a cancel that comes just
 * after it would make guesses free of charge.
 */
static bool outcome_unknown(int result, uint16_t reason)
{
	if (reason == KF_REASON_PAD_CANCELLED || reason == KF_REASON_PAD_TIMEOUT)
		return false;		/* it ended at the keys, and no PIN came to the card */
	return result == -ECANCELED || result == -ETIMEDOUT || result == -EIO;
}

/* The PUK goes along with it; whoever gave the PIN keeps it. */
static bool is_about_puk(uint32_t nr)
{
	return nr == KF_KEK_CREATE || nr == KF_KEK_SET || nr == KF_CARD_INIT;
}

static void turn_failed(struct reader *reader, const struct packet *reply)
{
	struct job *job = reader->running;
	struct packet out = packet_reply(&job->request, reply->header.result);
	struct context *context = job->context;
	int result = reply->header.result;

	out.header.sw = reply->header.sw;
	out.header.reason = reply->header.reason;
	out.header.detail = reply->header.detail;
	if (nr_of(job) == KF_RELAY_APDU)
		relay_over(reader, job);
	card_was_made_new(reader, job, result);
	if (result == -EKEYREJECTED || outcome_unknown(result, reply->header.reason))
		job->pin_charged = false;	/* spent, not given back */
	if (context && context->pin_lost && result == -EPERM &&
	    out.header.reason == KF_REASON_PIN_NEEDED)
		out.header.reason = KF_REASON_PIN_LOST;
	if ((result == -ECANCELED || result == -ETIMEDOUT) && out.header.reason == 0)
		out.header.reason = KF_REASON_ON_CARD;
	if ((result == -EKEYREJECTED || result == -EKEYREVOKED) && context &&
	    reader->security.owner == context && !is_about_puk(nr_of(job)))
		context->pins = 0;
	job_answer(job, &out);
}

/* The session that was made is not for who asked: whether a key's or PINs', its target tells. */
static uint32_t right_missing(const struct packet *reply)
{
	const struct kf_session_import *import = packet_read(reply);

	return request_right_to_inject(import->target);
}

static void turn_done(struct reader *reader, const struct packet *reply)
{
	struct job *job = reader->running;
	struct packet out;
	int r;

	out = packet_reply(&job->request, 0);
	if (reply->shape == job->request.shape) {
		out.body = reply->body;
		memcpy(out.parts, reply->parts, sizeof(out.parts));
	}
	memcpy(packet_body(&out), packet_read(&job->request), sizeof(uint64_t));
	card_was_made_new(reader, job, 0);
	r = translate(reader, job, reply, &out);
	if (r == -EACCES)
		job_fail(job, r, KF_REASON_RIGHT_HERE, right_missing(reply));
	else if (r < 0)
		job_fail(job, r, r == -EDQUOT ? KF_REASON_QUOTA_KEYS : KF_REASON_NONE,
			 r == -EDQUOT ? reader->broker->quota.limit[QUOTA_KEYS] : 0);
	else
		job_answer(job, &out);
}

/* None: a reset came in between. */
static void bury_first(struct reader *reader)
{
	struct key *key = list_first(&reader->dead_keys, struct key, link);

	if (!key)
		return;
	list_drop(&key->link);
	free(key);
}

/* What the request may have left in the card, whatever came of it. */
static void card_was_used(struct reader *reader)
{
	struct context *context = reader->running->context;

	if (leaves_state(nr_of(reader->running)))
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
		state_dropped(reader, reply);
		break;
	case TURN_DO_WAS_RESET:
		(void)was_reset(reader, reply);
		break;
	case TURN_DO_BURY:
		bury_first(reader);
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
		turn_done(reader, reply);
		break;
	case TURN_DO_FAIL:
		card_was_used(reader);
		turn_failed(reader, reply);
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
