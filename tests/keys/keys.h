/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/keys/keys.h - RSA keys for tests that want one and do not care which: making them anew would
 * take most of a test run. The files beside this one are of `openssl genpkey -algorithm RSA`, two of
 * each size, and protect nothing. A program has them inside, so none looks for a file.
 */
#pragma once

#include "format/keys.h"

enum { PREPARED_EACH = 2 };	/* keys of one size */

/**
 * prepared_rsa - The same key each time
 * @bits:	2048, 3072 or 4096
 * @index:	below %PREPARED_EACH, where a test needs two that differ
 *
 * Return: the key, which the caller owns; NULL if there is none such.
 */
EVP_PKEY *prepared_rsa(unsigned int bits, unsigned int index);

/* Writes rsaBITS.pem or rsaBITS-b.pem into a new file @path. Return: 0 or a negative errno. */
int prepared_rsa_save(unsigned int bits, unsigned int index, const char *path);

/* As key_generate(), but of RSA gives prepared_rsa(, 0). */
int some_key(enum kf_key_type type, EVP_PKEY **out);
