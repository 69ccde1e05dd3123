/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/usb/usb.h"

#include "base/deadline.h"
#include "tests/driver/usb/fake_libusb.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define SOON deadline_in(2000)

FIXTURE(usb) {
	struct pipe *pipe;
	uint8_t buf[256];
	size_t n;
};

FIXTURE_SETUP(usb)
{
	ASSERT_EQ(0, usb_pipe_new(open("/dev/null", O_RDWR | O_CLOEXEC), &self->pipe));
	self->pipe->ep_out = 0x01;
	self->pipe->ep_in = 0x82;
	self->pipe->ep_interrupt = 0x83;
	self->pipe->in_packet = 64;
	self->pipe->interrupt_packet = 8;
	self->pipe->notice_len = 2;
	ASSERT_EQ(0, self->pipe->ops->claim(self->pipe));
}

FIXTURE_TEARDOWN(usb)
{
	self->pipe = pipe_close(self->pipe);
}

static int in(struct fixture_usb *self, size_t cap, struct deadline deadline)
{
	return pipe_bulk_in(self->pipe, self->buf, cap, deadline, &self->n);
}

TEST_F(usb, a_transfer_is_asked_for_in_whole_packets)
{
	fake_expect(0x82, LIBUSB_TRANSFER_COMPLETED, "abc", 3);
	ASSERT_EQ(0, in(self, 100, SOON));
	EXPECT_EQ(128, fake.last.length);
	EXPECT_EQ(3u, self->n);
	fake_expect(0x82, LIBUSB_TRANSFER_COMPLETED, NULL, 101);
	EXPECT_EQ(-EOVERFLOW, in(self, 100, SOON));
}

TEST_F(usb, whole_packets_without_an_end_are_a_transfer_at_the_deadline)
{
	fake.partial = 64;
	ASSERT_EQ(0, in(self, 128, deadline_in(20)));
	EXPECT_EQ(64u, self->n);
	fake.partial = 0;
	EXPECT_EQ(-ETIMEDOUT, in(self, 128, deadline_in(20)));
}

TEST_F(usb, a_look_without_a_wait_is_long_enough_for_a_packet)
{
	uint64_t before = clock_ms();

	EXPECT_EQ(-ETIMEDOUT, in(self, 128, DEADLINE_PAST));
	EXPECT_GE(clock_ms() - before, 10u);
}

static int say_cancelled(void *arg)
{
	(void)arg;
	return -ECANCELED;
}

static struct wake cancelled(void)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	(void)close(fds[1]);
	return (struct wake){ fds[0], say_cancelled, NULL };
}

TEST_F(usb, bytes_that_came_while_a_wait_was_called_off_are_the_next_transfer)
{
	self->pipe->wake = cancelled();
	fake.partial = 64;
	EXPECT_EQ(-ECANCELED, in(self, 128, SOON));
	self->pipe->wake = WAKE_NONE;
	ASSERT_EQ(0, in(self, 128, SOON));
	EXPECT_EQ(64u, self->n);
	EXPECT_FALSE(fake_is_flying(0x82));
}

TEST_F(usb, f27_an_empty_packet_is_asked_for_unless_the_reader_must_not_have_one)
{
	fake_expect(0x01, LIBUSB_TRANSFER_COMPLETED, NULL, 3);
	ASSERT_EQ(0, pipe_bulk_out(self->pipe, BYTES("abc", 3), SOON));
	EXPECT_EQ(LIBUSB_TRANSFER_ADD_ZERO_PACKET, fake.last.flags);
	self->pipe->no_zero_packet = true;
	fake_expect(0x01, LIBUSB_TRANSFER_COMPLETED, NULL, 3);
	ASSERT_EQ(0, pipe_bulk_out(self->pipe, BYTES("abc", 3), SOON));
	EXPECT_EQ(0, fake.last.flags);
}

TEST_F(usb, a_command_taken_to_its_last_byte_was_sent_even_if_the_wait_was_called_off)
{
	self->pipe->wake = cancelled();
	fake.partial = 3;
	EXPECT_EQ(0, pipe_bulk_out(self->pipe, BYTES("abc", 3), SOON));
	fake_expect(0x82, LIBUSB_TRANSFER_COMPLETED, "x", 1);
	EXPECT_EQ(-ECANCELED, in(self, 128, SOON));	/* said by the next wait, and once */
	self->pipe->wake = WAKE_NONE;
	EXPECT_EQ(0, in(self, 128, SOON));
	fake.partial = 2;
	EXPECT_EQ(-ETIMEDOUT, pipe_bulk_out(self->pipe, BYTES("abc", 3), deadline_in(20)));
}

