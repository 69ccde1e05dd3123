/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/kek_statement.h"
#include "tests/format/mutate.h"
#include "tests/harness.h"

static struct kek_statement sample(void)
{
	struct kek_statement s = {
		.level = KF_LEVEL_VIRTUAL,
		.serial = "KF-0001",
		.kek_type = KF_KEY_RSA_4096,
		.origin = KF_ORIGIN_GENERATED,
		.container = 3,
		.name = "https://card.vault.localhost/keys/kek/051928341be67dcba03f0e04104d9047",
		.hash = KF_HASH_SHA1,
		.key_types = { 3, { KF_KEY_RSA_2048, KF_KEY_EC_P256, KF_KEY_AES_256 } },
		.purposes = { 3, { KF_PURPOSE_SIGN, KF_PURPOSE_DECRYPT, KF_PURPOSE_CIPHER } },
	};

	memset(s.device, 0x11, sizeof(s.device));
	memset(s.kek, 0x33, sizeof(s.kek));
	return s;
}

static int reencode(struct bytes der, struct packer *again)
{
	struct kek_statement s;
	int r = kek_statement_parse(der, &s);

	if (r == 0)
		kek_statement_pack(again, &s);
	return r;
}

static int parse(const struct kek_statement *s)
{
	struct kek_statement again;
	uint8_t buf[KEK_STATEMENT_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	kek_statement_pack(&p, s);
	ASSERT_EQ(0, pack_end(&p));
	return kek_statement_parse(pack_done(&p), &again);
}

TEST(a_kek_statement_comes_back_as_it_went)
{
	struct kek_statement s = sample(), again;
	uint8_t buf[KEK_STATEMENT_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	kek_statement_pack(&p, &s);
	ASSERT_EQ(0, kek_statement_parse(pack_done(&p), &again));
	EXPECT_STREQ(s.serial, again.serial);
	EXPECT_STREQ(s.name, again.name);
	EXPECT_EQ(KF_KEY_RSA_4096, again.kek_type);
	EXPECT_EQ(KF_HASH_SHA1, again.hash);
	EXPECT_EQ(3u, again.container);
	EXPECT_TRUE(bytes_equal(BYTES_OF(s.kek), BYTES_OF(again.kek)));
	EXPECT_TRUE(number_list_has(&again.key_types, KF_KEY_AES_256));
	EXPECT_FALSE(number_list_has(&again.purposes, KF_PURPOSE_DERIVE));
}

TEST_TIMEOUT(a_kek_statement_has_one_form, 30)
{
	struct kek_statement s = sample();
	uint8_t buf[KEK_STATEMENT_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	kek_statement_pack(&p, &s);
	expect_strict(pack_done(&p), reencode);
}

TEST(the_longest_kek_statement_fits)
{
	struct kek_statement s = sample();

	memset(s.serial, 'x', KF_SERIAL_MAX);
	memset(s.name, 'n', KF_KID_MAX);
	s.key_types = (struct number_list){ 10, { 1, 2, 3, 4, 5, 6, 8, 9, 10, 13 } };
	s.purposes = (struct number_list){ 4, { 6, 7, 8, 9 } };
	EXPECT_EQ(0, parse(&s));
}

static void spoil(struct kek_statement *s, int what)
{
	switch (what) {
	case 0: s->level = KF_LEVEL_UNKNOWN; break;
	case 1: s->origin = KF_ORIGIN_INJECTED; break;
	case 2: s->kek_type = KF_KEY_EC_P256; break;
	case 3: s->kek_type = KF_KEY_AES_256; break;
	case 4: s->hash = KF_HASH_NONE; break;
	case 5: s->hash = (enum kf_hash)5; break;
	case 6: s->name[0] = '\0'; break;
	case 7: s->name[0] = ' '; break;
	case 8: s->key_types.n = 0; break;
	case 9: s->purposes.n = 0; break;
	case 10: s->key_types.v[1] = s->key_types.v[0]; break;		/* twice */
	case 11: s->key_types = (struct number_list){ 2, { KF_KEY_EC_P256, KF_KEY_RSA_2048 } }; break;
	case 12: s->key_types.v[2] = KF_KEY_3DES_112; break;
	case 13: s->purposes.v[0] = KF_PURPOSE_KEK; break;
	case 14: s->purposes.n = 2; break;				/* nothing for AES */
	case 15: s->purposes = (struct number_list){ 4, { 6, 7, 8, 9 } };
		 s->key_types = (struct number_list){ 2, { KF_KEY_RSA_2048, KF_KEY_AES_128 } };
		 break;							/* nobody derives */
	case 16: s->container = 16; break;
	case 17: s->serial[0] = '_'; break;
	case 18: s->key_types.v[2] = KF_KEY_X25519; break;
	}
}

TEST(what_no_kek_can_be_is_no_statement)
{
	for (int what = 0; what <= 18; what++) {
		struct kek_statement s = sample();

		ASSERT_EQ(0, parse(&s));
		spoil(&s, what);
		if (parse(&s) != -EBADMSG)
			TEST_FAIL("spoilt in way %d, it passes", what);
	}
}

/* A statement of another kind, by the same key, must never pass for this one. */
TEST(contexts_keep_statements_apart)
{
	struct kek_statement s = sample();
	struct statement offer;
	uint8_t buf[KEK_STATEMENT_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	kek_statement_pack(&p, &s);
	EXPECT_EQ(-EBADMSG, statement_parse(pack_done(&p), &offer));
	EXPECT_NE(0, strcmp(STATEMENT_CONTEXT, KEK_STATEMENT_CONTEXT));
}

TEST(a_signed_kek_statement_keeps_its_parts_apart)
{
	struct kek_statement s = sample();
	uint8_t inner_buf[KEK_STATEMENT_MAX], buf[KEK_STATEMENT_MAX + 128];
	struct packer inner = pack_begin(inner_buf, sizeof(inner_buf));
	struct packer p = pack_begin(buf, sizeof(buf));
	static const uint8_t key[] = { 0x30, 0x03, 0x02, 0x01, 0x05 };
	struct signed_statement in, out;

	kek_statement_pack(&inner, &s);
	in = (struct signed_statement){ pack_done(&inner), BYTES("sig", 3), BYTES_OF(key) };
	signed_statement_pack(&p, &in);
	ASSERT_EQ(0, signed_statement_parse(pack_done(&p), &out));
	EXPECT_TRUE(bytes_equal(in.statement, out.statement));
	EXPECT_TRUE(bytes_equal(in.signature, out.signature));
	EXPECT_TRUE(bytes_equal(in.key, out.key));
	for (size_t n = 0; n < p.n; n++)
		EXPECT_EQ(-EBADMSG, signed_statement_parse(BYTES(buf, n), &out));
}
