/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/agree.h - S1 by ephemeral-static ECDH, with confirmation both ways (docs/card-application.md
 * 5.3 and 6.1). The server has the ephemeral half, the card's attested EXCHANGE key is the static one;
 * both end with the same S1, and each with what proves to the other that it has it.
 */
#pragma once

#include "base/secret.h"
#include "format/numbers.h"

#include <openssl/types.h>

enum { AGREE_POINT_MAX = 1 + 2 * 48 };		/* P-384, uncompressed */

/**
 * struct agree_facts - what S1 and both confirmations are bound to; all of it is public
 * @type:	key type of both halves
 * @ephemeral:	the server's public key, as agree_point() writes it
 * @fixed:	the card's
 * @h:		SHA-256 of the statement
 */
struct agree_facts {
	enum kf_key_type type;
	struct bytes ephemeral, fixed;
	const uint8_t *h;
};

/**
 * struct agreed - what comes of it
 * @s1:		KF_S1_SIZE bytes; initialised by the caller
 * @host:	what the server shows the card
 * @card:	what the card shows the server
 */
struct agreed {
	struct secret *s1;
	uint8_t host[CONFIRMATION_SIZE];
	uint8_t card[CONFIRMATION_SIZE];
};

/* Length of a public key of @type on the wire: an uncompressed point, or the 32 bytes of X25519. */
size_t agree_point_size(enum kf_key_type type);

/* Writes the public half of @key. Return: 0, -EMSGSIZE, -EIO. */
int agree_point(EVP_PKEY *key, struct packer *out);

/*
 * The server's side. @key is the ephemeral pair.
 *
 * Return: 0; -EBADMSG if the card's key is no point of the curve, or one that yields all zero; -EIO,
 * -ENOMEM.
 */
int agree_ephemeral(EVP_PKEY *key, const struct agree_facts *facts, struct agreed *out);

/*
 * The card's side. @key is the static pair. A point that is none yields a random S1 and success: the
 * confirmation then fails like any other, after as many derivations [SECURITY section 6].
 *
 * Return: 0, -EIO, -ENOMEM.
 */
int agree_static(EVP_PKEY *key, const struct agree_facts *facts, struct agreed *out);
