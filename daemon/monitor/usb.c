/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/usb.c - Reads what the kernel has made of a device's descriptors, never those. What
 * is read for each interface there is takes no lock; texts are read for new readers only.
 */
#include "daemon/monitor/usb.h"

#include "base/cleanup.h"
#include "daemon/monitor/sysfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/usbdevice_fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define CLASS_CCID	0x0b	/* [CCID 1.1 bInterfaceClass] */
#define CLASS_VENDOR	0xff
#define BUS_MAX		999
#define NUMBER_MAX	127	/* of a device on its bus */
#define SERIAL_KEPT	16	/* characters of it in a name */
#define SLOT_KEPT	10	/* the broker's, for " slot 12" behind the name */

/* libccid's rules name them; driver/ccid/quirks.c has the same ones. */
const struct usb_id usb_vendor_class[USB_VENDOR_CLASS] = {
	{ 0x046a, 0x003e }, { 0x04e6, 0x5111 }, { 0x04e6, 0x5120 }, { 0x04e6, 0x5121 },
	{ 0x04e6, 0xe003 }, { 0x08e6, 0x1359 }, { 0x08e6, 0xace0 }, { 0x09be, 0x0002 },
	{ 0x413c, 0x2100 },
};

static bool is_listed(uint32_t vendor, uint32_t product)
{
	for (size_t i = 0; i < USB_VENDOR_CLASS; i++)
		if (usb_vendor_class[i].vendor == vendor && usb_vendor_class[i].product == product)
			return true;
	return false;
}

/* Skips digits. Return: whether there was one. */
static bool number(const char **p)
{
	size_t n = strspn(*p, "0123456789");

	*p += n;
	return n > 0;
}

/* BUS-PORT[.PORT...]:CONFIGURATION.INTERFACE */
static int is_interface(const struct dirent *entry)
{
	const char *p = entry->d_name;

	if (strlen(p) >= USB_PATH || !number(&p) || *p++ != '-' || !number(&p))
		return 0;
	while (*p == '.')
		if (p++, !number(&p))
			return 0;
	return *p++ == ':' && number(&p) && *p++ == '.' && number(&p) && *p == '\0';
}

/* Below the device's directory the interface's has the same name as on the bus. */
static int interface_number(const struct usb_reader *usb, const char *attribute, int base,
			    uint32_t *out)
{
	char name[USB_PATH + 32];

	(void)snprintf(name, sizeof(name), "%s/%s", usb->path, attribute);
	return sysfs_number(usb->dir, name, base, 255, out);
}

static bool is_reader(const struct usb_reader *usb)
{
	uint32_t class;

	if (interface_number(usb, "bInterfaceClass", 16, &class) < 0)
		return false;
	return class == CLASS_CCID ||
	       (class == CLASS_VENDOR && is_listed(usb->vendor, usb->product));
}

static int open_device(const struct usb_roots *roots, struct usb_reader *usb)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/bus/usb/devices/%.*s", roots->sysfs,
			 (int)usb->port, usb->path);

	if (n < 0 || n >= (int)sizeof(path))
		return -ENAMETOOLONG;
	usb->dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return usb->dir < 0 ? -errno : 0;
}

/* Everything but texts. Return: 0, or why it is none or cannot be told now. */
static int look_at(const struct usb_roots *roots, const char *path, struct usb_reader *usb)
{
	uint32_t vendor = 0, product = 0, interface = 0;
	int r;

	*usb = USB_READER_INIT;
	memcpy(usb->path, path, strlen(path) + 1);
	usb->port = strcspn(path, ":");
	r = open_device(roots, usb);
	if (r == 0)
		r = sysfs_number(usb->dir, "idVendor", 16, UINT16_MAX, &vendor);
	if (r == 0)
		r = sysfs_number(usb->dir, "idProduct", 16, UINT16_MAX, &product);
	usb->vendor = (uint16_t)vendor;
	usb->product = (uint16_t)product;
	if (r == 0 && !is_reader(usb))
		return -EOPNOTSUPP;
	if (r == 0)
		r = sysfs_number(usb->dir, "busnum", 10, BUS_MAX, &usb->bus);
	if (r == 0)
		r = sysfs_number(usb->dir, "devnum", 10, NUMBER_MAX, &usb->number);
	if (r == 0)
		r = interface_number(usb, "bInterfaceNumber", 16, &interface);
	usb->interface = (uint8_t)interface;
	return r < 0 ? r : interface >= USB_INTERFACES || !usb->bus || !usb->number ? -ERANGE : 0;
}

int usb_list(const struct usb_roots *roots, void (*found)(struct usb_reader *usb, void *data),
	     void *data)
{
	struct dirent **entries = NULL;
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/bus/usb/devices", roots->sysfs);

	if (n < 0 || n >= (int)sizeof(path))
		return -ENAMETOOLONG;
	n = scandir(path, &entries, is_interface, versionsort);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		struct usb_reader usb;

		if (look_at(roots, entries[i]->d_name, &usb) == 0)
			found(&usb, data);
		usb_deinit(&usb);
		free(entries[i]);
	}
	free((void *)entries);
	return 0;
}

