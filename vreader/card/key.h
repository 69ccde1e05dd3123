/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/card/key.h - A key pair on the card and what it can do. The private half stays in a
 * secret; OpenSSL gets it for the length of one operation. Which purpose may do what is not
 * decided here but before (pso.c, session.c): a card_key does as it is told.
 */
#pragma once

#include "base/cleanup.h"
#include "base/secret.h"
#include "format/numbers.h"

#include <openssl/types.h>

struct card_key;

enum {
	CARD_KEY_SIGNATURE_MAX = 512,	/* RSA 4096 */
};

/* A new pair of OpenSSL's form becomes the card's; @pkey is borrowed. Return: 0, -EIO, -ENOMEM. */
int card_key_new(EVP_PKEY *pkey, struct card_key **out);
/* From stored bytes, which were checked when the key was made. Return: 0, -EBADMSG, -ENOMEM. */
int card_key_restore(enum kf_key_type type, struct bytes private, struct bytes spki,
		     struct card_key **out);
/* An AES key, from its bytes. Return: 0, -EINVAL if it has another length than @type, -EIO, -ENOMEM. */
int card_key_new_secret(enum kf_key_type type, struct bytes secret, struct card_key **out);
/* What an offer by a SHARED key has in place of an EXCHANGE key. Return: 0, -EIO, -ENOMEM. */
struct shared_info;
int card_key_new_shared(struct bytes secret, const struct shared_info *info, struct card_key **out);
/* Made here, which may take seconds. Return: 0, -EIO. */
int card_key_generate(enum kf_key_type type, struct card_key **out);

struct card_key *card_key_ref(struct card_key *key);
struct card_key *card_key_unref(struct card_key *key);
DEFINE_CLEANUP(struct card_key *, card_key_unref);

enum kf_key_type card_key_type(const struct card_key *key);
/*
 * The public value of docs/formats.md 3 and its SHA-256; and the private half: docs/formats.md 6, or an
 * AES key's bytes.
 */
struct bytes card_key_spki(const struct card_key *key);
const uint8_t *card_key_hash(const struct card_key *key);
struct bytes card_key_private(const struct card_key *key);

/* The pair in OpenSSL's form, owned by the caller, freed at once after use. Return: 0, -EIO; no AES key. */
int card_key_open(const struct card_key *key, EVP_PKEY **out);

/* `7F49` of GENERATE ASYMMETRIC KEY PAIR. Return: 0, -EIO. */
int card_key_put_public(const struct card_key *key, struct packer *out);

/* @hash is as long as @alg says. Return: 0, -EIO. */
int card_key_sign(const struct card_key *key, enum algorithm alg, struct bytes hash,
		  struct packer *out);
/* Return: 0, -EBADMSG the cryptogram does not open, -EIO. */
int card_key_decipher(const struct card_key *key, enum algorithm alg, struct bytes cryptogram,
		      struct packer *out);
/* @point: uncompressed. Return: 0, -EBADMSG it is not a point of the curve, -EIO. */
int card_key_agree(const struct card_key *key, struct bytes point, struct packer *out);
/* DEVICE: ECDSA with SHA-256 over a text the card built. Return: 0, -EIO. */
int card_key_attest(const struct card_key *key, struct bytes text, struct packer *out);
