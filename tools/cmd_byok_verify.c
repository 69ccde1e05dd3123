// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/cmd_byok_verify.c - keyferry byok verify: opens a wrapped key where the KEK's private half is a
 * file, which is so on test rigs alone, and says what is in it or what is wrong with it.
 */
#include "base/error.h"
#include "format/kid.h"
#include "format/numbers.h"
#include "format/ossl.h"
#include "tools/args.h"
#include "tools/byok.h"
#include "libserver/json/byok_blob.h"
#include "tools/server_state.h"


struct verify {
	const char *file, *kek, *kid, *format_text, *hash_text, *type_text;
	bool direct, named_hashes;
	int passphrase_fd;
	enum kf_byok_format format;
	enum kf_hash hash;
	enum kf_key_type type;
};

DEFINE_CLEANUP(struct kf_byok *, kf_byok_free);

static int check_kid(const struct verify *want, const char *kid, struct kf_error *e)
{
	if (!want->kid || kid_fits(BYTES(kid, strlen(kid)), BYTES(want->kid, strlen(want->kid))) != KID_OTHER)
		return 0;
	return error_why(e, -EBADMSG, "docs/byok.md 2", "get the KEK it was made for, or have it made anew",
			 "it is for another KEK: %s", kid);
}

/* A .byok file as the importer reads it: nothing is mended here. */
static int read_file(struct verify *want, struct bytes data, struct byok_blob *blob, struct kf_error *e)
{
	_cleanup_(kf_byok_freep) struct kf_byok *byok = NULL;
	const uint8_t *p;
	size_t n = 0;
	int r = kf_byok_parse(data.p, data.n, want->named_hashes ? KF_BYOK_NAMED_HASHES : 0, &byok, e);

	if (r == 0)
		r = check_kid(want, kf_byok_kid(byok), e);
	if (r < 0)
		return r;
	want->hash = kf_byok_hash(byok);
	p = kf_byok_blob(byok, &n);
	blob->p = malloc(n);
	if (!blob->p)
		return -ENOMEM;
	memcpy(blob->p, p, n);
	blob->n = n;
	return 0;
}

static int read_blob(struct verify *want, struct byok_blob *blob, struct kf_error *e)
{
	_cleanup_(freep) uint8_t *data = NULL;
	size_t n = 0;
	int r = ui_file_read(want->file, BYOK_FILE_MAX, &data, &n, e);

	if (r < 0)
		return r;
	if (want->format == KF_BYOK_AZURE)
		return read_file(want, BYTES(data, n), blob, e);
	r = byok_blob_read(BYTES(data, n), blob, e);
	if (r == 0 && !want->hash)
		want->hash = blob->hash ? blob->hash : want->format == KF_BYOK_PKCS11 ? KF_HASH_SHA1
										      : KF_HASH_SHA256;
	return r;
}

static int open_blob(const struct verify *want, const struct byok_blob *blob,
		     struct kf_byok_target **out, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret pem = SECRET_INIT, passphrase = SECRET_INIT;
	struct kf_byok_unwrap_request q = {
		.size = sizeof(q), .hash = want->hash, .blob = blob->p, .blob_len = blob->n,
		.mode = want->direct ? KF_BYOK_MODE_DIRECT : KF_BYOK_MODE_HYBRID,
	};
	int r = ui_secret_from_file(want->kek, BYOK_KEY_MAX, &pem, e);

	if (r < 0)
		return r;
	q.kek = pem.p;
	q.kek_len = pem.n;
	r = kf_byok_unwrap(&q, out, e);
	if (r != -ENOKEY)
		return r;
	r = passphrase_get(want->passphrase_fd, "Passphrase of the KEK", &passphrase, e);
	q.passphrase = passphrase.p;
	q.passphrase_len = passphrase.n;
	return r < 0 ? r : kf_byok_unwrap(&q, out, e);
}

