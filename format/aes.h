/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/aes.h - AES with a key of the card: the mark that names it, CBC without padding, GCM
 * [SP 800-38A, 800-38B, 800-38D].
 */
#pragma once

#include "base/secret.h"
#include "format/kek_receipt.h"

/* Return: 0, -EINVAL @key has no length of an AES key, -EIO. */
int aes_mark(struct bytes key, struct key_mark *out);

/* @text is a multiple of 16 bytes, not empty; as much is packed. Return: 0, -EINVAL, -EMSGSIZE, -EIO. */
int aes_cbc(struct bytes key, bool encrypt, struct bytes iv, struct bytes text, struct packer *out);

/* Return: 0, -EINVAL, -EMSGSIZE, -EIO. */
int aes_gcm_encrypt(struct bytes key, struct bytes iv, struct bytes aad, struct bytes text,
		    struct packer *out, uint8_t tag[static GCM_TAG_SIZE]);
/* Packs nothing unless the tag is right. Return: 0, -EBADMSG it is not, and as above. */
int aes_gcm_decrypt(struct bytes key, struct bytes iv, struct bytes aad, struct bytes text,
		    struct bytes tag, struct packer *out);

/* [SP 800-38B]. Return: 0, -EINVAL @key has no length of an AES key, -EIO, -ENOMEM. */
int aes_cmac(struct bytes key, struct bytes text, uint8_t out[static AES_BLOCK]);
