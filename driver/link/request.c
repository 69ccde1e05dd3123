/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/link/request.c - The way of each request: its row, what that needs, its handler, and what goes
 * with an error. The rows and their handlers are in serve_*.c.
 */
#include "driver/link/request.h"

#include "driver/link/call.h"
#include "driver/link/hook.h"

static const struct call_rule *const tables[] = {
	serve_reader_rules,
	serve_card_rules,
	serve_container_rules,
	serve_kek_rules,
	serve_session_rules,
};

static const struct call_rule *rule_find(uint32_t request)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct call_rule *rule = tables[i]; rule->handle; rule++)
			if (_IOC_NR(rule->request) == _IOC_NR(request))
				return rule;
	return NULL;
}

/* Every verb is a pointer to a function; all of them look alike when none is set. */
static bool has_verb(const struct card_driver *driver, size_t verb)
{
	const uint8_t *at = (const uint8_t *)driver + verb;

	return !bytes_are_zero(BYTES(at, sizeof(void (*)(void))));
}

static int check(const struct call *call, const struct call_rule *rule)
{
	const struct service *s = call->s;

	if (!rule)
		return -ENOTTY;
	if (!s->greeted && rule->request != KF_DRV_HELLO)
		return -EPROTO;
	if (rule->needs == NEEDS_NOTHING)
		return 0;
	if (!call->seat)
		return -EINVAL;
	if (rule->needs == NEEDS_SLOT)
		return 0;
	if (!call->seat->card)
		return -ENOMEDIUM;
	if (rule->verb == NO_VERB)
		return 0;
	return driver_of(call) && has_verb(driver_of(call), rule->verb) ? 0 : -EOPNOTSUPP;
}

/* Goes to wherever the card is, and not to the application. */
static bool is_raw(uint32_t request)
{
	return request == KF_APDU || request == KF_RELAY_APDU;
}

static int run(struct call *call, const struct call_rule *rule)
{
	int r = check(call, rule);

	if (r < 0)
		return r;
	if (rule->needs == NEEDS_CARD && !is_raw(rule->request))
		r = card_begin(call->seat->card, call->deadline);
	return r < 0 ? r : rule->handle(call);
}

static struct deadline deadline_of(const struct packet *request)
{
	uint32_t ms = request->header.deadline_ms;

	if (ms == 0)
		ms = KF_DEADLINE_DEFAULT_MS;
	return deadline_in(ms < KF_DEADLINE_MAX_MS ? ms : KF_DEADLINE_MAX_MS);
}

/* Requests that name a session key, and with it the slot it lives in. */
static bool names_a_key(uint32_t request)
{
	return request == KF_KEY_PROP_GET || request == KF_KEY_PROP_SET || request == KF_PROCESS ||
	       request == KF_KEY_DESTROY;
}

static struct seat *seat_of_key(struct service *s, uint64_t key)
{
	for (unsigned int i = 0; i < s->reader->desc.n_slots; i++)
		if (s->seats[i].card && card_session_find(&s->seats[i].card->sessions, key))
			return &s->seats[i];
	return &s->seats[0];	/* where it will not be found either */
}

static struct seat *seat_of(struct service *s, const struct packet *request)
{
	const void *body = packet_read(request);
	uint32_t number = request->shape->request;
	uint64_t slot;

	if (names_a_key(number))
		return seat_of_key(s, *(const uint64_t *)body);
	if (number == KF_DRV_DROP)
		slot = ((const struct kf_drv_drop *)body)->slot;
	else if (number == KF_DRV_POWER_CYCLE)
		slot = ((const struct kf_drv_power_cycle *)body)->slot;
	else
		slot = *(const uint64_t *)body;		/* context */
	return slot < s->reader->desc.n_slots ? &s->seats[slot] : NULL;
}

/* What goes with an error: the card's words, or which end of the wire it was. */
static void explain(const struct call *call, struct kf_header *header)
{
	const struct service *s = call->s;
	const struct card *card = call->seat ? call->seat->card : NULL;

	if (card) {
		header->sw = card->said.sw;
		header->reason = card->said.reason;
		header->detail = card->said.detail;
	}
	if (header->reason != KF_REASON_NONE)
		return;
	if (header->result == -ENODEV)
		header->reason = KF_REASON_READER_GONE;
	if (header->result == -EPROTO && !s->greeted)
		header->reason = KF_REASON_NO_HELLO;
}

void request_serve(struct service *s, int error, const struct packet *request,
		   struct packet *reply)
{
	struct call call = {
		.s = s, .request = request, .reply = reply,
		.out = pack_begin(s->out, SERVICE_OUT_MAX),
		.deadline = deadline_of(request),
	};
	int r = error;

	*reply = packet_reply(request, 0);
	if (error == 0) {
		call.seat = seat_of(s, request);
		if (call.seat && call.seat->card)
			card_begin_raw(call.seat->card, call.deadline);
		memcpy(reply->body.raw, request->body.raw, sizeof(reply->body.raw));
		for (size_t i = 0; i < SHAPE_FIELDS; i++)
			hook_bytes(request->parts[i]);
		r = run(&call, rule_find(request->header.request));
	}
	s->out_n = call.out.n;
	if (r < 0) {
		struct packet failed = packet_reply(request, r);

		*reply = failed;
		if (error == 0)
			explain(&call, &reply->header);
	}
	if (call.seat && call.seat->card)
		card_forget(call.seat->card);
}
