// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/cmd_byok_kek.c - keyferry byok kek: key-encryption keys in a card. One is called by its whole name,
 * or by NAME where that is https://HOST/keys/NAME/VERSION and there is one such.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "format/kek_statement.h"
#include "format/kid.h"
#include "libserver/json/kek.h"
#include "tools/byok_card.h"
#include "tools/cmd.h"
#include "tools/pem.h"
#include "tools/table.h"
#include "tools/tool.h"

#include <ctype.h>
#include <openssl/rand.h>
#include <stdio.h>

enum { VERSION_SIZE = 16, SHORT_NAME_MAX = 127 };

#define ALL_TYPES "rsa2048,rsa3072,rsa4096,p256,p384,p521,p256k,aes128,aes192,aes256"

struct kek_args {
	const char *name, *out, *attestation, *allow, *hash_text;
	uint32_t size, container;
	enum kf_hash hash;
	struct kf_kek_spec spec;
};

static int wrong(struct tool *tool, int code, const char *next, const char *why)
{
	struct kf_error e = KF_ERROR_INIT;

	(void)error_why(&e, code, "docs/byok.md 4", next, "%s", why);
	(void)error_what(&e, code, "cannot do that with the KEK");
	return tool_fail_with(tool, &e);
}

/* --- which one --- */

static bool is_short(const char *name)
{
	return name[0] && strspn(name, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") ==
				  strlen(name);
}

/* Whether @whole is .../keys/@name or .../keys/@name/VERSION. */
static bool has_name(const char *whole, const char *name)
{
	const char *at = strstr(whole, "/keys/");
	size_t n = strlen(name);

	return is_short(name) && at && strncmp(at + 6, name, n) == 0 &&
	       (at[6 + n] == '\0' || at[6 + n] == '/');
}

static int find(struct tool *tool, const char *name, uint32_t *number)
{
	struct kf_keks *keks = NULL;
	size_t found = 0;

	if (kf_kek_list(tool->context, &keks) < 0)
		return tool_fail(tool);
	for (size_t i = 0; i < kf_keks_count(keks); i++) {
		const struct kf_kek *kek = kf_keks_at(keks, i);
		const char *own = kf_kek_name(kek);

		if (!kid_equal(BYTES(own, strlen(own)), BYTES(name, strlen(name))) && !has_name(own, name))
			continue;
		*number = kf_kek_value(kek, KF_KEK_NUMBER);
		found++;
	}
	kf_keks_free(keks);
	if (found == 1)
		return UI_OK;
	return wrong(tool, found ? -ENOTUNIQ : -ENOENT, "keyferry byok kek list shows their names",
		     found ? "more than one KEK of this card has this name"
			   : "no KEK of this card has this name");
}

/* --- create --- */

/* Comma by comma; what the types may be for follows from them. Return: 0, -EINVAL. */
static int parse_allow(const char *text, struct kf_kek_spec *spec)
{
	char copy[256], *save = NULL;

	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	(void)snprintf(copy, sizeof(copy), "%s", text);
	for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		enum kf_key_type type;

		if (key_type_from_name(word, &type) < 0)
			return -EINVAL;
		spec->key_types |= 1u << type;
		for (int p = KF_PURPOSE_SIGN; p <= KF_PURPOSE_CIPHER; p++)
			if (key_type_suits(type, (enum kf_purpose)p))
				spec->purposes |= 1u << p;
	}
	return spec->key_types ? 0 : -EINVAL;
}

