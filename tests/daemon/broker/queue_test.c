/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/queue.h"
#include "tests/harness.h"

#define N 32

FIXTURE(queue) { struct queue q; struct queued items[N]; int who[N]; };
FIXTURE_SETUP(queue)
{
	queue_init(&self->q);
	for (int i = 0; i < N; i++)
		list_init(&self->items[i].link);
}
FIXTURE_TEARDOWN(queue)
{
	for (int i = 0; i < N; i++)
		queue_remove(&self->q, &self->items[i]);
	queue_deinit(&self->q);
}

static bool any(const struct queued *item, const void *arg)
{
	(void)item;
	(void)arg;
	return true;
}

static bool only(const struct queued *item, const void *arg)
{
	return item == arg;
}

static void push_of(struct fixture_queue *self, int item, int who, int user)
{
	self->who[item] = who;
	ASSERT_EQ(0, queue_push(&self->q, (const void *)(uintptr_t)(user + 1),
				(const void *)(uintptr_t)(who + 1), &self->items[item]));
}

/* Of a user who has no other client. */
static void push(struct fixture_queue *self, int item, int who)
{
	push_of(self, item, who, who);
}

static int take(struct fixture_queue *self)
{
	struct queued *item = queue_take(&self->q, any, NULL);

	return item ? (int)(item - self->items) : -1;
}

TEST_F(queue, clients_take_turns_however_much_one_of_them_asks)
{
	for (int i = 0; i < 10; i++)
		push(self, i, 0);		/* the flood */
	push(self, 10, 1);
	push(self, 11, 2);
	push(self, 12, 1);
	EXPECT_EQ(0, take(self));
	EXPECT_EQ(10, take(self));
	EXPECT_EQ(11, take(self));
	EXPECT_EQ(1, take(self));
	EXPECT_EQ(12, take(self));
	push(self, 13, 3);			/* who comes later waits one round at most */
	EXPECT_EQ(2, take(self));
	EXPECT_EQ(13, take(self));
	EXPECT_EQ(3, take(self));
}

TEST_F(queue, one_client_is_served_in_its_order)
{
	for (int i = 0; i < 5; i++)
		push(self, i, 7);
	for (int i = 0; i < 5; i++)
		EXPECT_EQ(i, take(self));
	EXPECT_EQ(-1, take(self));
}

TEST_F(queue, who_may_not_keeps_its_place)
{
	push(self, 0, 0);
	push(self, 1, 1);
	push(self, 2, 1);
	EXPECT_EQ(&self->items[2], queue_take(&self->q, only, &self->items[2]));
	EXPECT_NULL(queue_take(&self->q, only, &self->items[5]));
	EXPECT_EQ(0, take(self));
	EXPECT_EQ(1, take(self));
}

TEST_F(queue, items_can_leave_and_lanes_go_with_the_last)
{
	push(self, 0, 0);
	push(self, 1, 0);
	EXPECT_EQ(2u, queue_count(&self->q, (const void *)1));
	queue_remove(&self->q, &self->items[0]);
	EXPECT_EQ(1u, queue_count(&self->q, (const void *)1));
	queue_remove(&self->q, &self->items[1]);
	queue_remove(&self->q, &self->items[1]);
	EXPECT_EQ(0u, self->q.n_items);
	EXPECT_TRUE(list_empty(&self->q.lanes));
}

TEST_F(queue, users_take_turns_however_many_clients_one_of_them_has)
{
	for (int i = 0; i < 10; i++)
		push_of(self, i, i, 0);		/* ten clients of one user */
	push_of(self, 10, 10, 1);
	push_of(self, 11, 11, 2);
	push_of(self, 12, 10, 1);
	EXPECT_EQ(0, take(self));
	EXPECT_EQ(10, take(self));
	EXPECT_EQ(11, take(self));
	EXPECT_EQ(1, take(self));
	EXPECT_EQ(12, take(self));
	push_of(self, 13, 0, 0);		/* again the one who was first: behind its own */
	EXPECT_EQ(2, take(self));
	push_of(self, 14, 13, 3);
	EXPECT_EQ(3, take(self));		/* it came when it was this user's turn */
	EXPECT_EQ(14, take(self));
	for (int i = 4; i < 10; i++)
		EXPECT_EQ(i, take(self));
	EXPECT_EQ(13, take(self));
	EXPECT_EQ(-1, take(self));
}
