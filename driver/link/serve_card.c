/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/link/serve_card.c - Requests about the card as a whole: what it is, and its PINs.
 */
#include "driver/link/call.h"

/* --- the card --- */

static int on_card_info(struct call *call)
{
	struct kf_card_info info = { 0 };
	int r;

	r = driver_of(call)->info(call->seat->card, &info);
	if (r < 0)
		return r;
	card_describe(call->seat->card, &info);
	packet_set_string(info.driver, driver_of(call)->name);
	*OUT(call, kf_card_info) = info;
	return 0;
}

static int on_device_cert(struct call *call)
{
	int r = driver_of(call)->device_cert(call->seat->card, &call->out);

	if (r == 0)
		SET_PART(call, kf_device_cert, chain, 0);
	return r;
}

/* --- PINs --- */

static int on_pin_status(struct call *call)
{
	return driver_of(call)->pin_status(call->seat->card, OUT(call, kf_pin_status));
}

static int on_pin_verify(struct call *call)
{
	const struct card_pin pin = {
		.id = IN(call, kf_pin_verify)->pin,
		.last_try = IN(call, kf_pin_verify)->flags & KF_PIN_LAST_TRY,
		.value = PART(call, kf_pin_verify, value),
	};

	return driver_of(call)->pin_verify(call->seat->card, &pin);
}

static int on_pin_change(struct call *call)
{
	const struct card_pin pin = {
		.id = IN(call, kf_pin_change)->pin,
		.last_try = IN(call, kf_pin_change)->flags & KF_PIN_LAST_TRY,
		.value = PART(call, kf_pin_change, old_value),
		.new_value = PART(call, kf_pin_change, new_value),
	};

	return driver_of(call)->pin_change(call->seat->card, &pin);
}

static int on_pin_unblock(struct call *call)
{
	const struct card_pin pin = {
		.id = IN(call, kf_pin_unblock)->pin,
		.last_try = IN(call, kf_pin_unblock)->flags & KF_PIN_LAST_TRY,
		.value = PART(call, kf_pin_unblock, puk),
		.new_value = PART(call, kf_pin_unblock, new_value),
	};

	return driver_of(call)->pin_unblock(call->seat->card, &pin);
}

static int on_pin_pad(struct call *call,
		      int (*verb)(struct card *card, const struct card_pin *pin))
{
	const struct card_pin pin = {
		.id = IN(call, kf_pin_pad)->pin,
		.last_try = IN(call, kf_pin_pad)->flags & KF_PIN_LAST_TRY,
	};

	return verb(call->seat->card, &pin);
}

static int on_pin_pad_verify(struct call *call)
{
	return on_pin_pad(call, driver_of(call)->pin_pad_verify);
}

static int on_pin_pad_change(struct call *call)
{
	return on_pin_pad(call, driver_of(call)->pin_pad_change);
}

static int on_logout(struct call *call)
{
	return driver_of(call)->drop(call->seat->card);
}

const struct call_rule serve_card_rules[] = {
	{ KF_CARD_INFO,		NEEDS_CARD,	VERB(info),		on_card_info },
	{ KF_DEVICE_CERT,	NEEDS_CARD,	VERB(device_cert),	on_device_cert },

	{ KF_PIN_STATUS,	NEEDS_CARD,	VERB(pin_status),	on_pin_status },
	{ KF_PIN_VERIFY,	NEEDS_CARD,	VERB(pin_verify),	on_pin_verify },
	{ KF_PIN_CHANGE,	NEEDS_CARD,	VERB(pin_change),	on_pin_change },
	{ KF_PIN_UNBLOCK,	NEEDS_CARD,	VERB(pin_unblock),	on_pin_unblock },
	{ KF_PIN_PAD_VERIFY,	NEEDS_CARD,	VERB(pin_pad_verify),	on_pin_pad_verify },
	{ KF_PIN_PAD_CHANGE,	NEEDS_CARD,	VERB(pin_pad_change),	on_pin_pad_change },
	{ KF_PIN_LOGOUT,	NEEDS_CARD,	VERB(drop),		on_logout },
	{ 0 }
};
