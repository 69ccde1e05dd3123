/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * In configfs a folder is an object: making one makes the thing, writing a file in it sets a value,
 * and a link puts a function into a configuration. Removing goes the same way backwards, and is
 * tried to the end whatever fails.
 */
#include "vreader/gadget/composite.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <fcntl.h>
#include <mntent.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

enum { BELOW_MAX = 128, OURS_MAX = 256 }; /* paths below our folder, and with it */

#define NAME_PREFIX "keyferry-vreader."
#define UDC_CLASS "/sys/class/udc"

static int explain(char why[static COMPOSITE_WHY_MAX], int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int explain(char why[static COMPOSITE_WHY_MAX], int r, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(why, COMPOSITE_WHY_MAX, format, ap);
	va_end(ap);
	return r;
}

/* --- files and folders of our device, by path under @c->root --- */

static void path_of(const struct composite *c, const char *below, char path[static OURS_MAX])
{
	(void)snprintf(path, OURS_MAX, "%s%s%s", c->name, *below ? "/" : "", below);
}

static int make_folder(const struct composite *c, const char *below)
{
	char path[OURS_MAX];

	path_of(c, below, path);
	return mkdirat(c->root, path, 0755) < 0 ? -errno : 0;
}

static void remove_folder(const struct composite *c, const char *below)
{
	char path[OURS_MAX];

	path_of(c, below, path);
	(void)unlinkat(c->root, path, AT_REMOVEDIR);
}

static int set(const struct composite *c, const char *below, const char *value)
{
	_cleanup_(fd_closep) int fd = -1;
	char path[OURS_MAX];

	path_of(c, below, path);
	fd = openat(c->root, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		return -errno;
	return 0;
}

static int set_number(const struct composite *c, const char *below, unsigned int value)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "0x%04x", value);
	return set(c, below, text);
}

/* String descriptor @index as text; ours are ASCII. */
static int set_string(const struct composite *c, const char *below, const struct shape *shape,
		      uint8_t index)
{
	uint8_t buf[256];
	char text[sizeof(buf) / 2] = "";
	struct packer p = pack_begin(buf, sizeof(buf));
	struct unpacker u;

	if (shape_pack_string(shape, index, &p) < 0)
		return -ENOENT;
	u = unpack_begin(pack_done(&p));
	unpack_skip(&u, 2);
	for (size_t i = 0; u.left >= 2 && i < sizeof(text) - 1; i++)
		text[i] = (char)unpack_le16(&u);
	return set(c, below, text);
}

/* Their order is that of making them; the link is between the last two. */
static const char *const folders[] = {
	"",
	"strings/0x409",
	"configs/c.1",
};

static void function_path(const struct composite *c, char path[static BELOW_MAX])
{
	(void)snprintf(path, BELOW_MAX, "functions/ffs.%s", c->name);
}

static void link_path(const struct composite *c, char path[static BELOW_MAX])
{
	(void)snprintf(path, BELOW_MAX, "configs/c.1/ffs.%s", c->name);
}

static void remove_description(const struct composite *c)
{
	char below[BELOW_MAX], path[OURS_MAX];

	(void)set(c, "UDC", "\n");
	link_path(c, below);
	path_of(c, below, path);
	(void)unlinkat(c->root, path, 0);
	function_path(c, below);
	remove_folder(c, below);
	for (size_t i = sizeof(folders) / sizeof(folders[0]); i > 0; i--)
		remove_folder(c, folders[i - 1]);
}

static int describe(const struct composite *c, const struct shape *shape)
{
	char below[BELOW_MAX], path[OURS_MAX], target[OURS_MAX + 32];
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(folders) / sizeof(folders[0]); i++)
		r = make_folder(c, folders[i]);
	function_path(c, below);
	if (r == 0)
		r = make_folder(c, below);
	if (r == 0)
		r = set_number(c, "idVendor", shape->vendor);
	if (r == 0)
		r = set_number(c, "idProduct", shape->product);
	if (r == 0)
		r = set_number(c, "bcdDevice", 0x0100);
	if (r == 0)
		r = set_number(c, "bcdUSB", 0x0200);
	if (r == 0)
		r = set_string(c, "strings/0x409/manufacturer", shape, 1);
	if (r == 0)
		r = set_string(c, "strings/0x409/product", shape, 2);
	if (r == 0)
		r = set_string(c, "strings/0x409/serialnumber", shape, 3);
	if (r == 0)
		r = set(c, "configs/c.1/MaxPower", "100");
	if (r < 0)
		return r;
	/* configfs resolves the target when the link is made, from where we stand. */
	path_of(c, below, path);
	(void)snprintf(target, sizeof(target), "/proc/self/fd/%d/%s", c->root, path);
	link_path(c, below);
	path_of(c, below, path);
	return symlinkat(target, c->root, path) < 0 ? -errno : 0;
}

/* --- where things are --- */

static int find_configfs(char out[static PATH_MAX])
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *m;
	int r = -ENOENT;

	while (mounts && r < 0 && (m = getmntent(mounts)))
		if (strcmp(m->mnt_type, "configfs") == 0)
			r = snprintf(out, PATH_MAX, "%s", m->mnt_dir) < PATH_MAX ? 0 :
										   -ENAMETOOLONG;
	if (mounts)
		(void)endmntent(mounts);
	return r;
}

