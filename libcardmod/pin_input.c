// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libcardmod/pin_input.c - What the card's PINs can do to each other is little, and all else is
 * refused here, before anything is sealed: the PIN changes itself, the PUK changes itself or unblocks
 * the PIN, the PIN logs in.
 */
#include "libcardmod/pin_input.h"
#include "keyferry/server.h"

DEFINE_CLEANUP(struct kf_pin_order *, kf_pin_order_free);

static DWORD misfit(struct module *module)
{
	return module_bad_argument(module, "cbInput does not fit the structure in pbInput");
}

static DWORD check_version(struct module *module, uint32_t version)
{
	if (version == CARD_AUTHENTICATE_CURRENT_VERSION)	/* 7, as of the other */
		return SCARD_S_SUCCESS;
	return module_refuse(module, ERROR_REVISION_MISMATCH, "keyferry/cardmod.h",
			     "set dwVersion to 7", "the structure has version %u", version);
}

/* --- CARD_CHANGE_AUTHENTICATOR --- */

struct change {
	uint32_t version, flags, authenticator, target, retries;
	struct bytes proof, fresh;
};

static bool unpack_change(struct bytes input, struct change *c)
{
	struct unpacker u = unpack_begin(input);
	uint32_t n_proof, n_fresh;

	c->version = unpack_le32(&u);
	c->flags = unpack_le32(&u);
	c->authenticator = unpack_le32(&u);
	n_proof = unpack_le32(&u);
	c->target = unpack_le32(&u);
	n_fresh = unpack_le32(&u);
	c->retries = unpack_le32(&u);
	c->proof = unpack_bytes(&u, n_proof);
	c->fresh = unpack_bytes(&u, n_fresh);
	return unpack_end(&u) == 0;
}

static DWORD check_change(struct module *module, const struct change *c)
{
	DWORD status = check_version(module, c->version);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (c->flags != PIN_CHANGE_FLAG_UNBLOCK && c->flags != PIN_CHANGE_FLAG_CHANGEPIN)
		return module_bad_argument(module, "dwFlags is neither change nor unblock");
	if ((c->authenticator != ROLE_USER && c->authenticator != ROLE_ADMIN) ||
	    (c->target != ROLE_USER && c->target != ROLE_ADMIN))
		return module_bad_argument(module, "the card has no such PIN");
	if (c->flags == PIN_CHANGE_FLAG_UNBLOCK
		    ? c->authenticator != ROLE_ADMIN || c->target != ROLE_USER
		    : c->authenticator != c->target)
		return module_bad_argument(module, "a PIN is changed by itself, and the user's is "
						   "unblocked by ROLE_ADMIN");
	if (c->retries != 0 && c->retries != CARD_DATA_VALUE_UNKNOWN)
		return module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE, "the card", "pass 0",
				     "the number of tries is the card's own");
	return SCARD_S_SUCCESS;
}

static DWORD take_change(struct module *module, struct bytes input, struct kf_pin_order **out)
{
	struct change c;
	DWORD status;
	int r;

	if (!unpack_change(input, &c))
		return misfit(module);
	status = check_change(module, &c);
	if (status != SCARD_S_SUCCESS)
		return status;
	if (c.flags == PIN_CHANGE_FLAG_UNBLOCK)
		r = kf_pin_order_unblock(c.proof.p, c.proof.n, c.fresh.p, c.fresh.n, out,
					 &module->e);
	else
		r = kf_pin_order_change(c.target, c.proof.p, c.proof.n, c.fresh.p, c.fresh.n, out,
					&module->e);
	return module_server_result(module, r);
}

/* --- CARD_AUTHENTICATE --- */

struct authenticate {
	uint32_t version, flags, pin;
	struct bytes proof;
};

static bool unpack_authenticate(struct bytes input, struct authenticate *a)
{
	struct unpacker u = unpack_begin(input);
	uint32_t n;

	a->version = unpack_le32(&u);
	a->flags = unpack_le32(&u);
	a->pin = unpack_le32(&u);
	n = unpack_le32(&u);
	a->proof = unpack_bytes(&u, n);
	return unpack_end(&u) == 0;
}

static DWORD check_authenticate(struct module *module, const struct authenticate *a)
{
	const uint32_t session = CARD_AUTHENTICATE_GENERATE_SESSION_PIN |
				 CARD_AUTHENTICATE_SESSION_PIN;
	DWORD status = check_version(module, a->version);

	if (status != SCARD_S_SUCCESS)
		return status;
	if ((a->flags & ~(session | CARD_PIN_SILENT_CONTEXT)) != 0)
		return module_bad_argument(module, "dwFlags has an unknown bit");
	if (a->pin == ROLE_ADMIN)
		return module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE, "the card",
				     "use CARD_CHANGE_AUTHENTICATOR",
				     "the PUK unblocks the PIN and does nothing else");
	if (a->pin != ROLE_USER)
		return module_bad_argument(module, "the card has no such PIN");
	return SCARD_S_SUCCESS;
}

static DWORD take_authenticate(struct module *module, struct bytes input,
			       struct kf_pin_order **out)
{
	struct authenticate a;
	DWORD status;

	if (!unpack_authenticate(input, &a))
		return misfit(module);
	status = check_authenticate(module, &a);
	if (status != SCARD_S_SUCCESS)
		return status;
	/* Nobody is asked for a PIN here, so that "silent" says nothing. */
	return module_server_result(module,
				    kf_pin_order_authenticate(a.proof.p, a.proof.n,
							      a.flags & ~(uint32_t)CARD_PIN_SILENT_CONTEXT,
							      out, &module->e));
}

DWORD pin_input_take(struct module *module, enum kf_function function, struct bytes input,
		     DWORD least_tries, struct kf_pin_order **out)
{
	_cleanup_(kf_pin_order_freep) struct kf_pin_order *order = NULL;
	DWORD status = function == KF_FUNCTION_AUTHENTICATE
			       ? take_authenticate(module, input, &order)
			       : take_change(module, input, &order);
	int r;

	if (status != SCARD_S_SUCCESS)
		return status;
	r = kf_pin_order_set_least_tries(order, least_tries, &module->e);
	if (r < 0)
		return module_server_result(module, r);
	*out = take_ptr(order);
	return SCARD_S_SUCCESS;
}
