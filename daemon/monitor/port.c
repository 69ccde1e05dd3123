/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/port.c - One table of steps for both kinds. port_happens() may free the port, so
 * nothing is touched after it.
 */
#include "daemon/monitor/port.h"

#include "base/cleanup.h"
#include "base/driver_exit.h"
#include "daemon/monitor/monitor.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define PAUSE_MS	100	/* after the first failure, doubled up to ... */
#define PAUSE_MAX_MS	10000
#define SOON_NS		1000000000u	/* a driver that ended earlier counts as failed */
#define TRIES		8	/* after the socket appeared: 10 ms, 20, ... 1.28 s */
#define TRY_MS		10
#define HELD_MS		250	/* doubled up to ... */
#define HELD_MAX_MS	30000
#define HANG_UP_MS	1000	/* for a driver that closed its link to end */

/* udev sets owner and mode of a new node a little later than the kernel makes it. */
static const uint16_t denied_ms[] = { 10, 20, 50, 100, 200, 500, 1000, 2000 };
#define DENIED_TRIES	(sizeof(denied_ms) / sizeof(denied_ms[0]))

static const struct port_step steps[] = {
	{ PORT_ABSENT,  PORT_ANSWERED,  PORT_RUNNING, PORT_DO_START },
	{ PORT_ABSENT,  PORT_NO_ANSWER, PORT_ABSENT,  PORT_DO_NOTHING },
	{ PORT_ABSENT,  PORT_DENIED,    PORT_WAITING, PORT_DO_WAIT },
	{ PORT_ABSENT,  PORT_HELD,      PORT_WAITING, PORT_DO_WAIT },
	{ PORT_ABSENT,  PORT_SHUT,      PORT_BARRED,  PORT_DO_BAR },
	{ PORT_ABSENT,  PORT_LEFT,      PORT_LEAVING, PORT_DO_FREE },

	{ PORT_RUNNING, PORT_ENDED,     PORT_PAUSING, PORT_DO_TRY },
	{ PORT_RUNNING, PORT_FAILED,    PORT_PAUSING, PORT_DO_PAUSE },
	{ PORT_RUNNING, PORT_DENIED,    PORT_WAITING, PORT_DO_WAIT },
	{ PORT_RUNNING, PORT_HELD,      PORT_WAITING, PORT_DO_WAIT },
	{ PORT_RUNNING, PORT_SHUT,      PORT_BARRED,  PORT_DO_BAR },
	{ PORT_RUNNING, PORT_LEFT,      PORT_LEAVING, PORT_DO_END },

	{ PORT_PAUSING, PORT_ANSWERED,  PORT_RUNNING, PORT_DO_START },
	{ PORT_PAUSING, PORT_NO_ANSWER, PORT_ABSENT,  PORT_DO_REMOVE },
	{ PORT_PAUSING, PORT_DENIED,    PORT_WAITING, PORT_DO_WAIT },
	{ PORT_PAUSING, PORT_HELD,      PORT_WAITING, PORT_DO_WAIT },
	{ PORT_PAUSING, PORT_SHUT,      PORT_BARRED,  PORT_DO_BAR },
	{ PORT_PAUSING, PORT_LEFT,      PORT_LEAVING, PORT_DO_FREE },

	{ PORT_WAITING, PORT_ANSWERED,  PORT_RUNNING, PORT_DO_START },
	{ PORT_WAITING, PORT_NO_ANSWER, PORT_ABSENT,  PORT_DO_REMOVE },
	{ PORT_WAITING, PORT_DENIED,    PORT_WAITING, PORT_DO_WAIT },
	{ PORT_WAITING, PORT_HELD,      PORT_WAITING, PORT_DO_WAIT },
	{ PORT_WAITING, PORT_LEFT,      PORT_LEAVING, PORT_DO_FREE },

	{ PORT_BARRED,  PORT_ANSWERED,  PORT_RUNNING, PORT_DO_START },
	{ PORT_BARRED,  PORT_NO_ANSWER, PORT_ABSENT,  PORT_DO_REMOVE },
	{ PORT_BARRED,  PORT_DENIED,    PORT_WAITING, PORT_DO_WAIT },
	{ PORT_BARRED,  PORT_HELD,      PORT_WAITING, PORT_DO_WAIT },
	{ PORT_BARRED,  PORT_LEFT,      PORT_LEAVING, PORT_DO_FREE },

	{ PORT_LEAVING, PORT_ENDED,     PORT_LEAVING, PORT_DO_FREE },
	{ PORT_LEAVING, PORT_FAILED,    PORT_LEAVING, PORT_DO_FREE },
	{ PORT_LEAVING, PORT_DENIED,    PORT_LEAVING, PORT_DO_FREE },
	{ PORT_LEAVING, PORT_HELD,      PORT_LEAVING, PORT_DO_FREE },
	{ PORT_LEAVING, PORT_SHUT,      PORT_LEAVING, PORT_DO_FREE },
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

static void arm_at(struct port *port, uint64_t at_ns)
{
	if (timer_arm(&port->monitor->loop, &port->timer, at_ns) < 0)
		loop_stop(&port->monitor->loop, 1);
}

static void arm(struct port *port, uint32_t ms)
{
	arm_at(port, now_ns() + ms_to_ns(ms));
}

/* Once for each new reason. */
static void port_complain(struct port *port, int error)
{
	if (error == port->last_error)
		return;
	port->last_error = error;
	if (error < 0)
		port->kind->complain(port, error);
}

static void say_how(const struct port *port)
{
	const char *then = port->shut_until_ns ? "too often; its port is shut for ten minutes" :
			   "starting another";

	if (WIFSIGNALED(port->status))
		monitor_say("reader %s: driver died of signal %d, %s", port->name,
			    WTERMSIG(port->status), then);
	else if (WEXITSTATUS(port->status) == 0)
		monitor_say("reader %s: driver given up, %s", port->name, then);
	else
		monitor_say("reader %s: driver gave up with status %d, %s", port->name,
			    WEXITSTATUS(port->status), then);
}

/*
 * A driver broke some time ago, long enough for it to have been the first to notice that its reader
 * was being unplugged. It was not. Return: whether that shuts the port.
 */
static bool charge(struct port *port)
{
	char name[USB_PATH];

	port->faulty = false;
	port->restarts++;
	port->shut_until_ns = 0;
	if (port->kind->warded) {
		usb_port(&port->usb, name);
		port->shut_until_ns = ward_fault(&port->monitor->ward, name, now_ns());
	}
	say_how(port);
	return port->shut_until_ns;
}

static bool is_unplugged(const struct port *port)
{
	return port_is_usb(port) && !usb_alive(&port->usb);
}

static void port_try(struct port *port)
{
	int fd = -1, r;

	if (port->faulty && !is_unplugged(port) && charge(port)) {
		port_happens(port, PORT_SHUT, -1);
		return;
	}
	r = port->kind->reach(port, &fd);
	port->error = r;
	/* Its node may be about to come or to change hands: silence, until it is given up. */
	if (r == 0 || port->kind->unreached != PORT_DENIED)
		port_complain(port, r);
	if (r == -ECONNREFUSED && port->state == PORT_ABSENT && port->tries < TRIES)
		arm(port, doubled(TRY_MS, port->tries++, UINT32_MAX));
	else
		port_happens(port, r == 0 ? PORT_ANSWERED : r == -EBUSY ? PORT_HELD :
			     port->kind->unreached, fd);
	fd_close(fd);
}

void port_look(struct port *port)
{
	if (port->state != PORT_ABSENT && port->state != PORT_WAITING)
		return;
	port->tries = 0;
	port_try(port);
}

static void port_timer(struct timer *timer)
{
	struct port *port = list_entry(timer, struct port, timer);

	if (child_runs(&port->driver))	/* it hung up, or shall go, and did not */
		port_kill(port, port->instance);
	else
		port_try(port);
}

static enum port_event judge_exit(struct port *port, int code)
{
	if (code == DRIVER_EXIT_DONE)
		return now_ns() - port->started_ns < SOON_NS ? PORT_FAILED : PORT_ENDED;
	if (code == DRIVER_EXIT_HELD)
		return PORT_HELD;
	if (code == DRIVER_EXIT_REFUSED && port->kind->warded) {
		port->shut_until_ns = 0;
		return PORT_SHUT;
	}
	if (code > CHILD_NOT_OPENED) {
		port->error = CHILD_NOT_OPENED - code;
		return PORT_DENIED;
	}
	return PORT_EVENTS;
}

/* What the end of its driver means. */
static enum port_event judge_end(struct port *port, int status)
{
	enum port_event event = PORT_EVENTS;

	if (port->recycled)
		return PORT_ENDED;
	if (WIFEXITED(status) && !port->condemned)
		event = judge_exit(port, WEXITSTATUS(status));
	if (event != PORT_EVENTS)
		return event;
	port->faulty = true;
	port->status = status;
	return PORT_FAILED;
}

static void driver_ended(struct child *child, int status)
{
	struct port *port = list_entry(child, struct port, driver);
	struct spawn_msg msg = { .kind = SPAWN_DRIVER_GONE, .reader = port->key,
				 .instance = port->instance };
	enum port_event event;

	if (port->monitor->ending)
		return;
	event = judge_end(port, status);
	if (port->listed)
		monitor_tell(port->monitor, &msg, -1);
	port->failures = event == PORT_FAILED ? port->failures + 1 : 0;
	port_happens(port, event, -1);
}

static int start_driver(struct port *port, int reader_fd)
{
	struct monitor *monitor = port->monitor;
	char interface[8];
	const char *argv[] = { monitor->driver_path, "--link-fd", "3", "--reader-fd", "4",
			       "--name", port->name, "--transport", port->kind->transport,
			       NULL, NULL, NULL };
	struct spawn_msg msg = { .kind = SPAWN_DRIVER, .reader = port->key };
	int pair[2], r;

	if (port_is_usb(port)) {
		(void)snprintf(interface, sizeof(interface), "%u", port->usb.interface);
		argv[9] = "--interface";
		argv[10] = interface;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	port->driver.ended = driver_ended;
	port->driver.open = port->kind->open;
	port->started_ns = now_ns();
	port->condemned = port->recycled = false;
	r = child_start(&port->driver, &monitor->loop, argv, (int[]){ pair[1], reader_fd });
	if (r == 0) {
		port->told = 0;
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

static void list_port(struct port *port)
{
	struct spawn_msg msg = { .kind = SPAWN_READER_ADD, .reader = port->key };

	if (port->listed)
		return;
	port->listed = true;
	memcpy(msg.name, port->name, sizeof(msg.name));
	monitor_tell(port->monitor, &msg, -1);
}

static void unlist_port(struct port *port)
{
	struct spawn_msg msg = { .kind = SPAWN_READER_GONE, .reader = port->key };

	port->failures = port->tries = port->told = 0;
	port->faulty = false;
	if (!port->listed)
		return;
	port->listed = false;
	monitor_tell(port->monitor, &msg, -1);
}

/* Why nobody serves it. */
static void tell_state(struct port *port, enum kf_reader_state state)
{
	struct spawn_msg msg = { .kind = SPAWN_READER_STATE, .reader = port->key, .state = state };

	list_port(port);
	if (port->told != state)
		monitor_tell(port->monitor, &msg, -1);
	port->told = state;
}

static void do_start(struct port *port, int fd)
{
	int r;

	list_port(port);
	port->tries = 0;
	r = start_driver(port, fd);
	if (r == 0)
		return;
	monitor_say("reader %s: no driver process: %s", port->name, strerror(-r));
	port->failures++;
	port_happens(port, PORT_FAILED, -1);
}

static void do_wait(struct port *port, enum port_event event)
{
	list_port(port);
	if (event == PORT_HELD) {
		tell_state(port, KF_READER_BUSY);
		arm(port, doubled(HELD_MS, port->tries++, HELD_MAX_MS));
	} else if (port->tries < DENIED_TRIES) {
		arm(port, denied_ms[port->tries++]);
	} else {
		port_complain(port, port->error);
		tell_state(port, KF_READER_NO_ACCESS);
	}
}

static void do_bar(struct port *port)
{
	if (port->shut_until_ns) {
		tell_state(port, KF_READER_QUARANTINED);
		arm_at(port, port->shut_until_ns);
	} else {
		tell_state(port, KF_READER_REFUSED);
	}
}

static void do_end(struct port *port)
{
	unlist_port(port);		/* the broker hangs up, and an honest driver goes */
	if (child_runs(&port->driver))
		arm(port, HANG_UP_MS);
	else
		port_free(port);
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
	case PORT_DO_START:
		do_start(port, fd);
		return;
	case PORT_DO_TRY:
		port_try(port);
		return;
	case PORT_DO_PAUSE:
		arm(port, doubled(PAUSE_MS, port->failures - 1, PAUSE_MAX_MS));
		return;
	case PORT_DO_WAIT:
		do_wait(port, event);
		return;
	case PORT_DO_BAR:
		do_bar(port);
		return;
	case PORT_DO_REMOVE:
		unlist_port(port);
		return;
	case PORT_DO_END:
		do_end(port);
		return;
	case PORT_DO_FREE:
		unlist_port(port);
		port_free(port);
		return;
	}
}

void port_leave(struct port *port)
{
	port_happens(port, PORT_LEFT, -1);
}

void port_recycle(struct port *port)
{
	if (port->state != PORT_RUNNING || !child_runs(&port->driver))
		return;
	port->recycled = true;
	child_kill(&port->driver);
}

void port_shut(struct port *port, uint64_t until_ns)
{
	port->shut_until_ns = until_ns;
	port_happens(port, PORT_SHUT, -1);
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

int port_new(struct monitor *monitor, const struct port_kind *kind, struct port **out)
{
	struct port *port;

	if (monitor->n_ports >= MONITOR_PORTS)
		return -ENOSPC;
	port = calloc(1, sizeof(*port));
	if (!port)
		return -ENOMEM;
	port->kind = kind;
	port->monitor = monitor;
	port->key = ++monitor->last_key;
	port->driver = CHILD_INIT;
	port->timer.fn = port_timer;
	list_push(&monitor->ports, &port->link);
	monitor->n_ports++;
	*out = port;
	return 0;
}

struct port *port_free(struct port *port)
{
	if (!port)
		return NULL;
	list_drop(&port->link);
	port->monitor->n_ports--;
	timer_disarm(&port->monitor->loop, &port->timer);
	child_deinit(&port->driver);
	port->kind->deinit(port);
	bus_room(&port->monitor->bus);
	free(port);
	return NULL;
}
