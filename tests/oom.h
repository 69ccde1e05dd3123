/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/oom.h - The n-th allocation fails, for all n. For one source file of a test that is linked
 * with name-ldflags := $(fail-allocs), which sends the calls of our code here. Those of OpenSSL come
 * along after oom_with_openssl(). Both work under the sanitizers, so that a leak is seen as well.
 *
 *	do {
 *		... fresh objects ...
 *		oom_begin(n);
 *		r = what_is_tested();
 *		... r is -ENOMEM, or 0 where it could do without ...
 *	} while (!oom_end(&n));
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static long oom_in = -1;	/* allocations until one fails; -1: none does */

static bool oom_now(void)
{
	if (oom_in < 0 || oom_in-- > 0)
		return false;
	errno = ENOMEM;
	return true;
}

/* The linker's names, which the language keeps for itself. */
void *__real_malloc(size_t n);			/* NOLINT(bugprone-reserved-identifier) */
void *__real_calloc(size_t n, size_t size);	/* NOLINT(bugprone-reserved-identifier) */
void *__real_realloc(void *p, size_t n);	/* NOLINT(bugprone-reserved-identifier) */
void *__real_reallocarray(void *p, size_t n, size_t size); /* NOLINT(bugprone-reserved-identifier) */
char *__real_strdup(const char *s);		/* NOLINT(bugprone-reserved-identifier) */
void *__wrap_malloc(size_t n);			/* NOLINT(bugprone-reserved-identifier) */
void *__wrap_calloc(size_t n, size_t size);	/* NOLINT(bugprone-reserved-identifier) */
void *__wrap_realloc(void *p, size_t n);	/* NOLINT(bugprone-reserved-identifier) */
void *__wrap_reallocarray(void *p, size_t n, size_t size); /* NOLINT(bugprone-reserved-identifier) */
char *__wrap_strdup(const char *s);		/* NOLINT(bugprone-reserved-identifier) */

void *__wrap_malloc(size_t n) { return oom_now() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return oom_now() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return oom_now() ? NULL : __real_realloc(p, n); }
void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return oom_now() ? NULL : __real_reallocarray(p, n, size);
}
char *__wrap_strdup(const char *s) { return oom_now() ? NULL : __real_strdup(s); }

static inline void oom_begin(long n)
{
	oom_in = n;
}

/* Counts on. Return: whether all were made, so that there is no further one to fail. */
static inline bool oom_end(long *n)
{
	bool all = oom_in >= 0;

	oom_in = -1;
	*n += !all;
	return all;
}
