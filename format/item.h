/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/item.h - One sealed thing for one card (docs/formats.md 5): who, where, what for, and the
 * ciphertext, all under a MAC and the sender's signature. Pure: this file knows the shape;
 * format/seal.h has the keys.
 */
#pragma once

#include "base/bytes.h"
#include "format/numbers.h"
#include "format/statement.h"

#define ITEM_CONTEXT "keyferry/item/v1"
#define ITEM_MAC_SIZE 16

/* What a key installed by an item is bound to; not_after is advisory, the card has no clock. */
struct key_policy {
	bool pin_needed;
	uint64_t not_after;		/* seconds since 1970, 0: none */
};

/**
 * struct item_body - the fields under the MAC, in the order of docs/formats.md 5
 * @number:	this item, from 1
 * @count:	items under this sid
 * @replaces:	SPKI hash of the key that may be overwritten, or absent
 * @sender:	SPKI hash of the injector key that signs, or absent
 * @ciphertext:	borrowed; its length stands before it once more, as a check
 */
struct item_body {
	enum suite suite;
	enum kf_method method;
	enum kf_function function;
	uint8_t sid[KF_SID_SIZE];
	uint32_t number;
	uint32_t count;
	char serial[KF_SERIAL_MAX + 1];
	uint8_t exchange[KF_DIGEST_SIZE];
	uint32_t container;
	struct spki_hash replaces;
	uint32_t pin;
	enum kf_key_type key_type;
	enum kf_purpose purpose;
	struct key_policy policy;
	struct spki_hash sender;
	uint8_t iv[KF_IV_SIZE];
	struct bytes ciphertext;
};

/**
 * struct item - an item pulled apart, every range borrowed
 * @body:	its fields
 * @body_der:	what the MAC covers
 * @signed_der:	what the sender's signature covers: body and mac, as they stand
 * @mac:	16 bytes
 * @signature:	DER ECDSA-Sig-Value, or empty
 */
struct item {
	struct item_body body;
	struct bytes body_der;
	struct bytes signed_der;
	struct bytes mac;
	struct bytes signature;
};

/* Return: 0, or -EBADMSG if @der is anything but one item in form. */
int item_parse(struct bytes der, struct item *out);
void item_body_pack(struct packer *p, const struct item_body *body);

/*
 * Writing happens in three steps, since each covers the one before: body, then MAC over it,
 * then signature over both.
 */
void item_pack(struct packer *p, struct bytes body_der, const uint8_t mac[static ITEM_MAC_SIZE],
	       struct bytes signature);

void take_policy(struct unpacker *u, struct key_policy *out);
void put_policy(struct packer *p, const struct key_policy *policy);
