// SPDX-License-Identifier: LGPL-2.1-or-later
/* tests/fuzz/cargo_json_fuzz.c - The cargo file as the client gets it; one that reads otherwise once written anew is a finding. */
#include "libserver/json/cargo.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct cargo_file file = CARGO_FILE_INIT, again = CARGO_FILE_INIT;
	char *text = NULL, *twice = NULL;
	size_t len = 0, twice_len = 0;

	if (cargo_file_parse(BYTES(data, n), &file, NULL) < 0)
		return 0;
	if (cargo_file_write(&file, &text, &len, NULL) < 0 ||
	    cargo_file_parse(BYTES(text, len), &again, NULL) < 0 ||
	    cargo_file_write(&again, &twice, &twice_len, NULL) < 0 ||
	    !bytes_equal(BYTES(text, len), BYTES(twice, twice_len)))
		abort();
	free(text);
	free(twice);
	cargo_file_deinit(&file);
	cargo_file_deinit(&again);
	return 0;
}
