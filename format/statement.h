/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/statement.h - What a card says about the key it offers, signed by its DEVICE key
 * (docs/formats.md 4). Pure: no I/O, no clock, no key material. A statement that leaves
 * statement_parse() is in form; whether it is true is for the verifier to find out.
 */
#pragma once

#include "base/bytes.h"
#include "format/numbers.h"

#define STATEMENT_CONTEXT "keyferry/attest/v1"
#define STATEMENT_MAX 2048		/* DER of the longest statement fits */

/* An SPKI hash, or none: a container holds one key at most, an item has one sender at most. */
struct spki_hash {
	bool present;
	uint8_t digest[KF_DIGEST_SIZE];
};

/**
 * struct statement - the signed facts, in the order of docs/formats.md 4
 * @serial:	NUL-terminated
 * @device:	SHA-256 of the device certificate
 * @exchange:	SPKI hash of the EXCHANGE key
 * @holds:	SPKI hash of the key in the target container, or absent
 * @injectors:	SPKI hashes of the senders the card knows; none means open import
 */
struct statement {
	enum kf_level level;
	char serial[KF_SERIAL_MAX + 1];
	uint8_t device[KF_DIGEST_SIZE];
	uint8_t exchange_id[16];
	uint8_t exchange[KF_DIGEST_SIZE];
	enum kf_key_type exchange_type;
	enum kf_purpose purpose;
	enum kf_origin origin;
	uint32_t container;
	struct spki_hash holds;
	struct number_list methods;
	struct number_list key_types;
	struct number_list paddings;
	struct number_list suites;
	uint32_t limit_item, limit_items, limit_tries;
	size_t n_injectors;
	uint8_t injectors[APP_INJECTORS_MAX][KF_DIGEST_SIZE];
	uint8_t sid[KF_SID_SIZE];
	uint8_t nonce[KF_NONCE_SIZE];
};

/* Return: 0, or -EBADMSG if @der is anything but one statement in form. */
int statement_parse(struct bytes der, struct statement *out);
void statement_pack(struct packer *p, const struct statement *statement);

/* H of the KDF and the OAEP label: SHA-256 over the DER. Return: 0, -EIO. */
int statement_hash(struct bytes der, uint8_t out[static KF_DIGEST_SIZE]);

/**
 * struct signed_statement - what a card says of a key, pulled apart but not yet believed: its answer to
 * OFFER, or about a KEK (format/kek_statement.h)
 * @statement:	DER, borrowed
 * @signature:	DER ECDSA-Sig-Value, borrowed
 * @key:	DER SubjectPublicKeyInfo, borrowed
 */
struct signed_statement {
	struct bytes statement;
	struct bytes signature;
	struct bytes key;
};

int signed_statement_parse(struct bytes der, struct signed_statement *out);
void signed_statement_pack(struct packer *p, const struct signed_statement *s);

/* Shared by the formats: lists, a serial as UTF8String, an SPKI hash that may be absent. */
void take_number_list(struct unpacker *u, struct number_list *out);
void put_number_list(struct packer *p, const struct number_list *list);
void take_serial(struct unpacker *u, char out[static KF_SERIAL_MAX + 1]);
void take_spki_hash(struct unpacker *u, struct spki_hash *out);
void put_spki_hash(struct packer *p, const struct spki_hash *hash);
