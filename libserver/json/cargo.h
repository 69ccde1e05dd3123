/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/json/cargo.h - The cargo file (docs/formats.md 8.3), server to client: what
 * establishes the session key, and the sealed items. Nothing in it is secret to who cannot open the first.
 */
#pragma once

#include "libserver/json/object.h"

/**
 * struct cargo_item - one sealed item and what the minidriver's caller wants to know about it
 * @key_type, @purpose: of a key; none in an order about PINs
 * @pin:	the PIN an order is about; 0 beside a key
 * @item:	DER of the item; the other fields are copies
 */
struct cargo_item {
	uint32_t number;
	enum kf_function function;
	enum kf_key_type key_type;
	enum kf_purpose purpose;
	uint32_t pin;
	uint32_t container;
	uint8_t iv[KF_IV_SIZE];
	struct blob item;
};

/**
 * struct cargo_file - one voyage's cargo
 * @signed_by:	@sender is the injector's hash; else the sender is unauthenticated
 * @input:	what IMPORT SESSION KEY takes; method rsa: S1 under the EXCHANGE key, OAEP with SHA-256
 * @items:	@n_items of them, numbered from 1, owned
 */
struct cargo_file {
	char serial[KF_SERIAL_MAX + 1];
	uint8_t sid[KF_SID_SIZE];
	uint32_t container;
	enum kf_method method;
	bool signed_by;
	uint8_t sender[KF_DIGEST_SIZE];
	enum kf_grade grade;
	struct blob input;
	size_t n_items;
	struct cargo_item *items;
};

#define CARGO_FILE_INIT ((struct cargo_file){ 0 })

/* Fills @out, which is CARGO_FILE_INIT. Return: 0, -EBADMSG, -ENOMEM. */
int cargo_file_parse(struct bytes text, struct cargo_file *out, struct kf_error *e);
int cargo_file_write(const struct cargo_file *file, char **text, size_t *len,
		     struct kf_error *e);
/*
 * That the members for people and the DER of the items say the same. Only the card judges the
 * items; this spares it a try, and a person a wrong picture. Return: 0, -EBADMSG.
 */
int cargo_file_check(const struct cargo_file *file, struct kf_error *e);
void cargo_file_deinit(struct cargo_file *file);
