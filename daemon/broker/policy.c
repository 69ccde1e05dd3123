/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/policy.h"

static bool rule_names(const struct spawn_rule *rule, uid_t uid, const gid_t *gids, size_t n_gids)
{
	if (rule->who == SPAWN_UID)
		return rule->id == uid;
	for (size_t i = 0; i < n_gids; i++)
		if (rule->id == gids[i])
			return true;
	return false;
}

uint32_t policy_rights(const struct policy *policy, uid_t uid, const gid_t *gids, size_t n_gids)
{
	uint32_t rights = 0;

	if (uid == POLICY_NOBODY || uid == (uid_t)-1)
		return 0;
	for (size_t i = 0; i < policy->n_rules; i++)
		if (rule_names(&policy->rules[i], uid, gids, n_gids))
			rights |= policy->rules[i].rights;
	return rights;
}
