/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/schsm/state.h - All that the card keeps in non-volatile memory, as typed values. A change is
 * made to a copy, the copy is committed, and only then takes the place of the old one; keys and file
 * contents are shared between the two.
 */
#pragma once

#include "vreader/card/blob.h"
#include "vreader/schsm/key.h"
#include "vreader/schsm/numbers.h"

/**
 * struct hsm_pin - user PIN or SO-PIN
 * @value:	NULL: never set
 * @tries:	left; decremented before each comparison
 * @max:	what a match restores
 */
struct hsm_pin {
	struct blob *value;
	uint8_t tries, max;
};

/**
 * struct hsm_domain - a key domain: keys that wrap and unwrap under one DKEK
 * @made:	false: unused, and nothing below means anything
 * @shares:	that make the DKEK
 * @outstanding: of those, not imported yet
 * @kek:	XOR of what was imported so far, %HSM_KEK_SIZE; NULL before the first
 */
struct hsm_domain {
	bool made;
	uint8_t shares, outstanding;
	struct blob *kek;
};

/**
 * struct hsm_record - a key at its place CC||id
 * @domain:	key domain
 * @counted:	@uses is how often it may still work
 * @algorithms: that it may be used with; none: any
 */
struct hsm_record {
	uint8_t id;
	struct hsm_key *key;
	uint8_t domain;
	bool counted;
	uint32_t uses;
	uint8_t n_algorithms;
	uint8_t algorithms[HSM_ALGORITHMS_MAX];
};

/* @content: NULL is an empty file. */
struct hsm_file {
	uint16_t fid;
	struct blob *content;
};

/**
 * struct hsm_state - the card
 * @device:	brainpoolP256r1 pair whose certificate is the first in @device_cert
 * @device_cert: content of 2F02
 * @root:	the certificate that PSO VERIFY CERTIFICATE begins with
 * @initialised: INITIALIZE was done; before that there are no PINs
 * @transport:	the user PIN has to be changed before it is good for anything
 * @n_pka, @m_pka: public keys for authentication: how many, and how many of them are needed
 */
struct hsm_state {
	struct hsm_key *device;
	struct blob *device_cert;
	struct blob *root;
	bool initialised;
	bool transport;
	uint16_t options;
	uint8_t n_pka, m_pka;
	struct hsm_pin user, so;
	uint8_t n_domains;
	struct hsm_domain domains[HSM_DOMAINS_MAX];
	size_t n_keys;
	struct hsm_record keys[HSM_KEYS_MAX];
	size_t n_files;
	struct hsm_file files[HSM_FILES_MAX];
};

/* Empty: no device key; only good to be filled. Return: 0 or -ENOMEM. */
int hsm_state_new(struct hsm_state **out);
/* A second state that shares every key and blob with @state. Return: 0 or -ENOMEM. */
int hsm_state_copy(const struct hsm_state *state, struct hsm_state **out);
struct hsm_state *hsm_state_free(struct hsm_state *state);
DEFINE_CLEANUP(struct hsm_state *, hsm_state_free);

/* As the card left its maker: device key and certificates stay. */
void hsm_state_erase(struct hsm_state *state);

/* Return: 0 or -ENOMEM. */
int hsm_pin_set(struct hsm_pin *pin, struct bytes value);

/* NULL if there is none. */
const struct hsm_file *hsm_find_file(struct hsm_state *state, uint16_t fid);
/*
 * The file has @content from here on; made if it was not there. Return: 0, -ENOSPC the card is full,
 * -ENOMEM.
 */
int hsm_put_file(struct hsm_state *state, uint16_t fid, struct bytes content);
/* Nothing happens to one that is not there. */
void hsm_delete_file(struct hsm_state *state, uint16_t fid);

/* NULL if there is none. */
struct hsm_record *hsm_find_key(struct hsm_state *state, uint8_t id);
/* Takes over record->key, in place of what was at its id. Return: 0, -ENOSPC the card is full. */
int hsm_put_key(struct hsm_state *state, const struct hsm_record *record);
void hsm_delete_key(struct hsm_state *state, uint8_t id);

/* Whether the list of @record, if it has one, has @algorithm. */
bool hsm_key_allows(const struct hsm_record *record, uint8_t algorithm);

/* Whether keys and files are no more than the card has memory for: so it is of every state but one that is read. */
bool hsm_memory_fits(const struct hsm_state *state);
/* Bytes of memory that keys and files may still take. */
size_t hsm_memory_left(const struct hsm_state *state);

/* The DKEK of a domain whose shares are all there, else empty. */
struct bytes hsm_domain_kek(const struct hsm_domain *domain);
