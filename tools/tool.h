/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/tool.h - One run of a client subcommand: its options, its connection, its card, its PIN.
 */
#pragma once

#include "base/bytes.h"
#include "keyferry/keyferry.h"
#include "tools/args.h"

/**
 * struct tool - one run
 * @ui:		how it talks
 * @socket, @reader, @timeout_s, @pin_fd, @last_try: the common options
 * @client:	after tool_connect()
 * @context:	after tool_open()
 * @in_transaction: to be ended by tool_close()
 */
struct tool {
	struct ui ui;
	const char *socket;
	const char *reader;
	uint32_t timeout_s;
	int pin_fd;
	bool last_try;
	struct kf_client *client;
	struct kf_context *context;
	bool in_transaction;
};

#define TOOL_INIT(command_) ((struct tool){ .ui = { .command = (command_) }, .pin_fd = -1 })

/* Reads the command line: @own and the options every client command has. As args_parse(). */
bool tool_parse(struct tool *tool, const char *summary, const struct arg *own, int argc,
		char **argv, int *exit_code);

/* Connects. Return: UI_OK, or the exit code, with the reason told. */
int tool_connect(struct tool *tool);

/* Connects and opens the card. Return: as above. */
int tool_open(struct tool *tool);

/* The card for this run alone, until tool_close(), as @name. Return: as above. */
int tool_hold(struct tool *tool, const char *name);

/* Asks for the PIN, by prompt or descriptor. @out comes from SECRET_INIT. Return: as above. */
int tool_ask_pin(struct tool *tool, const char *prompt, struct secret *out);

/* Asks for the user PIN and verifies it. Return: as above. */
int tool_verify(struct tool *tool);

/* tool_open(), tool_hold() and tool_verify() in one. */
int tool_open_verified(struct tool *tool, const char *name);

/* Tells the client's last failure. Return: the exit code for it. */
int tool_fail(struct tool *tool);

/* Tells a failure of our own. Return: the exit code for it. */
int tool_fail_with(struct tool *tool, const struct kf_error *e);

/* Writes a result file. Return: as above. */
int tool_write(struct tool *tool, const char *path, struct bytes data, mode_t mode);

/* Ends everything. */
void tool_close(struct tool *tool);

/* The options every client command has, for main(). */
const struct arg *tool_front_options(void);
