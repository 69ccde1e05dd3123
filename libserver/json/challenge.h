/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/json/challenge.h - The challenge file (docs/formats.md 8.1), server to client.
 */
#pragma once

#include "libserver/json/object.h"

struct challenge_file {
	char serial[KF_SERIAL_MAX + 1];
	uint8_t device[KF_DIGEST_SIZE];
	uint8_t nonce[KF_NONCE_SIZE];
	int64_t issued, expires;
};

/* Return: 0, -EBADMSG, -ENOMEM. */
int challenge_file_parse(struct bytes text, struct challenge_file *out, struct kf_error *e);
/* Return: 0 and a text owned by the caller, -ENOMEM. */
int challenge_file_write(const struct challenge_file *file, char **text, size_t *len,
			 struct kf_error *e);
