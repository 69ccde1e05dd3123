/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/request.c - The table and the one path through it. What a request looks like
 * (shortest struct, parts, flags) is in proto/shape.c; here is who may ask it of what. A driver's
 * own requests have no row and are unknown to clients.
 */
#include "daemon/broker/request.h"

#include "daemon/broker/broker.h"
#include "daemon/broker/client.h"
#include "daemon/broker/context.h"
#include "daemon/broker/job.h"
#include "daemon/broker/policy.h"
#include "daemon/broker/reader.h"

#include <assert.h>
#include <stdlib.h>

#define REQUEST(nr, handle_, right_, handler_) \
	{ .request = (nr), .handle = (handle_), .right = (right_), .handler = (handler_) }
/* One that serves orders about PINs, too, for who has the right to carry those. */
#define REQUEST_OR_PIN(nr, handle_, handler_) \
	{ .request = (nr), .handle = (handle_), .right = KF_RIGHT_INJECT, \
	  .pin_right = KF_RIGHT_PIN, .handler = (handler_) }
/* One that names a container, in @field_ of its struct. */
#define REQUEST_TO(nr, handle_, right_, handler_, struct_, field_) \
	{ .request = (nr), .handle = (handle_), .right = (right_), .handler = (handler_), \
	  .container = offsetof(struct struct_, field_) }

