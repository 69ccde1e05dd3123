/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The known answers of kbkdf() itself are those of agree_test.c and shared_test.c. */
#include "format/kdf.h"
#include "base/cleanup.h"
#include "format/aes.h"
#include "format/shared.h"
#include "tests/harness.h"

enum { KEY_SIZE = 32 };

/* Somebody who has the key and does one thing with it. */
struct holder {
	struct secret key;
	unsigned int calls, fails_at;	/* 0: never */
	size_t longest;
};

static int holder_mac(void *arg, struct bytes in, uint8_t out[static KDF_MAC_SIZE])
{
	struct holder *h = arg;

	if (++h->calls == h->fails_at)
		return -ENODEV;
	if (in.n > h->longest)
		h->longest = in.n;
	return aes_cmac(secret_bytes(&h->key), in, out);
}

FIXTURE(kdf)
{
	struct holder holder;
	struct kdf_mac by;
};

FIXTURE_SETUP(kdf)
{
	self->holder = (struct holder){ .key = SECRET_INIT };
	ASSERT_EQ(0, secret_init(&self->holder.key, KEY_SIZE));
	for (uint8_t i = 0; i < KEY_SIZE; i++)
		self->holder.key.p[i] = (uint8_t)(0xa0 + i);
	self->holder.key.n = KEY_SIZE;
	self->by = (struct kdf_mac){ holder_mac, &self->holder };
}

FIXTURE_TEARDOWN(kdf)
{
	secret_deinit(&self->holder.key);
}

TEST_F(kdf, who_only_has_the_cmac_derives_the_same)
{
	static const char context[] = "KF-STAGE-0001 and longer than a block of sixteen";
	uint8_t here[64], there[64];

	for (size_t n = KDF_MAC_SIZE; n <= sizeof(here); n += KDF_MAC_SIZE) {
		for (size_t len = 0; len < sizeof(context); len++) {
			ASSERT_EQ(0, kbkdf(&self->holder.key, "keyferry/derived/key", BYTES(context, len), here, n));
			ASSERT_EQ(0, kbkdf_by(&self->by, "keyferry/derived/key", BYTES(context, len), there, n));
			EXPECT_BYTES_EQ(BYTES(here, n), BYTES(there, n));
		}
	}
}

TEST_F(kdf, the_keys_of_cards_are_the_same)
{
	static const enum kf_method methods[] = { KF_METHOD_SHARED, KF_METHOD_DERIVED };
	static const enum kf_origin origins[] = { KF_ORIGIN_FACTORY, KF_ORIGIN_INJECTED };
	static const char longest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-0123";

	for (int i = 0; i < 4; i++) {
		_cleanup_(secret_deinit) struct secret here = SECRET_INIT, there = SECRET_INIT;

		ASSERT_EQ(0, shared_key_derive(&self->holder.key, methods[i / 2], origins[i % 2], longest, &here));
		ASSERT_EQ(0, shared_key_derive_by(&self->by, methods[i / 2], origins[i % 2], longest, &there));
		EXPECT_TRUE(secret_equal(&here, &there));
	}
	EXPECT_LE(self->holder.longest, (size_t)KDF_INPUT_MAX);
}

TEST_F(kdf, what_fails_half_way_leaves_nothing)
{
	_cleanup_(secret_deinit) struct secret key = SECRET_INIT;
	uint8_t out[48];

	memset(out, 0x11, sizeof(out));
	self->holder.fails_at = 2;
	EXPECT_EQ(-ENODEV, kbkdf_by(&self->by, "label", BYTES_NONE, out, sizeof(out)));
	EXPECT_TRUE(bytes_are_zero(BYTES_OF(out)));
	EXPECT_EQ(2u, self->holder.calls);
	self->holder.fails_at = 3;
	EXPECT_EQ(-ENODEV, shared_key_derive_by(&self->by, KF_METHOD_SHARED, KF_ORIGIN_FACTORY, "KF-1", &key));
	EXPECT_NULL(key.p);
}

TEST_F(kdf, what_does_not_fit_is_asked_of_nobody)
{
	static const uint8_t context[KDF_INPUT_MAX];
	uint8_t out[KDF_MAC_SIZE];

	EXPECT_EQ(-EMSGSIZE, kbkdf_by(&self->by, "l", BYTES(context, KDF_INPUT_MAX - 9), out, sizeof(out)));
	EXPECT_EQ(0u, self->holder.calls);
	EXPECT_EQ(0, kbkdf_by(&self->by, "l", BYTES(context, KDF_INPUT_MAX - 10), out, sizeof(out)));
}
