/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * base/harden.h - What every process of ours does first thing (SECURITY section 7): no debugger or
 * /proc reader of the same uid, no core, no privilege gained by any exec to come.
 */
#pragma once

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Return: 0, or a negative errno; then the process must not go on. */
static inline int harden_process(void)
{
	struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return -errno;
	return 0;
}
