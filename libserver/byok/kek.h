/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/byok/kek.h - The public half of a key-encryption key, and why it is believed to be the
 * receiver's. Without a reason nothing is wrapped for it: whoever swaps this key gets the target.
 */
#pragma once

#include "base/cleanup.h"
#include "format/kek_statement.h"
#include "format/keys.h"
#include "keyferry/server.h"

enum kek_trust {
	KEK_UNTRUSTED,
	KEK_UNATTESTED,		/* somebody said in so many words that it is to be taken */
	KEK_FINGERPRINT,	/* its hash came another way */
	KEK_ATTESTED,		/* a card we know has signed for it */
};

/**
 * struct kf_byok_kek - one key
 * @spki:	DER, of @spki_len bytes; @hash is its hash
 * @statement:	only if @trust is KEK_ATTESTED
 * @device:	the same: the key of the card that attests
 */
struct kf_byok_kek {
	EVP_PKEY *key;
	enum kf_key_type type;
	uint8_t spki[SPKI_MAX];
	size_t spki_len;
	uint8_t hash[KF_DIGEST_SIZE];
	enum kek_trust trust;
	struct kek_statement statement;
	EVP_PKEY *device;
};

DEFINE_CLEANUP(struct kf_byok_kek *, kf_byok_kek_free);
