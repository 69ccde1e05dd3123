// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/cmd_byok_import.c - keyferry byok import: a wrapped key into the card, which alone opens it. The
 * file is read here, strictly; what travels on is the bare blob.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "format/hash.h"
#include "format/numbers.h"
#include "libserver/json/byok.h"
#include "tools/byok_card.h"
#include "tools/tool.h"

#include <stdio.h>

enum { FILE_MAX = 1 << 20, SMALLEST_RSA = 1200 };

/**
 * struct import - what is asked for, and what has become of it
 * @type:	KF_KEY_NONE: as the blob's length tells
 * @replaces:	what the container held; only if @replaced
 */
struct import {
	const char *file, *ops, *type_text, *name, *out;
	bool named_hashes, may_replace, replaced;
	uint32_t container;
	enum kf_key_type type;
	enum kf_purpose purpose;
	uint8_t replaces[KF_DIGEST_SIZE];
	struct byok_file byok;
};

static void import_deinit(struct import *want)
{
	byok_file_deinit(&want->byok);
}

/* One purpose for life: operations that belong to two are no purpose. */
static int parse_ops(const char *text, bool is_aes, enum kf_purpose *out)
{
	static const struct { const char *op; enum kf_purpose pair, aes; } rows[] = {
		{ "sign", KF_PURPOSE_SIGN, KF_PURPOSE_NONE },
		{ "verify", KF_PURPOSE_SIGN, KF_PURPOSE_NONE },
		{ "decrypt", KF_PURPOSE_DECRYPT, KF_PURPOSE_CIPHER },
		{ "encrypt", KF_PURPOSE_DECRYPT, KF_PURPOSE_CIPHER },
		{ "wrapKey", KF_PURPOSE_DECRYPT, KF_PURPOSE_CIPHER },
		{ "unwrapKey", KF_PURPOSE_DECRYPT, KF_PURPOSE_CIPHER },
		{ "derive", KF_PURPOSE_DERIVE, KF_PURPOSE_NONE },
	};
	enum kf_purpose purpose = KF_PURPOSE_NONE;
	char copy[128], *save = NULL;

	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	(void)snprintf(copy, sizeof(copy), "%s", text);
	for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		enum kf_purpose one = KF_PURPOSE_NONE;

		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			if (strcmp(rows[i].op, word) == 0)
				one = is_aes ? rows[i].aes : rows[i].pair;
		if (one == KF_PURPOSE_NONE || (purpose != KF_PURPOSE_NONE && purpose != one))
			return -EINVAL;
		purpose = one;
	}
	*out = purpose;
	return purpose == KF_PURPOSE_NONE ? -EINVAL : 0;
}

static int check_file(struct import *want, struct kf_error *e)
{
	if (parse_ops(want->ops, key_type_is_aes(want->type), &want->purpose) < 0)
		return error_why(e, -EINVAL, "a key in a card has one purpose, docs/card-application.md 1.1",
				 "say sign,verify or encrypt,decrypt or derive",
				 "--ops %s is no one purpose of such a key", want->ops);
	/* Too short for RSA, and no EC key decrypts. */
	if (!want->type && want->purpose == KF_PURPOSE_DECRYPT && want->byok.ciphertext.n < SMALLEST_RSA)
		want->purpose = KF_PURPOSE_CIPHER;
	return 0;
}

static int read_file(struct import *want, struct kf_error *e)
{
	_cleanup_(freep) uint8_t *data = NULL;
	size_t n = 0;
	int r = ui_file_read(want->file, FILE_MAX, &data, &n, e);

	if (r == 0)
		r = byok_file_parse(BYTES(data, n), want->named_hashes, &want->byok, e);
	return r < 0 ? r : check_file(want, e);
}

/* The key that is there is named to the card, which then replaces this one and no other. */
static int look_at_container(struct tool *tool, struct import *want)
{
	struct kf_container *container = NULL;

	if (kf_container_read(tool->context, want->container, &container) < 0)
		return tool_fail(tool);
	want->replaced = kf_container_key_type(container) != KF_KEY_NONE;
	memcpy(want->replaces, kf_container_key_hash(container), KF_DIGEST_SIZE);
	kf_container_free(container);
	return UI_OK;
}

/* The one refusal has no cause; but that the type was a guess is worth saying. */
static int fail(struct tool *tool, const struct import *want)
{
	int code = tool_fail(tool);

	if (!want->type && kf_client_reason(tool->client) == KF_REASON_BYOK_REFUSED && !tool->ui.json)
		fprintf(stderr, "  note: its type was taken from its length; if it has another one, say it "
			"with --type\n");
	return code;
}

