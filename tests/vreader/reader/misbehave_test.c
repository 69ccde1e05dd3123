/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces: vreader/reader/misbehave_frame.c vreader/reader/misbehave_pipe.c vreader/reader/spoil.c
 * Faces: vreader/reader/misbehave_card.c vreader/reader/misbehave_t1.c
 *
 * That each row does what its line says, and that the reader itself survives all of them.
 */
#include "vreader/reader/misbehave.h"

#include "tests/harness.h"
#include "tests/vreader/reader/host.h"

#include <stdio.h>
#include <sys/wait.h>

static const uint8_t challenge[] = { 0x00, 0x84, 0x00, 0x00, 0x02 };

TEST(names_and_counts_are_read_strictly)
{
	struct misbehave m = MISBEHAVE_INIT;

	EXPECT_EQ(0, misbehave_add(&m, "silent"));
	EXPECT_EQ(0, misbehave_add(&m, "remove-after=12"));
	EXPECT_EQ(12u, m.chosen[1].n);
	EXPECT_EQ(-ENOENT, misbehave_add(&m, "silen"));
	EXPECT_EQ(-ENOENT, misbehave_add(&m, "silently"));
	EXPECT_EQ(-ENOENT, misbehave_add(&m, ""));
	EXPECT_EQ(-ERANGE, misbehave_add(&m, "silent="));
	EXPECT_EQ(-ERANGE, misbehave_add(&m, "silent=0"));
	EXPECT_EQ(-ERANGE, misbehave_add(&m, "silent=-1"));
	EXPECT_EQ(-ERANGE, misbehave_add(&m, "silent=3x"));
	EXPECT_EQ(2u, m.n_chosen);
	while (m.n_chosen < MISBEHAVE_MAX)
		EXPECT_EQ(0, misbehave_add(&m, "zlp"));
	EXPECT_EQ(-E2BIG, misbehave_add(&m, "zlp"));
}

/* One command, and the first bulk packet that comes back. */
static struct bytes first_answer(struct host *host, const char *spec, int ms)
{
	host_start(host, SHAPE_EXTENDED, spec);
	host_power_on(host);
	host_command(host, 0x6f, BYTES_OF(challenge));
	return host_take_kind(host, LINE_BULK, ms);
}

static const uint8_t honest[] = { 0x80, 4, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0x90, 0 };

TEST(a_row_acts_at_its_turn_and_not_before)
{
	struct host host;

	EXPECT_BYTES_EQ(BYTES_OF(honest), first_answer(&host, "wrong-slot=2", 2000));
	host_command(&host, 0x6f, BYTES_OF(challenge));
	EXPECT_EQ(1, host_take_kind(&host, LINE_BULK, 2000).n ? host.packet[6] : 0);
	host_command(&host, 0x6f, BYTES_OF(challenge));
	EXPECT_EQ(0, host_take_kind(&host, LINE_BULK, 2000).n ? host.packet[6] : 1);
	EXPECT_EQ(0, host_stop(&host));
}