static const struct request_rule request_rules[] = {
	/*      request              handle it names  right needed         handler */
	REQUEST(KF_HELLO,            HANDLE_NONE,     0,                   on_hello),
	REQUEST(KF_STATUS,           HANDLE_NONE,     KF_RIGHT_LOOK,       on_status),
	REQUEST(KF_CLIENTS,          HANDLE_NONE,     KF_RIGHT_LOOK,       on_clients),
	REQUEST(KF_EVENTS,           HANDLE_NONE,     KF_RIGHT_LOOK,       on_events),
	REQUEST(KF_CANCEL,           HANDLE_NONE,     KF_RIGHT_LOOK,       on_cancel),
	REQUEST(KF_POLICY,           HANDLE_NONE,     KF_RIGHT_LOOK,       on_policy),
	REQUEST(KF_READER_LIST,      HANDLE_NONE,     KF_RIGHT_LOOK,       on_reader_list),
	REQUEST(KF_READER_INFO,      HANDLE_NONE,     KF_RIGHT_LOOK,       on_reader_info),
	REQUEST(KF_CONTEXT_OPEN,     HANDLE_NONE,     KF_RIGHT_LOOK,       on_context_open),
	REQUEST(KF_CONTEXT_CLOSE,    HANDLE_CONTEXT,  KF_RIGHT_LOOK,       on_context_close),
	REQUEST(KF_CARD_INFO,        HANDLE_CONTEXT,  KF_RIGHT_LOOK,       on_card),
	REQUEST(KF_DEVICE_CERT,      HANDLE_CONTEXT,  KF_RIGHT_LOOK,       on_card),
	REQUEST(KF_CARD_RESET,       HANDLE_CONTEXT,  KF_RIGHT_ADMIN,      on_card),
	REQUEST(KF_PIN_STATUS,       HANDLE_CONTEXT,  KF_RIGHT_LOOK,       on_card),
	REQUEST(KF_PIN_VERIFY,       HANDLE_CONTEXT,  KF_RIGHT_USE,        on_pin),
	REQUEST(KF_PIN_CHANGE,       HANDLE_CONTEXT,  KF_RIGHT_USE,        on_pin),
	REQUEST(KF_PIN_UNBLOCK,      HANDLE_CONTEXT,  KF_RIGHT_USE,        on_pin),
	REQUEST(KF_PIN_PAD_VERIFY,   HANDLE_CONTEXT,  KF_RIGHT_USE,        on_pin_pad),
	REQUEST(KF_PIN_PAD_CHANGE,   HANDLE_CONTEXT,  KF_RIGHT_USE,        on_pin_pad),
	REQUEST(KF_PIN_LOGOUT,       HANDLE_CONTEXT,  KF_RIGHT_USE,        on_card),
	REQUEST(KF_CONTAINER_LIST,   HANDLE_CONTEXT,  KF_RIGHT_LOOK,       on_card),
	REQUEST_TO(KF_CONTAINER_INFO,   HANDLE_CONTEXT,  KF_RIGHT_LOOK,       on_card,
		   kf_container_info, entry.container),
	REQUEST_TO(KF_CONTAINER_CREATE, HANDLE_CONTEXT,  KF_RIGHT_CREATE,     on_card,
		   kf_container_create, container),
	REQUEST_TO(KF_CONTAINER_DELETE, HANDLE_CONTEXT,  KF_RIGHT_DELETE,     on_card,
		   kf_container_delete, container),
	REQUEST_TO(KF_CERT_STORE,       HANDLE_CONTEXT,  KF_RIGHT_CREATE,     on_card,
		   kf_cert_store, container),
	REQUEST_TO(KF_CERT_READ,        HANDLE_CONTEXT,  KF_RIGHT_LOOK,       on_card,
		   kf_cert_read, container),
	REQUEST_TO(KF_SIGN,             HANDLE_CONTEXT,  KF_RIGHT_USE,        on_card,
		   kf_sign, container),
	REQUEST_TO(KF_DECRYPT,          HANDLE_CONTEXT,  KF_RIGHT_USE,        on_card,
		   kf_decrypt, container),
	REQUEST_TO(KF_AGREE,            HANDLE_CONTEXT,  KF_RIGHT_USE,        on_card,
		   kf_agree, container),
	REQUEST_TO(KF_CIPHER,           HANDLE_CONTEXT,  KF_RIGHT_USE,        on_card,
		   kf_cipher, container),
	{ .request = KF_OFFER, .handle = HANDLE_CONTEXT, .right = KF_RIGHT_INJECT,
	  .pin_right = KF_RIGHT_PIN, .container = offsetof(struct kf_offer, container),
	  .handler = on_offer },
	REQUEST_OR_PIN(KF_SESSION_IMPORT, HANDLE_CONTEXT,                    on_card),
	REQUEST_OR_PIN(KF_KEY_PROP_GET,   HANDLE_KEY,                        on_card),
	REQUEST_OR_PIN(KF_KEY_PROP_SET,   HANDLE_KEY,                        on_card),
	REQUEST_OR_PIN(KF_PROCESS,        HANDLE_KEY,                        on_card),
	REQUEST_OR_PIN(KF_KEY_DESTROY,    HANDLE_KEY,                        on_card),
	REQUEST_OR_PIN(KF_RECEIPT_GET,    HANDLE_CONTEXT,                    on_card),
	REQUEST_TO(KF_KEK_CREATE,       HANDLE_CONTEXT,  KF_RIGHT_KEK,        on_puk,
		   kf_kek_create, container),
	REQUEST(KF_KEK_LIST,         HANDLE_CONTEXT,  KF_RIGHT_LOOK,       on_card),
	REQUEST_TO(KF_KEK_ATTEST,       HANDLE_CONTEXT,  KF_RIGHT_LOOK,       on_card,
		   kf_kek_attest, container),
	REQUEST_TO(KF_KEK_SET,          HANDLE_CONTEXT,  KF_RIGHT_KEK,        on_puk,
		   kf_kek_set, container),
	REQUEST_TO(KF_BYOK_IMPORT,      HANDLE_CONTEXT,  KF_RIGHT_INJECT,     on_byok,
		   kf_byok_import, container),
	REQUEST(KF_CARD_INIT,        HANDLE_CONTEXT,  KF_RIGHT_INIT,       on_card_init),
	REQUEST(KF_DKEK_STATUS,      HANDLE_CONTEXT,  KF_RIGHT_LOOK,       on_card),
	REQUEST(KF_DKEK_SHARE,       HANDLE_CONTEXT,  KF_RIGHT_KEK,        on_dkek_share),
	REQUEST(KF_DKEK_DOMAIN,      HANDLE_CONTEXT,  KF_RIGHT_KEK,        on_card),
	REQUEST_TO(KF_BLOB_WRAP,        HANDLE_CONTEXT,  KF_RIGHT_WRAP,       on_card,
		   kf_blob_wrap, container),
	REQUEST_TO(KF_BLOB_UNWRAP,      HANDLE_CONTEXT,  KF_RIGHT_INJECT,     on_blob_unwrap,
		   kf_blob_unwrap, container),
	REQUEST(KF_APDU,             HANDLE_CONTEXT,  KF_RIGHT_RAW,        on_apdu),
	REQUEST(KF_RELAY_BEGIN,      HANDLE_CONTEXT,  KF_RIGHT_RELAY,      on_relay_begin),
	REQUEST(KF_RELAY_APDU,       HANDLE_CONTEXT,  KF_RIGHT_RELAY,      on_relay_apdu),
	REQUEST(KF_RELAY_END,        HANDLE_CONTEXT,  KF_RIGHT_RELAY,      on_card),
	REQUEST(KF_TXN_BEGIN,        HANDLE_CONTEXT,  KF_RIGHT_USE,        on_card),
	REQUEST(KF_TXN_END,          HANDLE_CONTEXT,  KF_RIGHT_USE,        on_card),
};

