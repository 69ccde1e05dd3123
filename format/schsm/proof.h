/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/proof.h - How a key that came in a blob shows that it is there: the card signs no receipts
 * [SECURITY section 5], so the new key itself answers a challenge of the server. What each operation is
 * stands in docs/formats.md 15.
 */
#pragma once

#include "base/bytes.h"
#include "keyferry/types.h"

enum {
	PROOF_CHALLENGE_SIZE = 32,
	PROOF_ANSWER_MAX = 72,		/* x of P-521 is 66 bytes */
};

enum proof_operation {
	PROOF_NONE = 0,			/* the card lets the key do nothing that proves it */
	PROOF_SIGN_PKCS1 = 1,
	PROOF_SIGN_PSS = 2,
	PROOF_SIGN_ECDSA = 3,
	PROOF_DECRYPT = 4,		/* of what the server encrypted under the public key */
	PROOF_AGREE = 5,		/* with a point of the server's */
	PROOF_CBC_ENCRYPT = 6,
	PROOF_CBC_DECRYPT = 7,
};

/* What our driver makes of a key that the card allows @algorithms; an empty list allows all. */
enum proof_operation proof_choose(enum kf_key_type type, struct bytes algorithms);

static inline bool proof_is_signature(enum proof_operation operation)
{
	return operation >= PROOF_SIGN_PKCS1 && operation <= PROOF_SIGN_ECDSA;
}

/* Names in files; NULL for a number without one. Return: 0, -EINVAL. */
const char *proof_operation_name(enum proof_operation operation);
int proof_operation_from_name(const char *name, enum proof_operation *out);

/*
 * The hash that is signed: of a text that says what it is for, the cargo, the challenge and the blob.
 * Return: 0, -EIO.
 */
int proof_digest(const uint8_t sid[static KF_SID_SIZE],
		 const uint8_t challenge[static PROOF_CHALLENGE_SIZE], struct bytes blob,
		 uint8_t out[static KF_DIGEST_SIZE]);

/*
 * What is sent for an @answer that is no signature: a hash for this cargo alone. Nobody signs a cargo, and
 * the bare answer to a forged one would be what a key of the user's decrypts or agrees on. Return: 0, -EINVAL too long to be one, -EIO.
 */
int proof_answer(const uint8_t sid[static KF_SID_SIZE], struct bytes answer,
		 uint8_t out[static KF_DIGEST_SIZE]);
