/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/json/offer.h - The offer file (docs/formats.md 8.2), client to server: what the card
 * signed, and copies of it for people.
 */
#pragma once

#include "libserver/json/object.h"

struct offer_file {
	char serial[KF_SERIAL_MAX + 1];
	uint32_t container;
	uint8_t sid[KF_SID_SIZE];
	uint8_t nonce[KF_NONCE_SIZE];
	enum kf_method method;
	struct blob exchange_key;
	struct blob device_certificate;
	struct blob statement;
	struct blob signature;
};

#define OFFER_FILE_INIT ((struct offer_file){ 0 })

/* Fills @out, which is OFFER_FILE_INIT. Return: 0, -EBADMSG, -ENOMEM. */
int offer_file_parse(struct bytes text, struct offer_file *out, struct kf_error *e);
int offer_file_write(const struct offer_file *file, char **text, size_t *len,
		     struct kf_error *e);
void offer_file_deinit(struct offer_file *file);
