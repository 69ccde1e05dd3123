/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/private_blob.h - Key pairs as the interface has them [minidriver 5.2, 5.3, 5.4], in any
 * of its forms: CAPI PRIVATEKEYBLOB, CNG RSA2, RSA3, ECS, ECK. The first bytes tell which.
 */
#pragma once

#include "base/secret.h"
#include "format/numbers.h"

#define PRIVATE_BLOB_DER_MAX 2560	/* PrivateKeyInfo of RSA-4096: about 2380 */

/*
 * Rewrites @blob as a PrivateKeyInfo, DER [RFC 5208], in @der (empty, PRIVATE_BLOB_DER_MAX). That
 * the numbers belong together is for whoever takes the key.
 *
 * Return: 0, -EBADMSG in none of the forms, or a length does not fit; -EOPNOTSUPP a size no card
 * of ours takes; -ENOMEM, -EIO, -EMSGSIZE.
 */
int private_blob_parse(struct bytes blob, struct secret *der, enum kf_key_type *type);
