/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/curve.h - Elliptic curves as a SmartCard-HSM names them: by all their numbers
 * [TR-03110-3 D.3.3; card dossier 2.6]. Only numbers of a curve we know become a key; parameters
 * that somebody made up are refused.
 */
#pragma once

#include "base/bytes.h"

#include <openssl/types.h>

enum {
	CURVE_SIZE_MAX = 66,
	CURVE_POINT_MAX = 1 + 2 * CURVE_SIZE_MAX,
};

/* The numbers of a curve, borrowed: prime, both coefficients, generator, its order, cofactor. */
struct curve_claim {
	struct bytes p, a, b, g, n, h;
};

/**
 * struct curve - a curve that we know
 * @group:	OpenSSL's name
 * @bits:	of the prime
 * @size:	of the prime and of a coordinate in bytes; of the order, too, on all of these
 * @p, @a, @b, @n: @size bytes each
 * @g:		04 || X || Y
 */
struct curve {
	const char *group;
	unsigned int bits;
	size_t size;
	uint8_t p[CURVE_SIZE_MAX], a[CURVE_SIZE_MAX], b[CURVE_SIZE_MAX], n[CURVE_SIZE_MAX];
	uint8_t g[CURVE_POINT_MAX];
};

/* Return: 0, -EOPNOTSUPP for a curve that is not in the table, -EIO, -ENOMEM. */
int curve_from_group(const char *group, struct curve *out);
/* The curve of an EC key. */
int curve_of_key(EVP_PKEY *key, struct curve *out);

/*
 * The curve whose numbers these are. Leading zeros are as good as none, as long as no number is longer
 * than the curve's. An empty @claim->a is taken for a curve of NIST's if @lenient, and an empty
 * cofactor.
 *
 * Return: 0, -EOPNOTSUPP for numbers of no curve we know, -EIO, -ENOMEM.
 */
int curve_from_claim(const struct curve_claim *claim, bool lenient, struct curve *out);

/* Its numbers, borrowed from @curve. */
struct curve_claim curve_numbers(const struct curve *curve);

/* The public key at @point, 04 || X || Y. Return: 0; -EBADMSG if it is no point of it; -EIO, -ENOMEM. */
int curve_public_key(const struct curve *curve, struct bytes point, EVP_PKEY **out);

/* Writes 04 || X || Y of an EC key. Return: 0, -EMSGSIZE, -EIO, -ENOMEM. */
int curve_point(EVP_PKEY *key, struct packer *out);
