/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/seal.h - The keys of an item and what they do (docs/card-application.md 5.3 and 6). The
 * server seals with it, the card opens; nobody between the two has S1.
 */
#pragma once

#include "base/secret.h"
#include "format/item.h"

#include <openssl/types.h>

/* Where an item stands: every derived key is bound to it. */
struct item_place {
	enum kf_method method;
	enum kf_function function;
	uint8_t h[KF_DIGEST_SIZE];	/* SHA-256 of the statement */
	uint32_t number;
};

/**
 * struct item_keys - the three keys of one item, 32 bytes each, in one secret: enc, mac, receipt
 */
struct item_keys {
	struct secret all;
};

#define ITEM_KEYS_INIT ((struct item_keys){ SECRET_INIT })

/* Return: 0, -EINVAL for a method or function without a name, -EIO or secret_init()'s. */
int item_keys_derive(struct item_keys *keys, const struct secret *s1,
		     const struct item_place *place);
void item_keys_deinit(struct item_keys *keys);

/* Length of the ciphertext of @n plain bytes: padding is at least one byte. */
size_t item_sealed_size(size_t n);

/* Pads and encrypts. Return: 0, -EMSGSIZE, -EIO. */
int item_encrypt(const struct item_keys *keys, const uint8_t iv[static KF_IV_SIZE],
		 const struct secret *plain, struct packer *out);

/*
 * Decrypts and removes the padding; the MAC has been checked before. Whatever is wrong with the
 * padding is -EBADMSG, after the same work.
 */
int item_decrypt(const struct item_keys *keys, const uint8_t iv[static KF_IV_SIZE],
		 struct bytes ciphertext, struct secret *plain);

/* The full CMAC over the body's DER. Return: 0, -EIO. */
int item_mac(const struct item_keys *keys, struct bytes body_der,
	     uint8_t out[static ITEM_MAC_SIZE]);

/*
 * What shows that whoever made it has both the secret key of the item and S1: a CMAC over the key under
 * K(receipt) [SECURITY section 5]. Return: 0, -EIO.
 */
int item_proof(const struct item_keys *keys, struct bytes secret, uint8_t out[static ITEM_MAC_SIZE]);

/* Wraps S1 for the card. Return: 0, -EMSGSIZE, -EIO. */
int session_key_wrap(EVP_PKEY *exchange, const uint8_t h[static KF_DIGEST_SIZE],
		     const struct secret *s1, struct packer *out);

/*
 * Unwraps S1 in the card. A wrapped key that does not open, or opens to something that is not 32
 * bytes long, yields 32 fresh random bytes and success: the item then fails like any other with a
 * wrong MAC, and nobody learns where it failed [SECURITY section 6].
 *
 * Return: 0; -EINVAL if @wrapped is not as long as the modulus (a public fact); -EIO if OpenSSL
 * has no random bytes.
 */
int session_key_unwrap(EVP_PKEY *exchange, const uint8_t h[static KF_DIGEST_SIZE],
		       struct bytes wrapped, struct secret *s1);
