/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/fuzz/key_file_fuzz.c - A private key file as an operator names it, and its DER alone, which
 * no mutation of base64 would reach. A key that is taken and cannot be written for a card, or comes
 * back from that as another, is a finding.
 */
#include "format/keys.h"
#include "format/ossl.h"
#include "libserver/pem.h"
#include "libserver/private_key.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void expect_card_form(EVP_PKEY *key)
{
	_cleanup_(secret_deinit) struct secret plain = SECRET_INIT;
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *again = NULL;
	enum kf_key_type type;

	if (secret_init(&plain, KEY_PLAIN_MAX) < 0)
		return;
	if (key_type_of(key, &type) < 0 || key_plain_encode(key, &plain) < 0 ||
	    key_plain_decode(secret_bytes(&plain), type, &again) < 0 || EVP_PKEY_eq(key, again) != 1)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct bytes file = BYTES(data, n);
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;

	/* Deriving from a passphrase costs what the file says, so that is no input for a fuzzer. */
	if (!pem_is_encrypted(file) && pem_private_key(file, BYTES_NONE, &key, NULL) == 0)
		expect_card_form(key);
	for (int form = PRIVATE_KEY_PKCS8; form <= PRIVATE_KEY_EC; form++) {
		_cleanup_(EVP_PKEY_freep) EVP_PKEY *bare = NULL;

		if (private_key_parse(file, (enum private_key_form)form, &bare, NULL) == 0)
			expect_card_form(bare);
	}
	return 0;
}
