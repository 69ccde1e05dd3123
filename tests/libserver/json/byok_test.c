// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/json/byok_test.c - The .byok file: numbers in names are those of the list of test
 * cases for the transfer of keys by BYOK, docs/byok.md 8.
 */
#include "libserver/json/byok.h"
#include "libserver/json/base64url.h"
#include "tests/harness.h"

#include <jansson.h>

#define KID "https://card.vault.localhost:8443/keys/kek2048/051928341be67dcba03f0e04104d9047"
#define HEADER "{\"kid\":\"" KID "\",\"alg\":\"dir\",\"enc\":\"CKM_RSA_AES_KEY_WRAP\"}"

enum { BLOB_SIZE = 408, ROOM = 1 << 14 };

/* 408 bytes as base64url: 544 characters, "-" and "_" among them. */
static const char *ciphertext(void)
{
	static char text[1024];
	uint8_t blob[BLOB_SIZE];

	for (size_t i = 0; i < sizeof(blob); i++)
		blob[i] = (uint8_t)(255 - i * 7);
	base64url_encode(BYTES_OF(blob), text);
	return text;
}

static const char *file_with(const char *schema, const char *header, const char *value,
			     const char *more)
{
	static char text[ROOM];

	ASSERT_LT(snprintf(text, sizeof(text),
			   "{\"schema_version\":%s,\"header\":%s,\"ciphertext\":%s%s}", schema,
			   header, value, more), ROOM);
	return text;
}

static const char *quoted(const char *value)
{
	static char text[ROOM];

	(void)snprintf(text, sizeof(text), "\"%s\"", value);
	return text;
}

static const char *good_text(void)
{
	return file_with("\"1.0.0\"", HEADER, quoted(ciphertext()), ",\"generator\":\"a tool\"");
}

static int parse_bytes(struct bytes text, struct kf_error *e)
{
	struct byok_file file = BYOK_FILE_INIT;
	int r;

	*e = (struct kf_error)KF_ERROR_INIT;
	r = byok_file_parse(text, false, &file, e);
	byok_file_deinit(&file);
	return r;
}

static void expect_good(const char *text)
{
	struct kf_error e;

	if (parse_bytes(BYTES(text, strlen(text)), &e) != 0)
		TEST_FAIL("%.200s: %s", text, e.why);
}

static void expect_bytes_refused(struct bytes text, const char *word)
{
	struct kf_error e;

	if (parse_bytes(text, &e) != -EBADMSG)
		TEST_FAIL("taken: %.200s", (const char *)text.p);
	if (!strstr(e.why, word))
		TEST_FAIL("no \"%s\" in: %s", word, e.why);
	EXPECT_STREQ("cannot read the .byok file", e.what);
	EXPECT_STREQ("docs/byok.md 2", e.rule);
	EXPECT_NE(0, strlen(e.next));
}

static void expect_refused(const char *text, const char *word)
{
	expect_bytes_refused(BYTES(text, strlen(text)), word);
}

static void expect_header_refused(const char *header, const char *word)
{
	expect_refused(file_with("\"1.0.0\"", header, quoted(ciphertext()), ""), word);
}

static void expect_ciphertext_refused(const char *value, const char *word)
{
	expect_refused(file_with("\"1.0.0\"", HEADER, value, ""), word);
}

/* --- good ones --- */

TEST(a_file_gives_what_it_holds)
{
	const char *text = good_text();
	struct byok_file file = BYOK_FILE_INIT;

	ASSERT_EQ(0, byok_file_parse(BYTES(text, strlen(text)), false, &file, NULL));
	EXPECT_STREQ(KID, file.kid);
	EXPECT_EQ(KF_HASH_SHA1, file.hash);
	EXPECT_EQ(BLOB_SIZE, file.ciphertext.n);
	EXPECT_EQ(255, file.ciphertext.p[0]);
	EXPECT_EQ((255 - 407 * 7) & 255, file.ciphertext.p[407]);
	EXPECT_STREQ("a tool", file.generator);
	EXPECT_EQ(0, file.ignored);
	byok_file_deinit(&file);
}

