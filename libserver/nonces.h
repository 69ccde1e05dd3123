/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/nonces.h - Nonces that were issued: each for one card, for a time, to be spent once.
 *
 *	issue -> nonces/HEX.json -> spend -> nonces/used/HEX.json -> forgotten long after expiry
 */
#pragma once

#include "libserver/folder.h"

/**
 * struct nonce_record - what is remembered
 * @device:	fingerprint of the card it was issued for
 */
struct nonce_record {
	char device[HEX_DIGEST_SIZE];
	int64_t issued, expires;
};

/* Durable. Forgets nonces that expired more than 30 days ago. */
int nonces_issue(const struct folder *fresh, const struct folder *used,
		 const uint8_t nonce[static KF_NONCE_SIZE], const struct nonce_record *record,
		 struct kf_error *e);

/* Return: 0, -EACCES never issued, spent, or expired at @now. */
int nonces_find(const struct folder *fresh, const struct folder *used,
		const uint8_t nonce[static KF_NONCE_SIZE], int64_t now,
		struct nonce_record *out, struct kf_error *e);

/* Whether it is among the used ones, durably or not. */
bool nonces_are_spent(const struct folder *used, const uint8_t nonce[static KF_NONCE_SIZE]);

/* Durable once it returns; of two who try, one is told -EACCES. */
int nonces_spend(const struct folder *fresh, const struct folder *used,
		 const uint8_t nonce[static KF_NONCE_SIZE], struct kf_error *e);
