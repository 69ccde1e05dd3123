/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/private_key.h - A private key as DER in the three forms files have it in, read by
 * ourselves: OpenSSL's decoder tries one form after the other and leaves copies of what it tried.
 */
#pragma once

#include "base/secret.h"
#include "keyferry/error.h"

#include <openssl/types.h>

enum private_key_form {
	PRIVATE_KEY_PKCS8,		/* PrivateKeyInfo [RFC 5208, RFC 5958] */
	PRIVATE_KEY_RSA,		/* RSAPrivateKey [RFC 8017 A.1.2] */
	PRIVATE_KEY_EC,			/* ECPrivateKey [RFC 5915] */
};

/*
 * The pair, proven consistent and in the one form the card would have it in, owned by the caller.
 *
 * Return: 0, -EBADMSG not in form, -EOPNOTSUPP of a type no card of ours takes, -EINVAL a pair the
 * card would refuse, -EIO, -ENOMEM.
 */
int private_key_parse(struct bytes der, enum private_key_form form, EVP_PKEY **out,
		      struct kf_error *e);

/*
 * The pair as PrivateKeyInfo, in the form in which wrapped keys travel (docs/formats.md): version 0, no
 * attributes; of an EC key the curve stands outside alone, and the public half inside.
 *
 * Return: 0, -EMSGSIZE @out is too small, -EIO, -ENOMEM.
 */
int private_key_write(EVP_PKEY *key, struct secret *out);
