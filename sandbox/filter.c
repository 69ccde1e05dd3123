/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/filter.h"

#include "base/cleanup.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>

const struct filter_rule filter_common[] = {
	/* memory: malloc, struct secret */
	FILTER_ANY(brk),
	FILTER_ANY(madvise),
	FILTER_ANY(mlock),
	FILTER_NEVER(mmap, 2, PROT_EXEC),
	FILTER_NEVER(mprotect, 2, PROT_EXEC),
	FILTER_ANY(mremap),
	FILTER_ANY(munlock),
	FILTER_ANY(munmap),
	/* time */
	FILTER_ANY(clock_gettime),
	FILTER_ANY(clock_nanosleep),
	FILTER_ANY(gettimeofday),
	/* descriptors it has */
	FILTER_ANY(close),
	FILTER_ANY(fcntl),
	FILTER_ANY(poll),
	FILTER_ANY(ppoll),
	FILTER_ANY(read),
	FILTER_ANY(write),
	FILTER_ANY(writev),
	FILTER_ANY(recvfrom),
	FILTER_ANY(recvmsg),
	FILTER_ANY(sendmsg),
	FILTER_ANY(sendto),
	/* itself */
	FILTER_ANY(exit),
	FILTER_ANY(exit_group),
	FILTER_ANY(futex),
	FILTER_ANY(getpid),
	FILTER_ANY(getrandom),
	FILTER_ANY(gettid),
	FILTER_ANY(getuid),
	FILTER_ANY(restart_syscall),
	FILTER_ANY(rt_sigaction),
	FILTER_ANY(rt_sigprocmask),
	FILTER_ANY(rt_sigreturn),
	FILTER_ANY(sysinfo),		/* glibc's qsort() */
	FILTER_IF(prctl, 0, PR_GET_SECCOMP),
};
const size_t filter_n_common = sizeof(filter_common) / sizeof(filter_common[0]);

static inline void seccomp_releasep(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

static int add(scmp_filter_ctx ctx, const struct filter_rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct filter_rule *rule = &rules[i];
		struct scmp_arg_cmp equal = { (unsigned int)rule->arg, SCMP_CMP_MASKED_EQ,
					      rule->mask, rule->value };
		int r = seccomp_rule_add_array(ctx, rule->error ? SCMP_ACT_ERRNO(rule->error) :
								  SCMP_ACT_ALLOW,
					       rule->call, rule->arg < 0 ? 0 : 1, &equal);

		/* -EDOM: this architecture has no such call. */
		if (r < 0 && r != -EDOM)
			return r;
	}
	return 0;
}

int filter_load(const struct filter_rule *rules, size_t n)
{
	_cleanup_(seccomp_releasep) scmp_filter_ctx ctx = NULL;
	int r;

#ifdef KF_SAN
	return 0;
#endif
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0)
		return 0;
	errno = 0;
	ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!ctx)			/* also where the kernel says that it cannot kill a process */
		return errno == ENOMEM ? -ENOMEM : -EOPNOTSUPP;
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = add(ctx, filter_common, filter_n_common);
	if (r == 0)
		r = add(ctx, rules, n);
	if (r < 0)
		return r;
	errno = 0;
	r = seccomp_load(ctx);		/* -ECANCELED, whatever the kernel had against it */
	return r < 0 && errno > 0 ? -errno : r;
}
