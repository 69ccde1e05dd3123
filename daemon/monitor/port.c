/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/monitor/port.h"

#include "base/cleanup.h"
#include "base/list.h"
#include "daemon/monitor/monitor.h"
#include "proto/packet.h"

#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define PAUSE_MS	100	/* after the first failure, doubled up to ... */
#define PAUSE_MAX_MS	10000
#define SOON_NS		1000000000u	/* a driver that ended earlier counts as failed */
#define TRIES		8	/* after the socket appeared: 10 ms, 20, ... 1.28 s */
#define TRY_MS		10
#define HANG_UP_MS	1000	/* for a driver that closed its link to end */

static const struct port_step steps[] = {
	{ PORT_ABSENT,  PORT_ANSWERED,  PORT_RUNNING, PORT_DO_ADD },
	{ PORT_ABSENT,  PORT_NO_ANSWER, PORT_ABSENT,  PORT_DO_NOTHING },
	{ PORT_RUNNING, PORT_ENDED,     PORT_PAUSING, PORT_DO_TRY },
	{ PORT_RUNNING, PORT_FAILED,    PORT_PAUSING, PORT_DO_PAUSE },
	{ PORT_PAUSING, PORT_ANSWERED,  PORT_RUNNING, PORT_DO_START },
	{ PORT_PAUSING, PORT_NO_ANSWER, PORT_ABSENT,  PORT_DO_REMOVE },
};

const struct port_step *port_step(enum port_state state, enum port_event event)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (steps[i].from == state && steps[i].event == event)
			return &steps[i];
	return NULL;
}

static void port_happens(struct port *port, enum port_event event, int fd);

static uint32_t doubled(uint32_t ms, uint32_t times, uint32_t max)
{
	while (times-- > 0 && ms < max)
		ms *= 2;
	return ms < max ? ms : max;
}

static void arm(struct port *port, uint32_t ms)
{
	if (timer_arm(&port->monitor->loop, &port->timer, now_ns() + ms_to_ns(ms)) < 0)
		loop_stop(&port->monitor->loop, 1);
}

static const char *why(int error)
{
	switch (error) {
	case -EPERM:
		return "it belongs to another user, who could read and change what goes to the card; "
		       "run it as this user or name its uid with --virtual-uid";
	case -ELOOP:
		return "a symbolic link stands on the way; give the real path";
	case -ENOTSOCK:
	case -EPROTOTYPE:
		return "it is not a reader's socket (SOCK_SEQPACKET)";
	default:
		return strerror(-error);
	}
}

/* Tells what a person can mend, once; that nobody is there is not worth a line. */
static void port_complain(struct port *port, int error)
{
	if (error == port->last_error)
		return;
	port->last_error = error;
	if (error != 0 && error != -ENOENT && error != -ECONNREFUSED)
		monitor_say("reader %s not attached: %s/%s: %s", port->name, port->path.dir,
			    port->path.base, why(error));
}

static void port_try(struct port *port)
{
	int fd = vpath_connect(&port->path, port->dir_fd, port->monitor->config->virtual_uid);

	port_complain(port, fd < 0 ? fd : 0);
	port_happens(port, fd < 0 ? PORT_NO_ANSWER : PORT_ANSWERED, fd);
	fd_close(fd);
	if (port->state == PORT_ABSENT && fd == -ECONNREFUSED && port->tries > 0)
		arm(port, doubled(TRY_MS, TRIES - port->tries--, UINT32_MAX));
}

void port_look(struct port *port)
{
	if (port->state != PORT_ABSENT)
		return;
	port->tries = TRIES;
	port_try(port);
}

static void port_timer(struct timer *timer)
{
	struct port *port = list_entry(timer, struct port, timer);

	if (port->state == PORT_RUNNING)	/* it hung up and did not go */
		port_kill(port, port->instance);
	else
		port_try(port);
}

static void driver_ended(struct child *child, int status)
{
	struct port *port = list_entry(child, struct port, driver);
	struct spawn_msg msg = { .kind = SPAWN_DRIVER_GONE, .reader = port->key,
				 .instance = port->instance };
	bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0 && !port->condemned;
	bool soon = now_ns() - port->started_ns < SOON_NS;

	if (port->monitor->ending)
		return;
	if (!well && WIFSIGNALED(status))
		monitor_say("reader %s: driver died of signal %d, starting another", port->name,
			    WTERMSIG(status));
	else if (!well && WEXITSTATUS(status) == 0)
		monitor_say("reader %s: driver given up, starting another", port->name);
	else if (!well)
		monitor_say("reader %s: driver gave up with status %d, starting another",
			    port->name, WEXITSTATUS(status));
	monitor_tell(port->monitor, &msg, -1);
	port->restarts += !well;
	port->failures = well && !soon ? 0 : port->failures + 1;
	port_happens(port, well && !soon ? PORT_ENDED : PORT_FAILED, -1);
}

