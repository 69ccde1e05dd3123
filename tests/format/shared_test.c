/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The known answers were computed by another implementation (python3-cryptography) from
 * docs/card-application.md 6.2: master 00 to 1F, serial KF-1, and bytes all alike for the rest.
 */
#include "format/shared.h"
#include "base/cleanup.h"
#include "tests/harness.h"

#include <stdio.h>

FIXTURE(shared)
{
	struct secret master, key, s1;
	uint8_t h[KF_DIGEST_SIZE], sid[KF_SID_SIZE], server[SERVER_ID_SIZE];
	uint8_t card[CHALLENGE_SIZE], host[CHALLENGE_SIZE];
	struct shared_facts facts;
	struct agreed agreed;
};

FIXTURE_VARIANT(shared)
{
	enum kf_method method;
	const char *key, *mark, *s1, *host, *card;
};

FIXTURE_VARIANT_ADD(shared, shared) {
	KF_METHOD_SHARED, "6137ec3ccd089ee3032b5d0fed8c7145e12698c64cc1c55723b6076a9d366bd9",
	"b959285d0ee3f7a48365413dee889075c04b28c0835133211ddc559552bfa831",
	"1a05fe5a1080bb816eda5251b1f522fa765c9a491217149532b39355b808dd3b",
	"00000000000000000000000000000000", "00000000000000000000000000000000",
};
FIXTURE_VARIANT_ADD(shared, derived) {
	KF_METHOD_DERIVED, "fb50a011d7fc00b1e32ecf641759a3efd0761089017dd96ac02470bfd6d4a3a5",
	"8cba1e954e681c2628bcc3131bbd91520831318f414c2a2560beb953cd3d6070",
	"cb96240aef55c79d3c2b4d2a2ba9cc24ddaa0ae57b6baadf5f958386d05e9e61",
	"d6ffdb908a592da674e0f60614952867", "3d5cb1be135916016b530573d71ae09a",
};

FIXTURE_SETUP(shared)
{
	self->master = self->key = self->s1 = SECRET_INIT;
	ASSERT_EQ(0, secret_init(&self->master, SHARED_KEY_SIZE));
	ASSERT_EQ(0, secret_init(&self->s1, KF_S1_SIZE));
	for (uint8_t i = 0; i < SHARED_KEY_SIZE; i++)
		self->master.p[i] = i;
	self->master.n = SHARED_KEY_SIZE;
	ASSERT_EQ(0, shared_key_derive(&self->master, variant->method, KF_ORIGIN_FACTORY, "KF-1", &self->key));
	memset(self->h, 0x11, sizeof(self->h));
	memset(self->sid, 0x22, sizeof(self->sid));
	memset(self->server, 0x33, sizeof(self->server));
	memset(self->card, 0x44, sizeof(self->card));
	memset(self->host, 0x55, sizeof(self->host));
	self->facts = (struct shared_facts){ variant->method, self->h, self->sid, "KF-1",
					     self->server, self->card, self->host };
	self->agreed = (struct agreed){ .s1 = &self->s1 };
	ASSERT_EQ(0, shared_establish(&self->key, &self->facts, &self->agreed));
}

FIXTURE_TEARDOWN(shared)
{
	secret_deinit(&self->master);
	secret_deinit(&self->key);
	secret_deinit(&self->s1);
}

