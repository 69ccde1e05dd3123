// SPDX-License-Identifier: LGPL-2.1-or-later
#include "libserver/json/object.h"
#include "tests/harness.h"

#define HEAD "{\"format\":\"f\",\"version\":1"

static struct json_in begin(const char *text)
{
	return json_in_begin(BYTES(text, strlen(text)), "f", "thing", NULL);
}

static int only_head(const char *text)
{
	struct json_in in = begin(text);

	return json_in_end(&in);
}

TEST(the_frame_is_strict)
{
	static const char *const bad[] = {
		"", "x", "[]", "1", "null", "{}", "{\"format\":\"f\"}", "{\"version\":1}",
		"{\"format\":\"g\",\"version\":1}", "{\"format\":\"f\",\"version\":2}",
		"{\"format\":\"f\",\"version\":1.0}", "{\"format\":\"f\",\"version\":\"1\"}",
		HEAD ",\"version\":1}", HEAD ",\"more\":1}", HEAD "} x", HEAD, HEAD "}{}",
		"{\"format\":\"f\\u0000\",\"version\":1}", "{\"format\":\"\xff\",\"version\":1}",
	};

	EXPECT_EQ(0, only_head(HEAD "}"));
	EXPECT_EQ(0, only_head(" " HEAD " }\n"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (only_head(bad[i]) != -EBADMSG)
			TEST_FAIL("row %zu is taken: %s", i, bad[i]);
}

TEST(what_is_longer_than_a_mebibyte_is_not_even_parsed)
{
	char *text = malloc(JSON_TEXT_MAX + 1);

	memset(text, ' ', JSON_TEXT_MAX + 1);
	memcpy(text, HEAD "}", strlen(HEAD "}"));
	{
		struct json_in in = json_in_begin(BYTES(text, JSON_TEXT_MAX), "f", "t", NULL);

		EXPECT_EQ(0, json_in_end(&in));
		in = json_in_begin(BYTES(text, JSON_TEXT_MAX + 1), "f", "t", NULL);
		EXPECT_EQ(-EBADMSG, json_in_end(&in));
	}
	free(text);
}

TEST(a_bad_member_sticks_and_yields_nothing)
{
	struct json_in in = begin(HEAD ",\"a\":\"x\",\"b\":3,\"c\":\"Zg\"}");
	uint8_t byte = 9;

	EXPECT_EQ(0, json_in_number(&in, "a", 10));
	EXPECT_EQ(0, json_in_number(&in, "b", 10));
	json_in_copy(&in, "c", &byte, 1);
	EXPECT_EQ(0, byte);
	EXPECT_EQ(-EBADMSG, json_in_end(&in));
}

TEST(copies_have_one_length)
{
	static const struct { size_t n; int r; } rows[] = { { 2, -EBADMSG }, { 3, 0 }, { 4, -EBADMSG } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct json_in in = begin(HEAD ",\"c\":\"Zm9v\"}");
		uint8_t out[4] = { 9, 9, 9, 9 };

		json_in_copy(&in, "c", out, rows[i].n);
		EXPECT_EQ(rows[i].r, json_in_end(&in));
		EXPECT_EQ(rows[i].r < 0 ? 0 : 'f', out[0]);
	}
}

TEST(numbers_have_a_range)
{
	struct json_in in = begin(HEAD ",\"a\":255,\"b\":256}");

	EXPECT_EQ(255, json_in_number(&in, "a", 255));
	EXPECT_EQ(0, json_in_number(&in, "b", 255));
	EXPECT_EQ(-EBADMSG, json_in_end(&in));
	in = begin(HEAD ",\"a\":-1}");
	EXPECT_EQ(0, json_in_number(&in, "a", 255));
	EXPECT_EQ(-EBADMSG, json_in_end(&in));
}

TEST(nested_objects_are_as_strict)
{
	struct json_in in = begin(HEAD ",\"o\":{\"x\":true,\"y\":1}}");
	struct json_in o = json_in_object(&in, "o");

	EXPECT_TRUE(json_in_bool(&o, "x"));
	json_in_leave(&in, &o);
	EXPECT_EQ(-EBADMSG, json_in_end(&in));

	in = begin(HEAD ",\"a\":[1]}");
	o = json_in_enter(&in, json_in_array(&in, "a", 1, 2), 0);
	json_in_leave(&in, &o);
	EXPECT_EQ(-EBADMSG, json_in_end(&in));
	in = begin(HEAD ",\"a\":[]}");
	EXPECT_NULL(json_in_array(&in, "a", 1, 2));
	EXPECT_EQ(-EBADMSG, json_in_end(&in));
}

TEST(digests_are_lower_case_or_null_where_that_is_allowed)
{
	char text[256];
	uint8_t digest[KF_DIGEST_SIZE];
	struct json_in in;
	bool present = true;

	(void)snprintf(text, sizeof(text), HEAD ",\"d\":\"%064d\"}", 0);
	in = begin(text);
	json_in_digest_or_null(&in, "d", digest, &present);
	EXPECT_TRUE(present);
	EXPECT_EQ(0, json_in_end(&in));
	text[strlen(HEAD) + 8] = 'A';
	in = begin(text);
	json_in_digest(&in, "d", digest);
	EXPECT_EQ(-EBADMSG, json_in_end(&in));
	in = begin(HEAD ",\"d\":null}");
	json_in_digest_or_null(&in, "d", digest, &present);
	EXPECT_FALSE(present);
	EXPECT_EQ(0, json_in_end(&in));
	in = begin(HEAD "}");
	json_in_digest_or_null(&in, "d", digest, &present);
	EXPECT_EQ(-EBADMSG, json_in_end(&in));
}

TEST(blobs_are_bounded)
{
	struct json_in in = begin(HEAD ",\"a\":\"Zm9v\",\"b\":\"\"}");
	struct blob b = BLOB_INIT;

	json_in_blob(&in, "a", 3, &b);
	EXPECT_BYTES_EQ(BYTES("foo", 3), blob_bytes(&b));
	json_in_blob(&in, "b", 3, &b);
	EXPECT_EQ(-EBADMSG, json_in_end(&in));
	in = begin(HEAD ",\"a\":\"Zm9v\"}");
	json_in_blob(&in, "a", 2, &b);
	EXPECT_EQ(-EBADMSG, json_in_end(&in));
	blob_deinit(&b);
}

TEST(the_error_says_which_member_and_cleans_what_it_quotes)
{
	struct kf_error e;
	struct json_in in = json_in_begin(BYTES(HEAD "}", strlen(HEAD "}")), "f", "thing", &e);

	(void)json_in_text(&in, "wanted");
	EXPECT_EQ(-EBADMSG, json_in_end(&in));
	EXPECT_STREQ("the thing's \"wanted\" is missing", e.why);
	EXPECT_STREQ("docs/formats.md 8", e.rule);
}

TEST(writing_without_memory_for_one_member_fails_as_a_whole)
{
	json_t *object = json_out_begin("f");
	char *text = NULL;
	size_t len;

	json_out(&object, "a", NULL);
	json_out(&object, "b", json_integer(1));
	EXPECT_NULL(object);
	EXPECT_EQ(-ENOMEM, json_out_end(object, &text, &len, NULL));
}
