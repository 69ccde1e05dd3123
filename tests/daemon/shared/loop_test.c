/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/list.h"
#include "daemon/shared/loop.h"
#include "tests/harness.h"

#include <sys/eventfd.h>

static struct loop loop;
static int order[64], n_order;

struct numbered { struct timer timer; int n; };

static void note(struct timer *timer)
{
	order[n_order++] = list_entry(timer, struct numbered, timer)->n;
}

TEST(timers_run_out_in_their_order_whatever_the_order_of_arming)
{
	struct numbered t[32] = { 0 };

	ASSERT_EQ(0, loop_init(&loop));
	for (int i = 0; i < 32; i++) {
		t[i] = (struct numbered){ { .fn = note }, i };
		ASSERT_EQ(0, timer_arm(&loop, &t[i].timer, 1000));
	}
	for (int i = 0; i < 32; i++)	/* moved */
		ASSERT_EQ(0, timer_arm(&loop, &t[i].timer, (uint64_t)((i * 7) % 32) + 1));
	for (int i = 0; i < 32; i += 4)
		timer_disarm(&loop, &t[i].timer);
	timer_disarm(&loop, &t[0].timer);
	ASSERT_EQ(0, loop_turn(&loop, 0));
	EXPECT_EQ(24, n_order);
	for (int i = 1; i < n_order; i++)
		EXPECT_LT((order[i - 1] * 7) % 32, (order[i] * 7) % 32);
	loop_deinit(&loop);
}

struct pair { struct source a; struct pair *other; int called; };

static void remove_other(struct source *source, uint32_t events)
{
	struct pair *pair = list_entry(source, struct pair, a);

	(void)events;
	pair->called++;
	loop_remove(&loop, &pair->other->a);
}

TEST(what_was_removed_is_not_called_even_in_the_same_batch)
{
	struct pair x = { { eventfd(1, 0), EPOLLIN, remove_other }, NULL, 0 }, y = x;

	y.a.fd = eventfd(1, 0);
	x.other = &y;
	y.other = &x;
	ASSERT_EQ(0, loop_init(&loop));
	ASSERT_EQ(0, loop_add(&loop, &x.a));
	ASSERT_EQ(0, loop_add(&loop, &y.a));
	ASSERT_EQ(0, loop_turn(&loop, 0));
	EXPECT_EQ(1, x.called + y.called);
	fd_close(x.a.fd);
	fd_close(y.a.fd);
	loop_deinit(&loop);
}

TEST(nothing_to_do_is_not_a_wake_up)
{
	ASSERT_EQ(0, loop_init(&loop));
	uint64_t before = now_ns();
	ASSERT_EQ(0, loop_turn(&loop, 20));
	EXPECT_LE(before + ms_to_ns(19), now_ns());
	loop_deinit(&loop);
}
