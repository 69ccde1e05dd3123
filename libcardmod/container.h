/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/container.h - Containers: made by the card alone, never from a key in the clear
 * [minidriver 7.5 to 7.7].
 */
#pragma once

#include "keyferry/cardmod.h"

DWORD WINAPI card_create_container(PCARD_DATA card, BYTE index, DWORD flags, DWORD spec,
				   DWORD bits, PBYTE key_data);
DWORD WINAPI card_create_container_ex(PCARD_DATA card, BYTE index, DWORD flags, DWORD spec,
				      DWORD bits, PBYTE key_data, PIN_ID pin);
DWORD WINAPI card_delete_container(PCARD_DATA card, BYTE index, DWORD reserved);
DWORD WINAPI card_get_container_info(PCARD_DATA card, BYTE index, DWORD flags,
				     PCONTAINER_INFO out);
DWORD WINAPI card_get_container_property(PCARD_DATA card, BYTE index, LPCWSTR name, PBYTE data,
					 DWORD cap, PDWORD len, DWORD flags);
DWORD WINAPI card_set_container_property(PCARD_DATA card, BYTE index, LPCWSTR name, PBYTE data,
					 DWORD len, DWORD flags);
