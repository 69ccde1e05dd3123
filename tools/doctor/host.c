/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/doctor/host.h"

#include "base/cleanup.h"
#include "tools/doctor/accounts.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define RULE	"-keyferry.rules"
#define OWNER	"keyferry-dev"

static inline void closedirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

/* Where a name below the root is. Ends in nothing that exists when it is too long. */
static const char *at(const struct host *host, const char *path, char out[static PATH_MAX])
{
	if (snprintf(out, PATH_MAX, "%s%s", host->root, path) >= PATH_MAX)
		out[0] = '\0';
	return out;
}

static DIR *open_dir(const struct host *host, const char *path)
{
	char full[PATH_MAX];

	return opendir(at(host, path, full));
}

int host_attribute(const char *root, const char *path, char *out, size_t cap)
{
	_cleanup_(fd_closep) int fd = -1;
	char full[PATH_MAX];
	ssize_t n;

	if (snprintf(full, sizeof(full), "%s%s", root, path) >= (int)sizeof(full))
		return -ENAMETOOLONG;
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, out, cap - 1);
	if (n < 0)
		return -errno;
	out[n] = '\0';
	out[strcspn(out, "\n")] = '\0';
	for (char *c = out; *c; c++)
		if (!isprint((unsigned char)*c))
			*c = '?';		/* a device wrote it */
	return 0;
}

static void check_usb(const struct host *host, struct ledger *ledger)
{
	char path[PATH_MAX];
	size_t n = 0;

	if (access(at(host, "/sys/bus/usb/devices", path), F_OK) < 0) {
		ledger_add(ledger, "kernel USB", VERDICT_FAIL,
			   "load it (modprobe usbcore xhci-pci), or in a container ask whoever runs "
			   "the host for the devices; virtual readers work without",
			   "this kernel shows no USB: %s is not there", path);
		return;
	}
	if (access(at(host, "/dev/bus/usb", path), F_OK) < 0) {
		ledger_add(ledger, "kernel USB", VERDICT_FAIL,
			   "udevadm trigger --subsystem-match=usb; in a container: hand /dev/bus/usb in",
			   "usbfs is missing: %s is not there, so no program can reach a USB device",
			   path);
		return;
	}
	_cleanup_(closedirp) DIR *dir = open_dir(host, "/sys/bus/usb/devices");
	for (struct dirent *d = dir ? readdir(dir) : NULL; d; d = readdir(dir))
		n += d->d_name[0] != '.' && !strchr(d->d_name, ':');
	ledger_add(ledger, "kernel USB", VERDICT_OK, NULL, "usbfs is there, %zu devices", n);
}

static void check_uevents(struct ledger *ledger)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	_cleanup_(fd_closep) int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC,
					     NETLINK_KOBJECT_UEVENT);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		ledger_add(ledger, "uevents", VERDICT_FAIL,
			   "allow AF_NETLINK to this process (RestrictAddressFamilies=, seccomp)",
			   "the kernel's events cannot be heard (%s): plugging in would go unnoticed",
			   strerror(errno));
	else
		ledger_add(ledger, "uevents", VERDICT_OK, NULL, "the kernel's events can be heard");
}

/* The first folder in udev's order that has our rule decides [udev(7)]. */
static bool find_rule(const struct host *host, char out[static PATH_MAX])
{
	static const char *const folders[] = {
		"/etc/udev/rules.d", "/run/udev/rules.d", "/usr/local/lib/udev/rules.d",
		"/usr/lib/udev/rules.d", "/lib/udev/rules.d",
	};

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		_cleanup_(closedirp) DIR *dir = open_dir(host, folders[i]);

		for (struct dirent *d = dir ? readdir(dir) : NULL; d; d = readdir(dir)) {
			size_t n = strlen(d->d_name);

			if (n < sizeof(RULE) || strcmp(d->d_name + n - sizeof(RULE) + 1, RULE) != 0)
				continue;
			if (snprintf(out, PATH_MAX, "%s%s/%s", host->root, folders[i], d->d_name) <
			    PATH_MAX)
				return true;
		}
	}
	return false;
}

