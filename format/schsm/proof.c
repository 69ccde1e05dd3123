/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/proof.c - What is signed begins with a text of its own, so that no signature made as a
 * proof is one of anything else, nor the other way round [SECURITY section 3].
 */
#include "format/schsm/proof.h"
#include "base/secret.h"
#include "format/hash.h"
#include "format/numbers.h"
#include "format/schsm/allowed.h"

#define PROOF_CONTEXT "keyferry/dkek-proof/v1"		/* with its NUL */
#define ANSWER_CONTEXT "keyferry/dkek-answer/v1"	/* likewise */

static const char *const operation_names[] = {
	[PROOF_NONE] = "none",
	[PROOF_SIGN_PKCS1] = "sign-pkcs1-sha256",
	[PROOF_SIGN_PSS] = "sign-pss-sha256",
	[PROOF_SIGN_ECDSA] = "sign-ecdsa-sha256",
	[PROOF_DECRYPT] = "decrypt-pkcs1",
	[PROOF_AGREE] = "ecdh",
	[PROOF_CBC_ENCRYPT] = "cbc-encrypt",
	[PROOF_CBC_DECRYPT] = "cbc-decrypt",
};

enum { OPERATIONS = sizeof(operation_names) / sizeof(operation_names[0]) };

static enum proof_operation choose_rsa(struct bytes list)
{
	if (allowed_has(list, ALLOW_RSA_PKCS1))
		return PROOF_SIGN_PKCS1;
	if (allowed_has(list, ALLOW_RSA_PSS))
		return PROOF_SIGN_PSS;
	if (allowed_has(list, ALLOW_RSA_DECRYPT_PKCS1) || allowed_has(list, ALLOW_RSA_DECRYPT_RAW))
		return PROOF_DECRYPT;
	return PROOF_NONE;
}

enum proof_operation proof_choose(enum kf_key_type type, struct bytes list)
{
	if (key_type_is_rsa(type))
		return choose_rsa(list);
	if (key_type_is_ec(type))
		return allowed_has(list, ALLOW_ECDSA) ? PROOF_SIGN_ECDSA :
		       allowed_has(list, ALLOW_ECDH) ? PROOF_AGREE : PROOF_NONE;
	return allowed_has(list, ALLOW_CBC_ENCRYPT) ? PROOF_CBC_ENCRYPT :
	       allowed_has(list, ALLOW_CBC_DECRYPT) ? PROOF_CBC_DECRYPT : PROOF_NONE;
}

const char *proof_operation_name(enum proof_operation operation)
{
	return (unsigned int)operation < OPERATIONS ? operation_names[operation] : NULL;
}

int proof_operation_from_name(const char *name, enum proof_operation *out)
{
	for (int i = 0; i < OPERATIONS; i++) {
		if (strcmp(operation_names[i], name) == 0) {
			*out = (enum proof_operation)i;
			return 0;
		}
	}
	return -EINVAL;
}

int proof_digest(const uint8_t sid[static KF_SID_SIZE],
		 const uint8_t challenge[static PROOF_CHALLENGE_SIZE], struct bytes blob,
		 uint8_t out[static KF_DIGEST_SIZE])
{
	uint8_t text[sizeof(PROOF_CONTEXT) + KF_SID_SIZE + PROOF_CHALLENGE_SIZE + KF_DIGEST_SIZE];
	uint8_t hash[KF_DIGEST_SIZE];
	struct packer p = pack_begin(text, sizeof(text));
	int r = sha256(blob, hash);

	pack_bytes(&p, BYTES(PROOF_CONTEXT, sizeof(PROOF_CONTEXT)));
	pack_bytes(&p, BYTES(sid, KF_SID_SIZE));
	pack_bytes(&p, BYTES(challenge, PROOF_CHALLENGE_SIZE));
	pack_bytes(&p, BYTES_OF(hash));
	return r < 0 ? r : sha256(pack_done(&p), out);
}

int proof_answer(const uint8_t sid[static KF_SID_SIZE], struct bytes answer,
		 uint8_t out[static KF_DIGEST_SIZE])
{
	uint8_t text[sizeof(ANSWER_CONTEXT) + KF_SID_SIZE + PROOF_ANSWER_MAX];
	struct packer p = pack_begin(text, sizeof(text));
	int r;

	pack_bytes(&p, BYTES(ANSWER_CONTEXT, sizeof(ANSWER_CONTEXT)));
	pack_bytes(&p, BYTES(sid, KF_SID_SIZE));
	pack_bytes(&p, answer);
	r = pack_end(&p) < 0 ? -EINVAL : sha256(pack_done(&p), out);
	wipe(text, sizeof(text));
	return r;
}
