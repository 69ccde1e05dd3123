/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tools/cmd_container.c - keyferry container list, show, create, delete, attest. */
#include "base/error.h"
#include "format/numbers.h"
#include "tools/client_cmds.h"
#include "tools/pem.h"
#include "tools/table.h"
#include "tools/tool.h"

static const char *type_text(uint32_t type)
{
	const char *name = key_type_name((enum kf_key_type)type);

	return type == KF_KEY_NONE ? "" : name ? name : "unknown";
}

static const char *purpose_text(uint32_t purpose)
{
	const char *name = purpose_name((enum kf_purpose)purpose);

	return name ? name : "";
}

static const char *origin_text(uint32_t origin)
{
	switch (origin) {
	case KF_ORIGIN_GENERATED:	return "generated";
	case KF_ORIGIN_INJECTED:	return "injected";
	case KF_ORIGIN_INJECTED_OPEN:	return "injected, sender unauthenticated";
	case KF_ORIGIN_FACTORY:		return "factory";
	case KF_ORIGIN_UNKNOWN:		return "unknown";
	default:			return "";
	}
}

static int print_list(struct tool *tool, const struct kf_containers *containers, bool all)
{
	static const struct table_column columns[] = {
		{ "CONTAINER", TABLE_NUMBER }, { "TYPE", TABLE_TEXT }, { "USAGE", TABLE_TEXT },
		{ "ORIGIN", TABLE_TEXT }, { "PIN", TABLE_BOOL }, { "USED", TABLE_BOOL },
		{ "CERT", TABLE_BOOL },
	};
	struct libscols_table *table = NULL;
	int code;

	code = table_new(&tool->ui, "containers", columns, 7, &table);
	if (code != UI_OK)
		return code;
	for (size_t i = 0; i < kf_containers_count(containers); i++) {
		const struct kf_container *c = kf_containers_at(containers, i);
		uint32_t flags = kf_container_flags(c);
		struct libscols_line *row;

		if (kf_container_key_type(c) == KF_KEY_NONE && !all)
			continue;
		row = table_row(table);
		table_cell(row, 0, "%u", kf_container_number(c));
		table_cell(row, 1, "%s", type_text(kf_container_key_type(c)));
		table_cell(row, 2, "%s", purpose_text(kf_container_purpose(c)));
		table_cell(row, 3, "%s", origin_text(kf_container_origin(c)));
		table_cell(row, 4, "%d", !!(flags & KF_CONTAINER_PIN));
		table_cell(row, 5, "%d", !!(flags & KF_CONTAINER_USED));
		table_cell(row, 6, "%d", !!(flags & KF_CONTAINER_CERT));
	}
	return table_print(table);
}

