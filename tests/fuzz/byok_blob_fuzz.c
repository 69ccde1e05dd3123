// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/fuzz/byok_blob_fuzz.c - A wrapped key in whatever form and under whatever layers somebody has it.
 * What was made out is a blob under some RSA key, with an identifier that is one; in hexadecimal, and in a file
 * in form where it may be in one, it is the same blob and nothing has to be mended.
 */
#include "libserver/json/byok.h"
#include "tools/byok_blob.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void expect_same(struct bytes text, enum byok_form form, const struct byok_blob *blob)
{
	struct byok_blob again = BYOK_BLOB_INIT;

	if (byok_blob_read(text, &again, NULL) < 0 || again.form != form || again.mended != 0 ||
	    !bytes_equal(BYTES(again.p, again.n), BYTES(blob->p, blob->n)))
		abort();
	byok_blob_deinit(&again);
}

static void read_hex(const struct byok_blob *blob)
{
	char *text = malloc(2 * blob->n + 1);

	if (!text)
		abort();
	for (size_t i = 0; i < blob->n; i++) {
		text[2 * i] = "0123456789abcdef"[blob->p[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[blob->p[i] & 15];
	}
	expect_same(BYTES(text, 2 * blob->n), FORM_HEX, blob);
	free(text);
}

/* One under OAEP alone may not be in a file, nor one without an identifier. */
static bool may_be_filed(const struct byok_blob *blob)
{
	return *blob->kid && blob->n % 8 == 0 && blob->n >= BYOK_CIPHERTEXT_MIN;
}

static void read_file(const struct byok_blob *blob)
{
	struct byok_file file = BYOK_FILE_INIT;
	char *text = NULL;
	size_t len = 0;

	(void)snprintf(file.kid, sizeof(file.kid), "%s", blob->kid);
	if (blob_set(&file.ciphertext, BYTES(blob->p, blob->n)) < 0 ||
	    byok_file_write(&file, &text, &len, NULL) < 0)
		abort();
	expect_same(BYTES(text, len), FORM_FILE, blob);
	free(text);
	byok_file_deinit(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct byok_blob blob = BYOK_BLOB_INIT;

	if (byok_blob_read(BYTES(data, n), &blob, NULL) < 0)
		return 0;
	if (!byok_blob_fits(blob.n, 256) && !byok_blob_fits(blob.n, 384) && !byok_blob_fits(blob.n, 512))
		abort();
	for (int mend = 0; blob.mended >> mend != 0; mend++)
		if (!byok_mend_words((enum byok_mend)mend))
			abort();
	for (size_t i = 0; byok_blob_guess(blob.n, i); i++)
		;
	read_hex(&blob);
	if (may_be_filed(&blob))
		read_file(&blob);
	byok_blob_deinit(&blob);
	return 0;
}
