/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/card/pem.h - Keys and certificates out of PEM. What is encrypted is refused: nobody is asked
 * for a passphrase, for nobody may be there and the question has no deadline.
 */
#pragma once

#include "base/bytes.h"

#include <openssl/types.h>

#define PEM_TEXT_MAX 16384		/* of one file */

/* Return: the caller's, or NULL if @pem does not begin with one that can be read. */
EVP_PKEY *pem_private_key(struct bytes pem);
EVP_PKEY *pem_public_key(struct bytes pem);
X509 *pem_cert(struct bytes pem);
