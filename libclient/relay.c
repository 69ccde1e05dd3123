/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libclient/relay.c - A server's APDUs, one after the other, to a card that is nobody else's meanwhile. */
#include "base/error.h"
#include "libclient/blob.h"

KF_EXPORT int kf_relay_begin(struct kf_context *context, const char *name, uint32_t hold_ms,
			     uint32_t count)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_relay_begin *begin = call_begin_card(&call, context, KF_RELAY_BEGIN);

	if (!context || !name)
		return -EINVAL;
	begin->hold_ms = hold_ms > KF_TXN_MAX_MS ? KF_TXN_MAX_MS : hold_ms;
	begin->count = count;
	packet_set_string(begin->name, name);
	return call_run(&call, "cannot begin the relay");
}

/* The answer is what the server has to see, so it is handed out with the error. */
static int ended(struct kf_context *context, uint32_t number, uint32_t sw)
{
	struct kf_error *e = &context->client->failure.error;
	int r = error_why(e, -ECANCELED, "the list says which status word each APDU has to end with",
			  "give the answers to the server: it knows what that means",
			  "APDU %u ended with status word %04x, which its list does not expect",
			  number, sw & 0xffff);

	return error_what(e, r, "the relay has ended, and the card was reset");
}

KF_EXPORT int kf_relay_apdu(struct kf_context *context, uint32_t number, const uint8_t *command,
			    size_t len, uint16_t expect, uint16_t mask, struct kf_blob **response)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_relay_apdu *apdu = call_begin_card(&call, context, KF_RELAY_APDU);
	const struct kf_relay_apdu *reply;
	int r;

	if (!context || !command || !response)
		return -EINVAL;
	apdu->number = number;
	apdu->expect = expect;
	apdu->mask = mask;
	call_set(&call, kf_relay_apdu, command, BYTES(command, len));
	r = call_run(&call, "cannot relay APDU %u", number);
	if (r < 0)
		return r;
	r = blob_new(&call, call_get(&call, kf_relay_apdu, response), response);
	if (r < 0)
		return r;
	reply = call_reply(&call);
	return reply->flags & KF_RELAY_ENDED ? ended(context, number, reply->sw) : 0;
}

KF_EXPORT int kf_relay_end(struct kf_context *context)
{
	_cleanup_(call_end) struct call call = CALL_INIT;

	(void)call_begin_card(&call, context, KF_RELAY_END);
	if (!context)
		return -EINVAL;
	return call_run(&call, "cannot end the relay");
}
