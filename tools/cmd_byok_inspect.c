// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/cmd_byok_inspect.c - keyferry byok inspect: all that can be told of a wrapped key by who cannot
 * open it. A .byok file that is not in form is told of, too, and makes exit code 1.
 */
#include "base/error.h"
#include "format/hash.h"
#include "format/numbers.h"
#include "libserver/json/byok.h"
#include "tools/args.h"
#include "tools/byok.h"
#include "libserver/json/byok_blob.h"

/* What the strict reader says, and what can be made of it. */
struct found {
	bool in_form;
	size_t ignored;
	struct kf_error fault;
	struct byok_blob blob;
};

static void found_deinit(struct found *found)
{
	byok_blob_deinit(&found->blob);
}

static int look(struct bytes text, struct found *found, struct kf_error *e)
{
	struct byok_file file = BYOK_FILE_INIT;
	int r = byok_file_parse(text, true, &file, &found->fault);

	found->in_form = r == 0;
	found->ignored = file.ignored;
	byok_file_deinit(&file);
	return byok_blob_read(text, &found->blob, e);
}

static const char *form_words(const struct found *found)
{
	static const char *const words[] = {
		".byok file", "bare blob in base64", "bare blob in hexadecimal", "bare blob, binary",
	};

	return words[found->blob.form];
}

static json_t *guesses(size_t wrapped, char *text, size_t room)
{
	json_t *array = json_array();
	const char *guess;
	size_t at = 0;

	*text = '\0';
	for (size_t i = 0; (guess = byok_blob_guess(wrapped, i)); i++) {
		int n = snprintf(text + at, room - at, "%s%s", i > 0 ? ", or " : "", guess);

		at += n > 0 && (size_t)n < room - at ? (size_t)n : 0;
		(void)json_array_append_new(array, json_string(guess));
	}
	return array;
}

static json_t *tell_kek(const struct ui *ui, size_t n, size_t k)
{
	char text[256];
	json_t *array = guesses(n - k, text, sizeof(text));

	if (n == k)
		ui_say(ui, "kek %zu:  nothing behind the RSA part: a key under OAEP alone", k * 8);
	else
		ui_say(ui, "kek %zu:  %zu bytes behind the RSA part%s%s", k * 8, n - k,
		       *text ? ", as long as those of " : ", the length of no usual key", text);
	return json_pack("{s:i,s:i,s:o}", "bits", (int)k * 8, "wrapped_bytes", (int)(n - k),
			 "guesses", array);
}

static json_t *tell_keks(const struct ui *ui, size_t n)
{
	json_t *keks = json_array();

	for (size_t k = 256; k <= 512; k += 128)
		if (byok_blob_fits(n, k))
			(void)json_array_append_new(keks, tell_kek(ui, n, k));
	return keks;
}

static json_t *tell_mends(const struct ui *ui, const struct found *found)
{
	json_t *mended = json_array();

	if (found->blob.form == FORM_FILE && !found->in_form)
		ui_say(ui, "wrong:     %s", found->fault.why);
	for (int i = 0; i < MEND_N; i++) {
		if (!(found->blob.mended & 1u << i))
			continue;
		ui_say(ui, "wrong:     %s", byok_mend_words((enum byok_mend)i));
		(void)json_array_append_new(mended, json_string(byok_mend_words((enum byok_mend)i)));
	}
	return mended;
}

static void tell_file(const struct ui *ui, const struct found *found)
{
	const struct byok_blob *blob = &found->blob;
	char text[KF_ERROR_TEXT_MAX];

	ui_say(ui, "kid:       %s", *blob->kid ? blob->kid : "none in form");
	ui_say(ui, "hash:      %s%s", blob->hash ? hash_name(blob->hash) : "not said",
	       blob->hash > KF_HASH_SHA1 ? " (not in the BYOK specification)" : "");
	if (blob->generator) {
		error_text_set(text, "%s", blob->generator);
		ui_say(ui, "generator: %s", text);
	}
	if (found->ignored)
		ui_say(ui, "ignored:   %zu members nobody knows", found->ignored);
}

static int tell(const struct ui *ui, const struct found *found)
{
	const struct byok_blob *blob = &found->blob;
	bool good = found->in_form || blob->form != FORM_FILE;
	uint8_t digest[KF_DIGEST_SIZE];
	char hash[HEX_DIGEST_SIZE] = "";
	json_t *mended, *keks;
	int code;

	if (sha256(BYTES(blob->p, blob->n), digest) == 0)
		hex_print(BYTES_OF(digest), hash);
	ui_say(ui, "form:      %s%s", form_words(found), good ? "" : ", not in form");
	mended = tell_mends(ui, found);
	if (blob->form == FORM_FILE)
		tell_file(ui, found);
	ui_say(ui, "blob:      %zu bytes, sha256 %s", blob->n, hash);
	keks = tell_keks(ui, blob->n);
	if (!good)
		ui_say(ui, "next:      keyferry byok convert mends it");
	code = ui_json(ui, json_pack(
		"{s:s,s:b,s:s*,s:o,s:s*,s:s*,s:s*,s:i,s:i,s:s,s:o}", "form", form_words(found), "in_form",
		good, "fault", good ? NULL : found->fault.why, "mendable", mended, "kid",
		*blob->kid ? blob->kid : NULL, "hash", hash_name(blob->hash), "generator",
		blob->generator, "ignored", (int)found->ignored, "blob_bytes", (int)blob->n, "blob_sha256",
		hash, "keks", keks));
	return code != UI_OK || good ? code : UI_FAILED;
}

int cmd_byok_inspect(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry byok inspect" };
	_cleanup_(found_deinit) struct found found = { .fault = KF_ERROR_INIT, .blob = BYOK_BLOB_INIT };
	_cleanup_(freep) uint8_t *data = NULL;
	struct kf_error e = KF_ERROR_INIT;
	const char *path = NULL;
	size_t n = 0;
	int code, r;
	const struct arg args[] = {
		{ "FILE", 0, ARG_WORD, &path, NULL, "a wrapped key in any form; - is stdin" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = {
		"Tell what a wrapped key is, and what is wrong with it.", args, NULL,
	};

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	r = ui_file_read(path, BYOK_FILE_MAX, &data, &n, &e);
	if (r == 0)
		r = look(BYTES(data, n), &found, &e);
	return r < 0 ? ui_fail(&ui, &e) : tell(&ui, &found);
}
