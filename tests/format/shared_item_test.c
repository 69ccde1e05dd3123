/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/shared_item.h"
#include "base/cleanup.h"
#include "tests/format/mutate.h"
#include "tests/harness.h"

static const uint8_t key[SHARED_KEY_SIZE] = { 1, 2, 3, [31] = 32 };

static int reencode(struct bytes der, struct packer *again)
{
	_cleanup_(secret_deinit) struct secret out = SECRET_INIT;
	struct shared_item item;
	int r = shared_item_decode(der, &item);

	if (r < 0)
		return r;
	ASSERT_EQ(0, secret_init(&out, SHARED_ITEM_SIZE));
	ASSERT_EQ(0, shared_item_encode(&item, &out));
	pack_bytes(again, secret_bytes(&out));
	return 0;
}

TEST(what_was_packed_is_read_and_there_is_one_form)
{
	_cleanup_(secret_deinit) struct secret out = SECRET_INIT;
	struct shared_item item = { KF_METHOD_DERIVED, BYTES_OF(key) };

	ASSERT_EQ(0, secret_init(&out, SHARED_ITEM_SIZE));
	ASSERT_EQ(0, shared_item_encode(&item, &out));
	EXPECT_EQ((size_t)SHARED_ITEM_SIZE, out.n);
	ASSERT_EQ(0, shared_item_decode(secret_bytes(&out), &item));
	EXPECT_EQ(KF_METHOD_DERIVED, item.method);
	EXPECT_BYTES_EQ(BYTES_OF(key), item.key);
	expect_strict(secret_bytes(&out), reencode);
}

TEST(other_methods_have_no_such_key)
{
	static const enum kf_method others[] = { KF_METHOD_NONE, KF_METHOD_RSA, KF_METHOD_ECDH };
	_cleanup_(secret_deinit) struct secret out = SECRET_INIT;

	ASSERT_EQ(0, secret_init(&out, SHARED_ITEM_SIZE));
	for (size_t i = 0; i < 3; i++) {
		struct shared_item item = { others[i], BYTES_OF(key) };

		ASSERT_EQ(0, shared_item_encode(&item, &out));
		EXPECT_EQ(-EBADMSG, shared_item_decode(secret_bytes(&out), &item));
	}
}

/* The maker of a card never had what is injected: one grade lies between them. */
TEST(an_injected_key_is_another_than_the_makers)
{
	static const enum kf_method methods[] = { KF_METHOD_SHARED, KF_METHOD_DERIVED };

	for (size_t i = 0; i < 2; i++) {
		_cleanup_(secret_deinit) struct secret master = SECRET_INIT, a = SECRET_INIT, b = SECRET_INIT;

		ASSERT_EQ(0, secret_init(&master, SHARED_KEY_SIZE));
		ASSERT_EQ(0, secret_set(&master, BYTES_OF(key)));
		ASSERT_EQ(0, shared_key_derive(&master, methods[i], KF_ORIGIN_FACTORY, "KF-1", &a));
		ASSERT_EQ(0, shared_key_derive(&master, methods[i], KF_ORIGIN_INJECTED, "KF-1", &b));
		EXPECT_FALSE(secret_equal(&a, &b));
	}
}
