/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * daemon/shared/glob.c - After a mismatch only the last star can help by taking one character more:
 * what an earlier one could take, the last one can take as well.
 */
#include "daemon/shared/glob.h"

#include <stddef.h>

bool glob_match(const char *pattern, const char *text)
{
	const char *star = NULL, *taken = NULL;

	while (*text != '\0') {
		if (*pattern == '*') {
			star = pattern++;
			taken = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++taken;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}
