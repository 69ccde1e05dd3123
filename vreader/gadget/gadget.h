/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vreader/gadget/gadget.h - A reader as a real USB device: on any board with a device controller,
 * or on the same machine by dummy_hcd. The reader is the line of vreader/reader/; here is what
 * takes the place of its socket.
 */
#pragma once

#include "vreader/gadget/composite.h"
#include "vreader/reader/line.h"

/**
 * struct gadget_options - where the device is to appear
 * @udc:	device controller, or NULL: the first free one
 * @configfs:	where configfs is mounted, or NULL: where the system says
 * @ffs:	a FunctionFS that somebody mounted and bound to a device of his own, or NULL: all
 * ours
 * @no_zlp:	leave out the packet that ends a message which fills its packets
 */
struct gadget_options {
	const char *udc;
	const char *configfs;
	const char *ffs;
	bool no_zlp;
};

/*
 * Serves until a signal stops the line. Return: 0, or a negative errno, with the sentence in @why.
 */
int gadget_serve(const struct gadget_options *options, struct line *line, const struct shape *shape,
		 char why[static COMPOSITE_WHY_MAX]);
