/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base/cleanup.h - Scope-bound release. A variable with _cleanup_() is initialised where it is
 * declared; take_ptr() and take_fd() hand its value on and disarm it. None of these changes errno:
 * they run on paths that are about to report one.
 */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))

#define take_ptr(ptr) \
	__extension__({ \
		__typeof__(ptr) *pptr_ = &(ptr); \
		__typeof__(ptr) taken_ = *pptr_; \
		*pptr_ = NULL; \
		taken_; \
	})

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Takes a negative number too; returns -1: fd = fd_close(fd). */
static inline int fd_close(int fd)
{
	if (fd >= 0) {
		int saved = errno;

		(void)close(fd);
		errno = saved;
	}
	return -1;
}

static inline void fd_closep(int *fd)
{
	*fd = fd_close(*fd);
}

/* @pptr points to a pointer of any type, which C lets us read as void * only through memcpy. */
static inline void freep(void *pptr)
{
	void *p;

	memcpy(&p, pptr, sizeof(p));
	free(p);
	memset(pptr, 0, sizeof(p));
}

/* For files that were read: who wrote one has to call fclose() and look at its result. */
static inline void fclosep(FILE **file)
{
	int saved = errno;

	if (*file)
		(void)fclose(*file);
	*file = NULL;
	errno = saved;
}

/* Defines x_freep() for a destructor x_free() that takes NULL and returns NULL. */
#define DEFINE_CLEANUP(type, fn) \
	static inline void fn##p(type *pptr) \
	{ \
		if (*pptr) \
			*pptr = fn(*pptr); \
	} \
	struct cleanup_needs_a_semicolon_
