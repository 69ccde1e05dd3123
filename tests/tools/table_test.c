/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/table.h"
#include "base/cleanup.h"
#include "tests/harness.h"

#include <fcntl.h>

static const struct table_column columns[] = {
	{ "NAME", TABLE_TEXT }, { "SIZE", TABLE_NUMBER }, { "SET", TABLE_BOOL },
};

/* What the table prints, as one text. */
static char *printed(bool with_json)
{
	const struct ui ui = { .command = "test", .json = with_json };
	struct libscols_table *table = NULL;
	struct libscols_line *row;
	char path[] = "/tmp/kf-table-XXXXXX";
	int fd = mkstemp(path), out = dup(STDOUT_FILENO);
	char *text = calloc(1, 4096);

	ASSERT_EQ(0, table_new(&ui, "things", columns, 3, &table));
	row = table_row(table);
	table_cell(row, 0, "a \"%s\"", "name");
	table_cell(row, 1, "%d", 12);
	table_cell(row, 2, "%d", 1);
	ASSERT_LE(0, dup2(fd, STDOUT_FILENO));
	EXPECT_EQ(UI_OK, table_print(table));
	ASSERT_LE(0, dup2(out, STDOUT_FILENO));
	EXPECT_LT(0, pread(fd, text, 4095, 0));
	(void)unlink(path);
	(void)close(fd);
	(void)close(out);
	return text;
}

TEST(people_get_columns)
{
	_cleanup_(freep) char *text = printed(false);

	EXPECT_NOT_NULL(strstr(text, "NAME"));
	EXPECT_NOT_NULL(strstr(text, "a \"name\""));
}

TEST(programs_get_json_with_types)
{
	_cleanup_(freep) char *text = printed(true);
	json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *row;

	ASSERT_NOT_NULL(object);
	row = json_array_get(json_object_get(object, "things"), 0);
	EXPECT_STREQ("a \"name\"", json_string_value(json_object_get(row, "name")));
	EXPECT_EQ(12, json_integer_value(json_object_get(row, "size")));
	EXPECT_TRUE(json_is_true(json_object_get(row, "set")));
	json_decref(object);
}

TEST(output_that_cannot_be_written_is_a_failure)
{
	const struct ui ui = { .command = "test" };
	struct libscols_table *table = NULL;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC), out = dup(STDOUT_FILENO), code;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, table_new(&ui, "things", columns, 3, &table));
	for (int i = 0; i < 3; i++)
		table_cell(table_row(table), (size_t)i, "1");
	ASSERT_LE(0, dup2(fd, STDOUT_FILENO));
	code = table_print(table);
	ASSERT_LE(0, dup2(out, STDOUT_FILENO));
	EXPECT_EQ(UI_FAILED, code);
}
