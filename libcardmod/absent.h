/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/absent.h - Entry points that exist and say so: key use goes by libkeyferry, and no card
 * of ours has an administrator's challenge and response [minidriver 2.2].
 */
#pragma once

#include "keyferry/cardmod.h"

DWORD WINAPI card_get_challenge(PCARD_DATA card, PBYTE *out, PDWORD len);
DWORD WINAPI card_get_challenge_ex(PCARD_DATA card, PIN_ID id, PBYTE *out, PDWORD len,
				   DWORD flags);
DWORD WINAPI card_authenticate_challenge(PCARD_DATA card, PBYTE response, DWORD len, PDWORD left);
DWORD WINAPI card_sign_data(PCARD_DATA card, PCARD_SIGNING_INFO info);
DWORD WINAPI card_rsa_decrypt(PCARD_DATA card, PCARD_RSA_DECRYPT_INFO info);
