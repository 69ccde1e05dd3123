/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/fuzz/dkek_blob_fuzz.c - A blob as anybody may bring it, and a plain part as anybody with the
 * DKEK may have written it. What is taken as a key wraps again.
 */
#include "format/schsm/dkek_blob.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void use(const struct dkek *dkek, struct dkek_key *key)
{
	static const uint8_t random[DKEK_RANDOM_SIZE];
	uint8_t buf[DKEK_BLOB_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct dkek_key again = DKEK_KEY_INIT;

	if (dkek_blob_make(dkek, key, BYTES_NONE, random, &p) < 0 ||
	    dkek_blob_open(dkek, pack_done(&p), &again) < 0 || again.type != key->type)
		abort();
	dkek_key_deinit(&again);
	dkek_key_deinit(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const enum dkek_type types[] = { DKEK_RSA, DKEK_RSA_CRT, DKEK_EC, DKEK_AES };
	struct dkek dkek = DKEK_INIT;
	struct dkek_key key = DKEK_KEY_INIT;
	struct dkek_blob public;

	if (n == 0 || n > DKEK_PLAIN_MAX || dkek_init(&dkek) < 0)
		return 0;
	if (dkek_blob_parse(BYTES(data, n), &public) == 0 && public.algorithms.n > DKEK_ALGORITHMS_MAX)
		abort();
	if (dkek_blob_open(&dkek, BYTES(data, n), &key) == 0)
		use(&dkek, &key);
	if (dkek_key_take(BYTES(data + 1, n - 1), types[data[0] % 4], &key) == 0)
		use(&dkek, &key);
	dkek_deinit(&dkek);
	return 0;
}
