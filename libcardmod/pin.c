// SPDX-License-Identifier: LGPL-2.1-or-later
/* libcardmod/pin.c - PIN bytes go on as they came; libkeyferry wipes what it copies. */
#include "libcardmod/pin.h"
#include "libcardmod/module.h"
#include "libcardmod/utf16.h"

/* The number of tries goes with a wrong PIN only; at any other end it is unknown. */
static DWORD pin_result(struct module *module, int r, PDWORD left)
{
	DWORD status = module_card_result(module, r);

	if (!left)
		return status;
	if (status == SCARD_W_WRONG_CHV)
		*left = kf_client_detail(module->client) == KF_TRIES_UNKNOWN
				? CARD_DATA_VALUE_UNKNOWN : kf_client_detail(module->client);
	else if (status == SCARD_W_CHV_BLOCKED)
		*left = 0;
	else if (r == -EPERM && kf_client_reason(module->client) == KF_REASON_PIN_LAST_TRY)
		*left = 1;		/* not sent, so that it is not spent */
	return status;
}

static DWORD enter(PCARD_DATA card, const char *call, PDWORD left, struct module **module)
{
	if (left)
		*left = CARD_DATA_VALUE_UNKNOWN;
	return module_enter(card, MODULE_CARD, call, module);
}

static DWORD user_id(struct module *module, LPCWSTR user, PIN_ID *out)
{
	if (utf16_equal(user, wszCARD_USER_USER))
		*out = ROLE_USER;
	else if (utf16_equal(user, wszCARD_USER_ADMIN))
		*out = ROLE_ADMIN;
	else
		return module_bad_argument(module, "the user is neither \"user\" nor \"admin\"");
	return SCARD_S_SUCCESS;
}

static DWORD only_unblocks(struct module *module)
{
	return module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE, "the card",
			     "use CardUnblockPin or CardChangeAuthenticatorEx",
			     "the PUK unblocks the PIN and does nothing else");
}

static DWORD retries_fit(struct module *module, DWORD retries)
{
	return retries == 0 || retries == CARD_DATA_VALUE_UNKNOWN
		       ? SCARD_S_SUCCESS
		       : module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE, "the card",
				       "pass 0", "the number of tries is the card's own");
}

/* --- giving one --- */

static DWORD authenticate(struct module *module, PIN_ID id, PBYTE pin, DWORD len, PDWORD left)
{
	if (id == ROLE_ADMIN)
		return only_unblocks(module);
	if (id != ROLE_USER)
		return module_bad_argument(module, "the card has no such PIN");
	if (!pin || len == 0)
		return module_bad_argument(module, "there is no PIN");
	return pin_result(module, kf_pin_verify(module->context, KF_PIN_USER, (const char *)pin,
						len, 0), left);
}

DWORD WINAPI card_authenticate_pin(PCARD_DATA card, LPCWSTR user, PBYTE pin, DWORD len,
				   PDWORD left)
{
	struct module *module;
	PIN_ID id = ROLE_EVERYONE;
	DWORD status = enter(card, "CardAuthenticatePin", left, &module);

	if (status == SCARD_S_SUCCESS)
		status = user_id(module, user, &id);
	return status != SCARD_S_SUCCESS ? status : authenticate(module, id, pin, len, left);
}

DWORD WINAPI card_authenticate_ex(PCARD_DATA card, PIN_ID id, DWORD flags, PBYTE pin, DWORD len,
				  PBYTE *session_pin, PDWORD session_pin_len, PDWORD left)
{
	const DWORD session = CARD_AUTHENTICATE_GENERATE_SESSION_PIN |
			      CARD_AUTHENTICATE_SESSION_PIN;
	struct module *module;
	DWORD status = enter(card, "CardAuthenticateEx", left, &module);

	if (session_pin)
		*session_pin = NULL;
	if (session_pin_len)
		*session_pin_len = 0;
	if (status != SCARD_S_SUCCESS)
		return status;
	if ((flags & ~(session | CARD_PIN_SILENT_CONTEXT)) != 0)
		return module_bad_argument(module, "dwFlags has an unknown bit");
	if (flags & session)
		return module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE, "the card",
				     "give the PIN itself", "the card makes no session PINs");
	return authenticate(module, id, pin, len, left);
}

/* --- new ones --- */

struct pin_change {
	bool unblock;
	PBYTE auth;
	DWORD auth_len;
	PBYTE new_pin;
	DWORD new_len;
	DWORD retries;
};

static DWORD change(struct module *module, const struct pin_change *c, PDWORD left)
{
	const char *auth = (const char *)c->auth, *new_pin = (const char *)c->new_pin;
	DWORD status;
	int r;

	if (!auth || c->auth_len == 0 || !new_pin || c->new_len == 0)
		return module_bad_argument(module, "a PIN is missing");
	status = retries_fit(module, c->retries);
	if (status != SCARD_S_SUCCESS)
		return status;
	if (c->unblock)
		r = kf_pin_unblock(module->context, KF_PIN_USER, auth, c->auth_len, new_pin,
				   c->new_len, 0);
	else
		r = kf_pin_change(module->context, KF_PIN_USER, auth, c->auth_len, new_pin,
				  c->new_len, 0);
	if (r == 0)
		module->pin_changes++;
	return pin_result(module, r, left);
}

