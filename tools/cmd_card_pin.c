/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tools/cmd_card_pin.c - keyferry card pin verify, change, unblock. */
#include "base/cleanup.h"
#include "base/error.h"
#include "tools/client_cmds.h"
#include "tools/tool.h"

static const char *text(const struct secret *s)
{
	return (const char *)s->p;
}

/* By prompt a new PIN is asked twice; from a descriptor it cannot be mistyped unseen. */
static int ask_new(struct tool *tool, struct secret *out)
{
	_cleanup_(secret_deinit) struct secret again = SECRET_INIT;
	struct kf_error e = KF_ERROR_INIT;
	int code = tool_ask_pin(tool, "New PIN", out);

	if (code != UI_OK || tool->pin_fd >= 0)
		return code;
	code = tool_ask_pin(tool, "New PIN again", &again);
	if (code != UI_OK || secret_equal(out, &again))
		return code;
	(void)error_why(&e, -EINVAL, "a new PIN is given twice", "try again",
			"the two new PINs differ");
	(void)error_what(&e, -EINVAL, "nothing was changed");
	return tool_fail_with(tool, &e);
}

static uint32_t flags_of(const struct tool *tool)
{
	return tool->last_try ? KF_PIN_LAST_TRY : 0;
}

static int done(struct tool *tool, const char *what)
{
	ui_say(&tool->ui, "%s", what);
	return ui_json(&tool->ui, json_pack("{s:b}", "done", 1));
}

static int at_the_pad(struct tool *tool, const char *ask,
		      int (*call)(struct kf_context *, uint32_t, uint32_t), const char *what)
{
	int code = tool_open(tool);

	if (code != UI_OK)
		return code;
	if (!tool->ui.json)
		fprintf(stderr, "%s\n", ask);
	if (call(tool->context, KF_PIN_USER, flags_of(tool)) < 0)
		return tool_fail(tool);
	return done(tool, what);
}

static int verify_at_pad(struct tool *tool)
{
	return at_the_pad(tool, "Type the PIN at the reader.", kf_pin_pad_verify,
			  "The PIN is right.");
}

static int change_at_pad(struct tool *tool)
{
	return at_the_pad(tool, "Type at the reader: the old PIN, the new one, and the "
			  "new one again.", kf_pin_pad_change, "The PIN is changed.");
}

static int verify(struct tool *tool)
{
	int code = tool_open_verified(tool, "pin verify");

	return code != UI_OK ? code : done(tool, "The PIN is right.");
}

static int change(struct tool *tool)
{
	_cleanup_(secret_deinit) struct secret old_pin = SECRET_INIT, new_pin = SECRET_INIT;
	int code = tool_open(tool);

	if (code == UI_OK)
		code = tool_ask_pin(tool, "Old PIN", &old_pin);
	if (code == UI_OK)
		code = ask_new(tool, &new_pin);
	if (code != UI_OK)
		return code;
	if (kf_pin_change(tool->context, KF_PIN_USER, text(&old_pin), old_pin.n, text(&new_pin),
			  new_pin.n, flags_of(tool)) < 0)
		return tool_fail(tool);
	return done(tool, "The PIN is changed.");
}

static int unblock(struct tool *tool)
{
	_cleanup_(secret_deinit) struct secret puk = SECRET_INIT, new_pin = SECRET_INIT;
	int code = tool_open(tool);

	if (code == UI_OK)
		code = tool_ask_pin(tool, "PUK", &puk);
	if (code == UI_OK)
		code = ask_new(tool, &new_pin);
	if (code != UI_OK)
		return code;
	if (kf_pin_unblock(tool->context, KF_PIN_USER, text(&puk), puk.n, text(&new_pin), new_pin.n,
			   flags_of(tool)) < 0)
		return tool_fail(tool);
	return done(tool, "The new PIN is set.");
}

/* @at_pad: how it is done at the reader's keypad; NULL: not at all. */
static int run(const char *command, const char *summary, int (*work)(struct tool *),
	       int (*at_pad)(struct tool *), int argc, char **argv)
{
	bool pinpad = false;
	const struct arg with_pad[] = {
		{ "pinpad", 0, ARG_FLAG, &pinpad, NULL, "type at the reader's own keypad; no PIN goes "
		  "through this machine" },
		ARG_END
	};
	const struct arg without[] = { ARG_END };
	struct tool tool = TOOL_INIT(command);
	int code;

	if (!tool_parse(&tool, summary, at_pad ? with_pad : without, argc, argv, &code))
		return code;
	code = pinpad ? at_pad(&tool) : work(&tool);
	tool_close(&tool);
	return code;
}

static int cmd_verify(int argc, char **argv)
{
	return run("keyferry card pin verify", "Checks the PIN. A wrong one costs a try; the last "
		   "one is not spent without --allow-last-try.", verify, verify_at_pad, argc, argv);
}

static int cmd_change(int argc, char **argv)
{
	return run("keyferry card pin change", "Replaces the PIN. --pin-fd: the old one on the first "
		   "line, the new one on the second.", change, change_at_pad, argc, argv);
}

static int cmd_unblock(int argc, char **argv)
{
	return run("keyferry card pin unblock", "Sets a new PIN by the PUK. --pin-fd: the PUK on the "
		   "first line, the new PIN on the second.", unblock, NULL, argc, argv);
}

int cmd_card_pin(int argc, char **argv)
{
	static const struct cmd cmds[] = {
		{ "verify", "check the PIN", cmd_verify },
		{ "change", "replace it", cmd_change },
		{ "unblock", "set a new one by the PUK", cmd_unblock },
	};

	return cmd_dispatch("keyferry card pin", cmds, 3, argc, argv);
}
