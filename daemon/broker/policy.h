/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/policy.h - Who may do what. The monitor makes the table and sends it; the broker
 * only applies it. No rule means no: neither uid 0 nor anybody else has rights by nature.
 */
#pragma once

#include "daemon/shared/spawn.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define POLICY_NOBODY 65534	/* "nobody", and what a foreign user namespace maps to */

/* What the shipped policy gives (SECURITY section 7). */
#define POLICY_USER	(KF_RIGHT_LOOK | KF_RIGHT_USE)
#define POLICY_ADMIN	(POLICY_USER | KF_RIGHT_INJECT | KF_RIGHT_CREATE | KF_RIGHT_DELETE | \
			 KF_RIGHT_ADMIN)

struct policy {
	uint32_t version;
	size_t n_rules;
	struct spawn_rule rules[SPAWN_RULES];
};

#define POLICY_INIT ((struct policy){ 0 })

/* The union of all rules that name @uid or one of @gids; 0: nobody. */
uint32_t policy_rights(const struct policy *policy, uid_t uid, const gid_t *gids, size_t n_gids);
