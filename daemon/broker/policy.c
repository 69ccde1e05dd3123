/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/policy.h"

#include "daemon/shared/glob.h"

static bool rule_names(const struct spawn_rule *rule, uid_t uid, const gid_t *gids, size_t n_gids)
{
	if (rule->who == SPAWN_EVERYBODY)
		return true;
	if (rule->who == SPAWN_UID)
		return rule->id == uid;
	for (size_t i = 0; i < n_gids; i++)
		if (rule->id == gids[i])
			return true;
	return false;
}

struct policy_set policy_naming(const struct policy *policy, uid_t uid, const gid_t *gids,
				size_t n_gids)
{
	struct policy_set set = { 0 };

	if (uid == POLICY_NOBODY || uid == (uid_t)-1)
		return set;
	for (size_t i = 0; i < policy->n_rules; i++)
		if (rule_names(&policy->rules[i], uid, gids, n_gids))
			set.bits[i / 64] |= UINT64_C(1) << (i % 64);
	return set;
}

bool policy_rule_covers(const struct spawn_rule *rule, const char *reader, uint32_t container)
{
	if (reader && rule->reader[0] != '\0' && !glob_match(rule->reader, reader))
		return false;
	if (rule->count == 0 || container == POLICY_SOME_CONTAINER)
		return true;
	return container >= rule->first && container - rule->first < rule->count;
}

uint32_t policy_rights(const struct policy *policy, const struct policy_set *set,
		       const char *reader, uint32_t container)
{
	uint32_t rights = 0;

	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy_set_has(set, i) &&
		    policy_rule_covers(&policy->rules[i], reader, container))
			rights |= policy->rules[i].rights;
	return rights;
}
