/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/seal_offer.h - The offer a seal answers, the keys, and the cargo that goes back: what keyferry
 * seal and its two relatives have in common.
 */
#pragma once

#include "tools/server_state.h"

/**
 * struct seal_offer - which offer, and what is accepted of it
 * @path:	the file; - is stdin
 * @device:	the card it must be, or NULL
 * @exchange_bits: smallest EXCHANGE key; 0: the library's
 * @methods:	@n_methods that are accepted, best first; none: the state's
 */
struct seal_offer {
	const char *path;
	const char *device;
	bool any_genuine, allow_virtual;
	uint32_t exchange_bits;
	const uint8_t *methods;
	size_t n_methods;
};

/* For whom the keys are archived, and where; @cert NULL: not at all. */
struct seal_archive {
	const char *cert, *root, *out;
	bool signing_key;
};

DEFINE_CLEANUP(struct kf_archive_recipient *, kf_archive_recipient_free);

/* Whether the options fit together. Return: UI_OK, UI_USAGE, said. */
int seal_archive_check(const struct ui *ui, const struct seal_archive *want);
/* Return: 0, with NULL if nothing is archived, and as kf_archive_recipient_new(). */
int seal_archive_read(const struct seal_archive *want, struct kf_archive_recipient **out,
		      struct kf_error *e);

DEFINE_CLEANUP(struct kf_verified_offer *, kf_verified_offer_free);

/* Reads and verifies it. Return: 0, and as kf_state_offer(). */
int seal_offer_read(const struct seal_offer *want, struct kf_state *state,
		    struct kf_verified_offer **out, struct kf_error *e);

DEFINE_CLEANUP(struct kf_keypair *, kf_keypair_free);

/*
 * Reads a private key, and its passphrase where it has one: from @passphrase_fd, or, if that is -1, from the
 * terminal. Return: 0, and as kf_keypair_from_pem().
 */
int seal_key_read(const char *path, int passphrase_fd, struct kf_keypair **out, struct kf_error *e);

/* The same for an AES key, whose bytes are the file's. Return: 0, and as kf_keypair_from_raw(). */
int seal_raw_read(const char *path, struct kf_keypair **out, struct kf_error *e);

/* Writes the cargo; the words say that the offer is spent when that fails. Return: 0, -errno. */
int seal_cargo_write(const char *path, struct bytes cargo, struct kf_error *e);