TEST(frames_are_spoilt_as_announced)
{
	static const struct { const char *name; size_t n, at; int value; } rows[] = {
		{ "wrong-seq", 14, 6, 2 + 77 }, { "stale", 14, 6, 1 }, { "wrong-type", 14, 0, 0x82 },
		{ "short-frame", 9, 0, 0x80 }, { "truncated", 13, 1, 4 }, { "length-lie", 14, 1, 104 },
		{ "length-huge", 14, 4, 0xff }, { "padded", 19, 14, 0xaa }, { "glued", 28, 14, 0x80 },
		{ "twice", 14, 1, 4 }, { "split", 14, 1, 4 }, { "split-odd", 10, 1, 4 },
		{ "slow-byte", 14, 1, 4 }, { "garbage", 14, 0, -1 }, { "reserved-status", 14, 7, 0xc0 },
		{ "failed-with-data", 14, 7, 0x40 }, { "slot-busy", 10, 8, 0xe0 },
		{ "parity", 10, 8, 0xfd }, { "bad-chain", 14, 9, 0x55 },
		{ "chain-forever", 11, 9, 0x01 }, { "time-extension", 10, 7, 0x80 },
		{ "time-extension-zero", 10, 8, 0 }, { "silent", 0, 0, -1 },
		{ "interrupt-flood", 14, 1, 4 }, { "interrupt-garbage", 14, 1, 4 },
		{ "second-descriptors", 14, 1, 4 }, { "stall", 0, 0, -1 }, { "stall-out", 0, 0, -1 },
		{ "nak", 0, 0, -1 }, { "hang", 0, 0, -1 }, { "endless-time-extension", 10, 7, 0x80 },
		{ "zlp-flood", 0, 0, -1 }, { "drop-connection", 0, 0, -1 }, { "drop-before", 0, 0, -1 },
		{ "drop-after", 14, 1, 4 }, { "tear", 10, 8, 0xfe }, { "remove-during", 10, 8, 0xfe },
		{ "remove-after", 14, 1, 4 }, { "flap", 10, 8, 0xfe }, { "flap-after", 14, 1, 4 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct host host;
		struct bytes b = first_answer(&host, rows[i].name, rows[i].n != 0 ? 2000 : 50);

		if (b.n != rows[i].n ||
		    (b.n > rows[i].at && rows[i].value >= 0 && b.p[rows[i].at] != rows[i].value))
			TEST_FAIL("%s: %zu bytes came, %zu were announced, or byte %zu is wrong",
				  rows[i].name, b.n, rows[i].n, rows[i].at);
		EXPECT_EQ(0, host_stop(&host));
	}
}

TEST(an_atr_is_spoilt_as_announced)
{
	static const struct { const char *name; size_t n; } rows[] = {
		{ "bad-atr", 34 }, { "empty-atr", 10 }, { "long-atr", 50 }, { "greedy-atr", 21 },
		{ "mute", 10 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct host host;

		host_start(&host, SHAPE_EXTENDED, rows[i].name);
		host_command(&host, 0x62, BYTES_NONE);
		EXPECT_EQ(rows[i].n, host_take_kind(&host, LINE_BULK, 2000).n);
		EXPECT_EQ(0, host_stop(&host));
	}
}

TEST(blocks_are_spoilt_as_announced)
{
	static const uint8_t block[] = { 0, 0, 5, 0, 0x84, 0, 0, 1, 0x80 };
	static const struct { const char *name; uint8_t pcb, lrc; } rows[] = {
		{ "t1-lrc", 0x00, 0x01 }, { "t1-lrc-forever", 0x00, 0x01 }, { "t1-nad", 0x00, 0 },
		{ "t1-ns", 0x40, 0 }, { "t1-len", 0x00, 0 }, { "t1-wtx-forever", 0xc3, 0 },
		{ "t1-wtx-zero", 0xc3, 0 }, { "t1-resynch", 0xc0, 0 }, { "t1-abort", 0xc2, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct host host;
		struct bytes b;
		uint8_t lrc = 0;

		host_start(&host, SHAPE_TPDU_T1, rows[i].name);
		host_power_on(&host);
		host_command(&host, 0x6f, BYTES_OF(block));
		b = host_take_kind(&host, LINE_BULK, 2000);
		ASSERT_GT(b.n, 13u);
		EXPECT_EQ(rows[i].pcb, b.p[11]);
		for (size_t k = 10; k < b.n; k++)
			lrc ^= b.p[k];
		EXPECT_EQ(rows[i].lrc, lrc);
		EXPECT_EQ(0, host_stop(&host));
	}
}

TEST(a_stalled_pipe_recovers_when_cleared)
{
	struct host host;

	host_start(&host, SHAPE_EXTENDED, "stall");
	host_power_on(&host);
	host_command(&host, 0x6f, BYTES_OF(challenge));
	EXPECT_BYTES_EQ(BYTES("\x82\x01", 2), host_take_kind(&host, LINE_ENDPOINT, 2000));
	host_send(&host, LINE_ENDPOINT, BYTES("\x82\x02", 2));
	host_command(&host, 0x65, BYTES_NONE);
	EXPECT_EQ(10u, host_take_kind(&host, LINE_BULK, 2000).n);
	EXPECT_EQ(0, host_stop(&host));
}

TEST(an_abort_can_be_stalled)
{
	struct host host;

	host_start(&host, SHAPE_EXTENDED, "abort-stall");
	host_power_on(&host);
	host_send(&host, LINE_CONTROL, BYTES("\x21\x01\x00\x03\x00\x00\x00\x00", 8));
	EXPECT_BYTES_EQ(BYTES("\x01", 1), host_take_kind(&host, LINE_CONTROL, 2000));
	EXPECT_EQ(0, host_stop(&host));
}

TEST(an_endless_command_ends_with_an_abort)
{
	struct host host;
	struct bytes b;

	EXPECT_EQ(10u, first_answer(&host, "endless-time-extension", 2000).n);
	host_send(&host, LINE_CONTROL, BYTES("\x21\x01\x00\x03\x00\x00\x00\x00", 8));
	host_command(&host, 0x72, BYTES_NONE);
	for (int i = 0; i < 500; i++) {
		b = host_take_kind(&host, LINE_BULK, 2000);
		ASSERT_EQ(10u, b.n);
		if (b.p[0] == 0x81)
			break;
	}
	host_command(&host, 0x6f, BYTES_OF(challenge));
	do	/* the card may still be on its way out of the old command */
		b = host_take_kind(&host, LINE_BULK, 2000);
	while (b.n == 10 && b.p[7] == 0x80);
	EXPECT_EQ(14u, b.n);
	EXPECT_EQ(0, host_stop(&host));
}

TEST(a_reader_dies_when_told_to)
{
	static const char *const names[] = { "die-before", "die", "die-after" };

	for (size_t i = 0; i < 3; i++) {
		pid_t pid = fork();
		int status;

		ASSERT_GE(pid, 0);
		if (pid == 0) {
			struct host host;

			(void)first_answer(&host, names[i], 2000);
			(void)sleep(5);		/* the line's thread kills us */
			_exit(0);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == 9);
	}
}

TEST(the_list_names_every_row_once)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	struct misbehave m = MISBEHAVE_INIT;
	unsigned int lines = 0;

	misbehave_list(f);
	(void)fclose(f);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), lines++) {
		line[strcspn(line, " ")] = '\0';
		m.n_chosen = 0;
		EXPECT_EQ(0, misbehave_add(&m, line));
	}
	EXPECT_GE(lines, 50u);
	free(text);
}

TEST(the_man_page_has_every_row)
{
	const char *top = getenv("KF_SRC");
	char path[512], *list = NULL, *page = NULL;
	size_t n_list = 0, n_page = 0;
	FILE *f = open_memstream(&list, &n_list);

	misbehave_list(f);
	(void)fclose(f);
	(void)snprintf(path, sizeof(path), "%s/docs/man/keyferry-vreader.1.scd", top ? top : ".");
	f = fopen(path, "re");
	if (!f)
		SKIP("the man page is not here; run from the top of the tree");
	ASSERT_GT(getdelim(&page, &n_page, '\0', f), 0);
	(void)fclose(f);
	for (char *line = strtok(list, "\n"); line; line = strtok(NULL, "\n")) {
		char entry[64];

		line[strcspn(line, " ")] = '\0';
		(void)snprintf(entry, sizeof(entry), "\n*%s*\n\t", line);
		if (!strstr(page, entry))
			TEST_FAIL("%s is not in the man page", line);
	}
	free(list);
	free(page);
}
