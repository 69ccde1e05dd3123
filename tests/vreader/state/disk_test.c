/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vreader/state/disk.h"

#include "tests/harness.h"

#include <stdlib.h>

FIXTURE(disk)
{
	char dir[32];
};

FIXTURE_SETUP(disk)
{
	_cleanup_(store_freep) struct store *store = NULL;

	memcpy(self->dir, "/tmp/kf-disk-XXXXXX", 20);
	ASSERT_NOT_NULL(mkdtemp(self->dir));
	ASSERT_EQ(0, store_open(self->dir, STORE_EXISTING, NULL, &store));
	ASSERT_EQ(0, store_commit(store, BYTES("first", 5)));
}

FIXTURE_TEARDOWN(disk)
{
	char command[64];

	(void)snprintf(command, sizeof(command), "rm -rf %s", self->dir);
	EXPECT_EQ(0, system(command));
}

static void expect_state(struct disk *disk, const char *want)
{
	_cleanup_(secret_deinit) struct secret state = SECRET_INIT;

	ASSERT_EQ(0, disk_load(disk, &state));
	EXPECT_BYTES_EQ(BYTES(want, strlen(want)), secret_bytes(&state));
}

TEST_F(disk, what_is_committed_is_loaded_before_and_after_it_is_opened_anew)
{
	_cleanup_(disk_freep) struct disk *disk = NULL;

	ASSERT_EQ(0, disk_open(self->dir, &disk));
	expect_state(disk, "first");
	ASSERT_EQ(0, disk_commit(disk, BYTES("second", 6)));
	expect_state(disk, "second");
	ASSERT_EQ(0, disk_reopen(disk));
	expect_state(disk, "second");
}

TEST_F(disk, its_lock_is_held_until_it_is_freed)
{
	struct disk *disk, *other;

	ASSERT_EQ(0, disk_open(self->dir, &disk));
	EXPECT_EQ(-EBUSY, disk_open(self->dir, &other));
	ASSERT_EQ(0, disk_reopen(disk));
	EXPECT_EQ(-EBUSY, disk_open(self->dir, &other));
	disk_free(disk);
	ASSERT_EQ(0, disk_open(self->dir, &other));
	disk_free(other);
}

TEST_F(disk, without_a_store_nothing_is_loaded_or_committed)
{
	_cleanup_(disk_freep) struct disk *disk = NULL;
	_cleanup_(secret_deinit) struct secret state = SECRET_INIT;
	char away[64];

	ASSERT_EQ(0, disk_open(self->dir, &disk));
	(void)snprintf(away, sizeof(away), "%s-away", self->dir);
	ASSERT_EQ(0, rename(self->dir, away));
	EXPECT_EQ(-ENOENT, disk_reopen(disk));
	EXPECT_EQ(-EIO, disk_load(disk, &state));
	EXPECT_EQ(-EIO, disk_commit(disk, BYTES("third", 5)));
	ASSERT_EQ(0, rename(away, self->dir));
	ASSERT_EQ(0, disk_reopen(disk));
	expect_state(disk, "first");
}