static void check_rule(const struct host *host, struct ledger *ledger)
{
	char path[PATH_MAX];
	struct stat st;

	if (!find_rule(host, path))
		ledger_add(ledger, "udev rule", VERDICT_FAIL,
			   "make install, then udevadm control --reload and udevadm trigger",
			   "no *" RULE " in udev's folders: readers would not be given to us");
	else if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		ledger_add(ledger, "udev rule", VERDICT_FAIL,
			   "remove that file, then udevadm control --reload and udevadm trigger",
			   "%s is empty, which switches the rule off", path);
	else
		ledger_add(ledger, "udev rule", VERDICT_OK, NULL, "%s", path);
}

static int read_number(const struct host *host, const char *device, const char *name, int base,
		       unsigned long *out)
{
	char path[PATH_MAX], text[32], *end;

	if (snprintf(path, sizeof(path), "/sys/bus/usb/devices/%s/%s", device, name) >=
	    (int)sizeof(path) || host_attribute(host->root, path, text, sizeof(text)) < 0)
		return -ENOENT;
	errno = 0;
	*out = strtoul(text, &end, base);
	return errno == 0 && end != text && *end == '\0' ? 0 : -EINVAL;
}

/* @interface: "1-2:1.0" */
static int read_reader(const struct host *host, const char *interface, struct host_reader *out)
{
	unsigned long class, protocol, vendor, product, bus, device;
	char parent[NAME_MAX + 1], path[PATH_MAX];

	if (read_number(host, interface, "bInterfaceClass", 16, &class) < 0 || class != 0x0b ||
	    read_number(host, interface, "bInterfaceProtocol", 16, &protocol) < 0)
		return -ENOENT;
	(void)snprintf(parent, sizeof(parent), "%.*s", (int)strcspn(interface, ":"), interface);
	if (read_number(host, parent, "idVendor", 16, &vendor) < 0 ||
	    read_number(host, parent, "idProduct", 16, &product) < 0 ||
	    read_number(host, parent, "busnum", 10, &bus) < 0 ||
	    read_number(host, parent, "devnum", 10, &device) < 0)
		return -ENOENT;
	*out = (struct host_reader){ .vendor = (uint16_t)vendor, .product = (uint16_t)product,
				     .protocol = (uint8_t)protocol };
	(void)snprintf(out->node, sizeof(out->node), "/dev/bus/usb/%03lu/%03lu", bus, device);
	if (snprintf(path, sizeof(path), "/sys/bus/usb/devices/%s/serial", parent) <
	    (int)sizeof(path))
		(void)host_attribute(host->root, path, out->serial, sizeof(out->serial));
	return 0;
}

static void find_readers(struct host *host)
{
	_cleanup_(closedirp) DIR *dir = open_dir(host, "/sys/bus/usb/devices");

	for (struct dirent *d = dir ? readdir(dir) : NULL; d; d = readdir(dir))
		if (strchr(d->d_name, ':') && host->n_readers < HOST_READERS &&
		    read_reader(host, d->d_name, &host->readers[host->n_readers]) == 0)
			host->n_readers++;
}

static void check_node(const struct host *host, const struct host_reader *reader,
		       struct ledger *ledger)
{
	static const char next[] = "udevadm trigger --action=add --subsystem-match=usb; if that does "
				   "not help, another rule comes after ours: udevadm test shows which";
	char path[PATH_MAX];
	struct stat st;
	uid_t owner;

	if (reader->protocol != 0)
		ledger_add(ledger, "nodes", VERDICT_WARN, "use a reader of the CCID class",
			   "%04x:%04x is an ICCD device, which keyferry does not serve",
			   reader->vendor, reader->product);
	else if (stat(at(host, reader->node, path), &st) < 0)
		ledger_add(ledger, "nodes", VERDICT_FAIL, next, "%04x:%04x: %s: %s",
			   reader->vendor, reader->product, reader->node, strerror(errno));
	else if (accounts_user(host->root, OWNER, &owner) < 0)
		ledger_add(ledger, "nodes", VERDICT_FAIL, "systemd-sysusers",
			   "there is no user " OWNER ", to whom the readers should belong");
	else if (st.st_uid != owner || (st.st_mode & 0600) != 0600)
		ledger_add(ledger, "nodes", VERDICT_FAIL, next,
			   "%04x:%04x: %s has mode %04o and belongs to uid %u, not to " OWNER,
			   reader->vendor, reader->product, reader->node, st.st_mode & 07777,
			   st.st_uid);
	else if (st.st_mode & 0066)
		ledger_add(ledger, "nodes", VERDICT_WARN, next,
			   "%04x:%04x: %s has mode %04o: others reach the reader past the broker",
			   reader->vendor, reader->product, reader->node, st.st_mode & 07777);
	else
		ledger_add(ledger, "nodes", VERDICT_OK, NULL, "%04x:%04x: %s belongs to " OWNER,
			   reader->vendor, reader->product, reader->node);
}

