/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faces vreader/reader/line.c: packets as docs/vreader.md has them, and life with a slow card. */
#include "vreader/reader/line.h"

#include "driver/ccid/pinpad.h"
#include "tests/harness.h"
#include "tests/vreader/reader/host.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

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
static const uint8_t slow[] = { 0x00, 0x5a, 0x05, 0xdc };		/* 1500 ms */

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

TEST_F(line, signals_pull_and_insert_the_card)
{
	host_power_on(&self->host);
	host_signal(&self->host, SIGUSR1);
	EXPECT_BYTES_EQ(BYTES("\x50\x02", 2), host_take_kind(&self->host, LINE_INTERRUPT, 2000));
	host_command(&self->host, 0x65, BYTES_NONE);
	EXPECT_EQ(2, host_take_kind(&self->host, LINE_BULK, 2000).n ? self->host.packet[8] : -1);
	host_signal(&self->host, SIGUSR2);
	EXPECT_BYTES_EQ(BYTES("\x50\x03", 2), host_take_kind(&self->host, LINE_INTERRUPT, 2000));
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

TEST_F(line, the_program_stops_at_sigterm)
{
	host_power_on(&self->host);
	host_signal(&self->host, SIGTERM);
	EXPECT_EQ(0u, host_take(&self->host, 2000).n);
	EXPECT_EQ(-ECANCELED, host_stop(&self->host));
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

TEST_F(line, a_host_that_hangs_up_in_mid_command_is_not_waited_for_in_vain)
{
	host_power_on(&self->host);
	host_command(&self->host, 0x6f, BYTES_OF(slow));
	(void)host_take_kind(&self->host, LINE_BULK, 5000);
	EXPECT_EQ(0, host_stop(&self->host));
}

TEST(each_notice_tells_of_all_slots)
{
	static struct host host;

	host_start_two(&host, SHAPE_EXTENDED);
	EXPECT_BYTES_EQ(BYTES("\x50\x07", 2), host_take_kind(&host, LINE_INTERRUPT, 2000));
	EXPECT_BYTES_EQ(BYTES("\x50\x0d", 2), host_take_kind(&host, LINE_INTERRUPT, 2000));
	host_signal_slot(&host, SIGUSR1, 1);
	EXPECT_BYTES_EQ(BYTES("\x50\x09", 2), host_take_kind(&host, LINE_INTERRUPT, 2000));
	host_signal_slot(&host, SIGUSR2, 1);
	EXPECT_BYTES_EQ(BYTES("\x50\x0d", 2), host_take_kind(&host, LINE_INTERRUPT, 2000));
	EXPECT_EQ(0, host_stop(&host));
}

static void ask_for_a_pin(struct host *host)
{
	static const uint8_t verify[] = { 0x00, 0x20, 0x00, 0x81, 0x00 };
	struct pinpad asked = { .timeout_s = 30, .min = 4, .max = 12, .apdu = BYTES_OF(verify) };
	uint8_t buf[PINPAD_STRUCTURE_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	pinpad_pack(&p, &asked);
	host_command(host, 0x69, pack_done(&p));
}

/* Whoever hears the answer may type for the next question, which is lost on a keypad still open. */
TEST(nobody_can_type_any_more_when_the_answer_comes)
{
	char dir[] = "/tmp/keyferry-line-XXXXXX", path[64];
	static struct host host;
	int fd = -1;

	ASSERT_TRUE(mkdtemp(dir) != NULL);
	(void)snprintf(path, sizeof(path), "%s/keypad", dir);
	ASSERT_EQ(0, mkfifo(path, 0600));
	host_start_typed(&host, SHAPE_EXTENDED, NULL, path);
	host_power_on(&host);
	EXPECT_EQ(-1, open(path, O_WRONLY | O_NONBLOCK));
	for (int i = 0; i < 50; i++) {
		ask_for_a_pin(&host);
		fd = open(path, O_WRONLY);
		ASSERT_GE(fd, 0);
		ASSERT_EQ(5, write(fd, "1234\n", 5));
		fd = fd_close(fd);
		ASSERT_GT(host_take_kind(&host, LINE_BULK, 2000).n, 10u);
		EXPECT_EQ(-1, open(path, O_WRONLY | O_NONBLOCK));
		EXPECT_EQ(ENXIO, errno);
	}
	EXPECT_EQ(0, host_stop(&host));
	(void)unlink(path);
	(void)rmdir(dir);
}
