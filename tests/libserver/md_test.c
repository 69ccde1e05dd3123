// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/md_test.c - The minidriver's calls, judged by a card that opens their work.
 *
 * Faces: libserver/md_item.c
 */
#include "format/hash.h"
#include "format/seal.h"
#include "libserver/ticket.h"
#include "tests/libserver/server_fixture.h"

FIXTURE(md)
{
	struct voyage v;
	struct kf_md_key *key;
	uint8_t *item;
	size_t len;
};

FIXTURE_VARIANT(md)
{
	bool with_injector;
	enum kf_key_type type;
};

FIXTURE_VARIANT_ADD(md, rsa_from_a_known_sender) { true, KF_KEY_RSA_2048 };
FIXTURE_VARIANT_ADD(md, p521_into_an_open_card) { false, KF_KEY_EC_P521 };

FIXTURE_SETUP(md)
{
	voyage_init(&self->v, variant->with_injector, NULL);
	ASSERT_EQ(0, kf_md_import_session_key(self->v.server, self->v.offer, NULL, 0, 1,
					      &self->key, NULL));
}

FIXTURE_TEARDOWN(md)
{
	free(self->item);
	kf_md_destroy_key(self->key);
	voyage_deinit(&self->v);
}

static int encrypt(struct fixture_md *self, const struct kf_keypair *pair)
{
	free(self->item);
	self->item = NULL;
	return kf_md_encrypt_data(self->key, KF_FUNCTION_IMPORT_KEYPAIR, pair, &self->item,
				  &self->len, &self->v.e);
}

TEST_F(md, the_card_opens_what_was_sealed)
{
	static const uint8_t iv[KF_IV_SIZE] = { 1, 2, 3 };
	struct kf_keypair *pair = voyage_pair(variant->type);
	struct fakecard_opened opened;
	struct item item;
	char *cargo = NULL;
	size_t len;

	ASSERT_EQ(0, kf_keypair_set_policy(pair, 1, 2000000000, NULL));
	ASSERT_EQ(0, kf_md_set_chaining_mode(self->key, KF_CHAIN_CBC, NULL));
	ASSERT_EQ(0, kf_md_set_iv(self->key, iv, sizeof(iv), NULL));
	ASSERT_EQ(0, encrypt(self, pair));
	ASSERT_EQ(0, kf_md_cargo(self->key, &cargo, &len, NULL));
	ASSERT_EQ(0, fakecard_open(&self->v.card, cargo, 1, self->v.injector, &opened));

	EXPECT_EQ(variant->with_injector, opened.sender_is_valid);
	EXPECT_EQ(variant->with_injector, opened.body.sender.present);
	EXPECT_EQ(variant->type, opened.body.key_type);
	EXPECT_EQ(KF_PURPOSE_SIGN, opened.body.purpose);
	EXPECT_EQ(1, opened.body.number);
	EXPECT_EQ(1, opened.body.count);
	EXPECT_EQ(3, opened.body.container);
	EXPECT_EQ(KF_PIN_USER, opened.body.pin);
	EXPECT_TRUE(opened.body.policy.pin_needed);
	EXPECT_EQ(2000000000, opened.body.policy.not_after);
	EXPECT_FALSE(opened.body.replaces.present);
	EXPECT_MEMEQ(iv, opened.body.iv, sizeof(iv));
	EXPECT_STREQ("FAKE-1", opened.body.serial);
	EXPECT_MEMEQ(self->v.card.statement.sid, opened.body.sid, KF_SID_SIZE);
	EXPECT_MEMEQ(self->v.card.statement.exchange, opened.body.exchange, KF_DIGEST_SIZE);

	ASSERT_EQ(0, item_parse(BYTES(self->item, self->len), &item));
	EXPECT_EQ(variant->with_injector, item.signature.n != 0);
	EVP_PKEY_free(opened.key);
	kf_keypair_free(pair);
	free(cargo);
}

TEST_F(md, mode_and_iv_come_first_and_an_iv_serves_one_item)
{
	struct kf_keypair *pair = voyage_pair(KF_KEY_EC_P256);
	static const uint8_t iv[KF_IV_SIZE];

	EXPECT_EQ(-EPROTO, encrypt(self, pair));
	EXPECT_EQ(-EOPNOTSUPP, kf_md_set_chaining_mode(self->key, KF_CHAIN_ECB, NULL));
	EXPECT_EQ(-EINVAL, kf_md_set_iv(self->key, iv, 15, NULL));
	EXPECT_EQ(0, kf_md_set_iv(self->key, iv, sizeof(iv), NULL));
	EXPECT_EQ(-EPROTO, encrypt(self, pair));
	EXPECT_EQ(0, kf_md_set_chaining_mode(self->key, KF_CHAIN_CBC, NULL));
	EXPECT_EQ(0, encrypt(self, pair));
	EXPECT_EQ(16, kf_md_block_length(self->key));
	kf_keypair_free(pair);
}

