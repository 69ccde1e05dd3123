/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/kek_receipt.h - What a card says it has unwrapped, signed by its DEVICE key
 * (docs/formats.md 12), and the mark that stands for the public half a secret key has not (3).
 * Pure. Signed, it has the form of a signed receipt (format/receipt.h).
 */
#pragma once

#include "base/bytes.h"
#include "format/receipt.h"

#define KEK_RECEIPT_CONTEXT "keyferry/kek-receipt/v1"

/**
 * struct kek_receipt - the signed facts, in the order of docs/formats.md 12
 * @kek:	SPKI hash of the KEK
 * @kek_origin:	where the KEK comes from
 * @hash:	of its OAEP
 * @blob:	SHA-256 of the whole blob as the card received it
 * @origin:	what the container says of the key
 * @counter:	the card's counter after the commit
 * @evidence:	public value that the card recomputed, DER; borrowed
 */
struct kek_receipt {
	uint8_t device[KF_DIGEST_SIZE];
	char serial[KF_SERIAL_MAX + 1];
	uint8_t kek[KF_DIGEST_SIZE];
	enum kf_origin kek_origin;
	enum kf_hash hash;
	uint8_t blob[KF_DIGEST_SIZE];
	uint32_t container;
	uint32_t pin;
	enum kf_key_type key_type;
	enum kf_purpose purpose;
	struct key_policy policy;
	enum kf_origin origin;
	uint32_t counter;
	struct bytes evidence;
};

/* Return: 0, or -EBADMSG if @der is anything but one receipt in form. */
int kek_receipt_parse(struct bytes der, struct kek_receipt *out);
void kek_receipt_pack(struct packer *p, const struct kek_receipt *receipt);

#define KEY_MARK_TEXT "keyferry/mark/v1"
#define KEY_MARK_SIZE 16
#define KEY_MARK_MAX 32			/* DER */

/* The public value of a secret key; @mark tells two keys apart, @check is for people. */
struct key_mark {
	enum kf_key_type key_type;
	uint8_t check[KF_CHECK_VALUE_SIZE];
	uint8_t mark[KEY_MARK_SIZE];
};

/* Return: 0, or -EBADMSG if @der is anything but one mark in form. */
int key_mark_parse(struct bytes der, struct key_mark *out);
void key_mark_pack(struct packer *p, const struct key_mark *mark);
