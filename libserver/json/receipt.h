/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/json/receipt.h - The receipt file (docs/formats.md 8.4), client to server.
 */
#pragma once

#include "libserver/json/object.h"

struct receipt_entry {
	uint32_t number;
	struct blob receipt;		/* DER of a SignedReceipt */
};

/**
 * struct receipt_file - the receipts of one cargo
 * @receipts:	@n of them, numbers ascending, owned; a number may be missing
 */
struct receipt_file {
	char serial[KF_SERIAL_MAX + 1];
	uint8_t sid[KF_SID_SIZE];
	size_t n;
	struct receipt_entry *receipts;
};

#define RECEIPT_FILE_INIT ((struct receipt_file){ 0 })

/* Fills @out, which is RECEIPT_FILE_INIT. Return: 0, -EBADMSG, -ENOMEM. */
int receipt_file_parse(struct bytes text, struct receipt_file *out, struct kf_error *e);
int receipt_file_write(const struct receipt_file *file, char **text, size_t *len,
		       struct kf_error *e);
void receipt_file_deinit(struct receipt_file *file);
