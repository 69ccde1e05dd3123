/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libcardmod/encrypt.h - Use case steps 24 and 25: one structure, sealed once [SECURITY section 9]. */
#pragma once

#include "keyferry/cardmod.h"

/* MDEncryptData [minidriver 8.2] */
DWORD WINAPI md_encrypt_data(PCARD_DATA card, CARD_KEY_HANDLE handle, LPCWSTR function,
			     PBYTE input, DWORD input_len, DWORD flags,
			     PCARD_ENCRYPTED_DATA *out, PDWORD n_out);
