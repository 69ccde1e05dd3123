/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/kid.h"
#include "tests/harness.h"

#define TEXT(s) BYTES(s, sizeof(s) - 1)
#define VERSION "051928341be67dcba03f0e04104d9047"
#define NAME "https://card.vault.localhost:8443/keys/kek2048/" VERSION

TEST(an_identifier_is_compared_without_regard_to_case)
{
	EXPECT_TRUE(kid_equal(TEXT(NAME), TEXT("HTTPS://CARD.Vault.localhost:8443/KEYS/kek2048/"
					       "051928341BE67DCBA03F0E04104D9047")));
	EXPECT_FALSE(kid_equal(TEXT("kek1"), TEXT("kek2")));
	EXPECT_FALSE(kid_equal(TEXT("kek"), TEXT("kek1")));
	/* what is a letter apart in ASCII is another sign, not another case */
	EXPECT_FALSE(kid_equal(TEXT("a@b"), TEXT("a`b")));
	EXPECT_FALSE(kid_equal(TEXT("[x"), TEXT("{x")));
}

TEST(an_identifier_without_version_fits_as_such)
{
	EXPECT_EQ(KID_SAME, kid_fits(TEXT(NAME), TEXT(NAME)));
	EXPECT_EQ(KID_NO_VERSION, kid_fits(TEXT("https://card.vault.LOCALHOST:8443/keys/kek2048"),
					   TEXT(NAME)));
	EXPECT_EQ(KID_SAME, kid_fits(TEXT("Signing-2026"), TEXT("signing-2026")));
}

TEST(what_calls_another_key_fits_none)
{
	static const char *const others[] = {
		"", "https://card.vault.localhost:8443/keys/kek2048/", "../../keys/kek2048",
		"http://card.vault.localhost:8443/keys/kek2048/" VERSION,
		"https://other.vault.localhost:8443/keys/kek2048/" VERSION,
		"https://card.vault.localhost:8443/keys/kek2048/" VERSION "?x=1",
		"https://card.vault.localhost:8443/keys/kek204",
		"https://card.vault.localhost:8443/keys/kek2048/051928341be67dcba03f0e04104d904",
		"https://card.vault.localhost:8443/keys/kek2048/00000000000000000000000000000000",
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct bytes other = BYTES(others[i], strlen(others[i]));

		if (kid_fits(other, TEXT(NAME)) != KID_OTHER)
			TEST_FAIL("'%s' fits", others[i]);
	}
	/* 32 characters that are no version */
	EXPECT_EQ(KID_OTHER, kid_fits(TEXT("a"), TEXT("a/g51928341be67dcba03f0e04104d9047")));
}

TEST(a_name_has_1_to_255_characters_of_an_url)
{
	char longest[KF_KID_MAX + 1];

	memset(longest, 'x', sizeof(longest));
	EXPECT_TRUE(kid_is_valid(BYTES(longest, KF_KID_MAX)));
	EXPECT_FALSE(kid_is_valid(BYTES(longest, KF_KID_MAX + 1)));
	EXPECT_FALSE(kid_is_valid(BYTES_NONE));
	EXPECT_TRUE(kid_is_valid(TEXT(NAME)));
	EXPECT_FALSE(kid_is_valid(TEXT("two words")));
	EXPECT_FALSE(kid_is_valid(TEXT("name=x")));
	EXPECT_FALSE(kid_is_valid(TEXT("nul\0")));
	EXPECT_FALSE(kid_is_valid(TEXT("\xc3\xa4")));
	EXPECT_FALSE(kid_is_valid(TEXT("line\n")));
}
