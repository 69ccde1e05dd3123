/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/schsm/prkd.h"
#include "tests/harness.h"

static const struct prkd mail = {
	.kind = PRKD_RSA, .usage = PRKD_SIGN | PRKD_DERIVE, .bits = 2048, .local = true, .label = "mail",
	.id = { 0x45, 0x46 }, .id_len = 2,
};

/* [PKCS#15 6.3], written out by hand. */
static const uint8_t mail_der[] = {
	0x30, 0x23, 0x30, 0x06, 0x0c, 0x04, 'm', 'a', 'i', 'l', 0x30, 0x0d, 0x04, 0x02, 0x45, 0x46, 0x03, 0x03,
	0x07, 0x20, 0x80, 0x03, 0x02, 0x03, 0xb8, 0xa1, 0x0a, 0x30, 0x08, 0x30, 0x02, 0x04, 0x00, 0x02, 0x02,
	0x08, 0x00,
};

static bool equal(const struct prkd *a, const struct prkd *b)
{
	return a->kind == b->kind && a->usage == b->usage && a->bits == b->bits && a->local == b->local &&
	       strcmp(a->label, b->label) == 0 && a->id_len == b->id_len && memcmp(a->id, b->id, a->id_len) == 0;
}

TEST(what_is_written_is_what_stands_in_the_standard)
{
	uint8_t buf[PRKD_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct prkd read;

	ASSERT_EQ(0, prkd_pack(&mail, &p));
	EXPECT_BYTES_EQ(BYTES_OF(mail_der), pack_done(&p));
	ASSERT_EQ(0, prkd_parse(pack_done(&p), &read));
	EXPECT_TRUE(equal(&mail, &read));
}

/* Two keys that are called alike differ by it, and nobody who reads a description minds. */
TEST(a_mark_stands_behind_what_the_standard_has)
{
	static const uint8_t der[] = {
		0xa8, 0x2c, 0x30, 0x03, 0x0c, 0x01, 'k', 0x30, 0x19, 0x04, 0x01, 0x05, 0x03, 0x02, 0x01, 0xe2,
		0x03, 0x02, 0x07, 0x80, 0xc1, 0x0c, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 9, 8,
		0xa1, 0x0a, 0x30, 0x08, 0x30, 0x02, 0x04, 0x00, 0x02, 0x02, 0x01, 0x00,
	};
	struct prkd key = prkd_of(KF_KEY_AES_256, KF_PURPOSE_CIPHER, "k", 5), read;
	uint8_t buf[PRKD_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));

	key.marked = true;
	memcpy(key.mark, der + 22, sizeof(key.mark));
	ASSERT_EQ(0, prkd_pack(&key, &p));
	EXPECT_BYTES_EQ(BYTES_OF(der), pack_done(&p));
	ASSERT_EQ(0, prkd_parse(pack_done(&p), &read));
	EXPECT_TRUE(equal(&key, &read));
}

TEST(usage_is_what_its_purposes_take)
{
	static const struct { enum kf_key_type type; uint32_t purposes; uint16_t usage; } rows[] = {
		{ KF_KEY_RSA_2048, 1u << KF_PURPOSE_SIGN, PRKD_SIGN },
		{ KF_KEY_RSA_2048, 1u << KF_PURPOSE_DECRYPT, PRKD_DECRYPT | PRKD_UNWRAP },
		{ KF_KEY_EC_P256, 1u << KF_PURPOSE_SIGN | 1u << KF_PURPOSE_DERIVE, PRKD_SIGN | PRKD_DERIVE },
		{ KF_KEY_AES_128, 1u << KF_PURPOSE_CIPHER, PRKD_ENCRYPT | PRKD_DECRYPT | PRKD_SIGN | PRKD_VERIFY },
		{ KF_KEY_OTHER, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		EXPECT_EQ(rows[i].usage, prkd_usage(rows[i].type, rows[i].purposes));
}

TEST(each_kind_comes_back_at_its_largest)
{
	static const uint8_t kinds[] = { PRKD_RSA, PRKD_EC, PRKD_AES };

	for (size_t i = 0; i < 3; i++) {
		struct prkd prkd = { .kind = kinds[i], .usage = 0xffff, .bits = 521, .id_len = KF_KEY_ID_MAX,
				     .marked = true }, read;
		uint8_t buf[PRKD_MAX];
		struct packer p = pack_begin(buf, sizeof(buf));

		memset(prkd.label, 'x', KF_KEY_LABEL_MAX);
		memset(prkd.id, 0xee, sizeof(prkd.id));
		ASSERT_EQ(0, prkd_pack(&prkd, &p));
		ASSERT_EQ(0, prkd_parse(pack_done(&p), &read));
		EXPECT_TRUE(equal(&prkd, &read));
	}
}

/* Flags, an authentication id, a key reference, subclass attributes: there, and passed over. */
TEST(what_others_write_besides_is_passed_over)
{
	static const uint8_t foreign[] = {
		0xa0, 0x30, 0x30, 0x0f, 0x0c, 0x04, 'm', 'a', 'i', 'l', 0x03, 0x02, 0x06, 0xc0, 0x04, 0x03, 0x01, 0x01, 0x01,
		0x30, 0x0f, 0x04, 0x02, 0x45, 0x46, 0x03, 0x03, 0x07, 0x20, 0x80, 0x01, 0x01, 0xff, 0x02, 0x01, 0x05,
		0xa0, 0x02, 0x30, 0x00, 0xa1, 0x08, 0x30, 0x06, 0x30, 0x04, 0x04, 0x02, 0x3f, 0x00,
	};
	struct prkd read;

	ASSERT_EQ(0, prkd_parse(BYTES_OF(foreign), &read));
	EXPECT_EQ(PRKD_EC, read.kind);
	EXPECT_STREQ("mail", read.label);
	EXPECT_EQ(2, read.id_len);
	EXPECT_EQ(PRKD_SIGN | PRKD_DERIVE, read.usage);
	EXPECT_EQ(0u, read.bits);
	EXPECT_FALSE(read.local);
}

TEST(a_label_cannot_paint_a_terminal_and_what_is_too_long_is_cut)
{
	uint8_t buf[300];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct prkd read;

	memset(buf, 0x1b, sizeof(buf));
	p.n = 0;
	pack_be(&p, 0x307c3050, 4);
	pack_be16(&p, 0x0c4e);
	p.n += 0x4e;
	pack_be16(&p, 0x3028);
	pack_be16(&p, 0x0426);
	p.n += 0x26;
	ASSERT_EQ(0, prkd_parse(pack_done(&p), &read));
	EXPECT_EQ((size_t)KF_KEY_LABEL_MAX, strlen(read.label));
	EXPECT_EQ('?', read.label[0]);
	EXPECT_EQ(KF_KEY_ID_MAX, read.id_len);
}

TEST(every_truncation_is_refused_and_no_change_breaks_the_reader)
{
	uint8_t copy[sizeof(mail_der)];
	struct prkd read;

	for (size_t n = 0; n < sizeof(mail_der); n++)
		EXPECT_EQ(-EBADMSG, prkd_parse(BYTES(mail_der, n), &read));
	for (size_t i = 0; i < sizeof(mail_der); i++) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			memcpy(copy, mail_der, sizeof(copy));
			copy[i] ^= (uint8_t)(1u << bit);
			if (prkd_parse(BYTES_OF(copy), &read) == 0) {
				EXPECT_LE(read.id_len, KF_KEY_ID_MAX);
				EXPECT_LE(strlen(read.label), (size_t)KF_KEY_LABEL_MAX);
			}
		}
	}
}
