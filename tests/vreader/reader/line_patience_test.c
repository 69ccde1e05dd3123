/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Life with a slow card. */
#include "tests/harness.h"
#include "tests/vreader/reader/host.h"

#include <signal.h>

FIXTURE(line) { struct host host; };

FIXTURE_SETUP(line)
{
	host_start(&self->host, SHAPE_EXTENDED, NULL);
}

FIXTURE_TEARDOWN(line)
{
	(void)self;
}

static const uint8_t slow[] = { 0x00, 0x5a, 0x05, 0xdc };		/* 1500 ms */

TEST_F(line, a_slow_card_asks_for_time_and_answers_questions_meanwhile)
{
	struct bytes b;

	host_power_on(&self->host);
	host_command(&self->host, 0x6f, BYTES_OF(slow));
	b = host_take_kind(&self->host, LINE_BULK, 5000);
	ASSERT_EQ(10u, b.n);
	EXPECT_EQ(0x80, b.p[7]);
	host_command(&self->host, 0x65, BYTES_NONE);
	b = host_take_kind(&self->host, LINE_BULK, 400);
	ASSERT_EQ(10u, b.n);
	EXPECT_EQ(0x81, b.p[0]);
	do
		b = host_take_kind(&self->host, LINE_BULK, 5000);
	while (b.n == 10 && b.p[7] == 0x80);
	EXPECT_BYTES_EQ(BYTES("\x80\x02\0\0\0\0\x02\0\0\0\x90\x00", 12), b);
	EXPECT_EQ(0, host_stop(&self->host));
}

TEST_F(line, a_slow_command_can_be_aborted)
{
	struct bytes b;

	host_power_on(&self->host);
	host_command(&self->host, 0x6f, BYTES_OF(slow));
	host_send(&self->host, LINE_CONTROL, BYTES("\x21\x01\x00\x03\x00\x00\x00\x00", 8));
	host_command(&self->host, 0x72, BYTES_NONE);
	/* Heard at the first time extension at the latest, long before the card is done. */
	b = host_take_kind(&self->host, LINE_CONTROL, 1100);
	EXPECT_BYTES_EQ(BYTES("\x00", 1), b);
	b = host_take_kind(&self->host, LINE_BULK, 1100);
	while (b.n == 10 && b.p[7] == 0x80)
		b = host_take_kind(&self->host, LINE_BULK, 1100);
	EXPECT_BYTES_EQ(BYTES("\x80\0\0\0\0\0\x02\x40\xff\x00", 10), b);
	b = host_take_kind(&self->host, LINE_BULK, 1100);
	EXPECT_BYTES_EQ(BYTES("\x81\0\0\0\0\0\x03\x00\x00\x00", 10), b);
	EXPECT_EQ(0, host_stop(&self->host));
}

TEST_F(line, a_card_can_be_pulled_while_it_computes)
{
	struct bytes b;

	host_power_on(&self->host);
	host_command(&self->host, 0x6f, BYTES_OF(slow));
	b = host_take_kind(&self->host, LINE_BULK, 5000);	/* the time extension: it computes */
	ASSERT_EQ(10u, b.n);
	host_signal(&self->host, SIGUSR1);
	b = host_take_kind(&self->host, LINE_BULK, 400);
	EXPECT_BYTES_EQ(BYTES("\x80\0\0\0\0\0\x02\x42\xfe\x00", 10), b);
	EXPECT_EQ(0, host_stop(&self->host));
}

TEST_F(line, a_host_that_hangs_up_in_mid_command_is_not_waited_for_in_vain)
{
	host_power_on(&self->host);
	host_command(&self->host, 0x6f, BYTES_OF(slow));
	(void)host_take_kind(&self->host, LINE_BULK, 5000);
	EXPECT_EQ(0, host_stop(&self->host));
}