TEST_F(usb, f25_a_stall_halts_its_endpoint_until_both_halves_are_cleared)
{
	fake_expect(0x01, LIBUSB_TRANSFER_STALL, NULL, 0);
	EXPECT_EQ(-EPIPE, pipe_bulk_out(self->pipe, BYTES("abc", 3), SOON));
	EXPECT_EQ(PIPE_HALTED_OUT, self->pipe->halted);
	EXPECT_EQ(-EPIPE, pipe_bulk_out(self->pipe, BYTES("abc", 3), SOON));
	EXPECT_EQ(-ETIMEDOUT, pipe_clear_halt(self->pipe, 0x01, deadline_in(20)));
	EXPECT_EQ(0u, fake.endpoint_resets);
	fake_expect(0, LIBUSB_TRANSFER_COMPLETED, NULL, 0);
	EXPECT_EQ(0, pipe_clear_halt(self->pipe, 0x01, SOON));
	EXPECT_BYTES_EQ(BYTES("\x02\x01\0\0\x01\0\0\0", 8), BYTES(fake.last.bytes, 8));
	EXPECT_EQ(1u, fake.endpoint_resets);
	EXPECT_EQ(0u, self->pipe->halted);

	fake_expect(0x82, LIBUSB_TRANSFER_STALL, NULL, 0);
	EXPECT_EQ(-EPIPE, in(self, 128, SOON));
	EXPECT_EQ(PIPE_HALTED_IN, self->pipe->halted);
}

/* --- an answer that is asked for before the command goes out --- */

static int out(struct fixture_usb *self, struct deadline deadline)
{
	self->pipe->answer_len = 128;
	return pipe_bulk_out(self->pipe, BYTES("abc", 3), deadline);
}

TEST_F(usb, an_answer_is_asked_for_once_and_before_the_command_goes_out)
{
	unsigned int submitted = fake.submitted;

	fake_expect(0x01, LIBUSB_TRANSFER_COMPLETED, NULL, 3);
	ASSERT_EQ(0, out(self, SOON));
	EXPECT_EQ(0x01, fake.last.endpoint);
	EXPECT_TRUE(fake_is_flying(0x82));
	fake_land(0x82, LIBUSB_TRANSFER_COMPLETED, "abc", 3);
	ASSERT_EQ(0, in(self, 128, SOON));
	EXPECT_BYTES_EQ(BYTES("abc", 3), BYTES(self->buf, self->n));
	EXPECT_EQ(submitted + 2, fake.submitted);
	EXPECT_EQ(-ETIMEDOUT, in(self, 128, deadline_in(20)));	/* the next one is asked for there */
	EXPECT_EQ(submitted + 3, fake.submitted);
}

TEST_F(usb, an_answer_that_was_there_before_the_command_had_gone_is_kept)
{
	fake_expect(0x82, LIBUSB_TRANSFER_COMPLETED, "xyz", 3);
	fake_expect(0x01, LIBUSB_TRANSFER_COMPLETED, NULL, 3);
	ASSERT_EQ(0, out(self, SOON));
	ASSERT_EQ(0, in(self, 128, SOON));
	EXPECT_BYTES_EQ(BYTES("xyz", 3), BYTES(self->buf, self->n));
}

TEST_F(usb, an_answer_to_a_command_that_did_not_go_is_called_off)
{
	EXPECT_EQ(-ETIMEDOUT, out(self, deadline_in(20)));
	EXPECT_FALSE(fake_is_flying(0x82));
	EXPECT_EQ(2u, fake.cancelled);
	fake_expect(0x01, LIBUSB_TRANSFER_STALL, NULL, 0);
	EXPECT_EQ(-EPIPE, out(self, SOON));
	EXPECT_FALSE(fake_is_flying(0x82));
	EXPECT_EQ(PIPE_HALTED_OUT, self->pipe->halted);
	self->pipe->halted = 0;
	self->pipe->wake = cancelled();
	EXPECT_EQ(-ECANCELED, out(self, SOON));
	EXPECT_FALSE(fake_is_flying(0x82));
}