TEST(what_is_written_reads_the_same)
{
	uint8_t blob[BYOK_CIPHERTEXT_MAX];
	struct byok_file file = BYOK_FILE_INIT, again = BYOK_FILE_INIT;
	char generator[] = "Z\xc3\xbcrich \xe9\x8d\xb5 \xf0\x9f\x94\x91";
	char *text = NULL;
	size_t len = 0;

	for (int hash = KF_HASH_SHA1; hash <= KF_HASH_SHA384; hash++) {
		memset(blob, hash, sizeof(blob));
		(void)snprintf(file.kid, sizeof(file.kid), KID);
		file.hash = (enum kf_hash)hash;
		file.generator = hash == KF_HASH_SHA1 ? generator : NULL;
		ASSERT_EQ(0, blob_set(&file.ciphertext,
				      BYTES(blob, hash == KF_HASH_SHA1 ? sizeof(blob) : 272)));
		ASSERT_EQ(0, byok_file_write(&file, &text, &len, NULL));
		EXPECT_EQ(0, byok_file_parse(BYTES(text, len), true, &again, NULL));
		EXPECT_EQ(file.hash, again.hash);
		EXPECT_STREQ(KID, again.kid);
		EXPECT_BYTES_EQ(blob_bytes(&file.ciphertext), blob_bytes(&again.ciphertext));
		EXPECT_EQ(!file.generator, !again.generator);
		if (file.generator)
			EXPECT_STREQ(generator, again.generator);
		byok_file_deinit(&again);
		free(text);
	}
	file.hash = KF_HASH_SHA512;
	EXPECT_EQ(-EINVAL, byok_file_write(&file, &text, &len, NULL));
	blob_deinit(&file.ciphertext);
}

TEST(byok_7_how_it_is_set_does_not_matter)
{
	char text[ROOM];

	(void)snprintf(text, sizeof(text), "\r\n{\r\n\t\"generator\" : \"Z\xc3\xbcrich\",\r\n"
		       "\t\"ciphertext\" : \"%s\",\r\n\t\"header\" : { \"enc\" : "
		       "\"CKM_RSA_AES_KEY_WRAP\", \"alg\" : \"\\u0064ir\", \"kid\" : \"%s\" },\r\n"
		       "\t\"schema_version\" : \"1.0.0\"\r\n}\r\n", ciphertext(), KID);
	expect_good(text);
	expect_good(good_text());
}

/* --- the text --- */

TEST(byok_11_what_is_not_one_json_object_is_refused)
{
	static const struct { const char *text, *word; } rows[] = {
		{ "", "empty" }, { "{}", "schema_version" }, { "[]", "array" },
		{ "\"x\"", "string" }, { "null", "base64" }, { "{'a':1}", "not JSON" },
		{ "{\"schema_version\":\"1.0.0\",}", "not JSON" }, { "{} {}", "not JSON" },
		{ "{} x", "not JSON" }, { "// c\n{}", "text" }, { "{/* c */}", "not JSON" },
		{ "{", "not JSON" },
	};
	const char *good = good_text();
	char cut[ROOM];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_refused(rows[i].text, rows[i].word);
	for (size_t n = 1; n < strlen(good); n++) {
		struct kf_error e;

		memcpy(cut, good, n);
		EXPECT_EQ(-EBADMSG, parse_bytes(BYTES(cut, n), &e));
	}
	(void)snprintf(cut, sizeof(cut), "%s%s", good, good);
	expect_refused(cut, "not JSON");
	(void)snprintf(cut, sizeof(cut), "[%s]", good);
	expect_refused(cut, "array");
}

