/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/usb/transfer.h"

#include "tests/driver/usb/fake_libusb.h"
#include "tests/harness.h"

#include <poll.h>
#include <unistd.h>

FIXTURE(flight) {
	struct flights flights;
	struct transfer t;
	struct wake wake;
};

FIXTURE_SETUP(flight)
{
	self->t = TRANSFER_INIT;
	self->wake = WAKE_NONE;
	ASSERT_EQ(0, flights_init(&self->flights));
	ASSERT_EQ(0, transfer_reserve(&self->t, 64));
}

FIXTURE_TEARDOWN(flight)
{
	transfer_deinit(&self->t);
	flights_deinit(&self->flights);
}

static int take_off(struct transfer *t)
{
	return transfer_submit(t, NULL, LIBUSB_TRANSFER_TYPE_BULK, 0x82, 0, 64);
}

TEST_F(flight, a_transfer_lands_with_what_it_brought)
{
	fake_expect(0x82, LIBUSB_TRANSFER_COMPLETED, "abc", 3);
	ASSERT_EQ(0, take_off(&self->t));
	ASSERT_EQ(0, transfer_await(&self->t, &self->flights, &self->wake, deadline_in(1000)));
	EXPECT_EQ(LIBUSB_TRANSFER_COMPLETED, self->t.status);
	EXPECT_BYTES_EQ(BYTES("abc", 3), BYTES(self->t.buf, self->t.n));
	transfer_wipe(&self->t);
	EXPECT_BYTES_EQ(BYTES("\0\0\0", 3), BYTES(self->t.buf, 3));
}

TEST_F(flight, at_the_deadline_it_is_called_off_and_what_came_is_kept)
{
	fake.partial = 2;
	ASSERT_EQ(0, take_off(&self->t));
	EXPECT_EQ(-ETIMEDOUT, transfer_await(&self->t, &self->flights, &self->wake,
					     deadline_in(30)));
	EXPECT_EQ(1u, fake.cancelled);
	EXPECT_EQ(2u, self->t.n);
	EXPECT_EQ(TRANSFER_LANDED, self->t.state);
}

TEST_F(flight, one_that_landed_in_time_is_not_late_because_nobody_looked)
{
	fake_expect(0x82, LIBUSB_TRANSFER_COMPLETED, "abc", 3);
	ASSERT_EQ(0, take_off(&self->t));
	EXPECT_EQ(0, transfer_await(&self->t, &self->flights, &self->wake, DEADLINE_PAST));
	EXPECT_EQ(0u, fake.cancelled);
}

TEST_F(flight, one_whose_callback_never_comes_is_never_freed_nor_flown_again)
{
	static struct transfer lost;	/* meant, and so no leak */
	uint64_t before = clock_ms();

	fake.stuck = true;
	ASSERT_EQ(0, take_off(&self->t));
	EXPECT_EQ(-ENODEV, transfer_await(&self->t, &self->flights, &self->wake,
					  deadline_in(10)));
	EXPECT_GE(clock_ms() - before, (uint64_t)TRANSFER_CANCEL_MS);
	EXPECT_EQ(TRANSFER_STRAY, self->t.state);
	EXPECT_EQ(-ENODEV, take_off(&self->t));
	lost = self->t;
	transfer_deinit(&self->t);
	EXPECT_EQ(0u, fake.freed);
	/* And a callback that comes after all finds everything where it was. */
	fake_land(0x82, LIBUSB_TRANSFER_COMPLETED, "abc", 3);
	flights_serve(&self->flights);
	EXPECT_EQ(TRANSFER_STRAY, self->t.state);
	EXPECT_NOT_NULL(lost.t);
}

static int say_cancelled(void *arg)
{
	char byte;

	(void)!read(*(int *)arg, &byte, 1);
	return byte == 'c' ? -ECANCELED : 0;
}

TEST_F(flight, the_wake_descriptor_is_served_and_can_call_it_off)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	self->wake = (struct wake){ fds[0], say_cancelled, &fds[0] };
	ASSERT_EQ(3, write(fds[1], "..c", 3));
	fake.partial = 64;
	ASSERT_EQ(0, take_off(&self->t));
	EXPECT_EQ(-ECANCELED, transfer_await(&self->t, &self->flights, &self->wake,
					     deadline_in(5000)));
	EXPECT_EQ(64u, self->t.n);
	EXPECT_EQ(TRANSFER_LANDED, self->t.state);
}

TEST_F(flight, a_refusal_of_the_kernel_leaves_it_on_the_ground)
{
	fake.refuse = LIBUSB_ERROR_IO;
	EXPECT_EQ(-EIO, take_off(&self->t));
	fake.refuse = LIBUSB_ERROR_NO_DEVICE;
	EXPECT_EQ(-ENODEV, take_off(&self->t));
	EXPECT_EQ(TRANSFER_LANDED, self->t.state);
	EXPECT_EQ(0, transfer_recall(&self->t, &self->flights));
}

TEST_F(flight, the_descriptor_is_readable_when_a_callback_is_due)
{
	struct pollfd fd = { .fd = self->flights.fd, .events = POLLIN };

	ASSERT_EQ(0, take_off(&self->t));
	EXPECT_EQ(0, poll(&fd, 1, 0));
	fake_land(0x82, LIBUSB_TRANSFER_COMPLETED, NULL, 0);
	EXPECT_EQ(1, poll(&fd, 1, 0));
	flights_serve(&self->flights);
	EXPECT_EQ(0, poll(&fd, 1, 0));
}
