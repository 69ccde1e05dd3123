/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/link/serve_session.c - Requests of an injection: the offer, and the session key from its
 * import to its destruction.
 */
#include "driver/link/call.h"

static int on_offer(struct call *call)
{
	const struct card_driver *driver = driver_of(call);
	size_t chain;
	int r;

	r = driver->offer(call->seat->card, OUT(call, kf_offer), &call->out);
	if (r < 0)
		return r;
	chain = call->out.n;
	packet_set(call->reply, kf_offer, statement, bytes_slice(pack_done(&call->out), 0, chain));
	if (!driver->device_cert)
		return 0;
	r = driver->device_cert(call->seat->card, &call->out);
	if (r == 0)
		SET_PART(call, kf_offer, chain, chain);
	return r;
}

static int on_session_import(struct call *call)
{
	struct kf_session_import *out = OUT(call, kf_session_import);
	struct card_session *session;
	int r;

	r = card_session_new(&call->seat->card->sessions, &session);
	if (r < 0)
		return r;
	r = driver_of(call)->session_import(call->seat->card, IN(call, kf_session_import),
					    PART(call, kf_session_import, input), session, &call->out);
	if (r < 0) {
		card_session_drop(session);
		return r;
	}
	out->key = session->key;
	out->next_item = session->next_item;
	out->algorithm = session->algorithm;
	out->target = session->container;
	SET_PART(call, kf_session_import, output, 0);
	return 0;
}

static struct card_session *session_of(struct call *call, uint64_t key)
{
	return card_session_find(&call->seat->card->sessions, key);
}

static int on_prop_get(struct call *call)
{
	struct card_session *session = session_of(call, IN(call, kf_key_prop)->key);
	int r;

	if (!session)
		return -EBADF;
	r = card_session_get(session, IN(call, kf_key_prop)->prop, &call->out);
	if (r == 0)
		SET_PART(call, kf_key_prop, value, 0);
	return r;
}

static int on_prop_set(struct call *call)
{
	struct card_session *session = session_of(call, IN(call, kf_key_prop)->key);

	if (!session)
		return -EBADF;
	return card_session_set(session, IN(call, kf_key_prop)->prop,
				PART(call, kf_key_prop, value));
}

static int on_process(struct call *call)
{
	struct card_session *session = session_of(call, IN(call, kf_process)->key);
	int r;

	if (!session)
		return -EBADF;
	r = driver_of(call)->process(call->seat->card, session, OUT(call, kf_process),
				     PART(call, kf_process, item), &call->out);
	if (r == 0)
		SET_PART(call, kf_process, receipt, 0);
	return r;
}

static int on_key_destroy(struct call *call)
{
	struct card_session *session = session_of(call, IN(call, kf_key_destroy)->key);
	int r;

	if (!session)
		return -EBADF;
	r = driver_of(call)->session_destroy(call->seat->card, session);
	if (r == 0)
		card_session_drop(session);
	return r;
}

static int on_receipt_get(struct call *call)
{
	int r = driver_of(call)->receipt_get(call->seat->card, IN(call, kf_receipt_get), &call->out);

	if (r == 0)
		SET_PART(call, kf_receipt_get, receipt, 0);
	return r;
}

const struct call_rule serve_session_rules[] = {
	{ KF_OFFER,		NEEDS_CARD,	VERB(offer),		on_offer },
	{ KF_SESSION_IMPORT,	NEEDS_CARD,	VERB(session_import),	on_session_import },
	{ KF_KEY_PROP_GET,	NEEDS_CARD,	VERB(session_import),	on_prop_get },
	{ KF_KEY_PROP_SET,	NEEDS_CARD,	VERB(session_import),	on_prop_set },
	{ KF_PROCESS,		NEEDS_CARD,	VERB(process),		on_process },
	{ KF_KEY_DESTROY,	NEEDS_CARD,	VERB(session_destroy),	on_key_destroy },
	{ KF_RECEIPT_GET,	NEEDS_CARD,	VERB(receipt_get),	on_receipt_get },
	{ 0 }
};
