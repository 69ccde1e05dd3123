// SPDX-License-Identifier: LGPL-2.1-or-later
/* tests/fuzz/challenge_json_fuzz.c - The challenge file as the client gets it; one that reads otherwise once written anew is a finding. */
#include "libserver/json/challenge.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct challenge_file file, again;
	char *text = NULL, *twice = NULL;
	size_t len = 0, twice_len = 0;

	if (challenge_file_parse(BYTES(data, n), &file, NULL) < 0)
		return 0;
	if (challenge_file_write(&file, &text, &len, NULL) < 0 ||
	    challenge_file_parse(BYTES(text, len), &again, NULL) < 0 ||
	    challenge_file_write(&again, &twice, &twice_len, NULL) < 0 ||
	    !bytes_equal(BYTES(text, len), BYTES(twice, twice_len)))
		abort();
	free(text);
	free(twice);
	return 0;
}
