// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/schsm/challenge.c - Whoever makes the challenge has the key itself for this moment: all but a
 * signature has one right answer, of which the ticket keeps the hash.
 */
#include "base/error.h"
#include "format/aes.h"
#include "format/hash.h"
#include "format/ossl.h"
#include "format/schsm/curve.h"
#include "libserver/random.h"
#include "libserver/schsm/proof.h"

#include <openssl/rsa.h>

/* PKCS #1 v1.5, which every such card undoes [RFC 8017 7.2]. */
static int encrypt(EVP_PKEY *key, struct bytes text, struct blob *out)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	uint8_t buf[512];
	size_t n = sizeof(buf);

	ossl_begin();
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	if (!ctx || EVP_PKEY_encrypt_init(ctx) != 1 ||
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1 ||
	    EVP_PKEY_encrypt(ctx, buf, &n, text.p, text.n) != 1)
		return ossl_end(-EIO);
	return blob_set(out, BYTES(buf, n));
}

/* X of the common point of @own and @peer. */
static int agree(EVP_PKEY *own, EVP_PKEY *peer, struct secret *x)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	size_t n = x->cap;

	ossl_begin();
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
	if (!ctx || EVP_PKEY_derive_init(ctx) != 1 ||
	    EVP_PKEY_derive_set_peer_ex(ctx, peer, 1) != 1 || EVP_PKEY_derive(ctx, x->p, &n) != 1)
		return ossl_end(-EIO);
	x->n = n;
	return 0;
}

static int challenge_agree(EVP_PKEY *key, struct secret *answer, struct blob *input)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *ephemeral = NULL;
	uint8_t buf[CURVE_POINT_MAX];
	struct packer point = pack_begin(buf, sizeof(buf));
	struct curve curve;
	int r = curve_of_key(key, &curve);

	if (r < 0)
		return r;
	ossl_begin();
	ephemeral = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve.group);
	if (!ephemeral)
		return ossl_end(-EIO);
	r = curve_point(ephemeral, &point);
	if (r == 0)
		r = agree(ephemeral, key, answer);
	return r < 0 ? r : blob_set(input, pack_done(&point));
}

static int challenge_cbc(const struct secret *key, bool encrypt_it, struct bytes text,
			 struct secret *answer, struct blob *input)
{
	static const uint8_t zero[AES_BLOCK];
	struct packer p = pack_begin(answer->p, answer->cap);
	int r = aes_cbc(secret_bytes(key), encrypt_it, BYTES_OF(zero), text, &p);

	if (r < 0)
		return r;
	answer->n = p.n;
	return blob_set(input, text);
}

static int challenge(struct fleet_ticket *ticket, const struct dkek_key *key, struct secret *answer,
		     struct blob *input)
{
	struct bytes text = BYTES_OF(ticket->challenge);
	int r = 0;

	switch (ticket->operation) {
	case PROOF_NONE:
		return 0;
	case PROOF_SIGN_PKCS1:
	case PROOF_SIGN_PSS:
	case PROOF_SIGN_ECDSA:
		return blob_set(input, text);
	case PROOF_DECRYPT:
		r = secret_set(answer, text);
		return r < 0 ? r : encrypt(key->pair, text, input);
	case PROOF_AGREE:
		return challenge_agree(key->pair, answer, input);
	case PROOF_CBC_ENCRYPT:
	case PROOF_CBC_DECRYPT:
		return challenge_cbc(&key->secret, ticket->operation == PROOF_CBC_ENCRYPT, text,
				     answer, input);
	}
	return -EINVAL;
}

int fleet_challenge(struct fleet_ticket *ticket, const struct dkek_key *key, struct blob *input,
		    struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret answer = SECRET_INIT;
	uint8_t sent[KF_DIGEST_SIZE];
	int r = secret_init(&answer, FLEET_ANSWER_MAX);

	if (r == 0)
		r = random_secret(ticket->challenge, sizeof(ticket->challenge), e);
	if (r == 0)
		r = challenge(ticket, key, &answer, input);
	if (r < 0 || answer.n == 0)
		return r;
	r = proof_answer(ticket->sid, secret_bytes(&answer), sent);
	return r < 0 ? r : sha256(BYTES_OF(sent), ticket->expected);
}
