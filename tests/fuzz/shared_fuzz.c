/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/fuzz/shared_fuzz.c - What a card says of a SHARED key, and the file its maker gets; a second form of
 * the same is a finding.
 */
#include "format/shared.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void info(struct bytes der)
{
	uint8_t buf[SHARED_INFO_MAX];
	struct packer again = pack_begin(buf, sizeof(buf));
	struct shared_info parsed;

	if (shared_info_parse(der, &parsed) < 0)
		return;
	shared_info_pack(&again, &parsed);
	if (!bytes_equal(pack_done(&again), der))
		abort();
}

static void file(struct bytes data)
{
	struct shared_keys keys = SHARED_KEYS_INIT;
	struct secret text = SECRET_INIT, again = SECRET_INIT;

	if (secret_init(&text, SHARED_KEYS_TEXT_MAX) < 0 || secret_init(&again, SHARED_KEYS_TEXT_MAX) < 0)
		abort();
	if (secret_set(&text, data) == 0 && shared_keys_parse(&text, &keys) == 0) {
		shared_keys_write(&keys, &again);
		if (!secret_equal(&text, &again))
			abort();
		shared_keys_deinit(&keys);
	}
	secret_deinit(&text);
	secret_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	info(BYTES(data, n));
	file(BYTES(data, n));
	return 0;
}
