/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libclient/pin.c - PINs go from the caller's memory into one packet buffer, which is wiped when
 * the call ends, however it does.
 */
#include "libclient/call.h"
#include "libclient/explain.h"

struct kf_pin {
	struct kf_pin_status status;
};

KF_EXPORT int kf_pin_read(struct kf_context *context, uint32_t pin, struct kf_pin **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_pin_status *status = call_begin_card(&call, context, KF_PIN_STATUS);
	struct kf_pin *copy;
	int r;

	if (!context || !out)
		return -EINVAL;
	status->pin = pin;
	r = call_run(&call, "cannot read the state of PIN %u", pin);
	if (r < 0)
		return r;
	copy = calloc(1, sizeof(*copy));
	if (!copy)
		return call_no_memory(&call);
	memcpy(&copy->status, call_reply(&call), sizeof(copy->status));
	*out = copy;
	return 0;
}

KF_EXPORT struct kf_pin *kf_pin_free(struct kf_pin *pin)
{
	free(pin);
	return NULL;
}

KF_EXPORT uint32_t kf_pin_flags(const struct kf_pin *pin)
{
	return pin->status.flags;
}

KF_EXPORT uint32_t kf_pin_tries_left(const struct kf_pin *pin)
{
	return pin->status.tries_left;
}

KF_EXPORT uint32_t kf_pin_tries_max(const struct kf_pin *pin)
{
	return pin->status.tries_max;
}

KF_EXPORT uint32_t kf_pin_min_len(const struct kf_pin *pin)
{
	return pin->status.min_len;
}

KF_EXPORT uint32_t kf_pin_max_len(const struct kf_pin *pin)
{
	return pin->status.max_len;
}

static int run_with_value(struct call *call, const char *what)
{
	const struct kf_pin_verify *asked = packet_read(&call->request);	/* they begin alike */
	int r = call_run(call, "%s", what);

	if (call->reply.header.result == -EINVAL && (asked->flags & ~KF_PIN_LAST_TRY) == 0 &&
	    (asked->pin == KF_PIN_USER || asked->pin == KF_PIN_PUK))
		explain_pin_length(&call->client->failure);
	return r;
}

KF_EXPORT int kf_pin_verify(struct kf_context *context, uint32_t pin, const char *value, size_t len,
			    uint32_t flags)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_pin_verify *verify = call_begin_card(&call, context, KF_PIN_VERIFY);

	if (!context || !value)
		return -EINVAL;
	verify->pin = pin;
	verify->flags = flags;
	call_set(&call, kf_pin_verify, value, BYTES(value, len));
	return run_with_value(&call, "cannot verify the PIN");
}

KF_EXPORT int kf_pin_change(struct kf_context *context, uint32_t pin, const char *old_value,
			    size_t old_len, const char *new_value, size_t new_len, uint32_t flags)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_pin_change *change = call_begin_card(&call, context, KF_PIN_CHANGE);

	if (!context || !old_value || !new_value)
		return -EINVAL;
	change->pin = pin;
	change->flags = flags;
	call_set(&call, kf_pin_change, old_value, BYTES(old_value, old_len));
	call_set(&call, kf_pin_change, new_value, BYTES(new_value, new_len));
	return run_with_value(&call, "cannot change the PIN");
}

/* A person types: a deadline that nobody chose is one for machines. */
#define PAD_VERIFY_MS	100000u
#define PAD_CHANGE_MS	200000u

static int pad(struct kf_context *context, uint32_t request, uint32_t pin, uint32_t flags,
	       uint32_t patience_ms)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_pin_pad *ask = call_begin_card(&call, context, request);

	if (!context)
		return -EINVAL;
	if (context->client->deadline_ms == 0)
		call_set_deadline(&call, patience_ms);
	ask->pin = pin;
	ask->flags = flags;
	return call_run(&call, request == KF_PIN_PAD_CHANGE ? "cannot change the PIN at the reader" :
						    "cannot verify the PIN at the reader");
}

KF_EXPORT int kf_pin_pad_verify(struct kf_context *context, uint32_t pin, uint32_t flags)
{
	return pad(context, KF_PIN_PAD_VERIFY, pin, flags, PAD_VERIFY_MS);
}

KF_EXPORT int kf_pin_pad_change(struct kf_context *context, uint32_t pin, uint32_t flags)
{
	return pad(context, KF_PIN_PAD_CHANGE, pin, flags, PAD_CHANGE_MS);
}

KF_EXPORT int kf_pin_unblock(struct kf_context *context, uint32_t pin, const char *puk,
			     size_t puk_len, const char *new_value, size_t new_len, uint32_t flags)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_pin_unblock *unblock = call_begin_card(&call, context, KF_PIN_UNBLOCK);
	int r;

	if (!context || !puk || !new_value)
		return -EINVAL;
	unblock->pin = pin;
	unblock->flags = flags;
	call_set(&call, kf_pin_unblock, puk, BYTES(puk, puk_len));
	call_set(&call, kf_pin_unblock, new_value, BYTES(new_value, new_len));
	r = run_with_value(&call, "cannot unblock the PIN");
	if (r == -EKEYREJECTED || r == -EKEYREVOKED)
		explain_puk(&context->client->failure);
	return r;
}

KF_EXPORT int kf_pin_logout(struct kf_context *context)
{
	_cleanup_(call_end) struct call call = CALL_INIT;

	(void)call_begin_card(&call, context, KF_PIN_LOGOUT);
	if (!context)
		return -EINVAL;
	return call_run(&call, "cannot drop the verified PIN");
}
