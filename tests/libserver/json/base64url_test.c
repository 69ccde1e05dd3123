// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libserver/json/base64url.h"
#include "tests/harness.h"

static int decode(const char *text, struct packer *out)
{
	return base64url_decode(BYTES(text, strlen(text)), out);
}

TEST(the_vectors_of_rfc_4648_go_both_ways)
{
	static const char *const rows[][2] = {
		{ "", "" },	       { "f", "Zg" },	      { "fo", "Zm8" },
		{ "foo", "Zm9v" },     { "foob", "Zm9vYg" },  { "fooba", "Zm9vYmE" },
		{ "foobar", "Zm9vYmFy" }, { "\xfb\xff", "-_8" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes plain = BYTES(rows[i][0], strlen(rows[i][0]));
		char text[16];
		uint8_t back[16];
		struct packer p = pack_begin(back, sizeof(back));

		base64url_encode(plain, text);
		EXPECT_STREQ(rows[i][1], text);
		EXPECT_EQ(strlen(text), base64url_size(plain.n));
		EXPECT_EQ(0, decode(text, &p));
		EXPECT_BYTES_EQ(plain, pack_done(&p));
	}
}

TEST(there_is_one_form_only)
{
	static const char *const rows[] = {
		"Zg==", "Zh", "Zm9", "Z", "Zm9v\n", " Zm9v", "Zm+v", "Zm/v", "Zm9vY", "Zm9v=",
		"A", "Zm9vA", "Zm\n9v",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t back[16];
		struct packer p = pack_begin(back, sizeof(back));

		if (decode(rows[i], &p) != -EBADMSG)
			TEST_FAIL("\"%s\" is taken", rows[i]);
	}
}

TEST(what_does_not_fit_is_said)
{
	uint8_t back[2];
	struct packer p = pack_begin(back, sizeof(back));

	EXPECT_EQ(-EMSGSIZE, decode("Zm9v", &p));
}
