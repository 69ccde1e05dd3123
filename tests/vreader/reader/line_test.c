/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A connection from its beginning, and an APDU on its way. */
#include "vreader/reader/line.h"

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

static const uint8_t challenge[] = { 0x00, 0x84, 0x00, 0x00, 0x02 };

TEST_F(line, the_reader_introduces_itself_and_its_card)
{
	struct bytes b = host_take(&self->host, 2000);

	ASSERT_EQ(112u, b.n);
	EXPECT_EQ(LINE_DESCRIPTORS, b.p[0]);
	b = host_take(&self->host, 2000);
	EXPECT_BYTES_EQ(BYTES("\x02\x50\x03", 3), b);
	EXPECT_EQ(0, host_stop(&self->host));
}

TEST_F(line, an_apdu_goes_there_and_back)
{
	host_power_on(&self->host);
	host_command(&self->host, 0x6f, BYTES_OF(challenge));
	EXPECT_BYTES_EQ(BYTES("\x80\x04\0\0\0\0\x02\0\0\0\x00\x01\x90\x00", 14),
			host_take(&self->host, 2000).n ? BYTES(self->host.packet + 1, 14) : BYTES_NONE);
	EXPECT_EQ(0, host_stop(&self->host));
}
