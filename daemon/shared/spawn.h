/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/shared/spawn.h - What monitor and broker say to each other over the one socket between
 * them. Both ends are ours, yet each parses strictly: a broker taken over must not reach further
 * than these few words.
 *
 *	monitor to broker:  POLICY (first, and again on reload), READER_ADD, DRIVER (with the link's
 *	                    descriptor), DRIVER_GONE, READER_STATE (why it has no driver),
 *	                    READER_GONE
 *	broker to monitor:  READY (serving), KILL (that driver misbehaved), HUNG_UP (it closed its
 *	                    link; if it lives on, it must not), IDLE (leaving, nobody is here)
 */
#pragma once

#include "base/bytes.h"
#include "keyferry/proto.h"

#define SPAWN_RULES	128
#define SPAWN_RULE_NAME	32	/* with the NUL */
#define SPAWN_MAX	20480	/* bytes of the largest message */

enum spawn_kind {
	SPAWN_POLICY = 1,
	SPAWN_READER_ADD = 2,
	SPAWN_DRIVER = 3,
	SPAWN_DRIVER_GONE = 4,
	SPAWN_READER_GONE = 5,
	SPAWN_READY = 6,
	SPAWN_KILL = 7,
	SPAWN_HUNG_UP = 8,
	SPAWN_READER_STATE = 9,
	SPAWN_IDLE = 10,
	SPAWN_KINDS,
};

enum spawn_who { SPAWN_UID = 1, SPAWN_GID = 2, SPAWN_EVERYBODY = 3 };

/**
 * struct spawn_rule - one row of the policy table: admits, never forbids
 * @id:		uid or gid; 0 for %SPAWN_EVERYBODY
 * @rights:	KF_RIGHT_ mask
 * @first:	first container it is about
 * @count:	how many from there on; 0: it is about all there are
 * @line:	where it stands in the configuration file; 0: not from there
 * @name:	what people call it
 * @reader:	glob over reader names; empty: all of them
 */
struct spawn_rule {
	enum spawn_who who;
	uint32_t id;
	uint32_t rights;
	uint32_t first, count;
	uint32_t line;
	char name[SPAWN_RULE_NAME];
	char reader[KF_NAME_MAX];
};

struct spawn_limits {
	uint32_t connections, contexts, keys, bytes;	/* per uid */
};

/**
 * struct spawn_msg - one message
 * @kind:	enum spawn_kind
 * @state:	READER_STATE: enum kf_reader_state, one of those from KF_READER_BUSY on
 * @reader:	the monitor's number for a reader; all but POLICY and READY
 * @instance:	the monitor's number for a driver process: DRIVER, DRIVER_GONE, KILL, HUNG_UP
 * @pid:	of the driver: DRIVER; of the monitor: POLICY
 * @uid:	of the same
 * @restarts:	DRIVER
 * @guards:	POLICY: KF_GUARD_ of the monitor
 * @name:	READER_ADD
 * @version:	POLICY
 * @flags:	POLICY: KF_STATUS_
 * @idle_s:	POLICY: leave after so long without a client; 0: stay
 * @limits:	POLICY
 * @n_rules:	POLICY
 * @rules:	POLICY
 */
struct spawn_msg {
	enum spawn_kind kind;
	uint32_t reader, instance, pid, uid, restarts, guards;
	char name[KF_NAME_MAX];
	uint32_t version, flags, idle_s;
	struct spawn_limits limits;
	size_t n_rules;
	struct spawn_rule rules[SPAWN_RULES];
	uint32_t state;
};

void spawn_pack(const struct spawn_msg *msg, struct packer *p);
/* Return: 0 or -EBADMSG. */
int spawn_parse(struct bytes frame, struct spawn_msg *out);

/* @pass: descriptor to go along, or -1. Return: 0, -EAGAIN, -EPIPE. */
int spawn_send(int fd, const struct spawn_msg *msg, int pass);
/*
 * @passed: receives the descriptor that came along, or -1; NULL refuses any.
 * Return: 0, -EAGAIN, -ECONNRESET, -EBADMSG.
 */
int spawn_recv(int fd, struct spawn_msg *out, int *passed);
