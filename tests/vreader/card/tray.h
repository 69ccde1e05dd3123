/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/vreader/card/tray.h - A personalised card whose non-volatile memory is a buffer of the
 * test's, with prepared keys, and the hands of a client (commands) and of a server (sealed items)
 * to try it with. Used by the tests of vreader/card/ and by its fuzz target.
 */
#pragma once

#include "format/item.h"
#include "format/seal.h"
#include "format/shared.h"
#include "format/statement.h"
#include "vreader/card/card.h"

#include <openssl/evp.h>

#define TRAY_SERIAL "KF-TEST-1"
#define TRAY_PIN "123456"
#define TRAY_PUK "87654321"

/* Prepared keys by name. */
enum tray_key {
	TRAY_RSA, TRAY_RSA_OTHER, TRAY_RSA3072, TRAY_RSA4096, TRAY_P256, TRAY_P384, TRAY_P521,
	TRAY_P256K, TRAY_X25519,
	TRAY_DEVICE, TRAY_INJECTOR, TRAY_STRANGER, TRAY_KEYS,
};

/**
 * struct tray - a card and its memory
 * @blob:	what was committed last
 * @commits:	how often
 * @fail_at:	the commit that fails, counted from 1 since tray_fail_at(); 0: none
 * @fail_with:	what it then says
 * @paused_ms:	how long it would have waited
 * @data, @n, @sw: the last response; tray_send() follows 61xx
 */
struct tray {
	struct card *card;
	uint8_t blob[CODEC_MAX];
	size_t blob_len;
	unsigned int commits, fail_at;
	int fail_with;
	unsigned int paused_ms;
	uint8_t data[VCARD_RESPONSE_MAX];
	size_t n;
	uint16_t sw;
};

/* A card with @n_injectors of TRAY_INJECTOR (0 or 1), powered, application selected. */
void tray_init(struct tray *tray, size_t n_injectors);
void tray_deinit(struct tray *tray);
/* Power cycle on what is in the memory, as after a kill; application selected. */
void tray_restart(struct tray *tray);
void tray_fail_at(struct tray *tray, unsigned int commit, int with);

/* Borrowed; made once a process. */
EVP_PKEY *tray_key(enum tray_key which);
struct bytes tray_spki(enum tray_key which);

/* Puts a prepared key into a container behind the card's back. */
void tray_put_key(struct tray *tray, unsigned int container, enum tray_key which,
		  enum kf_purpose purpose, enum kf_origin origin, uint8_t policy);

/* The same for a KEK that allows everything a KEK can. */
void tray_put_kek(struct tray *tray, unsigned int container, enum tray_key which, enum kf_hash hash,
		  const char *name);

/* Gives the card SHARED keys, derived for its serial from TRAY_MASTER times 32. */
#define TRAY_MASTER 0x4d
void tray_share(struct tray *tray);

/* Whole APDU. Return: the status word, 0 if the card is mute. */
uint16_t tray_raw(struct tray *tray, struct bytes apdu);
/* One command, extended, Le 65536. */
uint16_t tray_send(struct tray *tray, uint8_t cla, uint8_t ins, unsigned int p1p2,
		   struct bytes data);
static inline struct bytes tray_data(const struct tray *tray)
{
	return BYTES(tray->data, tray->n);
}

uint16_t tray_verify(struct tray *tray, const char *pin);

/**
 * struct sealing - the server's side of one offer
 * @method:	that it was asked for
 * @statement:	as the card signed it
 * @h:		its hash
 * @s1:		session key
 * @session:	number the card gave it, 0 before
 * @body:	fields of the next item, right ones; a test spoils what it wants to
 * @plain:	what to seal: DER of the key
 * @place:	whose keys seal the item; NULL: those of the place that @body claims
 * @signer:	TRAY_KEYS: unsigned
 * @mac_flip, @exchange: spoil the MAC; the key S1 is wrapped under
 * @input, @input_len: what IMPORT SESSION KEY gets, of methods that do not wrap
 * @confirmation: what the card has to show then
 * @shared:	of methods by a SHARED key: what the card said of it
 */
struct sealing {
	enum kf_method method;
	struct statement statement;
	uint8_t h[KF_DIGEST_SIZE];
	struct secret s1;
	unsigned int session;
	struct item_body body;
	struct secret plain;
	const struct item_place *place;
	enum tray_key signer;
	bool mac_flip;
	EVP_PKEY *exchange;
	uint8_t input[512];
	size_t input_len;
	uint8_t confirmation[CONFIRMATION_SIZE];
	struct shared_info shared;
	uint8_t item[2 * KF_ITEM_MAX];
	size_t item_len;
};

/* OFFER for @target with the standing EXCHANGE key of @standing (0xff: a fresh one). */
void sealing_offer(struct sealing *s, struct tray *tray, uint8_t target, uint8_t standing);
/* OFFER by @method with a fresh EXCHANGE key of @type. */
void sealing_offer_by(struct sealing *s, struct tray *tray, uint8_t target, enum kf_method method,
		      enum kf_key_type type);
/* The server's half of shared and derived with a master of @master times 32; likewise. */
void sealing_derive(struct sealing *s, uint8_t master);
/* The server's half of ecdh with the EXCHANGE key @which: S1, @input, @confirmation; anew each time. */
void sealing_agree(struct sealing *s, enum tray_key which);
void sealing_deinit(struct sealing *s);
/* Sets body and plain for one key. */
void sealing_take_key(struct sealing *s, enum tray_key which, enum kf_purpose purpose);
/* The same for an AES key. */
void sealing_take_secret(struct sealing *s, enum kf_key_type type, struct bytes key);
struct pin_item;
/* Sets body and plain for an order about PINs. */
void sealing_take_order(struct sealing *s, enum kf_function function, uint32_t target,
			const struct pin_item *order);
/* Wraps S1 for the card, or as its method says, and imports it; PIN verified before. Return: status word. */
uint16_t sealing_import(struct sealing *s, struct tray *tray);
/* Seals body and plain into s->item. */
void sealing_seal(struct sealing *s);
uint16_t sealing_process(struct sealing *s, struct tray *tray);
uint16_t sealing_process_as(struct sealing *s, struct tray *tray, enum kf_function function);
/* All of it: key @which into @target, signed if the card wants it. Return: status word. */
uint16_t sealing_inject(struct tray *tray, uint8_t target, enum tray_key which,
			enum kf_purpose purpose);
