/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/monitor.h - keyferryd: makes the listening socket, starts the broker, and starts a
 * driver for each reader it finds. It parses nothing that a client or a device sent.
 */
#pragma once

#include "base/list.h"
#include "daemon/monitor/bus.h"
#include "daemon/monitor/child.h"
#include "daemon/monitor/conf.h"
#include "daemon/monitor/nap.h"
#include "daemon/monitor/port.h"
#include "daemon/monitor/ward.h"
#include "daemon/shared/loop.h"
#include "daemon/shared/spawn.h"

#include <limits.h>
#include <sys/types.h>

#define MONITOR_PORTS 64	/* readers, leaving ones included */

/**
 * struct config - the command line
 * @virtuals:	sockets of virtual readers, besides those of the file
 * @virtual_uid: whose sockets are trusted besides root's and ours; (uid_t)-1: nobody's
 * @usb:	where USB readers are looked for; NULL: nowhere
 * @join:	the socket where a broker waits for us; NULL: we start one, in development
 * @conf_path:	the configuration file; NULL: none
 * @conf:	what it said at start
 * @ready_fd:	gets one byte and is closed when clients are served; -1: none
 * @policy:	rules and limits of the command line
 */
struct config {
	const char *socket;
	const char *join;
	const char *conf_path;
	struct conf conf;
	const char *driver, *broker;
	const char *virtuals[MONITOR_PORTS];
	size_t n_virtuals;
	uid_t virtual_uid;
	const struct usb_roots *usb;
	int ready_fd;
	struct spawn_msg policy;
};

struct monitor {
	const struct config *config;
	struct loop loop;
	struct source signals, inotify, link;
	struct child broker;
	struct list ports;
	size_t n_ports;
	uint32_t last_key;	/* given to a port, never twice */
	struct bus bus;
	struct nap nap;
	struct ward ward;
	char driver_path[PATH_MAX], broker_path[PATH_MAX];
	struct conf conf;	/* in force */
	uid_t virtual_uid;	/* likewise; the file's word goes before the command line's */
	uint32_t policy_version;
	uint32_t guards;	/* KF_GUARD_ of this process */
	bool listening;		/* the socket's name is ours to remove */
	bool ending;
};

int monitor_init(struct monitor *monitor, const struct config *config);
/* Return: exit status; what an orderly end is to a service manager that restarts us is 0. */
int monitor_run(struct monitor *monitor);
void monitor_deinit(struct monitor *monitor);

/* The configuration file, its errors told. Return: 0 or negative. */
int monitor_read_conf(const struct config *config, struct conf *out);

/* To the broker; one that does not listen ends us. */
void monitor_tell(struct monitor *monitor, const struct spawn_msg *msg, int fd);
void monitor_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
