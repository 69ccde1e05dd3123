/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/der.h"
#include "format/item.h"
#include "tests/format/mutate.h"
#include "tests/harness.h"

static const uint8_t ciphertext[48] = { 1, 2, 3 };
static const uint8_t mac[ITEM_MAC_SIZE] = { 0xaa };

static struct item_body sample(void)
{
	struct item_body b = {
		.suite = SUITE_AES256_CBC_CMAC,
		.method = KF_METHOD_RSA,
		.function = KF_FUNCTION_IMPORT_KEYPAIR,
		.number = 2, .count = 300,
		.serial = "KF-0001",
		.container = 15,
		.pin = KF_PIN_USER,
		.key_type = KF_KEY_EC_P256,
		.purpose = KF_PURPOSE_SIGN,
		.policy = { true, 4102444800u },
		.sender = { .present = true, .digest = { 9 } },
		.ciphertext = BYTES_OF(ciphertext),
	};

	return b;
}

static void pack_sample(struct packer *p, const struct item_body *body)
{
	uint8_t buf[1024];
	struct packer inner = pack_begin(buf, sizeof(buf));

	item_body_pack(&inner, body);
	item_pack(p, pack_done(&inner), mac, BYTES("signature", 9));
}

static int reencode(struct bytes der, struct packer *again)
{
	uint8_t buf[1024];
	struct packer inner = pack_begin(buf, sizeof(buf));
	struct item item;
	int r = item_parse(der, &item);

	if (r < 0)
		return r;
	item_body_pack(&inner, &item.body);
	EXPECT_TRUE(bytes_equal(pack_done(&inner), item.body_der));
	item_pack(again, item.body_der, item.mac.p, item.signature);
	return 0;
}

TEST(an_item_comes_back_as_it_went)
{
	struct item_body b = sample();
	uint8_t buf[1024];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct item item;

	pack_sample(&p, &b);
	ASSERT_EQ(0, item_parse(pack_done(&p), &item));
	EXPECT_EQ(2u, item.body.number);
	EXPECT_EQ(300u, item.body.count);
	EXPECT_EQ(15u, item.body.container);
	EXPECT_FALSE(item.body.replaces.present);
	EXPECT_TRUE(item.body.policy.pin_needed);
	EXPECT_EQ(4102444800u, item.body.policy.not_after);
	EXPECT_TRUE(bytes_equal(BYTES_OF(ciphertext), item.body.ciphertext));
	EXPECT_TRUE(bytes_equal(BYTES_OF(mac), item.mac));
	EXPECT_EQ(item.body_der.n + 2 + ITEM_MAC_SIZE, item.signed_der.n);
	EXPECT_TRUE(bytes_equal(BYTES("signature", 9), item.signature));
}

TEST_TIMEOUT(an_item_has_one_form, 30)
{
	struct item_body b = sample();
	uint8_t buf[1024];
	struct packer p = pack_begin(buf, sizeof(buf));

	pack_sample(&p, &b);
	expect_strict(pack_done(&p), reencode);
}

TEST(a_short_mac_is_refused)
{
	struct item_body b = sample();
	uint8_t inner_buf[1024], buf[1024];
	struct packer inner = pack_begin(inner_buf, sizeof(inner_buf));
	struct item item;

	item_body_pack(&inner, &b);
	for (size_t n = 0; n < 32; n++) {
		struct packer p = pack_begin(buf, sizeof(buf));
		uint8_t tags[32] = { 0 };

		struct der_mark mark = der_begin(&p, DER_SEQUENCE);

		pack_bytes(&p, pack_done(&inner));
		der_put(&p, DER_OCTETS, BYTES(tags, n));
		der_put(&p, DER_OCTETS, BYTES_NONE);
		der_end(&p, mark);
		EXPECT_EQ(n == ITEM_MAC_SIZE ? 0 : -EBADMSG, item_parse(pack_done(&p), &item));
	}
}
