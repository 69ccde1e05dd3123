/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/shared_key.h - A session key that neither side brings [minidriver 8.4]. With a card: what
 * the server made of the card's statement goes in, and the card has the key. In no-card mode: the handle
 * comes first, and the statement makes the key.
 */
#pragma once

#include "keyferry/cardmod.h"

/* CardGetSharedKeyHandle [minidriver 8.4] */
DWORD WINAPI card_get_shared_key_handle(PCARD_DATA card, PBYTE input, DWORD input_len,
					PBYTE *output, PDWORD output_len, PCARD_KEY_HANDLE out);
