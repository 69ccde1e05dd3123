/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The packets of docs/vreader.md, sections 2 to 7, from the driver's side. */
#include "driver/socket/socket.h"
#include "tests/driver/scripted.h"
#include "tests/harness.h"
#include "tests/oom.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

FIXTURE(pipe) {
	struct pipe *pipe;
	int far;
};

static void put(int fd, const char *hex)
{
	uint8_t buf[512];
	size_t n = unhex(hex, buf, sizeof(buf));

	ASSERT_EQ((ssize_t)n, send(fd, buf, n, MSG_NOSIGNAL));
}

static void expect(int fd, const char *hex)
{
	uint8_t want[512], got[512];
	size_t n = unhex(hex, want, sizeof(want));
	ssize_t r = recv(fd, got, sizeof(got), MSG_DONTWAIT);

	ASSERT_GE(r, 0);
	EXPECT_BYTES_EQ(BYTES(want, n), BYTES(got, (size_t)r));
}

/* 18 + 9 bytes are enough here: the pipe does not judge what it carries. */
#define DESCRIPTORS "00 120100020000004009120100000100000001 0902090000010080 32"

FIXTURE_SETUP(pipe)
{
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds));
	self->far = fds[1];
	put(self->far, DESCRIPTORS);
	ASSERT_EQ(0, socket_pipe_new(fds[0], deadline_in(1000), &self->pipe));
	self->pipe->ep_out = 0x01;
	self->pipe->ep_in = 0x82;
}

FIXTURE_TEARDOWN(pipe)
{
	(void)pipe_close(self->pipe);
	(void)close(self->far);
}

static int in(struct pipe *pipe, uint64_t ms, uint8_t *buf, size_t cap, size_t *n)
{
	*n = 0;
	return pipe_bulk_in(pipe, buf, cap, deadline_in(ms), n);
}

TEST_F(pipe, the_first_packet_is_the_descriptors)
{
	EXPECT_EQ(18, self->pipe->device.n);
	EXPECT_EQ(9, self->pipe->config.n);
	EXPECT_EQ(0x12, self->pipe->device.p[0]);
	EXPECT_EQ(0x02, self->pipe->config.p[1]);
}

TEST_F(pipe, a_bulk_transfer_is_one_packet_each_way)
{
	uint8_t buf[64];
	size_t n;

	EXPECT_EQ(0, pipe_bulk_out(self->pipe, BYTES("\x65\x00", 2), deadline_in(100)));
	expect(self->far, "01 6500");
	put(self->far, "01 8100");
	put(self->far, "01");
	ASSERT_EQ(0, in(self->pipe, 100, buf, sizeof(buf), &n));
	EXPECT_BYTES_EQ(BYTES("\x81\x00", 2), BYTES(buf, n));
	ASSERT_EQ(0, in(self->pipe, 100, buf, sizeof(buf), &n));
	EXPECT_EQ(0, n);
	EXPECT_EQ(-ETIMEDOUT, in(self->pipe, 20, buf, sizeof(buf), &n));
}

TEST_F(pipe, a_transfer_longer_than_its_buffer_is_lost_and_the_next_is_not)
{
	uint8_t buf[4];
	size_t n;

	put(self->far, "01 1122334455");
	put(self->far, "01 66");
	EXPECT_EQ(-EOVERFLOW, in(self->pipe, 100, buf, sizeof(buf), &n));
	EXPECT_EQ(0, in(self->pipe, 100, buf, sizeof(buf), &n));
	EXPECT_EQ(0x66, buf[0]);
}

TEST_F(pipe, the_longest_message_fits_and_a_longer_packet_is_an_overrun)
{
	uint8_t *big = calloc(1, 80000), *buf = malloc(80000);
	const int sndbuf = SOCKET_SNDBUF;
	size_t n;

	ASSERT_NOT_NULL(big);
	ASSERT_NOT_NULL(buf);
	ASSERT_EQ(0, setsockopt(self->far, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf)));
	big[0] = SOCKET_BULK;
	ASSERT_EQ(65555, send(self->far, big, 65555, 0));
	ASSERT_EQ(65556, send(self->far, big, 65556, 0));
	ASSERT_EQ(80000, send(self->far, big, 80000, 0));
	EXPECT_EQ(0, in(self->pipe, 100, buf, 80000, &n));
	EXPECT_EQ(65554, n);
	EXPECT_EQ(-EOVERFLOW, in(self->pipe, 100, buf, 80000, &n));
	EXPECT_EQ(-EOVERFLOW, in(self->pipe, 100, buf, 80000, &n));
	EXPECT_EQ(0, pipe_bulk_out(self->pipe, BYTES(big, 65554), deadline_in(500)));
	EXPECT_EQ(65555, recv(self->far, buf, 80000, 0));
	free(big);
	free(buf);
}

