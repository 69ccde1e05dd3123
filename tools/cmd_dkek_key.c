/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/cmd_dkek_key.c - keyferry dkek wrap, unwrap: keys out of one card of a fleet and into another.
 * What is read is a bare blob, or a file of sc-hsm-tool, which has description and certificate behind
 * it [cards 2.6].
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "base/hex.h"
#include "format/der.h"
#include "format/numbers.h"
#include "format/schsm/dkek_blob.h"
#include "format/schsm/prkd.h"
#include "format/schsm/wrapped_file.h"
#include "tools/client_cmds.h"
#include "tools/tool.h"

#include <stdlib.h>

enum { FILE_MAX = KF_BLOB_MAX + KF_CERT_MAX + 1024 };

static int fail(struct tool *tool, int code, const char *why, const char *next)
{
	struct kf_error e = KF_ERROR_INIT;

	(void)error_why(&e, code, "docs/cards/schsm.md", next, "%s", why);
	(void)error_what(&e, code, "cannot unwrap the key");
	return tool_fail_with(tool, &e);
}

static int take_container(struct tool *tool, const char *word, uint32_t *out)
{
	uint64_t number;

	if (ui_parse_number(word, UINT32_MAX - 1, &number) < 0)
		return ui_usage(&tool->ui, "'%s' is no container number", word);
	*out = (uint32_t)number;
	return UI_OK;
}

/* --- wrap --- */

static int wrap(struct tool *tool, uint32_t number, const char *out)
{
	struct kf_blob *blob = NULL;
	int code = tool_open_verified(tool, "dkek wrap");

	if (code != UI_OK)
		return code;
	if (kf_blob_wrap(tool->context, number, &blob) < 0)
		return tool_fail(tool);
	code = tool_write(tool, out, BYTES(kf_blob_data(blob), kf_blob_size(blob)), 0600);
	if (code == UI_OK && strcmp(out, "-") != 0) {
		ui_say(&tool->ui, "Every card with this DKEK opens it, for ever, wherever it goes.");
		code = ui_json(&tool->ui, json_pack("{s:s,s:I}", "file", out, "bytes",
						    (json_int_t)kf_blob_size(blob)));
	}
	kf_blob_free(blob);
	return code;
}