TEST_F(md, one_handle_makes_the_items_it_was_imported_for)
{
	struct kf_keypair *pair = voyage_pair(KF_KEY_EC_P256);
	char *json = NULL;
	size_t len;

	EXPECT_EQ(-EPROTO, kf_md_cargo(self->key, &json, &len, NULL));
	EXPECT_EQ(-EPROTO, kf_md_ticket(self->key, &json, &len, NULL));
	ASSERT_EQ(0, kf_md_set_chaining_mode(self->key, KF_CHAIN_CBC, NULL));
	ASSERT_EQ(0, kf_md_set_iv(self->key, NULL, 0, NULL));
	ASSERT_EQ(0, encrypt(self, pair));
	ASSERT_EQ(0, kf_md_set_iv(self->key, NULL, 0, NULL));
	kf_keypair_set_replaces(pair, kf_keypair_hash(pair));
	EXPECT_EQ(-EPROTO, encrypt(self, pair));
	kf_keypair_free(pair);
}

TEST_F(md, a_second_item_replaces_the_first_by_name_and_has_keys_of_its_own)
{
	struct kf_keypair *pair = voyage_pair(KF_KEY_EC_P256);
	struct fakecard_opened opened;
	char *cargo = NULL, *text = NULL;
	struct ticket ticket = TICKET_INIT;

	voyage_seal(&self->v, pair, 2, &cargo, &text);
	for (size_t i = 1; i <= 2; i++) {
		ASSERT_EQ(0, fakecard_open(&self->v.card, cargo, i, NULL, &opened));
		EXPECT_EQ(i, opened.body.number);
		EXPECT_EQ(2, opened.body.count);
		EXPECT_EQ(i == 2, opened.body.replaces.present);
		EVP_PKEY_free(opened.key);
	}
	ASSERT_EQ(0, ticket_parse(BYTES(text, strlen(text)), &ticket, NULL));
	EXPECT_EQ(2, ticket.n_items);
	EXPECT_MEMNE(ticket.items[0].sha256, ticket.items[1].sha256, KF_DIGEST_SIZE);
	EXPECT_MEMEQ(kf_keypair_hash(pair), ticket.items[1].key, KF_DIGEST_SIZE);
	ticket_deinit(&ticket);
	kf_keypair_free(pair);
	free(cargo);
	free(text);
}

TEST_F(md, a_session_key_made_by_the_caller_is_the_one_the_card_gets)
{
	_cleanup_(secret_deinit) struct secret got = SECRET_INIT;
	uint8_t s1[KF_S1_SIZE] = { 9, 8, 7 }, *wrapped = NULL;
	struct kf_md_key *key = NULL;
	size_t len = 0;

	ASSERT_EQ(0, secret_init(&got, KF_S1_SIZE));
	ASSERT_EQ(0, kf_session_key_wrap(self->v.offer, s1, &wrapped, &len, NULL));
	ASSERT_EQ(0, session_key_unwrap(self->v.card.exchange, self->v.card.h,
					BYTES(wrapped, len), &got));
	EXPECT_BYTES_EQ(BYTES_OF(s1), secret_bytes(&got));
	free(wrapped);
	ASSERT_EQ(0, kf_md_import_session_key(self->v.server, self->v.offer, s1, sizeof(s1), 1,
					      &key, NULL));
	ASSERT_EQ(0, kf_md_wrap_session_key(key, &wrapped, &len, NULL));
	ASSERT_EQ(0, session_key_unwrap(self->v.card.exchange, self->v.card.h,
					BYTES(wrapped, len), &got));
	EXPECT_BYTES_EQ(BYTES_OF(s1), secret_bytes(&got));
	free(wrapped);
	kf_md_destroy_key(key);
	EXPECT_EQ(-EINVAL, kf_md_import_session_key(self->v.server, self->v.offer, s1, 16, 1,
						    &key, NULL));
	EXPECT_EQ(-EINVAL, kf_md_import_session_key(self->v.server, self->v.offer, NULL, 0, 0,
						    &key, NULL));
	EXPECT_EQ(-EINVAL, kf_md_import_session_key(self->v.server, self->v.offer, NULL, 0, 65,
						    &key, NULL));
}

