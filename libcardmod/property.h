/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/property.h - What the card is and can: CardGetProperty, CardSetProperty and the older
 * queries, which are the same values in a structure [minidriver 7.3, 7.4, 7.10].
 */
#pragma once

#include "keyferry/cardmod.h"

DWORD WINAPI card_get_property(PCARD_DATA card, LPCWSTR name, PBYTE data, DWORD cap, PDWORD len,
			       DWORD flags);
DWORD WINAPI card_set_property(PCARD_DATA card, LPCWSTR name, PBYTE data, DWORD len, DWORD flags);
DWORD WINAPI card_query_capabilities(PCARD_DATA card, PCARD_CAPABILITIES out);
DWORD WINAPI card_query_free_space(PCARD_DATA card, DWORD flags, PCARD_FREE_SPACE_INFO out);
DWORD WINAPI card_query_key_sizes(PCARD_DATA card, DWORD spec, DWORD flags, PCARD_KEY_SIZES out);
