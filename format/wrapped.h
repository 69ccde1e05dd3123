/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/wrapped.h - A key on its way under a KEK, as CKM_RSA_AES_KEY_WRAP makes it: an AES key under
 * RSA-OAEP, then the key under that by AES key wrap with padding [RFC 5649]. Opening it tells
 * whoever sent it nothing but whether it opened [SECURITY section 6].
 */
#pragma once

#include "base/secret.h"
#include "format/numbers.h"

#include <openssl/types.h>

enum { KWP_BLOCK = 8, KWP_LEAST = 16 };

/* Whether a blob of @len bytes can be one for a KEK whose modulus has @modulus bytes; public. */
bool wrapped_fits(size_t len, size_t modulus);

/*
 * The type of a wrapped key of @len bytes, C2 alone, in the form that PKCS #11 gives it: EC keys
 * without parameters inside [byok 2.2], their point, if it is there, not compressed. In other forms
 * two curves have keys of one length. KF_KEY_NONE: no key is as long in that form.
 */
enum kf_key_type wrapped_type(size_t len);

/*
 * Opens @blob, which fits, with the private half of @kek. Every blob of one length costs the same
 * work up to the answer, whatever is wrong with it.
 *
 * Return: 0 with the plaintext in @plain, which has room for APP_WRAPPED_MAX bytes; -EBADMSG whatever
 * is wrong; -EIO, -ENOMEM if the work could not be begun.
 */
int wrapped_open(EVP_PKEY *kek, enum kf_hash hash, struct bytes blob, struct secret *plain);

/*
 * The two halves alone, for known answers. @text has room for the modulus, or for what is wrapped;
 * @key has 16, 24 or 32 bytes. Return: 0, -EBADMSG it does not open, -EINVAL, -EIO.
 */
int oaep_open(EVP_PKEY *kek, enum kf_hash hash, struct bytes wrapped, struct secret *text);
int kwp_open(struct bytes key, struct bytes wrapped, struct secret *text);