/* A short name becomes an identifier as .byok files carry them, of this card and of a new version. */
static int settle_name(struct tool *tool, const char *name, char out[static KF_KID_MAX + 1])
{
	uint8_t version[VERSION_SIZE];
	char hex[2 * VERSION_SIZE + 1], host[KF_SERIAL_MAX + 1];
	struct kf_card *card = NULL;

	if (is_short(name) ? strlen(name) > SHORT_NAME_MAX : !kid_is_valid(BYTES(name, strlen(name))))
		return wrong(tool, -EINVAL, "choose a shorter one, of letters, digits and hyphens",
			     "the name is none a KEK can have");
	if (!is_short(name)) {
		(void)snprintf(out, KF_KID_MAX + 1, "%s", name);
		return UI_OK;
	}
	if (kf_card_read(tool->context, &card) < 0)
		return tool_fail(tool);
	(void)snprintf(host, sizeof(host), "%s", kf_card_serial(card));
	kf_card_free(card);
	for (char *c = host; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (RAND_bytes(version, sizeof(version)) != 1)
		return wrong(tool, -EIO, "try again", "there are no random numbers for its version");
	hex_print(BYTES_OF(version), hex);
	(void)snprintf(out, KF_KID_MAX + 1, "https://%s.keyferry.localhost/keys/%s/%s", host, name, hex);
	return UI_OK;
}

static int create(struct tool *tool, const struct kek_args *a)
{
	_cleanup_(secret_deinit) struct secret puk = SECRET_INIT;
	struct kf_kek_spec spec = a->spec;
	char name[KF_KID_MAX + 1];
	struct kf_blob *attestation = NULL;
	uint32_t number = 0, flags = tool->last_try ? KF_PIN_LAST_TRY : 0;
	int code = tool_open(tool);

	if (code == UI_OK)
		code = settle_name(tool, a->name, name);
	if (code == UI_OK)
		code = tool_ask_pin(tool, "PUK", &puk);
	if (code != UI_OK)
		return code;
	spec.name = name;
	ui_progress(&tool->ui, "the card makes a key ...");
	if (kf_kek_create(tool->context, &spec, (const char *)puk.p, puk.n, flags, &number,
			  &attestation) < 0)
		return tool_fail(tool);
	kf_blob_free(attestation);
	ui_say(&tool->ui, "kek:       %s", name);
	ui_say(&tool->ui, "container: %u", number);
	return ui_json(&tool->ui, json_pack("{s:s,s:i}", "kek", name, "container", (int)number));
}

static int cmd_create(int argc, char **argv)
{
	struct tool tool = TOOL_INIT("keyferry byok kek create");
	struct kek_args a = { .size = 3072, .container = KF_CONTAINER_ANY, .allow = ALL_TYPES };
	const struct arg args[] = {
		{ "name", 0, ARG_TEXT, &a.name, "N", "its name, or its whole identifier https://..." },
		{ "size", 0, ARG_NUMBER, &a.size, "BITS", "2048, 3072 (default) or 4096" },
		{ "allow", 0, ARG_TEXT, &a.allow, "TYPES", "key types it may unwrap, with commas (default: all)" },
		{ "hash", 0, ARG_TEXT, &a.hash_text, "NAME", "of OAEP: sha1 (default), sha256, sha384, sha512" },
		{ "container", 'c', ARG_NUMBER, &a.container, "N", "where (default: the first free one)" },
		ARG_END
	};
	int code;

	if (!tool_parse(&tool, "Has the card make a key-encryption key; wants the PUK.", args, argc, argv,
			&code))
		return code;
	a.hash = KF_HASH_SHA1;
	a.spec = (struct kf_kek_spec){ .number = a.container };
	if (!a.name)
		return ui_usage(&tool.ui, "--name is needed");
	if (a.hash_text && hash_from_name(a.hash_text, &a.hash) < 0)
		return ui_usage(&tool.ui, "--hash %s is not sha1, sha256, sha384 or sha512", a.hash_text);
	if (parse_allow(a.allow, &a.spec) < 0)
		return ui_usage(&tool.ui, "--allow wants some of " ALL_TYPES);
	if (a.size != 2048 && a.size != 3072 && a.size != 4096)
		return ui_usage(&tool.ui, "--size is 2048, 3072 or 4096");
	a.spec.key_type = (enum kf_key_type)(KF_KEY_RSA_2048 + (a.size - 2048) / 1024);
	a.spec.hash = a.hash;
	code = create(&tool, &a);
	tool_close(&tool);
	return code;
}

/* --- list --- */

static int list(struct tool *tool)
{
	static const struct table_column columns[] = {
		{ "CONTAINER", TABLE_NUMBER }, { "TYPE", TABLE_TEXT }, { "HASH", TABLE_TEXT },
		{ "STATE", TABLE_TEXT }, { "NAME", TABLE_TEXT },
	};
	struct libscols_table *table = NULL;
	struct kf_keks *keks = NULL;
	int code = tool_open(tool);

	if (code != UI_OK)
		return code;
	if (kf_kek_list(tool->context, &keks) < 0)
		return tool_fail(tool);
	code = table_new(&tool->ui, "keks", columns, 5, &table);
	for (size_t i = 0; code == UI_OK && i < kf_keks_count(keks); i++) {
		const struct kf_kek *kek = kf_keks_at(keks, i);
		struct libscols_line *row = table_row(table);

		table_cell(row, 0, "%u", kf_kek_value(kek, KF_KEK_NUMBER));
		table_cell(row, 1, "%s", key_type_name((enum kf_key_type)kf_kek_value(kek, KF_KEK_KEY_TYPE)));
		table_cell(row, 2, "%s", hash_name((enum kf_hash)kf_kek_value(kek, KF_KEK_HASH)));
		table_cell(row, 3, "%s",
			   kf_kek_value(kek, KF_KEK_FLAGS) & KF_KEK_DISABLED ? "disabled" : "enabled");
		table_cell(row, 4, "%s", kf_kek_name(kek));
	}
	kf_keks_free(keks);
	return code == UI_OK ? table_print(table) : code;
}

static int cmd_list(int argc, char **argv)
{
	struct tool tool = TOOL_INIT("keyferry byok kek list");
	const struct arg args[] = { ARG_END };
	int code;

	if (!tool_parse(&tool, "Lists the key-encryption keys of a card.", args, argc, argv, &code))
		return code;
	code = list(&tool);
	tool_close(&tool);
	return code;
}

/* --- export --- */

static int fill_file(struct bytes statement, struct bytes chain, struct signed_statement *parts,
		     struct kek_file *file)
{
	struct kek_statement s;

	if (signed_statement_parse(statement, parts) < 0 ||
	    kek_statement_parse(parts->statement, &s) < 0)
		return -EBADMSG;
	(void)snprintf(file->serial, sizeof(file->serial), "%s", s.serial);
	(void)snprintf(file->name, sizeof(file->name), "%s", s.name);
	if (blob_set(&file->statement, statement) < 0)
		return -ENOMEM;
	return blob_set(&file->device_certificate, BYTES(chain.p, pem_first_certificate(chain)));
}

static int write_both(struct tool *tool, const struct kek_args *a, struct bytes statement,
		      struct bytes chain)
{
	_cleanup_(kek_file_deinit) struct kek_file file = KEK_FILE_INIT;
	_cleanup_(freep) char *json = NULL;
	struct signed_statement parts;
	struct bytes pem = BYTES_NONE;
	size_t n = 0;
	int code = UI_OK, r = fill_file(statement, chain, &parts, &file);

	if (r == 0)
		r = kek_file_write(&file, &json, &n, NULL);
	if (r == 0)
		r = pem_wrap("PUBLIC KEY", parts.key, &pem);
	if (r == -ENOMEM)
		return wrong(tool, r, "try again", "there is no memory for it");
	if (r < 0)
		return wrong(tool, -EBADMSG, "look at the card with keyferry doctor",
			     "the card's statement makes no sense");
	if (a->attestation)
		code = tool_write(tool, a->attestation, BYTES(json, n), 0644);
	if (code == UI_OK)
		code = tool_write(tool, a->out, pem, 0644);
	pem_free(pem);
	if (code != UI_OK || tool->ui.stdout_is_taken)
		return code;
	ui_say(&tool->ui, "kek: %s", file.name);
	ui_say(&tool->ui, "key: %s", a->out);
	return ui_json(&tool->ui, json_pack("{s:s,s:s,s:s*}", "kek", file.name, "key", a->out, "attestation",
					    a->attestation));
}

static int export(struct tool *tool, const struct kek_args *a)
{
	struct kf_blob *statement = NULL, *chain = NULL;
	uint32_t number = 0;
	int code = tool_open(tool);

	if (code == UI_OK)
		code = find(tool, a->name, &number);
	if (code == UI_OK && (kf_kek_attest(tool->context, number, &statement) < 0 ||
			      kf_device_cert(tool->context, &chain) < 0))
		code = tool_fail(tool);
	if (code == UI_OK)
		code = write_both(tool, a, BYTES(kf_blob_data(statement), kf_blob_size(statement)),
				  BYTES(kf_blob_data(chain), kf_blob_size(chain)));
	kf_blob_free(statement);
	kf_blob_free(chain);
	return code;
}

static int cmd_export(int argc, char **argv)
{
	struct tool tool = TOOL_INIT("keyferry byok kek export");
	struct kek_args a = { 0 };
	const struct arg args[] = {
		{ "name", 0, ARG_TEXT, &a.name, "N", "which KEK" },
		{ "output", 'o', ARG_TEXT, &a.out, "PEM", "where to write its public key; - is stdout" },
		{ "attestation", 0, ARG_TEXT, &a.attestation, "FILE", "and what the card says of it" },
		ARG_END
	};
	int code;

	if (!tool_parse(&tool, "Writes a KEK's public key, and the card's word for it.", args, argc, argv,
			&code))
		return code;
	if (!a.name || !a.out)
		return ui_usage(&tool.ui, "--name and -o are needed");
	code = export(&tool, &a);
	tool_close(&tool);
	return code;
}

/* --- delete, disable, enable --- */

static int set(struct tool *tool, const char *name, enum kf_kek_action action)
{
	_cleanup_(secret_deinit) struct secret puk = SECRET_INIT;
	uint32_t number = 0, flags = tool->last_try ? KF_PIN_LAST_TRY : 0;
	int code = tool_open(tool);

	if (code == UI_OK)
		code = find(tool, name, &number);
	if (code == UI_OK)
		code = tool_ask_pin(tool, "PUK", &puk);
	if (code == UI_OK && kf_kek_set(tool->context, number, action, (const char *)puk.p, puk.n, flags) < 0)
		code = tool_fail(tool);
	if (code != UI_OK)
		return code;
	ui_say(&tool->ui, "done: container %u", number);
	return ui_json(&tool->ui, json_pack("{s:i}", "container", (int)number));
}

static int run_set(const char *command, const char *summary, enum kf_kek_action action, int argc, char **argv)
{
	struct tool tool = TOOL_INIT(command);
	const char *name = NULL;
	const struct arg args[] = {
		{ "name", 0, ARG_TEXT, &name, "N", "which KEK" },
		ARG_END
	};
	int code;

	if (!tool_parse(&tool, summary, args, argc, argv, &code))
		return code;
	if (!name)
		return ui_usage(&tool.ui, "--name is needed");
	code = set(&tool, name, action);
	tool_close(&tool);
	return code;
}

static int cmd_delete(int argc, char **argv)
{
	return run_set("keyferry byok kek delete", "Destroys a KEK; wants the PUK. What was wrapped for it "
		       "opens nowhere any more.", KF_KEK_DELETE, argc, argv);
}

static int cmd_disable(int argc, char **argv)
{
	return run_set("keyferry byok kek disable", "Has the card open nothing under a KEK; wants the PUK.",
		       KF_KEK_DISABLE, argc, argv);
}

static int cmd_enable(int argc, char **argv)
{
	return run_set("keyferry byok kek enable", "Puts a disabled KEK to work again; wants the PUK.",
		       KF_KEK_ENABLE, argc, argv);
}

int cmd_byok_kek(int argc, char **argv)
{
	static const struct cmd cmds[] = {
		{ "create", "have the card make one", cmd_create },
		{ "list", "those of a card", cmd_list },
		{ "export", "public key, and the card's word for it", cmd_export },
		{ "disable", "have the card open nothing under it", cmd_disable },
		{ "enable", "and again", cmd_enable },
		{ "delete", "destroy it", cmd_delete },
	};

	return cmd_dispatch("keyferry byok kek", cmds, sizeof(cmds) / sizeof(cmds[0]), argc, argv);
}
