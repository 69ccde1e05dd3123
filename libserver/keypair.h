/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/keypair.h - The key pair to inject and what it will be in the card: the minidriver's
 * CARD_IMPORT_KEYPAIR. OpenSSL holds the private part, which it wipes when it lets go.
 */
#pragma once

#include "base/cleanup.h"
#include "format/item.h"
#include "format/keys.h"
#include "libserver/server.h"

struct kf_keypair {
	EVP_PKEY *key;
	enum kf_key_type type;
	enum kf_purpose purpose;
	struct key_policy policy;
	struct spki_hash replaces;
	uint32_t container;		/* in a batch; %KF_CONTAINER_BATCH: none was named */
	uint8_t hash[KF_DIGEST_SIZE];
};

DEFINE_CLEANUP(struct kf_keypair *, kf_keypair_free);
