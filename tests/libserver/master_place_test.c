// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A state whose master is elsewhere: what it remembers, and how a master that it had goes there.
 */
#include "libserver/master_place.h"
#include "format/aes.h"
#include "format/shared.h"
#include "libserver/keeper.h"
#include "libserver/master.h"
#include "libserver/state.h"
#include "tests/libserver/state_fixture.h"

#include <unistd.h>

/* @arg: the 32 bytes */
static int keeper_mac(void *arg, const uint8_t *in, size_t len, uint8_t out[KF_MASTER_MAC_SIZE],
		      struct kf_error *e)
{
	(void)e;
	return aes_cmac(BYTES(arg, 32), BYTES(in, len), out);
}

static struct kf_master_keeper of(uint8_t master[static 32])
{
	return (struct kf_master_keeper){ sizeof(struct kf_master_keeper), keeper_mac, master };
}

static const uint8_t some_id[] = { 0x00, 0xff };

static const struct kf_master_place some_place = {
	sizeof(struct kf_master_place), "/usr/lib/m.so", "token", "label", some_id, sizeof(some_id),
};

static struct kf_state *again(struct fixture_state *self, const char *words)
{
	self->state = kf_state_close(self->state);
	ASSERT_EQ(0, kf_state_open(self->path, words, words ? strlen(words) : 0, &self->state, &self->e));
	return self->state;
}

/* The keys for a card's maker. */
static void shared_of(struct fixture_state *self, char out[static SHARED_KEYS_TEXT_MAX])
{
	char path[64];
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/keys", self->dir);
	ASSERT_EQ(0, kf_state_share(self->state, "KF-1", path, &self->e));
	f = fopen(path, "re");
	ASSERT_NOT_NULL(f);
	n = fread(out, 1, SHARED_KEYS_TEXT_MAX - 1, f);
	out[n] = 0;
	(void)fclose(f);
	ASSERT_EQ(0, unlink(path));
}

TEST_F(state, a_place_comes_back_and_is_not_the_master)
{
	uint8_t master[32] = { 7 }, check[KF_MASTER_CHECK_SIZE];
	struct kf_master_keeper keeper = of(master);
	char first[SHARED_KEYS_TEXT_MAX], second[SHARED_KEYS_TEXT_MAX];
	struct kf_master_place place = { .size = sizeof(place) };

	EXPECT_EQ(-ENOENT, kf_state_master_place(self->state, &place));
	ASSERT_EQ(0, kf_state_move_master(self->state, &some_place, &keeper, &self->e));
	shared_of(self, first);
	again(self, NULL);
	ASSERT_EQ(0, kf_state_master_place(self->state, &place));
	EXPECT_STREQ("/usr/lib/m.so", place.module);
	EXPECT_STREQ("token", place.token);
	EXPECT_STREQ("label", place.label);
	EXPECT_BYTES_EQ(BYTES_OF(some_id), BYTES(place.id, place.id_len));
	ASSERT_EQ(0, kf_server_master_check(kf_state_server(self->state), check, NULL));
	EXPECT_FALSE(folder_has(&self->state->top, "master.key"));
	EXPECT_EQ(-ENOKEY, kf_state_share(self->state, "KF-1", "/dev/null", &self->e));
	EXPECT_NOT_NULL(strstr(self->e.why, "is in a token"));
	ASSERT_EQ(0, kf_server_set_master_keeper(kf_state_server(self->state), &keeper, NULL));
	shared_of(self, second);
	EXPECT_STREQ(first, second);
	master[0] = 8;
	EXPECT_EQ(-EACCES, kf_state_share(self->state, "KF-1", "/dev/null", &self->e));
}

/* By its id alone, and by its label alone. */
TEST_F(state, half_a_name_is_enough_for_a_key)
{
	uint8_t master[32] = { 7 };
	struct kf_master_keeper keeper = of(master);
	struct kf_master_place place = some_place;

	place.label = NULL;
	ASSERT_EQ(0, kf_state_move_master(self->state, &place, &keeper, &self->e));
	again(self, NULL);
	ASSERT_EQ(0, kf_state_master_place(self->state, &place));
	EXPECT_NULL(place.label);
	EXPECT_EQ(sizeof(some_id), place.id_len);
	place = some_place;
	place.id = NULL;
	ASSERT_EQ(0, kf_state_move_master(self->state, &place, &keeper, &self->e));
	again(self, NULL);
	ASSERT_EQ(0, kf_state_master_place(self->state, &place));
	EXPECT_STREQ("label", place.label);
	EXPECT_EQ(0u, place.id_len);
}

