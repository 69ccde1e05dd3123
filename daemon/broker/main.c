/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keyferry-broker - started by keyferryd with the listening socket and the link to it as inherited
 * descriptors. Opens nothing, starts nothing.
 */
#include "base/harden.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/sandbox.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
	"usage: keyferry-broker --listen-fd N --monitor-fd N\n"
	"Started by keyferryd; see keyferry-broker(8).\n";

static int take_fd_number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	return *text != '\0' && *end == '\0' && n >= 3 && n < 1024 ? (int)n : -1;
}

/* A thousand clients do not fit into the usual soft limit. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
		(void)setrlimit(RLIMIT_NOFILE, &limit);	/* then fewer clients fit */
	}
}

static int run(int listen_fd, int monitor_fd)
{
	static struct broker broker;
	int r;

	raise_fd_limit();
	r = broker_init(&broker, listen_fd, monitor_fd);
	if (r == 0)
		r = broker_sandbox(&broker.guards);
	if (r == 0)
		r = loop_run(&broker.loop);
	if (r < 0)
		log_line("ending: %s", strerror(-r));
	broker_deinit(&broker);
	return r < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "listen-fd", required_argument, NULL, 'l' },
		{ "monitor-fd", required_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	int listen_fd = -1, monitor_fd = -1, c;

	if (harden_process() < 0) {
		fprintf(stderr, "keyferry-broker: cannot protect itself: %s\n", strerror(errno));
		return 1;
	}
	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c == 'h')
			return fputs(usage, stdout) < 0;
		if (c == 'v')
			return puts("keyferry-broker " KF_VERSION) < 0;
		if (c == 'l')
			listen_fd = take_fd_number(optarg);
		else if (c == 'm')
			monitor_fd = take_fd_number(optarg);
		else
			return 2;
	}
	if (listen_fd < 0 || monitor_fd < 0 || optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);	/* ^C goes to the whole group; the monitor decides */
	return run(listen_fd, monitor_fd);
}
