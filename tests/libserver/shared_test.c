// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Faces: libserver/master.c
 *
 * Methods shared and derived on the server, judged by a card made of format/.
 */
#include "libserver/master.h"
#include "libserver/ticket.h"
#include "tests/libserver/server_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

FIXTURE(shared)
{
	struct voyage v;
	char *cargo, *ticket;
};

FIXTURE_VARIANT(shared)
{
	enum kf_method method;
};

FIXTURE_VARIANT_ADD(shared, shared) { KF_METHOD_SHARED };
FIXTURE_VARIANT_ADD(shared, derived) { KF_METHOD_DERIVED };

FIXTURE_SETUP(shared)
{
	struct kf_keypair *pair = voyage_pair(KF_KEY_EC_P256);

	voyage_shared = variant->method;
	voyage_init_by(&self->v, true, KF_KEY_AES_256, NULL);
	voyage_seal(&self->v, pair, 2, &self->cargo, &self->ticket);
	kf_keypair_free(pair);
}

FIXTURE_TEARDOWN(shared)
{
	free(self->cargo);
	free(self->ticket);
	voyage_deinit(&self->v);
}

static int verify(struct fixture_shared *self, void (*bend)(struct receipt *r))
{
	return voyage_verify(&self->v, self->cargo, self->ticket, bend);
}

static void other_confirmation(struct receipt *r) { r->confirmation[0] ^= 1; }

TEST_F(shared, the_card_opens_what_was_sealed)
{
	struct fakecard_opened opened;

	ASSERT_EQ(variant->method, kf_verified_offer_method(self->v.offer));
	ASSERT_EQ(0, fakecard_open(&self->v.card, self->cargo, 2, self->v.injector, &opened));
	EXPECT_TRUE(opened.sender_is_valid);
	EXPECT_EQ(variant->method, opened.body.method);
	EVP_PKEY_free(opened.key);
	EXPECT_EQ(0, verify(self, NULL));
	if (method_confirms(variant->method))
		EXPECT_EQ(-EACCES, verify(self, other_confirmation));
}

TEST_F(shared, what_the_maker_loaded_makes_the_grade)
{
	EXPECT_EQ(KF_GRADE_C, kf_verified_offer_grade(self->v.offer));
}

static int offer_with(struct fixture_shared *self, void (*statement)(struct statement *s),
		      void (*file)(struct offer_file *file))
{
	struct fakecard_bend bend = { .statement = statement, .file = file };

	return voyage_offer_bent(&self->v, &bend);
}

TEST_F(shared, a_key_of_another_master_is_refused_before_anything_is_sealed)
{
	EXPECT_EQ(0, offer_with(self, voyage_one_sender, NULL));
	fakecard_share(&self->v.card, variant->method, VOYAGE_MASTER + 1);
	EXPECT_EQ(-EACCES, offer_with(self, voyage_one_sender, NULL));
	EXPECT_NOT_NULL(strstr(self->v.e.why, "not one of this server's"));
}

TEST_F(shared, a_server_without_a_master_or_without_the_method_takes_none)
{
	const uint8_t usual[] = { KF_METHOD_ECDH, KF_METHOD_RSA };
	struct kf_server *server = NULL;
	uint8_t master[SHARED_KEY_SIZE] = { 1 };

	EXPECT_EQ(-EINVAL, kf_server_set_master(self->v.server, master, 31, NULL));
	ASSERT_EQ(0, kf_server_set_methods(self->v.server, usual, 2, NULL));
	EXPECT_EQ(-EACCES, offer_with(self, voyage_one_sender, NULL));
	EXPECT_NOT_NULL(strstr(self->v.e.why, "no method that this server accepts"));

	ASSERT_EQ(0, kf_server_new(&server, NULL));
	kf_server_allow_virtual(server, 1);
	ASSERT_EQ(0, kf_server_set_methods(server, (const uint8_t[]){ variant->method }, 1, NULL));
	kf_server_free(self->v.server);
	self->v.server = server;
	EXPECT_EQ(-EACCES, offer_with(self, NULL, NULL));
	EXPECT_NOT_NULL(strstr(self->v.e.why, "shares no keys"));
}

