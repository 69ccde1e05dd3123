/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/card/keyfile.h - The files of a maker of virtual cards: private keys that are its owner's alone,
 * and certificates that anybody may read and nobody else change.
 */
#pragma once

#include "base/secret.h"
#include "vreader/state/store.h"

#include <openssl/types.h>

/*
 * The whole of @dir/@name. @forbidden: permissions that the file must not give.
 *
 * Return: 0, -ENOENT, -EACCES not ours alone, -EBADMSG too long, another errno.
 */
int keyfile_read(const char *dir, const char *name, mode_t forbidden, struct secret *out);

/* A PEM private key. Return: 0, -EBADMSG there is none in it, or as keyfile_read(). */
int keyfile_load(const char *dir, const char *name, EVP_PKEY **out);
/* Return: 0, -EIO, or as store_put_file(). */
int keyfile_save(struct store *store, const char *name, EVP_PKEY *key);