TEST_F(usb, what_came_before_it_was_called_off_is_the_next_transfer)
{
	fake.partial = 64;
	fake_expect(0x01, LIBUSB_TRANSFER_STALL, NULL, 0);
	EXPECT_EQ(-EPIPE, out(self, SOON));
	ASSERT_EQ(0, in(self, 128, SOON));
	EXPECT_EQ(64u, self->n);
	fake.partial = 0;
	self->pipe->halted = 0;
	fake_expect(0x82, LIBUSB_TRANSFER_COMPLETED, "xyz", 3);
	EXPECT_EQ(-ETIMEDOUT, out(self, deadline_in(20)));
	fake_expect(0x01, LIBUSB_TRANSFER_COMPLETED, NULL, 3);
	EXPECT_EQ(0, out(self, SOON));
	EXPECT_FALSE(fake_is_flying(0x82));	/* the buffer is taken */
	ASSERT_EQ(0, in(self, 128, SOON));
	EXPECT_BYTES_EQ(BYTES("xyz", 3), BYTES(self->buf, self->n));
}

TEST_F(usb, what_an_error_left_behind_is_no_transfer)
{
	fake_expect(0x82, LIBUSB_TRANSFER_OVERFLOW, "xyz", 3);
	EXPECT_EQ(-ETIMEDOUT, out(self, deadline_in(20)));
	EXPECT_EQ(-ETIMEDOUT, in(self, 128, deadline_in(20)));
}

TEST_F(usb, f25_both_pipes_may_stall_at_once)
{
	fake_expect(0x82, LIBUSB_TRANSFER_STALL, NULL, 0);
	fake_expect(0x01, LIBUSB_TRANSFER_STALL, NULL, 0);
	EXPECT_EQ(-EPIPE, out(self, SOON));
	EXPECT_EQ(PIPE_HALTED_OUT | PIPE_HALTED_IN, self->pipe->halted);
}

TEST_F(usb, f25_a_halted_in_pipe_is_asked_for_nothing)
{
	self->pipe->halted = PIPE_HALTED_IN;
	fake_expect(0x01, LIBUSB_TRANSFER_COMPLETED, NULL, 3);
	EXPECT_EQ(0, out(self, SOON));
	EXPECT_FALSE(fake_is_flying(0x82));
	EXPECT_EQ(-EPIPE, in(self, 128, SOON));
}

TEST_F(usb, a_cancel_behind_the_last_byte_of_a_command_calls_its_answer_off)
{
	self->pipe->wake = cancelled();
	fake.partial = 3;		/* of either */
	EXPECT_EQ(0, out(self, SOON));
	EXPECT_TRUE(fake_is_flying(0x82));
	EXPECT_EQ(-ECANCELED, in(self, 128, SOON));
	EXPECT_FALSE(fake_is_flying(0x82));
	self->pipe->wake = WAKE_NONE;
	ASSERT_EQ(0, in(self, 128, SOON));
	EXPECT_EQ(3u, self->n);
}

TEST_F(usb, a_stray_answer_is_the_end)
{
	fake_expect(0x01, LIBUSB_TRANSFER_STALL, NULL, 0);
	fake.stuck = true;
	EXPECT_EQ(-ENODEV, out(self, SOON));
	self->pipe->halted = 0;
	EXPECT_EQ(-ENODEV, in(self, 128, SOON));
	EXPECT_EQ(-ENODEV, out(self, SOON));
	EXPECT_TRUE(fake_is_flying(0x82));
}

TEST_F(usb, nothing_is_asked_for_where_no_answer_follows)
{
	fake_expect(0x01, LIBUSB_TRANSFER_COMPLETED, NULL, 3);
	EXPECT_EQ(0, pipe_bulk_out(self->pipe, BYTES("abc", 3), SOON));
	EXPECT_FALSE(fake_is_flying(0x82));
}

TEST_F(usb, f24_a_short_write_is_an_error)
{
	fake_expect(0x01, LIBUSB_TRANSFER_COMPLETED, NULL, 2);
	EXPECT_EQ(-EIO, pipe_bulk_out(self->pipe, BYTES("abc", 3), SOON));
}

