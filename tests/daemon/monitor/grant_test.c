/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/policy.h"
#include "daemon/monitor/grant.h"
#include "tests/harness.h"

#include <unistd.h>

TEST(rights_have_names)
{
	uint32_t mask = 0;

	EXPECT_EQ(0, grant_rights("look,use,inject", &mask));
	EXPECT_EQ(KF_RIGHT_LOOK | KF_RIGHT_USE | KF_RIGHT_INJECT, mask);
	EXPECT_EQ(-EINVAL, grant_rights("", &mask));
	EXPECT_EQ(-EINVAL, grant_rights("look,", &mask));
	EXPECT_EQ(-EINVAL, grant_rights("lookuse", &mask));
	EXPECT_EQ(-EINVAL, grant_rights("all", &mask));
}

TEST(ids_are_plain_numbers)
{
	uint32_t id = 7;

	EXPECT_EQ(0, grant_id("1000", &id));
	EXPECT_EQ(1000u, id);
	EXPECT_EQ(-EINVAL, grant_id("-1", &id));
	EXPECT_EQ(-EINVAL, grant_id("+1", &id));
	EXPECT_EQ(-EINVAL, grant_id(" 1", &id));
	EXPECT_EQ(-EINVAL, grant_id("1x", &id));
	EXPECT_EQ(-EINVAL, grant_id("4294967295", &id));
	EXPECT_EQ(-EINVAL, grant_id("99999999999999999999", &id));
}

TEST(a_grant_is_an_id_and_rights)
{
	struct spawn_msg policy = { 0 };

	EXPECT_EQ(0, grant_add(&policy, SPAWN_UID, "1000:raw"));
	EXPECT_EQ(1u, policy.n_rules);
	EXPECT_EQ(KF_RIGHT_RAW, policy.rules[0].rights);
	EXPECT_EQ(-EINVAL, grant_add(&policy, SPAWN_UID, "1000"));
	EXPECT_EQ(-EINVAL, grant_add(&policy, SPAWN_UID, ":raw"));
	EXPECT_EQ(-EINVAL, grant_add(&policy, SPAWN_UID, "00000000000000000001:raw"));
	policy.n_rules = SPAWN_RULES;
	EXPECT_EQ(-ENOSPC, grant_add(&policy, SPAWN_UID, "1000:raw"));
}

/* A group that is not here has no rule; gid 0 is everywhere and stands for none of ours. */
TEST(nobody_has_raw_relay_init_or_kek_by_default)
{
	struct spawn_msg given = { 0 }, policy;
	struct conf conf;

	conf_init(&conf);
	EXPECT_EQ(0, grant_table(&given, &conf, true, &policy));
	ASSERT_LT(0u, policy.n_rules);
	for (size_t i = 0; i < policy.n_rules; i++)
		EXPECT_EQ(0u, policy.rules[i].rights & (KF_RIGHT_RAW | KF_RIGHT_RELAY |
							KF_RIGHT_INIT | KF_RIGHT_KEK));
	EXPECT_EQ(geteuid(), policy.rules[policy.n_rules - 1].id);
	EXPECT_EQ(KF_STATUS_DEV, policy.flags);
	EXPECT_EQ(0, grant_table(&given, &conf, false, &policy));
	EXPECT_EQ(0u, policy.flags);
	for (size_t i = 0; i < policy.n_rules; i++)
		EXPECT_EQ(SPAWN_GID, policy.rules[i].who);
}

TEST(the_table_is_command_line_file_and_shipped_rules)
{
	struct spawn_msg given = { .limits = { .keys = 3 } }, policy;
	static struct conf conf;

	conf_init(&conf);
	conf.shipped_rules = false;
	conf.limits.keys = 5;
	conf.limits.contexts = 6;
	conf.idle_s = 60;
	conf.rules[0] = (struct spawn_rule){ .who = SPAWN_UID, .id = 8, .rights = 1, .name = "a" };
	conf.n_rules = 1;
	EXPECT_EQ(0, grant_add(&given, SPAWN_UID, "7:look"));
	EXPECT_EQ(0, grant_table(&given, &conf, false, &policy));
	ASSERT_EQ(2u, policy.n_rules);
	EXPECT_EQ(7u, policy.rules[0].id);
	EXPECT_EQ(8u, policy.rules[1].id);
	EXPECT_EQ(3u, policy.limits.keys);
	EXPECT_EQ(6u, policy.limits.contexts);
	EXPECT_EQ(60u, policy.idle_s);
	EXPECT_EQ(0, grant_table(&given, &conf, true, &policy));
	EXPECT_EQ(0u, policy.idle_s);		/* in development nobody starts us again */
	given.n_rules = SPAWN_RULES;
	EXPECT_EQ(-ENOSPC, grant_table(&given, &conf, false, &policy));
}
