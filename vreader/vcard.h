/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/vcard.h - The virtual card as its reader sees it: a thing with contacts. The reader half
 * (vreader/reader/) powers it and hands it whole command APDUs; the card half is one of the
 * applications of vreader/app.h, whichever made the card's directory. This header is all that either knows of the other, so tests link a
 * card of their own behind it.
 *
 * One vcard is used by one thread at a time, but not always by the same one. A command may take
 * seconds (key generation); keeping the host patient meanwhile is the reader's business, not the
 * card's.
 */
#pragma once

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/secret.h"

struct shared_keys;
struct vcard;

enum {
	VCARD_COMMAND_MAX = 65544,	/* extended case 4: 4 + 3 + 65535 + 2 [7816-3 12.1.3] */
	VCARD_RESPONSE_MAX = 65538,	/* 65536 data bytes and the status word */
	VCARD_ATR_MAX = 33,		/* TS and up to 32 more [7816-3 8.2.1] */
	VCARD_IFSC = 254,
	VCARD_WHY_MAX = 256,
};

/*
 * The ATR of every card with keyferry's own application, one byte a line of meaning [7816-3 8.2], [7816-4 card
 * capabilities]. T=1 is the only protocol, so TCK is present.
 */
static const uint8_t vcard_atr_default[] = {
	0x3b,				/* TS: direct convention */
	0xdf,				/* T0: TA1, TC1, TD1 follow; 15 historical bytes */
	0x18,				/* TA1: F = 372, D = 12 */
	0x00,				/* TC1: no extra guard time */
	0x81,				/* TD1: T=1; TD2 follows */
	0x31,				/* TD2: T=1; TA3, TB3 follow */
	0xfe,				/* TA3: IFSC 254 (VCARD_IFSC) */
	0x45,				/* TB3: BWI 4 (1.6 s), CWI 5 */
	0x80,				/* historical bytes are compact TLV */
	0x31, 0x81,			/* card service data: select by full DF name; no MF */
	0x73, 0x80, 0x01, 0xc0,		/* capabilities: DF name; byte units; chaining, extended */
	0x57, 'k', 'e', 'y', 'f', 'e', 'r', 'r',	/* issuer's data */
	0xed,				/* TCK: T0 to TCK XOR to zero */
};

/*
 * The same card in a reader that has contacts for T=0 alone: no TD1, so T=0 is the only protocol and
 * there is no TCK. The historical bytes do not depend on the contacts.
 */
static const uint8_t vcard_atr_t0[] = {
	0x3b,				/* TS: direct convention */
	0x1f,				/* T0: TA1 follows; 15 historical bytes */
	0x18,				/* TA1: F = 372, D = 12 */
	0x80, 0x31, 0x81, 0x73, 0x80, 0x01, 0xc0, 0x57, 'k', 'e', 'y', 'f', 'e', 'r', 'r',
};

/**
 * vcard_open() - take a personalised card out of its drawer
 * @state_dir:	directory that vcard_personalise() filled
 * @out:	the card, powered off; the caller owns it
 * @why:	on failure: what failed and what to do next, in words, no newline; borrowed buffer
 *
 * Holds the state's lock until vcard_free(). Return: 0, -ENOENT not personalised, -EBUSY another
 * process uses this state, -EBADMSG the state is damaged or of a version we cannot read,
 * -EACCES directory or file open to others.
 */
int vcard_open(const char *state_dir, struct vcard **out, char why[static VCARD_WHY_MAX]);
struct vcard *vcard_free(struct vcard *card);
DEFINE_CLEANUP(struct vcard *, vcard_free);

/*
 * The answer to reset: valid at any time, borrowed, never changes while the card is; and that of the
 * same card in a reader that has contacts for T=0 alone.
 */
struct bytes vcard_atr(const struct vcard *card);
struct bytes vcard_atr_of_t0(const struct vcard *card);

/*
 * Power on or warm reset (the card is powered already): volatile security state, verified PINs,
 * current selection and half-received command chains are gone in both cases. Power off drops the
 * same at once. All three may be called in any state and cannot fail.
 */
void vcard_power_on(struct vcard *card);
void vcard_reset(struct vcard *card);
void vcard_power_off(struct vcard *card);

/**
 * vcard_process() - answer one command
 * @card:	powered on
 * @command:	whole APDU as the host sent it, short or extended, chained parts one by one; of any
 *		length and content, the card judges it. May hold a PIN: the caller wipes it
 * @response:	empty packer of at least VCARD_RESPONSE_MAX; gets data and SW1 SW2
 *
 * The response may hold secrets (decrypted data): the caller wipes it. On an error return the
 * response is void and the card is mute from here to the next power on, like a chip that hit its
 * own tearing protection.
 *
 * Return: 0 with at least the two status bytes; -EIO when nobody knows what was stored (a commit
 * that failed cleanly is SW 6581 instead, docs/card-application.md 3).
 */
int vcard_process(struct vcard *card, struct bytes command, struct packer *response);

/**
 * struct vcard_kek - a key-encryption key that others know, for rigs with published vectors
 * @name:	docs/card-application.md 7; any case
 * @hash:	enum kf_hash of OAEP
 * @key:	DER RSAPrivateKey
 */
struct vcard_kek {
	const char *name;
	int hash;
	struct bytes key;
};

/**
 * struct vcard_personalisation - what the maker writes into a blank card
 * @app:	name of its application (vreader/app.h); NULL for keyferry's own
 * @state_dir:	created with mode 0700 if missing; must not hold a card yet
 * @serial:	1 to 32 characters out of [A-Za-z0-9.-], checked by the caller
 * @pin:	user PIN, or NULL: the card makes a random one and reports it in @new_pin
 * @puk:	unblocking PIN, or NULL: likewise in @new_puk
 * @injectors:	public keys allowed to sign items, each a DER SubjectPublicKeyInfo that parsed
 * @n_injectors: none means open import (SECURITY section 4)
 * @maker_dir:	where the maker root's key and certificate (root.key, root.pem) are kept, made on
 *		first use; or NULL: a root for this card alone, its key forgotten after signing
 * @keks:	loaded as they are, into the last containers; the card says of each that it was
 * @n_keks:	none for a card that keeps its keys to itself
 * @shared:	SHARED keys that a server made for this serial, or NULL
 * @new_pin:	result when @pin is NULL; from secret_init() with at least 32 bytes
 * @new_puk:	result when @puk is NULL; likewise
 */
struct vcard_personalisation {
	const char *app;
	const char *state_dir;
	const char *serial;
	const struct secret *pin;
	const struct secret *puk;
	const struct bytes *injectors;
	size_t n_injectors;
	const char *maker_dir;
	const struct vcard_kek *keks;
	size_t n_keks;
	const struct shared_keys *shared;
	struct secret *new_pin;
	struct secret *new_puk;
};

/*
 * Makes the card's device key and its certificate under the maker root, writes the card's first state,
 * and beside it for the server's operator both certificates. All or nothing: the state is
 * committed last, and without it there is no card.
 *
 * Return: 0, -EEXIST there is a card already, -EINVAL a value is out of range, or the application takes
 * none of its kind; @why as above.
 */
int vcard_personalise(const struct vcard_personalisation *want, char why[static VCARD_WHY_MAX]);