static void expect_hex(const char *want, struct bytes got)
{
	char text[2 * 64 + 1] = "";

	ASSERT_LE(got.n, 64u);
	for (size_t i = 0; i < got.n; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", got.p[i]);
	EXPECT_STREQ(want, text);
}

TEST_F(shared, all_of_it_is_as_the_page_says)
{
	struct shared_info info = { 0 };

	expect_hex(variant->key, secret_bytes(&self->key));
	ASSERT_EQ(0, shared_info_describe(&self->key, variant->method, &info));
	expect_hex(variant->mark, BYTES_OF(info.mark));
	expect_hex(variant->s1, secret_bytes(&self->s1));
	expect_hex(variant->host, BYTES_OF(self->agreed.host));
	expect_hex(variant->card, BYTES_OF(self->agreed.card));
}

TEST_F(shared, no_two_cards_and_no_two_methods_have_one_key)
{
	_cleanup_(secret_deinit) struct secret other = SECRET_INIT, cross = SECRET_INIT;
	enum kf_method method = variant->method == KF_METHOD_SHARED ? KF_METHOD_DERIVED : KF_METHOD_SHARED;

	ASSERT_EQ(0, shared_key_derive(&self->master, variant->method, KF_ORIGIN_FACTORY, "KF-2", &other));
	EXPECT_FALSE(secret_equal(&self->key, &other));
	ASSERT_EQ(0, shared_key_derive(&self->master, method, KF_ORIGIN_FACTORY, "KF-1", &cross));
	EXPECT_FALSE(secret_equal(&self->key, &cross));
}

TEST_F(shared, each_fact_is_bound)
{
	uint8_t *const facts[] = { self->h, self->sid, self->host, self->server, self->card };
	size_t n = variant->method == KF_METHOD_DERIVED ? 5 : 3;
	_cleanup_(secret_deinit) struct secret other = SECRET_INIT;
	struct agreed agreed = { .s1 = &other };

	ASSERT_EQ(0, secret_init(&other, KF_S1_SIZE));
	for (size_t i = 0; i < n; i++) {
		facts[i][7] ^= 1;
		ASSERT_EQ(0, shared_establish(&self->key, &self->facts, &agreed));
		if (secret_equal(&self->s1, &other))
			TEST_FAIL("fact %zu makes no difference", i);
		if (method_confirms(variant->method))
			EXPECT_MEMNE(self->agreed.host, agreed.host, CONFIRMATION_SIZE);
		facts[i][7] ^= 1;
	}
	self->facts.serial = "KF-2";
	ASSERT_EQ(0, shared_establish(&self->key, &self->facts, &agreed));
	EXPECT_FALSE(secret_equal(&self->s1, &other));
	self->facts.serial = "KF-1";
	ASSERT_EQ(0, shared_establish(&self->key, &self->facts, &agreed));
	EXPECT_TRUE(secret_equal(&self->s1, &other));
}

/* Which challenge is whose is part of it: an answer does not serve as a question. */
TEST_F_WHERE(shared, challenges_do_not_change_places, variant->method != KF_METHOD_SHARED)
{
	_cleanup_(secret_deinit) struct secret other = SECRET_INIT;
	struct agreed agreed = { .s1 = &other };

	ASSERT_EQ(0, secret_init(&other, KF_S1_SIZE));
	self->facts.card = self->host;
	self->facts.host = self->card;
	ASSERT_EQ(0, shared_establish(&self->key, &self->facts, &agreed));
	EXPECT_MEMNE(self->agreed.host, agreed.host, CONFIRMATION_SIZE);
	EXPECT_MEMNE(self->agreed.card, agreed.host, CONFIRMATION_SIZE);
	EXPECT_MEMNE(agreed.card, agreed.host, CONFIRMATION_SIZE);
}

static struct bytes info_der(struct fixture_shared *self, uint8_t *buf)
{
	struct packer p = pack_begin(buf, SHARED_INFO_MAX);
	struct shared_info info = { 0 };

	ASSERT_EQ(0, shared_info_describe(&self->key, self->facts.method, &info));
	memcpy(info.challenge, self->card, CHALLENGE_SIZE);
	shared_info_pack(&p, &info);
	ASSERT_EQ(0, pack_end(&p));
	return pack_done(&p);
}

TEST_F(shared, what_a_card_says_of_its_key_has_one_form)
{
	uint8_t buf[SHARED_INFO_MAX], again[SHARED_INFO_MAX];
	struct bytes der = info_der(self, buf);
	struct packer p = pack_begin(again, sizeof(again));
	struct shared_info info;

	ASSERT_EQ(0, shared_info_parse(der, &info));
	EXPECT_EQ(variant->method, info.method);
	shared_info_pack(&p, &info);
	EXPECT_BYTES_EQ(der, pack_done(&p));
	for (size_t n = 0; n < der.n; n++)
		EXPECT_EQ(-EBADMSG, shared_info_parse(BYTES(der.p, n), &info));
	/* a byte of the frame, or one that makes it another method */
	for (size_t i = 0; i < 7; i++) {
		buf[i] ^= 2;
		EXPECT_EQ(-EBADMSG, shared_info_parse(der, &info));
		buf[i] ^= 2;
	}
	EXPECT_EQ(-EBADMSG, shared_info_parse(BYTES(buf, der.n + 1), &info));
}

/* --- the file for a card's maker --- */

static void fill(struct secret *s, uint8_t byte)
{
	ASSERT_EQ(0, secret_init(s, SHARED_KEY_SIZE));
	memset(s->p, byte, SHARED_KEY_SIZE);
	s->n = SHARED_KEY_SIZE;
}

TEST(a_file_of_keys_comes_back_and_nothing_else_does)
{
	_cleanup_(shared_keys_deinit) struct shared_keys keys = SHARED_KEYS_INIT, again = SHARED_KEYS_INIT;
	_cleanup_(secret_deinit) struct secret text = SECRET_INIT;
	size_t n;

	memcpy(keys.serial, "KF-1", 5);
	fill(&keys.shared, 0xa5);
	fill(&keys.derived, 0x0f);
	ASSERT_EQ(0, secret_init(&text, SHARED_KEYS_TEXT_MAX));
	shared_keys_write(&keys, &text);
	n = text.n;
	ASSERT_EQ(0, shared_keys_parse(&text, &again));
	EXPECT_STREQ("KF-1", again.serial);
	EXPECT_TRUE(secret_equal(&keys.shared, &again.shared));
	EXPECT_TRUE(secret_equal(&keys.derived, &again.derived));
	for (text.n = 0; text.n < n; text.n++) {
		shared_keys_deinit(&again);
		EXPECT_EQ(-EBADMSG, shared_keys_parse(&text, &again));
	}
	text.p[n] = '\n';
	text.n = n + 1;
	EXPECT_EQ(-EBADMSG, shared_keys_parse(&text, &again));
	text.n = n;
	for (size_t i = 0; i < n; i++) {
		uint8_t was = text.p[i];

		text.p[i] = 'G';		/* no digit, and no part of a word; good in a serial alone */
		shared_keys_deinit(&again);
		if ((shared_keys_parse(&text, &again) == 0) != (i >= 7 && i < 11))
			TEST_FAIL("byte %zu", i);
		text.p[i] = was;
	}
}
