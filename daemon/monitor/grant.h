/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/monitor/grant.h - The policy table, from the command line and the shipped defaults, as it
 * is sent to the broker.
 */
#pragma once

#include "daemon/monitor/conf.h"
#include "daemon/shared/spawn.h"

/* Rights by their names, comma-separated: look,use,inject,... Return: 0 or -EINVAL. */
int grant_rights(const char *names, uint32_t *out);
/* "UID:RIGHTS". Return: 0, -EINVAL, -ENOSPC when the table is full. */
int grant_add(struct spawn_msg *policy, enum spawn_who who, const char *text);
/* @name: what people call the rule. Return: 0, -ENOSPC. */
int grant_rule(struct spawn_msg *policy, const char *name, enum spawn_who who, uint32_t id,
	       uint32_t rights);
/* A number that fits an id; -1 is none. Return: 0 or -EINVAL. */
int grant_id(const char *text, uint32_t *out);
/*
 * The shipped rules: keyferry-users look and use, keyferry-admin also inject, create, delete and
 * administrate; a group that does not exist has no rule. Return: 0, -ENOSPC.
 */
int grant_shipped(struct spawn_msg *policy);

/*
 * All of it: what the command line gave, the configuration file, the shipped rules unless the file
 * forbids them, and in development the uid that runs us as an administrator. @given's limits count
 * where they are not 0. Return: 0, -ENOSPC.
 */
int grant_table(const struct spawn_msg *given, const struct conf *conf, bool development,
		struct spawn_msg *out);
