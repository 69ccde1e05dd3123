/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/byok/envelope.h - CKM_RSA_AES_KEY_WRAP in software, the sender's side, by OpenSSL: RSA-OAEP with
 * an empty label and the same hash in MGF1, and AES-KWP. Opening is in format/wrapped.h.
 */
#pragma once

#include "base/secret.h"
#include "keyferry/error.h"
#include "keyferry/types.h"

#include <openssl/types.h>

/* What OAEP can hold under @kek [RFC 8017 7.1.1], bytes. */
size_t oaep_room(EVP_PKEY *kek, enum kf_hash hash);

/* AES-KWP's output for @n bytes [RFC 5649 4.1]. */
size_t kwp_size(size_t n);

/* Return: 0, -EMSGSIZE no room, -EIO, -ENOMEM. */
int oaep_wrap(EVP_PKEY *kek, enum kf_hash hash, struct bytes plain, struct packer *out);
int kwp_wrap(struct bytes aes, struct bytes plain, struct packer *out);

/* C1 || C2 with a fresh AES-256 key. Return: as above. */
int envelope_seal(EVP_PKEY *kek, enum kf_hash hash, struct bytes plain, struct packer *out,
		  struct kf_error *e);
