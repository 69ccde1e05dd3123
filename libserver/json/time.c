// SPDX-License-Identifier: LGPL-2.1-or-later
/* libserver/json/time.c - What is read has to print as it stood, so there is one form only. */
#include "libserver/json/time.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define YEAR_9999_END 253402300799	/* 9999-12-31T23:59:59Z */

int utc_print(int64_t seconds, char out[static UTC_SIZE])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (seconds < 0 || seconds > YEAR_9999_END || !gmtime_r(&t, &tm))
		return -ERANGE;
	return strftime(out, UTC_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == UTC_SIZE - 1 ? 0 : -ERANGE;
}

int utc_parse(const char *text, int64_t *seconds)
{
	char again[UTC_SIZE];
	struct tm tm = { 0 };
	time_t t;
	int n = 0;

	if (strlen(text) != UTC_SIZE - 1 ||
	    sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) != 6 || n != UTC_SIZE - 1)
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	t = timegm(&tm);
	if (utc_print(t, again) < 0 || strcmp(text, again) != 0)
		return -EINVAL;
	*seconds = t;
	return 0;
}
