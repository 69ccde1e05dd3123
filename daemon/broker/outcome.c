/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/outcome.c - From the driver's numbers back to the client's handles, and what the broker
 * learns on that way: whose PIN was right, which session key there is now, whether a try was spent.
 */
#include "daemon/broker/outcome.h"

#include "daemon/broker/broker.h"
#include "daemon/broker/chore.h"
#include "daemon/broker/client.h"
#include "daemon/broker/context.h"
#include "daemon/broker/hold.h"
#include "daemon/broker/job.h"
#include "daemon/broker/reader.h"
#include "daemon/broker/request.h"

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

static void relay_was_answered(struct reader *reader, struct job *job, struct kf_relay_apdu *said)
{
	const struct kf_relay_apdu *ask = packet_read(&job->request);

	said->number = ask->number;
	said->flags = 0;
	if (((said->sw ^ ask->expect) & ask->mask) == 0)
		return;
	said->flags = KF_RELAY_ENDED;
	hold_end_relay(reader, job);
}

/*
 * Another card lies there now, or might: whatever anybody knew of it is void. What the card refused
 * before it began, or never got, changed nothing.
 */
static void card_was_made_new(struct reader *reader, const struct job *job, int result)
{
	bool untouched = result == -EKEYREJECTED || result == -EKEYREVOKED || result == -EPERM ||
			 result == -EINVAL || result == -EOPNOTSUPP;

	if (job_nr(job) == KF_CARD_INIT && !untouched)
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
		chore_bury(reader, import->key);
		return -ESTALE;
	}
	/* Only now is it known which container the sid is for. */
	if (!client_may(context->client, reader, request_right_to_inject(import->target),
			import->target)) {
		chore_bury(reader, import->key);
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

	switch (job_nr(job)) {
	case KF_CARD_RESET:
		r = chore_was_reset(reader, from);
		((struct kf_card_reset *)body)->generation = reader->entry.generation;
		return r;
	case KF_PIN_LOGOUT:
		chore_dropped(reader, from);
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

void outcome_failed(struct reader *reader, const struct packet *reply)
{
	struct job *job = reader->running;
	struct packet out = packet_reply(&job->request, reply->header.result);
	struct context *context = job->context;
	int result = reply->header.result;

	out.header.sw = reply->header.sw;
	out.header.reason = reply->header.reason;
	out.header.detail = reply->header.detail;
	if (job_nr(job) == KF_RELAY_APDU)
		hold_end_relay(reader, job);
	card_was_made_new(reader, job, result);
	if (result == -EKEYREJECTED || outcome_unknown(result, reply->header.reason))
		job->pin_charged = false;	/* spent, not given back */
	if (context && context->pin_lost && result == -EPERM &&
	    out.header.reason == KF_REASON_PIN_NEEDED)
		out.header.reason = KF_REASON_PIN_LOST;
	if ((result == -ECANCELED || result == -ETIMEDOUT) && out.header.reason == 0)
		out.header.reason = KF_REASON_ON_CARD;
	if ((result == -EKEYREJECTED || result == -EKEYREVOKED) && context &&
	    reader->security.owner == context && !is_about_puk(job_nr(job)))
		context->pins = 0;
	job_answer(job, &out);
}

/* The session that was made is not for who asked: whether a key's or PINs', its target tells. */
static uint32_t right_missing(const struct packet *reply)
{
	const struct kf_session_import *import = packet_read(reply);

	return request_right_to_inject(import->target);
}

void outcome_done(struct reader *reader, const struct packet *reply)
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
