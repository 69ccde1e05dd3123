// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libserver/json/key_url.h"
#include "tests/harness.h"

#include <stdio.h>

#define VERSION "051928341be67dcba03f0e04104d9047"

TEST(whole_identifiers_are_good)
{
	static const char *const good[] = {
		"https://card.vault.localhost:8443/keys/kek2048/" VERSION,
		"HTTPS://CARD.VAULT.LOCALHOST:8443/KEYS/KEK2048/051928341BE67DCBA03F0E04104D9047",
		"https://v/keys/k", "https://v:1/keys/A-9/" VERSION,
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (key_url_fault(good[i]))
			TEST_FAIL("%s %s", good[i], key_url_fault(good[i]));
}

TEST(byok_21_anything_else_is_told_apart)
{
	static const char *const rows[][2] = {
		{ "", "https" }, { "../../keys/kek2048", "https" },
		{ "http://v/keys/k/" VERSION, "https" }, { " https://v/keys/k", "https" },
		{ "kek2048", "https" }, { "https:/v/keys/k", "https" },
		{ "https:///keys/k", "host" }, { "https://.v/keys/k", "host" },
		{ "https://user@v/keys/k", "/keys/" }, { "https://[::1]/keys/k", "host" },
		{ "https://v:/keys/k", "port" }, { "https://v:123456/keys/k", "port" },
		{ "https://v:8a/keys/k", "/keys/" }, { "https://v/secrets/k", "/keys/" },
		{ "https://v/keys", "/keys/" }, { "https://v/keys/", "name" },
		{ "https://v/keys/../k", "name" }, { "https://v/keys/a_b", "goes on" },
		{ "https://v/keys/k/", "version" }, { "https://v/keys/k/12", "version" },
		{ "https://v/keys/k/" VERSION "0", "version" },
		{ "https://v/keys/k/" VERSION "?api-version=7.4", "goes on" },
		{ "https://v/keys/k/" VERSION "/", "goes on" },
		{ "https://v/keys/k?x", "goes on" }, { "https://v/keys/k#x", "goes on" },
		{ "https://v/keys/k%2f", "goes on" }, { "https://v/keys/k\n", "goes on" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *fault = key_url_fault(rows[i][0]);

		if (!fault || !strstr(fault, rows[i][1]))
			TEST_FAIL("\"%s\": %s", rows[i][0], fault ? fault : "is taken");
	}
}

TEST(each_part_has_a_longest)
{
	char kid[KEY_URL_MAX + 64];

	(void)snprintf(kid, sizeof(kid), "https://v/keys/%0127d", 0);
	EXPECT_NULL(key_url_fault(kid));
	(void)snprintf(kid, sizeof(kid), "https://v/keys/%0128d", 0);
	EXPECT_NOT_NULL(key_url_fault(kid));
	(void)snprintf(kid, sizeof(kid), "https://%0240d/keys/k", 0);
	EXPECT_NULL(key_url_fault(kid));
	(void)snprintf(kid, sizeof(kid), "https://%0241d/keys/k", 0);
	EXPECT_STREQ("is longer than 255 characters", key_url_fault(kid));
	(void)snprintf(kid, sizeof(kid), "https://v/keys/%0241d", 0);
	EXPECT_STREQ("is longer than 255 characters", key_url_fault(kid));
}
