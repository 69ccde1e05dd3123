/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a transport may say that the socket never does, by pipes made of a few lines each.
 *
 * Faces: driver/ccid/exchange.c
 */
#include "driver/ccid/exchange.h"
#include "tests/harness.h"

#include <unistd.h>

static const uint8_t apdu[] = { 0x00, 0xa4, 0x04, 0x00 };

/*
 * Answers every command by 128 bytes, two full packets without an end, or is @silent. What is asked
 * for first has to be what was @promised with the command.
 */
struct odd_pipe {
	struct pipe pipe;
	int out_says;
	size_t promised, asked[16];
	unsigned int n_asked, resets;
	bool silent;
	uint8_t seq;
};

static int odd_out(struct pipe *pipe, struct bytes transfer, struct deadline deadline)
{
	struct odd_pipe *odd = (struct odd_pipe *)pipe;

	(void)deadline;
	odd->seq = transfer.p[6];
	odd->promised = odd->out_says == 0 ? pipe->answer_len : 0;
	EXPECT_NE(0u, pipe->answer_len);
	return odd->out_says;
}

/* A transfer that could take more stays open until the deadline. */
static int odd_in(struct pipe *pipe, uint8_t *buf, size_t cap, struct deadline deadline, size_t *n)
{
	struct odd_pipe *odd = (struct odd_pipe *)pipe;
	uint8_t message[128] = { 0x80, 118, 0, 0, 0, 0, odd->seq };
	size_t at = 0;

	if (odd->promised != 0)
		EXPECT_EQ(odd->promised, cap);
	odd->promised = 0;
	odd->asked[odd->n_asked++ % 16] = cap;
	if (odd->silent)
		return -ETIMEDOUT;
	if (odd->n_asked > 1 && odd->asked[odd->n_asked - 2] == 64 && cap == 64)
		at = 64;
	*n = cap < sizeof(message) - at ? cap : sizeof(message) - at;
	memcpy(buf, message + at, *n);
	while (*n < cap && !deadline_passed(deadline))
		(void)usleep(1000);
	return 0;
}

static int odd_reset(struct pipe *pipe, struct deadline deadline)
{
	struct odd_pipe *odd = (struct odd_pipe *)pipe;

	(void)deadline;
	odd->resets++;
	return 0;
}

static int odd_clear(struct pipe *pipe, uint8_t endpoint, struct deadline deadline)
{
	(void)pipe, (void)endpoint, (void)deadline;
	return 0;
}

static int odd_control(struct pipe *pipe, const struct usb_setup *setup, struct bytes out,
		       uint8_t *in, size_t in_cap, struct deadline deadline, size_t *in_n)
{
	(void)pipe, (void)setup, (void)out, (void)in, (void)in_cap, (void)deadline, (void)in_n;
	return -EPIPE;
}

static const struct pipe_ops odd_ops = {
	.bulk_out = odd_out, .bulk_in = odd_in, .control = odd_control, .clear_halt = odd_clear,
	.reset = odd_reset,
};

static const struct ccid_desc odd_desc = {
	.n_slots = 1, .in_packet = 64, .max_message = 512, .quirks = &(const struct quirks){ .seen = "" },
};

TEST_TIMEOUT(f20_a_reader_without_empty_packets_is_asked_for_exactly_what_it_has, 30)
{
	struct odd_pipe odd = { .pipe = { .ops = &odd_ops, .wake = WAKE_NONE } };
	struct ccid_command xfr = ccid_xfr_block(0, 0, BYTES_OF(apdu));
	struct exchange x;
	struct ccid_reply reply;

	ASSERT_EQ(0, exchange_init(&x, &odd.pipe, &odd_desc));
	ASSERT_EQ(0, exchange_run(&x, 0, &xfr, 0, deadline_in(50), &reply));
	EXPECT_EQ(118u, reply.data.n);
	EXPECT_TRUE(x.no_zero_packets);
	odd.n_asked = 0;
	ASSERT_EQ(0, exchange_run(&x, 0, &xfr, 0, deadline_in(20000), &reply));
	EXPECT_EQ(118u, reply.data.n);
	EXPECT_EQ(2u, odd.n_asked);
	EXPECT_EQ(64u, odd.asked[0]);
	EXPECT_EQ(64u, odd.asked[1]);
	exchange_deinit(&x);
}

TEST(a_command_that_a_bus_error_ended_may_have_run)
{
	struct odd_pipe odd = { .pipe = { .ops = &odd_ops, .wake = WAKE_NONE }, .silent = true };
	struct ccid_command xfr = ccid_xfr_block(0, 0, BYTES_OF(apdu));
	static const int errors[] = { -EIO, -EPIPE, -ETIMEDOUT, -ENODEV };
	struct ccid_reply reply;

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct exchange x;

		odd.out_says = errors[i];
		ASSERT_EQ(0, exchange_init(&x, &odd.pipe, &odd_desc));
		EXPECT_GT(0, exchange_run(&x, 0, &xfr, 0, deadline_in(20), &reply));
		EXPECT_EQ(errors[i] == -EIO, x.sent);
		exchange_deinit(&x);
	}
}