static int check_type(const struct verify *want, const struct kf_byok_target *target, struct kf_error *e)
{
	if (!want->type || want->type == kf_byok_target_type(target))
		return 0;
	return error_why(e, -EBADMSG, "--type", "import it as what it is",
			 "it is a key of type %s, not %s", key_type_name(kf_byok_target_type(target)),
			 key_type_name(want->type));
}

static int report(const struct ui *ui, const struct verify *want, const struct kf_byok_target *target)
{
	_cleanup_(freep) char *text = byok_target_text(target);
	json_t *object = json_pack("{s:s,s:s}", "file", want->file, "hash", hash_name(want->hash));

	ui_say(ui, "opens:  %s, OAEP with %s", want->file, hash_name(want->hash));
	ui_say(ui, "key:    %s", text ? text : "");
	byok_target_json(object, target);
	return ui_json(ui, object);
}

static int verify(const struct ui *ui, struct verify *want)
{
	_cleanup_(kf_byok_target_freep) struct kf_byok_target *target = NULL;
	_cleanup_(byok_blob_deinit) struct byok_blob blob = BYOK_BLOB_INIT;
	struct kf_error e = KF_ERROR_INIT;
	int r;

	ossl_secure_heap();
	r = read_blob(want, &blob, &e);
	if (r == 0)
		r = open_blob(want, &blob, &target, &e);
	if (r == 0)
		r = check_type(want, target, &e);
	if (error_what(&e, r, "cannot open the wrapped key") < 0)
		return ui_fail(ui, &e);
	return report(ui, want, target);
}

static int check_texts(const struct ui *ui, struct verify *want)
{
	int code;

	if (!want->kek)
		return ui_usage(ui, "--kek-private is needed");
	if (want->type_text && key_type_from_name(want->type_text, &want->type) < 0)
		return ui_usage(ui, "--type %s is no type of key", want->type_text);
	code = byok_format_arg(ui, want->format_text, &want->format);
	if (code == UI_OK)
		code = byok_hash_arg(ui, want->hash_text, &want->hash);
	if (code == UI_OK && want->format == KF_BYOK_AZURE && (want->hash || want->direct))
		return ui_usage(ui, "a .byok file says its hash, and is never --direct");
	return code;
}

int cmd_byok_verify(int argc, char **argv)
{
	struct ui ui = { .command = "keyferry byok verify" };
	struct verify want = { .passphrase_fd = -1 };
	int code;
	const struct arg args[] = {
		{ "FILE", 0, ARG_WORD, &want.file, NULL, "a wrapped key; - is stdin" },
		{ "kek-private", 0, ARG_TEXT, &want.kek, "PEM", "the KEK, as only test rigs have it" },
		{ "kid", 0, ARG_TEXT, &want.kid, "ID", "its identifier: the file has to be for it" },
		{ "format", 0, ARG_TEXT, &want.format_text, "NAME",
		  "azure (default), aws, gcp, vault, pkcs11" },
		{ "hash", 0, ARG_TEXT, &want.hash_text, "NAME", "of its OAEP; not for .byok files" },
		{ "direct", 0, ARG_FLAG, &want.direct, NULL, "OAEP alone, without an AES key" },
		{ "named-hashes", 0, ARG_FLAG, &want.named_hashes, NULL,
		  "header.enc may name another hash than SHA-1" },
		{ "type", 0, ARG_TEXT, &want.type_text, "TYPE", "it has to be a key of this type" },
		{ "passphrase-fd", 0, ARG_FD, &want.passphrase_fd, "N", "passphrase of the KEK" },
		{ "json", 0, ARG_FLAG, &ui.json, NULL, "print one JSON object" },
		ARG_END
	};
	const struct arg_tables tables = {
		"Open a wrapped key with its KEK, on a test rig.", args, NULL,
	};

	if (!args_parse(&ui, &tables, argc, argv, &code))
		return code;
	code = check_texts(&ui, &want);
	return code != UI_OK ? code : verify(&ui, &want);
}
