/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/policy.h"
#include "tests/harness.h"

static const struct policy policy = {
	.version = 1, .n_rules = 4,
	.rules = {
		{ .who = SPAWN_UID, .id = 1000, .rights = KF_RIGHT_LOOK },
		{ .who = SPAWN_GID, .id = 50, .rights = KF_RIGHT_USE, .reader = "usb:*" },
		{ .who = SPAWN_UID, .id = 65534, .rights = KF_RIGHT_ADMIN },
		{ .who = SPAWN_UID, .id = 1000, .rights = KF_RIGHT_INJECT, .first = 3, .count = 2 },
	},
};

static uint32_t rights_at(const struct policy *p, uid_t uid, const gid_t *gids, size_t n,
			  const char *reader, uint32_t container)
{
	struct policy_set set = policy_naming(p, uid, gids, n);

	return policy_rights(p, &set, reader, container);
}

static uint32_t rights_of(uid_t uid, const gid_t *gids, size_t n)
{
	return rights_at(&policy, uid, gids, n, NULL, POLICY_SOME_CONTAINER);
}

TEST(no_rule_is_no)
{
	EXPECT_EQ(0u, rights_of(1001, NULL, 0));
	EXPECT_EQ(0u, rights_at(&POLICY_INIT, 1000, NULL, 0, NULL, POLICY_SOME_CONTAINER));
}

TEST(root_has_no_rights_by_nature)
{
	EXPECT_EQ(0u, rights_of(0, NULL, 0));
}

TEST(rules_for_uid_and_groups_add_up)
{
	gid_t gids[] = { 7, 50 };

	EXPECT_EQ(KF_RIGHT_LOOK | KF_RIGHT_INJECT, rights_of(1000, NULL, 0));
	EXPECT_EQ(KF_RIGHT_LOOK | KF_RIGHT_INJECT | KF_RIGHT_USE, rights_of(1000, gids, 2));
	EXPECT_EQ(KF_RIGHT_USE, rights_of(1001, gids, 2));
	EXPECT_EQ(0u, rights_of(50, gids, 1));
}

TEST(nobody_is_refused_even_by_name_and_by_a_rule_for_everybody)
{
	static const struct policy everybody = {
		.n_rules = 1, .rules = { { .who = SPAWN_EVERYBODY, .rights = KF_RIGHT_LOOK } } };
	gid_t gids[] = { 50 };

	EXPECT_EQ(0u, rights_of(65534, gids, 1));
	EXPECT_EQ(0u, rights_of((uid_t)-1, gids, 1));
	EXPECT_EQ(0u, rights_at(&everybody, 65534, gids, 1, NULL, POLICY_SOME_CONTAINER));
	EXPECT_EQ(KF_RIGHT_LOOK, rights_at(&everybody, 7, NULL, 0, NULL, POLICY_SOME_CONTAINER));
}

TEST(a_rule_about_some_readers_is_not_about_others)
{
	gid_t gids[] = { 50 };

	EXPECT_EQ(KF_RIGHT_USE, rights_at(&policy, 1, gids, 1, "usb:08e6:3437", 0));
	EXPECT_EQ(0u, rights_at(&policy, 1, gids, 1, "virtual:usb:", 0));
}

TEST(a_rule_about_some_containers_is_not_about_others_nor_about_any)
{
	for (uint32_t i = 0; i < 8; i++)
		EXPECT_EQ(i == 3 || i == 4, (rights_at(&policy, 1000, NULL, 0, "r", i) &
					     KF_RIGHT_INJECT) != 0);
	EXPECT_EQ(KF_RIGHT_LOOK, rights_at(&policy, 1000, NULL, 0, "r", KF_CONTAINER_ANY));
	EXPECT_EQ(KF_RIGHT_LOOK | KF_RIGHT_INJECT,
		  rights_at(&policy, 1000, NULL, 0, "r", POLICY_SOME_CONTAINER));
}

TEST(the_last_rule_of_a_full_table_counts)
{
	static struct policy full = { .n_rules = SPAWN_RULES };

	for (size_t i = 0; i < SPAWN_RULES; i++)
		full.rules[i] = (struct spawn_rule){ .who = SPAWN_UID, .id = (uint32_t)i + 1,
						     .rights = KF_RIGHT_LOOK };
	EXPECT_EQ(KF_RIGHT_LOOK, rights_at(&full, SPAWN_RULES, NULL, 0, "r", 0));
	EXPECT_EQ(KF_RIGHT_LOOK, rights_at(&full, 65, NULL, 0, "r", 0));
	EXPECT_EQ(0u, rights_at(&full, SPAWN_RULES + 1, NULL, 0, "r", 0));
}