/* It has a master: "shares no keys" would send its operator to make another. */
TEST_F(shared, a_server_whose_master_is_locked_says_so)
{
	struct folder top = FOLDER_INIT;
	struct kf_server *server = NULL;
	char dir[] = "/tmp/kf-master-XXXXXX";

	ASSERT_NOT_NULL(mkdtemp(dir));
	ASSERT_EQ(0, folder_open(AT_FDCWD, dir, &top, NULL));
	ASSERT_EQ(0, master_make(&top, self->v.server, BYTES("pass", 4), NULL));
	ASSERT_EQ(0, kf_server_new(&server, NULL));
	kf_server_allow_virtual(server, 1);
	ASSERT_EQ(0, kf_server_set_methods(server, (const uint8_t[]){ variant->method }, 1, NULL));
	ASSERT_EQ(0, master_load(&top, server, BYTES_NONE, NULL));
	kf_server_free(self->v.server);
	self->v.server = server;
	EXPECT_EQ(-ENOKEY, offer_with(self, NULL, NULL));
	EXPECT_NOT_NULL(strstr(self->v.e.why, "is locked"));
	ASSERT_EQ(0, master_load(&top, server, BYTES("pass", 4), NULL));
	EXPECT_EQ(-EACCES, offer_with(self, NULL, NULL));
	EXPECT_NOT_NULL(strstr(self->v.e.why, "not one of this server's"));
	(void)folder_remove(&top, "master.key");
	folder_deinit(&top);
	EXPECT_EQ(0, rmdir(dir));
}

/* Nobody is named by zeros: two servers without an injector key would be one. */
TEST_F(shared, a_server_without_an_injector_key_has_no_id_to_derive_by)
{
	uint8_t master[SHARED_KEY_SIZE];
	struct kf_server *server = NULL;

	memset(master, VOYAGE_MASTER, sizeof(master));
	ASSERT_EQ(0, kf_server_new(&server, NULL));
	kf_server_allow_virtual(server, 1);
	ASSERT_EQ(0, kf_server_set_methods(server, (const uint8_t[]){ variant->method }, 1, NULL));
	ASSERT_EQ(0, kf_server_set_master(server, master, sizeof(master), NULL));
	kf_server_free(self->v.server);
	self->v.server = server;
	EXPECT_EQ(method_confirms(variant->method) ? -ENOKEY : 0, offer_with(self, NULL, NULL));
}

static void signs_exchange(struct statement *s) { voyage_one_sender(s); s->purpose = KF_PURPOSE_EXCHANGE; }
static void signs_open(struct statement *s) { voyage_one_sender(s); s->origin = KF_ORIGIN_INJECTED_OPEN; }
static void signs_rsa(struct statement *s) { voyage_one_sender(s); s->methods.v[0] = KF_METHOD_RSA; }
static void signs_injected(struct statement *s) { voyage_one_sender(s); s->origin = KF_ORIGIN_INJECTED; }
static void attests_all(struct statement *s)
{
	voyage_one_sender(s);
	s->methods = (struct number_list){ 4, { KF_METHOD_SHARED, KF_METHOD_RSA, KF_METHOD_DERIVED,
						KF_METHOD_ECDH } };
}
static void signs_type(struct statement *s) { voyage_one_sender(s); s->exchange_type = KF_KEY_AES_128; }
static void signs_sibling(struct statement *s)
{
	voyage_one_sender(s);
	s->methods.v[0] = s->methods.v[0] == KF_METHOD_SHARED ? KF_METHOD_DERIVED : KF_METHOD_SHARED;
}
static void says_sibling(struct offer_file *file)
{
	file->method = file->method == KF_METHOD_SHARED ? KF_METHOD_DERIVED : KF_METHOD_SHARED;
}
static void swaps_key(struct offer_file *file) { file->exchange_key.p[10] ^= 1; }

