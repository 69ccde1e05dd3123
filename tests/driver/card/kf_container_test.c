/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/card/kf.h"
#include "format/hash.h"
#include "tests/driver/card/script.h"

FIXTURE(container) {
	struct script s;
	uint8_t out[4096];
	struct packer p;
};
FIXTURE_SETUP(container)
{
	script_open(&self->s, 0);
	self->p = pack_begin(self->out, sizeof(self->out));
}
FIXTURE_TEARDOWN(container)
{
	script_done(&self->s);
	script_close(&self->s);
}

static const uint8_t spki[] = { 0x30, 0x03, 0x01, 0x02, 0x03 };

#define NO_KEY	"6985"

TEST_F(container, a_full_one_is_told_with_the_hash_of_its_key)
{
	struct kf_container_info info = { .entry.container = 3 };
	uint8_t hash[KF_DIGEST_SIZE];

	ASSERT_EQ(0, sha256(BYTES_OF(spki), hash));
	script_place(&self->s, 3, KF_KEY_EC_P256, KF_PURPOSE_SIGN, BYTES_OF(spki));
	ASSERT_EQ(0, kf_card_driver.container_info(script_begin(&self->s), &info, &self->p));
	EXPECT_EQ((uint32_t)KF_KEY_EC_P256, info.entry.key_type);
	EXPECT_EQ((uint32_t)KF_PURPOSE_SIGN, info.entry.purpose);
	EXPECT_EQ((uint32_t)KF_ORIGIN_GENERATED, info.entry.origin);
	EXPECT_EQ(KF_CONTAINER_PIN, info.entry.flags);
	EXPECT_EQ((uint32_t)KF_PIN_USER, info.entry.pin);
	EXPECT_MEMEQ(hash, info.entry.holds, sizeof(hash));
	EXPECT_BYTES_EQ(BYTES_OF(spki), pack_done(&self->p));
}

TEST_F(container, an_empty_one_is_all_zero)
{
	struct kf_container_info info = { .entry.container = 15 };

	script_place_empty(&self->s, 15);
	ASSERT_EQ(0, kf_card_driver.container_info(script_begin(&self->s), &info, &self->p));
	EXPECT_EQ(15u, info.entry.container);
	EXPECT_EQ((uint32_t)KF_KEY_NONE, info.entry.key_type);
	EXPECT_TRUE(bytes_are_zero(BYTES_OF(info.entry.holds)));
	EXPECT_EQ((size_t)0, self->p.n);
}

TEST_F(container, the_list_has_all_in_order)
{
	struct kf_container_entry row;
	uint32_t n = 0;

	for (uint8_t c = 0; c < 16; c++) {
		if (c == 2)
			script_place(&self->s, c, KF_KEY_RSA_2048, KF_PURPOSE_DECRYPT, BYTES_OF(spki));
		else
			script_place_empty(&self->s, c);
	}
	ASSERT_EQ(0, kf_card_driver.container_list(script_begin(&self->s), &n, &self->p));
	EXPECT_EQ(16u, n);
	ASSERT_EQ(16 * sizeof(row), self->p.n);
	memcpy(&row, self->out + 2 * sizeof(row), sizeof(row));
	EXPECT_EQ(2u, row.container);
	EXPECT_EQ((uint32_t)KF_PURPOSE_DECRYPT, row.purpose);
	memcpy(&row, self->out + 15 * sizeof(row), sizeof(row));
	EXPECT_EQ(15u, row.container);
	EXPECT_EQ(0u, row.key_type);
}