TEST_F(pipe, what_comes_while_another_kind_is_awaited_is_kept)
{
	uint8_t buf[64];
	size_t n = 0;
	struct usb_setup setup = { 0x21, 0x01, 0x0700, 0, 0 };

	put(self->far, "02 5003");
	put(self->far, "01 aa");
	put(self->far, "03 00");
	put(self->far, "01 bb");
	ASSERT_EQ(0, pipe_control(self->pipe, &setup, BYTES_NONE, NULL, 0, deadline_in(100), NULL));
	expect(self->far, "03 2101000700000000");
	ASSERT_EQ(0, in(self->pipe, 100, buf, sizeof(buf), &n));
	EXPECT_EQ(0xaa, buf[0]);
	ASSERT_EQ(0, pipe_interrupt_in(self->pipe, buf, sizeof(buf), &n));
	EXPECT_BYTES_EQ(BYTES("\x50\x03", 2), BYTES(buf, n));
	EXPECT_EQ(-EAGAIN, pipe_interrupt_in(self->pipe, buf, sizeof(buf), &n));
	ASSERT_EQ(0, in(self->pipe, 100, buf, sizeof(buf), &n));
	EXPECT_EQ(0xbb, buf[0]);
}

/* An answer that came at a bad moment must not be missing later, in silence. */
TEST_F(pipe, what_cannot_be_kept_ends_the_connection)
{
	const struct usb_setup setup = { .type = 0xa1, .request = 3, .length = 2 };
	uint8_t buf[16];
	long tries = 0;
	size_t n;

	put(self->far, "01 aabb");
	put(self->far, "03 00 0102");
	oom_begin(0);
	EXPECT_EQ(-ENOMEM, pipe_control(self->pipe, &setup, BYTES_NONE, buf, sizeof(buf),
					deadline_in(1000), &n));
	(void)oom_end(&tries);
	EXPECT_EQ(-ENODEV, in(self->pipe, 100, buf, sizeof(buf), &n));
}

TEST_F(pipe, a_control_request_brings_data_or_a_stall)
{
	struct usb_setup setup = { 0x80, 0x06, 0x0301, 0x0409, 4 };
	uint8_t buf[64];
	size_t n = 0;

	put(self->far, "03 00 0403 4100");
	ASSERT_EQ(0, pipe_control(self->pipe, &setup, BYTES_NONE, buf, sizeof(buf),
				  deadline_in(100), &n));
	EXPECT_EQ(4, n);
	put(self->far, "03 01");
	EXPECT_EQ(-EPIPE, pipe_control(self->pipe, &setup, BYTES_NONE, buf, sizeof(buf),
				       deadline_in(100), &n));
	put(self->far, "03 00 0102030405");	/* more than was asked for */
	EXPECT_EQ(-EOVERFLOW, pipe_control(self->pipe, &setup, BYTES_NONE, buf, sizeof(buf),
					   deadline_in(100), &n));
}

TEST_F(pipe, a_late_control_answer_is_not_taken_for_the_next)
{
	struct usb_setup setup = { 0x80, 0x06, 0x0301, 0x0409, 4 };
	uint8_t buf[64];
	size_t n = 0;

	EXPECT_EQ(-ETIMEDOUT, pipe_control(self->pipe, &setup, BYTES_NONE, buf, sizeof(buf),
					   deadline_in(20), &n));
	put(self->far, "03 00 aaaa");
	put(self->far, "03 00 bbbb");
	ASSERT_EQ(0, pipe_control(self->pipe, &setup, BYTES_NONE, buf, sizeof(buf),
				  deadline_in(100), &n));
	EXPECT_EQ(0xbb, buf[0]);
}

