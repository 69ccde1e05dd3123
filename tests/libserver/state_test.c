// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/state_test.c - The directory: private, made once, opened with or
 * without the injector key.
 */
#include "tests/libserver/state_fixture.h"

#include <sys/stat.h>

TEST_F(state, its_files_are_closed_to_others)
{
	struct kf_state *again = NULL;

	self->state = kf_state_close(self->state);
	ASSERT_EQ(0, chmod(self->path, 0750));
	EXPECT_EQ(-EACCES, kf_state_open(self->path, NULL, 0, &again, &self->e));
	ASSERT_EQ(0, chmod(self->path, 0700));
	command("chmod 644", strcat(strcpy((char[128]){ 0 }, self->path), "/injector.pem"));
	EXPECT_EQ(-EACCES, kf_state_open(self->path, NULL, 0, &again, &self->e));
	command("chmod 600", strcat(strcpy((char[128]){ 0 }, self->path), "/injector.pem"));
	EXPECT_EQ(0, kf_state_open(self->path, NULL, 0, &again, &self->e));
	kf_state_close(again);
}

TEST_F(state, it_is_made_once_and_in_a_directory_of_its_own)
{
	EXPECT_EQ(-EEXIST, kf_state_init(self->path, NULL, 0, &self->e));
	EXPECT_EQ(-EEXIST, kf_state_init(self->dir, NULL, 0, &self->e));	/* holds "s" */
	self->state = kf_state_close(self->state);
	command("rm", strcat(strcpy((char[128]){ 0 }, self->path), "/state.json"));
	EXPECT_EQ(-ENOENT, kf_state_open(self->path, NULL, 0, &self->state, &self->e));
	EXPECT_EQ(0, kf_state_init(self->path, NULL, 0, &self->e));	/* as after a crash */
}

TEST_F(state, a_locked_injector_key_is_asked_for_when_it_is_needed)
{
	struct kf_state *locked = NULL;
	uint8_t hash[KF_DIGEST_SIZE];
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/locked", self->dir);
	ASSERT_EQ(0, kf_state_init(path, "secret words", 12, &self->e));
	EXPECT_EQ(1, kf_state_needs_passphrase(path, NULL));
	EXPECT_EQ(0, kf_state_needs_passphrase(self->path, NULL));
	EXPECT_EQ(-EKEYREJECTED, kf_state_open(path, "other words", 11, &locked, &self->e));
	ASSERT_EQ(0, kf_state_open(path, NULL, 0, &locked, &self->e));
	EXPECT_EQ(-ENOENT, kf_server_injector_hash(kf_state_server(locked), hash));
	kf_state_close(locked);
	ASSERT_EQ(0, kf_state_open(path, "secret words", 12, &locked, &self->e));
	EXPECT_EQ(0, kf_server_injector_hash(kf_state_server(locked), hash));
	kf_state_close(locked);
}
