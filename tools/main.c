// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/main.c - keyferry: the table of subcommands. Keys and PINs pass through this process on
 * the server's and on the user's side, so it is undumpable before it reads a byte.
 */
#include "tools/client_cmds.h"
#include "tools/cmd.h"
#include "tools/server_state.h"
#include "tools/tool.h"
#include "tools/ui.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static const struct cmd cmds[] = {
	CLIENT_CMDS,
	SERVER_CMDS,
};

int main(int argc, char **argv)
{
	const struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0) {
		perror("keyferry: cannot forbid core dumps, so no key is read");
		return UI_FAILED;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	ui_json_whole();
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("keyferry " KF_VERSION);
		return UI_OK;
	}
	args_front_to_back(tool_front_options(), argc, argv);
	return cmd_dispatch("keyferry", cmds, sizeof(cmds) / sizeof(cmds[0]), argc, argv);
}
