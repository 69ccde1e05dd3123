// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/state_test.c - The directory: private, made once, opened with or
 * without the injector key.
 */
#include "libserver/state.h"
#include "tests/libserver/state_fixture.h"

#include <sys/stat.h>

static void command_on(const struct fixture_state *self, const char *what, const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", self->path, name);
	command(what, path);
}

TEST_F(state, its_files_are_closed_to_others)
{
	struct kf_state *again = NULL;

	self->state = kf_state_close(self->state);
	ASSERT_EQ(0, chmod(self->path, 0750));
	EXPECT_EQ(-EACCES, kf_state_open(self->path, NULL, 0, &again, &self->e));
	ASSERT_EQ(0, chmod(self->path, 0700));
	command_on(self, "chmod 644", "injector.pem");
	EXPECT_EQ(-EACCES, kf_state_open(self->path, NULL, 0, &again, &self->e));
	command_on(self, "chmod 600", "injector.pem");
	EXPECT_EQ(0, kf_state_open(self->path, NULL, 0, &again, &self->e));
	kf_state_close(again);
}

TEST_F(state, it_is_made_once_and_in_a_directory_of_its_own)
{
	EXPECT_EQ(-EEXIST, kf_state_init(self->path, NULL, 0, &self->e));
	EXPECT_EQ(-EEXIST, kf_state_init(self->dir, NULL, 0, &self->e));	/* holds "s" */
	self->state = kf_state_close(self->state);
	command_on(self, "rm", "state.json");
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

static void hex_of_master(const struct kf_state *state, char out[static 65])
{
	ASSERT_EQ(32u, state->server->master.n);
	hex_print(secret_bytes(&state->server->master), out);
}

/* Under the passphrase that the administrator chose against the loss of a backup. */
TEST_F(state, the_master_of_an_encrypted_state_is_encrypted_too)
{
	struct kf_state *locked = NULL;
	struct blob file = BLOB_INIT;
	char path[64], out[64], first[65], again[65];

	(void)snprintf(path, sizeof(path), "%s/locked", self->dir);
	(void)snprintf(out, sizeof(out), "%s/shared", self->dir);
	ASSERT_EQ(0, kf_state_init(path, "secret words", 12, &self->e));
	ASSERT_EQ(0, kf_state_open(path, NULL, 0, &locked, &self->e));
	EXPECT_EQ(-ENOKEY, kf_state_share(locked, "KF-1", out, &self->e));
	EXPECT_FALSE(folder_has(&locked->top, "master.key"));
	kf_state_close(locked);
	ASSERT_EQ(0, kf_state_open(path, "secret words", 12, &locked, &self->e));
	ASSERT_EQ(0, kf_state_share(locked, "KF-1", out, &self->e));
	hex_of_master(locked, first);
	ASSERT_EQ(0, folder_read(&locked->top, "master.key", 4096, &file, NULL));
	EXPECT_EQ(0u, bytes_count(blob_bytes(&file), first));
	blob_deinit(&file);
	kf_state_close(locked);
	ASSERT_EQ(0, kf_state_open(path, NULL, 0, &locked, &self->e));
	EXPECT_EQ(0u, kf_state_server(locked)->master.n);
	kf_state_close(locked);
	ASSERT_EQ(0, kf_state_open(path, "secret words", 12, &locked, &self->e));
	hex_of_master(locked, again);
	EXPECT_STREQ(first, again);
	kf_state_close(locked);
}

/* A passphrase that this state never had closes nothing. */
TEST_F(state, words_that_opened_nothing_lock_no_master)
{
	char out[64];

	self->state = kf_state_close(self->state);
	(void)snprintf(out, sizeof(out), "%s/shared", self->dir);
	ASSERT_EQ(0, kf_state_open(self->path, "any words", 9, &self->state, &self->e));
	ASSERT_EQ(0, kf_state_share(self->state, "KF-1", out, &self->e));
	self->state = kf_state_close(self->state);
	ASSERT_EQ(0, kf_state_open(self->path, NULL, 0, &self->state, &self->e));
	EXPECT_EQ(32u, kf_state_server(self->state)->master.n);
}