TEST_F(shared, nothing_of_an_offer_can_be_swapped)
{
	EXPECT_EQ(-EACCES, offer_with(self, signs_exchange, NULL));
	EXPECT_EQ(-EACCES, offer_with(self, signs_open, NULL));
	EXPECT_EQ(-EACCES, offer_with(self, signs_injected, NULL));
	EXPECT_EQ(-EACCES, offer_with(self, signs_rsa, NULL));
	EXPECT_EQ(-EACCES, offer_with(self, signs_type, NULL));
	EXPECT_EQ(-EACCES, offer_with(self, signs_sibling, says_sibling));
	EXPECT_EQ(-EACCES, offer_with(self, voyage_one_sender, says_sibling));
	EXPECT_EQ(-EACCES, offer_with(self, voyage_one_sender, swaps_key));
}

/* A host that has the maker's key asks the card for it, though both sides could do better. */
TEST_F(shared, a_better_method_of_both_sides_is_asked_for)
{
	const uint8_t list[] = { KF_METHOD_ECDH, variant->method };

	ASSERT_EQ(0, kf_server_set_methods(self->v.server, list, 2, NULL));
	EXPECT_EQ(0, offer_with(self, voyage_one_sender, NULL));
	EXPECT_EQ(-EACCES, offer_with(self, attests_all, NULL));
	EXPECT_STREQ("make an offer by method ecdh", self->v.e.next);
}

TEST_F(shared, nobody_brings_a_session_key)
{
	const uint8_t s1[KF_S1_SIZE] = { 1 };
	struct kf_md_key *key = NULL;

	EXPECT_EQ(-EOPNOTSUPP, kf_md_import_session_key(self->v.server, self->v.offer, s1,
							sizeof(s1), 1, &key, NULL));
}

/* The offer was verified once; list and master may be others when it is sealed for. */
TEST_F(shared, list_and_master_are_looked_at_again_when_s1_is_made)
{
	const uint8_t usual[] = { KF_METHOD_ECDH, KF_METHOD_RSA }, own[] = { variant->method };
	uint8_t master[SHARED_KEY_SIZE] = { 1 };
	struct kf_md_key *key = NULL;

	ASSERT_EQ(0, kf_server_set_methods(self->v.server, usual, 2, NULL));
	EXPECT_EQ(-EACCES, kf_md_import_session_key(self->v.server, self->v.offer, NULL, 0, 1, &key,
						    &self->v.e));
	EXPECT_STREQ("the server's list of methods", self->v.e.rule);
	ASSERT_EQ(0, kf_server_set_methods(self->v.server, own, 1, NULL));
	ASSERT_EQ(0, kf_server_set_master(self->v.server, master, sizeof(master), NULL));
	EXPECT_EQ(-EACCES, kf_md_import_session_key(self->v.server, self->v.offer, NULL, 0, 1, &key,
						    &self->v.e));
	EXPECT_NOT_NULL(strstr(self->v.e.why, "not one of this server's"));
	EXPECT_NULL(key);
}

/* --- the state's master --- */

FIXTURE(master)
{
	char dir[64], path[2][96];
	struct folder top;
	struct kf_server *server;
};

FIXTURE_SETUP(master)
{
	char dir[] = "/tmp/kf-master-XXXXXX";

	ASSERT_NOT_NULL(mkdtemp(dir));
	(void)snprintf(self->dir, sizeof(self->dir), "%s", dir);
	for (int i = 0; i < 2; i++)
		(void)snprintf(self->path[i], sizeof(self->path[i]), "%s/%d", dir, i);
	self->top = FOLDER_INIT;
	ASSERT_EQ(0, folder_open(AT_FDCWD, self->dir, &self->top, NULL));
	ASSERT_EQ(0, kf_server_new(&self->server, NULL));
}

FIXTURE_TEARDOWN(master)
{
	kf_server_free(self->server);
	(void)folder_remove(&self->top, "master.key");
	(void)unlink(self->path[0]);
	(void)unlink(self->path[1]);
	folder_deinit(&self->top);
	EXPECT_EQ(0, rmdir(self->dir));
}

