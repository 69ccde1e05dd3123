/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keyferry-broker - started by keyferryd with the listening socket and the link to it as inherited
 * descriptors, or by a service manager with the two sockets it made. Opens nothing, starts nothing.
 */
#include "base/harden.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/sandbox.h"
#include "daemon/shared/activate.h"

#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
	"usage: keyferry-broker --listen-fd N --monitor-fd N\n"
	"       keyferry-broker --monitor-user USER\n"
	"Started by keyferryd, or by a service manager with the sockets \"clients\" and \"monitor\";\n"
	"see keyferry-broker(8).\n";

/**
 * struct start - how we were started
 * @listen_fd:	where clients connect
 * @monitor_fd:	the link to the monitor that started us; or -1, and
 * @join_fd:	where it will connect
 * @monitor_user: as whom
 */
struct start {
	int listen_fd, monitor_fd, join_fd;
	const char *monitor_user;
	uid_t monitor_uid;
};

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

static int close_in(struct broker *broker)
{
	int r = broker_sandbox(&broker->guards);

	if (r < 0)
		log_line("cannot close itself in: %s", strerror(-r));
	return r;
}

static int run(const struct start *start)
{
	static struct broker broker;
	int r;

	raise_fd_limit();
	r = broker_init(&broker, start->listen_fd, start->monitor_fd);
	if (r == 0 && start->join_fd >= 0) {
		r = join_wait(&broker, start->join_fd, start->monitor_uid);
		/* Not yet serving, but what we were asked to do is under way: the monitor, whom
		 * the manager starts after us, says when clients are served. No STATUS=: from
		 * inside the sandbox it could never be replaced. */
		activate_notify("READY=1");
	}
	if (r == 0)
		r = close_in(&broker);
	if (r == 0)
		r = loop_run(&broker.loop);
	if (r < 0)
		log_line("ending: %s", strerror(-r));
	broker_deinit(&broker);
	return r < 0 ? 1 : 0;
}

static int take_socket(const char *name)
{
	int fd = activate_socket(name);

	if (fd == -ENOENT)
		log_line("no socket \"%s\" was handed over; keyferry.socket and "
			 "keyferry-monitor.socket do that", name);
	else if (fd < 0)
		log_line("the socket \"%s\": %s", name, strerror(-fd));
	return fd;
}

static int find_user(const char *text, uid_t *out)
{
	const struct passwd *user = getpwnam(text);
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (user)
		*out = user->pw_uid;
	else if (*text >= '0' && *text <= '9' && *end == '\0' && n < UINT32_MAX)
		*out = (uid_t)n;
	else
		return -ENOENT;
	return 0;
}

/* Everything that needs a name or a path happens here, before anybody is heard. */
static int activated(struct start *start)
{
	if (find_user(start->monitor_user, &start->monitor_uid) < 0) {
		log_line("--monitor-user %s: there is no such user", start->monitor_user);
		return -ENOENT;
	}
	start->listen_fd = take_socket("clients");
	start->join_fd = take_socket("monitor");
	return start->listen_fd < 0 || start->join_fd < 0 ? -ENOENT : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "listen-fd", required_argument, NULL, 'l' },
		{ "monitor-fd", required_argument, NULL, 'm' },
		{ "monitor-user", required_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	struct start start = { .listen_fd = -1, .monitor_fd = -1, .join_fd = -1 };
	int c;

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
			start.listen_fd = take_fd_number(optarg);
		else if (c == 'm')
			start.monitor_fd = take_fd_number(optarg);
		else if (c == 'u')
			start.monitor_user = optarg;
		else
			return 2;
	}
	if ((start.monitor_user ? start.listen_fd >= 0 || start.monitor_fd >= 0 :
	     start.listen_fd < 0 || start.monitor_fd < 0) || optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);	/* ^C goes to the whole group; the monitor decides */
	if (start.monitor_user && activated(&start) < 0)
		return 1;
	return run(&start);
}
