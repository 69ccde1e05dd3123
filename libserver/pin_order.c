// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/pin_order.c - What cannot succeed at the card is refused here: a PIN of a length that
 * the card does not take would only cost it a try.
 */
#include "libserver/pin_order.h"
#include "base/error.h"

#define WHAT "cannot make an order about a PIN"

enum { LEAST_TRIES_DEFAULT = 2, LEAST_TRIES_MAX = 127 };

/* So that neither has to be looked at again: the card application's bounds for a PIN. */
static int take_pin(struct secret *pin, struct bytes value, const char *which, struct kf_error *e)
{
	int r;

	if (value.n < APP_PIN_MIN || value.n > APP_PIN_MAX)
		return error_why(e, -EINVAL, "docs/card-application.md 1: 4 to 32 bytes",
				 "give another one", "the %s has %zu bytes", which, value.n);
	r = secret_init(pin, APP_PIN_MAX);
	return r < 0 ? r : secret_set(pin, value);
}

static int order_new(enum kf_function function, uint32_t target, uint32_t authenticator,
		     struct kf_pin_order **out)
{
	struct kf_pin_order *order = calloc(1, sizeof(*order));

	if (!order)
		return -ENOMEM;
	order->function = function;
	order->target = target;
	order->authenticator = authenticator;
	order->least_tries = LEAST_TRIES_DEFAULT;
	*out = order;
	return 0;
}

int kf_pin_order_change(unsigned int pin, const void *old, size_t old_len, const void *fresh,
			size_t fresh_len, struct kf_pin_order **out, struct kf_error *e)
{
	_cleanup_(kf_pin_order_freep) struct kf_pin_order *order = NULL;
	int r;

	if (pin != KF_PIN_USER && pin != KF_PIN_PUK)
		r = error_why(e, -EINVAL, "docs/card-application.md 1", "name PIN or PUK",
			      "the card has no PIN with the number %u", pin);
	else
		r = order_new(KF_FUNCTION_CHANGE_AUTHENTICATOR, pin, pin, &order);
	if (r == 0)
		r = take_pin(&order->proof, BYTES(old, old_len), "old value", e);
	if (r == 0)
		r = take_pin(&order->fresh, BYTES(fresh, fresh_len), "new value", e);
	if (r < 0)
		return error_what(e, r, WHAT);
	*out = take_ptr(order);
	return 0;
}

int kf_pin_order_unblock(const void *puk, size_t puk_len, const void *fresh, size_t fresh_len,
			 struct kf_pin_order **out, struct kf_error *e)
{
	_cleanup_(kf_pin_order_freep) struct kf_pin_order *order = NULL;
	int r = order_new(KF_FUNCTION_CHANGE_AUTHENTICATOR, KF_PIN_USER, KF_PIN_PUK, &order);

	if (r == 0)
		r = take_pin(&order->proof, BYTES(puk, puk_len), "PUK", e);
	if (r == 0)
		r = take_pin(&order->fresh, BYTES(fresh, fresh_len), "new PIN", e);
	if (r < 0)
		return error_what(e, r, WHAT);
	*out = take_ptr(order);
	return 0;
}

int kf_pin_order_authenticate(const void *pin, size_t pin_len, unsigned int flags,
			      struct kf_pin_order **out, struct kf_error *e)
{
	_cleanup_(kf_pin_order_freep) struct kf_pin_order *order = NULL;
	int r;

	/* It would come out at the client, and open the card there as the PIN does. */
	if (flags != 0)
		r = error_why(e, -EACCES, "SECURITY section 9: a session PIN over this path is refused",
			      "authenticate without one", "a session PIN is asked for");
	else
		r = order_new(KF_FUNCTION_AUTHENTICATE, KF_PIN_USER, KF_PIN_USER, &order);
	if (r == 0)
		r = take_pin(&order->proof, BYTES(pin, pin_len), "PIN", e);
	if (r < 0)
		return error_what(e, r, WHAT);
	*out = take_ptr(order);
	return 0;
}

struct kf_pin_order *kf_pin_order_free(struct kf_pin_order *order)
{
	if (!order)
		return NULL;
	secret_deinit(&order->proof);
	secret_deinit(&order->fresh);
	free(order);
	return NULL;
}

int kf_pin_order_set_least_tries(struct kf_pin_order *order, unsigned int tries, struct kf_error *e)
{
	if (tries < 1 || tries > LEAST_TRIES_MAX) {
		(void)error_why(e, -EINVAL, "docs/formats.md 13", "name 1 to 127 tries",
				"at least %u tries are asked for", tries);
		return error_what(e, -EINVAL, WHAT);
	}
	order->least_tries = tries;
	return 0;
}

int pin_order_encode(const struct kf_pin_order *order, struct secret *out)
{
	const struct pin_item item = {
		.authenticator = order->authenticator,
		.least_tries = order->least_tries,
		.proof = secret_bytes(&order->proof),
		.fresh = secret_bytes(&order->fresh),
	};
	int r = secret_init(out, PIN_ITEM_SIZE);

	return r < 0 ? r : pin_item_encode(&item, out);
}
