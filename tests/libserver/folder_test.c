// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/folder_test.c - Private, whole, and once where it says once.
 *
 * Faces: libserver/nonces.c
 */
#include "libserver/folder.h"
#include "libserver/master.h"
#include "libserver/nonces.h"
#include "libserver/policy.h"
#include "tests/harness.h"

#include <fcntl.h>
#include <sys/stat.h>

FIXTURE(folder)
{
	char dir[40];
	struct folder top, used;
};

FIXTURE_SETUP(folder)
{
	(void)snprintf(self->dir, sizeof(self->dir), "/tmp/kf-folder-XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(self->dir));
	self->top = self->used = FOLDER_INIT;
	ASSERT_EQ(0, folder_open(AT_FDCWD, self->dir, &self->top, NULL));
	ASSERT_EQ(0, folder_make(self->top.fd, "used", &self->used, NULL));
}

FIXTURE_TEARDOWN(folder)
{
	char line[64];

	folder_deinit(&self->top);
	folder_deinit(&self->used);
	(void)snprintf(line, sizeof(line), "rm -rf %s", self->dir);
	EXPECT_EQ(0, system(line));	/* NOLINT(cert-env33-c) */
}

TEST_F(folder, what_is_written_is_read_back)
{
	_cleanup_(blob_deinit) struct blob b = BLOB_INIT;
	struct stat st;

	EXPECT_EQ(0, folder_write(&self->top, "f", BYTES("one", 3), NULL));
	EXPECT_EQ(0, folder_write(&self->top, "f", BYTES("other", 5), NULL));
	EXPECT_EQ(-EEXIST, folder_create(&self->top, "f", BYTES("third", 5), NULL));
	EXPECT_EQ(0, folder_read(&self->top, "f", 5, &b, NULL));
	EXPECT_BYTES_EQ(BYTES("other", 5), blob_bytes(&b));
	EXPECT_EQ(-EFBIG, folder_read(&self->top, "f", 4, &b, NULL));
	EXPECT_EQ(-ENOENT, folder_read(&self->top, "g", 4, &b, NULL));
	ASSERT_EQ(0, fstatat(self->top.fd, "f", &st, 0));
	EXPECT_EQ(0600, st.st_mode & 07777);
}

/* A folder that cannot be looked at: its policy is not the shipped one, its nonces are not unspent. */
TEST_F(folder, only_what_is_known_to_be_absent_is)
{
	const uint8_t nonce[KF_NONCE_SIZE] = { 1 };
	struct kf_server *server = NULL;
	struct folder lost = FOLDER_INIT;

	EXPECT_FALSE(folder_has(&self->top, "f"));
	EXPECT_FALSE(nonces_are_spent(&self->used, nonce));
	EXPECT_TRUE(folder_has(&lost, "f"));
	EXPECT_TRUE(nonces_are_spent(&lost, nonce));
	ASSERT_EQ(0, kf_server_new(&server, NULL));
	EXPECT_EQ(0, policy_load(&self->top, server, NULL));
	EXPECT_EQ(-EBADF, policy_load(&lost, server, NULL));
	EXPECT_EQ(0, master_load(&self->top, server, BYTES_NONE, NULL));
	EXPECT_EQ(-EBADF, master_load(&lost, server, BYTES_NONE, NULL));
	kf_server_free(server);
}

TEST_F(folder, others_files_and_links_are_not_read)
{
	_cleanup_(blob_deinit) struct blob b = BLOB_INIT;

	ASSERT_EQ(0, folder_write(&self->top, "f", BYTES("x", 1), NULL));
	ASSERT_EQ(0, symlinkat("f", self->top.fd, "link"));
	EXPECT_EQ(-ELOOP, folder_read(&self->top, "link", 9, &b, NULL));
	ASSERT_EQ(0, fchmodat(self->top.fd, "f", 0640, 0));
	EXPECT_EQ(-EACCES, folder_read(&self->top, "f", 9, &b, NULL));
	ASSERT_EQ(0, mkfifoat(self->top.fd, "fifo", 0600));
	EXPECT_EQ(-EACCES, folder_read(&self->top, "fifo", 9, &b, NULL));
}

TEST_F(folder, lists_are_sorted_and_hide_leftovers)
{
	static const char *const allowed[] = { "a", "b", "used", NULL };
	char **names = NULL;
	size_t n = 0;

	ASSERT_EQ(0, folder_write(&self->top, "b", BYTES_NONE, NULL));
	ASSERT_EQ(0, folder_write(&self->top, "a", BYTES_NONE, NULL));
	ASSERT_EQ(0, folder_write(&self->top, ".tmp-0", BYTES_NONE, NULL));
	ASSERT_EQ(0, folder_list(&self->top, &names, &n));
	ASSERT_EQ(3, n);
	EXPECT_STREQ("a", names[0]);
	EXPECT_STREQ("b", names[1]);
	names_free(names, n);
	EXPECT_EQ(1, folder_holds_only(&self->top, allowed));
	ASSERT_EQ(0, folder_write(&self->top, "c", BYTES_NONE, NULL));
	EXPECT_EQ(0, folder_holds_only(&self->top, allowed));
}

TEST_F(folder, a_nonce_lives_from_issue_to_expiry_and_is_spent_once)
{
	uint8_t nonce[KF_NONCE_SIZE] = { 5 };
	struct nonce_record record = { .issued = 1000000000, .expires = 1000000060 }, got;
	struct kf_error e = KF_ERROR_INIT;

	memset(record.device, 'a', HEX_DIGEST_SIZE - 1);
	EXPECT_EQ(-EACCES, nonces_find(&self->top, &self->used, nonce, 1000000000, &got, &e));
	ASSERT_EQ(0, nonces_issue(&self->top, &self->used, nonce, &record, NULL));
	EXPECT_EQ(-EEXIST, nonces_issue(&self->top, &self->used, nonce, &record, NULL));
	EXPECT_EQ(0, nonces_find(&self->top, &self->used, nonce, 1000000059, &got, &e));
	EXPECT_STREQ(record.device, got.device);
	EXPECT_EQ(-EACCES, nonces_find(&self->top, &self->used, nonce, 1000000060, &got, &e));
	EXPECT_EQ(-EACCES, nonces_find(&self->top, &self->used, nonce, 999999999, &got, &e));
	EXPECT_EQ(0, nonces_spend(&self->top, &self->used, nonce, &e));
	EXPECT_EQ(-EACCES, nonces_spend(&self->top, &self->used, nonce, &e));
	EXPECT_NOT_NULL(strstr(e.why, "used before"));
	EXPECT_EQ(-EACCES, nonces_find(&self->top, &self->used, nonce, 1000000001, &got, &e));
}

TEST_F(folder, nonces_long_dead_are_forgotten)
{
	uint8_t old[KF_NONCE_SIZE] = { 1 }, new[KF_NONCE_SIZE] = { 2 };
	struct nonce_record record = { .issued = 1000000000, .expires = 1000000060 };
	char **names = NULL;
	size_t n = 0;

	memset(record.device, 'a', HEX_DIGEST_SIZE - 1);
	ASSERT_EQ(0, nonces_issue(&self->top, &self->used, old, &record, NULL));
	ASSERT_EQ(0, nonces_spend(&self->top, &self->used, old, NULL));
	record.issued += 31 * 86400;
	record.expires += 31 * 86400;
	ASSERT_EQ(0, nonces_issue(&self->top, &self->used, new, &record, NULL));
	ASSERT_EQ(0, folder_list(&self->used, &names, &n));
	EXPECT_EQ(0, n);
	names_free(names, n);
}
