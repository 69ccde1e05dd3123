/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/eac.h - Chip authentication, version 2, as a SmartCard-HSM does it: the server's ephemeral
 * key meets the device key, and both have the keys of a secure messaging session
 * [TR-03110-2 3.4; card dossier 2.7]. The card alone is authenticated, and only to who verified that its
 * device key is one.
 */
#pragma once

#include "format/schsm/sm.h"

#include <openssl/types.h>

enum {
	EAC_NONCE_SIZE = 8,
	EAC_TOKEN_SIZE = 8,
	EAC_OID_SIZE = 10,
};

/* id-CA-ECDH-AES-CBC-CMAC-128, for MSE SET AT and for the token. */
extern const uint8_t eac_oid[EAC_OID_SIZE];

/* The server's ephemeral pair, on the curve of @device. Return: 0, -EOPNOTSUPP, -EIO, -ENOMEM. */
int eac_ephemeral(EVP_PKEY *device, EVP_PKEY **out);

/*
 * Both sides: begins @sm with the keys from @own and the other side's public key @point, 04 || X || Y.
 *
 * Return: 0; -EBADMSG if @point is none of the curve; -EOPNOTSUPP, -EIO, -ENOMEM.
 */
int eac_agree(EVP_PKEY *own, struct bytes point, const uint8_t nonce[static EAC_NONCE_SIZE],
	      struct sm *sm);

/* What proves that the card has the keys; @ephemeral is the server's point. Return: 0, -EIO, -ENOMEM. */
int eac_token(const struct sm *sm, struct bytes ephemeral, uint8_t out[static EAC_TOKEN_SIZE]);