static void check_nodes(struct host *host, struct ledger *ledger)
{
	find_readers(host);
	if (host->n_readers == 0)
		ledger_add(ledger, "nodes", VERDICT_SKIPPED, NULL, "no USB reader is plugged in");
	for (size_t i = 0; i < host->n_readers; i++)
		check_node(host, &host->readers[i], ledger);
}

/* The unit a process belongs to: the last part of its control group. */
static void unit_of(const char *pid, char *out, size_t cap)
{
	char path[PATH_MAX], text[512];
	const char *slash;

	(void)snprintf(path, sizeof(path), "/proc/%s/cgroup", pid);
	out[0] = '\0';
	if (host_attribute("", path, text, sizeof(text)) < 0)
		return;
	slash = strrchr(text, '/');
	if (slash && strchr(slash, '.'))
		(void)snprintf(out, cap, ", unit %s", slash + 1);
}

static bool has_open(const char *pid, const struct stat *node)
{
	char path[PATH_MAX];
	struct stat st;
	DIR *dir;
	bool found = false;

	(void)snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	for (struct dirent *d = dir ? readdir(dir) : NULL; d && !found; d = readdir(dir))
		found = fstatat(dirfd(dir), d->d_name, &st, 0) == 0 &&
			st.st_dev == node->st_dev && st.st_ino == node->st_ino;
	closedirp(&dir);
	return found;
}

static bool is_ours(const char *name)
{
	return strcmp(name, "keyferryd") == 0 || strncmp(name, "keyferry-", 9) == 0;
}

static void tell_holder(const struct host_reader *reader, const char *pid, const char *name,
			struct ledger *ledger)
{
	char unit[256];

	unit_of(pid, unit, sizeof(unit));
	ledger_add(ledger, "holders", VERDICT_FAIL, strcmp(name, "pcscd") == 0 ?
		   "leave it to pcscd by a 'leave' line in keyferryd.conf, or stop that: systemctl "
		   "disable --now pcscd.socket pcscd.service (1.9.9 does not know PCSCLITE_IGNORE)" :
		   "end that program, or leave the reader to it by a 'leave' line in keyferryd.conf",
		   "%04x:%04x is held by %s, pid %s%s", reader->vendor, reader->product, name, pid,
		   unit);
}

/* Return: whether anybody but us has it open. */
static bool check_holder(const struct host *host, const struct host_reader *reader,
			 struct ledger *ledger)
{
	_cleanup_(closedirp) DIR *proc = opendir("/proc");
	char path[PATH_MAX], name[64];
	struct stat node;
	bool held = false;

	if (stat(at(host, reader->node, path), &node) < 0)
		return false;
	for (struct dirent *d = proc ? readdir(proc) : NULL; d; d = readdir(proc)) {
		if (!isdigit((unsigned char)d->d_name[0]) || !has_open(d->d_name, &node))
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%s/comm", d->d_name);
		if (host_attribute("", path, name, sizeof(name)) < 0 || is_ours(name))
			continue;
		held = true;
		tell_holder(reader, d->d_name, name, ledger);
	}
	return held;
}

static void check_holders(const struct host *host, struct ledger *ledger)
{
	bool held = false;

	if (host->n_readers == 0)
		return;
	if (geteuid() != 0) {
		ledger_add(ledger, "holders", VERDICT_SKIPPED, "sudo keyferry doctor",
			   "only root sees who else has a reader open");
		return;
	}
	for (size_t i = 0; i < host->n_readers; i++)
		held |= check_holder(host, &host->readers[i], ledger);
	if (!held)
		ledger_add(ledger, "holders", VERDICT_OK, NULL, "no other program has a reader open");
}

void host_check(struct host *host, struct ledger *ledger)
{
	host->n_readers = 0;
	check_usb(host, ledger);
	check_uevents(ledger);
	check_rule(host, ledger);
	check_nodes(host, ledger);
	check_holders(host, ledger);
}