TEST_F(container, every_truncation_and_every_bad_number_is_refused)
{
	uint8_t good[] = {
		0xe3, 37, 0x80, 1, 1, 0x81, 1, 4, 0x82, 1, 6, 0x83, 1, 1, 0x84, 1, 1, 0x85, 2, 0x30, 0,
		0x86, 1, 0, 0x87, 2, 0, 0, 0x88, 8, 0, 0, 0, 0, 0, 0, 0, 0,
	};
	static const struct { size_t at; uint8_t to; } bad[] = {
		{ 4, 2 }, { 7, 0 }, { 7, 0x7f }, { 10, 0 }, { 10, 1 }, { 10, 10 }, { 13, 0 }, { 13, 9 },
		{ 5, 0x82 }, { 18, 0 },
	};
	struct kf_container_info info = { .entry.container = 0 };

	good[1] = sizeof(good) - 2;
	script_get_data(&self->s, 0x0110, BYTES_OF(good), 0x9000);
	ASSERT_EQ(0, kf_card_driver.container_info(script_begin(&self->s), &info, &self->p));
	for (size_t i = 0; i < sizeof(good); i++) {
		script_get_data(&self->s, 0x0110, BYTES(good, i), 0x9000);
		EXPECT_EQ(-EBADMSG, kf_card_driver.container_info(script_begin(&self->s), &info,
								  &self->p));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t raw[sizeof(good)];

		memcpy(raw, good, sizeof(raw));
		raw[bad[i].at] = bad[i].to;
		script_get_data(&self->s, 0x0110, BYTES_OF(raw), 0x9000);
		EXPECT_EQ(-EBADMSG, kf_card_driver.container_info(script_begin(&self->s), &info,
								  &self->p));
	}
}

TEST_F(container, a_number_the_card_does_not_have_is_not_asked_for)
{
	struct kf_container_info info = { .entry.container = 16 };
	struct kf_container_create want = {
		.container = 16, .key_type = KF_KEY_EC_P256, .purpose = KF_PURPOSE_SIGN,
	};

	EXPECT_EQ(-EINVAL, kf_card_driver.container_info(script_begin(&self->s), &info, &self->p));
	EXPECT_EQ(-EINVAL, kf_card_driver.container_create(script_begin(&self->s), &want, &self->p));
	EXPECT_EQ(-EINVAL, kf_card_driver.container_delete(script_begin(&self->s), 256));
	EXPECT_EQ(-EINVAL, kf_card_driver.convert(script_begin(&self->s), 16));
	EXPECT_EQ(-EINVAL, kf_card_driver.cert_store(script_begin(&self->s), 272, BYTES_NONE));
	EXPECT_EQ(-EINVAL, kf_card_driver.cert_read(script_begin(&self->s), 16, &self->p));
}

#define POINT_32 "0101010101010101010101010101010101010101010101010101010101010101"
#define GENERATE "0047 8005 000009 800104 810106 820101 0000"

TEST_F(container, generating_is_told_by_what_the_container_holds_afterwards)
{
	struct kf_container_create want = {
		.container = 5, .key_type = KF_KEY_EC_P256, .purpose = KF_PURPOSE_SIGN,
	};

	script_expect(&self->s, GENERATE, "7F4943 8641 04" POINT_32 POINT_32 "9000");
	script_place(&self->s, 5, KF_KEY_EC_P256, KF_PURPOSE_SIGN, BYTES_OF(spki));
	ASSERT_EQ(0, kf_card_driver.container_create(script_begin(&self->s), &want, &self->p));
	EXPECT_BYTES_EQ(BYTES_OF(spki), pack_done(&self->p));
}

/* [card-application 4.7]: of the types of 91, which are not those of 84. */
TEST_F(container, exchange_keys_are_of_the_types_the_card_says)
{
	static const uint8_t x[] = { 0x30, 0x02, 0x05, 0x00 };
	struct kf_container_create want = { .container = 5, .purpose = KF_PURPOSE_EXCHANGE };
	struct card *card = script_begin(&self->s);

	kf_of(card)->info.exchange_types = 1u << KF_KEY_EC_P256 | 1u << KF_KEY_X25519;
	want.key_type = KF_KEY_RSA_2048;
	EXPECT_EQ(-EOPNOTSUPP, kf_card_driver.container_create(card, &want, &self->p));
	want.key_type = KF_KEY_X25519;
	script_expect(&self->s, "0047 8005 000009 800107 810102 820101 0000",
		      "7F4922 8620" POINT_32 "9000");
	script_place(&self->s, 5, KF_KEY_X25519, KF_PURPOSE_EXCHANGE, BYTES_OF(x));
	EXPECT_EQ(0, kf_card_driver.container_create(card, &want, &self->p));
	want.key_type = KF_KEY_EC_P256;
	script_expect(&self->s, "0047 8005 000009 800104 810102 820101 0000",
		      "7F4943 8641 04" POINT_32 POINT_32 "9000");
	script_place(&self->s, 5, KF_KEY_EC_P256, KF_PURPOSE_EXCHANGE, BYTES_OF(spki));
	EXPECT_EQ(0, kf_card_driver.container_create(card, &want, &self->p));
	want.key_type = KF_KEY_X25519;
	script_expect(&self->s, "0047 8005 000009 800107 810102 820101 0000",
		      "7F4923 8621 04" POINT_32 "9000");
	EXPECT_EQ(-EBADMSG, kf_card_driver.container_create(card, &want, &self->p));
}

