/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/statement.h"
#include "tests/format/mutate.h"
#include "tests/harness.h"

static struct statement sample(void)
{
	struct statement s = {
		.level = KF_LEVEL_VIRTUAL,
		.serial = "KF-0001",
		.exchange_type = KF_KEY_RSA_3072,
		.purpose = KF_PURPOSE_EXCHANGE,
		.origin = KF_ORIGIN_GENERATED,
		.container = 3,
		.holds = { .present = true },
		.methods = { 1, { KF_METHOD_RSA } },
		.key_types = { 3, { KF_KEY_RSA_2048, KF_KEY_EC_P256, KF_KEY_EC_P521 } },
		.paddings = { 1, { WRAP_OAEP_SHA256 } },
		.suites = { 1, { SUITE_AES256_CBC_CMAC } },
		.limit_item = 8192, .limit_items = 64, .limit_tries = 5,
		.n_injectors = 2,
	};

	memset(s.device, 0x11, sizeof(s.device));
	memset(s.exchange_id, 0x22, sizeof(s.exchange_id));
	memset(s.exchange, 0x33, sizeof(s.exchange));
	memset(s.holds.digest, 0x44, sizeof(s.holds.digest));
	memset(s.injectors[0], 0x55, KF_DIGEST_SIZE);
	memset(s.injectors[1], 0x66, KF_DIGEST_SIZE);
	memset(s.sid, 0x77, sizeof(s.sid));
	memset(s.nonce, 0x88, sizeof(s.nonce));
	return s;
}

static int reencode(struct bytes der, struct packer *again)
{
	struct statement s;
	int r = statement_parse(der, &s);

	if (r == 0)
		statement_pack(again, &s);
	return r;
}

TEST(a_statement_comes_back_as_it_went)
{
	struct statement s = sample(), again;
	uint8_t buf[STATEMENT_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	statement_pack(&p, &s);
	ASSERT_EQ(0, pack_end(&p));
	ASSERT_EQ(0, statement_parse(pack_done(&p), &again));
	EXPECT_STREQ(s.serial, again.serial);
	EXPECT_EQ(s.container, again.container);
	EXPECT_EQ(s.exchange_type, again.exchange_type);
	EXPECT_TRUE(again.holds.present);
	EXPECT_TRUE(bytes_equal(BYTES_OF(s.nonce), BYTES_OF(again.nonce)));
	EXPECT_EQ(2u, again.n_injectors);
	EXPECT_TRUE(number_list_has(&again.key_types, KF_KEY_EC_P521));
	EXPECT_FALSE(number_list_has(&again.key_types, KF_KEY_RSA_4096));
}

TEST_TIMEOUT(a_statement_has_one_form, 30)
{
	struct statement s = sample();
	uint8_t buf[STATEMENT_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	statement_pack(&p, &s);
	expect_strict(pack_done(&p), reencode);
}

TEST(the_longest_statement_fits_and_one_injector_more_is_refused)
{
	struct statement s = sample();
	uint8_t buf[STATEMENT_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	memset(s.serial, 'x', KF_SERIAL_MAX);
	s.n_injectors = APP_INJECTORS_MAX;
	s.methods.n = s.key_types.n = s.paddings.n = s.suites.n = sizeof(s.methods.v);
	statement_pack(&p, &s);
	ASSERT_EQ(0, pack_end(&p));
	EXPECT_EQ(0, statement_parse(pack_done(&p), &s));
}

TEST(a_signed_statement_keeps_its_parts_apart)
{
	struct statement s = sample();
	uint8_t inner_buf[STATEMENT_MAX], buf[STATEMENT_MAX + 128];
	struct packer inner = pack_begin(inner_buf, sizeof(inner_buf));
	struct packer p = pack_begin(buf, sizeof(buf));
	static const uint8_t key[] = { 0x30, 0x03, 0x02, 0x01, 0x05 };
	struct signed_statement in, out;

	statement_pack(&inner, &s);
	in = (struct signed_statement){ pack_done(&inner), BYTES("sig", 3), BYTES_OF(key) };
	signed_statement_pack(&p, &in);
	ASSERT_EQ(0, signed_statement_parse(pack_done(&p), &out));
	EXPECT_TRUE(bytes_equal(in.statement, out.statement));
	EXPECT_TRUE(bytes_equal(in.signature, out.signature));
	EXPECT_TRUE(bytes_equal(in.key, out.key));
	for (size_t n = 0; n < p.n; n++)
		EXPECT_EQ(-EBADMSG, signed_statement_parse(BYTES(buf, n), &out));
}
