/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/hotplug.h - Hears from the kernel that something changed on USB. What it was is for
 * the listener to find out: it is told to look, once for any number of messages, and also when
 * messages were lost.
 */
#pragma once

#include "daemon/shared/loop.h"

struct nl_sock;

/**
 * struct hotplug - the listening socket
 * @changed:	there is something to look at; may be called for nothing
 * @heard:	messages of the kernel, about whatever
 * @foreign:	messages that did not come from the kernel
 * @malformed:	messages that could not be read
 * @lost:	how often the kernel had to drop some
 */
struct hotplug {
	struct source source;
	struct nl_sock *sk;
	struct loop *loop;
	void (*changed)(struct hotplug *hotplug);
	uint32_t heard, foreign, malformed, lost;
};

#define HOTPLUG_INIT ((struct hotplug){ .source = SOURCE_INIT })

/* Return: 0 or a negative errno; then nothing is to be taken down. */
int hotplug_init(struct hotplug *hotplug, struct loop *loop,
		 void (*changed)(struct hotplug *hotplug));
void hotplug_deinit(struct hotplug *hotplug);
