/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/bus.h - USB as the monitor sees it: keeps the ports in step with what sysfs shows.
 * Start, hotplug and lost messages are one and the same: look at all of it, and make it so. That
 * is idempotent, so it does not matter what a message said, or how often.
 */
#pragma once

#include "daemon/monitor/hotplug.h"
#include "daemon/monitor/usb.h"
#include "daemon/shared/loop.h"

#define BUS_SLOW 16

struct monitor;

/* A device that kept us waiting for its texts, and gets ever fewer chances to. */
struct bus_slow {
	char path[USB_PATH];
	uint32_t pause_ms;
	uint64_t again_ns;
};

/**
 * struct bus - all USB readers
 * @again:	a look that is due without a message
 * @full:	there are more readers than places
 * @said_ns:	when that was said
 * @slow:	the least patient place is reused
 */
struct bus {
	struct monitor *monitor;	/* NULL: no USB readers are wanted */
	struct hotplug hotplug;
	struct timer again;
	bool full;
	uint64_t said_ns;
	struct bus_slow slow[BUS_SLOW];
};

/* Return: 0; negative after a line on standard error. */
int bus_init(struct bus *bus, struct monitor *monitor);
void bus_look(struct bus *bus);
/* A port was freed. */
void bus_room(struct bus *bus);
void bus_deinit(struct bus *bus);
