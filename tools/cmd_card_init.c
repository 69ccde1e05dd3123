/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tools/cmd_card_init.c - keyferry card init: a SmartCard-HSM made new, and all that was on it gone. */
#include "base/cleanup.h"
#include "base/error.h"
#include "tools/client_cmds.h"
#include "tools/tool.h"

#define WORD "erase"
#define NOT_SAID UINT32_MAX

struct init_args {
	uint32_t shares, domains, tries;
	const char *label;
	bool transport, no_unblock, yes;
};

static int give_up(struct tool *tool, int code, const char *why, const char *next)
{
	struct kf_error e = KF_ERROR_INIT;

	(void)error_why(&e, code, "what is erased is gone", next, "%s", why);
	(void)error_what(&e, code, "the card was not touched");
	return tool_fail_with(tool, &e);
}

/* The word goes the way of a PIN: a pipe that was meant for something else does not say it. */
static int confirm(struct tool *tool, const struct init_args *a)
{
	_cleanup_(secret_deinit) struct secret word = SECRET_INIT;
	int code;

	if (a->yes)
		return UI_OK;
	if (tool->pin_fd >= 0)
		return give_up(tool, -EINVAL, "with --pin-fd there is nobody to ask",
			       "say --yes if every key on the card may go");
	code = tool_ask_pin(tool, "This erases the card. Type '" WORD "' to go on", &word);
	if (code != UI_OK)
		return code;
	if (word.n == strlen(WORD) && memcmp(word.p, WORD, word.n) == 0)
		return UI_OK;
	return give_up(tool, -ECANCELED, "that is another word", "start it again when you are sure");
}

static int ask_new_pin(struct tool *tool, struct secret *out)
{
	_cleanup_(secret_deinit) struct secret again = SECRET_INIT;
	int code = tool_ask_pin(tool, "New PIN", out);

	if (code != UI_OK || tool->pin_fd >= 0)
		return code;
	code = tool_ask_pin(tool, "New PIN again", &again);
	if (code != UI_OK || secret_equal(out, &again))
		return code;
	return give_up(tool, -EINVAL, "the two new PINs differ", "try again");
}

static int init(struct tool *tool, const struct init_args *a)
{
	_cleanup_(secret_deinit) struct secret so_pin = SECRET_INIT, pin = SECRET_INIT;
	struct kf_card_init_spec spec = {
		.flags = (tool->last_try ? KF_PIN_LAST_TRY : 0) |
			 (a->no_unblock ? 0 : KF_INIT_UNBLOCKS) |
			 (a->transport ? KF_INIT_TRANSPORT : 0) |
			 (a->shares != NOT_SAID ? KF_INIT_DKEK : 0),
		.tries = a->tries, .n_domains = a->domains, .label = a->label,
		.n_shares = a->shares != NOT_SAID ? a->shares : 0,
	};
	int code = tool_open(tool);

	if (code == UI_OK)
		code = confirm(tool, a);
	if (code == UI_OK)
		code = tool_ask_pin(tool, "SO-PIN (16 hexadecimal digits)", &so_pin);
	if (code == UI_OK)
		code = ask_new_pin(tool, &pin);
	if (code != UI_OK)
		return code;
	if (kf_card_init(tool->context, &spec, (const char *)so_pin.p, so_pin.n, (const char *)pin.p,
			 pin.n) < 0)
		return tool_fail(tool);
	ui_say(&tool->ui, "The card is initialised.");
	if (a->shares != NOT_SAID && a->shares != 0)
		ui_say(&tool->ui, "It waits for %u share%s of its DKEK: keyferry dkek import", a->shares,
		       a->shares == 1 ? "" : "s");
	return ui_json(&tool->ui, json_pack("{s:b,s:I}", "initialised", 1, "shares",
					    (json_int_t)spec.n_shares));
}

int cmd_card_init(int argc, char **argv)
{
	struct init_args a = { .shares = NOT_SAID };
	const struct arg args[] = {
		{ "dkek-shares", 0, ARG_NUMBER, &a.shares, "N", "keys can be wrapped, under a DKEK of N "
		  "shares; 0: a random one that no other card has" },
		{ "domains", 0, ARG_NUMBER, &a.domains, "N", "N key domains, each with a DKEK of its own" },
		{ "label", 0, ARG_TEXT, &a.label, "TEXT", "what to call the card" },
		{ "tries", 0, ARG_NUMBER, &a.tries, "N", "of the PIN, 1 to 10 (3)" },
		{ "transport-pin", 0, ARG_FLAG, &a.transport, NULL, "the PIN opens nothing before it was "
		  "changed" },
		{ "no-unblock", 0, ARG_FLAG, &a.no_unblock, NULL, "the SO-PIN shall not be able to set a "
		  "new PIN" },
		{ "yes", 0, ARG_FLAG, &a.yes, NULL, "do not ask whether to erase it" },
		ARG_END
	};
	struct tool tool = TOOL_INIT("keyferry card init");
	int code;

	if (!tool_parse(&tool, "Erases a SmartCard-HSM and sets its PINs. --pin-fd: the SO-PIN on the first "
			"line, the new PIN on the second.", args, argc, argv, &code))
		return code;
	if (a.shares != NOT_SAID && a.domains != 0)
		return ui_usage(&tool.ui, "--dkek-shares and --domains: one of them");
	code = init(&tool, &a);
	tool_close(&tool);
	return code;
}