static int report(struct tool *tool, const struct import *want, const struct kf_imported *got)
{
	const char *type = key_type_name((enum kf_key_type)kf_imported_value(got, KF_IMPORTED_TYPE));
	const char *grade = grade_name((enum kf_grade)kf_imported_value(got, KF_IMPORTED_GRADE));
	uint32_t number = kf_imported_value(got, KF_IMPORTED_NUMBER);
	size_t n = 0, check_len = 0;
	const uint8_t *spki = kf_imported_public_key(got, &n);
	const uint8_t *check = kf_imported_check_value(got, &check_len);
	uint8_t digest[KF_DIGEST_SIZE];
	char hash[HEX_DIGEST_SIZE] = "", value[2 * KF_CHECK_VALUE_SIZE + 1] = "", old[HEX_DIGEST_SIZE] = "";

	if (want->replaced)
		hex_print(BYTES_OF(want->replaces), old);
	if (spki && sha256(BYTES(spki, n), digest) == 0)
		hex_print(BYTES_OF(digest), hash);
	if (check && check_len == KF_CHECK_VALUE_SIZE)
		hex_print(BYTES(check, check_len), value);
	ui_say(&tool->ui, "container: %u", number);
	ui_say(&tool->ui, "key:       %s, %s %s", type, check ? "check value" : "public key", check ? value : hash);
	ui_say(&tool->ui, "usage:     %s", purpose_name(want->purpose));
	if (want->replaced)
		ui_say(&tool->ui, "replaced:  the key %s", old);
	ui_say(&tool->ui, "compare this with what the sender says: nothing in the file tells who made it");
	ui_say(&tool->ui, "grade:     %s", grade ? grade : "none");
	return ui_json(&tool->ui, json_pack("{s:i,s:s,s:s,s:s*,s:s*,s:s*,s:s*}", "container", (int)number,
					    "key_type", type, "purpose", purpose_name(want->purpose),
					    "public_key_sha256", spki ? hash : NULL, "check_value",
					    check ? value : NULL, "grade", grade, "replaced",
					    want->replaced ? old : NULL));
}

static int import(struct tool *tool, struct import *want)
{
	struct kf_byok_spec spec = {
		.kid = want->byok.kid, .kek = KF_CONTAINER_ANY, .hash = want->byok.hash,
		.number = want->container, .key_type = want->type, .purpose = want->purpose,
	};
	struct kf_imported *got = NULL;
	size_t n = 0;
	const uint8_t *receipt;
	int code = tool_open_verified(tool, "byok import");

	if (code == UI_OK && want->may_replace)
		code = look_at_container(tool, want);
	if (code != UI_OK)
		return code;
	spec.replaces = want->replaced ? want->replaces : NULL;
	if (kf_byok_import(tool->context, &spec, want->byok.ciphertext.p, want->byok.ciphertext.n, &got) < 0)
		return fail(tool, want);
	receipt = kf_imported_receipt(got, &n);
	/* Said before the receipt is written: the key is in the card, whatever becomes of that file. */
	if (!want->out || strcmp(want->out, "-") != 0)
		code = report(tool, want, got);
	if (code == UI_OK && want->out) {
		tool->ui.stdout_is_taken = true;	/* by one document already */
		code = tool_write(tool, want->out, BYTES(receipt, n), 0644);
	}
	kf_imported_free(got);
	return code;
}

/* In a vault keys have names; in a card containers have numbers, and a number is all the name there is. */
static int check_texts(const struct ui *ui, struct import *want)
{
	uint64_t number;

	if (!want->ops)
		return ui_usage(ui, "--ops is needed");
	if (want->type_text && key_type_from_name(want->type_text, &want->type) < 0)
		return ui_usage(ui, "--type %s is no type of key", want->type_text);
	if (want->name && want->container != KF_CONTAINER_ANY)
		return ui_usage(ui, "--name and --container are the same: give one");
	if (want->name) {
		if (ui_parse_number(want->name, UINT32_MAX - 1, &number) < 0)
			return ui_usage(ui, "--name %s: a card keeps no names; give the container's number, "
					"which keyferry container list shows", want->name);
		want->container = (uint32_t)number;
	}
	if (want->may_replace && want->container == KF_CONTAINER_ANY)
		return ui_usage(ui, "--replace needs --name: which container?");
	return UI_OK;
}

int cmd_byok_import(int argc, char **argv)
{
	struct tool tool = TOOL_INIT("keyferry byok import");
	_cleanup_(import_deinit) struct import want = { .container = KF_CONTAINER_ANY,
							.byok = BYOK_FILE_INIT };
	struct kf_error e = KF_ERROR_INIT;
	const struct arg args[] = {
		{ "FILE", 0, ARG_WORD, &want.file, NULL, "a .byok file; - is stdin" },
		{ "ops", 0, ARG_TEXT, &want.ops, "OPS", "what it is for: sign,verify or encrypt,decrypt or derive" },
		{ "type", 0, ARG_TEXT, &want.type_text, "TYPE", "its type (default: as its length tells)" },
		{ "name", 0, ARG_TEXT, &want.name, "N", "where: the container's number (default: the first free one)" },
		{ "container", 'c', ARG_NUMBER, &want.container, "N", "the same" },
		{ "replace", 0, ARG_FLAG, &want.may_replace, NULL, "the key that is there goes" },
		{ "named-hashes", 0, ARG_FLAG, &want.named_hashes, NULL,
		  "header.enc may name another hash than SHA-1" },
		{ "output", 'o', ARG_TEXT, &want.out, "FILE", "where to write the card's receipt" },
		ARG_END
	};
	int code, r;

	if (!tool_parse(&tool, "Has the card unwrap a key into a container.", args, argc, argv, &code))
		return code;
	code = check_texts(&tool.ui, &want);
	if (code != UI_OK)
		return code;
	r = read_file(&want, &e);
	if (r < 0)
		return tool_fail_with(&tool, (error_what(&e, r, "cannot import the key"), &e));
	code = import(&tool, &want);
	tool_close(&tool);
	return code;
}