TEST_F(pipe, a_halted_endpoint_says_so_until_it_is_cleared)
{
	uint8_t buf[64];
	size_t n;

	put(self->far, "01 aa");
	put(self->far, "04 82 01");
	EXPECT_EQ(0, in(self->pipe, 100, buf, sizeof(buf), &n));
	EXPECT_EQ(-EPIPE, in(self->pipe, 100, buf, sizeof(buf), &n));
	EXPECT_EQ(PIPE_HALTED_IN, self->pipe->halted);
	EXPECT_EQ(-EPIPE, in(self->pipe, 100, buf, sizeof(buf), &n));
	EXPECT_EQ(0, pipe_clear_halt(self->pipe, 0x82, deadline_in(100)));
	expect(self->far, "04 82 02");
	put(self->far, "01 bb");
	EXPECT_EQ(0, in(self->pipe, 100, buf, sizeof(buf), &n));

	put(self->far, "04 01 01");
	EXPECT_EQ(-EPIPE, in(self->pipe, 100, buf, sizeof(buf), &n));
	EXPECT_EQ(PIPE_HALTED_OUT, self->pipe->halted);
	EXPECT_EQ(-EPIPE, pipe_bulk_out(self->pipe, BYTES("a", 1), deadline_in(100)));
	EXPECT_EQ(0, pipe_clear_halt(self->pipe, 0x01, deadline_in(100)));
	EXPECT_EQ(0, pipe_bulk_out(self->pipe, BYTES("a", 1), deadline_in(100)));
	put(self->far, "04 7f 01");		/* no endpoint of ours */
	EXPECT_EQ(-ETIMEDOUT, in(self->pipe, 20, buf, sizeof(buf), &n));
}

TEST_F(pipe, f26_a_reader_that_does_not_read_ends_at_the_deadline)
{
	static uint8_t big[60000];
	int r = 0;

	for (int i = 0; i < 100 && r == 0; i++)
		r = pipe_bulk_out(self->pipe, BYTES_OF(big), deadline_in(50));
	EXPECT_EQ(-ETIMEDOUT, r);
}

TEST_F(pipe, the_queues_are_bounded_and_lost_notices_are_announced)
{
	struct usb_setup setup = { 0x21, 0x01, 0, 0, 0 };
	uint8_t buf[64];
	size_t n = 0;
	int got = 0;

	for (int i = 0; i < 20; i++)
		put(self->far, "01 aa");
	for (int i = 0; i < 20; i++)
		put(self->far, "02 5003");
	put(self->far, "03 00");
	ASSERT_EQ(0, pipe_control(self->pipe, &setup, BYTES_NONE, NULL, 0, deadline_in(100), NULL));
	while (in(self->pipe, 0, buf, sizeof(buf), &n) == 0)
		got++;
	EXPECT_EQ(8, got);
	for (got = 0; pipe_interrupt_in(self->pipe, buf, sizeof(buf), &n) == 0; )
		got++;
	EXPECT_EQ(16, got);
	EXPECT_EQ(-EAGAIN, pipe_interrupt_in(self->pipe, buf, sizeof(buf), &n));
}

TEST_F(pipe, a_flood_of_other_packets_ends_at_the_deadline)
{
	uint8_t buf[64];
	size_t n;
	pid_t pid = fork();

	ASSERT_GE(pid, 0);
	if (pid == 0) {
		while (send(self->far, "\x02\x50\x03", 3, MSG_NOSIGNAL) > 0)
			;
		_exit(0);
	}
	EXPECT_EQ(-ETIMEDOUT, in(self->pipe, 100, buf, sizeof(buf), &n));
	(void)close(self->far);
	self->far = -1;
	self->pipe = pipe_close(self->pipe);
}

static int wake_counts(void *arg)
{
	char byte;

	++*(int *)arg;
	return read(*((int *)arg + 1), &byte, 1) == 1 && byte == 'c' ? -ECANCELED : 0;
}

TEST_F(pipe, another_descriptor_can_end_a_wait)
{
	int arg[2] = { 0, -1 }, fds[2];
	uint8_t buf[64];
	size_t n;

	ASSERT_EQ(0, pipe(fds));
	arg[1] = fds[0];
	self->pipe->wake = (struct wake){ fds[0], wake_counts, arg };
	ASSERT_EQ(3, write(fds[1], "..c", 3));
	EXPECT_EQ(-ECANCELED, in(self->pipe, 2000, buf, sizeof(buf), &n));
	EXPECT_EQ(3, arg[0]);
}

