/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/oom_openssl.h - For tests/oom.h: OpenSSL's allocations count, too. */
#pragma once

#include "tests/harness.h"
#include "tests/oom.h"

#include <openssl/crypto.h>

static void *oom_openssl_malloc(size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return oom_now() ? NULL : __real_malloc(n);
}

static void *oom_openssl_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return oom_now() ? NULL : __real_realloc(p, n);
}

static void oom_openssl_free(void *p, const char *file, int line)
{
	(void)file, (void)line;
	free(p);
}

/* Before the first use of OpenSSL in this process. */
static inline void oom_with_openssl(void)
{
	ASSERT_EQ(1, CRYPTO_set_mem_functions(oom_openssl_malloc, oom_openssl_realloc,
					      oom_openssl_free));
}
