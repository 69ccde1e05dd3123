/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/monitor.c - One loop over signals, the directories of virtual readers, USB, the
 * broker and the ends of child processes. The broker and all drivers hold a socket whose other end is
 * here or in the broker, so whichever of us dies, the rest sees an end of file and goes.
 */
#include "daemon/monitor/monitor.h"

#include "base/cleanup.h"
#include "base/list.h"
#include "base/listen.h"
#include "daemon/monitor/grant.h"
#include "daemon/monitor/sandbox.h"
#include "daemon/monitor/vpath.h"
#include "daemon/shared/activate.h"

#include <libgen.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define END_MS 2000	/* what a broker or driver gets to go by itself */
#define BACKLOG 256	/* of clients */

void monitor_say(const char *format, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	dprintf(STDERR_FILENO, "keyferryd: %s\n", line);
}

void monitor_tell(struct monitor *monitor, const struct spawn_msg *msg, int fd)
{
	int r;

	if (monitor->ending || monitor->link.fd < 0)
		return;
	r = spawn_send(monitor->link.fd, msg, fd);
	if (r < 0) {
		monitor_say("the broker does not listen: %s; ending", strerror(-r));
		loop_stop(&monitor->loop, 1);
	}
}

static void serving(struct monitor *monitor)
{
	int fd = monitor->config->ready_fd;

	if (fd >= 0 && write(fd, "\n", 1) != 1)
		monitor_say("--ready-fd %d: %s", fd, strerror(errno));
	fd_close(fd);
	activate_notify("READY=1\nSTATUS=Serving.");
}

static void broker_said(struct monitor *monitor, const struct spawn_msg *msg)
{
	struct port *port;

	if (msg->kind == SPAWN_READY)
		serving(monitor);
	if (msg->kind == SPAWN_IDLE)
		loop_stop(&monitor->loop, 0);
	list_each(port, &monitor->ports, link) {
		if (port->key != msg->reader)
			continue;
		if (msg->kind == SPAWN_KILL)
			port_kill(port, msg->instance);
		else if (msg->kind == SPAWN_HUNG_UP)
			port_hung_up(port, msg->instance);
	}
}

static void end_with(struct monitor *monitor, const char *why)
{
	monitor_say("%s", why);
	loop_stop(&monitor->loop, 1);
}

static void on_link(struct source *source, uint32_t events)
{
	struct monitor *monitor = list_entry(source, struct monitor, link);
	struct spawn_msg msg;
	int r = spawn_recv(source->fd, &msg, NULL);

	(void)events;
	if (r == 0)
		broker_said(monitor, &msg);
	else if (r == -ECONNRESET && child_runs(&monitor->broker))
		loop_remove(&monitor->loop, source);	/* its end is told by its pidfd */
	else if (r == -ECONNRESET)
		end_with(monitor, "the broker ended; ending");
	else if (r != -EAGAIN && child_runs(&monitor->broker))
		child_kill(&monitor->broker);
	else if (r != -EAGAIN)
		end_with(monitor, "the broker broke the protocol; ending");
}

static void broker_ended(struct child *child, int status)
{
	struct monitor *monitor = list_entry(child, struct monitor, broker);

	if (monitor->ending)
		return;
	if (WIFSIGNALED(status))
		monitor_say("the broker died of signal %d; ending", WTERMSIG(status));
	else
		monitor_say("the broker ended with status %d; ending", WEXITSTATUS(status));
	loop_stop(&monitor->loop, 1);
}

struct complaint {
	const char *path;
};

static void conf_wrong(void *data, unsigned int line, const char *text)
{
	const struct complaint *complaint = data;

	if (line)
		monitor_say("%s:%u: %s", complaint->path, line, text);
	else
		monitor_say("%s: %s", complaint->path, text);
}

int monitor_read_conf(const struct config *config, struct conf *out)
{
	struct complaint complaint = { config->conf_path };

	if (!config->conf_path) {
		conf_init(out);
		return 0;
	}
	return conf_load(config->conf_path, config->join ? (uid_t)-1 : geteuid(), out, conf_wrong,
			 &complaint);
}