static void holds_something(struct statement *s)
{
	s->holds.present = true;
	memset(s->holds.digest, 0x77, KF_DIGEST_SIZE);
}

TEST(an_occupied_container_is_replaced_by_name_only)
{
	struct voyage v;
	struct kf_keypair *pair = voyage_pair(KF_KEY_EC_P256);
	uint8_t wrong[KF_DIGEST_SIZE] = { 1 };
	struct kf_md_key *key = NULL;
	uint8_t *item = NULL;
	size_t len;

	voyage_init(&v, false, holds_something);
	EXPECT_NOT_NULL(kf_verified_offer_holds(v.offer));
	ASSERT_EQ(0, kf_md_import_session_key(v.server, v.offer, NULL, 0, 1, &key, NULL));
	ASSERT_EQ(0, kf_md_set_chaining_mode(key, KF_CHAIN_CBC, NULL));
	ASSERT_EQ(0, kf_md_set_iv(key, NULL, 0, NULL));
	EXPECT_EQ(-EACCES, kf_md_encrypt_data(key, KF_FUNCTION_IMPORT_KEYPAIR, pair, &item, &len,
					      NULL));
	kf_keypair_set_replaces(pair, wrong);
	EXPECT_EQ(-EACCES, kf_md_encrypt_data(key, KF_FUNCTION_IMPORT_KEYPAIR, pair, &item, &len,
					      NULL));
	kf_keypair_set_replaces(pair, kf_verified_offer_holds(v.offer));
	EXPECT_EQ(0, kf_md_encrypt_data(key, KF_FUNCTION_IMPORT_KEYPAIR, pair, &item, &len,
					NULL));
	EXPECT_EQ(-EOPNOTSUPP, kf_md_encrypt_data(key, KF_FUNCTION_AUTHENTICATE, pair, &item,
						  &len, NULL));
	free(item);
	kf_md_destroy_key(key);
	kf_keypair_free(pair);
	voyage_deinit(&v);
}

static void only_p256(struct statement *s)
{
	s->key_types.n = 1;
	s->key_types.v[0] = KF_KEY_EC_P256;
	s->limit_items = 1;
}

static void short_items(struct statement *s) { s->limit_item = 400; }

TEST(an_item_longer_than_the_card_takes_is_not_made)
{
	struct voyage v;
	struct kf_keypair *pair = voyage_pair(KF_KEY_RSA_2048);
	struct kf_md_key *key = NULL;
	uint8_t *item = NULL;
	size_t len;

	voyage_init(&v, false, short_items);
	ASSERT_EQ(0, kf_md_import_session_key(v.server, v.offer, NULL, 0, 1, &key, NULL));
	ASSERT_EQ(0, kf_md_set_chaining_mode(key, KF_CHAIN_CBC, NULL));
	ASSERT_EQ(0, kf_md_set_iv(key, NULL, 0, NULL));
	EXPECT_EQ(-EOPNOTSUPP, kf_md_encrypt_data(key, KF_FUNCTION_IMPORT_KEYPAIR, pair, &item,
						  &len, &v.e));
	EXPECT_NOT_NULL(strstr(v.e.why, "longer"));
	kf_md_destroy_key(key);
	kf_keypair_free(pair);
	voyage_deinit(&v);
}

TEST(attested_limits_are_kept)
{
	struct voyage v;
	struct kf_keypair *pair = voyage_pair(KF_KEY_EC_P384);
	struct kf_md_key *key = NULL;
	uint8_t *item = NULL;
	size_t len;

	voyage_init(&v, false, only_p256);
	EXPECT_EQ(-EINVAL, kf_md_import_session_key(v.server, v.offer, NULL, 0, 2, &key, NULL));
	ASSERT_EQ(0, kf_md_import_session_key(v.server, v.offer, NULL, 0, 1, &key, NULL));
	ASSERT_EQ(0, kf_md_set_chaining_mode(key, KF_CHAIN_CBC, NULL));
	ASSERT_EQ(0, kf_md_set_iv(key, NULL, 0, NULL));
	EXPECT_EQ(-EOPNOTSUPP, kf_md_encrypt_data(key, KF_FUNCTION_IMPORT_KEYPAIR, pair, &item,
						  &len, NULL));
	kf_md_destroy_key(key);
	kf_keypair_free(pair);
	voyage_deinit(&v);
}
