/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base/secret.h - The only home of PINs, session keys and private key plaintext. A secret lives
 * in pages of its own: locked against swap, left out of core dumps, wiped in a forked child, wiped
 * before they go back, and with a page on either side that nobody may touch, so that running over
 * an edge ends the process instead of meeting the next secret. Log and trace functions take no
 * struct secret, on purpose.
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
 * @locked:	size of the locked pages, all of which are wiped
 */
struct secret {
	uint8_t *p;
	size_t n;
	size_t cap;
	size_t locked;
};

#define SECRET_INIT ((struct secret){ 0 })

static inline void wipe(void *p, size_t n)
{
	if (p && n != 0)
		explicit_bzero(p, n);
}

#define SECRET_MAX ((size_t)1 << 20)

static inline size_t secret_page(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* Locks and hides @n bytes at @p. Return: 0 or what refused. */
static inline int secret_protect(void *p, size_t n)
{
	if (mprotect(p, n, PROT_READ | PROT_WRITE) < 0 || mlock(p, n) < 0 ||
	    madvise(p, n, MADV_DONTDUMP) < 0 || madvise(p, n, MADV_WIPEONFORK) < 0)
		return -errno;
	return 0;
}

/*
 * Reserves @cap bytes, 1 to SECRET_MAX; the length in use is 0. A secret that cannot be locked or
 * hidden is refused rather than kept badly: raise RLIMIT_MEMLOCK instead (Debian's default of
 * 8 MiB is far above what keyferry holds).
 *
 * Return: 0, -EINVAL for a bad @cap, -ENOMEM, -EPERM or -EAGAIN when pages cannot be had or locked.
 */
static inline int secret_init(struct secret *s, size_t cap)
{
	size_t page = secret_page(), locked;
	uint8_t *p;
	int r;

	assert(!s->p);
	if (cap == 0 || cap > SECRET_MAX)
		return -EINVAL;
	locked = (cap + page - 1) / page * page;
	p = mmap(NULL, locked + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	r = secret_protect(p + page, locked);
	if (r < 0) {
		(void)munmap(p, locked + 2 * page);
		return r;
	}
	*s = (struct secret){ .p = p + page, .cap = cap, .locked = locked };
	return 0;
}

/* Wipes and gives back; takes one that was never initialised, and its own leftovers. */
static inline void secret_deinit(struct secret *s)
{
	if (s->p) {
		size_t page = secret_page();

		wipe(s->p, s->locked);
		(void)munmap(s->p - page, s->locked + 2 * page);
	}
	*s = SECRET_INIT;
}

/* Take: the caller owns what @s held; @s is empty. */
static inline struct secret secret_take(struct secret *s)
{
	struct secret taken = *s;

	*s = SECRET_INIT;
	return taken;
}

static inline struct bytes secret_bytes(const struct secret *s)
{
	return BYTES(s->p, s->n);
}

/*
 * Sets the length in use, for who fills or cuts s->p itself. What is cut off is wiped, what is
 * added reads as zero.
 *
 * Return: 0, or -EMSGSIZE if @n is more than was reserved; then nothing changed.
 */
static inline int secret_resize(struct secret *s, size_t n)
{
	if (n > s->cap)
		return -EMSGSIZE;
	if (n < s->n)
		wipe(s->p + n, s->n - n);
	s->n = n;
	return 0;
}

/* @b may be a part of @s. Return: 0, or -EMSGSIZE if it does not fit; then nothing changed. */
static inline int secret_set(struct secret *s, struct bytes b)
{
	if (b.n > s->cap)
		return -EMSGSIZE;
	if (b.n != 0)
		memmove(s->p, b.p, b.n);
	return secret_resize(s, b.n);
}

static inline void secret_clear(struct secret *s)
{
	wipe(s->p, s->cap);
	s->n = 0;
}

/* Equality in time that depends on the lengths alone; volatile, so that no compiler leaves early. */
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