TEST_F(state, the_master_of_a_state_moves_and_another_does_not_come)
{
	uint8_t master[32], other[32] = { 9 };
	struct kf_master_keeper keeper = of(master), foreign = of(other);
	char before[SHARED_KEYS_TEXT_MAX], after[SHARED_KEYS_TEXT_MAX];
	struct kf_master_place place = { .size = sizeof(place) };

	shared_of(self, before);
	memcpy(master, self->state->server->master.p, sizeof(master));
	EXPECT_EQ(-EEXIST, kf_state_move_master(self->state, &some_place, &foreign, &self->e));
	EXPECT_NOT_NULL(strstr(self->e.why, "another master than the state's"));
	EXPECT_EQ(-ENOENT, kf_state_master_place(self->state, &place));
	EXPECT_TRUE(folder_has(&self->state->top, "master.key"));
	ASSERT_EQ(0, kf_state_move_master(self->state, &some_place, &keeper, &self->e));
	EXPECT_FALSE(folder_has(&self->state->top, "master.key"));
	EXPECT_EQ(0u, self->state->server->master.n);
	shared_of(self, after);
	EXPECT_STREQ(before, after);
	again(self, NULL);
	EXPECT_EQ(-EEXIST, kf_state_move_master(self->state, &some_place, &foreign, &self->e));
	EXPECT_EQ(0, kf_state_move_master(self->state, &some_place, &keeper, &self->e));
}

/* It would agree with itself, and the cards' master would be gone. */
TEST_F(state, a_keeper_that_was_set_before_is_not_what_a_move_compares_with)
{
	uint8_t other[32] = { 9 };
	struct kf_master_keeper foreign = of(other);
	char text[SHARED_KEYS_TEXT_MAX];

	shared_of(self, text);
	ASSERT_EQ(0, kf_server_set_master_keeper(kf_state_server(self->state), &foreign, NULL));
	EXPECT_EQ(-EEXIST, kf_state_move_master(self->state, &some_place, &foreign, &self->e));
	EXPECT_TRUE(folder_has(&self->state->top, "master.key"));
}

TEST_F(state, where_a_keeper_was_set_no_other_master_is_made)
{
	uint8_t master[32] = { 7 };
	struct kf_master_keeper keeper = of(master);
	char text[SHARED_KEYS_TEXT_MAX];

	ASSERT_EQ(0, kf_server_set_master_keeper(kf_state_server(self->state), &keeper, NULL));
	shared_of(self, text);
	EXPECT_FALSE(folder_has(&self->state->top, "master.key"));
	EXPECT_NOT_NULL(self->state->server->keeper.mac);
}

TEST_F(state, an_encrypted_master_is_opened_to_compare_it)
{
	static const char words[] = "secret words";
	uint8_t master[32];
	struct kf_master_keeper keeper = of(master);
	char text[SHARED_KEYS_TEXT_MAX];

	self->state = kf_state_close(self->state);
	(void)snprintf(self->path, sizeof(self->path), "%s/locked", self->dir);
	ASSERT_EQ(0, kf_state_init(self->path, words, strlen(words), &self->e));
	again(self, words);
	shared_of(self, text);
	memcpy(master, self->state->server->master.p, sizeof(master));
	again(self, NULL);
	EXPECT_EQ(-ENOKEY, kf_state_move_master(self->state, &some_place, &keeper, &self->e));
	EXPECT_TRUE(folder_has(&self->state->top, "master.key"));
	again(self, words);
	EXPECT_EQ(0, kf_state_move_master(self->state, &some_place, &keeper, &self->e));
	/* It is not under the passphrase any more. */
	again(self, NULL);
	ASSERT_EQ(0, kf_server_set_master_keeper(kf_state_server(self->state), &keeper, NULL));
	shared_of(self, text);
}

