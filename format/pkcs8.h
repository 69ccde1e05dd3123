/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/pkcs8.h - The private key that a blob carries: PrivateKeyInfo in the one form of
 * docs/formats.md 11, which is narrower than what general loaders take.
 */
#pragma once

#include "base/bytes.h"
#include "format/numbers.h"

#include <openssl/types.h>

/*
 * Reads a key pair of @type and proves it consistent, as docs/card-application.md 7.4 step 8 says.
 *
 * Return: 0 and a key owned by the caller; -EBADMSG whatever is wrong with it; -EIO, -ENOMEM.
 */
int pkcs8_decode(struct bytes text, enum kf_key_type type, EVP_PKEY **out);

/**
 * struct ec_private - an ECPrivateKey [RFC 5915 3], pulled apart but not proved
 * @parameters:	what stands in [0]; empty: left out, as PKCS #11 wants it
 * @point:	the public half it claims; empty: left out
 */
struct ec_private {
	struct bytes scalar;
	struct bytes parameters;
	struct bytes point;
};

/* Everything in @out is borrowed from @der. Return: 0, -EBADMSG. */
int ec_private_take(struct bytes der, struct ec_private *out);
