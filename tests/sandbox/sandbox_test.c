/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/sandbox.h"

#include "base/harden.h"
#include "keyferry/proto.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct filter_rule opens[] = { FILTER_ANY(openat) };

/* Without no_new_privs nobody but root may load a filter: a failure has to be one. */
TEST(a_refusal_by_the_kernel_is_a_failure)
{
	const struct sandbox sandbox = { 0 };
	uint32_t guards = 77;

	if (getuid() == 0 && setuid(61001) < 0)
		SKIP("cannot become an ordinary user");
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		SKIP("somebody has set no_new_privs already");
	EXPECT_GT(0, sandbox_enter(&sandbox, &guards));
	EXPECT_EQ(77, guards);
}

TEST(all_that_is_in_force_is_told)
{
	const struct sandbox sandbox = { .calls = opens, .n_calls = 1 };
	uint32_t wanted = KF_GUARD_NO_NEW_PRIVS | KF_GUARD_UNDUMPABLE | KF_GUARD_NO_CORE |
			  KF_GUARD_SECCOMP;
	uint32_t guards = 0;
	int fd;

	if (HARNESS_SANITIZED)
		SKIP("builds with sanitizers have no filter");
	ASSERT_EQ(0, harden_process());
	ASSERT_EQ(0, sandbox_enter(&sandbox, &guards));
	EXPECT_EQ(wanted, guards & wanted);
	EXPECT_TRUE(guards & (KF_GUARD_LANDLOCK | KF_GUARD_LACKS_LANDLOCK));
	/* The filter would let it pass; then it is Landlock that refuses. */
	fd = (int)syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
	if (guards & KF_GUARD_LANDLOCK)
		EXPECT_GT(0, fd);
}
