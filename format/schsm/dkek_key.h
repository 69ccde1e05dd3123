/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/dkek_key.h - The key in a DKEK blob and its plain part [card dossier 2.6]: a pair, or
 * the bytes of an AES key. What is read is proved consistent before it is a key.
 */
#pragma once

#include "base/secret.h"

#include <openssl/types.h>

enum dkek_type {
	DKEK_RSA = 5,			/* d, n, e */
	DKEK_RSA_CRT = 6,
	DKEK_EC = 12,
	DKEK_AES = 15,
};

enum {
	DKEK_RANDOM_SIZE = 8,
	DKEK_RSA_CRT_MAX = 2048,	/* bits; longer keys go as DKEK_RSA */
	DKEK_PLAIN_MAX = 1088,		/* RSA-4096: 8 + 2 + 514 + 514 + 2 + 8 and padding */
};

/**
 * struct dkek_key - a key to wrap, or one that was in a blob; owns both
 * @pair:	RSA of 1024, 1536, 2048, 3072 or 4096 bits, or EC on a curve of format/schsm/curve.c
 * @secret:	AES: 16, 24 or 32 bytes
 */
struct dkek_key {
	enum dkek_type type;
	EVP_PKEY *pair;
	struct secret secret;
};

#define DKEK_KEY_INIT ((struct dkek_key){ .secret = SECRET_INIT })

void dkek_key_deinit(struct dkek_key *key);

bool dkek_type_is_known(unsigned int type);

/* How @pair travels: RSA with its primes as long as a card takes them. Return: 0, -EOPNOTSUPP. */
int dkek_type_of(EVP_PKEY *pair, enum dkek_type *out);

/*
 * Writes the plain part, padding and all, into @out (DKEK_PLAIN_MAX is enough).
 *
 * Return: 0; -EOPNOTSUPP for a key of no such type or size; -EINVAL without private half; -EIO,
 * -ENOMEM.
 */
int dkek_key_pack(const struct dkek_key *key, const uint8_t random[static DKEK_RANDOM_SIZE],
		  struct secret *out);

/*
 * Reads a plain part. Two things that cards do are taken besides: an empty a of a NIST curve, and no padding
 * where none is needed to fill the block.
 *
 * Return: 0; -EBADMSG whatever is wrong with it; -EIO, -ENOMEM.
 */
int dkek_key_take(struct bytes plain, enum dkek_type type, struct dkek_key *out);
