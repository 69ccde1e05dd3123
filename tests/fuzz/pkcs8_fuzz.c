/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/fuzz/pkcs8_fuzz.c - The private key in a blob, as whoever has the public half of a KEK may write it. What
 * is taken is a key of the type asked for, whole, and one bit of it changed is another key or none.
 */
#include "format/keys.h"
#include "format/pkcs8.h"

#include <openssl/evp.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	enum kf_key_type type = n != 0 ? (enum kf_key_type)(data[0] % 16) : KF_KEY_NONE, got;
	struct secret plain = SECRET_INIT;
	EVP_PKEY *key = NULL;

	if (pkcs8_decode(bytes_slice(BYTES(data, n), 1, n), type, &key) < 0)
		return 0;
	if (key_type_of(key, &got) < 0 || got != type)
		abort();
	if (secret_init(&plain, KEY_PLAIN_MAX) < 0 || key_plain_encode(key, &plain) < 0)
		abort();
	EVP_PKEY_free(key);
	key = NULL;
	if (key_plain_decode(secret_bytes(&plain), type, &key) < 0)
		abort();
	EVP_PKEY_free(key);
	secret_deinit(&plain);
	return 0;
}
