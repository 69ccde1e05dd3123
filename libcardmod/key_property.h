/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/key_property.h - CardGetKeyProperty and CardSetKeyProperty [minidriver 8.7], for both
 * kinds of context.
 */
#pragma once

#include "keyferry/cardmod.h"

DWORD WINAPI card_get_key_property(PCARD_DATA card, CARD_KEY_HANDLE handle, LPCWSTR name,
				   PBYTE data, DWORD cap, PDWORD len, DWORD flags);
DWORD WINAPI card_set_key_property(PCARD_DATA card, CARD_KEY_HANDLE handle, LPCWSTR name,
				   PBYTE input, DWORD input_len, DWORD flags);
