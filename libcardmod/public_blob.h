/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libcardmod/public_blob.h - Public keys as the interface has them [minidriver 5.3, 5.4, 5.5]: RSA
 * as a CAPI PUBLICKEYBLOB with its numbers little-endian, EC as a CNG blob with them big-endian.
 */
#pragma once

#include "format/numbers.h"

#define PUBLIC_BLOB_MAX (20 + 512)

/*
 * @spki:	DER, as libkeyferry gives it
 * @purpose:	tells a signature key from a key-exchange key
 *
 * Return: 0, -EBADMSG, -EOPNOTSUPP a type the interface has no form for, -ENOMEM, -EIO.
 */
int public_blob_pack(struct bytes spki, enum kf_purpose purpose, struct packer *out);

/* The ECDH blob of an uncompressed point. Return: 0, -EOPNOTSUPP another type than P-256 to P-521. */
int public_blob_pack_point(enum kf_key_type type, struct bytes point, struct packer *out);

/*
 * And back: whether it is on the curve the card finds out. Return: 0, -EBADMSG not the ECDH blob of a key
 * of @type, whole and nothing behind it.
 */
int public_blob_take_point(struct bytes blob, enum kf_key_type type, struct packer *point);