TEST_F(usb, an_error_waits_a_moment_for_the_unplugging_it_may_be_part_of)
{
	struct pollfd fd = { .fd = self->pipe->fd, .events = POLLIN };

	fake_expect(0x82, LIBUSB_TRANSFER_ERROR, NULL, 0);
	EXPECT_EQ(-EIO, in(self, 128, SOON));
	fake.hang_up_late = true;
	fake_expect(0x82, LIBUSB_TRANSFER_ERROR, NULL, 0);
	EXPECT_EQ(-ENODEV, in(self, 128, SOON));
	EXPECT_EQ(-ENODEV, pipe_bulk_out(self->pipe, BYTES("abc", 3), SOON));
	EXPECT_EQ(-ENODEV, pipe_interrupt_in(self->pipe, self->buf, 64, &self->n));
	EXPECT_EQ(1, poll(&fd, 1, 0));		/* for whoever only polls */
}

TEST_F(usb, no_device_without_a_hang_up_was_a_sleep_and_cards_lost_their_power)
{
	fake_expect(0x82, LIBUSB_TRANSFER_NO_DEVICE, NULL, 0);
	EXPECT_EQ(-EIO, in(self, 128, SOON));
	EXPECT_EQ(1u, self->pipe->power_losses);
	fake_land(0x83, LIBUSB_TRANSFER_NO_DEVICE, NULL, 0);
	EXPECT_EQ(-EOVERFLOW, pipe_interrupt_in(self->pipe, self->buf, 64, &self->n));
	EXPECT_EQ(2u, self->pipe->power_losses);
	EXPECT_TRUE(fake_is_flying(0x83));
	fake_expect(0x82, LIBUSB_TRANSFER_COMPLETED, "x", 1);
	EXPECT_EQ(0, in(self, 128, SOON));
	fake.hung_up = true;
	fake_expect(0x82, LIBUSB_TRANSFER_NO_DEVICE, NULL, 0);
	EXPECT_EQ(-ENODEV, in(self, 128, SOON));
}

TEST_F(usb, h16_a_lost_claim_is_the_end)
{
	fake.claimed = false;
	fake_land(0x83, LIBUSB_TRANSFER_COMPLETED, NULL, 0);	/* as libusb calls it */
	EXPECT_EQ(-ENODEV, pipe_bulk_out(self->pipe, BYTES("abc", 3), SOON));
	EXPECT_NE(0x01, fake.last.endpoint);
}

TEST_F(usb, h16_and_may_show_as_an_error)
{
	fake.claimed = false;
	fake_land(0x83, LIBUSB_TRANSFER_ERROR, NULL, 0);
	EXPECT_EQ(-ENODEV, pipe_interrupt_in(self->pipe, self->buf, 64, &self->n));
	EXPECT_FALSE(fake_is_flying(0x83));
}

TEST_F(usb, h16_and_is_seen_without_an_interrupt_transfer_too)
{
	self->pipe->ep_interrupt = 0;
	fake_land(0x83, LIBUSB_TRANSFER_COMPLETED, NULL, 0);
	fake.claimed = false;
	EXPECT_EQ(-ENODEV, pipe_bulk_out(self->pipe, BYTES("abc", 3), SOON));
	EXPECT_NE(0x01, fake.last.endpoint);
}

TEST_F(usb, a_notice_is_delivered_and_the_next_one_asked_for)
{
	EXPECT_EQ(-EAGAIN, pipe_interrupt_in(self->pipe, self->buf, 64, &self->n));
	fake_land(0x83, LIBUSB_TRANSFER_COMPLETED, "\x50\x03", 2);
	ASSERT_EQ(0, pipe_interrupt_in(self->pipe, self->buf, 64, &self->n));
	EXPECT_BYTES_EQ(BYTES("\x50\x03", 2), BYTES(self->buf, self->n));
	EXPECT_EQ(0x83, fake.last.endpoint);
	EXPECT_EQ(8, fake.last.length);
	EXPECT_TRUE(fake_is_flying(0x83));
	EXPECT_EQ(-EAGAIN, pipe_interrupt_in(self->pipe, self->buf, 64, &self->n));
}

TEST_F(usb, i7_an_overflow_asks_for_more_next_time_within_bounds)
{
	fake_land(0x83, LIBUSB_TRANSFER_OVERFLOW, NULL, 8);
	EXPECT_EQ(-EOVERFLOW, pipe_interrupt_in(self->pipe, self->buf, 64, &self->n));
	EXPECT_EQ(16, fake.last.length);
	for (int i = 0; i < 20; i++) {
		fake_land(0x83, LIBUSB_TRANSFER_OVERFLOW, NULL, 8);
		EXPECT_EQ(-EOVERFLOW, pipe_interrupt_in(self->pipe, self->buf, 64, &self->n));
		EXPECT_LE(fake.last.length, 1024);
		fake_land(0x83, LIBUSB_TRANSFER_COMPLETED, "\x50\x03", 2);
		ASSERT_EQ(0, pipe_interrupt_in(self->pipe, self->buf, 64, &self->n));
	}
}

