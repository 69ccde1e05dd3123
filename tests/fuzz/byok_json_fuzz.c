// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/fuzz/byok_json_fuzz.c - The .byok file as anybody may make one, and what people take for one;
 * one that reads otherwise once written anew is a finding.
 */
#include "libserver/json/byok.h"
#include "libserver/json/byok_shape.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct byok_file file = BYOK_FILE_INIT, again = BYOK_FILE_INIT;
	char *text = NULL, *twice = NULL;
	size_t len = 0, twice_len = 0;
	uint8_t buf[512];
	struct packer p = pack_begin(buf, sizeof(buf));

	if (!byok_shape_words(byok_shape(BYTES(data, n))))
		abort();
	(void)base64_lenient_decode(BYTES(data, n), &p);
	if (byok_file_parse(BYTES(data, n), true, &file, NULL) < 0)
		return 0;
	if (byok_file_write(&file, &text, &len, NULL) < 0 ||
	    byok_file_parse(BYTES(text, len), true, &again, NULL) < 0 ||
	    byok_file_write(&again, &twice, &twice_len, NULL) < 0 ||
	    !bytes_equal(BYTES(text, len), BYTES(twice, twice_len)))
		abort();
	free(text);
	free(twice);
	byok_file_deinit(&file);
	byok_file_deinit(&again);
	return 0;
}