int cmd_dkek_wrap(int argc, char **argv)
{
	const char *word = NULL, *out = NULL;
	const struct arg args[] = {
		{ "CONTAINER", 0, ARG_WORD, &word, NULL, "of the key" },
		{ "output", 'o', ARG_TEXT, &out, "FILE", "where to (- is standard output)" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry dkek wrap");
	uint32_t number = 0;
	int code;

	if (!tool_parse(&tool, "Has the card give out a key, wrapped under its DKEK.", args, argc, argv, &code))
		return code;
	code = out ? take_container(&tool, word, &number) : ui_usage(&tool.ui, "-o FILE says where to");
	if (code == UI_OK)
		code = wrap(&tool, number, out);
	tool_close(&tool);
	return code;
}

/* --- unwrap --- */

/**
 * struct unwrap_args - the command line, and what came of it
 * @prkd:	what a file of sc-hsm-tool says of the key
 * @blob, @cert: parts of @data, or @cert of @cert_data
 */
struct unwrap_args {
	const char *file, *cert_file, *label, *type, *usage, *id_text;
	uint32_t container;
	bool replace, rewrap;
	uint8_t *data, *cert_data;
	struct bytes blob, cert;
	struct prkd prkd;
	uint8_t id[KF_KEY_ID_MAX];
	size_t id_len;
	struct kf_unwrap_spec spec;
};

static bool take_file(struct bytes der, struct unwrap_args *a)
{
	struct wrapped_file file;

	if (wrapped_file_parse(der, &file) < 0 || (file.prkd.n != 0 && prkd_parse(file.prkd, &a->prkd) < 0))
		return false;
	a->blob = file.blob;
	a->cert = file.cert;
	return true;
}

static int read_file(struct tool *tool, struct unwrap_args *a)
{
	struct kf_error e = KF_ERROR_INIT;
	size_t n = 0, n_cert = 0;

	if (ui_file_read(a->file, FILE_MAX, &a->data, &n, &e) < 0)
		return tool_fail_with(tool, &e);
	a->blob = BYTES(a->data, n);
	/* A blob begins with eight bytes that may be anything, so its form decides. */
	if (dkek_blob_parse(a->blob, &(struct dkek_blob){ 0 }) < 0 && !take_file(BYTES(a->data, n), a))
		return fail(tool, -EBADMSG, "the file is neither a blob nor one that sc-hsm-tool made",
			    "get it again from where it was wrapped");
	if (!a->cert_file)
		return UI_OK;
	if (ui_file_read(a->cert_file, KF_CERT_MAX, &a->cert_data, &n_cert, &e) < 0)
		return tool_fail_with(tool, &e);
	a->cert = BYTES(a->cert_data, n_cert);
	return UI_OK;
}

static enum kf_key_type type_of(const struct prkd *prkd)
{
	static const enum kf_key_type types[] = {
		KF_KEY_RSA_2048, KF_KEY_RSA_3072, KF_KEY_RSA_4096, KF_KEY_AES_128, KF_KEY_AES_192,
		KF_KEY_AES_256,
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (prkd->bits == key_type_bits(types[i]) &&
		    prkd->kind == (key_type_is_rsa(types[i]) ? PRKD_RSA : PRKD_AES))
			return types[i];
	return KF_KEY_NONE;
}

static uint32_t purposes_of(uint16_t usage)
{
	return (usage & PRKD_SIGN ? 1u << KF_PURPOSE_SIGN : 0) |
	       (usage & PRKD_DECRYPT ? 1u << KF_PURPOSE_DECRYPT : 0) |
	       (usage & PRKD_DERIVE ? 1u << KF_PURPOSE_DERIVE : 0);
}

static int take_id(struct tool *tool, struct unwrap_args *a)
{
	size_t n = a->id_text ? strlen(a->id_text) : 0;

	if (n > 2 * sizeof(a->id) || hex_read(BYTES(a->id_text, n), HEX_ANY, a->id, n / 2) < 0)
		return ui_usage(&tool->ui, "--id takes at most %d bytes in hexadecimal", KF_KEY_ID_MAX);
	a->id_len = n / 2;
	return UI_OK;
}

/* What is said here goes before what the file says. */
static int settle(struct tool *tool, struct unwrap_args *a)
{
	enum kf_purpose purpose;
	int code = take_id(tool, a);

	if (code != UI_OK)
		return code;
	a->spec = (struct kf_unwrap_spec){
		.number = a->container, .flags = a->rewrap ? KF_BLOB_REWRAP : 0,
		.key_type = a->cert.n == 0 && a->prkd.kind ? type_of(&a->prkd) : KF_KEY_NONE,
		.purposes = a->prkd.kind != PRKD_AES ? purposes_of(a->prkd.usage) : 0,
		.cert = a->cert.n ? a->cert.p : NULL, .cert_len = a->cert.n,
		.label = a->label ? a->label : a->prkd.label[0] ? a->prkd.label : NULL,
		.id = a->id_len ? a->id : a->prkd.id_len ? a->prkd.id : NULL,
		.id_len = a->id_len ? a->id_len : a->prkd.id_len,
	};
	if (a->type && key_type_from_name(a->type, &a->spec.key_type) < 0)
		return ui_usage(&tool->ui, "there is no key type '%s'", a->type);
	if (a->usage && purpose_from_name(a->usage, &purpose) < 0)
		return ui_usage(&tool->ui, "there is no usage '%s'", a->usage);
	if (a->usage)
		a->spec.purposes = 1u << purpose;
	if (a->replace && a->container == KF_CONTAINER_ANY)
		return ui_usage(&tool->ui, "--replace needs --container");
	return UI_OK;
}

static int unwrap(struct tool *tool, struct unwrap_args *a)
{
	struct kf_container *old = NULL;
	uint32_t number = 0;
	int code = tool_open_verified(tool, "dkek unwrap");

	if (code == UI_OK && a->replace && kf_container_read(tool->context, a->container, &old) < 0)
		code = tool_fail(tool);
	if (old && kf_container_key_type(old) != KF_KEY_NONE)
		a->spec.replaces = kf_container_key_hash(old);
	if (code == UI_OK &&
	    kf_blob_unwrap(tool->context, &a->spec, a->blob.p, a->blob.n, &number) < 0)
		code = tool_fail(tool);
	old = kf_container_free(old);
	if (code != UI_OK)
		return code;
	ui_say(&tool->ui, "container  %u", number);
	ui_say(&tool->ui, "The card says nothing about where the key was before: whoever had a share of the "
	       "DKEK may know it.");
	return ui_json(&tool->ui, json_pack("{s:I}", "container", (json_int_t)number));
}

int cmd_dkek_unwrap(int argc, char **argv)
{
	struct unwrap_args a = { .container = KF_CONTAINER_ANY };
	const struct arg args[] = {
		{ "FILE", 0, ARG_WORD, &a.file, NULL, "the wrapped key; - reads standard input" },
		{ "container", 'c', ARG_NUMBER, &a.container, "N", "where to (the first free one)" },
		{ "replace", 0, ARG_FLAG, &a.replace, NULL, "in place of the key that is there" },
		{ "cert", 0, ARG_TEXT, &a.cert_file, "FILE", "DER, to be stored beside it" },
		{ "type", 't', ARG_TEXT, &a.type, "TYPE", "if neither file nor certificate tell" },
		{ "usage", 'u', ARG_TEXT, &a.usage, "USAGE", "sign decrypt derive cipher, for its description "
		  "(all it can)" },
		{ "label", 0, ARG_TEXT, &a.label, "TEXT", "what to call it" },
		{ "id", 0, ARG_TEXT, &a.id_text, "HEX", "by which programs find it" },
		{ "allow-rewrap", 0, ARG_FLAG, &a.rewrap, NULL, "take a key that can be wrapped out again" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry dkek unwrap");
	int code;

	if (!tool_parse(&tool, "Has the card open a wrapped key into a container.", args, argc, argv, &code))
		return code;
	code = read_file(&tool, &a);
	if (code == UI_OK)
		code = settle(&tool, &a);
	if (code == UI_OK)
		code = unwrap(&tool, &a);
	free(a.data);
	free(a.cert_data);
	tool_close(&tool);
	return code;
}
