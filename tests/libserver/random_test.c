// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/random_test.c - A machine without random numbers says so, makes nothing up and
 * leaves nothing behind. OpenSSL's generators are taken away from under the library.
 */
#define OPENSSL_SUPPRESS_DEPRECATED	/* RAND_set_rand_method() */
#include "libserver/folder.h"
#include "libserver/random.h"
#include "tests/libserver/server_fixture.h"
#include "tests/libserver/state_fixture.h"

#include <fcntl.h>
#include <openssl/rand.h>

static int no_bytes(unsigned char *out, int n)
{
	(void)out;
	(void)n;
	return 0;
}

static void take_random_away(void)
{
	static const RAND_METHOD none = { .bytes = no_bytes, .pseudorand = no_bytes };

	ASSERT_EQ(1, RAND_set_rand_method(&none));
}

static void expect_words(const struct kf_error *e)
{
	EXPECT_EQ(-EIO, e->code);
	EXPECT_STREQ("OpenSSL gives no random numbers", e->why);
	EXPECT_NOT_NULL(strstr(e->rule, "random"));
	EXPECT_NOT_NULL(strstr(e->next, "getrandom(2)"));
}

TEST(two_draws_differ)
{
	uint8_t a[32] = { 0 }, b[32] = { 0 }, c[32] = { 0 };

	EXPECT_EQ(0, random_public(a, sizeof(a), NULL));
	EXPECT_EQ(0, random_public(b, sizeof(b), NULL));
	EXPECT_EQ(0, random_secret(c, sizeof(c), NULL));
	EXPECT_FALSE(bytes_equal(BYTES_OF(a), BYTES_OF(b)));
	EXPECT_FALSE(bytes_equal(BYTES_OF(a), BYTES_OF(c)));
}

TEST_F(state, without_random_numbers_there_is_no_challenge)
{
	uint8_t nonce[KF_NONCE_SIZE];
	char *json = NULL;
	size_t len = 0;

	take_random_away();
	EXPECT_EQ(-EIO, kf_nonce_new(nonce, &self->e));
	EXPECT_STREQ("cannot make a nonce", self->e.what);
	expect_words(&self->e);
	EXPECT_EQ(-EIO, kf_state_challenge(self->state, "FAKE-1", 60, &json, &len, &self->e));
	expect_words(&self->e);
	EXPECT_NULL(json);
}

TEST_F(state, without_random_numbers_no_file_is_begun)
{
	struct folder folder = FOLDER_INIT;
	char **names = NULL;
	size_t before = 0, n = 0;

	ASSERT_EQ(0, folder_open(AT_FDCWD, self->path, &folder, NULL));
	ASSERT_EQ(0, folder_list(&folder, &names, &before));
	names_free(names, before);
	take_random_away();
	EXPECT_EQ(-EIO, folder_write(&folder, "new", BYTES("x", 1), &self->e));
	expect_words(&self->e);
	ASSERT_EQ(0, folder_list(&folder, &names, &n));
	names_free(names, n);
	EXPECT_EQ(before, n);
	folder_deinit(&folder);
}

TEST(without_random_numbers_nothing_is_sealed)
{
	struct kf_error e = KF_ERROR_INIT;
	struct kf_md_key *key = NULL, *none = NULL;
	struct voyage v;

	voyage_init(&v, true, NULL);
	ASSERT_EQ(0, kf_md_import_session_key(v.server, v.offer, NULL, 0, 1, &key, NULL));
	take_random_away();
	EXPECT_EQ(-EIO, kf_md_import_session_key(v.server, v.offer, NULL, 0, 1, &none, &e));
	EXPECT_STREQ("cannot import the session key", e.what);
	expect_words(&e);
	EXPECT_NULL(none);
	EXPECT_EQ(-EIO, kf_md_set_iv(key, NULL, 0, &e));
	EXPECT_STREQ("cannot make an initialisation vector", e.what);
	expect_words(&e);
	kf_md_destroy_key(key);
	voyage_deinit(&v);
}
