/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/join.h - How monitor and broker meet when a service manager starts both: the monitor
 * connects to a socket of its own, and only its uid is let in. The first one in is the only one:
 * another monitor has to wait for another broker.
 */
#pragma once

#include "daemon/shared/loop.h"

#include <sys/types.h>

struct join {
	struct source listener;
	uid_t uid;
};

#define JOIN_INIT ((struct join){ .listener = SOURCE_INIT })

struct broker;

/* Waits at @listen_fd, which it takes over, for the monitor, who is @uid. */
int join_wait(struct broker *broker, int listen_fd, uid_t uid);
void join_deinit(struct broker *broker);
