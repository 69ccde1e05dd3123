// SPDX-License-Identifier: LGPL-2.1-or-later
/* tools/cmd.c - Finding a row and printing a table. */
#include "tools/cmd.h"
#include "tools/ui.h"

#include <stdio.h>
#include <string.h>

static void cmd_print(FILE *to, const char *path, const struct cmd *cmds, size_t n)
{
	fprintf(to, "usage: %s COMMAND [OPTION...]\n\n", path);
	for (size_t i = 0; i < n; i++)
		fprintf(to, "  %-12s %s\n", cmds[i].name, cmds[i].summary);
	fprintf(to, "\n%s COMMAND --help tells more.\n", path);
}

int cmd_dispatch(const char *path, const struct cmd *cmds, size_t n, int argc, char **argv)
{
	if (argc < 2) {
		cmd_print(stderr, path, cmds, n);
		return UI_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		cmd_print(stdout, path, cmds, n);
		return UI_OK;
	}
	for (size_t i = 0; i < n; i++)
		if (strcmp(argv[1], cmds[i].name) == 0)
			return cmds[i].run(argc - 1, argv + 1);
	fprintf(stderr, "%s: no command '%s'; %s --help lists them\n", path, argv[1], path);
	return UI_USAGE;
}