const struct request_rule *request_find(uint32_t request)
{
	for (size_t i = 0; i < sizeof(request_rules) / sizeof(request_rules[0]); i++)
		if (_IOC_NR(request_rules[i].request) == _IOC_NR(request) &&
		    _IOC_TYPE(request) == KF_TYPE)
			return &request_rules[i];
	return NULL;
}

const struct request_rule *request_at(size_t i)
{
	return i < sizeof(request_rules) / sizeof(request_rules[0]) ? &request_rules[i] : NULL;
}

/* A session key is for the container its offer was for, whoever made that offer. */
static uint32_t container_of_call(const struct call *call, const struct request_rule *rule)
{
	uint32_t container;

	if (rule->request == KF_PROCESS)
		return call->key->target;
	if (rule->container == 0)
		return POLICY_SOME_CONTAINER;
	memcpy(&container, (const uint8_t *)packet_read(call->request) + rule->container,
	       sizeof(container));
	return container;
}

/* What is said to be missing: the more fitting of the two, if the request tells. */
static uint32_t right_wanted(const struct call *call, const struct request_rule *rule)
{
	bool pins = rule->pin_right && rule->container &&
		    container_of_call(call, rule) == KF_CONTAINER_PINS;

	return pins ? rule->pin_right : rule->right;
}

static int check_rights(struct call *call, const struct request_rule *rule)
{
	uint32_t missing = right_wanted(call, rule) & ~call->client->rights;

	if (call->client->rights == 0) {
		call->reason = KF_REASON_NO_RULE;
		return -EACCES;
	}
	/* Which of the two it takes is seen when it is known what it is about. */
	if (rule->pin_right & call->client->rights)
		return 0;
	return missing ? call_refuse(call, KF_REASON_RIGHT, missing) : 0;
}

int call_refuse(struct call *call, enum kf_reason reason, uint32_t right)
{
	call->reason = (uint16_t)reason;
	call->detail = right;
	log_provoked(&call->broker->log, "client=%u uid=%u: %s refused, right 0x%x missing%s",
		     call->client->number, call->client->uid, call->request->shape->name, right,
		     reason == KF_REASON_RIGHT_HERE ? " for this reader or container" : "");
	return -EACCES;
}

uint32_t request_right_to_inject(uint32_t target)
{
	return target == KF_CONTAINER_PINS ? KF_RIGHT_PIN : KF_RIGHT_INJECT;
}

