/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/fuzz/cvc_fuzz.c - Certificates from a card nobody has verified yet. What is read is inside the
 * bytes given, its key loads or is refused, and nothing verifies under it by accident of form.
 */
#include "format/schsm/cvc.h"

#include <openssl/evp.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void expect_inside(struct bytes part, struct bytes whole)
{
	if (part.n != 0 && (part.p < whole.p || part.p + part.n > whole.p + whole.n))
		abort();
}

static void use(const struct cvc *cvc, struct bytes whole)
{
	EVP_PKEY *key = NULL;

	expect_inside(cvc->whole, whole);
	expect_inside(cvc->body, cvc->whole);
	expect_inside(cvc->chr, cvc->body);
	expect_inside(cvc->extensions, cvc->body);
	expect_inside(cvc->signature, cvc->whole);
	if (cvc->chr.n == 0 || cvc->signature.n == 0 || cvc_is_request(cvc) != (cvc->from.n == 0))
		abort();
	if (cvc_key_load(&cvc->key, NULL, &key) == 0)
		(void)cvc_verify(cvc, key, cvc->key.algorithm);
	EVP_PKEY_free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct bytes whole = BYTES(data, n);
	struct unpacker u = unpack_begin(whole);
	struct cvc_voucher voucher;
	struct cvc cvc;

	while (cvc_take(&u, &cvc) == 0)
		use(&cvc, whole);
	if (cvc_voucher_parse(whole, &voucher) == 0) {
		use(&voucher.request, whole);
		expect_inside(voucher.signed_part, whole);
	}
	return 0;
}
