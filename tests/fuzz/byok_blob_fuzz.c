// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/fuzz/byok_blob_fuzz.c - A wrapped key in whatever form somebody has it. What was made out has to hold
 * what the header says, and written as a file it is read as the same bytes without mending.
 */
#include "libserver/json/byok.h"
#include "libserver/json/byok_blob.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const struct byok_blob *blob)
{
	size_t guesses = 0;

	if (!blob->p || blob->n == 0 || blob->n > BYOK_CIPHERTEXT_MAX || blob->form > FORM_BINARY ||
	    blob->mended >> MEND_N || (*blob->kid && key_url_fault(blob->kid)) || byok_mend_words(MEND_N))
		abort();
	for (int mend = 0; mend < MEND_N; mend++)
		if (!byok_mend_words((enum byok_mend)mend))
			abort();
	while (byok_blob_guess(blob->n, guesses))
		if (++guesses > 16)
			abort();
}

/* What no file can say is left out: no identifier, or a hash without a name there. */
static void check_again(const struct byok_blob *blob)
{
	struct byok_file file = BYOK_FILE_INIT;
	struct byok_blob again = BYOK_BLOB_INIT;
	char *text = NULL;
	size_t len = 0;

	(void)snprintf(file.kid, sizeof(file.kid), "%s", blob->kid);
	file.hash = blob->hash;
	file.ciphertext = (struct blob){ blob->p, blob->n };
	if (!*blob->kid || blob->n < BYOK_CIPHERTEXT_MIN || byok_file_write(&file, &text, &len, NULL) < 0)
		return;
	if (byok_blob_read(BYTES(text, len), &again, NULL) < 0 || again.mended || again.form != FORM_FILE ||
	    !bytes_equal(BYTES(again.p, again.n), BYTES(blob->p, blob->n)))
		abort();
	byok_blob_deinit(&again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct byok_blob blob = BYOK_BLOB_INIT;

	if (byok_blob_read(BYTES(data, n), &blob, NULL) < 0)
		return 0;
	check(&blob);
	check_again(&blob);
	byok_blob_deinit(&blob);
	return 0;
}
