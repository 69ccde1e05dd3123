/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/cmd.h - A subcommand of keyferry: one row in a table, one cmd_*.c. A command with
 * subcommands of its own (keyferry server init) has a table in its file and calls cmd_dispatch().
 */
#pragma once

#include <stddef.h>

/**
 * struct cmd - one row
 * @name:	as typed
 * @summary:	one line for --help
 * @run:	argv[0] is @name; returns the exit code (enum ui_exit)
 */
struct cmd {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
};

/*
 * Runs the row that argv[1] names. Without one, or for an unknown one, prints the table to stderr
 * and returns 2; for --help prints it to stdout and returns 0. @path is what stands before:
 * "keyferry" or "keyferry server".
 */
int cmd_dispatch(const char *path, const struct cmd *cmds, size_t n, int argc, char **argv);
