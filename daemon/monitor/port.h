/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/port.h - A place where a reader may be: the path of a virtual reader's socket, or
 * an interface of a USB device. While a reader is there it has one driver process at a time; each
 * gets a fresh connection.
 *
 *	         it answers                   driver ended, it still answers
 *	ABSENT ------------------> RUNNING ----------------------------------------.
 *	  ^  ^                      ^ | |  driver ended too soon or badly          |
 *	  |  |                      | | '----------------------> PAUSING           |
 *	  |  |                      | |  pause over, it answers     |              |
 *	  |  |                      '-------------------------------'<-------------'
 *	  |  '--------------------------------------------------------'
 *	  |      pause over or driver ended, nobody answers: the reader is gone
 *	  '-- for a moment after the socket appeared it is tried again (bind comes before listen)
 *
 *	WAITING: it is there and cannot be had, since another program has it or its node is not ours;
 *		 tried again after ever longer pauses, and whenever something happens on the bus
 *	BARRED:	 it broke too many drivers, or no driver can ever serve it
 *	LEAVING: unplugged, or no longer wanted; ends with its driver
 *
 * In PAUSING, WAITING and BARRED clients see the reader without a driver, and why.
 */
#pragma once

#include "base/list.h"
#include "daemon/monitor/child.h"
#include "daemon/monitor/usb.h"
#include "daemon/monitor/vpath.h"
#include "daemon/shared/spawn.h"

#include <stdbool.h>

enum port_state {
	PORT_ABSENT, PORT_RUNNING, PORT_PAUSING, PORT_WAITING, PORT_BARRED, PORT_LEAVING, PORT_STATES,
};
enum port_event {
	PORT_ANSWERED,		/* it can be had */
	PORT_NO_ANSWER,		/* there is none */
	PORT_DENIED,		/* there is one, but its node is missing or not ours to open */
	PORT_HELD,		/* another program has it */
	PORT_ENDED,		/* its driver ended as it should */
	PORT_FAILED,		/* its driver ended otherwise */
	PORT_SHUT,		/* the ward has closed its port, or its driver refuses it for good */
	PORT_LEFT,		/* it was unplugged, or is no longer wanted */
	PORT_EVENTS,
};
enum port_do {
	PORT_DO_NOTHING, PORT_DO_START, PORT_DO_TRY, PORT_DO_PAUSE, PORT_DO_WAIT, PORT_DO_BAR,
	PORT_DO_REMOVE, PORT_DO_END, PORT_DO_FREE,
};

struct port_step {
	enum port_state from;
	enum port_event event;
	enum port_state to;
	enum port_do action;
};

const struct port_step *port_step(enum port_state state, enum port_event event);

struct monitor;
struct port;

/**
 * struct port_kind - what is different about virtual and USB readers
 * @transport:	the driver's --transport
 * @warded:	drivers it breaks are counted
 * @unreached:	what it means that reach() failed, unless it is -EBUSY
 * @reach:	whether it can be had now. *@fd: the connection, or -1 where @open makes it.
 *		Return: 0; -EBUSY: another has it; other errors as they come
 * @open:	in the driver's process, or NULL
 * @complain:	says what a person can mend
 * @deinit:	of what reach() rests on
 */
struct port_kind {
	const char *transport;
	bool warded;
	enum port_event unreached;
	int (*reach)(struct port *port, int *fd);
	int (*open)(struct child *driver);
	void (*complain)(const struct port *port, int error);
	void (*deinit)(struct port *port);
};

/**
 * struct port_virtual - a virtual reader
 * @watch:	of the directory of its socket or, while there is none, of the deepest on the way
 * @whole:	it is the former
 */
struct port_virtual {
	struct vpath path;
	int watch;
	bool whole;
};

struct port {
	const struct port_kind *kind;
	struct monitor *monitor;
	struct list link;		/* in the monitor's list */
	union {
		struct port_virtual virtual;
		struct usb_reader usb;
	};
	char name[KF_NAME_MAX];
	uint32_t key;
	enum port_state state;
	bool listed;			/* the broker knows it ... */
	uint32_t told;			/* ... and why it has no driver; 0: it was not told */
	struct child driver;
	uint32_t instance, restarts;
	bool condemned;			/* the driver misbehaved: however it ends, it failed */
	bool recycled;			/* it was ended by us, for no fault of its own */
	bool faulty;			/* it broke, which counts if its reader is still there later */
	int status;			/* how it broke, as of waitpid(2) */
	uint32_t failures;		/* in a row; the pause doubles with each */
	uint32_t tries;			/* since it last answered or something happened */
	uint64_t started_ns;
	uint64_t shut_until_ns;		/* BARRED: till then; 0: for good */
	struct timer timer;
	int error;			/* of the last attempt to have it */
	int last_error;			/* told last; each change is told once */
};

/* The two kinds are made in port_virtual.c and port_usb.c by this. Return: 0 or -ENOSPC, -ENOMEM. */
int port_new(struct monitor *monitor, const struct port_kind *kind, struct port **out);

/* Return: 0; negative after a line on standard error. */
int port_new_virtual(struct monitor *monitor, const char *path);
/* Takes over usb->dir on success. Return: 0, -ENOSPC, -ENOMEM. */
int port_new_usb(struct monitor *monitor, struct usb_reader *usb, const char *name);

/* It is the virtual reader with its socket at @path, and is to stay. */
bool port_is_at(const struct port *port, const char *path);

static inline bool port_is_usb(const struct port *port)
{
	return port->kind->open;
}

/* Something changed where it is; or just look. */
void port_look(struct port *port);
/* The inotify watch @wd of directories saw something. */
void port_watch(struct port *port, int wd, uint32_t mask);
/* It was unplugged, or is no longer wanted. Frees it, now or when its driver has ended. */
void port_leave(struct port *port);
/* No driver until @until_ns; before it had one. */
void port_shut(struct port *port, uint64_t until_ns);
/* Its card lost power while the system slept: a fresh driver switches it off and on. */
void port_recycle(struct port *port);
/* The broker has given this driver up. */
void port_kill(struct port *port, uint32_t instance);
/* It closed its link, which an honest one does by ending: it gets a moment to do so. */
void port_hung_up(struct port *port, uint32_t instance);
/* At once: kills and waits. */
struct port *port_free(struct port *port);
