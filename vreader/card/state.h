/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/card/state.h - All that the card keeps in non-volatile memory, as typed values
 * (docs/card-application.md 1). A change is made to a copy, the copy is committed, and only then
 * takes the place of the old one; keys and certificates are shared between the two.
 */
#pragma once

#include "format/numbers.h"
#include "vreader/card/blob.h"
#include "vreader/card/key.h"

enum {
	STATE_INJECTOR_SPKI_MAX = 96,	/* P-256: 91 */
	STATE_POLICY_PIN = 0x01,	/* bit 0 of a container's policy */
	STATE_NO_CONTAINER = 0xff,
	STATE_SHARED = 2,		/* one for method shared, one for derived */
};

/**
 * struct pin - PIN or PUK
 * @value:	4 to 32 bytes
 * @tries:	left; decremented before each comparison
 * @max:	what a match restores
 */
struct pin {
	struct blob *value;
	uint8_t tries, max;
};

/**
 * struct kek_rule - what a KEK may do, fixed when it was made; @disabled and @refusals change
 * @name:	see format/kid.h; NULL in a container that holds no KEK
 * @hash:	of OAEP and its MGF1
 * @key_types:	what it unwraps
 * @purposes:	what that may be for
 * @refusals:	since it was last enabled; stays at 255
 */
struct kek_rule {
	struct blob *name;
	enum kf_hash hash;
	struct number_list key_types, purposes;
	bool disabled;
	uint8_t refusals;
};

/**
 * struct container - a numbered place for a key
 * @key:	NULL: empty, and nothing below means anything
 * @exchange_id: random name of an EXCHANGE key; zero for other purposes
 * @used:	the private key has worked at least once
 * @not_after:	advisory; 0 none
 * @cert:	DER, or NULL
 * @kek:	of a KEK
 */
struct container {
	struct card_key *key;
	enum kf_purpose purpose;
	enum kf_origin origin;
	uint8_t policy;
	bool used;
	uint64_t not_after;
	uint8_t exchange_id[KF_SID_SIZE];
	struct blob *cert;
	struct kek_rule kek;
};

/**
 * struct offer - a statement that was given out and may still be answered
 * @hash:	H, SHA-256 of the statement
 * @key:	the EXCHANGE key; shared with its container if it is a standing one
 * @standing:	that container, or %STATE_NO_CONTAINER: the key lives and dies with the offer
 * @target:	container the items go to, %KF_CONTAINER_BATCH, %KF_CONTAINER_PINS or %KF_CONTAINER_SHARED
 * @tries:	left
 * @method:	enum kf_method, the only one the items may use
 * @opened:	of a method that confirms: the server has, once, and @opening is the SHA-256 of how;
 *		nothing else opens this offer any more
 * @next:	number of the next item, from 1
 * @count:	items of this sid; 0 until the first was installed
 */
struct offer {
	uint8_t sid[KF_SID_SIZE];
	uint8_t hash[KF_DIGEST_SIZE];
	struct card_key *key;
	uint8_t standing;
	uint8_t target;
	uint8_t tries;
	uint8_t method;
	bool opened;
	uint8_t opening[KF_DIGEST_SIZE];
	uint16_t next;
	uint16_t count;
};

struct stored_receipt {
	uint8_t sid[KF_SID_SIZE];
	uint16_t number;
	struct blob *der;		/* SignedReceipt */
};

/* Public key allowed to sign items, DER SubjectPublicKeyInfo, and its SHA-256. */
struct injector {
	uint8_t spki[STATE_INJECTOR_SPKI_MAX];
	size_t spki_len;
	uint8_t hash[KF_DIGEST_SIZE];
};

/* Arrays with a count are in order of age, oldest first. */
struct state {
	char serial[KF_SERIAL_MAX + 1];
	struct card_key *device;
	struct blob *device_cert;
	struct injector injectors[APP_INJECTORS_MAX];
	size_t n_injectors;
	struct pin pin, puk;
	struct blob *shared[STATE_SHARED];	/* SHARED keys, by state_shared(); no container */
	enum kf_origin shared_origin[STATE_SHARED];
	struct container containers[APP_CONTAINERS];
	struct offer offers[APP_PENDING_MAX];
	size_t n_offers;
	struct stored_receipt receipts[APP_RECEIPTS_MAX];
	size_t n_receipts;
	uint32_t counter;		/* items ever done, and keys installed by UNWRAP */
};

/* Empty: no keys, no PINs; only good to be filled. Return: 0 or -ENOMEM. */
int state_new(struct state **out);
/* A second state that shares every key and blob with @state. Return: 0 or -ENOMEM. */
int state_copy(const struct state *state, struct state **out);
struct state *state_free(struct state *state);
DEFINE_CLEANUP(struct state *, state_free);

/* Whether a key of @type may live in a container with @purpose. */
bool container_may_hold(enum kf_key_type type, enum kf_purpose purpose);
/* Whether what it holds must never be replaced by an item or be the target of an offer. */
bool container_is_reserved(const struct container *container);
/* The container becomes empty; its pending offers as EXCHANGE key are forgotten too. */
void state_empty_container(struct state *state, unsigned int index);

/* The SHARED key of @method; NULL: the card was given none. */
const struct blob *state_shared(const struct state *state, enum kf_method method);
/* Where it comes from: the maker, or an item. */
enum kf_origin state_shared_origin(const struct state *state, enum kf_method method);
/* Return: 0, -ENOMEM, or what locking memory failed with. */
int state_set_shared(struct state *state, enum kf_method method, struct bytes key,
		     enum kf_origin origin);
/* Pending offers by the SHARED key of @method, but not that of @sid: the key is another from now on. */
void state_forget_shared(struct state *state, enum kf_method method,
			 const uint8_t sid[static KF_SID_SIZE]);

/* The container of the KEK that is called @name, in any case; %STATE_NO_CONTAINER if none is. */
unsigned int state_find_kek(const struct state *state, struct bytes name);

/* Return: 0 or -ENOMEM. */
int pin_set(struct pin *pin, struct bytes value);

/* NULL if not pending. */
struct offer *state_find_offer(struct state *state, const uint8_t sid[static KF_SID_SIZE]);
/* Takes over offer->key; forgets the oldest if there is no room. */
void state_add_offer(struct state *state, const struct offer *offer);
void state_forget_offer(struct state *state, struct offer *offer);

/* The newest: a blob that was imported twice has two. */
const struct stored_receipt *state_find_receipt(const struct state *state,
					 const uint8_t sid[static KF_SID_SIZE], uint16_t number);
/* Takes over receipt->der; forgets the oldest if there is no room. */
void state_add_receipt(struct state *state, const struct stored_receipt *receipt);

/* NULL if the card does not know it. */
const struct injector *state_find_injector(const struct state *state, struct bytes hash);
/* Return: 0, -ENOSPC there are eight already, -EINVAL too long to be a P-256 key. */
int state_add_injector(struct state *state, struct bytes spki);
