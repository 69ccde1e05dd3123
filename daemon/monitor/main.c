/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* keyferryd - the command line of the monitor. */
#include "base/harden.h"
#include "daemon/broker/policy.h"
#include "daemon/monitor/grant.h"
#include "daemon/monitor/monitor.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char usage[] =
"usage: keyferryd --socket PATH (--usb | --virtual PATH)... [options]\n"
"       keyferryd --config FILE --join PATH\n"
"\n"
"  --config FILE           keyferryd.conf(5), read again on SIGHUP\n"
"  --join PATH             as a service: where a broker that runs by itself waits for us\n"
"  --socket PATH           where clients connect\n"
"  --usb                   serves the readers on USB\n"
"  --virtual PATH          socket of a virtual reader; may be given again\n"
"  --virtual-uid UID       who may run virtual readers, besides root and this user\n"
"  --admit-uid UID         may look, and use keys with their PIN\n"
"  --admit-gid GID         the same for a group\n"
"  --grant UID:RIGHT[,..]  rights: look use inject create delete admin raw relay init kek\n"
"  --grant-gid GID:RIGHT[,..]\n"
"  --limit WHAT=N          per uid: connections, contexts, keys, bytes\n"
"  --driver PROG           instead of the keyferry-driver beside this program\n"
"  --broker PROG           likewise for keyferry-broker\n"
"  --ready-fd N            gets one byte when clients are served\n"
"  --help, --version\n"
"\n"
"Runs in the foreground as any user, who counts as administrator. See keyferryd(8).\n";

enum {
	OPT_SOCKET = 256, OPT_VIRTUAL, OPT_VIRTUAL_UID, OPT_ADMIT_UID, OPT_ADMIT_GID, OPT_GRANT,
	OPT_GRANT_GID, OPT_LIMIT, OPT_DRIVER, OPT_BROKER, OPT_READY_FD, OPT_USB, OPT_CONFIG, OPT_JOIN,
	OPT_HELP, OPT_VERSION,
};

static int take_limit(struct spawn_limits *limits, const char *text)
{
	const struct { const char *name; uint32_t *value; uint32_t max; } names[] = {
		{ "connections=", &limits->connections, 1024 },
		{ "contexts=", &limits->contexts, 8192 },
		{ "keys=", &limits->keys, 8192 },
		{ "bytes=", &limits->bytes, 64 * 1024 * 1024 },
	};
	uint32_t n;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = strlen(names[i].name);

		if (strncmp(text, names[i].name, len) != 0)
			continue;
		if (grant_id(text + len, &n) < 0 || n == 0 || n > names[i].max)
			return -EINVAL;
		*names[i].value = n;
		return 0;
	}
	return -EINVAL;
}

static int take_virtual(struct config *config, const char *path)
{
	if (config->n_virtuals == MONITOR_PORTS)
		return -ENOSPC;
	config->virtuals[config->n_virtuals++] = path;
	return 0;
}

static int take_admit(struct config *config, enum spawn_who who, const char *text)
{
	uint32_t id;
	int r = grant_id(text, &id);

	return r < 0 ? r : grant_rule(&config->policy, "--admit", who, id, POLICY_USER);
}

static int take_option(struct config *config, int option, const char *value)
{
	static const struct usb_roots usb = USB_ROOTS;
	uint32_t n = 0;
	int r = 0;

	switch (option) {
	case OPT_SOCKET:
		config->socket = value;
		return 0;
	case OPT_VIRTUAL:
		return take_virtual(config, value);
	case OPT_USB:
		config->usb = &usb;
		return 0;
	case OPT_VIRTUAL_UID:
		r = grant_id(value, &n);
		config->virtual_uid = n;
		return r;
	case OPT_ADMIT_UID:
		return take_admit(config, SPAWN_UID, value);
	case OPT_ADMIT_GID:
		return take_admit(config, SPAWN_GID, value);
	case OPT_GRANT:
		return grant_add(&config->policy, SPAWN_UID, value);
	case OPT_GRANT_GID:
		return grant_add(&config->policy, SPAWN_GID, value);
	case OPT_LIMIT:
		return take_limit(&config->policy.limits, value);
	case OPT_DRIVER:
		config->driver = value;
		return 0;
	case OPT_BROKER:
		config->broker = value;
		return 0;
	case OPT_CONFIG:
		config->conf_path = value;
		return 0;
	case OPT_JOIN:
		config->join = value;
		config->usb = &usb;
		return 0;
	case OPT_READY_FD:
		r = grant_id(value, &n);
		config->ready_fd = (int)n;
		return n < 3 || n > 1023 ? -EINVAL : r;
	default:
		return -EINVAL;
	}
}

static const struct option options[] = {
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "virtual", required_argument, NULL, OPT_VIRTUAL },
	{ "virtual-uid", required_argument, NULL, OPT_VIRTUAL_UID },
	{ "admit-uid", required_argument, NULL, OPT_ADMIT_UID },
	{ "admit-gid", required_argument, NULL, OPT_ADMIT_GID },
	{ "grant", required_argument, NULL, OPT_GRANT },
	{ "grant-gid", required_argument, NULL, OPT_GRANT_GID },
	{ "limit", required_argument, NULL, OPT_LIMIT },
	{ "driver", required_argument, NULL, OPT_DRIVER },
	{ "broker", required_argument, NULL, OPT_BROKER },
	{ "ready-fd", required_argument, NULL, OPT_READY_FD },
	{ "usb", no_argument, NULL, OPT_USB },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "join", required_argument, NULL, OPT_JOIN },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 },
};

/* Development starts its own broker; a service has its rules from the file alone. */
static bool is_whole(const struct config *config)
{
	if (config->join)
		return config->conf_path && !config->socket && config->n_virtuals == 0 &&
		       config->policy.n_rules == 0;
	return config->socket && (config->n_virtuals > 0 || config->usb || config->conf_path);
}

/* Return: -1 to go on, or the exit status. */
static int parse(int argc, char **argv, struct config *config)
{
	int c, at, r;

	while ((c = getopt_long(argc, argv, "", options, &at)) >= 0) {
		if (c == OPT_HELP)
			return fputs(usage, stdout) < 0;
		if (c == OPT_VERSION)
			return puts("keyferryd " KF_VERSION) < 0;
		if (c == '?')
			return 2;
		r = take_option(config, c, optarg);
		if (r < 0) {
			monitor_say("--%s %s: %s; see --help", options[c - OPT_SOCKET].name, optarg,
				    r == -ENOSPC ? "too many" : "not understood");
			return 2;
		}
	}
	if (optind == argc && is_whole(config))
		return -1;
	fputs(usage, stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static struct config config = { .virtual_uid = (uid_t)-1, .ready_fd = -1 };
	static struct monitor monitor;
	int r;

	if (harden_process() < 0) {
		monitor_say("cannot protect itself: %s", strerror(errno));
		return 1;
	}
	r = parse(argc, argv, &config);
	if (r >= 0)
		return r;
	if (monitor_read_conf(&config, &config.conf) < 0)
		return EX_CONFIG;	/* to be mended by a person, not by trying again */
	(void)signal(SIGPIPE, SIG_IGN);
	r = monitor_init(&monitor, &config) < 0 ? 1 : monitor_run(&monitor);
	monitor_deinit(&monitor);
	return r;
}
