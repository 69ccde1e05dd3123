/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/tool.c - What all client subcommands do before and after their own work. Ctrl-C gives up
 * the call that is running, so that the card is left in order; a second one ends the program.
 */
#include "tools/tool.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/secret.h"

#include <signal.h>

#define PIN_ROOM 256

bool tool_parse(struct tool *tool, const char *summary, const struct arg *own, int argc,
		char **argv, int *exit_code)
{
	const struct arg common[] = {
		{ "socket", 0, ARG_TEXT, &tool->socket, "PATH", "the broker's socket" },
		{ "reader", 0, ARG_TEXT, &tool->reader, "NAME", "which reader, if there are several" },
		{ "timeout", 0, ARG_NUMBER, &tool->timeout_s, "SECONDS", "for each step (30)" },
		{ "pin-fd", 0, ARG_FD, &tool->pin_fd, "N", "read PINs from a descriptor, a line each" },
		{ "allow-last-try", 0, ARG_FLAG, &tool->last_try, NULL,
		  "go on even if a wrong PIN would block the card" },
		{ "json", 0, ARG_FLAG, &tool->ui.json, NULL, "one JSON object instead of text" },
		ARG_END
	};
	const struct arg_tables tables = { summary, own, common };

	if (!args_parse(&tool->ui, &tables, argc, argv, exit_code))
		return false;
	if (tool->reader && tool->reader[0] == '\0') {		/* a variable that was not set, say */
		*exit_code = ui_usage(&tool->ui, "--reader is empty: a name is wanted, as keyferry "
				      "reader list shows it");
		return false;
	}
	return true;
}

const struct arg *tool_front_options(void)
{
	static const struct arg front[] = {
		{ "socket", 0, ARG_TEXT, NULL, NULL, NULL },
		{ "reader", 0, ARG_TEXT, NULL, NULL, NULL },
		{ "timeout", 0, ARG_NUMBER, NULL, NULL, NULL },
		{ "pin-fd", 0, ARG_FD, NULL, NULL, NULL },
		{ "allow-last-try", 0, ARG_FLAG, NULL, NULL, NULL },
		{ "json", 0, ARG_FLAG, NULL, NULL, NULL },
		ARG_END
	};

	return front;
}

/* ENOENT means a missing container here, and a missing service only where one is looked for. */
static int exit_code_of(int code)
{
	switch (code) {
	case -ENOTCONN:
	case -EIO:
	case -ESTALE:
		return UI_UNREACHABLE;
	case -ENOTTY:
		return UI_PIN;
	default:
		return ui_exit_code(code);
	}
}

int tool_fail_with(struct tool *tool, const struct kf_error *e)
{
	(void)ui_fail(&tool->ui, e);
	return exit_code_of(e->code);
}

int tool_fail(struct tool *tool)
{
	int code = tool_fail_with(tool, kf_client_error(tool->client));

	/* Too many wrong PINs are a limit to the broker, and still about the PIN to a person. */
	return kf_client_reason(tool->client) == KF_REASON_QUOTA_PIN ? UI_PIN : code;
}

/* The client that Ctrl-C cancels: a handler gets no argument. */
static struct kf_client *running;

static void interrupted(int sig)
{
	(void)signal(sig, SIG_DFL);
	/* NOLINTNEXTLINE(bugprone-signal-handler,cert-sig30-c): safe by its own promise */
	if (kf_cancel(running) < 0)
		(void)raise(sig);
}

static void tool_listen(struct tool *tool)
{
	running = tool->client;
	(void)signal(SIGINT, interrupted);
	(void)signal(SIGTERM, interrupted);
}

int tool_connect(struct tool *tool)
{
	struct kf_error e = KF_ERROR_INIT;
	int r;

	r = kf_client_new("keyferry", &tool->client);
	if (r < 0)
		return tool_fail_with(tool, (error_what(&e, r, "cannot start"), &e));
	if (tool->timeout_s > KF_DEADLINE_MAX_MS / 1000)
		tool->timeout_s = KF_DEADLINE_MAX_MS / 1000;
	kf_client_set_deadline(tool->client, tool->timeout_s * 1000);
	r = kf_client_connect(tool->client, tool->socket);
	if (r < 0) {
		(void)tool_fail(tool);
		return UI_UNREACHABLE;
	}
	tool_listen(tool);
	return UI_OK;
}

int tool_open(struct tool *tool)
{
	int code = tool_connect(tool), r;

	if (code != UI_OK)
		return code;
	r = kf_context_open(tool->client, tool->reader, 0, &tool->context);
	if (r == 0)
		return UI_OK;
	code = tool_fail(tool);
	return r == -ENOENT ? UI_UNREACHABLE : code;
}

int tool_hold(struct tool *tool, const char *name)
{
	uint32_t ms = tool->timeout_s ? tool->timeout_s * 1000 : KF_DEADLINE_DEFAULT_MS;

	/* As long as the steps in it may take, not as long as a person may think. */
	if (kf_transaction_begin(tool->context, name, 2 * ms) < 0)
		return tool_fail(tool);
	tool->in_transaction = true;
	return UI_OK;
}

int tool_ask_pin(struct tool *tool, const char *prompt, struct secret *out)
{
	struct kf_error e = KF_ERROR_INIT;
	int r;

	r = secret_init(out, PIN_ROOM);
	if (r == 0)
		r = tool->pin_fd >= 0 ? ui_secret_from_fd(tool->pin_fd, out, &e)
				      : ui_secret_ask(prompt, out, &e);
	if (r == 0)
		return UI_OK;
	(void)error_what(&e, r, "the PIN is needed");
	(void)tool_fail_with(tool, &e);
	return UI_PIN;
}

static int verify(struct tool *tool, const struct secret *pin)
{
	uint32_t flags = tool->last_try ? KF_PIN_LAST_TRY : 0;

	if (kf_pin_verify(tool->context, KF_PIN_USER, (const char *)pin->p, pin->n, flags) < 0)
		return tool_fail(tool);
	return UI_OK;
}

int tool_verify(struct tool *tool)
{
	_cleanup_(secret_deinit) struct secret pin = SECRET_INIT;
	int code = tool_ask_pin(tool, "PIN", &pin);

	return code != UI_OK ? code : verify(tool, &pin);
}

/* The person types first, the card is held afterwards: nobody waits for a prompt. */
int tool_open_verified(struct tool *tool, const char *name)
{
	_cleanup_(secret_deinit) struct secret pin = SECRET_INIT;
	int code = tool_open(tool);

	if (code == UI_OK)
		code = tool_ask_pin(tool, "PIN", &pin);
	if (code == UI_OK)
		code = tool_hold(tool, name);
	if (code == UI_OK)
		code = verify(tool, &pin);
	return code;
}

int tool_write(struct tool *tool, const char *path, struct bytes data, mode_t mode)
{
	struct kf_error e = KF_ERROR_INIT;

	if (ui_file_write(path, data, mode, &e) < 0)
		return tool_fail_with(tool, &e);
	tool->ui.stdout_is_taken |= strcmp(path, "-") == 0;
	return UI_OK;
}

void tool_close(struct tool *tool)
{
	if (tool->in_transaction)
		(void)kf_transaction_end(tool->context, 0);
	(void)signal(SIGINT, SIG_DFL);
	(void)signal(SIGTERM, SIG_DFL);
	running = NULL;
	tool->context = kf_context_close(tool->context);
	tool->client = kf_client_free(tool->client);
}
