/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/bus.c - Leave, arrive, try again; in that order, so that a device that was replugged
 * at the same port is a departure and an arrival under the same name.
 */
#include "daemon/monitor/bus.h"

#include "base/list.h"
#include "daemon/monitor/monitor.h"

#include <errno.h>
#include <string.h>

#define SLOW_MS		100	/* doubled up to ... */
#define SLOW_MAX_MS	10000
#define REFUSAL_MS	60000

static struct bus_slow *slow_find(struct bus *bus, const struct usb_reader *usb)
{
	char path[USB_PATH];

	usb_port(usb, path);
	for (size_t i = 0; i < BUS_SLOW; i++)
		if (strcmp(bus->slow[i].path, path) == 0)
			return &bus->slow[i];
	return NULL;
}

static struct bus_slow *slow_make(struct bus *bus, const struct usb_reader *usb)
{
	struct bus_slow *slow = &bus->slow[0];

	for (size_t i = 1; i < BUS_SLOW; i++)
		if (bus->slow[i].again_ns < slow->again_ns)
			slow = &bus->slow[i];
	*slow = (struct bus_slow){ .pause_ms = SLOW_MS / 2 };
	usb_port(usb, slow->path);
	return slow;
}

static void look_again(struct bus *bus, uint64_t at_ns)
{
	if (bus->again.place && bus->again.at_ns <= at_ns)
		return;
	if (timer_arm(&bus->monitor->loop, &bus->again, at_ns) < 0)
		loop_stop(&bus->monitor->loop, 1);
}

/* Return: 0; -EAGAIN: it is not to be asked now, or did not answer; others: it is gone. */
static int name_reader(struct bus *bus, struct usb_reader *usb, char *name)
{
	struct bus_slow *slow = slow_find(bus, usb);
	uint64_t now = now_ns();
	int r = -EAGAIN;

	if (!slow || slow->again_ns <= now)
		r = usb_name(usb, name);
	if (r != -EAGAIN) {
		if (slow)
			*slow = (struct bus_slow){ 0 };
		return r;
	}
	if (!slow)
		slow = slow_make(bus, usb);
	if (slow->again_ns <= now) {
		slow->pause_ms = 2 * slow->pause_ms < SLOW_MAX_MS ? 2 * slow->pause_ms : SLOW_MAX_MS;
		slow->again_ns = now_ns() + ms_to_ns(slow->pause_ms);
	}
	look_again(bus, slow->again_ns);
	return r;
}

static bool is_known(const struct monitor *monitor, const struct usb_reader *usb)
{
	const struct port *port;

	list_each(port, &monitor->ports, link)
		if (port_is_usb(port) && port->state != PORT_LEAVING &&
		    strcmp(port->usb.path, usb->path) == 0)
			return true;
	return false;
}

/*
 * Whether the configuration leaves it to us. Nothing is asked of the device: one that serves would be
 * given up, and one that is to be left taken, because it is slow to say its serial number just now.
 */
static bool is_ours(const struct bus *bus, const struct usb_reader *usb, const char *name)
{
	const struct conf *conf = &bus->monitor->conf;
	char port[USB_PATH];
	struct conf_reader reader = { .name = name, .port = port, .serial = usb->serial,
				      .vendor = usb->vendor, .product = usb->product };

	if (conf->n_take == 0 && conf->n_leave == 0)
		return true;
	usb_port(usb, port);
	return conf_takes(conf, &reader);
}

/* Said once a minute at most: whoever can plug can plug often. */
static void refuse(struct bus *bus, const struct usb_reader *usb)
{
	uint64_t now = now_ns();

	if (!bus->full && (!bus->said_ns || now - bus->said_ns > ms_to_ns(REFUSAL_MS))) {
		monitor_say("there are more than %d readers: %s and what follows it are left alone",
			    MONITOR_PORTS, usb->path);
		bus->said_ns = now;
	}
	bus->full = true;
}

static void arrived(struct usb_reader *usb, void *data)
{
	struct bus *bus = data;
	struct monitor *monitor = bus->monitor;
	char name[KF_NAME_MAX];
	int r;

	if (is_known(monitor, usb))
		return;
	if (monitor->n_ports >= MONITOR_PORTS) {
		refuse(bus, usb);
		return;
	}
	if (name_reader(bus, usb, name) < 0 || !is_ours(bus, usb, name))
		return;
	r = port_new_usb(monitor, usb, name);
	if (r < 0)
		monitor_say("reader %s not attached: %s", name, strerror(-r));
}

void bus_look(struct bus *bus)
{
	struct monitor *monitor = bus->monitor;
	struct port *port, *next;
	int r;

	list_each_safe(port, next, &monitor->ports, link)
		if (port_is_usb(port) && port->state != PORT_LEAVING &&
		    (!usb_alive(&port->usb) || !is_ours(bus, &port->usb, port->name)))
			port_leave(port);
	r = usb_list(monitor->config->usb, arrived, bus);
	if (r < 0 && r != -ENOENT)
		monitor_say("cannot look for USB readers: %s", strerror(-r));
	list_each_safe(port, next, &monitor->ports, link)
		if (port_is_usb(port) && port->state == PORT_WAITING)
			port_look(port);
}

static void on_again(struct timer *timer)
{
	bus_look(list_entry(timer, struct bus, again));
}

static void on_change(struct hotplug *hotplug)
{
	bus_look(list_entry(hotplug, struct bus, hotplug));
}

void bus_room(struct bus *bus)
{
	if (!bus->monitor || !bus->full || bus->monitor->ending)
		return;
	bus->full = false;
	look_again(bus, now_ns());
}

int bus_init(struct bus *bus, struct monitor *monitor)
{
	int r;

	*bus = (struct bus){ .again = { .fn = on_again }, .hotplug = HOTPLUG_INIT };
	r = hotplug_init(&bus->hotplug, &monitor->loop, on_change);
	if (r < 0)
		monitor_say("cannot hear of USB devices (NETLINK_KOBJECT_UEVENT): %s; the service "
			    "needs AF_NETLINK", strerror(-r));
	else
		bus->monitor = monitor;
	return r;
}

void bus_deinit(struct bus *bus)
{
	if (!bus->monitor)
		return;
	timer_disarm(&bus->monitor->loop, &bus->again);
	hotplug_deinit(&bus->hotplug);
	bus->monitor = NULL;
}
