/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces: vreader/schsm/key.c
 */
#include "vreader/schsm/state.h"

#include "format/ossl.h"
#include "tests/harness.h"

#include <openssl/evp.h>

static struct hsm_key *aes_key(uint8_t fill)
{
	struct hsm_key *key = NULL;
	uint8_t secret[16];

	memset(secret, fill, sizeof(secret));
	ASSERT_EQ(0, hsm_key_new_aes(BYTES_OF(secret), &key));
	return key;
}

static struct hsm_state *new_state(void)
{
	struct hsm_state *state = NULL;

	ASSERT_EQ(0, hsm_state_new(&state));
	return state;
}

TEST(a_change_of_a_copy_does_not_show_in_the_state)
{
	_cleanup_(hsm_state_freep) struct hsm_state *state = new_state(), *copy = NULL;
	struct hsm_record record = { .id = 1, .key = aes_key(1) };

	state->user.max = 3;
	ASSERT_EQ(0, hsm_put_key(state, &record));
	ASSERT_EQ(0, hsm_put_file(state, 0xcf01, BYTES("old", 3)));
	ASSERT_EQ(0, hsm_pin_set(&state->user, BYTES("123456", 6)));
	ASSERT_EQ(0, hsm_state_copy(state, &copy));
	hsm_delete_key(copy, 1);
	ASSERT_EQ(0, hsm_put_file(copy, 0xcf01, BYTES("new", 3)));
	ASSERT_EQ(0, hsm_pin_set(&copy->user, BYTES("654321", 6)));
	EXPECT_NOT_NULL(hsm_find_key(state, 1));
	EXPECT_BYTES_EQ(BYTES("old", 3), blob_bytes(hsm_find_file(state, 0xcf01)->content));
	EXPECT_BYTES_EQ(BYTES("123456", 6), blob_bytes(state->user.value));
	EXPECT_EQ(3, copy->user.tries);
}

TEST(a_copy_outlives_the_state_it_was_made_from)
{
	_cleanup_(hsm_state_freep) struct hsm_state *copy = NULL;
	struct hsm_state *state = new_state();
	struct hsm_record record = { .id = 1, .key = aes_key(7) };
	static const uint8_t want[16] = { 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7 };

	ASSERT_EQ(0, hsm_put_key(state, &record));
	ASSERT_EQ(0, hsm_put_file(state, 0xcf01, BYTES("text", 4)));
	ASSERT_EQ(0, hsm_state_copy(state, &copy));
	hsm_state_free(state);
	EXPECT_BYTES_EQ(BYTES_OF(want), hsm_key_private(hsm_find_key(copy, 1)->key));
	EXPECT_BYTES_EQ(BYTES("text", 4), blob_bytes(hsm_find_file(copy, 0xcf01)->content));
}

TEST(what_is_deleted_in_the_middle_leaves_the_others)
{
	_cleanup_(hsm_state_freep) struct hsm_state *state = new_state();

	for (uint8_t i = 1; i <= 3; i++) {
		struct hsm_record record = { .id = i, .key = aes_key(i) };

		ASSERT_EQ(0, hsm_put_key(state, &record));
		ASSERT_EQ(0, hsm_put_file(state, 0xcf00 + i, BYTES(&i, 1)));
	}
	hsm_delete_key(state, 2);
	hsm_delete_file(state, 0xcf02);
	hsm_delete_key(state, 9);
	hsm_delete_file(state, 0xcf09);
	EXPECT_NULL(hsm_find_key(state, 2));
	EXPECT_NULL(hsm_find_file(state, 0xcf02));
	EXPECT_EQ(3, hsm_key_private(hsm_find_key(state, 3)->key).p[0]);
	EXPECT_EQ(3, blob_bytes(hsm_find_file(state, 0xcf03)->content).p[0]);
	EXPECT_EQ(2u, state->n_keys);
	EXPECT_EQ(2u, state->n_files);
}

TEST(memory_is_what_keys_and_files_leave_of_it)
{
	_cleanup_(hsm_state_freep) struct hsm_state *state = new_state();
	struct hsm_record record = { .id = 1, .key = aes_key(1) };
	static uint8_t most[HSM_MEMORY];

	EXPECT_EQ((size_t)HSM_MEMORY, hsm_memory_left(state));
	ASSERT_EQ(0, hsm_put_file(state, 0xcf01, BYTES(most, sizeof(most) - 10)));
	EXPECT_EQ(10u, hsm_memory_left(state));
	EXPECT_EQ(-ENOSPC, hsm_put_file(state, 0xcf02, BYTES(most, 11)));
	EXPECT_EQ(0, hsm_put_file(state, 0xcf01, BYTES_OF(most)));	/* in place of the old one */
	EXPECT_EQ(0u, hsm_memory_left(state));
	EXPECT_EQ(-ENOSPC, hsm_put_key(state, &record));
	hsm_key_unref(record.key);
}

TEST(a_list_of_none_allows_everything)
{
	struct hsm_record record = { .id = 1 };

	EXPECT_TRUE(hsm_key_allows(&record, ALG_WRAP));
	record.n_algorithms = 1;
	record.algorithms[0] = 0x73;
	EXPECT_TRUE(hsm_key_allows(&record, 0x73));
	EXPECT_FALSE(hsm_key_allows(&record, ALG_WRAP));
}

TEST(a_key_is_stored_and_restored_with_its_kind_and_size)
{
	static const struct { const char *group; size_t size; } rows[] = {
		{ "prime256v1", 32 }, { "secp521r1", 66 }, { "brainpoolP512r1", 64 }, { "secp256k1", 32 },
	};

	for (size_t i = 0; i < 4; i++) {
		_cleanup_(EVP_PKEY_freep) EVP_PKEY *pair = EVP_EC_gen(rows[i].group), *again = NULL;
		_cleanup_(hsm_key_unrefp) struct hsm_key *key = NULL, *restored = NULL;

		ASSERT_EQ(0, hsm_key_new(pair, &key));
		ASSERT_EQ(0, hsm_key_restore(HSM_EC, hsm_key_private(key), &restored));
		EXPECT_EQ(HSM_EC, hsm_key_kind(restored));
		EXPECT_EQ(rows[i].size, hsm_key_size(restored));
		ASSERT_EQ(0, hsm_key_open(restored, &again));
		EXPECT_EQ(1, EVP_PKEY_eq(pair, again));
	}
}

TEST(a_key_that_is_none_is_refused)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	_cleanup_(hsm_key_unrefp) struct hsm_key *aes = aes_key(1);
	static const uint8_t bytes[33];
	struct hsm_key *key;
	EVP_PKEY *pkey;

	EXPECT_EQ(-EOPNOTSUPP, hsm_key_new(other, &key));
	EXPECT_EQ(-EINVAL, hsm_key_new_aes(BYTES(bytes, 33), &key));
	EXPECT_EQ(-EINVAL, hsm_key_new_aes(BYTES_NONE, &key));
	EXPECT_EQ(-EBADMSG, hsm_key_restore(HSM_AES, BYTES(bytes, 15), &key));
	EXPECT_EQ(-EBADMSG, hsm_key_restore(HSM_RSA, BYTES(bytes, 33), &key));
	EXPECT_EQ(-EBADMSG, hsm_key_restore(HSM_EC, BYTES_NONE, &key));
	EXPECT_EQ(-EBADMSG, hsm_key_restore((enum hsm_kind)4, BYTES(bytes, 32), &key));
	EXPECT_EQ(-EIO, hsm_key_open(aes, &pkey));
}
