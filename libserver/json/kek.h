/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/json/kek.h - What a card attests of a key-encryption key, with what it takes to verify it
 * (docs/formats.md 8.5), client to whoever wraps.
 */
#pragma once

#include "libserver/json/object.h"

struct kek_file {
	char serial[KF_SERIAL_MAX + 1];
	char name[KF_KID_MAX + 1];
	struct blob device_certificate;
	struct blob statement;		/* DER of a SignedKekStatement */
};

#define KEK_FILE_INIT ((struct kek_file){ 0 })

/* Fills @out, which is KEK_FILE_INIT. Return: 0, -EBADMSG, -ENOMEM. */
int kek_file_parse(struct bytes text, struct kek_file *out, struct kf_error *e);
int kek_file_write(const struct kek_file *file, char **text, size_t *len, struct kf_error *e);
void kek_file_deinit(struct kek_file *file);
