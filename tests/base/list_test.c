/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/list.h"
#include "tests/harness.h"

struct thing {
	int number;
	struct list link;
};

/* The numbers in the list, as decimal digits from front to back. */
static int digits(struct list *head)
{
	struct thing *t;
	int n = 0;

	list_each(t, head, link)
		n = 10 * n + t->number;
	return n;
}

TEST(what_is_pushed_comes_in_that_order)
{
	struct thing a = { .number = 1 }, b = { .number = 2 }, c = { .number = 3 };
	struct list head;

	list_init(&head);
	EXPECT_TRUE(list_empty(&head));
	EXPECT_TRUE(list_first(&head, struct thing, link) == NULL);
	list_push(&head, &a.link);
	list_push(&head, &b.link);
	list_push(&head, &c.link);
	EXPECT_EQ(123, digits(&head));
	EXPECT_TRUE(list_first(&head, struct thing, link) == &a);
}

TEST(what_is_dropped_is_gone_and_may_be_dropped_again)
{
	struct thing a = { .number = 1 }, b = { .number = 2 }, c = { .number = 3 };
	struct list head;

	list_init(&head);
	list_push(&head, &a.link);
	list_push(&head, &b.link);
	list_push(&head, &c.link);
	list_drop(&b.link);
	EXPECT_EQ(13, digits(&head));
	list_drop(&b.link);
	EXPECT_EQ(13, digits(&head));
	list_drop(&a.link);
	list_drop(&c.link);
	EXPECT_TRUE(list_empty(&head));
	list_push(&head, &b.link);
	EXPECT_EQ(2, digits(&head));
}

TEST(a_safe_walk_outlives_what_it_drops)
{
	struct thing things[4] = { { .number = 1 }, { .number = 2 }, { .number = 3 }, { .number = 4 } };
	struct thing *t, *next;
	struct list head;

	list_init(&head);
	for (int i = 0; i < 4; i++)
		list_push(&head, &things[i].link);
	list_each_safe(t, next, &head, link) {
		if (t->number % 2 != 0)
			list_drop(&t->link);
	}
	EXPECT_EQ(24, digits(&head));
}
