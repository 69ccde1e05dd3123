/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/byok/target.h - The key that travels, in the one form in which it is wrapped (docs/formats.md,
 * plaintext of a wrapped key). It lies in locked memory as long as this lives.
 */
#pragma once

#include "base/cleanup.h"
#include "base/secret.h"
#include "format/keys.h"
#include "keyferry/server.h"

#define TARGET_PLAIN_MAX (KEY_PLAIN_MAX + 64)	/* PrivateKeyInfo around a key pair's plaintext */

/**
 * struct kf_byok_target - one key
 * @plain:	PrivateKeyInfo, or the bytes of an AES key
 * @spki:	its public half; @spki_len is 0 for an AES key
 * @check:	of an AES key; see CKA_CHECK_VALUE of PKCS #11
 */
struct kf_byok_target {
	enum kf_key_type type;
	struct secret plain;
	uint8_t spki[SPKI_MAX];
	size_t spki_len;
	uint8_t check[KF_CHECK_VALUE_SIZE];
};

DEFINE_CLEANUP(struct kf_byok_target *, kf_byok_target_free);

/* As kf_byok_target_from_raw(), the words left to the caller. Return: 0, -EINVAL length, -EIO, -ENOMEM. */
int target_from_raw(struct bytes key, struct kf_byok_target **out);
/* Of a key pair; @key stays the caller's. Return: 0, -EIO, -ENOMEM. */
int target_from_pair(EVP_PKEY *key, struct kf_byok_target **out);
