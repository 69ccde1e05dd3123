/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/algorithm.h - CardGetAlgorithmProperty [minidriver 8.6]: what a server can ask without
 * a card, of the algorithms that cards of ours have.
 */
#pragma once

#include "keyferry/cardmod.h"

DWORD WINAPI card_get_algorithm_property(PCARD_DATA card, LPCWSTR algorithm, LPCWSTR name,
					 PBYTE data, DWORD cap, PDWORD len, DWORD flags);
