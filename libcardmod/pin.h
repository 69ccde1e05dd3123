/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/pin.h - PINs [minidriver 7.8]. ROLE_USER is the PIN and ROLE_ADMIN the PUK, which
 * unblocks and never logs in.
 */
#pragma once

#include "keyferry/cardmod.h"

DWORD WINAPI card_authenticate_pin(PCARD_DATA card, LPCWSTR user, PBYTE pin, DWORD len,
				   PDWORD left);
DWORD WINAPI card_authenticate_ex(PCARD_DATA card, PIN_ID id, DWORD flags, PBYTE pin, DWORD len,
				  PBYTE *session_pin, PDWORD session_pin_len, PDWORD left);
DWORD WINAPI card_unblock_pin(PCARD_DATA card, LPCWSTR user, PBYTE auth, DWORD auth_len,
			      PBYTE new_pin, DWORD new_len, DWORD retries, DWORD flags);
DWORD WINAPI card_change_authenticator(PCARD_DATA card, LPCWSTR user, PBYTE old, DWORD old_len,
				       PBYTE new_pin, DWORD new_len, DWORD retries, DWORD flags,
				       PDWORD left);
DWORD WINAPI card_change_authenticator_ex(PCARD_DATA card, DWORD flags, PIN_ID auth_id,
					  PBYTE auth, DWORD auth_len, PIN_ID target,
					  PBYTE new_pin, DWORD new_len, DWORD retries,
					  PDWORD left);
DWORD WINAPI card_deauthenticate(PCARD_DATA card, LPCWSTR user, DWORD flags);
DWORD WINAPI card_deauthenticate_ex(PCARD_DATA card, PIN_SET pins, DWORD flags);
