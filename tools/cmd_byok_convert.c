// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/cmd_byok_convert.c - keyferry byok convert: the same blob in another receiver's form, or a .byok
 * file put right. What is inside cannot be changed by who cannot open it, so hash and KEK stay.
 */
#include "base/error.h"
#include "format/numbers.h"
#include "tools/args.h"
#include "tools/byok.h"
#include "libserver/json/byok_blob.h"

struct convert {
	const char *in, *out, *kid, *format_text, *hash_text;
	enum kf_byok_format format;
	enum kf_hash hash;
};

/* What the file says counts: it was there when the blob was made. */
static int settle_hash(struct convert *want, const struct byok_blob *blob, struct kf_error *e)
{
	if (blob->hash && want->hash && blob->hash != want->hash)
		return error_why(e, -EINVAL, "docs/byok.md 2", "leave --hash out",
				 "the file says that its OAEP is with %s", hash_name(blob->hash));
	if (blob->hash)
		want->hash = blob->hash;
	if (!want->hash && want->format == KF_BYOK_AZURE)
		return error_why(e, -EINVAL, "docs/byok.md 1",
				 "say it with --hash: sha1 is that of the BYOK specification",
				 "nothing says with which hash the OAEP of this blob was done");
	return 0;
}

static int write_out(struct convert *want, const struct byok_blob *blob, struct kf_error *e)
{
	struct kf_byok_label label = {
		.size = sizeof(label), .kid = want->kid ? want->kid : *blob->kid ? blob->kid : NULL,
		.generator = blob->generator,
	};
	_cleanup_(freep) uint8_t *text = NULL;
	size_t len = 0;
	int r = settle_hash(want, blob, e);

	label.hash = want->hash;
	if (r == 0)
		r = kf_byok_write(want->format, &label, blob->p, blob->n, &text, &len, e);
	return r < 0 ? r : ui_file_write(want->out, BYTES(text, len), 0644, e);
}

static int report(const struct ui *ui, const struct convert *want, const struct byok_blob *blob)
{
	json_t *mended = json_array();

	ui_say(ui, "file:   %s", want->out);
	ui_say(ui, "format: %s, OAEP with %s, %zu bytes", kf_byok_format_name(want->format),
	       want->hash ? hash_name(want->hash) : "a hash nobody has said", blob->n);
	for (int i = 0; i < MEND_N; i++) {
		if (!(blob->mended & 1u << i))
			continue;
		ui_say(ui, "mended: %s", byok_mend_words((enum byok_mend)i));
		(void)json_array_append_new(mended, json_string(byok_mend_words((enum byok_mend)i)));
	}
	return ui_json(ui, json_pack("{s:s,s:s,s:s*,s:i,s:o}", "file", want->out, "format",
				     kf_byok_format_name(want->format), "hash", hash_name(want->hash),
				     "blob_bytes", (int)blob->n, "mended", mended));
}

static int convert(const struct ui *ui, struct convert *want)
{
	_cleanup_(byok_blob_deinit) struct byok_blob blob = BYOK_BLOB_INIT;
	struct kf_error e = KF_ERROR_INIT;
	int r = byok_read_blob(want->in, &blob, &e);

	if (r == 0)
		r = write_out(want, &blob, &e);
	if (error_what(&e, r, "cannot convert %s", want->in) < 0)
		return ui_fail(ui, &e);
	return strcmp(want->out, "-") == 0 ? UI_OK : report(ui, want, &blob);
}

int cmd_byok_convert(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry byok convert" };
	struct convert want = { 0 };
	int code;
	const struct arg args[] = {
		{ "FILE", 0, ARG_WORD, &want.in, NULL, "a wrapped key in any form; - is stdin" },
		{ "format", 0, ARG_TEXT, &want.format_text, "NAME",
		  "azure (default), aws, gcp, vault, pkcs11" },
		{ "kid", 0, ARG_TEXT, &want.kid, "ID", "the KEK's identifier, if FILE has none" },
		{ "hash", 0, ARG_TEXT, &want.hash_text, "NAME", "of its OAEP, if FILE does not say" },
		{ "output", 'o', ARG_TEXT, &want.out, "FILE", "where to write; - is stdout" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = {
		"Put a wrapped key into the form another receiver takes, or right.", args, NULL,
	};

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	if (!want.out)
		return ui_usage(&ui, "-o is needed");
	code = byok_format_arg(&ui, want.format_text, &want.format);
	if (code == UI_OK)
		code = byok_hash_arg(&ui, want.hash_text, &want.hash);
	return code != UI_OK ? code : convert(&ui, &want);
}
