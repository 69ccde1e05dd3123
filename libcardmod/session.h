/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/session.h - The card's half of an injection: S1 into the card, and what it opens. The
 * unwrapping and all that follows is done by the card; nothing in the clear comes here.
 */
#pragma once

#include "keyferry/cardmod.h"

/* CardImportSessionKey [minidriver 8.3] */
DWORD WINAPI card_import_session_key(PCARD_DATA card, BYTE index, LPVOID padding_info,
				     LPCWSTR blob_type, LPCWSTR algorithm, PCARD_KEY_HANDLE out,
				     PBYTE input, DWORD input_len, DWORD flags);
/* CardProcessEncryptedData [minidriver 8.8] */
DWORD WINAPI card_process_encrypted_data(PCARD_DATA card, CARD_KEY_HANDLE handle,
					 LPCWSTR function, PCARD_ENCRYPTED_DATA data, DWORD n_data,
					 PBYTE output, DWORD output_cap, PDWORD output_len,
					 DWORD flags);
