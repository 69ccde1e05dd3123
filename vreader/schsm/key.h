/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/schsm/key.h - A private or secret key of the card. It never changes, so two versions of the
 * card's state share it. What it may do is not decided here (record.h, use.c).
 */
#pragma once

#include "base/cleanup.h"
#include "base/secret.h"

#include <openssl/types.h>

enum hsm_kind { HSM_RSA = 1, HSM_EC = 2, HSM_AES = 3 };

struct hsm_key;

/* Of an RSA or EC pair, borrowed. Return: 0, -EOPNOTSUPP another kind, -EIO, -ENOMEM. */
int hsm_key_new(EVP_PKEY *pkey, struct hsm_key **out);
/* Return: 0, -EINVAL unless it is 16, 24 or 32 bytes long, -ENOMEM. */
int hsm_key_new_aes(struct bytes secret, struct hsm_key **out);
/* As it was stored. Return: 0, -EBADMSG, -ENOMEM. */
int hsm_key_restore(enum hsm_kind kind, struct bytes private, struct hsm_key **out);

struct hsm_key *hsm_key_ref(struct hsm_key *key);
struct hsm_key *hsm_key_unref(struct hsm_key *key);
DEFINE_CLEANUP(struct hsm_key *, hsm_key_unref);

enum hsm_kind hsm_key_kind(const struct hsm_key *key);
/* RSAPrivateKey, ECPrivateKey with the curve's name, or the bytes of an AES key. */
struct bytes hsm_key_private(const struct hsm_key *key);
/* Bytes of the modulus, of a coordinate, of the AES key. */
size_t hsm_key_size(const struct hsm_key *key);

/* The pair in OpenSSL's form, owned by the caller, freed at once after use. Return: 0, -EIO; no AES key. */
int hsm_key_open(const struct hsm_key *key, EVP_PKEY **out);
