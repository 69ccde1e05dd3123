/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/receipt.h - What a card says it has installed, signed by its DEVICE key
 * (docs/formats.md 7). Pure.
 */
#pragma once

#include "base/bytes.h"
#include "format/item.h"

#define RECEIPT_CONTEXT "keyferry/receipt/v1"
#define RECEIPT_MAX 2048		/* DER of the longest signed receipt fits */

enum receipt_result { RECEIPT_INSTALLED = 0 };

/**
 * struct receipt - the signed facts, in the order of docs/formats.md 7
 * @item:	SHA-256 of the whole item as the card received it
 * @confirmation: the card's, of the methods that have one; else @confirms is false
 * @sender:	injector whose signature the card checked, or absent: unauthenticated
 * @counter:	the card's counter after the commit
 * @evidence:	SubjectPublicKeyInfo the card recomputed from the private key; borrowed
 */
struct receipt {
	uint8_t device[KF_DIGEST_SIZE];
	char serial[KF_SERIAL_MAX + 1];
	uint8_t sid[KF_SID_SIZE];
	uint32_t number;
	uint8_t item[KF_DIGEST_SIZE];
	enum kf_function function;
	enum kf_method method;
	uint8_t exchange[KF_DIGEST_SIZE];
	bool confirms;
	uint8_t confirmation[CONFIRMATION_SIZE];
	uint32_t container;
	uint32_t pin;
	enum kf_key_type key_type;
	enum kf_purpose purpose;
	struct key_policy policy;
	struct spki_hash sender;
	enum receipt_result result;
	uint32_t counter;
	struct bytes evidence;
};

/* Return: 0, or -EBADMSG if @der is anything but one receipt in form. */
int receipt_parse(struct bytes der, struct receipt *out);
void receipt_pack(struct packer *p, const struct receipt *receipt);

/**
 * struct signed_receipt - pulled apart but not yet believed
 * @receipt:	DER, borrowed
 * @signature:	DER ECDSA-Sig-Value, borrowed
 */
struct signed_receipt {
	struct bytes receipt;
	struct bytes signature;
};

int signed_receipt_parse(struct bytes der, struct signed_receipt *out);
void signed_receipt_pack(struct packer *p, const struct signed_receipt *s);