TEST_F(master, it_is_made_once_and_comes_back)
{
	_cleanup_(secret_deinit) struct secret first = SECRET_INIT;

	ASSERT_EQ(0, master_load(&self->top, self->server, BYTES_NONE, NULL));
	EXPECT_EQ(0u, self->server->master.n);
	ASSERT_EQ(0, master_make(&self->top, self->server, BYTES_NONE, NULL));
	EXPECT_EQ(-EEXIST, master_make(&self->top, self->server, BYTES_NONE, NULL));
	first = secret_take(&self->server->master);
	EXPECT_FALSE(bytes_are_zero(secret_bytes(&first)));
	ASSERT_EQ(0, master_load(&self->top, self->server, BYTES_NONE, NULL));
	EXPECT_TRUE(secret_equal(&first, &self->server->master));
}

TEST_F(master, a_damaged_one_is_refused)
{
	static const char *const bad[] = { "", "00", "zz", "0123456789abcdef\n" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ASSERT_EQ(0, folder_write(&self->top, "master.key", BYTES(bad[i], strlen(bad[i])), NULL));
		EXPECT_EQ(-EBADMSG, master_load(&self->top, self->server, BYTES_NONE, NULL));
	}
}

TEST_F(master, an_encrypted_one_needs_its_passphrase)
{
	static const char cut[] = "-----BEGIN ENCRYPTED KEYFERRY MASTER-----\nMAA=\n"
				  "-----END ENCRYPTED KEYFERRY MASTER-----\n";
	const struct bytes words = BYTES("secret words", 12), other = BYTES("other words", 11);
	_cleanup_(secret_deinit) struct secret first = SECRET_INIT;

	ASSERT_EQ(0, master_make(&self->top, self->server, words, NULL));
	first = secret_take(&self->server->master);
	ASSERT_EQ(0, master_load(&self->top, self->server, BYTES_NONE, NULL));
	EXPECT_EQ(0u, self->server->master.n);
	EXPECT_EQ(-EKEYREJECTED, master_load(&self->top, self->server, other, NULL));
	ASSERT_EQ(0, master_load(&self->top, self->server, words, NULL));
	EXPECT_TRUE(secret_equal(&first, &self->server->master));
	ASSERT_EQ(0, folder_write(&self->top, "master.key", BYTES(cut, strlen(cut)), NULL));
	EXPECT_EQ(-EBADMSG, master_load(&self->top, self->server, words, NULL));
}

TEST_F(master, the_keys_of_a_card_are_a_new_file_closed_to_others)
{
	struct blob a = BLOB_INIT, b = BLOB_INIT;
	struct stat st;

	ASSERT_EQ(0, master_make(&self->top, self->server, BYTES_NONE, NULL));
	ASSERT_EQ(0, master_share(self->server, "KF-1", self->path[0], NULL));
	EXPECT_EQ(-EEXIST, master_share(self->server, "KF-1", self->path[0], NULL));
	ASSERT_EQ(0, master_share(self->server, "KF-1", self->path[1], NULL));
	ASSERT_EQ(0, stat(self->path[0], &st));
	EXPECT_EQ((mode_t)0600, st.st_mode & 07777);
	ASSERT_EQ(0, folder_read(&self->top, "0", 1024, &a, NULL));
	ASSERT_EQ(0, folder_read(&self->top, "1", 1024, &b, NULL));
	EXPECT_BYTES_EQ(blob_bytes(&a), blob_bytes(&b));
	blob_deinit(&a);
	blob_deinit(&b);
}

/* A disk that is full behind the first bytes. */
TEST_F(master, keys_that_could_not_be_written_leave_nothing)
{
	struct rlimit small, usual;

	ASSERT_EQ(0, master_make(&self->top, self->server, BYTES_NONE, NULL));
	ASSERT_EQ(0, getrlimit(RLIMIT_FSIZE, &usual));
	small = (struct rlimit){ 40, usual.rlim_max };
	(void)signal(SIGXFSZ, SIG_IGN);
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &small));
	EXPECT_EQ(-EFBIG, master_share(self->server, "KF-1", self->path[0], NULL));
	ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &usual));
	EXPECT_EQ(-1, access(self->path[0], F_OK));
	EXPECT_EQ(0, master_share(self->server, "KF-1", self->path[0], NULL));
}
