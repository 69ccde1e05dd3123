/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/policy.h"
#include "tests/harness.h"

static const struct policy policy = {
	.version = 1, .n_rules = 3,
	.rules = {
		{ SPAWN_UID, 1000, KF_RIGHT_LOOK },
		{ SPAWN_GID, 50, KF_RIGHT_USE },
		{ SPAWN_UID, 65534, KF_RIGHT_ADMIN },
	},
};

TEST(no_rule_is_no)
{
	EXPECT_EQ(0u, policy_rights(&policy, 1001, NULL, 0));
	EXPECT_EQ(0u, policy_rights(&(struct policy){ 0 }, 1000, NULL, 0));
}

TEST(root_has_no_rights_by_nature)
{
	EXPECT_EQ(0u, policy_rights(&policy, 0, NULL, 0));
}

TEST(rules_for_uid_and_groups_add_up)
{
	gid_t gids[] = { 7, 50 };

	EXPECT_EQ(KF_RIGHT_LOOK, policy_rights(&policy, 1000, NULL, 0));
	EXPECT_EQ(KF_RIGHT_LOOK | KF_RIGHT_USE, policy_rights(&policy, 1000, gids, 2));
	EXPECT_EQ(KF_RIGHT_USE, policy_rights(&policy, 1001, gids, 2));
	EXPECT_EQ(0u, policy_rights(&policy, 50, gids, 1));
}

TEST(nobody_is_refused_even_by_name)
{
	gid_t gids[] = { 50 };

	EXPECT_EQ(0u, policy_rights(&policy, 65534, gids, 1));
	EXPECT_EQ(0u, policy_rights(&policy, (uid_t)-1, gids, 1));
}
