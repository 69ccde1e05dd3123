/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base/secret.h - The only home of PINs, session keys and private key plaintext. A secret lives
 * in pages of its own: locked against swap, left out of core dumps, wiped in a forked child, and
 * wiped before they go back. Log and trace functions take no struct secret, on purpose.
 */
#pragma once

#include "base/bytes.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/**
 * struct secret - bounded secret bytes
 * @p:		the bytes; NULL until secret_init()
 * @n:		length in use
 * @cap:	length reserved; never grows
 * @mapped:	size of the mapping behind it
 */
struct secret {
	uint8_t *p;
	size_t n;
	size_t cap;
	size_t mapped;
};

#define SECRET_INIT ((struct secret){ 0 })

static inline void wipe(void *p, size_t n)
{
	if (p && n != 0)
		explicit_bzero(p, n);
}

/*
 * Reserves @cap bytes. A secret that cannot be locked is refused rather than swapped: raise
 * RLIMIT_MEMLOCK instead (Debian's default of 8 MiB is far above what keyferry holds).
 *
 * Return: 0, -ENOMEM, -EPERM or -EAGAIN when the pages cannot be locked.
 */
static inline int secret_init(struct secret *s, size_t cap)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t mapped;
	void *p;

	assert(!s->p);
	if (cap == 0 || cap > (size_t)1 << 20)
		return -EINVAL;
	mapped = (cap + page - 1) / page * page;
	p = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -ENOMEM;
	if (mlock(p, mapped) < 0) {
		int r = -errno;

		(void)munmap(p, mapped);
		return r;
	}
	(void)madvise(p, mapped, MADV_DONTDUMP);
	(void)madvise(p, mapped, MADV_WIPEONFORK);
	*s = (struct secret){ .p = (uint8_t *)p, .cap = cap, .mapped = mapped };
	return 0;
}

static inline void secret_deinit(struct secret *s)
{
	if (s->p) {
		wipe(s->p, s->mapped);
		(void)munmap(s->p, s->mapped);
	}
	*s = SECRET_INIT;
}

/* For _cleanup_(secret_deinit). */

static inline struct bytes secret_bytes(const struct secret *s)
{
	return BYTES(s->p, s->n);
}

/* Return: 0, or -EMSGSIZE if @b does not fit. */
static inline int secret_set(struct secret *s, struct bytes b)
{
	if (b.n > s->cap)
		return -EMSGSIZE;
	if (b.n != 0)
		memcpy(s->p, b.p, b.n);
	wipe(s->p + b.n, s->cap - b.n);
	s->n = b.n;
	return 0;
}

static inline void secret_clear(struct secret *s)
{
	wipe(s->p, s->cap);
	s->n = 0;
}

/* Equality in time that depends on the lengths alone. */
static inline bool bytes_equal_ct(struct bytes a, struct bytes b)
{
	volatile uint8_t diff = 0;

	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		diff = (uint8_t)(diff | (a.p[i] ^ b.p[i]));
	return diff == 0;
}

static inline bool secret_equal(const struct secret *a, const struct secret *b)
{
	return bytes_equal_ct(secret_bytes(a), secret_bytes(b));
}
