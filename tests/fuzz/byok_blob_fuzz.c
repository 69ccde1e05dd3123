// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/fuzz/byok_blob_fuzz.c - What keyferry byok inspect and convert are given: a wrapped key in whatever form.
 * What is made of it can be one, and is the same when it comes in bare.
 */
#include "tools/byok_blob.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct byok_blob blob = BYOK_BLOB_INIT;

	if (byok_blob_read(BYTES(data, n), &blob, NULL) < 0)
		return 0;
	if (blob.form > FORM_BINARY || !blob.p || blob.mended >> MEND_N)
		abort();
	if (!byok_blob_fits(blob.n, 256) && !byok_blob_fits(blob.n, 384) && !byok_blob_fits(blob.n, 512))
		abort();
	for (size_t i = 0; byok_blob_guess(blob.n, i); i++)
		if (i > 32)
			abort();
	byok_blob_deinit(&blob);
	return 0;
}
