/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/pin_input.h - CARD_CHANGE_AUTHENTICATOR and CARD_AUTHENTICATE as the caller gave them
 * [minidriver 4.2]: which PIN, by which other, and their values. The values are read where they are
 * and copied into locked memory alone.
 */
#pragma once

#include "libcardmod/module.h"

struct kf_pin_order;

/*
 * @function:	%KF_FUNCTION_CHANGE_AUTHENTICATOR or %KF_FUNCTION_AUTHENTICATE
 * @least_tries: that must be left of the PIN that proves it
 *
 * Return: 0 and the order, for kf_pin_order_free(); %ERROR_REVISION_MISMATCH,
 * %SCARD_E_INVALID_PARAMETER, %SCARD_E_UNSUPPORTED_FEATURE, %SCARD_E_NO_MEMORY;
 * %SCARD_W_SECURITY_VIOLATION: a session PIN is asked for.
 */
DWORD pin_input_take(struct module *module, enum kf_function function, struct bytes input,
		     DWORD least_tries, struct kf_pin_order **out);
