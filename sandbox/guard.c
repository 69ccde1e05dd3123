/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/guard.h"

#include "keyferry/proto.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef KF_SAN
#include <sanitizer/lsan_interface.h>

/* It opens files, starts a thread and traces its own process, and a guarded one can do none of it. */
static bool leaks_unseen;

__attribute__((visibility("default"))) int __lsan_is_turned_off(void)
{
	return leaks_unseen;
}
#endif

void guard_without_leak_check(void)
{
#ifdef KF_SAN
	leaks_unseen = true;
#endif
}

static bool has_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return true;
	for (int i = 0; i < 2; i++)
		if (data[i].effective || data[i].permitted || data[i].inheritable)
			return true;
	return false;
}

uint32_t guard_seccomp(void)
{
	int mode = prctl(PR_GET_SECCOMP, 0, 0, 0, 0);

	return mode < 0 ? KF_GUARD_LACKS_SECCOMP :
	       mode == SECCOMP_MODE_FILTER ? KF_GUARD_SECCOMP : 0;
}

uint32_t guard_measure(void)
{
	struct rlimit core;
	uint32_t guards = 0;

	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		guards |= KF_GUARD_NO_NEW_PRIVS;
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0)
		guards |= KF_GUARD_UNDUMPABLE;
	if (getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0)
		guards |= KF_GUARD_NO_CORE;
	if (!has_capabilities())
		guards |= KF_GUARD_NO_CAPABILITIES;
	return guards;
}

int guard_limit(unsigned long n_files, unsigned long data_bytes)
{
	struct rlimit files = { n_files, n_files };

	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		return -errno;
	guard_without_leak_check();
#ifndef KF_SAN		/* shadow memory counts as data */
	struct rlimit data = { data_bytes, data_bytes };

	if (setrlimit(RLIMIT_DATA, &data) < 0)
		return -errno;
#else
	(void)data_bytes;
#endif
	return 0;
}