/* Flags of the older two: a PIN, or an answer to a challenge, which no card of ours makes. */
static DWORD check_old_flags(struct module *module, DWORD flags)
{
	if (flags == CARD_AUTHENTICATE_PIN_PIN)
		return SCARD_S_SUCCESS;
	if (flags == CARD_AUTHENTICATE_PIN_CHALLENGE_RESPONSE)
		return module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE, "the card",
				     "use CARD_AUTHENTICATE_PIN_PIN",
				     "the card has a PUK, no challenge and response");
	return module_bad_argument(module, "dwFlags is not CARD_AUTHENTICATE_PIN_PIN");
}

DWORD WINAPI card_unblock_pin(PCARD_DATA card, LPCWSTR user, PBYTE auth, DWORD auth_len,
			      PBYTE new_pin, DWORD new_len, DWORD retries, DWORD flags)
{
	struct pin_change c = { true, auth, auth_len, new_pin, new_len, retries };
	struct module *module;
	DWORD status = enter(card, "CardUnblockPin", NULL, &module);

	if (status == SCARD_S_SUCCESS)
		status = check_old_flags(module, flags);
	if (status == SCARD_S_SUCCESS && !utf16_equal(user, wszCARD_USER_USER))
		return module_bad_argument(module, "only \"user\" can be unblocked");
	return status != SCARD_S_SUCCESS ? status : change(module, &c, NULL);
}

DWORD WINAPI card_change_authenticator(PCARD_DATA card, LPCWSTR user, PBYTE old, DWORD old_len,
				       PBYTE new_pin, DWORD new_len, DWORD retries, DWORD flags,
				       PDWORD left)
{
	struct pin_change c = { false, old, old_len, new_pin, new_len, retries };
	struct module *module;
	PIN_ID id = ROLE_EVERYONE;
	DWORD status = enter(card, "CardChangeAuthenticator", left, &module);

	if (status == SCARD_S_SUCCESS)
		status = check_old_flags(module, flags);
	if (status == SCARD_S_SUCCESS)
		status = user_id(module, user, &id);
	if (status != SCARD_S_SUCCESS)
		return status;
	return id == ROLE_ADMIN ? only_unblocks(module) : change(module, &c, left);
}

DWORD WINAPI card_change_authenticator_ex(PCARD_DATA card, DWORD flags, PIN_ID auth_id,
					  PBYTE auth, DWORD auth_len, PIN_ID target,
					  PBYTE new_pin, DWORD new_len, DWORD retries,
					  PDWORD left)
{
	bool unblock = flags == PIN_CHANGE_FLAG_UNBLOCK;
	struct pin_change c = { unblock, auth, auth_len, new_pin, new_len, retries };
	struct module *module;
	DWORD status = enter(card, "CardChangeAuthenticatorEx", left, &module);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (!unblock && flags != PIN_CHANGE_FLAG_CHANGEPIN)
		return module_bad_argument(module, "dwFlags is neither change nor unblock");
	if (target == ROLE_ADMIN)
		return only_unblocks(module);
	if (target != ROLE_USER || auth_id != (unblock ? ROLE_ADMIN : ROLE_USER))
		return module_bad_argument(module, "the PIN is changed by itself and unblocked by "
						   "ROLE_ADMIN");
	return change(module, &c, left);
}

/* --- taking it back --- */

DWORD WINAPI card_deauthenticate(PCARD_DATA card, LPCWSTR user, DWORD flags)
{
	struct module *module;
	PIN_ID id = ROLE_EVERYONE;
	DWORD status = enter(card, "CardDeauthenticate", NULL, &module);

	if (status == SCARD_S_SUCCESS)
		status = user_id(module, user, &id);
	if (status != SCARD_S_SUCCESS)
		return status;
	if (flags != 0)
		return module_bad_argument(module, "dwFlags is not 0");
	if (id != ROLE_USER)			/* the PUK never logs in */
		return SCARD_S_SUCCESS;
	return module_card_result(module, kf_pin_logout(module->context));
}

DWORD WINAPI card_deauthenticate_ex(PCARD_DATA card, PIN_SET pins, DWORD flags)
{
	struct module *module;
	DWORD status = enter(card, "CardDeauthenticateEx", NULL, &module);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (flags != 0 || (pins & ~(PIN_SET)PIN_SET_ALL_ROLES) != 0)
		return module_bad_argument(module, "dwFlags is not 0, or there is no such PIN");
	if (!IS_PIN_SET(pins, ROLE_USER))	/* nothing that could have been given */
		return SCARD_S_SUCCESS;
	return module_card_result(module, kf_pin_logout(module->context));
}
