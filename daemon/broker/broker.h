/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/broker.h - Everything the broker has hangs from here; main() makes the one there
 * is. It was handed two descriptors, the listening socket and the link to the monitor, and opens
 * none itself.
 */
#pragma once

#include "base/list.h"
#include "daemon/broker/handle.h"
#include "daemon/broker/join.h"
#include "daemon/broker/log.h"
#include "daemon/shared/loop.h"
#include "daemon/broker/policy.h"
#include "daemon/broker/quota.h"
#include "proto/packet.h"

#define BROKER_CLIENTS	1024	/* when there are more, who has most gives up one */
#define BROKER_READERS	64	/* devices */
#define BROKER_SLOTS	128	/* slots of all of them; each device has at least one */
/* Kept for what must not fail because clients took all: a link for each reader, loop, log. */
#define BROKER_FDS	(BROKER_READERS + 16)

/**
 * struct broker - the process
 * @rx:		the one receive buffer; wiped after each packet
 * @tx:		the one buffer packets are built in; wiped likewise
 * @monitor_fd:	-1 in unit tests without a monitor
 * @join:	where the monitor is waited for, if it did not start us
 * @idle:	runs while there is no client, if we are to leave then
 * @looks:	jobs that wait for readers to be looked at
 * @news:	see watch_news()
 * @accept_again: when descriptors ran out, the listener is left alone until then
 * @guards:	KF_GUARD_ of this process; @monitor_guards of the monitor, as it said
 * @max_clients: %BROKER_CLIENTS, or what the limit on descriptors leaves for them
 */
struct broker {
	struct loop loop;
	struct source listener, monitor;
	struct join join;
	struct timer accept_again, idle, news;
	struct handle_table handles;
	struct policy policy;
	struct quota quota;
	struct log log;
	struct list clients, devices, readers, looks;
	size_t n_clients, n_devices, n_readers, max_clients;
	uint32_t next_client, next_reader;
	uint32_t flags, idle_s, monitor_pid, monitor_uid;
	uint32_t guards, monitor_guards;
	uint64_t start_ns;
	uint8_t *rx, *tx;
};

static_assert(HANDLES_MAX >= BROKER_CLIENTS * (QUOTA_CONTEXTS_DEFAULT + QUOTA_KEYS_DEFAULT),
	      "as many uids as can connect, each with all it may have");

int broker_init(struct broker *broker, int listen_fd, int monitor_fd);
void broker_deinit(struct broker *broker);

/* One message of the monitor. Takes over @fd in every case; -1 if none came. */
int broker_told(struct broker *broker, const struct spawn_msg *msg, int fd);
/* Tells the monitor; a monitor that does not listen ends us. */
void broker_tell(struct broker *broker, const struct spawn_msg *msg);
