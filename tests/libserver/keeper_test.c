// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Methods shared and derived on a server whose master is a keeper's; the card has its key from the same master
 * in memory.
 */
#include "libserver/keeper.h"
#include "base/error.h"
#include "format/aes.h"
#include "libserver/master.h"
#include "tests/libserver/server_fixture.h"

/* Has the master, and may say no from one question on. */
struct keeper {
	uint8_t master[SHARED_KEY_SIZE];
	int calls, fails_from, code;
	bool is_silent;
};

static int keeper_mac(void *arg, const uint8_t *in, size_t len, uint8_t out[KF_MASTER_MAC_SIZE],
		      struct kf_error *e)
{
	struct keeper *k = arg;

	if (++k->calls >= k->fails_from && k->fails_from > 0)
		return k->is_silent ? k->code : error_why(e, k->code, "rule", "next", "the token is gone");
	return aes_cmac(BYTES_OF(k->master), BYTES(in, len), out);
}

FIXTURE(keeper)
{
	struct voyage v;
	struct keeper keeper;
};

FIXTURE_VARIANT(keeper)
{
	enum kf_method method;
};

FIXTURE_VARIANT_ADD(keeper, shared) { KF_METHOD_SHARED };
FIXTURE_VARIANT_ADD(keeper, derived) { KF_METHOD_DERIVED };

static struct kf_master_keeper of(struct keeper *k)
{
	return (struct kf_master_keeper){ sizeof(struct kf_master_keeper), keeper_mac, k };
}

FIXTURE_SETUP(keeper)
{
	struct kf_master_keeper keeper = of(&self->keeper);

	voyage_shared = variant->method;
	voyage_init_by(&self->v, true, KF_KEY_AES_256, NULL);
	self->keeper = (struct keeper){ .code = -ENODEV };
	memset(self->keeper.master, VOYAGE_MASTER, SHARED_KEY_SIZE);
	ASSERT_EQ(0, kf_server_set_master_keeper(self->v.server, &keeper, NULL));
}

FIXTURE_TEARDOWN(keeper)
{
	voyage_deinit(&self->v);
}

static int offer(struct fixture_keeper *self)
{
	struct fakecard_bend bend = { .statement = voyage_one_sender };

	return voyage_offer_bent(&self->v, &bend);
}

TEST_F(keeper, the_card_opens_what_was_sealed)
{
	struct kf_keypair *pair = voyage_pair(KF_KEY_EC_P256);
	struct fakecard_opened opened;
	char *cargo, *ticket;

	EXPECT_EQ(0u, self->v.server->master.n);
	voyage_seal(&self->v, pair, 1, &cargo, &ticket);
	ASSERT_EQ(0, fakecard_open(&self->v.card, cargo, 1, self->v.injector, &opened));
	EXPECT_EQ(0, voyage_verify(&self->v, cargo, ticket, NULL));
	EXPECT_EQ(0, offer(self));
	EVP_PKEY_free(opened.key);
	kf_keypair_free(pair);
	free(cargo);
	free(ticket);
}

TEST_F(keeper, each_key_is_that_of_the_master_in_memory)
{
	static const enum kf_origin origins[] = { KF_ORIGIN_FACTORY, KF_ORIGIN_INJECTED };
	struct kf_server *server = NULL;
	uint8_t here[KF_MASTER_CHECK_SIZE], there[KF_MASTER_CHECK_SIZE];

	ASSERT_EQ(0, kf_server_new(&server, NULL));
	ASSERT_EQ(0, kf_server_set_master(server, self->keeper.master, SHARED_KEY_SIZE, NULL));
	for (int i = 0; i < 2; i++) {
		_cleanup_(secret_deinit) struct secret a = SECRET_INIT, b = SECRET_INIT;

		ASSERT_EQ(0, master_derive(server, variant->method, origins[i], "KF-1", &a, NULL));
		ASSERT_EQ(0, master_derive(self->v.server, variant->method, origins[i], "KF-1", &b, NULL));
		EXPECT_TRUE(secret_equal(&a, &b));
	}
	ASSERT_EQ(0, kf_server_master_check(server, here, NULL));
	ASSERT_EQ(0, kf_server_master_check(self->v.server, there, NULL));
	EXPECT_BYTES_EQ(BYTES_OF(here), BYTES_OF(there));
	kf_server_free(server);
}

