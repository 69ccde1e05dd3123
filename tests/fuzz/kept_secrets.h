/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/fuzz/kept_secrets.h - What no answer of a SmartCard-HSM may have in it, and the search for it: PINs, key
 * encryption keys, and the private halves of keys, those among them that came while commands were sent.
 *
 * An input that has a piece of a secret itself may have it back: a card gives out files that it was given.
 */
#pragma once

#include "format/ossl.h"
#include "vreader/schsm/hsm.h"

#include <openssl/core_names.h>

enum { KEPT_PART = 16, KEPT_PIECE = 6, KEPT_MAX = 256, KEPT_KEYS_MAX = 32 };

/**
 * struct kept_secrets - by their first and last bytes
 * @parts:	what is searched for, @n of them
 * @keys:	whose private half is among them, @n_keys of them, each with a reference
 */
struct kept_secrets {
	struct kept_part { uint8_t bytes[KEPT_PART]; size_t n; } parts[KEPT_MAX];
	size_t n;
	struct hsm_key *keys[KEPT_KEYS_MAX];
	size_t n_keys;
};

/* No memcmp(): libFuzzer listens to it, and would know the secrets. */
static inline bool kept_equal(const uint8_t *a, const uint8_t *b, size_t n)
{
	size_t i = 0;

	while (i < n && a[i] == b[i])
		i++;
	return i == n;
}

static inline bool kept_is_in(struct bytes where, struct bytes what)
{
	for (size_t at = 0; at + what.n <= where.n; at++) {
		if (kept_equal(where.p + at, what.p, what.n))
			return true;
	}
	return false;
}

static inline void kept_add_part(struct kept_secrets *kept, struct bytes part)
{
	struct kept_part *to = &kept->parts[kept->n];

	for (size_t i = 0; i < kept->n; i++) {
		if (kept->parts[i].n == part.n && kept_equal(kept->parts[i].bytes, part.p, part.n))
			return;
	}
	if (part.n < KEPT_PIECE || kept->n == KEPT_MAX)
		return;
	memcpy(to->bytes, part.p, part.n);
	to->n = part.n;
	kept->n++;
}

static inline void kept_add(struct kept_secrets *kept, struct bytes secret)
{
	size_t n = secret.n < KEPT_PART ? secret.n : KEPT_PART;

	kept_add_part(kept, bytes_slice(secret, 0, n));
	kept_add_part(kept, bytes_slice(secret, secret.n - n, n));
}

static inline void kept_add_number(struct kept_secrets *kept, EVP_PKEY *pkey, const char *name)
{
	uint8_t buf[512];
	BIGNUM *number = NULL;

	if (EVP_PKEY_get_bn_param(pkey, name, &number) > 0 && BN_num_bytes(number) <= (int)sizeof(buf))
		kept_add(kept, BYTES(buf, (size_t)BN_bn2bin(number, buf)));
	BN_clear_free(number);
	ERR_clear_error();
}

/* Return: whether @key is a new one. */
static inline bool kept_take_key(struct kept_secrets *kept, struct hsm_key *key)
{
	for (size_t i = 0; i < kept->n_keys; i++) {
		if (kept->keys[i] == key)
			return false;
	}
	if (kept->n_keys < KEPT_KEYS_MAX)
		kept->keys[kept->n_keys++] = hsm_key_ref(key);
	return true;
}

static inline void kept_add_key(struct kept_secrets *kept, struct hsm_key *key)
{
	static const char *const private[] = {
		OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2,
		OSSL_PKEY_PARAM_PRIV_KEY,
	};
	EVP_PKEY *pkey = NULL;

	if (!kept_take_key(kept, key))
		return;
	if (hsm_key_kind(key) == HSM_AES)
		kept_add(kept, hsm_key_private(key));
	else if (hsm_key_open(key, &pkey) == 0)
		for (size_t i = 0; i < sizeof(private) / sizeof(private[0]); i++)
			kept_add_number(kept, pkey, private[i]);
	EVP_PKEY_free(pkey);
}

/* What @state has come to have and its host has never had: a DKEK of no shares is the card's own. */
static inline void kept_learn(struct kept_secrets *kept, const struct hsm_state *state)
{
	kept_add_key(kept, state->device);
	for (size_t i = 0; i < state->n_keys; i++)
		kept_add_key(kept, state->keys[i].key);
	for (size_t i = 0; i < state->n_domains; i++) {
		if (state->domains[i].shares == 0)
			kept_add(kept, hsm_domain_kek(&state->domains[i]));
	}
}

static inline bool kept_was_given(const struct kept_part *part, struct bytes input)
{
	for (size_t at = 0; at + KEPT_PIECE <= part->n; at++) {
		if (kept_is_in(input, BYTES(part->bytes + at, KEPT_PIECE)))
			return true;
	}
	return false;
}

static inline bool kept_is_told(const struct kept_secrets *kept, struct bytes answer, struct bytes input)
{
	for (size_t i = 0; i < kept->n; i++) {
		const struct kept_part *part = &kept->parts[i];

		if (kept_is_in(answer, BYTES(part->bytes, part->n)) && !kept_was_given(part, input))
			return true;
	}
	return false;
}

/* The parts stay. */
static inline void kept_deinit_keys(struct kept_secrets *kept)
{
	while (kept->n_keys != 0)
		(void)hsm_key_unref(kept->keys[--kept->n_keys]);
}