static int open_root(struct composite *c, const char *configfs, char why[static COMPOSITE_WHY_MAX])
{
	char where[PATH_MAX], path[PATH_MAX + 16];

	if (configfs)
		(void)snprintf(where, sizeof(where), "%s", configfs);
	else if (find_configfs(where) < 0)
		return explain(why, -ENOENT,
			       "no configfs is mounted. As root: modprobe libcomposite; "
			       "mount -t configfs none /sys/kernel/config");
	(void)snprintf(path, sizeof(path), "%s/usb_gadget", where);
	c->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->root < 0)
		return explain(why, -errno,
			       "%s: %s. The kernel makes it with libcomposite: "
			       "modprobe libcomposite",
			       path, strerror(errno));
	return 0;
}

/* Devices of readers that were killed. A name that is no number of ours is not ours. */
static void sweep(int root)
{
	_cleanup_(fd_closep) int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir)
		return;
	(void)take_fd(&fd);
	while ((entry = readdir(dir))) {
		struct composite dead = { .root = root };
		int pid;
		char rest;

		if (sscanf(entry->d_name, NAME_PREFIX "%d%c", &pid, &rest) != 1 || pid <= 0 ||
		    kill(pid, 0) == 0 || errno != ESRCH)
			continue;
		(void)snprintf(dead.name, sizeof(dead.name), NAME_PREFIX "%d", pid);
		remove_description(&dead);
	}
	(void)closedir(dir);
}

/* Detached from every tree: it is there for us alone, and gone with our last descriptor. */
static int mount_ffs(struct composite *c)
{
	_cleanup_(fd_closep) int fs = fsopen("functionfs", FSOPEN_CLOEXEC);

	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "source", c->name, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	c->ffs_fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	return c->ffs_fd < 0 ? -errno : 0;
}

int composite_make(struct composite *c, const struct shape *shape, const char *configfs,
		   char why[static COMPOSITE_WHY_MAX])
{
	int r;

	*c = COMPOSITE_INIT;
	(void)snprintf(c->name, sizeof(c->name), NAME_PREFIX "%d", (int)getpid());
	r = open_root(c, configfs, why);
	if (r < 0)
		return r;
	sweep(c->root);
	r = describe(c, shape);
	if (r < 0)
		(void)explain(why, r,
			      "the USB device cannot be described in configfs: %s. It takes "
			      "root and the kernel's usb_f_fs: modprobe usb_f_fs",
			      strerror(-r));
	if (r == 0)
		r = mount_ffs(c);
	else
		goto out;
	if (r < 0)
		(void)explain(why, r,
			      "FunctionFS cannot be mounted: %s. It takes root and Linux 5.2: "
			      "or mount it yourself and say --ffs",
			      strerror(-r));
out:
	if (r < 0)
		composite_remove(c);
	return r;
}

int composite_borrow(struct composite *c, const char *path, char why[static COMPOSITE_WHY_MAX])
{
	*c = COMPOSITE_INIT;
	c->ffs_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->ffs_fd < 0)
		return explain(why, -errno,
			       "%s: %s. A FunctionFS should be mounted there: mount -t "
			       "functionfs NAME %s",
			       path, strerror(errno), path);
	return 0;
}

static int bind_to(struct composite *c, const char *udc)
{
	int r = set(c, "UDC", udc);

	if (r == 0)
		(void)snprintf(c->udc, sizeof(c->udc), "%s", udc);
	return r;
}

static int bind_first(struct composite *c)
{
	struct dirent **names = NULL;
	int n = scandir(UDC_CLASS, &names, NULL, alphasort);
	int r = -ENODEV;

	for (int i = 0; i < n; i++) {
		if (c->udc[0] == '\0' && names[i]->d_name[0] != '.')
			r = bind_to(c, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return r;
}

int composite_bind(struct composite *c, const char *udc, char why[static COMPOSITE_WHY_MAX])
{
	int r;

	if (c->root < 0)
		return 0;
	r = udc ? bind_to(c, udc) : bind_first(c);
	if (r == -ENODEV)
		return explain(why, r,
			       "there is no USB device controller%s%s here: " UDC_CLASS
			       " lists them. Without one: modprobe dummy_hcd",
			       udc ? " " : "", udc ? udc : "");
	if (r == -EBUSY)
		return explain(why, r,
			       "%s: another device is bound to it. Look into configfs, "
			       "usb_gadget/*/UDC, for which",
			       udc ? udc : "every device controller");
	if (r < 0)
		return explain(why, r, "the device cannot be shown to the host: %s. dmesg says why",
			       strerror(-r));
	return 0;
}

void composite_replug(struct composite *c)
{
	if (c->udc[0] == '\0')
		return;
	(void)set(c, "UDC", "\n");
	(void)set(c, "UDC", c->udc);
}

void composite_remove(struct composite *c)
{
	if (c->root >= 0)
		(void)set(c, "UDC", "\n");
	c->ffs_fd = fd_close(c->ffs_fd);
	if (c->root >= 0)
		remove_description(c);
	c->root = fd_close(c->root);
}
