/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/session.h - The card's half of an injection: S1 into the card, and what it opens. The
 * unwrapping and all that follows is done by the card; nothing in the clear comes here.
 */
#pragma once

#include "keyferry/cardmod.h"

struct bytes;
struct exchange;
struct key;
struct module;

/*
 * S1 in the card by the method of an offer, from what the server made for it (card-application.md 5.3).
 * Return: 0 and a handle; the code of whatever refused.
 */
DWORD session_establish(struct module *module, const struct exchange *offered, struct bytes input,
			PCARD_KEY_HANDLE out);

/* CardImportSessionKey [minidriver 8.3] */
DWORD WINAPI card_import_session_key(PCARD_DATA card, BYTE index, LPVOID padding_info,
				     LPCWSTR blob_type, LPCWSTR algorithm, PCARD_KEY_HANDLE out,
				     PBYTE input, DWORD input_len, DWORD flags);
/* CardProcessEncryptedData [minidriver 8.8] */
DWORD WINAPI card_process_encrypted_data(PCARD_DATA card, CARD_KEY_HANDLE handle,
					 LPCWSTR function, PCARD_ENCRYPTED_DATA data, DWORD n_data,
					 PBYTE output, DWORD output_cap, PDWORD output_len,
					 DWORD flags);

/*
 * Sees to it that key->receipt is there, asking the card if it is not. Return: 0;
 * %SCARD_E_FILE_NOT_FOUND: the card has none; %SCARD_E_INVALID_PARAMETER: nothing was processed.
 */
DWORD session_find_receipt(struct module *module, struct key *key);
