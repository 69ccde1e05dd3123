/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/cmd_dkek.c - keyferry dkek: the key that a fleet of SmartCard-HSMs has in common, given to a card
 * share by share; wrap and unwrap are in cmd_dkek_key.c.
 */
#include "base/cleanup.h"
#include "base/hex.h"
#include "tools/client_cmds.h"
#include "tools/share_file.h"
#include "tools/table.h"
#include "tools/tool.h"

/* --- status --- */

static const char *state_text(uint32_t state)
{
	switch (state) {
	case KF_DKEK_NONE:	 return "none";
	case KF_DKEK_INCOMPLETE: return "incomplete";
	case KF_DKEK_READY:	 return "ready";
	case KF_DKEK_XKEK:	 return "xkek";
	default:		 return "unknown";
	}
}

static int print_status(struct tool *tool, const struct kf_dkeks *dkeks)
{
	static const struct table_column columns[] = {
		{ "DOMAIN", TABLE_NUMBER }, { "STATE", TABLE_TEXT }, { "SHARES", TABLE_NUMBER },
		{ "OUTSTANDING", TABLE_NUMBER }, { "KCV", TABLE_TEXT },
	};
	struct libscols_table *table = NULL;
	int code = table_new(&tool->ui, "dkeks", columns, 5, &table);

	if (code != UI_OK)
		return code;
	for (size_t i = 0; i < kf_dkeks_count(dkeks); i++) {
		const struct kf_dkek *dkek = kf_dkeks_at(dkeks, i);
		const uint8_t *check = kf_dkek_check_value(dkek);
		struct libscols_line *row = table_row(table);
		char hex[2 * KF_DKEK_CHECK_SIZE + 1] = "";

		if (check)
			hex_write(BYTES(check, KF_DKEK_CHECK_SIZE), hex);
		table_cell(row, 0, "%u", kf_dkek_value(dkek, KF_DKEK_DOMAIN_NUMBER));
		table_cell(row, 1, "%s", state_text(kf_dkek_value(dkek, KF_DKEK_STATE)));
		table_cell(row, 2, "%u", kf_dkek_value(dkek, KF_DKEK_SHARES));
		table_cell(row, 3, "%u", kf_dkek_value(dkek, KF_DKEK_OUTSTANDING));
		table_cell(row, 4, "%s", hex);
	}
	return table_print(table);
}

static int cmd_status_of(int argc, char **argv)
{
	const struct arg args[] = { ARG_END };
	struct tool tool = TOOL_INIT("keyferry dkek status");
	struct kf_dkeks *dkeks = NULL;
	int code;

	if (!tool_parse(&tool, "Shows the DKEK of each key domain: how many shares are outstanding, and the "
			"check value of one that is complete.", args, argc, argv, &code))
		return code;
	code = tool_open(&tool);
	if (code == UI_OK && kf_dkek_status(tool.context, &dkeks) < 0)
		code = tool_fail(&tool);
	if (code == UI_OK)
		code = print_status(&tool, dkeks);
	dkeks = kf_dkeks_free(dkeks);
	tool_close(&tool);
	return code;
}

/* --- import --- */

struct import_args {
	const char *file;
	uint32_t domain;
	int password_fd;
	bool pin;
};

static int import(struct tool *tool, const struct import_args *a)
{
	_cleanup_(secret_deinit) struct secret share = SECRET_INIT;
	struct kf_error e = KF_ERROR_INIT;
	uint32_t outstanding = 0;
	int code;

	if (share_file_read(&tool->ui, a->file, a->password_fd, &share, &e) < 0)
		return tool_fail_with(tool, &e);
	code = a->pin ? tool_open_verified(tool, "dkek import") : tool_open(tool);
	if (code != UI_OK)
		return code;
	if (kf_dkek_share(tool->context, a->domain, share.p, &outstanding) < 0)
		return tool_fail(tool);
	if (outstanding != 0)
		ui_say(&tool->ui, "The share is in; %u to go.", outstanding);
	else
		ui_say(&tool->ui, "The share is in; the DKEK is complete.");
	return ui_json(&tool->ui, json_pack("{s:I,s:I}", "domain", (json_int_t)a->domain, "outstanding",
					    (json_int_t)outstanding));
}

