/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/shared.h - What a card shares with one server: a key for each of the methods shared and derived,
 * diversified from the server's master, and S1 out of it (docs/card-application.md 6.2). A SHARED key only
 * derives; nothing of it is ever shown but a value derived for that.
 */
#pragma once

#include "format/agree.h"

enum {
	SHARED_KEY_SIZE = 32,
	SHARED_MARK_SIZE = 32,
	CHALLENGE_SIZE = 32,
	SERVER_ID_SIZE = KF_DIGEST_SIZE,
	SHARED_INFO_MAX = 96,		/* DER */
};

/* Whether S1 of @method comes from a key that both sides had before. */
bool method_is_shared(enum kf_method method);

/*
 * A card's key of @method, from the master: the one its maker loads (%KF_ORIGIN_FACTORY), or the one that is
 * injected (%KF_ORIGIN_INJECTED) and was never the maker's. @out is SECRET_INIT.
 *
 * Return: 0, -EIO, -ENOMEM or secret_init()'s.
 */
int shared_key_derive(const struct secret *master, enum kf_method method, enum kf_origin origin,
		      const char *serial, struct secret *out);

/* The same, from a master that is not here. Return: as that, and what @master returned. */
struct kdf_mac;
int shared_key_derive_by(const struct kdf_mac *master, enum kf_method method, enum kf_origin origin,
			 const char *serial, struct secret *out);

/* What a server gives to the maker of one card, and nobody else (docs/formats.md 9). */
struct shared_keys {
	char serial[KF_SERIAL_MAX + 1];
	struct secret shared, derived;
};

#define SHARED_KEYS_INIT ((struct shared_keys){ .shared = SECRET_INIT, .derived = SECRET_INIT })
#define SHARED_KEYS_TEXT_MAX 256

/* @out is SHARED_KEYS_INIT. Return: 0, -EBADMSG not in form, or secret_init()'s. */
int shared_keys_parse(const struct secret *text, struct shared_keys *out);
/* @out has room for SHARED_KEYS_TEXT_MAX. */
void shared_keys_write(const struct shared_keys *keys, struct secret *out);
void shared_keys_deinit(struct shared_keys *keys);

/* 64 lower-case hexadecimal digits, from and to locked memory. Return: 0, -EBADMSG. */
int shared_key_from_hex(struct unpacker *u, struct secret *out);
void shared_key_to_hex(const struct secret *key, struct packer *out);

/**
 * struct shared_info - what stands in a statement where other methods have an EXCHANGE key
 * @mark:	tells which SHARED key it is, derived from it
 * @challenge:	the card's, of method derived; of method shared there is none
 */
struct shared_info {
	enum kf_method method;
	uint8_t mark[SHARED_MARK_SIZE];
	uint8_t challenge[CHALLENGE_SIZE];
};

/* Fills in method and mark of @key. Return: 0, -EIO, -ENOMEM. */
int shared_info_describe(const struct secret *key, enum kf_method method, struct shared_info *out);
/* Return: 0, or -EBADMSG if @der is anything but one such value in form. */
int shared_info_parse(struct bytes der, struct shared_info *out);
void shared_info_pack(struct packer *p, const struct shared_info *info);

/**
 * struct shared_facts - what S1 and both confirmations are bound to; all of it is public
 * @serial:	the card's id
 * @server:	the server's id, SERVER_ID_SIZE bytes; of method derived
 * @card:	the card's challenge; of method derived
 * @host:	the server's: its challenge, or of method shared its salt; CHALLENGE_SIZE bytes
 */
struct shared_facts {
	enum kf_method method;
	const uint8_t *h, *sid;
	const char *serial;
	const uint8_t *server, *card, *host;
};

/* Both sides do the same. Of method shared nobody confirms: @out->host and @card are zero. Return: 0, -EIO,
 * -ENOMEM. */
int shared_establish(const struct secret *key, const struct shared_facts *facts, struct agreed *out);
