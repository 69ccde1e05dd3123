/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a host is told, and signals. */
#include "driver/ccid/pinpad.h"
#include "tests/harness.h"
#include "tests/vreader/reader/host.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

FIXTURE(line) { struct host host; };

FIXTURE_SETUP(line)
{
	host_start(&self->host, SHAPE_EXTENDED, NULL);
}

FIXTURE_TEARDOWN(line)
{
	(void)self;
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

TEST_F(line, the_program_stops_at_sigterm)
{
	host_power_on(&self->host);
	host_signal(&self->host, SIGTERM);
	EXPECT_EQ(0u, host_take(&self->host, 2000).n);
	EXPECT_EQ(-ECANCELED, host_stop(&self->host));
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