TEST(byok_12_nothing_stands_there_twice)
{
	static const char *const twice[] = {
		",\"ciphertext\":\"AAAA\"", ",\"header\":{}", ",\"schema_version\":\"1.0.0\"",
		",\"cipher\\u0074ext\":\"AAAA\"", ",\"\\u0068eader\":{}", ",\"x\":1,\"\\u0078\":1",
		",\"generator\":\"a\",\"generator\":\"a\"",
	};
	char text[ROOM];

	for (size_t i = 0; i < sizeof(twice) / sizeof(twice[0]); i++)
		expect_refused(file_with("\"1.0.0\"", HEADER, quoted(ciphertext()), twice[i]),
			       "duplicate");
	expect_header_refused("{\"kid\":\"x\",\"k\\u0069d\":\"" KID "\",\"alg\":\"dir\","
			      "\"enc\":\"CKM_RSA_AES_KEY_WRAP\"}", "duplicate");
	(void)snprintf(text, sizeof(text), "{\"cipher\\u0074ext\":\"AAAA\",%s", good_text() + 1);
	expect_refused(text, "duplicate");
}

static char *repeated(const char *before, const char *unit, size_t n, const char *after)
{
	size_t len = strlen(unit);
	char *text = malloc(strlen(before) + n * len + strlen(after) + 1), *at = text;

	ASSERT_NOT_NULL(text);
	at = stpcpy(at, before);
	for (size_t i = 0; i < n; i++)
		at = stpcpy(at, unit);
	(void)stpcpy(at, after);
	return text;
}