TEST_F(usb, i8_three_errors_in_a_row_end_the_notices)
{
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(0x83, self->pipe->ep_interrupt);
		fake_expect(0, LIBUSB_TRANSFER_COMPLETED, NULL, 0);
		fake_land(0x83, LIBUSB_TRANSFER_STALL, NULL, 0);
		EXPECT_EQ(-EOVERFLOW, pipe_interrupt_in(self->pipe, self->buf, 64, &self->n));
		EXPECT_EQ(i + 1u, fake.endpoint_resets);
	}
	EXPECT_EQ(0, self->pipe->ep_interrupt);
	EXPECT_FALSE(fake_is_flying(0x83));
	EXPECT_EQ(-EAGAIN, pipe_interrupt_in(self->pipe, self->buf, 64, &self->n));
}

TEST_F(usb, a_control_request_brings_data_a_stall_or_its_deadline)
{
	struct usb_setup get = { 0xa1, 0x03, 0, 1, 4 }, abort = { 0x21, 0x01, 0x0700, 0, 0 };

	fake_expect(0, LIBUSB_TRANSFER_COMPLETED, "abcd", 4);
	ASSERT_EQ(0, pipe_control(self->pipe, &get, BYTES_NONE, self->buf, 64, SOON, &self->n));
	EXPECT_BYTES_EQ(BYTES("\xa1\x03\0\0\x01\0\x04\0", 8), BYTES(fake.last.bytes, 8));
	EXPECT_BYTES_EQ(BYTES("abcd", 4), BYTES(self->buf, self->n));
	fake_expect(0, LIBUSB_TRANSFER_COMPLETED, "abcd", 4);
	EXPECT_EQ(-EOVERFLOW, pipe_control(self->pipe, &get, BYTES_NONE, self->buf, 3, SOON,
					   &self->n));
	fake_expect(0, LIBUSB_TRANSFER_STALL, NULL, 0);
	EXPECT_EQ(-EPIPE, pipe_control(self->pipe, &abort, BYTES_NONE, NULL, 0, SOON, NULL));
	EXPECT_EQ(-ETIMEDOUT, pipe_control(self->pipe, &abort, BYTES_NONE, NULL, 0,
					   deadline_in(20), NULL));
}

TEST_F(usb, a_reset_finds_nothing_in_the_air_and_notices_go_on_after_it)
{
	self->pipe->halted = PIPE_HALTED_IN;
	EXPECT_EQ(0, self->pipe->ops->reset(self->pipe, SOON));
	EXPECT_EQ(1u, fake.resets);
	EXPECT_EQ(1u, self->pipe->power_losses);
	EXPECT_EQ(0u, self->pipe->halted);
	EXPECT_TRUE(fake_is_flying(0x83));
}

TEST_F(usb, closing_calls_all_off_and_leaves_what_is_stray)
{
	self->pipe = pipe_close(self->pipe);
	EXPECT_FALSE(fake_is_flying(0x83));
	EXPECT_EQ(1u, fake.exits);

	ASSERT_EQ(0, usb_pipe_new(open("/dev/null", O_RDWR | O_CLOEXEC), &self->pipe));
	self->pipe->ep_in = 0x82;
	self->pipe->in_packet = 64;
	fake.stuck = true;
	EXPECT_EQ(-ENODEV, in(self, 64, deadline_in(10)));
	EXPECT_EQ(-ENODEV, in(self, 64, deadline_in(10)));
	self->pipe = pipe_close(self->pipe);
	EXPECT_TRUE(fake_is_flying(0x82));
	EXPECT_EQ(1u, fake.exits);		/* libusb is not called again */
}

TEST(an_interface_that_is_taken_says_busy)
{
	struct pipe *pipe = NULL;

	fake.claim = LIBUSB_ERROR_BUSY;
	ASSERT_EQ(0, usb_pipe_new(open("/dev/null", O_RDWR | O_CLOEXEC), &pipe));
	EXPECT_EQ(-EBUSY, pipe->ops->claim(pipe));
	(void)pipe_close(pipe);
}
