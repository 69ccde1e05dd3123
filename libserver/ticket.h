/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/ticket.h - What was sealed, written down for the server alone (docs/formats.md 9).
 * Receipts are compared with it, never with what the client says the cargo was.
 */
#pragma once

#include "format/item.h"
#include "libserver/json/object.h"

/**
 * struct ticket_item - one sealed item
 * @sha256:	of the whole item, DER
 * @key_type, @purpose, @policy, @key: of the key in it, the last its SPKI hash; none of these in an
 *		order about PINs
 * @proof:	of a secret key: what the card has to show of it, format/secret_mark.h
 */
struct ticket_item {
	uint8_t sha256[KF_DIGEST_SIZE];
	enum kf_function function;
	enum kf_method method;
	uint32_t container;
	uint32_t pin;
	enum kf_key_type key_type;
	enum kf_purpose purpose;
	struct key_policy policy;
	struct spki_hash sender;
	uint8_t key[KF_DIGEST_SIZE];
	uint8_t proof[ITEM_MAC_SIZE];
	enum kf_grade grade;
};

/**
 * struct ticket - one cargo
 * @device:	device fingerprint; @certificate is what it is of, DER
 * @any_genuine: no particular card was named
 * @confirms:	the card has to show @confirmation in its receipts
 * @items:	@n_items of them, numbered from 1, owned
 */
struct ticket {
	char serial[KF_SERIAL_MAX + 1];
	uint8_t device[KF_DIGEST_SIZE];
	struct blob certificate;
	bool any_genuine;
	uint8_t sid[KF_SID_SIZE];
	uint8_t h[KF_DIGEST_SIZE];
	uint8_t nonce[KF_NONCE_SIZE];
	uint8_t exchange[KF_DIGEST_SIZE];
	bool confirms;
	uint8_t confirmation[CONFIRMATION_SIZE];
	int64_t sealed;
	size_t n_items;
	struct ticket_item *items;
};

#define TICKET_INIT ((struct ticket){ 0 })

/* Fills @out, which is TICKET_INIT. Return: 0, -EBADMSG, -ENOMEM. */
int ticket_parse(struct bytes text, struct ticket *out, struct kf_error *e);
int ticket_write(const struct ticket *ticket, char **text, size_t *len, struct kf_error *e);
void ticket_deinit(struct ticket *ticket);
