/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/seal.h - A session key in no-card mode: S1, whom the caller trusts, and what came of
 * it. Nothing is encrypted before the card's statement was verified [SECURITY section 9].
 *
 *	import -> set KF Nonce, KF Device Certificate, ... -> set KF Statement: verified
 *	       -> set mode, IV -> MDEncryptData, once -> get KF Ticket, set KF Receipt
 */
#pragma once

#include "libcardmod/key.h"

struct value_out;

struct seal *seal_free(struct seal *seal);

/* Whether @name is a vendor property of keys in no-card mode. */
bool seal_has_property(LPCWSTR name);
DWORD seal_set(struct module *module, struct key *key, LPCWSTR name, struct bytes value);
DWORD seal_get(struct module *module, struct key *key, LPCWSTR name, const struct value_out *out);

/* MDImportSessionKey [minidriver 8.1] */
DWORD WINAPI md_import_session_key(PCARD_DATA card, LPCWSTR blob_type, LPCWSTR algorithm,
				   PCARD_KEY_HANDLE out, PBYTE input, DWORD input_len);
/* MDEncryptData [minidriver 8.2] */
DWORD WINAPI md_encrypt_data(PCARD_DATA card, CARD_KEY_HANDLE handle, LPCWSTR function,
			     PBYTE input, DWORD input_len, DWORD flags,
			     PCARD_ENCRYPTED_DATA *out, PDWORD n_out);