TEST_F(container, any_is_the_first_empty_one)
{
	struct kf_container_create want = {
		.container = KF_CONTAINER_ANY, .key_type = KF_KEY_EC_P256,
		.purpose = KF_PURPOSE_SIGN, .pin = KF_PIN_USER,
	};

	script_place(&self->s, 0, KF_KEY_EC_P256, KF_PURPOSE_SIGN, BYTES_OF(spki));
	script_place_empty(&self->s, 1);
	script_expect(&self->s, "0047 8001 000009 800104 810106 820101 0000",
		      "7F4943 8641 04" POINT_32 POINT_32 "9000");
	script_place(&self->s, 1, KF_KEY_EC_P256, KF_PURPOSE_SIGN, BYTES_OF(spki));
	ASSERT_EQ(0, kf_card_driver.container_create(script_begin(&self->s), &want, &self->p));
	EXPECT_EQ(1u, want.container);
}

TEST_F(container, a_full_card_has_no_room)
{
	struct kf_container_create want = {
		.container = KF_CONTAINER_ANY, .key_type = KF_KEY_EC_P256,
		.purpose = KF_PURPOSE_SIGN,
	};

	for (uint8_t c = 0; c < 16; c++)
		script_place(&self->s, c, KF_KEY_EC_P256, KF_PURPOSE_SIGN, BYTES_OF(spki));
	EXPECT_EQ(-ENOSPC, kf_card_driver.container_create(script_begin(&self->s), &want, &self->p));
}

TEST_F(container, an_occupied_one_says_so_and_a_pin_is_asked_for)
{
	struct kf_container_create want = {
		.container = 5, .key_type = KF_KEY_EC_P256, .purpose = KF_PURPOSE_SIGN,
	};

	script_expect(&self->s, GENERATE, "6985");
	EXPECT_EQ(-EEXIST, kf_card_driver.container_create(script_begin(&self->s), &want, &self->p));
	script_expect(&self->s, GENERATE, "6982");
	EXPECT_EQ(-EPERM, kf_card_driver.container_create(script_begin(&self->s), &want, &self->p));
	EXPECT_EQ((uint32_t)KF_PIN_USER, self->s.card->said.detail);
}

TEST_F(container, a_public_key_of_another_size_is_refused)
{
	struct kf_container_create want = {
		.container = 5, .key_type = KF_KEY_EC_P256, .purpose = KF_PURPOSE_SIGN,
	};

	script_expect(&self->s, GENERATE, "7F4923 8621 04" POINT_32 "9000");
	EXPECT_EQ(-EBADMSG, kf_card_driver.container_create(script_begin(&self->s), &want, &self->p));
	script_expect(&self->s, GENERATE, "9000");
	EXPECT_EQ(-EBADMSG, kf_card_driver.container_create(script_begin(&self->s), &want, &self->p));
}

