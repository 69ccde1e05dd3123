/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keyferry-vreader: a smart card reader with a card in it, in software. The first thing that the
 * process does is to make itself unreadable to its neighbours: it is the card.
 */
#include "vreader/cmd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#ifndef KF_VERSION
#define KF_VERSION "0.1.0"
#endif

static const char usage[] =
"keyferry-vreader - a virtual smart card reader with a card in it\n"
"\n"
"  keyferry-vreader personalise --state DIR --serial S [--injector PUB.pem]...\n"
"        [--pin PIN | --pin-fd N] [--puk PUK | --puk-fd N] [--maker DIR]\n"
"        [--kek-hash HASH] [--kek NAME=KEK.pem]... [--shared-key FILE]\n"
"  keyferry-vreader personalise --app schsm --state DIR --serial S [--maker DIR]\n"
"  keyferry-vreader run --state DIR (--listen PATH | --gadget | --vpcd HOST:PORT |\n"
"        --vscard PATH)\n"
"        [--level extended|short|tpdu-t0|tpdu-t1] [--manual] [--max-message N]\n"
"        [--no-interrupt] [--empty] [--latency MS] [--misbehave NAME[=N]]...\n"
	"        [--slots N] [--pinpad] [--keypad FIFO]\n"
"        [--usb-id VID:PID] [--socket-mode MODE]\n"
"        [--udc NAME] [--configfs DIR] [--ffs DIR] [--no-zlp]\n"
"  keyferry-vreader run --misbehave list\n"
"  keyferry-vreader --help | --version\n"
"\n"
"While it runs, SIGUSR1 pulls the card and SIGUSR2 inserts it. See keyferry-vreader(1).\n";

int cmd_fail(enum cmd_exit code, const char *format, ...)
{
	va_list ap;

	(void)fputs("keyferry-vreader: ", stderr);
	va_start(ap, format);
	(void)vfprintf(stderr, format, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	return code;
}

enum cmd_exit cmd_exit_of_state(int r)
{
	switch (r) {
	case -ENOENT:
	case -ENOTDIR:
	case -EEXIST:
	case -EBUSY:
	case -EBADMSG:
	case -EPROTONOSUPPORT:
	case -EACCES:
	case -EIO:
	case -ENOSPC:
		return CMD_STATE;
	case -EINVAL:
		return CMD_USAGE;
	default:
		return CMD_FAILED;
	}
}

/* [SECURITY 7] No debugger of the same user, no core, no way to more rights. */
static int harden(void)
{
	const struct rlimit no_core = { 0, 0 };

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    setrlimit(RLIMIT_CORE, &no_core) < 0)
		return -errno;
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} commands[] = {
		{ "personalise", cmd_personalise },
		{ "personalize", cmd_personalise },
		{ "run", cmd_run },
	};
	const char *name = argc > 1 ? argv[1] : "";
	int r = harden();

	if (r < 0)
		return cmd_fail(CMD_FAILED, "cannot make the process unreadable: %s. The kernel refused "
				"prctl(2); run it where that is allowed.", strerror(-r));
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
		return fputs(usage, stdout) < 0 ? CMD_FAILED : CMD_OK;
	if (strcmp(name, "--version") == 0)
		return puts("keyferry-vreader " KF_VERSION) < 0 ? CMD_FAILED : CMD_OK;
	if (*name != '\0')
		(void)cmd_fail(CMD_USAGE, "there is no command '%s'; the commands are:", name);
	(void)fputs(usage, stderr);
	return CMD_USAGE;
}