bool usb_alive(const struct usb_reader *usb)
{
	uint32_t bus, num;

	return sysfs_number(usb->dir, "busnum", 10, BUS_MAX, &bus) == 0 && bus == usb->bus &&
	       sysfs_number(usb->dir, "devnum", 10, NUMBER_MAX, &num) == 0 && num == usb->number &&
	       is_reader(usb);
}

bool usb_held(const struct usb_reader *usb)
{
	char name[USB_PATH + 8];

	(void)snprintf(name, sizeof(name), "%s/driver", usb->path);
	return faccessat(usb->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * Appends letters, digits, '.' and '_' of @text; one '-' for any run of other bytes between them,
 * none at the ends.
 */
static void append(char *out, size_t size, const char *text)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._";
	size_t n = strlen(out);

	while (*text) {
		size_t keep = strspn(text, good);

		if (keep > 0 && n > 0 && n + 1 < size)
			out[n++] = '-';
		for (size_t i = 0; i < keep && n + 1 < size; i++)
			out[n++] = text[i];
		text += keep;
		text += strcspn(text, good);
	}
	while (n > 0 && out[n - 1] == '-')
		n--;
	out[n] = '\0';
}

int usb_name(struct usb_reader *usb, char out[static KF_NAME_MAX])
{
	char vendor[USB_TEXT] = "", product[USB_TEXT] = "";
	char tail[SERIAL_KEPT + 1] = "";
	size_t room = KF_NAME_MAX - SLOT_KEPT - strlen(usb->path);
	int r = sysfs_text(usb->dir, "manufacturer", vendor, sizeof(vendor));

	if (r == 0)
		r = sysfs_text(usb->dir, "product", product, sizeof(product));
	if (r == 0)
		r = sysfs_text(usb->dir, "serial", usb->serial, sizeof(usb->serial));
	if (r < 0)
		return r;
	append(tail, sizeof(tail), usb->serial);
	memset(out, 0, KF_NAME_MAX);
	if (strncmp(product, vendor, strlen(vendor)) != 0)
		append(out, room - strlen(tail) - 1, vendor);
	append(out, room - strlen(tail) - 1, product);
	if (!out[0])
		(void)snprintf(out, room, "%04x.%04x", usb->vendor, usb->product);
	append(out, room, tail);
	(void)snprintf(out + strlen(out), KF_NAME_MAX - strlen(out), "@%s", usb->path);
	return 0;
}

static int node_path(const struct usb_reader *usb, const struct usb_roots *roots,
		     char out[static PATH_MAX])
{
	int n = snprintf(out, PATH_MAX, "%s/bus/usb/%03u/%03u", roots->dev, usb->bus, usb->number);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* [Linux usb_core]: 128 device nodes a bus, the first bus and the first device count from 0. */
static bool is_node(const struct usb_reader *usb, const struct usb_roots *roots,
		    const struct stat *st)
{
	return S_ISCHR(st->st_mode) && major(st->st_rdev) == roots->major &&
	       minor(st->st_rdev) == (usb->bus - 1) * 128 + usb->number - 1;
}

int usb_node(const struct usb_reader *usb, const struct usb_roots *roots)
{
	char path[PATH_MAX];
	struct stat st;
	int r = node_path(usb, roots, path);

	if (r < 0)
		return r;
	if (lstat(path, &st) < 0)
		return -errno;
	if (!is_node(usb, roots, &st))
		return -ESTALE;
	return faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) < 0 ? -errno : 0;
}

/*
 * The number is the device's as long as its directory in sysfs is alive. It can be read after the
 * node was opened, so the node is that device's.
 */
static int same_device(const struct usb_reader *usb, int fd)
{
	uint8_t node[USB_DEVICE_DESC], known[USB_DEVICE_DESC];

	if (pread(fd, node, sizeof(node), 0) != sizeof(node) ||
	    sysfs_bytes(usb->dir, "descriptors", known, sizeof(known)) < 0 ||
	    memcmp(node, known, sizeof(node)) != 0)
		return -ESTALE;
	return 0;
}

/* Kernels before 4.6 cannot; the driver claims no other interface all the same. */
static int drop_privileges(const struct usb_reader *usb, int fd)
{
	uint32_t mask = UINT32_C(1) << usb->interface;

	return ioctl(fd, USBDEVFS_DROP_PRIVILEGES, &mask) < 0 && errno != ENOTTY ? -errno : 0;
}

int usb_open(const struct usb_reader *usb, const struct usb_roots *roots)
{
	_cleanup_(fd_closep) int fd = -1;
	char path[PATH_MAX];
	struct stat st;
	int r = node_path(usb, roots, path);

	if (r < 0)
		return r;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!is_node(usb, roots, &st))
		return -ESTALE;
	r = same_device(usb, fd);
	if (r == 0)
		r = drop_privileges(usb, fd);
	return r < 0 ? r : take_fd(&fd);
}

void usb_deinit(struct usb_reader *usb)
{
	usb->dir = fd_close(usb->dir);
}
