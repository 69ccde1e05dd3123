/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base/error.h - Filling in a struct kf_error. The place that finds the fault knows why, by which
 * rule and what to do next, and says error_why(); the function a person called knows what was
 * tried, and adds error_what() on the way out. Both return the code, so that a line can end in
 * them; both take NULL.
 */
#pragma once

#include "keyferry/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Serials, file names and JSON come from outside and may want to paint a terminal. */
static inline void error_text_clean(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e)
			*text = '?';
}

__attribute__((format(printf, 2, 0)))
static inline void error_text_vset(char text[static KF_ERROR_TEXT_MAX], const char *format,
				   va_list args)
{
	(void)vsnprintf(text, KF_ERROR_TEXT_MAX, format, args);
	error_text_clean(text);
}

__attribute__((format(printf, 2, 3)))
static inline void error_text_set(char text[static KF_ERROR_TEXT_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	error_text_vset(text, format, args);
	va_end(args);
}

/* The fault itself; forgets whatever stood there. Return: @code. */
__attribute__((format(printf, 5, 6)))
static inline int error_why(struct kf_error *e, int code, const char *rule, const char *next,
			    const char *why, ...)
{
	va_list args;

	if (!e)
		return code;
	e->code = code;
	e->what[0] = '\0';
	error_text_set(e->rule, "%s", rule);
	error_text_set(e->next, "%s", next);
	va_start(args, why);
	error_text_vset(e->why, why, args);
	va_end(args);
	return code;
}

/* What was tried; the innermost answer stays. Return: @code. */
__attribute__((format(printf, 3, 4)))
static inline int error_what(struct kf_error *e, int code, const char *what, ...)
{
	va_list args;

	if (!e || code >= 0)
		return code;
	if (e->code != code) {		/* nobody said why: the errno has to do */
		e->code = code;
		e->what[0] = '\0';
		e->rule[0] = '\0';
		e->next[0] = '\0';
		error_text_set(e->why, "%s", strerror(-code));
	}
	if (e->what[0])
		return code;
	va_start(args, what);
	error_text_vset(e->what, what, args);
	va_end(args);
	return code;
}
