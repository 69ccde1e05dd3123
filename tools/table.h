/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tools/table.h - A list for people or, by --json, for programs; by libsmartcols, as lsblk does. */
#pragma once

#include "tools/ui.h"

struct libscols_table;
struct libscols_line;

enum table_kind { TABLE_TEXT, TABLE_NUMBER, TABLE_BOOL };

/**
 * struct table_column - one column
 * @name:	heading; in lower case the name in JSON
 * @kind:	how JSON has it; numbers are right-aligned
 */
struct table_column {
	const char *name;
	enum table_kind kind;
};

/* Return: UI_OK, or an exit code, with the reason told. */
int table_new(const struct ui *ui, const char *name, const struct table_column *columns, size_t n,
	      struct libscols_table **out);

/* A new row; NULL without memory, which table_cell() bears and table_print() tells. */
struct libscols_line *table_row(struct libscols_table *table);

void table_cell(struct libscols_line *row, size_t column, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Gives back what shall not be printed. */
void table_drop(struct libscols_table *table);

/* Prints and gives back. Return: an exit code. */
int table_print(struct libscols_table *table);
