/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/seal.h - A session key in no-card mode: S1, whom the caller trusts, and what came of
 * it. Nothing is encrypted before the card's statement was verified [SECURITY section 9].
 *
 *	import -> set KF Nonce, KF Device Certificate, ... -> set KF Statement: verified
 *	       -> set mode, IV -> MDEncryptData, once -> get KF Ticket, set KF Receipt
 */
#pragma once

#include "base/secret.h"
#include "libcardmod/key.h"

/**
 * struct seal - S1 and what goes with it
 * @method:	how S1 is established: by this the offer has to be
 * @s1, @injector, @master: until the statement is verified; then they are in @md and @server. No @s1:
 *		nobody brought one, it is made of both sides' keys, or drawn
 * @least_tries: that the next order about a PIN asks for
 * @server, @offer, @md: NULL until the statement is verified
 */
struct seal {
	enum kf_method method;
	struct secret s1, injector, master;
	bool nonce_is_set, virtual_is_allowed;
	uint8_t nonce[KF_NONCE_SIZE];
	DWORD least_tries;
	struct blob device, root, crl;
	struct kf_server *server;
	struct kf_verified_offer *offer;
	struct kf_md_key *md;
};

struct seal *seal_free(struct seal *seal);

/* A handle of a session key that nobody brings. Return: 0, %SCARD_E_NO_MEMORY. */
DWORD seal_without_key(struct module *module, PCARD_KEY_HANDLE out);

/* MDImportSessionKey [minidriver 8.1] */
DWORD WINAPI md_import_session_key(PCARD_DATA card, LPCWSTR blob_type, LPCWSTR algorithm,
				   PCARD_KEY_HANDLE out, PBYTE input, DWORD input_len);
