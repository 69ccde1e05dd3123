// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/schsm/answer.c - A signature verifies under the key that was sent; all else is compared. */
#include "base/error.h"
#include "format/hash.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "libserver/schsm/proof.h"

#include <openssl/rsa.h>

#define RULE "a fresh answer by the new key, SECURITY section 5"
#define NEXT "run the same keyferry inject again; if it repeats, do not trust this key"

static bool set_padding(EVP_PKEY_CTX *ctx, enum proof_operation operation)
{
	if (operation == PROOF_SIGN_ECDSA)
		return true;
	if (operation == PROOF_SIGN_PKCS1)
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static int verify(EVP_PKEY *key, enum proof_operation operation,
		  const uint8_t digest[static KF_DIGEST_SIZE], struct bytes signature)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);

	if (!ctx || EVP_PKEY_verify_init(ctx) != 1 || !set_padding(ctx, operation) ||
	    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) != 1)
		return -EIO;
	return EVP_PKEY_verify(ctx, signature.p, signature.n, digest, KF_DIGEST_SIZE) == 1 ? 0
											   : -EACCES;
}

static int check_signature(const struct fleet_ticket *ticket, struct bytes signature)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	uint8_t digest[KF_DIGEST_SIZE];
	enum kf_key_type type;
	int r = spki_parse(blob_bytes(&ticket->spki), &key, &type);

	if (r == 0)
		r = proof_digest(ticket->sid, ticket->challenge, blob_bytes(&ticket->blob), digest);
	if (r < 0)
		return r;
	if (type != ticket->key_type ||
	    key_type_is_rsa(type) != (ticket->operation != PROOF_SIGN_ECDSA))
		return -EBADMSG;
	ossl_begin();
	return ossl_end(verify(key, ticket->operation, digest, signature));
}

static int check_answer(const struct fleet_ticket *ticket, struct bytes answer)
{
	uint8_t digest[KF_DIGEST_SIZE];
	int r = sha256(answer, digest);

	if (r < 0)
		return r;
	return bytes_equal_ct(BYTES_OF(digest), BYTES_OF(ticket->expected)) ? 0 : -EACCES;
}

int fleet_answer_check(const struct fleet_ticket *ticket, struct bytes answer, struct kf_error *e)
{
	int r;

	if (ticket->operation == PROOF_NONE)
		return error_why(e, -ENODATA, RULE, "allow the key something that proves it",
				 "the key may do nothing that would prove it");
	r = proof_is_signature(ticket->operation) ? check_signature(ticket, answer)
						  : check_answer(ticket, answer);
	if (r == -EACCES)
		return error_why(e, r, RULE, NEXT, "it is no answer of the key that was sealed");
	if (r == -EBADMSG)
		return error_why(e, r, "docs/formats.md 15", "restore the state from a backup",
				 "the ticket is damaged");
	return r;
}