TEST_F(container, types_and_purposes_that_do_not_go_together_are_refused_here)
{
	static const struct { uint32_t type, purpose, pin; int error; } bad[] = {
		{ KF_KEY_EC_P256, KF_PURPOSE_DECRYPT, 0, -EINVAL },
		{ KF_KEY_RSA_2048, KF_PURPOSE_DERIVE, 0, -EINVAL },
		{ KF_KEY_EC_P256, KF_PURPOSE_EXCHANGE, 0, -EOPNOTSUPP },
		{ KF_KEY_X25519, KF_PURPOSE_EXCHANGE, 0, -EOPNOTSUPP },
		{ KF_KEY_RSA_2048, KF_PURPOSE_KEK, 0, -EINVAL },
		{ KF_KEY_RSA_2048, 0, 0, -EINVAL },
		{ KF_KEY_RSA_2048, KF_PURPOSE_SIGN, 9, -EINVAL },
		{ KF_KEY_X25519, KF_PURPOSE_DERIVE, 0, -EOPNOTSUPP },
		{ KF_KEY_NONE, KF_PURPOSE_SIGN, 0, -EINVAL },
		{ 77, KF_PURPOSE_SIGN, 0, -EINVAL },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct kf_container_create want = {
			.container = 1, .key_type = bad[i].type, .purpose = bad[i].purpose,
			.pin = bad[i].pin,
		};

		EXPECT_EQ(bad[i].error,
			  kf_card_driver.container_create(script_begin(&self->s), &want, &self->p));
	}
}

TEST_F(container, delete_and_convert_are_own_commands)
{
	script_expect(&self->s, "80E4000A", "9000");
	EXPECT_EQ(0, kf_card_driver.container_delete(script_begin(&self->s), 10));
	script_expect(&self->s, "80E40001", "6A88");
	EXPECT_EQ(-ENOENT, kf_card_driver.container_delete(script_begin(&self->s), 1));
	script_expect(&self->s, "805A0002", "9000");
	EXPECT_EQ(0, kf_card_driver.convert(script_begin(&self->s), 2));
	script_expect(&self->s, "805A0002", "6985");
	EXPECT_EQ(-EREMOTEIO, kf_card_driver.convert(script_begin(&self->s), 2));
	EXPECT_EQ(KF_REASON_KEY_PURPOSE, self->s.card->said.reason);
}

TEST_F(container, a_certificate_is_stored_removed_and_read)
{
	static const uint8_t cert[] = { 0x30, 0x02, 0x05, 0x00 };
	uint8_t big[KF_CERT_MAX + 1] = { 0 };

	script_expect(&self->s, "00DB0123 04 30020500", "9000");
	EXPECT_EQ(0, kf_card_driver.cert_store(script_begin(&self->s), 3, BYTES_OF(cert)));
	script_expect(&self->s, "00DB0123", "9000");
	EXPECT_EQ(0, kf_card_driver.cert_store(script_begin(&self->s), 3, BYTES_NONE));
	script_expect(&self->s, "00DB0123 04 30020500", NO_KEY);
	EXPECT_EQ(-ENOENT, kf_card_driver.cert_store(script_begin(&self->s), 3, BYTES_OF(cert)));
	script_expect(&self->s, "00DB0123 04 30020500", "6A80");
	EXPECT_EQ(-EINVAL, kf_card_driver.cert_store(script_begin(&self->s), 3, BYTES_OF(cert)));
	EXPECT_EQ(-EINVAL, kf_card_driver.cert_store(script_begin(&self->s), 3, BYTES_OF(big)));
	EXPECT_EQ((uint32_t)KF_CERT_MAX, self->s.card->said.detail);

	script_get_data(&self->s, 0x0123, BYTES_OF(cert), 0x9000);
	ASSERT_EQ(0, kf_card_driver.cert_read(script_begin(&self->s), 3, &self->p));
	EXPECT_BYTES_EQ(BYTES_OF(cert), pack_done(&self->p));
	script_get_data(&self->s, 0x0123, BYTES_NONE, 0x6a88);
	EXPECT_EQ(-ENOENT, kf_card_driver.cert_read(script_begin(&self->s), 3, &self->p));
	script_get_data(&self->s, 0x0123, BYTES_OF(big), 0x9000);
	EXPECT_EQ(-EBADMSG, kf_card_driver.cert_read(script_begin(&self->s), 3, &self->p));
}
