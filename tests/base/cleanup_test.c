/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "tests/harness.h"

#include <fcntl.h>

struct thing {
	int *freed;
};

static struct thing *thing_free(struct thing *thing)
{
	if (!thing)
		return NULL;
	(*thing->freed)++;
	free(thing);
	return NULL;
}
DEFINE_CLEANUP(struct thing *, thing_free);

static struct thing *thing_new(int *freed)
{
	struct thing *thing = malloc(sizeof(*thing));

	ASSERT_NOT_NULL(thing);
	thing->freed = freed;
	return thing;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

TEST(a_thing_is_freed_once_at_the_end_of_its_scope)
{
	int freed = 0;

	{
		_cleanup_(thing_freep) struct thing *thing = thing_new(&freed);
		_cleanup_(thing_freep) struct thing *none = NULL;

		EXPECT_NOT_NULL(thing);
		EXPECT_NULL(none);
		EXPECT_EQ(0, freed);
	}
	EXPECT_EQ(1, freed);
}

TEST(a_taken_thing_is_not_freed)
{
	struct thing *kept;
	int freed = 0;

	{
		_cleanup_(thing_freep) struct thing *thing = thing_new(&freed);

		kept = take_ptr(thing);
		EXPECT_NULL(thing);
	}
	EXPECT_EQ(0, freed);
	EXPECT_NULL(thing_free(kept));
	EXPECT_EQ(1, freed);
}

TEST(a_descriptor_is_closed_at_the_end_of_its_scope_unless_taken)
{
	int seen, kept;

	{
		_cleanup_(fd_closep) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		_cleanup_(fd_closep) int other = open("/dev/null", O_RDONLY | O_CLOEXEC);

		ASSERT_GE(fd, 0);
		seen = fd;
		kept = take_fd(&other);
		EXPECT_EQ(-1, other);
	}
	EXPECT_FALSE(is_open(seen));
	EXPECT_TRUE(is_open(kept));
	EXPECT_EQ(-1, fd_close(kept));
	EXPECT_FALSE(is_open(kept));
}

TEST(closing_leaves_errno_as_it_was)
{
	FILE *file = fopen("/dev/null", "re");
	void *p = malloc(1);

	errno = EKEYREJECTED;
	EXPECT_EQ(-1, fd_close(987654));
	EXPECT_EQ(-1, fd_close(-1));
	fclosep(&file);
	freep(&p);
	EXPECT_EQ(EKEYREJECTED, errno);
	EXPECT_NULL(file);
	EXPECT_NULL(p);
}

TEST(descriptor_0_is_a_descriptor)
{
	int fd = 0;

	fd_closep(&fd);
	EXPECT_EQ(-1, fd);
	EXPECT_FALSE(is_open(0));
}
