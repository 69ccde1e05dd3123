/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/table.c - Memory that runs out is noticed once, when the table is printed: a cell that is
 * missing must not pass for an empty one.
 */
#include "tools/table.h"
#include "base/cleanup.h"
#include "base/error.h"

#include <ctype.h>
#include <libsmartcols/libsmartcols.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static int add_column(struct libscols_table *table, const struct table_column *column, bool json)
{
	char name[32] = "";
	struct libscols_column *added;

	for (size_t i = 0; column->name[i] && i + 1 < sizeof(name); i++)
		name[i] = json ? (char)tolower((unsigned char)column->name[i]) : column->name[i];
	added = scols_table_new_column(table, name, 0,
				       column->kind == TABLE_NUMBER ? SCOLS_FL_RIGHT : 0);
	if (!added)
		return -ENOMEM;
	return scols_column_set_json_type(added, column->kind == TABLE_NUMBER ? SCOLS_JSON_NUMBER :
					  column->kind == TABLE_BOOL ? SCOLS_JSON_BOOLEAN :
					  SCOLS_JSON_STRING);
}

static int fill(struct libscols_table *table, const char *name, const struct table_column *columns,
		size_t n, bool json)
{
	int r = 0;

	if (scols_table_set_name(table, name) < 0 || scols_table_enable_json(table, json) < 0)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_column(table, &columns[i], json);
	return r;
}

int table_new(const struct ui *ui, const char *name, const struct table_column *columns, size_t n,
	      struct libscols_table **out)
{
	struct libscols_table *table = scols_new_table();
	struct kf_error e = KF_ERROR_INIT;
	int r = table ? fill(table, name, columns, n, ui->json) : -ENOMEM;

	if (r == 0) {
		*out = table;
		return UI_OK;
	}
	scols_unref_table(table);
	(void)error_what(&e, r, "cannot list them");
	return ui_fail(ui, &e);
}

struct libscols_line *table_row(struct libscols_table *table)
{
	struct libscols_line *row = scols_table_new_line(table, NULL);

	if (!row)	/* nothing smaller than a row can be kept, so nothing is */
		scols_table_remove_columns(table);
	return row;
}

void table_cell(struct libscols_line *row, size_t column, const char *format, ...)
{
	char text[512];
	va_list args;

	if (!row)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (scols_line_set_data(row, column, text) < 0)
		(void)scols_line_set_userdata(row, row);	/* marks it as incomplete */
}

static bool is_complete(struct libscols_table *table)
{
	struct libscols_iter *iter = scols_new_iter(SCOLS_ITER_FORWARD);
	struct libscols_line *row;
	bool complete = iter && scols_table_get_ncols(table) > 0;

	while (complete && scols_table_next_line(table, iter, &row) == 0)
		complete = !scols_line_get_userdata(row);
	scols_free_iter(iter);
	return complete;
}

void table_drop(struct libscols_table *table)
{
	scols_unref_table(table);
}

int table_print(struct libscols_table *table)
{
	int r = UI_FAILED;

	if (is_complete(table) && scols_print_table(table) == 0 && fflush(stdout) == 0)
		r = UI_OK;
	else
		fputs("keyferry: the list could not be written in full\n", stderr);
	scols_unref_table(table);
	return r;
}
