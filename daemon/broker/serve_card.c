/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/serve_card.c - Requests that end at the card: what can be refused without it is
 * refused here, the rest waits for its turn.
 */
#include "daemon/broker/apdu.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/card.h"
#include "daemon/broker/client.h"
#include "daemon/broker/context.h"
#include "daemon/broker/job.h"
#include "daemon/broker/reader.h"
#include "daemon/broker/request.h"

#define PIN_MAX 64

static int no_card(struct call *call)
{
	const struct reader *reader = call->context->reader;
	uint32_t state = reader->entry.state;

	call->reason = state == KF_READER_STARTING ? KF_REASON_DRIVER_STARTING : KF_REASON_NONE;
	if (reader_is_unserved(reader)) {
		call->reason = KF_REASON_READER_STATE;
		call->detail = state;
	}
	return -ENOMEDIUM;
}

static int queue_up(struct call *call, struct job **out)
{
	struct job *job;
	int r;

	if (!context_has_card(call->context))
		return no_card(call);
	r = job_new(call->client, call->context, call->frame, &job, &call->reason);
	if (r < 0) {
		call->detail = call->broker->quota.limit[QUOTA_BYTES];
		return r;
	}
	job->key = call->key;
	r = job_queue(job);
	if (r < 0) {
		job_free(job);
		return r;
	}
	*out = job;
	return CALL_LATER;
}

int on_card(struct call *call)
{
	struct job *job;
	int r = queue_up(call, &job);

	if (r == CALL_LATER)
		card_kick(job->reader);
	return r;
}

static int pin_part_valid(struct bytes value)
{
	return value.n >= 1 && value.n <= PIN_MAX ? 0 : -EINVAL;
}

static int pin_parts_valid(const struct packet *request)
{
	int r;

	switch (request->shape->request) {
	case KF_PIN_VERIFY:
		return pin_part_valid(packet_get(request, kf_pin_verify, value));
	case KF_PIN_CHANGE:
		r = pin_part_valid(packet_get(request, kf_pin_change, old_value));
		return r < 0 ? r : pin_part_valid(packet_get(request, kf_pin_change, new_value));
	default:
		r = pin_part_valid(packet_get(request, kf_pin_unblock, puk));
		return r < 0 ? r : pin_part_valid(packet_get(request, kf_pin_unblock, new_value));
	}
}

/*
 * Tries of this uid under way at other readers; 0 if there is one at this reader, too. So each card gets
 * one at a time beyond what the budget has, and every one that turns out wrong is spent all the same.
 */
static uint32_t tries_elsewhere(const struct call *call)
{
	const struct client *client;
	const struct job *job;
	uint32_t n = 0;

	list_each(client, &call->broker->clients, link) {
		if (client->user != call->client->user)
			continue;
		list_each(job, &client->jobs, in_client) {
			if (job->pin_charged && job->reader == call->context->reader)
				return 0;
			n += job->pin_charged;
		}
	}
	return n;
}

/* One that carries a PIN or PUK is charged to the uid's budget until it turns out right. */
static int charged_turn(struct call *call)
{
	struct client *client = call->client;
	struct job *job;
	int r;

	if (!context_has_card(call->context))
		return no_card(call);
	if (quota_pin_try(client->user, now_ns(), tries_elsewhere(call), &call->detail) < 0) {
		call->reason = KF_REASON_QUOTA_PIN;
		log_provoked(&call->broker->log, "client=%u uid=%u: PIN refused, too many wrong ones",
			     client->number, client->uid);
		return -EDQUOT;
	}
	r = queue_up(call, &job);
	if (r != CALL_LATER) {
		quota_pin_back(client->user);
		return r;
	}
	job->pin_charged = true;
	card_kick(job->reader);
	return r;
}

static int pin_turn(struct call *call)
{
	const struct kf_pin_verify *ask = packet_read(call->request);

	if (ask->pin == 0 || ask->pin >= KF_PINS_MAX)
		return -EINVAL;
	return charged_turn(call);
}

int on_pin(struct call *call)
{
	int r = pin_parts_valid(call->request);

	return r < 0 ? r : pin_turn(call);
}

/* Typed at the reader. One without a keypad is not made to say so. */
int on_pin_pad(struct call *call)
{
	bool change = call->request->shape->request == KF_PIN_PAD_CHANGE;
	uint32_t needed = change ? KF_FEATURE_PIN_CHANGE : KF_FEATURE_PIN_VERIFY;

	if (context_has_card(call->context) &&
	    !(call->context->reader->device->hello.features & needed)) {
		call->reason = KF_REASON_NO_PINPAD;
		return -EOPNOTSUPP;
	}
	return pin_turn(call);
}

