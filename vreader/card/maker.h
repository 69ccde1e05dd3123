/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/card/maker.h - The maker of virtual cards: a root and the device certificates it issues
 * (docs/formats.md 2).
 */
#pragma once

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/secret.h"

#include <openssl/types.h>

struct maker;

/* A root for one card; nobody keeps its key. Return: 0, -EIO. */
int maker_new(struct maker **out);
/*
 * The root in @dir (root.key, root.pem), made if there is none yet. @dir is created with 0700 and
 * must be closed to others.
 *
 * Return: 0, -EBADMSG the files do not hold a root or do not fit together, or as store_open().
 */
int maker_open(const char *dir, struct maker **out);
struct maker *maker_free(struct maker *maker);
DEFINE_CLEANUP(struct maker *, maker_free);

/* The root's certificate as PEM. Return: 0, -EMSGSIZE, -EIO. */
int maker_root_pem(const struct maker *maker, struct packer *out);

/* A device certificate, DER, for the public half of @device. Return: 0, -EMSGSIZE, -EIO. */
int maker_issue(const struct maker *maker, EVP_PKEY *device, const char *serial,
		struct packer *out);

/* DER of a certificate as PEM. Return: 0, -EBADMSG, -EMSGSIZE, -EIO. */
int cert_to_pem(struct bytes der, struct packer *out);
