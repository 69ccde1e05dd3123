/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/uevent.h - One message of the kernel about a device. It is a hint to look at sysfs
 * and nothing more: facts are read there, so a forged, late or repeated one can do no harm.
 */
#pragma once

#include "base/bytes.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#define UEVENT_MAX	8192	/* bytes of a message; the kernel's buffer has 2048 */
#define UEVENT_KEYS	64	/* as many as the kernel's table */
#define UEVENT_GROUP	1u	/* the kernel's; 2 is udev's */

/**
 * struct uevent - borrowed from the message
 * @action:	"add", "remove", "bind", ...
 * @devpath:	below /sys, begins with '/'
 * @subsystem:	"usb", ...
 */
struct uevent {
	struct bytes action, devpath, subsystem;
};

/* Return: 0 or -EBADMSG. */
int uevent_parse(struct bytes message, struct uevent *out);

/*
 * Whether it was the kernel: root can send to group 1 as well, and then the uid is right and the
 * pids are not. In a user namespace uid 0 would look different; our units have none.
 */
bool uevent_from_kernel(const struct sockaddr_nl *from, const struct ucred *cred);

static inline bool uevent_is_usb(const struct uevent *event)
{
	return bytes_equal(event->subsystem, BYTES("usb", 3));
}