TEST_F(keeper, its_words_are_the_errors)
{
	for (int from = 1; from <= 3; from++) {
		self->keeper.calls = 0;
		self->keeper.fails_from = from;
		EXPECT_EQ(-ENODEV, offer(self));
		EXPECT_STREQ("the token is gone", self->v.e.why);
		EXPECT_EQ(from, self->keeper.calls);
	}
}

TEST_F(keeper, one_without_words_or_with_another_convention_fails_too)
{
	struct kf_md_key *key = NULL;

	self->keeper.fails_from = 1;
	self->keeper.is_silent = true;
	EXPECT_EQ(-ENODEV, kf_md_import_session_key(self->v.server, self->v.offer, NULL, 0, 1, &key, &self->v.e));
	EXPECT_STREQ("No such device", self->v.e.why);
	self->keeper.code = 0x30;		/* as CKR_DEVICE_ERROR */
	EXPECT_EQ(-EIO, kf_md_import_session_key(self->v.server, self->v.offer, NULL, 0, 1, &key, NULL));
	EXPECT_NULL(key);
}

TEST_F(keeper, another_master_is_refused_before_anything_is_sealed)
{
	self->keeper.master[5] ^= 1;
	EXPECT_EQ(-EACCES, offer(self));
	EXPECT_NOT_NULL(strstr(self->v.e.why, "not one of this server's"));
}

/* What the state remembers is compared each time, for a token may have been exchanged meanwhile. */
TEST_F(keeper, one_with_another_master_than_the_states_is_found_out)
{
	_cleanup_(secret_deinit) struct secret key = SECRET_INIT;
	struct kf_server *server = self->v.server;

	ASSERT_EQ(0, kf_server_master_check(server, server->check, NULL));
	server->master_away = true;
	EXPECT_EQ(0, master_try_keeper(server, NULL));
	EXPECT_EQ(0, offer(self));
	self->keeper.master[5] ^= 1;
	EXPECT_EQ(-EACCES, master_try_keeper(server, &self->v.e));
	EXPECT_EQ(-EACCES, master_derive(server, variant->method, KF_ORIGIN_INJECTED, "KF-1", &key, &self->v.e));
	EXPECT_NOT_NULL(strstr(self->v.e.why, "not this state's master"));
	EXPECT_NULL(key.p);
}

TEST_F(keeper, without_one_a_master_that_is_elsewhere_is_not_missing)
{
	uint8_t master[SHARED_KEY_SIZE] = { 1 }, check[KF_MASTER_CHECK_SIZE];

	self->v.server->master_away = true;
	ASSERT_EQ(0, kf_server_set_master_keeper(self->v.server, NULL, NULL));
	EXPECT_EQ(-ENOKEY, offer(self));
	EXPECT_NOT_NULL(strstr(self->v.e.why, "is in a token"));
	EXPECT_EQ(-ENOKEY, master_try_keeper(self->v.server, NULL));
	EXPECT_EQ(0, kf_server_master_check(self->v.server, check, NULL));
	/* Given in memory, it is here. */
	ASSERT_EQ(0, kf_server_set_master(self->v.server, master, sizeof(master), NULL));
	EXPECT_EQ(-EACCES, offer(self));
	EXPECT_EQ(0, self->keeper.calls);
}

/* Whatever a state remembered, and whoever had it. */
TEST_F(keeper, a_master_in_memory_takes_its_place)
{
	uint8_t master[SHARED_KEY_SIZE];

	memset(master, VOYAGE_MASTER, sizeof(master));
	self->v.server->master_away = true;
	self->keeper.master[5] ^= 1;
	EXPECT_EQ(-EACCES, offer(self));
	self->keeper.calls = 0;
	ASSERT_EQ(0, kf_server_set_master(self->v.server, master, sizeof(master), NULL));
	EXPECT_EQ(0, offer(self));
	EXPECT_EQ(0, self->keeper.calls);
}

TEST_F(keeper, half_of_one_is_refused)
{
	struct kf_master_keeper keeper = of(&self->keeper);

	keeper.size--;
	EXPECT_EQ(-EINVAL, kf_server_set_master_keeper(self->v.server, &keeper, NULL));
	keeper = of(&self->keeper);
	keeper.mac = NULL;
	EXPECT_EQ(-EINVAL, kf_server_set_master_keeper(self->v.server, &keeper, &self->v.e));
	EXPECT_EQ(0, offer(self));
}
