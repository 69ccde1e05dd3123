/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/keys.h - Key pairs between OpenSSL's form and ours: SubjectPublicKeyInfo for public keys
 * (docs/formats.md 3), RSAPrivateKey and ECPrivateKey for the plaintext of an item (6).
 */
#pragma once

#include "base/secret.h"
#include "format/numbers.h"

#include <openssl/types.h>

#define SPKI_MAX 600			/* DER of an RSA-4096 SubjectPublicKeyInfo: 550 */
#define KEY_PLAIN_MAX 2560		/* DER of an RSA-4096 RSAPrivateKey: about 2350 */

/* Return: 0, -EOPNOTSUPP if the key is none of our types, -ENOMEM. */
int key_type_of(EVP_PKEY *key, enum kf_key_type *out);

/* Return: 0 and a key owned by the caller, -EOPNOTSUPP for a type not ours, -EIO. */
int key_generate(enum kf_key_type type, EVP_PKEY **out);

/* Writes the SubjectPublicKeyInfo. Return: 0, -EMSGSIZE, -EIO. */
int key_spki(EVP_PKEY *key, struct packer *out);

/*
 * Reads a SubjectPublicKeyInfo in the one form of docs/formats.md 3 (EC: named curve, uncompressed
 * point; RSA: an exponent in range; or X25519): what comes back encodes to the same bytes.
 *
 * Return: 0 and a key owned by the caller; -EBADMSG; -EOPNOTSUPP for a type not ours;
 * -ENOMEM.
 */
int spki_parse(struct bytes der, EVP_PKEY **out, enum kf_key_type *type);

/* Writes the plaintext of an item into @out (KEY_PLAIN_MAX is enough). Return: 0, -EINVAL if @key
 * has no private part or is multi-prime, -EOPNOTSUPP, -EMSGSIZE, -EIO. */
int key_plain_encode(EVP_PKEY *key, struct secret *out);

/*
 * The pair of an EC type whose private number is @scalar, big-endian; its public half is computed.
 *
 * Return: 0 and a key owned by the caller; -EBADMSG if there is no such pair; -EIO.
 */
int key_from_scalar(struct bytes scalar, enum kf_key_type type, EVP_PKEY **out);

/* Likewise on any curve that OpenSSL knows by the name @group. */
int key_from_scalar_on(struct bytes scalar, const char *group, EVP_PKEY **out);

/* The numbers of RSAPrivateKey in the order of RFC 8017 A.1.2. */
enum { RSA_N, RSA_E, RSA_D, RSA_P, RSA_Q, RSA_DP, RSA_DQ, RSA_QINV, RSA_NUMBERS };

/*
 * The RSA pair of @numbers, all magnitudes, with a modulus of @bits, proved consistent as
 * key_plain_decode() does.
 *
 * Return: 0 and a key owned by the caller; -EBADMSG; -EIO, -ENOMEM.
 */
int key_from_rsa(const struct bytes numbers[static RSA_NUMBERS], unsigned int bits, EVP_PKEY **out);

/*
 * Reads the plaintext of an item and proves the pair consistent, as docs/card-application.md 5.4
 * step 6 says: the card to believe it, the server to know that the card will.
 *
 * Return: 0 and a key owned by the caller; -EBADMSG whatever is wrong with it; -EIO,
 * -ENOMEM.
 */
int key_plain_decode(struct bytes der, enum kf_key_type type, EVP_PKEY **out);

