/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/port_usb.c - A USB reader as a port. That it is there is sysfs's word (bus.c); here
 * it is only asked whether its node can be opened, without opening it: that waits for the device.
 */
#include "daemon/monitor/monitor.h"
#include "daemon/monitor/port.h"

#include "base/cleanup.h"

#include <string.h>

static int usb_reach(struct port *port, int *fd)
{
	*fd = -1;
	if (usb_held(&port->usb))
		return -EBUSY;
	return usb_node(&port->usb, port->monitor->config->usb);
}

static int usb_open_node(struct child *driver)
{
	struct port *port = list_entry(driver, struct port, driver);

	return usb_open(&port->usb, port->monitor->config->usb);
}

static void usb_complain(const struct port *port, int error)
{
	const struct usb_reader *usb = &port->usb;
	const char *dev = port->monitor->config->usb->dev;

	if (error == -EACCES || error == -EPERM)
		monitor_say("reader %s not attached: %s/bus/usb/%03u/%03u is not ours to open; the "
			    "udev rule gives it to the user keyferry-dev", port->name, dev, usb->bus,
			    usb->number);
	else
		monitor_say("reader %s not attached: %s/bus/usb/%03u/%03u: %s", port->name, dev,
			    usb->bus, usb->number, strerror(-error));
}

static void usb_leave(struct port *port)
{
	usb_deinit(&port->usb);
}

static const struct port_kind usb_kind = {
	.transport = "usb", .warded = true, .unreached = PORT_DENIED,
	.reach = usb_reach, .open = usb_open_node, .complain = usb_complain, .deinit = usb_leave,
};

int port_new_usb(struct monitor *monitor, struct usb_reader *usb, const char *name)
{
	struct port *port;
	char shut[USB_PATH];
	uint64_t until;
	int r = port_new(monitor, &usb_kind, &port);

	if (r < 0)
		return r;
	port->usb = *usb;
	usb->dir = -1;
	memcpy(port->name, name, sizeof(port->name));
	usb_port(&port->usb, shut);
	until = ward_shut(&monitor->ward, shut, now_ns());
	if (until)
		port_shut(port, until);
	else
		port_look(port);
	return 0;
}
