/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/keypair.h - The key pair to inject and what it will be in the card: the minidriver's
 * CARD_IMPORT_KEYPAIR; or an AES key. OpenSSL holds the private part of a pair, which it wipes when it
 * lets go.
 */
#pragma once

#include "base/cleanup.h"
#include "format/item.h"
#include "format/keys.h"
#include "libserver/server.h"

/**
 * struct kf_keypair - what is to be injected
 * @key:	the pair; NULL: it is the AES key @secret
 * @hash:	of what the card will call it: SPKI hash, or that of the mark
 */
struct kf_keypair {
	EVP_PKEY *key;
	struct secret secret;
	enum kf_key_type type;
	enum kf_purpose purpose;
	struct key_policy policy;
	struct spki_hash replaces;
	uint32_t container;		/* in a batch; %KF_CONTAINER_BATCH: none was named */
	uint8_t hash[KF_DIGEST_SIZE];
};

DEFINE_CLEANUP(struct kf_keypair *, kf_keypair_free);

/* The plaintext of its item (docs/formats.md 6). @out is SECRET_INIT. Return: 0, and as key_plain_encode(). */
int keypair_plain(const struct kf_keypair *pair, struct secret *out);
