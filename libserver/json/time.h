/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/json/time.h - Times in the four files: RFC 3339 in UTC to the second, with Z, in one
 * form: "2026-01-31T23:59:59Z".
 */
#pragma once

#include <stdint.h>

#define UTC_SIZE 21			/* with the NUL */

/* Return: 0, -ERANGE outside the years 1970 to 9999. */
int utc_print(int64_t seconds, char out[static UTC_SIZE]);

/* Return: 0, -EINVAL if @text is no such time. */
int utc_parse(const char *text, int64_t *seconds);