/* Return: 0, or negative after saying why; then the broker keeps the table it has. */
static int send_policy(struct monitor *monitor, const struct conf *conf)
{
	struct spawn_msg policy;
	int r = grant_table(&monitor->config->policy, conf, !monitor->config->join, &policy);

	if (r < 0) {
		monitor_say("more than %d rules", SPAWN_RULES);
		return r;
	}
	policy.version = ++monitor->policy_version;
	policy.pid = (uint32_t)getpid();
	policy.uid = getuid();
	policy.guards = monitor->guards;
	monitor_tell(monitor, &policy, -1);
	return 0;
}

static uid_t virtual_uid(const struct monitor *monitor)
{
	return monitor->conf.virtual_uid != (uid_t)-1 ? monitor->conf.virtual_uid :
							monitor->config->virtual_uid;
}

static struct port *virtual_at(const struct monitor *monitor, const char *path)
{
	struct port *port;

	list_each(port, &monitor->ports, link)
		if (port_is_at(port, path))
			return port;
	return NULL;
}

/* Those of the command line, then those of the file; NULL behind the last. */
static const char *virtual_path(const struct monitor *monitor, size_t i)
{
	size_t n = monitor->config->n_virtuals;

	if (i < n)
		return monitor->config->virtuals[i];
	return i - n < monitor->conf.n_virtuals ? monitor->conf.virtuals[i - n] : NULL;
}

static bool is_wanted(const struct monitor *monitor, const struct port *port)
{
	const char *path;

	for (size_t i = 0; (path = virtual_path(monitor, i)); i++)
		if (port_is_at(port, path))
			return true;
	return false;
}

/* Return: 0, or the error of the last that cannot be had, each of which was told. */
static int add_virtuals(struct monitor *monitor)
{
	const char *path;
	int r = 0;

	for (size_t i = 0; (path = virtual_path(monitor, i)); i++) {
		int made = virtual_at(monitor, path) ? 0 : port_new_virtual(monitor, path);

		r = made < 0 ? made : r;
	}
	return r;
}

/* Who was trusted under another rule is judged anew, so with another uid all of them go first. */
static void follow_virtuals(struct monitor *monitor)
{
	bool anew = monitor->virtual_uid != virtual_uid(monitor);
	struct port *port, *next;

	list_each_safe(port, next, &monitor->ports, link)
		if (!port_is_usb(port) && port->state != PORT_LEAVING &&
		    (anew || !is_wanted(monitor, port)))
			port_leave(port);
	monitor->virtual_uid = virtual_uid(monitor);
	(void)add_virtuals(monitor);
	list_each_safe(port, next, &monitor->ports, link)
		if (!port_is_usb(port))
			port_look(port);
}

/* Clients stay connected; what they ask from now on is judged by the new table. */
static void reload(struct monitor *monitor)
{
	_cleanup_(freep) struct conf *conf = malloc(sizeof(*conf));
	char state[96];

	(void)snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu",
		       (unsigned long long)(now_ns() / 1000));
	activate_notify(state);
	if (conf && monitor_read_conf(monitor->config, conf) == 0 &&
	    send_policy(monitor, conf) == 0) {
		monitor_say("policy %u is in force", monitor->policy_version);
		monitor->conf = *conf;
		follow_virtuals(monitor);
		if (monitor->config->usb)	/* readers that are ours now, or no more */
			bus_look(&monitor->bus);
	} else {
		monitor_say("nothing of it is taken; policy %u stays in force",
			    monitor->policy_version);
	}
	activate_notify("READY=1\nSTATUS=Serving.");
}

