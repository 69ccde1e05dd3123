/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/daemon/monitor/tree.h - A USB bus made of files, in the shape sysfs has: what is plugged in
 * is a folder below devices/, and bus/usb/devices/ links to it and to its interfaces. A device node
 * is made of one of memory's: number 6 of bus 1 is minor 5, which is /dev/zero, and reads like a
 * device whose descriptor is all zeros; number 4 is /dev/null, which is nobody's.
 */
#pragma once

#include "base/cleanup.h"
#include "daemon/monitor/usb.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define TREE_ZERO 6	/* device numbers with a node that opens */
#define TREE_FULL 8
#define TREE_NULL 4

struct tree {
	char dir[64], sysfs[96], dev[96];
	struct usb_roots roots;
};

__attribute__((format(printf, 1, 2))) static inline void tree_run(const char *format, ...)
{
	char command[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	if (system(command) != 0)
		TEST_FAIL("%s", command);
}

static inline void tree_init(struct tree *tree)
{
	strcpy(tree->dir, "/tmp/kf-usb-XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(tree->dir));
	ASSERT_EQ(0, chmod(tree->dir, 0755));
	snprintf(tree->sysfs, sizeof(tree->sysfs), "%s/sys", tree->dir);
	snprintf(tree->dev, sizeof(tree->dev), "%s/dev", tree->dir);
	tree->roots = (struct usb_roots){ tree->sysfs, tree->dev, 1 };
	tree_run("mkdir -p %s/bus/usb/devices %s/devices %s/bus/usb/001", tree->sysfs, tree->sysfs,
		 tree->dev);
}

static inline void tree_deinit(struct tree *tree)
{
	tree_run("rm -rf %s", tree->dir);
}

static inline void tree_put(const struct tree *tree, const char *device, const char *name,
			    const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/devices/%s/%s", tree->sysfs, device, name);
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);
	ASSERT_LE(0, fd);
	ASSERT_EQ((ssize_t)strlen(text), write(fd, text, strlen(text)));
	fd_close(fd);
}

static inline void tree_zeros(const struct tree *tree, const char *device)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/devices/%s/descriptors", tree->sysfs, device);
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);
	ASSERT_EQ(USB_DEVICE_DESC, write(fd, (char[USB_DEVICE_DESC]){ 0 }, USB_DEVICE_DESC));
	fd_close(fd);
}

static inline void tree_link(const struct tree *tree, const char *to, const char *name)
{
	char path[256], target[128];

	snprintf(path, sizeof(path), "%s/bus/usb/devices/%s", tree->sysfs, name);
	snprintf(target, sizeof(target), "../../../devices/%s", to);
	ASSERT_EQ(0, symlink(target, path));
}

/* A device without interfaces. */
static inline void tree_device(const struct tree *tree, const char *device, uint32_t number,
			       const char *ids)
{
	char path[256], text[32];

	snprintf(path, sizeof(path), "%s/devices/%s", tree->sysfs, device);
	ASSERT_EQ(0, mkdir(path, 0755));
	snprintf(text, sizeof(text), "%u\n", number);
	tree_put(tree, device, "devnum", text);
	tree_put(tree, device, "busnum", "1\n");
	snprintf(text, sizeof(text), "%.4s\n", ids);
	tree_put(tree, device, "idVendor", text);
	tree_put(tree, device, "idProduct", ids + 5);
	tree_put(tree, device, "manufacturer", "Acme\n");
	tree_put(tree, device, "product", "Reader One\n");
	tree_put(tree, device, "serial", "A1\n");
	tree_zeros(tree, device);
	tree_link(tree, device, device);
}

static inline void tree_interface(const struct tree *tree, const char *device, unsigned int n,
				  const char *class)
{
	char path[256], sub[64], text[8];

	snprintf(sub, sizeof(sub), "%s/%s:1.%u", device, device, n);
	snprintf(path, sizeof(path), "%s/devices/%s", tree->sysfs, sub);
	ASSERT_EQ(0, mkdir(path, 0755));
	snprintf(text, sizeof(text), "%02x\n", n);
	tree_put(tree, sub, "bInterfaceNumber", text);
	tree_put(tree, sub, "bInterfaceClass", class);
	tree_link(tree, sub, strchr(sub, '/') + 1);
}

/* A reader, ready to serve if a node of that number opens. */
static inline void tree_plug(const struct tree *tree, const char *device, uint32_t number)
{
	tree_device(tree, device, number, "08e6:4433");
	tree_interface(tree, device, 0, "0b\n");
}

static inline int tree_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void tree_unplug(const struct tree *tree, const char *device)
{
	char path[256], link[320];

	for (int i = -1; i < 32; i++) {
		snprintf(link, sizeof(link), i < 0 ? "%s/bus/usb/devices/%s" :
			 "%s/bus/usb/devices/%s:1.%d", tree->sysfs, device, i);
		(void)unlink(link);
	}
	snprintf(path, sizeof(path), "%s/devices/%s", tree->sysfs, device);
	ASSERT_EQ(0, nftw(path, tree_remove, 8, FTW_DEPTH | FTW_PHYS));
}

static inline bool tree_node(const struct tree *tree, uint32_t number)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/bus/usb/001/%03u", tree->dev, number);
	(void)unlink(path);
	return mknod(path, S_IFCHR | 0600, makedev(1, number - 1)) == 0;
}

/* Nodes that open need root, and a file system that lets devices be devices. */
static inline void tree_nodes(const struct tree *tree)
{
	char path[256];

	if (!tree_node(tree, TREE_ZERO) || !tree_node(tree, TREE_FULL) ||
	    !tree_node(tree, TREE_NULL))
		SKIP("making device nodes: %s", strerror(errno));
	snprintf(path, sizeof(path), "%s/bus/usb/001/%03u", tree->dev, TREE_ZERO);
	fd_close(open(path, O_RDWR | O_CLOEXEC));
	if (access(path, R_OK | W_OK) < 0 || errno == EACCES)
		SKIP("device nodes do not open below /tmp");
	errno = 0;
}

/* How many descriptors this process has. */
static inline int tree_count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}