static int cmd_list(int argc, char **argv)
{
	bool all = false;
	const struct arg args[] = {
		{ "all", 'a', ARG_FLAG, &all, NULL, "the empty ones, too" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry container list");
	struct kf_containers *containers = NULL;
	int code;

	if (!tool_parse(&tool, "Lists the keys in the card.", args, argc, argv, &code))
		return code;
	code = tool_open(&tool);
	if (code == UI_OK && kf_container_list(tool.context, &containers) < 0)
		code = tool_fail(&tool);
	if (code == UI_OK)
		code = print_list(&tool, containers, all);
	containers = kf_containers_free(containers);
	tool_close(&tool);
	return code;
}

static int print_one(struct tool *tool, const struct kf_container *c)
{
	char hash[2 * KF_DIGEST_SIZE + 1];

	for (size_t i = 0; i < KF_DIGEST_SIZE; i++)
		(void)snprintf(hash + 2 * i, 3, "%02x", kf_container_key_hash(c)[i]);
	ui_say(&tool->ui, "container        %u", kf_container_number(c));
	ui_say(&tool->ui, "type             %s", type_text(kf_container_key_type(c)));
	ui_say(&tool->ui, "usage            %s", purpose_text(kf_container_purpose(c)));
	ui_say(&tool->ui, "origin           %s", origin_text(kf_container_origin(c)));
	ui_say(&tool->ui, "public key hash  %s", hash);
	return ui_json(&tool->ui, json_pack("{s:I,s:s,s:s,s:s,s:s}",
		"container", (json_int_t)kf_container_number(c),
		"type", type_text(kf_container_key_type(c)),
		"usage", purpose_text(kf_container_purpose(c)),
		"origin", origin_text(kf_container_origin(c)), "public key hash", hash));
}

static int refuse_empty(struct tool *tool, const struct kf_container *c)
{
	struct kf_error e = KF_ERROR_INIT;

	(void)error_why(&e, -ENOENT, "the card", "keyferry container list shows the keys",
			"container %u is empty", kf_container_number(c));
	(void)error_what(&e, -ENOENT, "cannot show the key");
	return tool_fail_with(tool, &e);
}

static int write_public_key(struct tool *tool, const struct kf_container *c, const char *out)
{
	struct bytes pem = BYTES_NONE;
	size_t len;
	const uint8_t *der = kf_container_public_key(c, &len);
	int code;

	if (pem_wrap("PUBLIC KEY", BYTES(der, len), &pem) < 0)
		return UI_FAILED;
	code = tool_write(tool, out, pem, 0644);
	pem_free(pem);
	return code;
}

static int show(struct tool *tool, uint32_t number, bool pubkey, const char *out)
{
	struct kf_container *c = NULL;
	int code = tool_open(tool);

	if (code == UI_OK && kf_container_read(tool->context, number, &c) < 0)
		code = tool_fail(tool);
	if (code == UI_OK && kf_container_key_type(c) == KF_KEY_NONE)
		code = refuse_empty(tool, c);
	else if (code == UI_OK)
		code = pubkey ? write_public_key(tool, c, out) : print_one(tool, c);
	c = kf_container_free(c);
	return code;
}

static int parse_container(struct tool *tool, const char *word, uint32_t *out)
{
	uint64_t number;

	if (ui_parse_number(word, UINT32_MAX - 1, &number) < 0)
		return ui_usage(&tool->ui, "'%s' is no container number", word);
	*out = (uint32_t)number;
	return UI_OK;
}

static int cmd_show(int argc, char **argv)
{
	const char *word = NULL, *out = "-";
	bool pubkey = false;
	const struct arg args[] = {
		{ "CONTAINER", 0, ARG_WORD, &word, NULL, "its number" },
		{ "pubkey", 0, ARG_FLAG, &pubkey, NULL, "write the public key, PEM" },
		{ "output", 'o', ARG_TEXT, &out, "FILE", "to FILE instead of standard output" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry container show");
	uint32_t number = 0;
	int code;

	if (!tool_parse(&tool, "Shows one key, or writes its public half.", args, argc, argv, &code))
		return code;
	code = parse_container(&tool, word, &number);
	if (code == UI_OK)
		code = show(&tool, number, pubkey, out);
	tool_close(&tool);
	return code;
}

static int create(struct tool *tool, uint32_t number, enum kf_key_type type,
		  enum kf_purpose purpose)
{
	struct kf_container *c = NULL;
	int code = tool_open_verified(tool, "create");

	if (code != UI_OK)
		return code;
	ui_progress(&tool->ui, "the card makes the key ...");
	if (kf_container_create(tool->context, number, type, purpose, &c) < 0)
		return tool_fail(tool);
	code = print_one(tool, c);
	c = kf_container_free(c);
	return code;
}

static int cmd_create(int argc, char **argv)
{
	const char *type_word = "rsa3072", *usage = "sign";
	uint32_t number = KF_CONTAINER_ANY;
	const struct arg args[] = {
		{ "type", 't', ARG_TEXT, &type_word, "TYPE",
		  "rsa2048 rsa3072 rsa4096 p256 p384 p521 (rsa3072); to exchange, x25519, too" },
		{ "usage", 'u', ARG_TEXT, &usage, "USAGE",
		  "sign decrypt derive exchange, for ever (sign)" },
		{ "container", 'c', ARG_NUMBER, &number, "N", "which (the first free one)" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry container create");
	enum kf_key_type type;
	enum kf_purpose purpose;
	int code;

	if (!tool_parse(&tool, "Has the card make a key pair. The private half never leaves it.",
			args, argc, argv, &code))
		return code;
	if (key_type_from_name(type_word, &type) < 0)
		return ui_usage(&tool.ui, "there is no key type '%s'", type_word);
	if (purpose_from_name(usage, &purpose) < 0)
		return ui_usage(&tool.ui, "there is no usage '%s'", usage);
	if (tool.timeout_s == 0)
		tool.timeout_s = 300;	/* some cards take minutes for RSA 4096 */
	code = create(&tool, number, type, purpose);
	tool_close(&tool);
	return code;
}

static int cmd_delete(int argc, char **argv)
{
	const char *word = NULL;
	const struct arg args[] = {
		{ "CONTAINER", 0, ARG_WORD, &word, NULL, "its number" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry container delete");
	uint32_t number = 0;
	int code;

	if (!tool_parse(&tool, "Destroys a key and its certificate. There is no way back.", args,
			argc, argv, &code))
		return code;
	code = parse_container(&tool, word, &number);
	if (code == UI_OK)
		code = tool_open_verified(&tool, "delete");
	if (code == UI_OK && kf_container_delete(tool.context, number) < 0)
		code = tool_fail(&tool);
	if (code == UI_OK) {
		ui_say(&tool.ui, "Container %u is empty now.", number);
		code = ui_json(&tool.ui, json_pack("{s:I}", "deleted", (json_int_t)number));
	}
	tool_close(&tool);
	return code;
}

/* Where there is none, why that may be so is more than the errno can say. */
static int no_voucher(struct tool *tool, uint32_t number)
{
	struct kf_error e = *kf_client_error(tool->client);

	if (e.code == -ENOENT)
		(void)error_why(&e, -ENOENT, "a card vouches for a key once, when it makes it",
				"a key from outside has none; a certificate that is stored takes its place",
				"no word of the card lies beside the key in container %u", number);
	if (e.code == -EOPNOTSUPP)
		(void)error_why(&e, -EOPNOTSUPP, "docs/cards/schsm.md",
				"our own application attests by keyferry offer and byok kek attest",
				"this card vouches for no key it makes");
	(void)error_what(&e, e.code, "cannot read the voucher of container %u", number);
	return tool_fail_with(tool, &e);
}

static int attest(struct tool *tool, uint32_t number, const char *out)
{
	struct kf_blob *voucher = NULL;
	int code = tool_open(tool);

	if (code == UI_OK && kf_voucher_read(tool->context, number, &voucher) < 0)
		code = no_voucher(tool, number);
	if (code == UI_OK)
		code = tool_write(tool, out, BYTES(kf_blob_data(voucher), kf_blob_size(voucher)), 0644);
	if (code == UI_OK && strcmp(out, "-") != 0) {
		ui_say(&tool->ui, "voucher: %s", out);
		ui_say(&tool->ui, "It says nothing before the server has verified it: keyferry attestation verify");
		code = ui_json(&tool->ui, json_pack("{s:I,s:s}", "container", (json_int_t)number, "voucher", out));
	}
	voucher = kf_blob_free(voucher);
	return code;
}

static int cmd_attest(int argc, char **argv)
{
	const char *word = NULL, *out = "-";
	const struct arg args[] = {
		{ "CONTAINER", 0, ARG_WORD, &word, NULL, "its number" },
		{ "output", 'o', ARG_TEXT, &out, "FILE", "where to (standard output)" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry container attest");
	uint32_t number = 0;
	int code;

	if (!tool_parse(&tool, "Writes the card's word that it made a key, for the server to verify.", args,
			argc, argv, &code))
		return code;
	code = parse_container(&tool, word, &number);
	if (code == UI_OK)
		code = attest(&tool, number, out);
	tool_close(&tool);
	return code;
}

int cmd_container(int argc, char **argv)
{
	static const struct cmd cmds[] = {
		{ "list", "the keys in the card", cmd_list },
		{ "show", "one of them; its public key", cmd_show },
		{ "create", "have the card make a key", cmd_create },
		{ "delete", "destroy a key", cmd_delete },
		{ "attest", "the card's word that it made a key", cmd_attest },
		{ "cert", "store and read certificates", cmd_container_cert },
	};

	return cmd_dispatch("keyferry container", cmds, 6, argc, argv);
}