TEST(byok_13_size_and_depth_are_bounded)
{
	static const struct { const char *before, *unit; size_t n; const char *after, *word; } rows[] = {
		{ "{\"x\":", "[", 2000, "", "nested" },
		{ "{\"x\":", "{\"a\":", 20, "", "nested" },
		{ "{\"ciphertext\":\"", "A", 10 << 20, "\"}", "longer than 64 KiB" },
		{ "{\"generator\":\"", "A", 1 << 20, "\"}", "longer than 64 KiB" },
		{ "{", "\"x\":1,", 100000, "}", "longer than 64 KiB" },
		{ "", "[", 60000, "", "array" },
		{ "{\"schema_version\":\"1.0.0\",\"header\":" HEADER ",\"ciphertext\":\"", "AAAA", 1366,
		  "\"}", "longer than an RSA-4096" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = repeated(rows[i].before, rows[i].unit, rows[i].n, rows[i].after);

		expect_refused(text, rows[i].word);
		free(text);
	}
}

/* What jansson has taken, most and in how many pieces; a size stands before each. */
static struct { size_t now, most, calls; } taken;

static void *take_memory(size_t n)
{
	max_align_t *p = malloc(n + sizeof(*p));

	if (!p)
		return NULL;
	*(size_t *)p = n;
	taken.calls++;
	taken.now += n;
	if (taken.now > taken.most)
		taken.most = taken.now;
	return p + 1;
}

static void give_memory(void *memory)
{
	max_align_t *p = memory;

	if (!p)
		return;
	taken.now -= *(size_t *)(p - 1);
	free(p - 1);
}

static void parse_counted(const char *text)
{
	struct kf_error e;

	taken.now = taken.most = taken.calls = 0;
	(void)parse_bytes(BYTES(text, strlen(text)), &e);
	EXPECT_EQ(0u, taken.now);
}

/* " as many members as fit, each called otherwise. */
static char *members(size_t n)
{
	char *text = malloc(n * 16 + 8), *at = text;

	ASSERT_NOT_NULL(text);
	*at++ = '{';
	for (size_t i = 0; i < n; i++)
		at += sprintf(at, "%s\"%zx\":1", i ? "," : "", i);
	(void)stpcpy(at, "}");
	return text;
}

/*
 * The most that 64 KiB can make the reader do: 200 bytes and two pieces of memory a member, which is what
 * jansson needs of one, and twice the members are twice the work. What is longer or deeper is not begun.
 */
TEST(byok_13_work_and_memory_are_bounded)
{
	static const struct { const char *before, *unit; size_t n; const char *after; } shut[] = {
		{ "{\"x\":", "[", 2000, "" },
		{ "{\"generator\":\"", "A", 1 << 20, "\"}" },
		{ "{\"ciphertext\":\"", "A", 10 << 20, "\"}" },
		{ "{", "\"x\":1,", 100000, "}" },
	};
	size_t calls;
	char *text;

	json_set_alloc_funcs(take_memory, give_memory);
	for (size_t i = 0; i < sizeof(shut) / sizeof(shut[0]); i++) {
		text = repeated(shut[i].before, shut[i].unit, shut[i].n, shut[i].after);
		parse_counted(text);
		EXPECT_EQ(0u, taken.calls);
		free(text);
	}
	text = members(3000);
	parse_counted(text);
	free(text);
	calls = taken.calls;
	EXPECT_GT(calls, 3000u);
	text = members(6000);
	EXPECT_LT(strlen(text), (size_t)BYOK_TEXT_MAX);
	parse_counted(text);
	free(text);
	EXPECT_LT(taken.calls, 2 * calls + 100);
	EXPECT_LT(taken.calls, 6000u * 4);
	EXPECT_LT(taken.most, 6000u * 256);
	TEST_LOG("%zu pieces of memory, %zu bytes at most", taken.calls, taken.most);
	text = repeated("{\"generator\":\"", "\\u00e9", 10000, "\"}");
	parse_counted(text);
	free(text);
	EXPECT_LT(taken.most, (size_t)4 * BYOK_TEXT_MAX);
	json_set_alloc_funcs(malloc, free);
}

TEST(byok_13_brackets_in_strings_are_no_depth)
{
	char *more = repeated(",\"generator\":\"", "[{\\\"", 100, "\"");

	expect_good(file_with("\"1.0.0\"", HEADER, quoted(ciphertext()), more));
	free(more);
}

TEST(byok_14_what_is_policy_is_decided)
{
	struct byok_file file = BYOK_FILE_INIT;
	char text[ROOM];
	const char *more;

	(void)snprintf(text, sizeof(text), "\xef\xbb\xbf%s", good_text());
	expect_refused(text, "byte order mark");
	expect_good(file_with("\"1.0.0\"", HEADER, quoted(ciphertext()), ""));
	expect_refused(file_with("\"1.0.0\"", HEADER, quoted(ciphertext()),
				 ",\"generator\":\"gol\\ud800den\""), "not JSON");
	expect_refused(file_with("\"1.0.0\"", HEADER, quoted(ciphertext()),
				 ",\"generator\":\"gol\\u0000den\""), "not JSON");
	expect_refused(file_with("\"1.0.0\"", HEADER, quoted(ciphertext()),
				 ",\"generator\":\"gol\001den\""), "not JSON");
	expect_refused(file_with("\"1.0.0\"", HEADER, quoted(ciphertext()), ",\"generator\":1"),
		       "not a string");
	more = file_with("\"1.0.0\"",
			 "{\"kid\":\"" KID "\",\"alg\":\"dir\",\"x\":{},\"enc\":\"CKM_RSA_AES_KEY_WRAP\"}",
			 quoted(ciphertext()), ",\"x_note\":\"hi\",\"y\":[null]");
	ASSERT_EQ(0, byok_file_parse(BYTES(more, strlen(more)), false, &file, NULL));
	EXPECT_EQ(3, file.ignored);
	EXPECT_NULL(file.generator);
	byok_file_deinit(&file);
}

/* --- the members --- */

TEST(byok_15_there_is_one_schema_version)
{
	static const char *const bad[] = {
		"\"2.0.0\"", "\"1.0\"", "\"1.0.1\"", "\"1.0.0 \"", "1.0", "null", "[\"1.0.0\"]", "\"\"",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_refused(file_with(bad[i], HEADER, quoted(ciphertext()), ""),
			       "schema_version");
	expect_refused("{\"header\":" HEADER "}", "\"schema_version\" is missing");
}

TEST(byok_16_alg_and_enc_are_held_to_the_letter)
{
	static const struct { const char *alg, *enc, *word; } rows[] = {
		{ "DIR", "CKM_RSA_AES_KEY_WRAP", "other letters" },
		{ "RSA-OAEP", "CKM_RSA_AES_KEY_WRAP", "not \"dir\"" },
		{ "", "CKM_RSA_AES_KEY_WRAP", "not \"dir\"" },
		{ "dir", "ckm_rsa_aes_key_wrap", "wrong case" },
		{ "dir", "CKM_RSA_AES_KEY_WRAP_PAD", "does not exist" },
		{ "dir", "RSA_AES_KEY_WRAP_256", "--named-hashes" },
		{ "dir", "RSA_AES_KEY_WRAP_384", "--named-hashes" },
		{ "dir", "RSA_AES_KEY_WRAP_512", "is not" },
		{ "dir", "A256GCM", "is not" }, { "dir", "", "is not" },
	};
	char header[512];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(header, sizeof(header),
			       "{\"kid\":\"%s\",\"alg\":\"%s\",\"enc\":\"%s\"}", KID, rows[i].alg,
			       rows[i].enc);
		expect_header_refused(header, rows[i].word);
	}
	expect_header_refused("\"x\"", "not an object");
	expect_header_refused("{\"kid\":\"" KID "\",\"enc\":\"CKM_RSA_AES_KEY_WRAP\"}",
			      "\"alg\" is missing");
	expect_header_refused("{\"kid\":\"" KID "\",\"alg\":\"dir\"}", "\"enc\" is missing");
	expect_header_refused("{\"alg\":\"dir\",\"enc\":\"CKM_RSA_AES_KEY_WRAP\"}",
			      "\"kid\" is missing");
	expect_header_refused("{\"kid\":5,\"alg\":\"dir\",\"enc\":\"CKM_RSA_AES_KEY_WRAP\"}",
			      "\"kid\" is not a string");
	expect_header_refused("{\"kid\":\"kek\",\"alg\":\"dir\",\"enc\":\"CKM_RSA_AES_KEY_WRAP\"}",
			      "whole identifier");
}

TEST(byok_16_other_hashes_come_only_when_asked_for)
{
	const char *text = file_with("\"1.0.0\"",
				     "{\"kid\":\"" KID "\",\"alg\":\"dir\","
				     "\"enc\":\"RSA_AES_KEY_WRAP_256\"}", quoted(ciphertext()), "");
	struct byok_file file = BYOK_FILE_INIT;

	EXPECT_EQ(-EBADMSG, byok_file_parse(BYTES(text, strlen(text)), false, &file, NULL));
	ASSERT_EQ(0, byok_file_parse(BYTES(text, strlen(text)), true, &file, NULL));
	EXPECT_EQ(KF_HASH_SHA256, file.hash);
	byok_file_deinit(&file);
}

static const char *changed(const char *from, const char *to)
{
	static char text[ROOM];
	const char *good = ciphertext(), *at = strstr(good, from);

	ASSERT_NOT_NULL(at);
	(void)snprintf(text, sizeof(text), "\"%.*s%s%s\"", (int)(at - good), good, to,
		       at + strlen(from));
	return text;
}

static const char *hex_text(void)
{
	static char text[ROOM];
	uint8_t blob[BLOB_SIZE] = { 0x6d };

	text[0] = '"';
	hex_print(BYTES_OF(blob), text + 1);
	(void)stpcpy(text + strlen(text), "\"");
	return text;
}

TEST(byok_17_the_ciphertext_is_base64url_in_one_form)
{
	char text[ROOM];

	(void)snprintf(text, sizeof(text), "\"%.*s\"", 540, ciphertext());
	expect_ciphertext_refused(text, "eight");
	(void)snprintf(text, sizeof(text), "\"%.*s\"", 541, ciphertext());
	expect_ciphertext_refused(text, "length no base64url has");
	(void)snprintf(text, sizeof(text), "\"%.*s\"", 532, ciphertext());
	expect_ciphertext_refused(text, "eight");
	expect_ciphertext_refused(changed("-", "+"), "base64url: - for +");
	expect_ciphertext_refused(changed("_", "/"), "base64url: - for +");
	expect_ciphertext_refused(changed("_", "\\n_"), "line breaks");
	expect_ciphertext_refused(changed("_", "!"), "out of place");
	expect_ciphertext_refused(hex_text(), "hexadecimal");
	expect_ciphertext_refused("\"BASE64URL(<ciphertext data>)\"", "placeholder");
	expect_ciphertext_refused("\"<base64url>\"", "placeholder");
	expect_ciphertext_refused("1", "not a string");
	expect_ciphertext_refused("null", "not a string");
	expect_ciphertext_refused("[\"AAAA\"]", "not a string");
	expect_ciphertext_refused("\"\"", "too short");
	expect_ciphertext_refused("\"AAAA\"", "too short");
	expect_refused("{\"schema_version\":\"1.0.0\",\"header\":" HEADER "}",
		       "\"ciphertext\" is missing");
}

/* 272 bytes: 363 characters, of which the last has two bits that mean nothing. */
TEST(byok_17_padding_is_taken_and_stray_bits_are_not)
{
	uint8_t blob[BYOK_CIPHERTEXT_MIN] = { 1 };
	char text[512], file[ROOM];

	base64url_encode(BYTES_OF(blob), text);
	ASSERT_EQ(363, strlen(text));
	expect_good(file_with("\"1.0.0\"", HEADER, quoted(text), ""));
	(void)snprintf(file, sizeof(file), "\"%s=\"", text);
	expect_good(file_with("\"1.0.0\"", HEADER, file, ""));
	(void)snprintf(file, sizeof(file), "\"%s==\"", text);
	expect_ciphertext_refused(file, "length no base64url has");
	(void)snprintf(file, sizeof(file), "\"%.360s=AA\"", text);
	expect_ciphertext_refused(file, "not padded");
	text[362] = 'B';
	expect_ciphertext_refused(quoted(text), "mean nothing");
}

TEST(byok_18_another_file_is_called_by_its_name)
{
	static const struct { const char *text, *word; } rows[] = {
		{ "{\"protected\":\"eyJ\",\"ciphertext\":\"AAAA\",\"tag\":\"\"}", "JWE in JSON" },
		{ "{\"recipients\":[],\"ciphertext\":\"AAAA\"}", "JWE in JSON" },
		{ "{\"kty\":\"RSA-HSM\",\"key_hsm\":\"AAAA\"}", "key_hsm carries" },
		{ "{\"key\":{\"kty\":\"RSA-HSM\",\"key_hsm\":\"AAAA\"}}", "key_hsm" },
		{ "{\"kty\":\"RSA\",\"n\":\"AAAA\"}", "JWK" },
		{ "{\"format\":\"keyferry-cargo\",\"version\":1}", "keyferry" },
		{ "eyJhbGciOiJkaXIifQ..AAAA.BBBB.CCCC", "compact" },
		{ "eyJzY2hlbWFfdmVyc2lvbiI6IjEuMC4wIn0=", "base64 of a .byok file" },
		{ "bcVixaGgfmoFOOSOX0ViEDPg8I_kKgFW", "bare ciphertext" },
		{ "-----BEGIN PRIVATE KEY-----\n", "PEM" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_refused(rows[i].text, rows[i].word);
	expect_bytes_refused(BYTES("\x02\x01\x00\x84zzzz", 8), "KeyTransferPackage");
	expect_bytes_refused(BYTES("\xff\xfe{\0}\0", 6), "UTF-16");
}
