/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/doctor/accounts.h"

#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

FIXTURE(image)
{
	char root[64];
};

static void write_file(const char *root, const char *name, const char *text)
{
	char path[128];
	FILE *to;

	(void)snprintf(path, sizeof(path), "%s/etc/%s", root, name);
	to = fopen(path, "we");
	ASSERT_NOT_NULL(to);
	fputs(text, to);
	ASSERT_EQ(0, fclose(to));
}

FIXTURE_SETUP(image)
{
	char path[128];

	(void)snprintf(self->root, sizeof(self->root), "/tmp/keyferry-test-XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(self->root));
	(void)snprintf(path, sizeof(path), "%s/etc", self->root);
	ASSERT_EQ(0, mkdir(path, 0700));
	write_file(self->root, "passwd", "ann:x:1001:500::/:/bin/sh\nbob:x:1002:1002::/:/bin/sh\n"
		   "eve:x:1003:1003::/:/bin/sh\n");
	write_file(self->root, "group", "other:x:1:eve\nsailors:x:500:bob\n");
}

FIXTURE_TEARDOWN(image)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf %s", self->root);
	EXPECT_EQ(0, system(command));
}

TEST_F(image, its_own_files_are_asked)
{
	uid_t uid = 0;
	gid_t gid = 0;

	EXPECT_EQ(0, accounts_user(self->root, "bob", &uid));
	EXPECT_EQ(1002, uid);
	EXPECT_EQ(-ENOENT, accounts_user(self->root, "root", &uid));
	EXPECT_EQ(0, accounts_group(self->root, "sailors", &gid));
	EXPECT_EQ(500, gid);
	EXPECT_EQ(-ENOENT, accounts_group(self->root, "root", &gid));
	EXPECT_EQ(-ENOENT, accounts_user("/no/such/image", "bob", &uid));
}

TEST_F(image, a_member_is_one_by_list_or_by_first_group)
{
	EXPECT_TRUE(accounts_is_member(self->root, "sailors", 1001));
	EXPECT_TRUE(accounts_is_member(self->root, "sailors", 1002));
	EXPECT_FALSE(accounts_is_member(self->root, "sailors", 1003));
	EXPECT_FALSE(accounts_is_member(self->root, "sailors", 0));
	EXPECT_FALSE(accounts_is_member(self->root, "nobody", 1001));
}

TEST(the_running_machine_is_asked_without_a_root)
{
	uid_t uid = 77;

	EXPECT_EQ(0, accounts_user("", "root", &uid));
	EXPECT_EQ(0, uid);
	EXPECT_TRUE(accounts_is_member("", "root", 0));
}
