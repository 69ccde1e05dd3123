/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/io.h"
#include "tests/harness.h"

#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

/* Two ends of a pipe of one page, so that neither side gets through in one step. */
static void narrow_pipe(int fds[static 2])
{
	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	ASSERT_LT(0, fcntl(fds[1], F_SETPIPE_SZ, 4096));
}

static void on_alarm(int number)
{
	(void)number;
}

/* No SA_RESTART: every one of them interrupts what blocks. */
static void interrupt_every_ms(void)
{
	struct sigaction act = { .sa_handler = on_alarm };
	struct itimerval every = { { 0, 1000 }, { 0, 1000 } };

	ASSERT_EQ(0, sigaction(SIGALRM, &act, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &every, NULL));
}

enum { LONG = 64 << 10 };

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7 + (i >> 8));
}

TEST(what_signals_interrupt_and_pipes_cut_arrives_whole)
{
	static uint8_t sent[LONG], got[LONG + 1];
	int fds[2], status = 0;
	pid_t child;

	for (size_t i = 0; i < LONG; i++)
		sent[i] = pattern(i);
	narrow_pipe(fds);
	child = fork();
	if (child == 0) {
		interrupt_every_ms();
		(void)close(fds[0]);
		_exit(io_write(fds[1], BYTES_OF(sent)) == 0 ? 0 : 1);
	}
	(void)close(fds[1]);
	interrupt_every_ms();
	for (int i = 0; i < 3; i++)
		(void)usleep(5000);	/* let the writer block and be interrupted */
	EXPECT_EQ(LONG, io_read(fds[0], got, sizeof(got)));
	EXPECT_BYTES_EQ(BYTES_OF(sent), BYTES(got, LONG));
	(void)close(fds[0]);
	while (waitpid(child, &status, 0) < 0)
		ASSERT_EQ(EINTR, errno);
	EXPECT_EQ(0, status);
}

TEST(reading_stops_where_the_buffer_ends)
{
	uint8_t buf[4] = { 0 };
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	ASSERT_EQ(0, io_write(fds[1], BYTES("abcdef", 6)));
	EXPECT_EQ(3, io_read(fds[0], buf, 3));
	EXPECT_BYTES_EQ(BYTES("abc\0", 4), BYTES_OF(buf));
	(void)close(fds[1]);
	EXPECT_EQ(3, io_read(fds[0], buf, sizeof(buf)));
	(void)close(fds[0]);
}

TEST(a_failure_is_its_errno)
{
	uint8_t buf[1];
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	EXPECT_EQ(-EBADF, io_read(-1, buf, 1));
	EXPECT_EQ(-EBADF, io_write(-1, BYTES("x", 1)));
	EXPECT_EQ(-ENOSPC, io_write(full, BYTES("x", 1)));
	EXPECT_EQ(0, io_write(-1, BYTES_NONE));
	(void)close(full);
}

TEST(the_folder_of_a_name_is_found)
{
	EXPECT_EQ(0, io_sync_parent("name"));
	EXPECT_EQ(0, io_sync_parent("/name"));
	EXPECT_EQ(0, io_sync_parent("/tmp/name"));
	EXPECT_EQ(-ENOENT, io_sync_parent("/nonexistent/name"));
	EXPECT_EQ(-ENOTDIR, io_sync_parent("/dev/null/name"));
}