/* Cut off between its two steps, it leaves both files, and is repeated. */
TEST_F(state, a_move_that_was_interrupted_is_repeated)
{
	uint8_t master[32];
	struct kf_master_keeper keeper = of(master);
	char text[SHARED_KEYS_TEXT_MAX];
	struct kf_master_place place = { .size = sizeof(place) };
	struct blob file = BLOB_INIT;

	shared_of(self, text);
	memcpy(master, self->state->server->master.p, sizeof(master));
	ASSERT_EQ(0, folder_read(&self->state->top, "master.key", 1024, &file, NULL));
	ASSERT_EQ(0, kf_state_move_master(self->state, &some_place, &keeper, &self->e));
	ASSERT_EQ(0, folder_create(&self->state->top, "master.key", blob_bytes(&file), NULL));
	blob_deinit(&file);
	again(self, NULL);
	EXPECT_EQ(0, kf_state_master_place(self->state, &place));
	EXPECT_EQ(0u, self->state->server->master.n);
	ASSERT_EQ(0, folder_read(&self->state->top, "master.key", 1024, &file, NULL));
	ASSERT_EQ(0, kf_state_move_master(self->state, &some_place, &keeper, &self->e));
	EXPECT_FALSE(folder_has(&self->state->top, "master.key"));
	/* Or whoever uses the keeper the next time ends it. */
	ASSERT_EQ(0, folder_create(&self->state->top, "master.key", blob_bytes(&file), NULL));
	blob_deinit(&file);
	again(self, NULL);
	ASSERT_EQ(0, kf_server_set_master_keeper(kf_state_server(self->state), &keeper, NULL));
	shared_of(self, text);
	EXPECT_FALSE(folder_has(&self->state->top, "master.key"));
}

TEST_F(state, names_that_lead_nowhere_are_refused)
{
	uint8_t master[32] = { 7 }, long_id[65] = { 0 };
	struct kf_master_keeper keeper = of(master), none = of(master);
	struct kf_master_place bad[8];

	none.mac = NULL;
	EXPECT_EQ(-EINVAL, kf_state_move_master(self->state, &some_place, &none, &self->e));
	for (size_t i = 0; i < 8; i++)
		bad[i] = some_place;
	bad[0].size = 0;
	bad[1].module = "m.so";
	bad[2].module = NULL;
	bad[3].token = "";
	bad[4].label = "";
	bad[5].label = NULL;
	bad[5].id_len = 0;
	bad[6].id = long_id;
	bad[6].id_len = sizeof(long_id);
	bad[7].token = "\xff";
	for (size_t i = 0; i < 8; i++)
		EXPECT_EQ(-EINVAL, kf_state_move_master(self->state, &bad[i], &keeper, &self->e));
	EXPECT_FALSE(folder_has(&self->state->top, "master.json"));
}

TEST_F(state, a_damaged_place_is_refused)
{
	static const char *const bad[] = {
		"", "{}",
		"{\"format\":\"keyferry-master\",\"version\":1,\"module\":\"/m\",\"token\":\"t\",\"label\":\"l\"}",
		"{\"format\":\"keyferry-master\",\"version\":1,\"module\":\"/m\",\"token\":\"t\","
		"\"check\":\"AAAAAAAAAAAAAAAAAAAAAA\"}",
		"{\"format\":\"keyferry-master\",\"version\":1,\"module\":\"m\",\"token\":\"t\",\"label\":\"l\","
		"\"check\":\"AAAAAAAAAAAAAAAAAAAAAA\"}",
		"{\"format\":\"keyferry-master\",\"version\":1,\"module\":\"/m\",\"token\":\"t\",\"label\":\"l\","
		"\"check\":\"AAAA\"}",
		"{\"format\":\"keyferry-master\",\"version\":1,\"module\":\"/m\",\"token\":\"t\",\"label\":\"l\","
		"\"check\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"pin\":\"1234\"}",
	};
	static const char good[] =
		"{\"format\":\"keyferry-master\",\"version\":1,\"module\":\"/m\",\"token\":\"t\",\"label\":\"l\","
		"\"check\":\"AAAAAAAAAAAAAAAAAAAAAA\"}";

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct kf_state *state = NULL;
		char path[96];

		ASSERT_EQ(0, folder_write(&self->state->top, "master.json", BYTES(bad[i], strlen(bad[i])), NULL));
		self->state = kf_state_close(self->state);
		EXPECT_EQ(-EBADMSG, kf_state_open(self->path, NULL, 0, &state, &self->e));
		(void)snprintf(path, sizeof(path), "%s/master.json", self->path);
		ASSERT_EQ(0, unlink(path));
		again(self, NULL);
	}
	ASSERT_EQ(0, folder_write(&self->state->top, "master.json", BYTES(good, strlen(good)), NULL));
	again(self, NULL);
}
