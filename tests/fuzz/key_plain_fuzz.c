/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/fuzz/key_plain_fuzz.c - The plaintext of an item and a public key, as whoever holds S1 or the wire may write them. */
#include "format/keys.h"

#include <openssl/evp.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct bytes rest = bytes_slice(BYTES(data, n), 1, n);
	enum kf_key_type type = n != 0 ? (enum kf_key_type)(data[0] % 8) : KF_KEY_NONE;
	EVP_PKEY *key = NULL;

	if (key_plain_decode(rest, type, &key) == 0)
		EVP_PKEY_free(key);
	key = NULL;
	if (spki_parse(rest, &key, &type) == 0)
		EVP_PKEY_free(key);
	return 0;
}
