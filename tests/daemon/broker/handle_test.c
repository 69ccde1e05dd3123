/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/handle.h"
#include "tests/harness.h"

#include <stdlib.h>
#include <sys/random.h>

FIXTURE(handle) { struct handle_table t; struct handle_owner mine, other; uint64_t id; int object; };
FIXTURE_SETUP(handle)
{
	ASSERT_EQ(0, handle_table_init(&self->t));
	handle_owner_init(&self->mine);
	handle_owner_init(&self->other);
	ASSERT_EQ(0, handle_new(&self->t, &self->mine, HANDLE_KEY, &self->object, &self->id));
}
FIXTURE_TEARDOWN(handle)
{
	free(self->t.slots);
}

static int look(struct fixture_handle *self, struct handle_owner *owner, uint64_t id,
		enum handle_kind kind, uint16_t *reason)
{
	void *object;

	return handle_lookup(&self->t, owner, id, kind, &object, reason);
}

TEST(every_pair_of_state_and_event_is_decided)
{
	static const int want[3][3] = {
		/*                MAKE          AGE            RELEASE */
		[HANDLE_FREE] = { HANDLE_LIVE,  -EPROTO,       -EPROTO },
		[HANDLE_LIVE] = { -EPROTO,      HANDLE_STALE,  HANDLE_FREE },
		[HANDLE_STALE] = { -EPROTO,     -EPROTO,       HANDLE_FREE },
	};

	for (int s = 0; s < 3; s++)
		for (int e = 0; e < 3; e++)
			EXPECT_EQ(want[s][e], handle_step((enum handle_state)s, (enum handle_event)e));
}

TEST_F(handle, its_owner_finds_it_and_nobody_else)
{
	uint16_t reason = 0;

	EXPECT_EQ(0, look(self, &self->mine, self->id, HANDLE_KEY, &reason));
	EXPECT_EQ(-EBADF, look(self, &self->other, self->id, HANDLE_KEY, &reason));
	EXPECT_EQ(-EBADF, look(self, &self->mine, self->id, HANDLE_CONTEXT, &reason));
	EXPECT_EQ(-EBADF, look(self, &self->mine, 0, HANDLE_KEY, &reason));
	EXPECT_EQ(-EBADF, look(self, &self->mine, self->id + 1, HANDLE_KEY, &reason));
}

TEST_F(handle, only_the_former_owner_is_told_that_it_is_stale)
{
	uint16_t reason = 0;

	handle_age(&self->t, self->id, KF_REASON_RESET);
	EXPECT_EQ(-ESTALE, look(self, &self->mine, self->id, HANDLE_KEY, &reason));
	EXPECT_EQ(KF_REASON_RESET, reason);
	EXPECT_EQ(-EBADF, look(self, &self->other, self->id, HANDLE_KEY, &reason));
	EXPECT_EQ(-EBADF, look(self, &self->mine, self->id, HANDLE_CONTEXT, &reason));
	handle_forget(&self->t, &self->other, self->id);
	EXPECT_EQ(-ESTALE, look(self, &self->mine, self->id, HANDLE_KEY, &reason));
	handle_forget(&self->t, &self->mine, self->id);
	EXPECT_EQ(-EBADF, look(self, &self->mine, self->id, HANDLE_KEY, &reason));
}

TEST_F(handle, former_handles_are_remembered_up_to_a_bound)
{
	uint16_t reason;
	uint64_t id;

	handle_age(&self->t, self->id, KF_REASON_RESET);
	for (int i = 0; i < HANDLES_STALE; i++) {
		ASSERT_EQ(0, handle_new(&self->t, &self->mine, HANDLE_KEY, self, &id));
		handle_close(&self->t, id);
	}
	EXPECT_EQ((size_t)HANDLES_STALE, self->mine.n_stale);
	EXPECT_EQ(-EBADF, look(self, &self->mine, self->id, HANDLE_KEY, &reason));
	EXPECT_LE(self->t.n_used, (size_t)HANDLES_STALE + 2);
	handle_owner_deinit(&self->t, &self->mine);
	EXPECT_EQ(-EBADF, look(self, &self->mine, id, HANDLE_KEY, &reason));
}