/* What the administrator does to KEKs: the PUK goes along and counts like any. */
int on_puk(struct call *call)
{
	bool create = call->request->shape->request == KF_KEK_CREATE;
	struct bytes puk = create ? packet_get(call->request, kf_kek_create, puk) :
				    packet_get(call->request, kf_kek_set, puk);
	struct bytes name = create ? packet_get(call->request, kf_kek_create, name) : BYTES_NONE;
	int r = pin_part_valid(puk);

	if (r == 0 && create && (name.n == 0 || name.n > KF_KID_MAX)) {
		call->reason = KF_REASON_BYOK;
		call->detail = KF_BYOK_KEK_NAME;
		r = -EINVAL;
	}
	return r < 0 ? r : charged_turn(call);
}

/* A request may do more, by its flags, than the right of its row is for. */
static int also_needs(struct call *call, uint32_t right, uint32_t container)
{
	if (call_may(call, right, container))
		return 0;
	return call_refuse(call, call->client->rights & right ? KF_REASON_RIGHT_HERE : KF_REASON_RIGHT,
			   right);
}

/*
 * What no KEK of any size and no name can have made costs the card no turn. Here the client names the
 * key to be replaced, and no signed envelope does: so it deletes, too.
 */
int on_byok(struct call *call)
{
	const struct kf_byok_import *ask = packet_read(call->request);
	struct bytes blob = packet_get(call->request, kf_byok_import, blob);
	struct bytes kid = packet_get(call->request, kf_byok_import, kid);
	int r = 0;

	call->reason = KF_REASON_BYOK;
	if (blob.n == 0 || blob.n > KF_BLOB_MAX) {
		call->detail = KF_BYOK_BLOB;
		return -EINVAL;
	}
	if (kid.n > KF_KID_MAX) {
		call->detail = KF_BYOK_KEK_UNKNOWN;
		return -ENOENT;
	}
	call->reason = KF_REASON_NONE;
	if (ask->flags & KF_BYOK_REPLACE)
		r = also_needs(call, KF_RIGHT_DELETE, ask->container);
	return r < 0 ? r : on_card(call);
}

/* Turning a container into an exchange key is for ever: more than injecting. */
int on_offer(struct call *call)
{
	const struct kf_offer *ask = packet_read(call->request);
	int r = 0;

	if (ask->flags & KF_OFFER_EXISTING)
		r = also_needs(call, KF_RIGHT_CREATE, ask->exchange_container);
	return r < 0 ? r : on_card(call);
}

/* The SO-PIN goes along and counts like any PIN. */
int on_card_init(struct call *call)
{
	const struct kf_card_init *ask = packet_read(call->request);
	int r = pin_part_valid(packet_get(call->request, kf_card_init, so_pin));

	if (r == 0)
		r = pin_part_valid(packet_get(call->request, kf_card_init, pin));
	if (r < 0)
		return r;
	if (packet_get(call->request, kf_card_init, label).n >= KF_LABEL_MAX ||
	    ask->n_shares > KF_DKEK_SHARES_MAX)
		return -EINVAL;
	return charged_turn(call);
}

int on_dkek_share(struct call *call)
{
	if (packet_get(call->request, kf_dkek_share, share).n != KF_DKEK_SHARE_SIZE)
		return -EINVAL;
	return on_card(call);
}

/* Nothing in a blob names the key it replaces, so the client deletes it. */
int on_blob_unwrap(struct call *call)
{
	const struct kf_blob_unwrap *ask = packet_read(call->request);
	struct bytes blob = packet_get(call->request, kf_blob_unwrap, blob);
	int r = 0;

	if (blob.n == 0 || blob.n > KF_BLOB_MAX ||
	    packet_get(call->request, kf_blob_unwrap, cert).n > KF_CERT_MAX ||
	    packet_get(call->request, kf_blob_unwrap, label).n > KF_KEY_LABEL_MAX ||
	    packet_get(call->request, kf_blob_unwrap, id).n > KF_KEY_ID_MAX) {
		call->reason = KF_REASON_BLOB;
		call->detail = KF_BLOB_FORM;
		return -EINVAL;
	}
	if (ask->flags & KF_BLOB_REPLACE)
		r = also_needs(call, KF_RIGHT_DELETE, ask->container);
	return r < 0 ? r : on_card(call);
}

int on_apdu(struct call *call)
{
	uint8_t ins = 0;
	int r = apdu_screen(packet_get(call->request, kf_apdu, command), &ins);

	if (r == -EACCES) {
		call->reason = KF_REASON_APDU_CLASS;
		call->detail = ins;
	}
	return r < 0 ? r : on_card(call);
}

int on_relay_begin(struct call *call)
{
	const struct kf_relay_begin *ask = packet_read(call->request);

	if (ask->count == 0 || ask->count > KF_RELAY_APDUS_MAX)
		return -EINVAL;
	return on_card(call);
}

/* What is in a channel is opaque; what is in none has to be of a kind that makes one. */
int on_relay_apdu(struct call *call)
{
	uint8_t ins = 0;
	int r = apdu_screen_relay(packet_get(call->request, kf_relay_apdu, command), &ins);

	if (r == -EACCES) {
		call->reason = KF_REASON_RELAY_PLAIN;
		call->detail = ins;
	}
	return r < 0 ? r : on_card(call);
}
