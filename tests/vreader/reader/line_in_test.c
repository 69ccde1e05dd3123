/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets as docs/vreader.md has them, and what else a host may send. */
#include "tests/harness.h"
#include "tests/vreader/reader/host.h"

FIXTURE(line) { struct host host; };

FIXTURE_SETUP(line)
{
	host_start(&self->host, SHAPE_EXTENDED, NULL);
}

FIXTURE_TEARDOWN(line)
{
	(void)self;
}

TEST_F(line, what_is_no_packet_ends_the_connection)
{
	host_power_on(&self->host);
	host_send(&self->host, (enum line_kind)0x05, BYTES_NONE);
	EXPECT_EQ(0u, host_take(&self->host, 2000).n);
	EXPECT_EQ(-EPROTO, host_stop(&self->host));
}

TEST_F(line, a_control_request_without_eight_bytes_ends_the_connection)
{
	host_power_on(&self->host);
	host_send(&self->host, LINE_CONTROL, BYTES("\x21\x01\x00\x03\x00\x00\x00", 7));
	EXPECT_EQ(0u, host_take(&self->host, 2000).n);
	EXPECT_EQ(-EPROTO, host_stop(&self->host));
}

TEST_F(line, control_requests_are_answered_or_stalled)
{
	struct bytes b;

	host_power_on(&self->host);
	host_send(&self->host, LINE_CONTROL, BYTES("\x80\x06\x01\x03\x09\x04\xff\x00", 8));
	b = host_take_kind(&self->host, LINE_CONTROL, 2000);
	ASSERT_EQ(1u + 2 + 16, b.n);
	EXPECT_MEMEQ("\x00\x12\x03k\0e\0y\0", b.p, 9);
	host_send(&self->host, LINE_CONTROL, BYTES("\x80\x06\x01\x03\x09\x04\x04\x00", 8));
	EXPECT_EQ(5u, host_take_kind(&self->host, LINE_CONTROL, 2000).n);
	host_send(&self->host, LINE_CONTROL, BYTES("\xa1\x03\x00\x00\x00\x00\x04\x00", 8));
	EXPECT_BYTES_EQ(BYTES("\x01", 1), host_take_kind(&self->host, LINE_CONTROL, 2000));
	EXPECT_EQ(0, host_stop(&self->host));
}

TEST_F(line, half_a_message_halts_the_out_endpoint_until_it_is_cleared)
{
	host_power_on(&self->host);
	host_send(&self->host, LINE_BULK, BYTES("\x65\0\0", 3));
	EXPECT_BYTES_EQ(BYTES("\x01\x01", 2), host_take_kind(&self->host, LINE_ENDPOINT, 2000));
	host_command(&self->host, 0x65, BYTES_NONE);
	EXPECT_EQ(0u, host_take(&self->host, 50).n);
	host_send(&self->host, LINE_ENDPOINT, BYTES("\x01\x02", 2));
	host_command(&self->host, 0x65, BYTES_NONE);
	EXPECT_EQ(10u, host_take_kind(&self->host, LINE_BULK, 2000).n);
	EXPECT_EQ(0, host_stop(&self->host));
}
