/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/port.h - A place where a reader may be: today the path of a virtual reader's
 * socket, and a USB port beside it later. While a reader is there it has one driver process at a
 * time; each gets a fresh connection.
 *
 *	         socket answers               driver ended, socket still answers
 *	ABSENT ------------------> RUNNING ----------------------------------------.
 *	  ^  ^                        ^ |  driver ended too soon or badly          |
 *	  |  |                        | '----------------------> PAUSING           |
 *	  |  |                        |  pause over, socket answers |              |
 *	  |  |                        '-----------------------------'<-------------'
 *	  |  '------------------------------------------------------'
 *	  |      pause over or driver ended, nobody answers: the reader is gone
 *	  '-- for a moment after the socket appeared it is tried again (bind comes before listen)
 */
#pragma once

#include "daemon/monitor/child.h"
#include "daemon/monitor/vpath.h"
#include "daemon/shared/spawn.h"

#include <stdbool.h>

enum port_state { PORT_ABSENT, PORT_RUNNING, PORT_PAUSING, PORT_STATES };
enum port_event { PORT_ANSWERED, PORT_NO_ANSWER, PORT_ENDED, PORT_FAILED, PORT_EVENTS };
enum port_do { PORT_DO_NOTHING, PORT_DO_ADD, PORT_DO_START, PORT_DO_TRY, PORT_DO_PAUSE, PORT_DO_REMOVE };

struct port_step {
	enum port_state from;
	enum port_event event;
	enum port_state to;
	enum port_do action;
};

const struct port_step *port_step(enum port_state state, enum port_event event);

struct monitor;

struct port {
	struct monitor *monitor;
	struct vpath path;
	char name[KF_NAME_MAX];
	uint32_t key;
	enum port_state state;
	int dir_fd, watch;		/* inotify watch of the directory */
	struct child driver;
	uint32_t instance, restarts;
	bool condemned;			/* the driver misbehaved: however it ends, it failed */
	uint32_t failures;		/* in a row; the pause doubles with each */
	uint32_t tries;			/* left, after the socket appeared */
	uint64_t started_ns;
	struct timer timer;
	int last_error;			/* of the last attempt; told once when it changes */
};

/* Return: 0; negative after a line on standard error. */
int port_init(struct port *port, struct monitor *monitor, uint32_t key, const char *path);
/* The directory changed; or just look. */
void port_look(struct port *port);
/* The broker has given this driver up. */
void port_kill(struct port *port, uint32_t instance);
/* It closed its link, which an honest one does by ending: it gets a moment to do so. */
void port_hung_up(struct port *port, uint32_t instance);
void port_deinit(struct port *port);
