// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/ui.h"
#include "base/cleanup.h"
#include "tests/harness.h"
#include "tests/oom.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(durations_have_units)
{
	static const struct { const char *text; int64_t seconds; int r; } rows[] = {
		{ "90", 90, 0 },	{ "90s", 90, 0 },	{ "15m", 900, 0 },
		{ "1h", 3600, 0 },	{ "7d", 604800, 0 },	{ "", 0, -EINVAL },
		{ "h", 0, -EINVAL },	{ "1x", 0, -EINVAL },	{ "-1", 0, -EINVAL },
		{ "1 h", 0, -EINVAL },	{ "99999999999", 0, -ERANGE },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t seconds = 0;

		EXPECT_EQ(rows[i].r, ui_parse_duration(rows[i].text, &seconds));
		EXPECT_EQ(rows[i].seconds, seconds);
	}
}

TEST(numbers_are_bounded)
{
	uint64_t v = 7;

	EXPECT_EQ(0, ui_parse_number("255", 255, &v));
	EXPECT_EQ(255, v);
	EXPECT_EQ(-ERANGE, ui_parse_number("256", 255, &v));
	EXPECT_EQ(-ERANGE, ui_parse_number("18446744073709551616", UINT64_MAX, &v));
	EXPECT_EQ(0, ui_parse_number("18446744073709551615", UINT64_MAX, &v));
	EXPECT_EQ(-EINVAL, ui_parse_number("0x10", 255, &v));
}

TEST(a_secret_is_one_line_without_its_end)
{
	_cleanup_(secret_deinit) struct secret s = SECRET_INIT;
	int fds[2];

	ASSERT_EQ(0, secret_init(&s, 8));
	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(16, write(fds[1], "1234\r\n5678901234", 16));
	EXPECT_EQ(0, ui_secret_from_fd(fds[0], &s, NULL));
	EXPECT_BYTES_EQ(BYTES("1234", 4), secret_bytes(&s));
	EXPECT_EQ(-EMSGSIZE, ui_secret_from_fd(fds[0], &s, NULL));
	(void)close(fds[1]);
	EXPECT_EQ(0, ui_secret_from_fd(fds[0], &s, NULL));	/* the last byte, without an end */
	EXPECT_EQ(-ECANCELED, ui_secret_from_fd(fds[0], &s, NULL));
}

TEST(a_file_is_written_whole_and_read_bounded)
{
	char dir[] = "/tmp/kf-ui-XXXXXX", path[64];
	_cleanup_(freep) uint8_t *data = NULL;
	struct kf_error e = KF_ERROR_INIT;
	struct stat st;
	size_t n = 0;

	ASSERT_NOT_NULL(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/f", dir);
	EXPECT_EQ(0, ui_file_write(path, BYTES("hello", 5), 0600, &e));
	ASSERT_EQ(0, stat(path, &st));
	EXPECT_EQ(0600, st.st_mode & 07777);
	EXPECT_EQ(0, ui_file_read(path, 5, &data, &n, &e));
	EXPECT_BYTES_EQ(BYTES("hello", 5), BYTES(data, n));
	freep(&data);
	EXPECT_EQ(-EFBIG, ui_file_read(path, 4, &data, &n, &e));
	EXPECT_EQ(0, unlink(path));
	EXPECT_EQ(-ENOENT, ui_file_read(path, 4, &data, &n, &e));
	EXPECT_NE(0, strlen(e.what));
	EXPECT_EQ(0, rmdir(dir));
}

/* In a child: reads a document while the @n-th allocation fails. */
static void read_without_memory(long n)
{
	static const char text[] =
		"{ \"item\": \"a token that has to grow several times before it is read, more than "
		"sixteen bytes, more than thirty-two, more than sixty-four, more than a hundred\" }";
	json_t *object;
	bool whole;

	ui_json_whole();
	oom_begin(n);
	object = json_loadb(text, sizeof(text) - 1, 0, NULL);
	whole = object && strlen(json_string_value(json_object_get(object, "item"))) ==
		strlen(strchr(text, ':')) - 6;
	_exit(!whole ? 3 : oom_end(&n) ? 77 : 4);
}

TEST(without_memory_no_document_is_read_in_part)
{
	int status = 0;
	long n = 0;

	for (; n < 1000; n++) {
		pid_t child = fork();

		ASSERT_LE(0, child);
		if (child == 0)
			read_without_memory(n);
		ASSERT_EQ(child, waitpid(child, &status, 0));
		if (status != UI_FAILED << 8)
			break;
	}
	EXPECT_EQ(77 << 8, status);	/* enough memory, and whole */
	EXPECT_LT(5, n);
}
