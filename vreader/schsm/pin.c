/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * User PIN and SO-PIN. A try is spent on the disk before the comparison: whoever cuts the power after
 * seeing the answer, or before, has spent it.
 */
#include "vreader/schsm/command.h"

static struct hsm_pin *pin_of(struct hsm_state *state, uint8_t reference)
{
	return reference == HSM_USER_PIN ? &state->user : &state->so;
}

static bool *verified_of(struct hsm *hsm, uint8_t reference)
{
	return reference == HSM_USER_PIN ? &hsm->user_verified : &hsm->so_verified;
}

/* Return: 0 with the try spent in the state in force, a status word, or a negative errno. */
static int spend_try(struct hsm *hsm, uint8_t reference)
{
	_cleanup_(hsm_state_freep) struct hsm_state *next = NULL;
	int r = hsm_begin(hsm, &next);

	if (r < 0)
		return r;
	if (!pin_of(next, reference)->value)
		return SW_NO_OBJECT;
	if (pin_of(next, reference)->tries == 0)
		return SW_BLOCKED;
	pin_of(next, reference)->tries--;
	return hsm_commit(hsm, &next);
}

/* Return: 0 if @given matches; the caller's own commit then gives the tries back. */
static int compare(struct hsm *hsm, uint8_t reference, struct bytes given)
{
	const struct hsm_pin *pin;
	int r = spend_try(hsm, reference);

	if (r != 0)
		return r;
	pin = pin_of(hsm->state, reference);
	if (bytes_equal_ct(blob_bytes(pin->value), given))
		return 0;
	*verified_of(hsm, reference) = false;
	return SW_TRIES | pin->tries;
}

int hsm_so_pin_compare(struct hsm *hsm, struct bytes given)
{
	return compare(hsm, HSM_SO_PIN, given);
}

static bool length_is_good(uint8_t reference, struct bytes value)
{
	if (reference == HSM_SO_PIN)
		return value.n == HSM_SO_PIN_SIZE;
	return value.n >= HSM_PIN_MIN && value.n <= HSM_PIN_MAX;
}

/* Gives the tries of @proof back and, if @fresh is not empty, sets @target to it, in one commit. */
static int settle(struct hsm *hsm, uint8_t proof, uint8_t target, struct bytes fresh)
{
	_cleanup_(hsm_state_freep) struct hsm_state *next = NULL;
	int r = hsm_begin(hsm, &next);

	if (r < 0)
		return r;
	pin_of(next, proof)->tries = pin_of(next, proof)->max;
	if (fresh.n != 0) {
		r = hsm_pin_set(pin_of(next, target), fresh);
		if (target == HSM_USER_PIN)
			next->transport = false;
	}
	return r < 0 ? r : hsm_commit(hsm, &next);
}

static int status(struct hsm *hsm, uint8_t reference)
{
	const struct hsm_pin *pin = pin_of(hsm->state, reference);

	if (!pin->value)
		return SW_NO_OBJECT;
	if (*verified_of(hsm, reference))
		return SW_OK;
	if (reference == HSM_USER_PIN && hsm->state->transport)
		return SW_TRANSPORT_PIN;
	return pin->tries == 0 ? SW_BLOCKED : SW_TRIES | pin->tries;
}

HSM_RUN(hsm_verify)
{
	int r;

	(void)out;
	if (request->data.n == 0)
		return status(hsm, request->p2);
	if (request->p2 == HSM_USER_PIN && hsm->state->transport)
		return SW_TRANSPORT_PIN;
	r = compare(hsm, request->p2, request->data);
	if (r == 0)
		r = settle(hsm, request->p2, request->p2, BYTES_NONE);
	if (r != 0)
		return r;
	*verified_of(hsm, request->p2) = true;
	return SW_OK;
}

/* The old value has no end of its own: it is as long as the one in force. */
HSM_RUN(hsm_change)
{
	size_t n = blob_bytes(pin_of(hsm->state, request->p2)->value).n;
	struct bytes old = bytes_slice(request->data, 0, n);
	struct bytes fresh = bytes_slice(request->data, n, request->data.n);
	int r = compare(hsm, request->p2, old);

	(void)out;
	if (r != 0)
		return r;
	if (!length_is_good(request->p2, fresh)) {
		r = settle(hsm, request->p2, request->p2, BYTES_NONE);
		return r != 0 ? r : SW_DATA;
	}
	r = settle(hsm, request->p2, request->p2, fresh);
	if (r != 0)
		return r;
	*verified_of(hsm, request->p2) = true;
	return SW_OK;
}

/* What may be said before a try is spent. */
static int reset_check(const struct hsm *hsm, struct bytes fresh)
{
	if (!hsm->state->initialised || !hsm->state->user.value)
		return SW_NO_OBJECT;
	if (!(hsm->state->options & HSM_OPTION_RESET))
		return SW_CONDITIONS;
	return length_is_good(HSM_USER_PIN, fresh) ? SW_OK : SW_DATA;
}

HSM_RUN(hsm_reset_retry)
{
	struct bytes proof = bytes_slice(request->data, 0, HSM_SO_PIN_SIZE);
	struct bytes fresh = bytes_slice(request->data, HSM_SO_PIN_SIZE, request->data.n);
	int r = reset_check(hsm, fresh);

	(void)out;
	if (r != SW_OK)
		return r;
	r = compare(hsm, HSM_SO_PIN, proof);
	if (r == 0)
		r = settle(hsm, HSM_SO_PIN, HSM_USER_PIN, fresh);
	if (r != 0)
		return r;
	hsm->user_verified = false;
	return SW_OK;
}

HSM_RUN(hsm_reset_retry_verified)
{
	int r = reset_check(hsm, request->data);

	(void)out;
	if (r != SW_OK)
		return r;
	if (!hsm->so_verified)
		return SW_PIN_NEEDED;
	r = settle(hsm, HSM_SO_PIN, HSM_USER_PIN, request->data);
	if (r != 0)
		return r;
	hsm->user_verified = false;
	return SW_OK;
}
