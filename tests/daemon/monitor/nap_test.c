/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/monitor/nap.h"
#include "tests/harness.h"

#include <poll.h>
#include <sys/timerfd.h>

static int told;
static void woke(struct nap *nap)
{
	(void)nap;
	told++;
}

TEST(it_needs_no_wakeups_to_watch)
{
	struct loop loop;
	struct nap nap;
	struct itimerspec left;

	ASSERT_EQ(0, loop_init(&loop));
	ASSERT_EQ(0, nap_init(&nap, &loop, woke));
	EXPECT_EQ(0u, loop.n_heap);
	ASSERT_EQ(0, timerfd_gettime(nap.source.fd, &left));
	EXPECT_LT(100L * 365 * 86400, left.it_value.tv_sec);
	EXPECT_EQ(0, poll(&(struct pollfd){ .fd = nap.source.fd, .events = POLLIN }, 1, 50));
	EXPECT_EQ(0, told);
	nap_deinit(&nap);
	loop_deinit(&loop);
}

/* The kernel makes the timer ready when the clock was set and after a sleep; here it is just due. */
TEST(H17_only_a_sleep_is_told_not_a_clock_that_was_set)
{
	const struct itimerspec soon = { .it_value = { .tv_nsec = 1 } };
	struct loop loop;
	struct nap nap;

	ASSERT_EQ(0, loop_init(&loop));
	ASSERT_EQ(0, nap_init(&nap, &loop, woke));
	ASSERT_EQ(0, timerfd_settime(nap.source.fd, 0, &soon, NULL));
	ASSERT_EQ(0, loop_turn(&loop, 1000));
	EXPECT_EQ(0, told);
	nap.watch.between_ms -= 1000;
	ASSERT_EQ(0, timerfd_settime(nap.source.fd, 0, &soon, NULL));
	ASSERT_EQ(0, loop_turn(&loop, 1000));
	EXPECT_EQ(1, told);
	nap_deinit(&nap);
	loop_deinit(&loop);
}