static int cmd_import(int argc, char **argv)
{
	struct import_args a = { .password_fd = -1 };
	const struct arg args[] = {
		{ "SHARE", 0, ARG_WORD, &a.file, NULL, "32 bytes, 64 hexadecimal digits, or a share file of "
		  "sc-hsm-tool; - reads standard input" },
		{ "domain", 0, ARG_NUMBER, &a.domain, "N", "key domain (0)" },
		{ "password-fd", 0, ARG_FD, &a.password_fd, "FD", "the share file's password, from there" },
		{ "with-pin", 0, ARG_FLAG, &a.pin, NULL, "give the PIN first; some cards want it" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry dkek import");
	int code;

	if (!tool_parse(&tool, "Gives the card one share of its DKEK. This machine sees it, so what is wrapped "
			"under this DKEK is of grade C.", args, argc, argv, &code))
		return code;
	code = import(&tool, &a);
	tool_close(&tool);
	return code;
}

/* --- domain --- */

static int domain_work(struct tool *tool, const char *action, uint32_t domain, uint32_t shares)
{
	static const struct { const char *name; enum kf_domain_action action; } actions[] = {
		{ "create", KF_DOMAIN_CREATE }, { "delete", KF_DOMAIN_DELETE }, { "clear", KF_DOMAIN_CLEAR },
	};
	size_t i = 0;
	int code;

	while (i < 3 && strcmp(actions[i].name, action) != 0)
		i++;
	if (i == 3)
		return ui_usage(&tool->ui, "'%s' is none of create, delete, clear", action);
	if ((shares != 0) != (i == 0))
		return ui_usage(&tool->ui, "--shares says of how many, to create, and nothing else");
	code = tool_open_verified(tool, "dkek domain");
	if (code != UI_OK)
		return code;
	if (kf_dkek_domain(tool->context, domain, actions[i].action, shares) < 0)
		return tool_fail(tool);
	ui_say(&tool->ui, "Key domain %u: done.", domain);
	return ui_json(&tool->ui, json_pack("{s:I,s:s}", "domain", (json_int_t)domain, "action", action));
}

static int cmd_domain(int argc, char **argv)
{
	const char *action = NULL, *word = NULL;
	uint32_t shares = 0;
	const struct arg args[] = {
		{ "ACTION", 0, ARG_WORD, &action, NULL, "create, delete, or clear (its DKEK alone)" },
		{ "DOMAIN", 0, ARG_WORD, &word, NULL, "its number" },
		{ "shares", 0, ARG_NUMBER, &shares, "N", "create: of how many shares its DKEK is made" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry dkek domain");
	uint64_t domain = 0;
	int code;

	if (!tool_parse(&tool, "Makes a key domain ready for the shares of its DKEK, or ends it.", args, argc,
			argv, &code))
		return code;
	if (ui_parse_number(word, 255, &domain) < 0)
		code = ui_usage(&tool.ui, "'%s' is no key domain", word);
	else
		code = domain_work(&tool, action, (uint32_t)domain, shares);
	tool_close(&tool);
	return code;
}

int cmd_dkek(int argc, char **argv)
{
	static const struct cmd cmds[] = {
		{ "status", "which DKEKs the card has", cmd_status_of },
		{ "import", "give it one share", cmd_import },
		{ "domain", "make or end a key domain", cmd_domain },
		{ "wrap", "have a key given out", cmd_dkek_wrap },
		{ "unwrap", "have a key taken in", cmd_dkek_unwrap },
	};

	return cmd_dispatch("keyferry dkek", cmds, 5, argc, argv);
}