TEST_F(handle, a_used_slot_gets_a_new_number)
{
	uint64_t before = self->id, id;
	uint16_t reason;

	handle_close(&self->t, self->id);
	handle_forget(&self->t, &self->mine, self->id);
	ASSERT_EQ(0, handle_new(&self->t, &self->mine, HANDLE_KEY, self, &id));
	EXPECT_EQ(before & 0x1ffff, id & 0x1ffff);
	EXPECT_NE(before, id);
	EXPECT_EQ(-EBADF, look(self, &self->mine, before, HANDLE_KEY, &reason));
}

TEST_F(handle, a_full_table_says_so)
{
	uint64_t id;

	for (size_t i = 1; i < HANDLES_MAX; i++)
		ASSERT_EQ(0, handle_new(&self->t, &self->mine, HANDLE_KEY, self, &id));
	EXPECT_EQ(-ENOSPC, handle_new(&self->t, &self->mine, HANDLE_KEY, self, &id));
}

/* What is remembered only to be told about it never stands in the way of what is used. */
TEST_F(handle, former_handles_of_others_make_room_the_oldest_first)
{
	uint64_t oldest, next, live, id;
	uint16_t reason;

	ASSERT_EQ(0, handle_new(&self->t, &self->other, HANDLE_KEY, self, &oldest));
	ASSERT_EQ(0, handle_new(&self->t, &self->other, HANDLE_KEY, self, &next));
	ASSERT_EQ(0, handle_new(&self->t, &self->other, HANDLE_KEY, self, &live));
	handle_close(&self->t, oldest);
	handle_close(&self->t, next);
	for (size_t i = 4; i < HANDLES_MAX; i++)
		ASSERT_EQ(0, handle_new(&self->t, &self->mine, HANDLE_KEY, self, &id));
	EXPECT_EQ(-ESTALE, look(self, &self->other, oldest, HANDLE_KEY, &reason));
	ASSERT_EQ(0, handle_new(&self->t, &self->mine, HANDLE_KEY, self, &id));
	EXPECT_EQ(-EBADF, look(self, &self->other, oldest, HANDLE_KEY, &reason));
	EXPECT_EQ(-ESTALE, look(self, &self->other, next, HANDLE_KEY, &reason));
	EXPECT_EQ(1u, self->other.n_stale);
	ASSERT_EQ(0, handle_new(&self->t, &self->mine, HANDLE_KEY, self, &id));
	EXPECT_EQ(-EBADF, look(self, &self->other, next, HANDLE_KEY, &reason));
	EXPECT_EQ(-ENOSPC, handle_new(&self->t, &self->mine, HANDLE_KEY, self, &id));
	EXPECT_EQ(0, look(self, &self->other, live, HANDLE_KEY, &reason));
}

/* By the wrong client and the right one, random numbers and near misses on live indices. */
TEST_F(handle, a_million_guesses_find_nothing)
{
	static uint64_t guess[1000];
	uint16_t reason;
	uint64_t id;

	for (int i = 0; i < 1000; i++)
		ASSERT_EQ(0, handle_new(&self->t, &self->mine, HANDLE_KEY, self, &id));
	for (size_t round = 0; round < 1000; round++) {
		ASSERT_EQ((ssize_t)256, getrandom(guess, 256, 0));
		for (size_t i = 32; i < 1000; i++)
			guess[i] = guess[i % 32] * 0x9e3779b97f4a7c15u + i * round;
		for (size_t i = 0; i < 1000; i++) {
			uint64_t g = i % 2 ? guess[i] : (guess[i] & ~UINT64_C(0x1ffff)) | (i & 0x3ff);

			if (g == self->id)
				continue;
			if (look(self, &self->other, g, HANDLE_KEY, &reason) != -EBADF ||
			    look(self, &self->mine, g, HANDLE_KEY, &reason) != -EBADF)
				TEST_FAIL("guess %llx worked", (unsigned long long)g);
		}
	}
}
