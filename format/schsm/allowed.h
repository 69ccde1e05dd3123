/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/allowed.h - The list of algorithms that goes with a key and says what the card lets it
 * do: P2 of SIGN, DECIPHER and DERIVE [card dossier 2.3, 2.6].
 */
#pragma once

#include "base/bytes.h"
#include "keyferry/types.h"

enum {
	ALLOW_CBC_ENCRYPT = 0x10,
	ALLOW_CBC_DECRYPT = 0x11,
	ALLOW_CMAC = 0x18,
	ALLOW_RSA_RAW = 0x20,
	ALLOW_RSA_DECRYPT_RAW = 0x21,
	ALLOW_RSA_DECRYPT_PKCS1 = 0x22,
	ALLOW_RSA_DECRYPT_OAEP = 0x23,
	ALLOW_RSA_PKCS1 = 0x30,
	ALLOW_RSA_PSS = 0x40,
	ALLOW_ECDSA = 0x70,
	ALLOW_ECDH = 0x80,
	ALLOW_WRAP = 0x92,
};

/*
 * What a key of @type for @purpose may do unless somebody says otherwise; never be wrapped. RSA for
 * signing has the bare operation among it, because OpenSC pads by itself and asks for nothing else.
 *
 * Return: empty if no such key has that purpose.
 */
struct bytes allowed_by_default(enum kf_key_type type, enum kf_purpose purpose);

/* Whether @list allows @algorithm; an empty list allows all. */
bool allowed_has(struct bytes list, uint8_t algorithm);
