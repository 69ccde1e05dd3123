/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/guard.h"

#include "base/harden.h"
#include "keyferry/proto.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

TEST(nothing_is_claimed_that_is_not_so)
{
	uint32_t guards = guard_measure() | guard_seccomp();

	EXPECT_FALSE(guards & KF_GUARD_UNDUMPABLE);
	EXPECT_FALSE(guards & KF_GUARD_LANDLOCK);
	EXPECT_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
		  (guards & KF_GUARD_NO_NEW_PRIVS) != 0);
	if (getuid() == 0)
		EXPECT_FALSE(guards & KF_GUARD_NO_CAPABILITIES);
}

TEST(what_harden_does_is_seen)
{
	uint32_t wanted = KF_GUARD_NO_NEW_PRIVS | KF_GUARD_UNDUMPABLE | KF_GUARD_NO_CORE;

	ASSERT_EQ(0, harden_process());
	EXPECT_EQ(wanted, guard_measure() & wanted);
}

TEST(capabilities_are_gone_with_the_uid)
{
	if (getuid() != 0)
		SKIP("only root can become somebody else");
	ASSERT_EQ(0, setuid(61001));
	EXPECT_TRUE(guard_measure() & KF_GUARD_NO_CAPABILITIES);
}

TEST(descriptors_and_memory_have_an_end)
{
	int fd = -1, last = 0;
	void *p;

	ASSERT_EQ(0, guard_limit(20, 32 << 20));
	while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		last = fd;
	EXPECT_EQ(19, last);
	EXPECT_EQ(EMFILE, errno);
	if (HARNESS_SANITIZED)
		SKIP("shadow memory counts as data, so these builds have no limit on it");
	p = malloc(64 << 20);
	EXPECT_NULL(p);
	free(p);
}
