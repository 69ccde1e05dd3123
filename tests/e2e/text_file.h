/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/text_file.h - A small file as a whole, for programs that use our public libraries alone.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>

struct file {
	char *data;
	size_t n;
};

/* Ends the program if there is none. The text ends with a zero; it is the caller's. */
static inline struct file read_file(const char *path)
{
	struct file file = { calloc(1, 65536), 0 };
	FILE *f = fopen(path, "re");

	if (!file.data || !f)
		exit(2);
	file.n = fread(file.data, 1, 65535, f);
	(void)fclose(f);
	return file;
}