TEST(the_device_is_reset_last_by_itself_and_once_a_minute)
{
	struct odd_pipe odd = { .pipe = { .ops = &odd_ops, .wake = WAKE_NONE }, .silent = true };
	struct ccid_command xfr = ccid_xfr_block(0, 0, BYTES_OF(apdu));
	struct ccid_reply reply;
	struct exchange x;

	ASSERT_EQ(0, exchange_init(&x, &odd.pipe, &odd_desc));
	EXPECT_EQ(-ETIMEDOUT, exchange_run(&x, 0, &xfr, 0, deadline_in(20000), &reply));
	EXPECT_EQ(0u, odd.resets);
	EXPECT_TRUE(x.reset_due && !x.dead);
	EXPECT_EQ(-ENODEV, exchange_settle(&x, deadline_in(20000)));
	EXPECT_EQ(1u, odd.resets);
	EXPECT_TRUE(x.dead);

	/* The one that the reset brought back and that dies again within a minute is given up. */
	x.dead = false;
	x.lost = true;
	EXPECT_EQ(-ENODEV, exchange_settle(&x, deadline_in(20000)));
	EXPECT_EQ(1u, odd.resets);
	exchange_deinit(&x);
}

/* --- sequence numbers that come round --- */

/*
 * Says everything twice, and to the command with number @late nothing until it is aborted; that
 * answer comes behind the one to the abort. The number is in the APDU and in the answer.
 */
struct echo_pipe {
	struct pipe pipe;
	uint16_t late;
	struct { uint8_t bytes[16]; size_t n; } waiting[8], held;
	unsigned int n_waiting;
};

static void echo_say(struct echo_pipe *echo, struct bytes message)
{
	ASSERT_LT(echo->n_waiting, 8u);
	memcpy(echo->waiting[echo->n_waiting].bytes, message.p, message.n);
	echo->waiting[echo->n_waiting++].n = message.n;
}

static int echo_out(struct pipe *pipe, struct bytes command, struct deadline deadline)
{
	struct echo_pipe *echo = (struct echo_pipe *)pipe;
	const uint8_t *c = command.p;
	uint8_t data[] = { 0x80, 4, 0, 0, 0, 0, c[6], 0, 0, 0, c[13], c[12], 0x90, 0x00 };
	uint8_t status[] = { 0x81, 0, 0, 0, 0, 0, c[6], 0, 0, 0 };

	(void)deadline;
	if (c[0] != 0x6f) {
		echo_say(echo, BYTES_OF(status));
		if (echo->held.n != 0)
			echo_say(echo, BYTES(echo->held.bytes, echo->held.n));
		echo->held.n = 0;
		return 0;
	}
	if ((c[13] | c[12] << 8) == echo->late) {
		echo->late = 0;
		memcpy(echo->held.bytes, data, sizeof(data));
		echo->held.n = sizeof(data);
		return 0;
	}
	echo_say(echo, BYTES_OF(data));
	echo_say(echo, BYTES_OF(data));
	return 0;
}

static int echo_in(struct pipe *pipe, uint8_t *buf, size_t cap, struct deadline deadline, size_t *n)
{
	struct echo_pipe *echo = (struct echo_pipe *)pipe;

	(void)deadline;
	if (echo->n_waiting == 0)
		return -ETIMEDOUT;
	*n = echo->waiting[0].n;
	ASSERT_LE(*n, cap);
	memcpy(buf, echo->waiting[0].bytes, *n);
	memmove(&echo->waiting[0], &echo->waiting[1], --echo->n_waiting * sizeof(echo->waiting[0]));
	return 0;
}

static int echo_control(struct pipe *pipe, const struct usb_setup *setup, struct bytes out,
			uint8_t *in, size_t in_cap, struct deadline deadline, size_t *in_n)
{
	(void)pipe, (void)setup, (void)out, (void)in, (void)in_cap, (void)deadline, (void)in_n;
	return 0;		/* ABORT */
}

static const struct pipe_ops echo_ops = {
	.bulk_out = echo_out, .bulk_in = echo_in, .control = echo_control, .clear_halt = odd_clear,
};

TEST(k10_no_answer_of_256_commands_ago_is_there_when_its_number_comes_round)
{
	struct echo_pipe echo = { .pipe = { .ops = &echo_ops, .wake = WAKE_NONE }, .late = 10 };
	struct exchange x;

	ASSERT_EQ(0, exchange_init(&x, &echo.pipe, &odd_desc));
	for (uint16_t i = 1; i < 600; i++) {
		uint8_t numbered[] = { 0x00, 0x10, (uint8_t)(i >> 8), (uint8_t)i, 0x00 };
		struct ccid_command xfr = ccid_xfr_block(0, 0, BYTES_OF(numbered));
		struct ccid_reply reply;
		int r = exchange_run(&x, 0, &xfr, 0, deadline_in(20000), &reply);

		if (i == 10) {
			ASSERT_EQ(-ETIMEDOUT, r);
			continue;
		}
		ASSERT_EQ(0, r);
		ASSERT_EQ(4u, reply.data.n);
		ASSERT_EQ(i, reply.data.p[0] | reply.data.p[1] << 8);
	}
	EXPECT_GE(x.counts.stale, 597u);	/* each was met when it was one command old */
	exchange_deinit(&x);
}
