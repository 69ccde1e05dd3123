// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/error.h"
#include "tests/harness.h"

TEST(the_fault_keeps_its_reason_and_the_caller_adds_what_was_tried)
{
	struct kf_error e = KF_ERROR_INIT;

	EXPECT_EQ(-EACCES, error_why(&e, -EACCES, "policy", "ask", "uid %d may not", 7));
	EXPECT_EQ(-EACCES, error_what(&e, -EACCES, "cannot open %s", "x"));
	EXPECT_EQ(-EACCES, error_what(&e, -EACCES, "outer"));
	EXPECT_STREQ("cannot open x", e.what);
	EXPECT_STREQ("uid 7 may not", e.why);
	EXPECT_STREQ("policy", e.rule);
	EXPECT_STREQ("ask", e.next);
}

TEST(a_failure_nobody_explained_is_told_by_its_errno)
{
	struct kf_error e = KF_ERROR_INIT;

	(void)error_why(&e, -EACCES, "policy", "ask", "an older failure");
	EXPECT_EQ(-ENOMEM, error_what(&e, -ENOMEM, "cannot seal"));
	EXPECT_STREQ(strerror(ENOMEM), e.why);
	EXPECT_STREQ("cannot seal", e.what);
	EXPECT_STREQ("", e.rule);
}

TEST(success_leaves_the_error_alone)
{
	struct kf_error e = KF_ERROR_INIT;

	EXPECT_EQ(0, error_what(&e, 0, "cannot seal"));
	EXPECT_STREQ("", e.what);
	EXPECT_EQ(-EIO, error_why(NULL, -EIO, "", "", "x"));
	EXPECT_EQ(-EIO, error_what(NULL, -EIO, "x"));
}

TEST(text_from_outside_cannot_paint_the_terminal)
{
	struct kf_error e = KF_ERROR_INIT;

	(void)error_why(&e, -EINVAL, "r", "n", "serial \"%s\"", "a\033[31m\n\x9b" "b");
	EXPECT_STREQ("serial \"a?[31m??b\"", e.why);
}