FIXTURE(breach) { int unused; };
FIXTURE_VARIANT(breach) { const char *packet; };
FIXTURE_VARIANT_ADD(breach, second_descriptors) { DESCRIPTORS };
FIXTURE_VARIANT_ADD(breach, unknown_kind) { "05 00" };
FIXTURE_VARIANT_ADD(breach, empty) { "" };
FIXTURE_VARIANT_ADD(breach, control_without_status) { "03" };
FIXTURE_VARIANT_ADD(breach, endpoint_cut_short) { "04 82" };
FIXTURE_VARIANT_ADD(breach, endpoint_event_unknown) { "04 82 07" };
FIXTURE_SETUP(breach) { (void)self; }
FIXTURE_TEARDOWN(breach) { (void)self; }

TEST_F(breach, a_reader_that_breaks_the_rules_is_gone)
{
	struct pipe *pipe = NULL;
	uint8_t buf[64];
	size_t n;
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds));
	put(fds[1], DESCRIPTORS);
	ASSERT_EQ(0, socket_pipe_new(fds[0], deadline_in(1000), &pipe));
	put(fds[1], variant->packet);
	EXPECT_EQ(-ENODEV, in(pipe, 500, buf, sizeof(buf), &n));
	put(fds[1], "01 aa");
	EXPECT_EQ(-ENODEV, in(pipe, 500, buf, sizeof(buf), &n));
	EXPECT_EQ(-ENODEV, pipe_bulk_out(pipe, BYTES("a", 1), deadline_in(100)));
	(void)pipe_close(pipe);
	(void)close(fds[1]);
}

FIXTURE(first) { int unused; };
FIXTURE_VARIANT(first) { const char *packet; int r; };
FIXTURE_VARIANT_ADD(first, bulk) { "01 aa", -EBADMSG };
FIXTURE_VARIANT_ADD(first, only_a_device) { "00 120100020000004009120100000100000001", -EBADMSG };
FIXTURE_VARIANT_ADD(first, nothing) { "", -ENODEV };
FIXTURE_SETUP(first) { (void)self; }
FIXTURE_TEARDOWN(first) { (void)self; }

TEST_F(first, a_bad_first_packet_is_refused)
{
	struct pipe *pipe = NULL;
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds));
	put(fds[1], variant->packet);
	EXPECT_EQ(variant->r, socket_pipe_new(fds[0], deadline_in(500), &pipe));
	EXPECT_NULL(pipe);
	EXPECT_EQ(-1, fcntl(fds[0], F_GETFD));	/* taken over, on failure too */
	(void)close(fds[1]);
}

TEST(another_type_of_socket_and_a_silent_reader_are_refused)
{
	struct pipe *pipe = NULL;
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	EXPECT_EQ(-EINVAL, socket_pipe_new(fds[0], deadline_in(100), &pipe));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds));
	EXPECT_EQ(-ETIMEDOUT, socket_pipe_new(fds[0], deadline_in(30), &pipe));
}

TEST(connecting_finds_a_listener_or_says_nobody_is_there)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/kf-socket-XXXXXX", longer[200] = { 0 };
	struct pipe *pipe = NULL;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	ASSERT_NOT_NULL(mkdtemp(dir));
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/s", dir);
	EXPECT_EQ(-ENODEV, socket_pipe_connect(at.sun_path, deadline_in(100), &pipe));
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&at, sizeof(at)));
	EXPECT_EQ(-ENODEV, socket_pipe_connect(at.sun_path, deadline_in(100), &pipe));
	ASSERT_EQ(0, listen(fd, 1));
	if (fork() == 0) {
		int one = accept(fd, NULL, NULL);

		put(one, DESCRIPTORS);
		(void)recv(one, longer, 1, 0);
		_exit(0);
	}
	ASSERT_EQ(0, socket_pipe_connect(at.sun_path, deadline_in(2000), &pipe));
	(void)pipe_close(pipe);
	memset(longer, 'x', sizeof(longer) - 1);
	EXPECT_EQ(-ENAMETOOLONG, socket_pipe_connect(longer, deadline_in(100), &pipe));
	(void)unlink(at.sun_path);
	(void)rmdir(dir);
}
