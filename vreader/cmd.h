/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/cmd.h - The subcommands of keyferry-vreader and what they have in common: how an error is
 * said and what the process exits with.
 */
#pragma once

/* docs/man/keyferry-vreader.1.scd, EXIT STATUS */
enum cmd_exit {
	CMD_OK = 0,
	CMD_FAILED = 1,		/* anything without a code of its own */
	CMD_USAGE = 2,
	CMD_STATE = 3,		/* the state directory: missing, damaged, in use, open to others */
	CMD_TRANSPORT = 4,	/* the socket or pcscd */
};

int cmd_personalise(int argc, char **argv);
int cmd_run(int argc, char **argv);

/* "keyferry-vreader: " and the sentence, to stderr. Return: @code. */
int cmd_fail(enum cmd_exit code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The exit code for a failure of vcard_open() or vcard_personalise(). */
enum cmd_exit cmd_exit_of_state(int r);
