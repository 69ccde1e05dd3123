/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/gadget/composite.h - The USB device around our one function: made in configfs, bound to a
 * device controller, and taken away again without a trace. FunctionFS is mounted where nobody else
 * sees it, so that even a killed reader leaves no mount behind, only an empty description, which
 * the next one removes.
 */
#pragma once

#include "vreader/reader/shape.h"

#include <limits.h>

enum { COMPOSITE_WHY_MAX = 512, COMPOSITE_NAME_MAX = 64 };

/**
 * struct composite - one USB device
 * @ffs_fd:	root of the mounted FunctionFS
 * @root:	configfs' folder of all such devices, a descriptor
 * @name:	ours in it
 * @udc:	the controller it is bound to, or empty
 */
struct composite {
	int ffs_fd;
	int root;
	char name[COMPOSITE_NAME_MAX];
	char udc[NAME_MAX + 1];
};

#define COMPOSITE_INIT ((struct composite){ .ffs_fd = -1, .root = -1 })

/**
 * composite_make() - describe the device and mount its FunctionFS
 * @shape:	ids and names
 * @configfs:	where configfs is mounted, or NULL: where the system says
 * @why:	on failure: what failed, why, and what to do, in words
 *
 * Return: 0, or a negative errno.
 */
int composite_make(struct composite *c, const struct shape *shape, const char *configfs,
		   char why[static COMPOSITE_WHY_MAX]);

/* For a FunctionFS that somebody else mounted at @path, in a device of his own. */
int composite_borrow(struct composite *c, const char *path, char why[static COMPOSITE_WHY_MAX]);

/* Shows the device to the host: by controller @udc, or by the first that is free. */
int composite_bind(struct composite *c, const char *udc, char why[static COMPOSITE_WHY_MAX]);

/* Pulls it out, and plugs it in again at the same place; nothing if it is somebody else's. */
void composite_replug(struct composite *c);

/* Everything inside FunctionFS is closed by now. */
void composite_remove(struct composite *c);