static void on_signal(struct source *source, uint32_t events)
{
	struct monitor *monitor = list_entry(source, struct monitor, signals);
	struct signalfd_siginfo info;

	(void)events;
	if (read(source->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP && monitor->config->conf_path)
		reload(monitor);
	else
		loop_stop(&monitor->loop, 0);
}

static void dirs_changed(struct monitor *monitor, int wd, uint32_t mask)
{
	struct port *port, *next;

	list_each_safe(port, next, &monitor->ports, link)
		port_watch(port, wd, mask);
}

static void on_inotify(struct source *source, uint32_t events)
{
	struct monitor *monitor = list_entry(source, struct monitor, inotify);
	uint8_t buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	(void)events;
	while ((n = read(source->fd, buf, sizeof(buf))) > 0) {
		struct unpacker u = unpack_begin(BYTES(buf, (size_t)n));

		while (u.left > 0) {
			struct inotify_event event;

			unpack_copy(&u, (uint8_t *)&event, sizeof(event));
			unpack_skip(&u, event.len);	/* each port looks for its own name */
			dirs_changed(monitor, event.wd, event.mask);
		}
	}
}

static void on_wake(struct nap *nap)
{
	struct monitor *monitor = list_entry(nap, struct monitor, nap);
	struct port *port;

	list_each(port, &monitor->ports, link)
		port_recycle(port);
	if (monitor->config->usb)
		bus_look(&monitor->bus);
}

/* Beside us, as in the build tree, or in ../libexec/keyferry, as installed. */
static int find_program(const char *given, const char *name, char out[static PATH_MAX])
{
	static const char *const places[] = { "", "../libexec/keyferry/" };
	char self[PATH_MAX];
	const char *dir;
	ssize_t n;

	if (given)
		return snprintf(out, PATH_MAX, "%s", given) < PATH_MAX ? 0 : -ENAMETOOLONG;
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return -errno;
	self[n] = '\0';
	dir = dirname(self);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int len = snprintf(out, PATH_MAX, "%s/%s%s", dir, places[i], name);

		if (len > 0 && len < PATH_MAX && access(out, X_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

static int find_programs(struct monitor *monitor)
{
	const struct config *config = monitor->config;

	if (!config->join &&
	    find_program(config->broker, "keyferry-broker", monitor->broker_path) < 0) {
		monitor_say("keyferry-broker is not beside keyferryd; name it with --broker");
		return -ENOENT;
	}
	if (find_program(config->driver, "keyferry-driver", monitor->driver_path) < 0) {
		monitor_say("keyferry-driver is not beside keyferryd; name it with --driver");
		return -ENOENT;
	}
	return 0;
}

static int start_broker(struct monitor *monitor)
{
	const char *argv[] = { monitor->broker_path, "--listen-fd", "3", "--monitor-fd", "4", NULL };
	/* Who may do what is the policy's business, who may reach it the directory's. */
	_cleanup_(fd_closep) int listener = listen_open(monitor->config->socket, 0666, BACKLOG);
	int pair[2], r;

	if (listener < 0) {
		monitor_say("--socket %s: %s", monitor->config->socket, listener == -EADDRINUSE ?
			    "another daemon answers there; end it or choose another path" :
			    listener == -EEXIST ? "something that is no socket is there" :
			    strerror(-listener));
		return listener;
	}
	monitor->listening = true;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	monitor->broker.ended = broker_ended;
	r = child_start(&monitor->broker, &monitor->loop, argv, (int[]){ listener, pair[1] });
	fd_close(pair[1]);
	monitor->link = (struct source){ .fd = pair[0], .events = EPOLLIN, .fn = on_link };
	if (r == 0)
		r = loop_add(&monitor->loop, &monitor->link);
	if (r < 0)
		monitor_say("no broker process: %s", strerror(-r));
	return r;
}

/* The one that a service manager starts for us: it waits at a socket that only we may use. */
static int join_broker(struct monitor *monitor)
{
	_cleanup_(fd_closep) int dir = -1;
	const char *where = "";
	struct vpath path;
	int r = vpath_init(&path, monitor->config->join);

	if (r == 0)
		r = dir = vpath_open_dir(&path, (uid_t)-1, &where);
	if (r >= 0)
		r = vpath_connect(&path, dir, (uid_t)-1);
	if (r < 0) {
		monitor_say("--join %s: %s", monitor->config->join, r == -EPERM ?
			    "others could stand in for the broker there: root or this user must own "
			    "it and the folders on the way" : strerror(-r));
		return r;
	}
	monitor->link = (struct source){ .fd = r, .events = EPOLLIN, .fn = on_link };
	return loop_add(&monitor->loop, &monitor->link);
}

static int watch_signals(struct monitor *monitor)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	monitor->signals = (struct source){ .events = EPOLLIN, .fn = on_signal,
		.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK) };
	return monitor->signals.fd < 0 ? -errno : loop_add(&monitor->loop, &monitor->signals);
}

static int watch_directories(struct monitor *monitor)
{
	monitor->inotify = (struct source){ .events = EPOLLIN, .fn = on_inotify,
		.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK) };
	return monitor->inotify.fd < 0 ? -errno : loop_add(&monitor->loop, &monitor->inotify);
}

int monitor_init(struct monitor *monitor, const struct config *config)
{
	int r;

	*monitor = (struct monitor){ .config = config, .signals = SOURCE_INIT,
				     .inotify = SOURCE_INIT, .link = SOURCE_INIT,
				     .broker = CHILD_INIT, .loop = LOOP_INIT, .nap = NAP_INIT };
	monitor->conf = config->conf;
	monitor->virtual_uid = virtual_uid(monitor);
	list_init(&monitor->ports);
	r = find_programs(monitor);
	if (r < 0)
		return r;
	r = loop_init(&monitor->loop);
	if (r == 0)
		r = watch_signals(monitor);
	if (r == 0)
		r = watch_directories(monitor);
	if (r == 0)
		r = nap_init(&monitor->nap, &monitor->loop, on_wake);
	if (r < 0)
		monitor_say("cannot start: %s", strerror(-r));
	if (r == 0 && config->usb)	/* before the first look: what comes after it is heard of */
		r = bus_init(&monitor->bus, monitor);
	if (r == 0)
		r = add_virtuals(monitor);
	if (r < 0)
		return r;
	r = monitor_sandbox(monitor, &monitor->guards);
	if (r < 0) {
		monitor_say("cannot close itself in: %s", strerror(-r));
		return r;
	}
	return config->join ? join_broker(monitor) : start_broker(monitor);
}

int monitor_run(struct monitor *monitor)
{
	struct port *port, *next;
	int r;

	if (send_policy(monitor, &monitor->config->conf) < 0)
		return 1;
	list_each_safe(port, next, &monitor->ports, link)
		port_look(port);
	if (monitor->config->usb)
		bus_look(&monitor->bus);
	r = loop_run(&monitor->loop);
	return r == 0 ? 0 : 1;
}

/* Closing its socket asks the broker to go, and its end the drivers; who stays is killed. */
static void end_children(struct monitor *monitor)
{
	uint64_t until = now_ns() + ms_to_ns(END_MS);
	const struct port *port;
	bool left = true;

	monitor->ending = true;
	loop_remove(&monitor->loop, &monitor->link);
	monitor->link.fd = fd_close(monitor->link.fd);
	while (left && now_ns() < until) {
		left = child_runs(&monitor->broker);
		list_each(port, &monitor->ports, link)
			left |= child_runs(&port->driver);
		if (left)
			(void)loop_turn(&monitor->loop, (int)ms_until(until, now_ns()));
	}
}

void monitor_deinit(struct monitor *monitor)
{
	struct port *port;

	monitor->loop.stop = false;
	loop_remove(&monitor->loop, &monitor->signals);
	loop_remove(&monitor->loop, &monitor->inotify);
	bus_deinit(&monitor->bus);
	nap_deinit(&monitor->nap);
	end_children(monitor);
	child_deinit(&monitor->broker);
	while ((port = list_first(&monitor->ports, struct port, link)))
		port_free(port);
	if (monitor->listening)
		(void)unlink(monitor->config->socket);
	monitor->signals.fd = fd_close(monitor->signals.fd);
	monitor->inotify.fd = fd_close(monitor->inotify.fd);
	loop_deinit(&monitor->loop);
}
