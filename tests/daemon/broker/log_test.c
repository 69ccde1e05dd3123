/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/broker/log.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)

TEST(a_flood_is_cut_to_a_burst_and_one_a_second)
{
	struct log log = LOG_INIT;
	int written = 0;

	for (int i = 0; i < 1000; i++)
		written += log_allows(&log, 100 * SECOND);
	EXPECT_EQ(LOG_BURST, written);
	EXPECT_EQ(1000u - LOG_BURST, log.swallowed);
	EXPECT_EQ(1, log_allows(&log, 101 * SECOND));
	EXPECT_EQ(0, log_allows(&log, 101 * SECOND));
}

TEST(quiet_time_gives_the_whole_burst_back_and_no_more)
{
	struct log log = LOG_INIT;
	int written = 0;

	for (int i = 0; i < 100; i++)
		(void)log_allows(&log, 100 * SECOND);
	for (int i = 0; i < 100; i++)
		written += log_allows(&log, 1000 * SECOND);
	EXPECT_EQ(LOG_BURST, written);
}

TEST(a_log_that_nobody_reads_holds_nobody_up)
{
	int pipe_fds[2], was = dup(STDERR_FILENO);

	ASSERT_EQ(0, pipe2(pipe_fds, O_CLOEXEC));
	ASSERT_EQ(STDERR_FILENO, dup2(pipe_fds[1], STDERR_FILENO));
	for (int i = 0; i < 10000; i++)		/* more than a pipe holds */
		log_line("a line that nobody reads, %d", i);
	ASSERT_EQ(STDERR_FILENO, dup2(was, STDERR_FILENO));
}
