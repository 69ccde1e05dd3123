/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/broker/policy.h - Who may do what with which reader and container. The monitor makes the
 * table and sends it; the broker only applies it. Rules admit and never forbid, so their order
 * decides nothing, and no rule means no: neither uid 0 nor anybody else has rights by nature.
 *
 * A client is compared with the whole table once, when it connects and when a new table comes; what
 * is left for each request is a look at the few rules that name it.
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

/* Rights over a single container; the others are over the card, so no container narrows them. */
#define POLICY_BY_CONTAINER (KF_RIGHT_LOOK | KF_RIGHT_USE | KF_RIGHT_INJECT | KF_RIGHT_CREATE | \
			     KF_RIGHT_DELETE | KF_RIGHT_WRAP)

/* In place of a container: a request that names none, so a rule about any one will do. */
#define POLICY_SOME_CONTAINER (KF_CONTAINER_ANY - 1)

struct policy {
	uint32_t version;
	size_t n_rules;
	struct spawn_rule rules[SPAWN_RULES];
};

#define POLICY_INIT ((struct policy){ 0 })

/* Some of a policy's rules: a bit for each. */
struct policy_set {
	uint64_t bits[SPAWN_RULES / 64];
};

static inline bool policy_set_has(const struct policy_set *set, size_t i)
{
	return set->bits[i / 64] >> (i % 64) & 1;
}

/* The rules that name @uid or one of @gids. */
struct policy_set policy_naming(const struct policy *policy, uid_t uid, const gid_t *gids,
				size_t n_gids);

/*
 * Whether @rule is about this reader and container. @reader NULL: about whichever.
 * %KF_CONTAINER_ANY, "one that the card chooses", takes a rule about all of them.
 */
bool policy_rule_covers(const struct spawn_rule *rule, const char *reader, uint32_t container);

/* What the rules in @set give there, all together; 0: nothing. */
uint32_t policy_rights(const struct policy *policy, const struct policy_set *set,
		       const char *reader, uint32_t container);
