/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/quota.h"
#include "tests/harness.h"

#define MINUTE UINT64_C(60000000000)

FIXTURE(quota) { struct quota quota; struct user *user; };
FIXTURE_SETUP(quota)
{
	quota_init(&self->quota);
	ASSERT_EQ(0, quota_user(&self->quota, 1000, MINUTE, &self->user));
}
FIXTURE_TEARDOWN(quota)
{
	for (int i = 0; i < QUOTA_KINDS; i++)
		self->user->used[i] = 0;
	quota_deinit(&self->quota);
}

TEST_F(quota, a_limit_is_a_limit_and_refusing_charges_nothing)
{
	for (int i = 0; i < 64; i++)
		ASSERT_EQ(0, quota_charge(&self->quota, self->user, QUOTA_CONTEXTS, 1));
	EXPECT_EQ(-EDQUOT, quota_charge(&self->quota, self->user, QUOTA_CONTEXTS, 1));
	quota_release(self->user, QUOTA_CONTEXTS, 1);
	EXPECT_EQ(0, quota_charge(&self->quota, self->user, QUOTA_CONTEXTS, 1));
	EXPECT_EQ(-EDQUOT, quota_charge(&self->quota, self->user, QUOTA_BYTES, UINT32_MAX));
	EXPECT_EQ(0u, self->user->used[QUOTA_BYTES]);
}

TEST_F(quota, who_has_most_is_found)
{
	struct user *other;

	EXPECT_EQ(NULL, quota_most(&self->quota, QUOTA_KEYS));
	ASSERT_EQ(0, quota_charge(&self->quota, self->user, QUOTA_KEYS, 2));
	ASSERT_EQ(0, quota_user(&self->quota, 1001, MINUTE, &other));
	ASSERT_EQ(0, quota_charge(&self->quota, other, QUOTA_KEYS, 3));
	EXPECT_EQ(other, quota_most(&self->quota, QUOTA_KEYS));
	quota_release(other, QUOTA_KEYS, 2);
	EXPECT_EQ(self->user, quota_most(&self->quota, QUOTA_KEYS));
	quota_release(other, QUOTA_KEYS, 1);
}

TEST_F(quota, wrong_pins_run_out_and_are_forgiven_one_a_minute)
{
	uint32_t wait = 0;

	for (int i = 0; i < QUOTA_PIN_TRIES; i++)
		ASSERT_EQ(0, quota_pin_try(self->user, MINUTE, 0, &wait));
	EXPECT_EQ(-EDQUOT, quota_pin_try(self->user, MINUTE, 0, &wait));
	EXPECT_EQ(60u, wait);
	EXPECT_EQ(0, quota_pin_try(self->user, 2 * MINUTE, 0, &wait));
	EXPECT_EQ(-EDQUOT, quota_pin_try(self->user, 2 * MINUTE, 0, &wait));
}

TEST_F(quota, a_right_pin_costs_nothing)
{
	uint32_t wait = 0;

	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, quota_pin_try(self->user, MINUTE, 0, &wait));
		quota_pin_back(self->user);
	}
}

/* Twenty cards, each with one PIN under way; and when they were all wrong they are all spent. */
TEST_F(quota, tries_under_way_elsewhere_are_not_wrong_yet)
{
	uint32_t wait = 0;

	for (uint32_t i = 0; i < 20; i++)
		ASSERT_EQ(0, quota_pin_try(self->user, MINUTE, i, &wait));
	EXPECT_EQ(-EDQUOT, quota_pin_try(self->user, MINUTE, 0, &wait));
	EXPECT_EQ(-EDQUOT, quota_pin_try(self->user, 16 * MINUTE, 0, &wait));
	EXPECT_EQ(0, quota_pin_try(self->user, 17 * MINUTE, 0, &wait));
	EXPECT_EQ(-EDQUOT, quota_pin_try(self->user, 17 * MINUTE, 0, &wait));
}

TEST_F(quota, reconnecting_forgives_nothing)
{
	struct user *again;
	uint32_t wait;

	for (int i = 0; i < QUOTA_PIN_TRIES; i++)
		ASSERT_EQ(0, quota_pin_try(self->user, MINUTE, 0, &wait));
	ASSERT_EQ(0, quota_user(&self->quota, 2000, MINUTE, &again));
	ASSERT_EQ(0, quota_user(&self->quota, 1000, MINUTE, &again));
	EXPECT_EQ(self->user, again);
	EXPECT_EQ(-EDQUOT, quota_pin_try(again, MINUTE, 0, &wait));
}

TEST_F(quota, users_are_forgotten_when_nothing_is_to_be_remembered)
{
	struct user *user;

	self->user->used[QUOTA_CONNECTIONS] = 1;
	for (uid_t uid = 5000; uid < 5000 + 2 * QUOTA_USERS; uid++)
		ASSERT_EQ(0, quota_user(&self->quota, uid, MINUTE, &user));
	EXPECT_LT(self->quota.n_users, (size_t)4);
}
