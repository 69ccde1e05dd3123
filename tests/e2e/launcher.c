/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/launcher.c - Plays the service manager for keyferry's two units, as udev/ has them: makes
 * and keeps the two sockets, starts broker and monitor for the first client (or for SIGUSR1, a reader
 * that was plugged in), each as a user of its own, ends the one when the other has ended, and begins
 * anew with the next client.
 *
 *	launcher DIR BROKER-UID MONITOR-UID CONFIG
 *
 * Programs are in DIR/bin, sockets in DIR/run; what happened is a line each on stdout.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct unit {
	const char *name;
	uid_t uid;
	pid_t pid;
};

struct launcher {
	const char *dir, *config;
	int clients, monitor, notify, signals;
	struct unit units[2];
};

enum { BROKER, MONITOR };

__attribute__((noreturn, format(printf, 1, 2)))
static void die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	exit(1);
}

static int make_socket(const struct launcher *l, const char *name, int type, uid_t uid, mode_t mode)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/run/%s", l->dir, name);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    chown(addr.sun_path, uid, uid) < 0 || chmod(addr.sun_path, mode) < 0 ||
	    (type == SOCK_SEQPACKET && listen(fd, 64) < 0))
		die("%s: %s\n", addr.sun_path, strerror(errno));
	return fd;
}

/* In the child. */
static void become(const struct launcher *l, const struct unit *unit)
{
	char number[16], notify[128];
	sigset_t none;

	if (unit->uid != getuid() && (setgroups(0, NULL) < 0 ||
	    setresgid(unit->uid, unit->uid, unit->uid) < 0 ||
	    setresuid(unit->uid, unit->uid, unit->uid) < 0))
		die("cannot become %u\n", unit->uid);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)snprintf(number, sizeof(number), "%d", (int)getpid());
	(void)snprintf(notify, sizeof(notify), "%s/run/notify", l->dir);
	setenv("NOTIFY_SOCKET", notify, 1);
	setenv("LISTEN_PID", number, 1);
}

static void start(struct launcher *l, int which)
{
	struct unit *unit = &l->units[which];
	char program[128], join[128], uid[16];

	fflush(stdout);
	unit->pid = fork();
	if (unit->pid < 0)
		die("fork: %s\n", strerror(errno));
	if (unit->pid > 0)
		return;
	(void)snprintf(program, sizeof(program), "%s/bin/%s", l->dir, unit->name);
	(void)snprintf(join, sizeof(join), "%s/run/monitor.sock", l->dir);
	(void)snprintf(uid, sizeof(uid), "%u", l->units[MONITOR].uid);
	if (which == BROKER) {
		int a = fcntl(l->clients, F_DUPFD, 20), b = fcntl(l->monitor, F_DUPFD, 20);

		setenv("LISTEN_FDS", "2", 1);
		setenv("LISTEN_FDNAMES", "clients:monitor", 1);
		(void)dup2(a, 3);
		(void)dup2(b, 4);
		close_range(5, ~0u, 0);
	} else {
		close_range(3, ~0u, 0);
	}
	become(l, unit);
	if (which == BROKER)
		execl(program, unit->name, "--monitor-user", uid, NULL);
	else
		execl(program, unit->name, "--config", l->config, "--join", join, NULL);
	die("%s: %s\n", program, strerror(errno));
}

static void start_both(struct launcher *l, const char *why)
{
	printf("start for %s\n", why);
	start(l, BROKER);
	start(l, MONITOR);
}

static void told(struct launcher *l)
{
	char state[256];
	ssize_t n = recv(l->notify, state, sizeof(state) - 1, MSG_DONTWAIT);

	if (n <= 0)
		return;
	state[n] = '\0';
	state[strcspn(state, "\n")] = '\0';
	printf("notify %s\n", state);
}

static void end(struct unit *unit)
{
	int status;

	if (unit->pid <= 0)
		return;
	(void)kill(unit->pid, SIGTERM);
	(void)waitpid(unit->pid, &status, 0);
	unit->pid = 0;
}

/* BindsTo= in both directions. */
static void reap(struct launcher *l)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < 2; i++) {
			if (l->units[i].pid != pid)
				continue;
			while (poll(&(struct pollfd){ .fd = l->notify, .events = POLLIN }, 1, 0) == 1)
				told(l);
			printf("%s ended with %s %d\n", l->units[i].name,
			       WIFEXITED(status) ? "status" : "signal",
			       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
			l->units[i].pid = 0;
			end(&l->units[!i]);
			printf("stopped\n");
		}
}

static void turn(struct launcher *l)
{
	bool runs = l->units[BROKER].pid > 0;
	struct pollfd fds[] = {
		{ .fd = l->signals, .events = POLLIN }, { .fd = l->notify, .events = POLLIN },
		{ .fd = runs ? -1 : l->clients, .events = POLLIN },
		{ .fd = runs ? -1 : l->monitor, .events = POLLIN },
	};
	struct signalfd_siginfo info = { 0 };

	fflush(stdout);
	if (poll(fds, 4, -1) < 0)
		return;
	if (fds[1].revents)
		told(l);
	if (fds[0].revents && read(l->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap(l);
		else if (info.ssi_signo == SIGUSR1 && !runs)
			start_both(l, "a reader");
		else if (info.ssi_signo == SIGTERM) {
			end(&l->units[MONITOR]);
			end(&l->units[BROKER]);
			exit(0);
		}
	} else if (fds[2].revents || fds[3].revents) {
		start_both(l, "a client");
	}
}

int main(int argc, char **argv)
{
	static const int wanted[] = { SIGCHLD, SIGUSR1, SIGTERM };
	struct launcher l = { 0 };
	sigset_t set;

	if (argc != 5)
		die("usage: launcher DIR BROKER-UID MONITOR-UID CONFIG\n");
	l.dir = argv[1];
	l.config = argv[4];
	l.units[BROKER] = (struct unit){ "keyferry-broker", (uid_t)atoi(argv[2]), 0 };
	l.units[MONITOR] = (struct unit){ "keyferryd", (uid_t)atoi(argv[3]), 0 };
	sigemptyset(&set);
	for (size_t i = 0; i < 3; i++)
		sigaddset(&set, wanted[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	l.signals = signalfd(-1, &set, SFD_CLOEXEC);
	l.clients = make_socket(&l, "broker.sock", SOCK_SEQPACKET, 0, 0666);
	l.monitor = make_socket(&l, "monitor.sock", SOCK_SEQPACKET, l.units[MONITOR].uid, 0600);
	l.notify = make_socket(&l, "notify", SOCK_DGRAM, 0, 0666);
	printf("listening\n");
	for (;;)
		turn(&l);
}
