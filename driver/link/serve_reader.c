/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/link/serve_reader.c - Requests that no card driver is needed for: about the reader, the power
 * in a slot, and APDUs as they come.
 */
#include "driver/link/call.h"

#include "driver/ccid/reader.h"

static enum kf_exchange exchange_of(enum ccid_level level)
{
	switch (level) {
	case CCID_LEVEL_TPDU:
		return KF_EXCHANGE_TPDU;
	case CCID_LEVEL_SHORT_APDU:
		return KF_EXCHANGE_SHORT_APDU;
	case CCID_LEVEL_EXTENDED_APDU:
		return KF_EXCHANGE_EXTENDED_APDU;
	}
	return KF_EXCHANGE_UNKNOWN;
}

static int on_hello(struct call *call)
{
	const struct ccid_desc *desc = &call->s->reader->desc;
	struct kf_drv_hello *out = OUT(call, kf_drv_hello);

	if (call->s->greeted)
		return -EPROTO;
	if (out->version != KF_PROTO_VERSION)
		return -EPROTO;
	*out = (struct kf_drv_hello){
		.version = KF_PROTO_VERSION,
		.features = (desc->pin_support & 1 ? KF_FEATURE_PIN_VERIFY : 0) |
			    (desc->pin_support & 2 ? KF_FEATURE_PIN_CHANGE : 0),
		.exchange = exchange_of(desc->level),
		.max_message = desc->max_message,
		.vendor = desc->vendor,
		.product = desc->product,
		.guards = call->s->guards,
	};
	if (reader_is_silent(call->s->reader)) {
		out->features |= KF_FEATURE_POLLED;
		call->s->reader->watch = false;
		call->s->told_silent = true;
	}
	packet_set_string(out->product_name, call->s->reader->name);
	packet_set_string(out->driver_version, KF_VERSION);
	out->n_slots = desc->n_slots;
	out->busy_slots = desc->busy_slots;
	call->s->greeted = true;
	return 0;
}

static int on_power_cycle(struct call *call)
{
	struct kf_drv_power_cycle *out = OUT(call, kf_drv_power_cycle);
	int r;

	/* Not one that nobody was told of, and that this process may have no business with (seat.c). */
	if (call->seat->holds == SEAT_EMPTY)
		return -ENOMEDIUM;
	r = seat_power_up(call->seat, call->deadline);
	if (r < 0)
		return r;
	out->atr_len = (uint32_t)call->seat->card->atr.n;
	memset(out->atr, 0, sizeof(out->atr));
	memcpy(out->atr, call->seat->card->atr.p, call->seat->card->atr.n);
	return 0;
}

static int on_watch(struct call *call)
{
	struct kf_drv_watch *out = OUT(call, kf_drv_watch);
	int r = reader_watch(call->s->reader, out->flags & KF_DRV_WATCH_ON, call->deadline);

	if (r < 0)
		return r;
	out->behind = service_behind(call->s);
	return 0;
}

/* A card without a verb for it, or a card nobody knows, can only be made to forget by a reset. */
static int on_drop(struct call *call)
{
	struct card *card = call->seat->card;
	int r;

	OUT(call, kf_drv_drop)->flags = 0;
	if (card->driver && card->driver->drop)
		return card->driver->drop(card);
	r = seat_power_up(call->seat, call->deadline);
	if (r == 0)
		OUT(call, kf_drv_drop)->flags = KF_DRV_DROPPED_KEYS;
	return r;
}

static int on_apdu(struct call *call)
{
	int r = card_raw(call->seat->card, PART(call, kf_apdu, command), &call->out);

	if (r == 0)
		SET_PART(call, kf_apdu, response, 0);
	return r;
}

/* The status word goes to the broker as a number, for it has to judge it and reads no card's bytes. */
static int on_relay_apdu(struct call *call)
{
	struct bytes response, sw;
	int r = card_raw(call->seat->card, PART(call, kf_relay_apdu, command), &call->out);

	if (r < 0)
		return r;
	response = laid_since(call, 0);
	sw = bytes_slice(response, response.n - 2, 2);
	OUT(call, kf_relay_apdu)->sw = (uint32_t)(sw.p[0] << 8 | sw.p[1]);
	SET_PART(call, kf_relay_apdu, response, 0);
	return 0;
}

const struct call_rule serve_reader_rules[] = {
	{ KF_DRV_HELLO,		NEEDS_NOTHING,	NO_VERB,		on_hello },
	{ KF_DRV_POWER_CYCLE,	NEEDS_SLOT,	NO_VERB,		on_power_cycle },
	{ KF_DRV_DROP,		NEEDS_CARD,	NO_VERB,		on_drop },
	{ KF_DRV_WATCH,		NEEDS_NOTHING,	NO_VERB,		on_watch },
	{ KF_APDU,		NEEDS_CARD,	NO_VERB,		on_apdu },
	{ KF_RELAY_APDU,	NEEDS_CARD,	NO_VERB,		on_relay_apdu },
	{ 0 }
};
