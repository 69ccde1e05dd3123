// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libserver/policy.h"
#include "libserver/state.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <unistd.h>

FIXTURE(policy)
{
	char dir[64];
	struct kf_state *state;
};

FIXTURE_SETUP(policy)
{
	(void)snprintf(self->dir, sizeof(self->dir), "/tmp/kf-policy-XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(self->dir));
	ASSERT_EQ(0, kf_state_init(self->dir, NULL, 0, NULL));
	ASSERT_EQ(0, kf_state_open(self->dir, NULL, 0, &self->state, NULL));
}

FIXTURE_TEARDOWN(policy)
{
	static const char *const names[] = {
		"lock", "injector.pem", "injector.pub.pem", "state.json", "policy.json", "devices",
		"hsms", "dkeks", "nonces/used", "nonces", "tickets",
	};

	kf_state_close(self->state);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "%s/%s", self->dir, names[i]);
		(void)remove(path);
	}
	EXPECT_EQ(0, rmdir(self->dir));
}

static int reopen(struct fixture_policy *self)
{
	self->state = kf_state_close(self->state);
	return kf_state_open(self->dir, NULL, 0, &self->state, NULL);
}

static int write_policy(struct fixture_policy *self, const char *text)
{
	return folder_write(&self->state->top, "policy.json", BYTES(text, strlen(text)), NULL);
}

TEST_F(policy, a_new_state_has_the_shipped_one)
{
	uint8_t list[4];

	ASSERT_EQ(2u, kf_server_methods(kf_state_server(self->state), list));
	EXPECT_EQ(KF_METHOD_ECDH, list[0]);
	EXPECT_EQ(KF_METHOD_RSA, list[1]);
	EXPECT_FALSE(folder_has(&self->state->top, "policy.json"));
}

TEST_F(policy, a_list_is_kept_in_its_order)
{
	const uint8_t wanted[] = { KF_METHOD_RSA, KF_METHOD_ECDH };
	uint8_t list[4];

	ASSERT_EQ(0, kf_state_set_methods(self->state, wanted, 2, NULL));
	ASSERT_EQ(0, reopen(self));
	ASSERT_EQ(2u, kf_server_methods(kf_state_server(self->state), list));
	EXPECT_MEMEQ(wanted, list, 2);
	ASSERT_EQ(0, kf_state_set_methods(self->state, wanted + 1, 1, NULL));
	ASSERT_EQ(0, reopen(self));
	ASSERT_EQ(1u, kf_server_methods(kf_state_server(self->state), list));
	EXPECT_EQ(KF_METHOD_ECDH, list[0]);
}

TEST_F(policy, a_list_that_is_refused_is_not_kept)
{
	const uint8_t twice[] = { KF_METHOD_RSA, KF_METHOD_RSA };

	EXPECT_EQ(-EINVAL, kf_state_set_methods(self->state, twice, 2, NULL));
	EXPECT_EQ(-EINVAL, kf_state_set_methods(self->state, twice, 0, NULL));
	EXPECT_FALSE(folder_has(&self->state->top, "policy.json"));
}

/* Never the shipped policy in place of one that cannot be read. */
TEST_F(policy, a_damaged_one_opens_no_state)
{
	static const char *const bad[] = {
		"", "{}", "{\"format\":\"keyferry-policy\",\"version\":1}",
		"{\"format\":\"keyferry-policy\",\"version\":1,\"methods\":[]}",
		"{\"format\":\"keyferry-policy\",\"version\":1,\"methods\":[\"best\"]}",
		"{\"format\":\"keyferry-policy\",\"version\":1,\"methods\":[2]}",
		"{\"format\":\"keyferry-policy\",\"version\":1,\"methods\":[\"rsa\",\"rsa\"]}",
		"{\"format\":\"keyferry-policy\",\"version\":1,\"methods\":[\"rsa\"],\"more\":1}",
		"{\"format\":\"keyferry-policy\",\"version\":2,\"methods\":[\"rsa\"]}",
	};
	static const char good[] = "{\"format\":\"keyferry-policy\",\"version\":1,\"methods\":[\"rsa\"]}";

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ASSERT_EQ(0, write_policy(self, bad[i]));
		if (reopen(self) == 0)
			TEST_FAIL("row %zu opens", i);
		/* by hand: the state that is closed cannot write */
		char path[128];

		self->state = NULL;

		(void)snprintf(path, sizeof(path), "%s/policy.json", self->dir);
		ASSERT_EQ(0, unlink(path));
		ASSERT_EQ(0, reopen(self));
	}
	ASSERT_EQ(0, write_policy(self, good));
	EXPECT_EQ(0, reopen(self));
}
