/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/schsm/issuer.h - Who certifies virtual SmartCard-HSMs: a root, a device issuer under it, and the
 * device certificates that this one signs, all on brainpoolP256r1 as the vendor's are. Every holder
 * reference in the chain begins with %ISSUER_MARK, so that nobody takes such a card for a real one.
 */
#pragma once

#include "base/cleanup.h"
#include "base/secret.h"
#include "format/schsm/device_chain.h"

#include <openssl/types.h>

#define ISSUER_MARK DEVICE_VIRTUAL_MARK

enum {
	ISSUER_SERIAL_MAX = 5,		/* of 16 characters 6 are the mark and 5 the sequence number */
};

struct issuer;

/* For one card; nobody keeps the keys. Return: 0, -EIO, -ENOMEM. */
int issuer_new(struct issuer **out);
/*
 * That in @dir (schsm-root.key, .cvc, schsm-issuer.key, .cvc), made if there is none yet. @dir is
 * created with 0700 and must be closed to others.
 *
 * Return: 0, -EBADMSG the files do not hold a chain, or as store_open().
 */
int issuer_open(const char *dir, struct issuer **out);
struct issuer *issuer_free(struct issuer *issuer);
DEFINE_CLEANUP(struct issuer *, issuer_free);

/* The root's certificate, borrowed. */
struct bytes issuer_root(const struct issuer *issuer);

/*
 * A certificate for the public half of @device, and the issuer's behind it: content of 2F02.
 *
 * Return: 0, -EINVAL @serial has more than ISSUER_SERIAL_MAX characters, -EMSGSIZE, -EIO, -ENOMEM.
 */
int issuer_certify(const struct issuer *issuer, EVP_PKEY *device, const char *serial,
		   struct packer *out);

/* A pair of the curve they all are on. Return: 0, -EIO. */
int issuer_make_pair(EVP_PKEY **out);
