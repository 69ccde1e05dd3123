/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/dkek_share.h - The password-protected file in which sc-hsm-tool and SCSH3 keep one share of a
 * DKEK [card dossier 2.4].
 */
#pragma once

#include "format/schsm/dkek.h"

enum {
	DKEK_SHARE_FILE_SIZE = 64,
	DKEK_SALT_SIZE = 8,
	DKEK_ROUNDS = 10000000,		/* of MD5, three times in a file */
};

/**
 * struct dkek_progress - told a hundred times on the way through DKEK_ROUNDS, some seconds of work
 * @told:	gets 1 to 100; may be NULL
 */
struct dkek_progress {
	void (*told)(void *context, unsigned int percent);
	void *context;
};

/*
 * Opens a share file; @out is as dkek_init() leaves it or has room for DKEK_SIZE bytes.
 *
 * Return: 0; -EBADMSG it is no share file; -EKEYREJECTED the password is not its own; -EIO, -ENOMEM.
 */
int dkek_share_open(struct bytes file, struct bytes password, struct dkek_progress progress,
		    struct secret *out);

/* Writes one. Return: 0, -EINVAL unless @share has DKEK_SIZE bytes, -EMSGSIZE, -EIO, -ENOMEM. */
int dkek_share_seal(struct bytes share, const uint8_t salt[static DKEK_SALT_SIZE],
		    struct bytes password, struct dkek_progress progress, struct packer *out);