static int port_start(struct port *port, int reader_fd)
{
	struct monitor *monitor = port->monitor;
	const char *argv[] = { monitor->driver_path, "--link-fd", "3", "--reader-fd", "4", "--transport",
			 "socket", "--name", port->name, NULL };
	struct spawn_msg msg = { .kind = SPAWN_DRIVER, .reader = port->key };
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	port->driver.ended = driver_ended;
	port->started_ns = now_ns();
	port->condemned = false;
	r = child_start(&port->driver, &monitor->loop, argv, (int[]){ pair[1], reader_fd });
	if (r == 0) {
		msg.instance = ++port->instance;
		msg.pid = (uint32_t)port->driver.pid;
		msg.uid = getuid();
		msg.restarts = port->restarts;
		monitor_tell(monitor, &msg, pair[0]);
	}
	fd_close(pair[0]);
	fd_close(pair[1]);
	return r;
}

static void port_add(struct port *port)
{
	struct spawn_msg msg = { .kind = SPAWN_READER_ADD, .reader = port->key };

	memcpy(msg.name, port->name, sizeof(msg.name));
	monitor_tell(port->monitor, &msg, -1);
}

static void port_remove(struct port *port)
{
	struct spawn_msg msg = { .kind = SPAWN_READER_GONE, .reader = port->key };

	port->failures = 0;
	port->tries = 0;
	monitor_tell(port->monitor, &msg, -1);
}

static void port_run(struct port *port, int fd)
{
	int r = port_start(port, fd);

	if (r == 0)
		return;
	monitor_say("reader %s: no driver process: %s", port->name, strerror(-r));
	port->failures++;
	port_happens(port, PORT_FAILED, -1);
}

static void port_happens(struct port *port, enum port_event event, int fd)
{
	const struct port_step *step = port_step(port->state, event);

	if (!step)		/* a timer that was armed before something else settled it */
		return;
	timer_disarm(&port->monitor->loop, &port->timer);
	port->state = step->to;
	switch (step->action) {
	case PORT_DO_NOTHING:
		return;
	case PORT_DO_ADD:
		port_add(port);
		port_run(port, fd);
		return;
	case PORT_DO_START:
		port_run(port, fd);
		return;
	case PORT_DO_TRY:
		port_try(port);
		return;
	case PORT_DO_PAUSE:
		arm(port, doubled(PAUSE_MS, port->failures - 1, PAUSE_MAX_MS));
		return;
	case PORT_DO_REMOVE:
		port_remove(port);
		return;
	}
}

void port_kill(struct port *port, uint32_t instance)
{
	if (port->instance != instance)
		return;
	port->condemned = true;
	child_kill(&port->driver);
}

void port_hung_up(struct port *port, uint32_t instance)
{
	if (port->instance == instance && child_runs(&port->driver))
		arm(port, HANG_UP_MS);
}

/* "virtual:" and the file name without ".sock"; a second one of the same name gets a number. */
static void port_name(struct port *port)
{
	const struct monitor *monitor = port->monitor;
	char text[KF_NAME_MAX + NAME_MAX], stem[NAME_MAX + 1];
	size_t n = strlen(port->path.base);
	int twin = 1;

	memcpy(stem, port->path.base, n + 1);
	if (n > 5 && strcmp(stem + n - 5, ".sock") == 0)
		stem[n - 5] = '\0';
	(void)snprintf(text, sizeof(text), "virtual:%.48s", stem);
	packet_set_string(port->name, text);
	for (size_t i = 0; i < monitor->n_ports; i++) {
		if (&monitor->ports[i] == port || strcmp(monitor->ports[i].name, port->name) != 0)
			continue;
		(void)snprintf(text, sizeof(text), "virtual:%.48s#%d", stem, ++twin);
		packet_set_string(port->name, text);
		i = (size_t)-1;
	}
}

int port_init(struct port *port, struct monitor *monitor, uint32_t key, const char *path)
{
	const char *where = "";
	int r;

	*port = (struct port){ .monitor = monitor, .key = key, .dir_fd = -1, .watch = -1,
			       .driver = CHILD_INIT, .timer = { .fn = port_timer } };
	r = vpath_init(&port->path, path);
	if (r < 0) {
		monitor_say("--virtual %s: %s", path, r == -EINVAL ?
			    "not a path to a socket; give one without \"..\"" : strerror(-r));
		return r;
	}
	port_name(port);
	port->dir_fd = vpath_open_dir(&port->path, monitor->config->virtual_uid, &where);
	if (port->dir_fd < 0) {
		monitor_say("--virtual %s: directory \"%s\" on the way: %s", path, where,
			    port->dir_fd == -EPERM ? "others could exchange what is below it; use a "
			    "directory that only its owner (root, this user or --virtual-uid) can "
			    "write to" : why(port->dir_fd));
		return port->dir_fd;
	}
	port->watch = inotify_add_watch(monitor->inotify.fd, port->path.dir,
					IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR);
	if (port->watch < 0) {
		r = -errno;
		monitor_say("--virtual %s: cannot watch its directory: %s", path, strerror(-r));
	}
	return r;
}

void port_deinit(struct port *port)
{
	timer_disarm(&port->monitor->loop, &port->timer);
	child_deinit(&port->driver);
	port->dir_fd = fd_close(port->dir_fd);
}
