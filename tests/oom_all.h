/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/oom_all.h - As oom.h, but whoever makes the allocation: us, jansson, OpenSSL from its first
 * call on. For one test program each, which then has the allocator. Under AddressSanitizer its own
 * stands behind ours, so that it sees what leaks.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define OOM_BEHIND(name) __interceptor_##name
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OOM_BEHIND(name) __interceptor_##name
#endif
#endif
#ifndef OOM_BEHIND
#define OOM_BEHIND(name) __libc_##name
#endif

void *OOM_BEHIND(malloc)(size_t n);
void *OOM_BEHIND(calloc)(size_t n, size_t size);
void *OOM_BEHIND(realloc)(void *p, size_t n);

static long oom_in = -1;	/* allocations until one fails; -1: none does */

static bool oom_now(void)
{
	if (oom_in < 0 || oom_in-- > 0)
		return false;
	errno = ENOMEM;
	return true;
}

/* Libraries find them only if they are exported. */
#pragma GCC visibility push(default)
void *malloc(size_t n) { return oom_now() ? NULL : OOM_BEHIND(malloc)(n); }
void *calloc(size_t n, size_t size) { return oom_now() ? NULL : OOM_BEHIND(calloc)(n, size); }
void *realloc(void *p, size_t n) { return oom_now() ? NULL : OOM_BEHIND(realloc)(p, n); }
void *reallocarray(void *p, size_t n, size_t size)
{
	return oom_now() ? NULL : OOM_BEHIND(realloc)(p, n * size);
}
#pragma GCC visibility pop
