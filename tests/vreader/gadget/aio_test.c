/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces vreader/gadget/aio.c: with files, which end at once. Endpoints, which end later and can be
 * cancelled, are in tests/vm/gadget.sh.
 */
#include "vreader/gadget/aio.h"

#include "base/cleanup.h"
#include "tests/harness.h"

#include <poll.h>
#include <stdio.h>

FIXTURE(aio)
{
	struct aio aio;
	FILE *file;
};

FIXTURE_SETUP(aio)
{
	int r = aio_init(&self->aio);

	if (r == -ENOSYS || r == -EPERM)
		SKIP("this kernel, or who runs us, has no asynchronous I/O");
	ASSERT_EQ(0, r);
	self->file = tmpfile();
	ASSERT_NOT_NULL(self->file);
}

FIXTURE_TEARDOWN(aio)
{
	aio_deinit(&self->aio);
	if (self->file)
		(void)fclose(self->file);
}

static struct aio_op *wait_for_one(struct aio *aio)
{
	struct pollfd p = { aio->event_fd, POLLIN, 0 };
	struct aio_op *op = aio_take(aio);

	while (!op && poll(&p, 1, 5000) == 1)
		op = aio_take(aio);
	return op;
}

TEST_F(aio, what_was_written_is_read)
{
	int fd = fileno(self->file);
	struct aio_op op = { .busy = false };
	uint8_t buf[16] = { 0 };

	ASSERT_EQ(0, aio_write(&self->aio, &op, fd, BYTES("ferry", 5)));
	EXPECT_TRUE(op.busy);
	ASSERT_EQ(&op, wait_for_one(&self->aio));
	EXPECT_FALSE(op.busy);
	EXPECT_EQ(5, op.result);
	ASSERT_EQ(0, aio_read(&self->aio, &op, fd, buf, sizeof(buf)));
	ASSERT_EQ(&op, wait_for_one(&self->aio));
	EXPECT_EQ(5, op.result);
	EXPECT_MEMEQ("ferry", buf, 5);
}

TEST_F(aio, two_at_once_both_end)
{
	int fd = fileno(self->file);
	struct aio_op a = { .busy = false }, b = { .busy = false };
	struct aio_op *first, *second;

	ASSERT_EQ(0, aio_write(&self->aio, &a, fd, BYTES("aa", 2)));
	ASSERT_EQ(0, aio_write(&self->aio, &b, fd, BYTES("bbb", 3)));
	first = wait_for_one(&self->aio);
	second = wait_for_one(&self->aio);
	EXPECT_TRUE((first == &a && second == &b) || (first == &b && second == &a));
	EXPECT_EQ(5, a.result + b.result);
}

TEST_F(aio, nothing_ends_when_nothing_runs)
{
	struct aio_op op = { .busy = false };

	EXPECT_NULL(aio_take(&self->aio));
	aio_cancel(&self->aio, &op);
	EXPECT_NULL(aio_take(&self->aio));
}

TEST_F(aio, a_transfer_that_cannot_begin_says_so_and_is_not_busy)
{
	struct aio_op op = { .busy = false };
	uint8_t byte;

	EXPECT_EQ(-EBADF, aio_read(&self->aio, &op, -1, &byte, 1));
	EXPECT_FALSE(op.busy);
}
