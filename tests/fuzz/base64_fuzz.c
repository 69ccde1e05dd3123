// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/fuzz/base64_fuzz.c - Both readers of base64: what the strict one takes has one form, and the lenient one
 * makes the same of it.
 */
#include "libserver/json/base64url.h"
#include "libserver/json/byok_shape.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static uint8_t strict_buf[65536], lenient_buf[65536];
	static char text[131072];
	struct packer strict = pack_begin(strict_buf, sizeof(strict_buf));
	struct packer lenient = pack_begin(lenient_buf, sizeof(lenient_buf));
	int r = base64_lenient_decode(BYTES(data, n), &lenient);

	if (base64url_decode(BYTES(data, n), &strict) < 0)
		return 0;
	if (base64url_size(strict.n) != n)
		abort();
	base64url_encode(pack_done(&strict), text);
	if (!bytes_equal(BYTES(text, n), BYTES(data, n)))
		abort();
	if (n > 0 && (r < 0 || !bytes_equal(pack_done(&strict), pack_done(&lenient))))
		abort();
	return 0;
}