/* Where nothing tells what it is about, either right will do; the card's answer will tell. */
static uint32_t right_of_call(const struct call *call, const struct request_rule *rule,
			      uint32_t container)
{
	if (rule->pin_right == 0)
		return rule->right;
	if (container != POLICY_SOME_CONTAINER)
		return request_right_to_inject(container);
	return call_may(call, rule->pin_right, container) ? rule->pin_right : rule->right;
}

/* With the object looked up it is known which reader and which container it is about. */
static int check_place(struct call *call, const struct request_rule *rule)
{
	uint32_t container, right;

	if (!call->context)
		return 0;
	container = container_of_call(call, rule);
	right = right_of_call(call, rule, container);
	if (call_may(call, right, container))
		return 0;
	/* What one has must stay possible to give back, whatever a new table says. */
	if (rule->request == KF_CONTEXT_CLOSE || rule->request == KF_KEY_DESTROY)
		return 0;
	return call_refuse(call, call->client->rights & right ? KF_REASON_RIGHT_HERE : KF_REASON_RIGHT,
			   right);
}

bool call_may(const struct call *call, uint32_t right, uint32_t container)
{
	return client_may(call->client, call->context->reader, right, container);
}

static int look_up(struct call *call, const struct request_rule *rule)
{
	uint64_t id = *(const uint64_t *)packet_read(call->request);
	void *object = NULL;
	int r;

	if (rule->handle == HANDLE_NONE)
		return 0;
	r = handle_lookup(&call->broker->handles, &call->client->handles, id, rule->handle,
			  &object, &call->reason);
	if (r < 0)
		return r;
	if (rule->handle == HANDLE_KEY) {
		call->key = object;
		call->context = call->key->context;
	} else {
		call->context = object;
	}
	return 0;
}

static int check_turn(struct call *call, const struct request_rule *rule)
{
	struct client *client = call->client;

	if (!client->said_hello && rule->request != KF_HELLO) {
		call->reason = KF_REASON_NO_HELLO;
		return -EPROTO;
	}
	if (client->n_jobs >= CLIENT_REQUESTS && rule->request != KF_CANCEL) {
		call->reason = KF_REASON_QUOTA_REQUESTS;
		call->detail = CLIENT_REQUESTS;
		return -EDQUOT;
	}
	return 0;
}

static int request_run(struct call *call)
{
	const struct request_rule *rule = request_find(call->request->header.request);
	int r;

	if (!rule)
		return -ENOTTY;
	r = check_turn(call, rule);
	if (r == 0)
		r = check_rights(call, rule);
	if (r == 0)
		r = look_up(call, rule);
	if (r == 0)
		r = check_place(call, rule);
	/* A stale context can be closed; the handler says what that means. */
	if (r == -ESTALE && rule->request == KF_CONTEXT_CLOSE)
		r = 0;
	return r < 0 ? r : rule->handler(call);
}

static void answer(struct call *call, int r)
{
	if (r == 0)
		r = request_run(call);
	if (r == 0)
		client_send(call->client, &call->reply);
	else if (r < 0)
		client_fail(call->client, call->request, r, call->reason, call->detail);
}

int request_serve(struct client *client, struct bytes frame)
{
	struct packet request;
	struct call call = {
		.broker = client->broker, .client = client, .request = &request, .frame = frame,
	};
	int r = packet_parse(frame, &request);

	if (r == -EBADMSG || request.header.kind != KF_KIND_REQUEST ||
	    job_find(client, request.header.seq))
		return -EPROTO;
	call.reply = packet_reply(&request, 0);
	answer(&call, r);
	return 0;
}

void request_again(struct client *client, struct bytes frame, uint64_t deadline_ns, bool looked)
{
	struct packet request;
	struct call call = {
		.broker = client->broker, .client = client, .request = &request, .frame = frame,
		.deadline_ns = deadline_ns, .looked = looked,
	};
	int r = packet_parse(frame, &request);

	assert(r == 0);
	call.reply = packet_reply(&request, 0);
	answer(&call, r);
}
