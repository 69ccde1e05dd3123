/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * without_landlock PROGRAM ARGUMENT... - runs it on a kernel that has no Landlock, as far as it can
 * tell: the calls answer ENOSYS, as they do where it was not built in.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	if (argc < 2 || !ctx || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(landlock_create_ruleset), 0) < 0 ||
	    seccomp_load(ctx) < 0) {
		perror("without_landlock");
		return 1;
	}
	(void)execv(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
