/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/port_virtual.c - A virtual reader as a port. Its directory may go and come again
 * with another inode, and no watch survives that: so the whole way there is watched, and while a
 * part is missing the directory it is missing from.
 */
#include "daemon/monitor/monitor.h"
#include "daemon/monitor/port.h"

#include "base/cleanup.h"
#include "proto/packet.h"

#include <string.h>
#include <sys/inotify.h>

#define WATCH_SOCKET	(IN_CREATE | IN_MOVED_TO | IN_ATTRIB)
#define WATCH_ABOVE	(IN_CREATE | IN_MOVED_TO)
#define WATCH_SELF	(IN_DELETE_SELF | IN_MOVE_SELF)
#define WATCH_HOW	(IN_ONLYDIR | IN_MASK_ADD)
#define WATCH_ROUNDS	16	/* somebody may make and remove directories all the time */

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

/* That nobody is there, or somebody is busy, is not worth a line. */
static void virtual_complain(const struct port *port, int error)
{
	if (error != -ENOENT && error != -ECONNREFUSED && error != -EBUSY)
		monitor_say("reader %s not attached: %s/%s: %s", port->name, port->virtual.path.dir,
			    port->virtual.path.base, why(error));
}

/*
 * The way is walked and judged each time; a directory that were held open could not be seen to go.
 * A full backlog: its reader serves somebody else, or has not come to accepting yet.
 */
static int virtual_reach(struct port *port, int *fd)
{
	const struct vpath *path = &port->virtual.path;
	uid_t uid = port->monitor->virtual_uid;
	const char *where = "";
	_cleanup_(fd_closep) int dir = vpath_open_dir(path, uid, &where);

	if (dir < 0)
		return dir;
	*fd = vpath_connect(path, dir, uid);
	return *fd >= 0 ? 0 : *fd == -EAGAIN ? -EBUSY : *fd;
}

/* No other port's: the same directory has the same watch. */
static void forget_watch(struct port *port)
{
	const struct port *other;
	bool shared = false;

	list_each(other, &port->monitor->ports, link)
		shared |= other != port && !port_is_usb(other) &&
			  other->virtual.watch == port->virtual.watch;
	if (!shared && port->virtual.watch >= 0)
		(void)inotify_rm_watch(port->monitor->inotify.fd, port->virtual.watch);
	port->virtual.watch = -1;
}

static int watch(const struct port *port, const char *dir, uint32_t mask)
{
	int wd = inotify_add_watch(port->monitor->inotify.fd, dir, mask | WATCH_SELF | WATCH_HOW);

	return wd < 0 ? -errno : wd;
}

/*
 * All directories on the way are asked to say when they go; the last one that is there also says
 * what comes. @whole: the way is there. Return: the watch of the last one.
 */
static int walk_way(const struct port *port, bool *whole)
{
	const char *full = port->virtual.path.dir;
	char dir[PATH_MAX] = "/", deepest[PATH_MAX] = "/";
	size_t n = strspn(full, "/");

	while (watch(port, dir, 0) >= 0 && strlen(full) >= n) {
		memcpy(deepest, dir, sizeof(dir));
		if (full[n] == '\0')
			break;
		n += strcspn(full + n, "/");
		memcpy(dir, full, n);
		dir[n] = '\0';
		n += strspn(full + n, "/");
	}
	*whole = full[n] == '\0' && strcmp(dir, deepest) == 0;
	return watch(port, deepest, *whole ? WATCH_SOCKET : WATCH_ABOVE);
}

/*
 * Watches first and looks afterwards, so nothing is made unseen in between; only a longer way found
 * then asks for another walk.
 */
static int watch_way(struct port *port)
{
	struct port_virtual *virtual = &port->virtual;
	int wd = -1;

	for (int i = 0; i < WATCH_ROUNDS; i++) {
		wd = walk_way(port, &virtual->whole);
		if (wd < 0 || wd == virtual->watch)
			break;
		forget_watch(port);	/* with its word of going, which the next round gets back */
		virtual->watch = wd;
	}
	return wd < 0 ? wd : 0;
}

void port_watch(struct port *port, int wd, uint32_t mask)
{
	struct port_virtual *virtual = &port->virtual;
	bool gone = mask & (WATCH_SELF | IN_UNMOUNT | IN_Q_OVERFLOW);

	if (port_is_usb(port) || (wd != virtual->watch && !gone))
		return;
	if (gone || !virtual->whole)
		(void)watch_way(port);
	port_look(port);
}

static void virtual_deinit(struct port *port)
{
	forget_watch(port);
}

static const struct port_kind virtual_kind = {
	.transport = "socket", .unreached = PORT_NO_ANSWER,
	.reach = virtual_reach, .complain = virtual_complain, .deinit = virtual_deinit,
};

static bool name_taken(const struct port *port)
{
	const struct port *other;

	list_each(other, &port->monitor->ports, link)
		if (other != port && other->state != PORT_LEAVING &&
		    strcmp(other->name, port->name) == 0)
			return true;
	return false;
}

/* "virtual:" and the file name without ".sock"; a second one of the same name gets a number. */
static void name_port(struct port *port)
{
	char text[KF_NAME_MAX + NAME_MAX], stem[NAME_MAX + 1];
	size_t n = strlen(port->virtual.path.base);

	memcpy(stem, port->virtual.path.base, n + 1);
	if (n > 5 && strcmp(stem + n - 5, ".sock") == 0)
		stem[n - 5] = '\0';
	(void)snprintf(text, sizeof(text), "virtual:%.48s", stem);
	packet_set_string(port->name, text);
	for (int twin = 2; name_taken(port); twin++) {
		(void)snprintf(text, sizeof(text), "virtual:%.48s#%d", stem, twin);
		packet_set_string(port->name, text);
	}
}

static int virtual_init(struct port *port, const char *path)
{
	_cleanup_(fd_closep) int dir = -1;
	const char *where = "";
	int r;

	port->virtual.watch = -1;
	r = vpath_init(&port->virtual.path, path);
	if (r < 0) {
		monitor_say("--virtual %s: %s", path, r == -EINVAL ?
			    "not a path to a socket; give one without \"..\"" : strerror(-r));
		return r;
	}
	name_port(port);
	dir = vpath_open_dir(&port->virtual.path, port->monitor->virtual_uid, &where);
	if (dir < 0) {
		monitor_say("--virtual %s: directory \"%s\" on the way: %s", path, where,
			    dir == -EPERM ? "others could exchange what is below it; use a "
			    "directory that only its owner (root, this user or --virtual-uid) can "
			    "write to" : why(dir));
		return dir;
	}
	r = watch_way(port);
	if (r < 0)
		monitor_say("--virtual %s: cannot watch its directory: %s", path, strerror(-r));
	return r;
}

bool port_is_at(const struct port *port, const char *path)
{
	struct vpath vpath;

	return !port_is_usb(port) && port->state != PORT_LEAVING && vpath_init(&vpath, path) == 0 &&
	       strcmp(port->virtual.path.dir, vpath.dir) == 0 &&
	       strcmp(port->virtual.path.base, vpath.base) == 0;
}

int port_new_virtual(struct monitor *monitor, const char *path)
{
	struct port *port;
	int r = port_new(monitor, &virtual_kind, &port);

	if (r < 0) {
		monitor_say("--virtual %s: %s", path, r == -ENOSPC ? "too many readers" :
			    strerror(-r));
		return r;
	}
	r = virtual_init(port, path);
	if (r < 0)
		port_free(port);
	return r;
}
