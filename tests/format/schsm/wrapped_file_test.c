/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/schsm/prkd.h"
#include "format/schsm/wrapped_file.h"
#include "tests/format/mutate.h"
#include "tests/format/schsm/hex.h"

static const uint8_t prkd[] = { 0xa0, 0x02, 0x30, 0x00 }, cvc[] = { 0x7f, 0x21, 0x01, 0x05 },
		     voucher[] = { 0x67, 0x01, 0x05 }, x509[] = { 0x30, 0x01, 0x05 };

static int again(struct bytes der, struct packer *p)
{
	struct wrapped_file file;
	int r = wrapped_file_parse(der, &file);

	return r < 0 ? r : wrapped_file_pack(&file, p);
}

TEST(what_lies_beside_a_key_may_be_any_of_three_or_nothing)
{
	const struct bytes certs[] = { BYTES_OF(cvc), BYTES_OF(voucher), BYTES_OF(x509), BYTES_NONE };
	uint8_t buf[64];

	for (size_t i = 0; i < 4; i++) {
		const struct wrapped_file file = { BYTES("blob", 4), BYTES_OF(prkd), certs[i] };
		struct packer p = pack_begin(buf, sizeof(buf));
		struct wrapped_file got;

		ASSERT_EQ(0, wrapped_file_pack(&file, &p));
		ASSERT_EQ(0, wrapped_file_parse(pack_done(&p), &got));
		EXPECT_BYTES_EQ(file.blob, got.blob);
		EXPECT_BYTES_EQ(file.prkd, got.prkd);
		EXPECT_BYTES_EQ(file.cert, got.cert);
		expect_strict(pack_done(&p), again);
	}
}

TEST(what_is_no_such_file_is_refused)
{
	static const char *const rows[] = {
		"", "3000", "30020400", "30030401AA00", "3004A0020401", "300A0401AA300030003000",
		"30080401AA02017F3000", "30060401AA31013F",
	};
	uint8_t buf[32];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct wrapped_file file;

		if (wrapped_file_parse(unhex(rows[i], buf, sizeof(buf)), &file) != -EBADMSG)
			TEST_FAIL("%s was taken", rows[i]);
	}
}

/* [PKCS#15 6.3, 6.5], octet by octet */
TEST(descriptions_are_as_programs_read_them)
{
	static const struct {
		enum kf_key_type type;
		enum kf_purpose purpose;
		uint8_t id;
		const char *der;
	} rows[] = {
		{ KF_KEY_RSA_2048, KF_PURPOSE_SIGN, 5,
		  "301E30030C016B300B0401050302052003020780A10A30083002040002020800" },
		{ KF_KEY_EC_P256, KF_PURPOSE_DERIVE, 6,
		  "A01F30030C016B300C040106030307008003020780A10A30083002040002020100" },
		{ KF_KEY_AES_256, KF_PURPOSE_CIPHER, 7,
		  "A81E30030C016B300B040107030201E203020780A10A30083002040002020100" },
	};
	uint8_t buf[256];

	for (size_t i = 0; i < 3; i++) {
		struct packer p = pack_begin(buf, sizeof(buf));

		const struct prkd key = prkd_of(rows[i].type, rows[i].purpose, "k", rows[i].id);

		ASSERT_EQ(0, prkd_pack(&key, &p));
		EXPECT_HEX(rows[i].der, pack_done(&p));
		EXPECT_BYTES_EQ(BYTES("k", 1), wrapped_prkd_label(pack_done(&p)));
	}
}

TEST(a_label_that_nobody_could_show_is_none)
{
	static const char *const rows[] = { "", "A000", "3004300202017F", "300730050C03610A62", "300730050C0361C362", "300630040C03" };
	uint8_t buf[32];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		EXPECT_EQ(0u, wrapped_prkd_label(unhex(rows[i], buf, sizeof(buf))).n);
	EXPECT_BYTES_EQ(BYTES("ab", 2), wrapped_prkd_label(unhex("A80630040C026162", buf, sizeof(buf))));
}
