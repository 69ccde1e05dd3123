/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/pem.h - Private keys as PEM, in and out, encrypted or not.
 */
#pragma once

#include "base/secret.h"
#include "keyferry/error.h"

#include <openssl/types.h>

/*
 * The one private key in @pem, owned by the caller. @passphrase of length 0: none given.
 *
 * Return: 0, -EBADMSG no key or more than one, -ENOKEY encrypted and no passphrase, -EKEYREJECTED
 * the passphrase does not open it; and as private_key_parse().
 */
int pem_private_key(struct bytes pem, struct bytes passphrase, EVP_PKEY **out,
		    struct kf_error *e);

/* Whether the text holds an encrypted private key. */
bool pem_is_encrypted(struct bytes pem);

/*
 * Appends PKCS#8 PEM to @out, a secret with room; encrypted if there is a passphrase.
 * Return: 0, -EMSGSIZE, -EIO.
 */
int pem_private_key_write(EVP_PKEY *key, struct bytes passphrase, struct secret *out);

/*
 * What is no private key under the same lock: PEM of the caller's own @label, in it what an
 * EncryptedPrivateKeyInfo is [RFC 5958 3]. @passphrase is not empty. Appends to @out, a secret with
 * room. Return: 0, -EMSGSIZE, -EIO, -ENOMEM.
 */
int pem_seal(struct bytes plain, const char *label, struct bytes passphrase, struct secret *out);
/* @out comes from SECRET_INIT. Return: 0, -EBADMSG not such a text, -EKEYREJECTED. */
int pem_open(struct bytes pem, const char *label, struct bytes passphrase, struct secret *out);
bool pem_is_sealed(struct bytes pem, const char *label);
