/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sandbox/landlock.h - No file system, no TCP, no signals to others, as far as this kernel's
 * Landlock goes. By system call: Debian 12 has no library for it, and its headers know less than
 * many kernels it runs on.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum landlock_may {
	LANDLOCK_READ = 1 << 0,		/* files and folders */
	LANDLOCK_WRITE = 1 << 1,	/* existing files and device nodes, ioctl included */
	LANDLOCK_RUN = 1 << 2,
	LANDLOCK_SOCKETS = 1 << 3,	/* make and remove sockets in a folder, which base/listen.h locks */
	LANDLOCK_FILES = 1 << 4,	/* make, empty, rename and remove files and folders in a folder */
};

/**
 * struct landlock_path - an exception
 * @path:	the file, or the folder with all below it; one that is not there is passed over
 * @may:	enum landlock_may
 */
struct landlock_path {
	const char *path;
	unsigned int may;
};

/* landlock_enter(): what stays allowed */
#define LANDLOCK_SIGNALS 1u	/* signals to other processes */
#define LANDLOCK_NETWORK 2u	/* TCP, and the abstract sockets of other processes */

/**
 * landlock_enter - closes the file system to this process and its children, for good
 * @paths:	what stays open; NULL for nothing at all
 * @n:		how many
 * @flags:	LANDLOCK_
 * @out:	KF_GUARD_LANDLOCK with the kernel's version of it, seen to work; or
 *		KF_GUARD_LACKS_LANDLOCK
 *
 * Needs no_new_privs. Return: 0, also when the kernel has none; a negative errno where it has and
 * refused, after which the process must not go on.
 */
int landlock_enter(const struct landlock_path *paths, size_t n, unsigned int flags, uint32_t *out);
