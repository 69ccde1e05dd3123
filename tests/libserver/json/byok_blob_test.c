// SPDX-License-Identifier: LGPL-2.1-or-later
/* tests/tools/byok.sh has the same from the command line, with keys that open. */
#include "libserver/json/byok_blob.h"
#include "libserver/json/byok.h"
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>

#define KID "https://card.vault.localhost:8443/keys/kek/051928341be67dcba03f0e04104d9047"

FIXTURE(blob)
{
	uint8_t raw[272];
	char hex[2 * 272 + 1], base64[400], *file;
	size_t file_len;
	struct byok_blob got;
	struct kf_error e;
};

FIXTURE_SETUP(blob)
{
	struct byok_file file = BYOK_FILE_INIT;
	json_t *coded;

	for (size_t i = 0; i < sizeof(self->raw); i++)
		self->raw[i] = (uint8_t)(0x80 + i * 7);
	hex_print(BYTES_OF(self->raw), self->hex);
	coded = json_out_bytes(BYTES_OF(self->raw));
	(void)snprintf(self->base64, sizeof(self->base64), "%s", json_string_value(coded));
	json_decref(coded);
	(void)snprintf(file.kid, sizeof(file.kid), "%s", KID);
	file.ciphertext = (struct blob){ self->raw, sizeof(self->raw) };
	self->file = NULL;
	ASSERT_EQ(0, byok_file_write(&file, &self->file, &self->file_len, NULL));
	self->got = BYOK_BLOB_INIT;
}

FIXTURE_TEARDOWN(blob)
{
	free(self->file);
	byok_blob_deinit(&self->got);
}

static int read_text(struct fixture_blob *self, const char *text)
{
	byok_blob_deinit(&self->got);
	return byok_blob_read(BYTES(text, strlen(text)), &self->got, &self->e);
}

static void expect_read(struct fixture_blob *self, const char *text, enum byok_form form, uint32_t mended)
{
	ASSERT_EQ(0, read_text(self, text));
	EXPECT_EQ(form, self->got.form);
	EXPECT_EQ(mended, self->got.mended);
	EXPECT_BYTES_EQ(BYTES_OF(self->raw), BYTES(self->got.p, self->got.n));
}

TEST_F(blob, a_file_in_form_needs_no_mending)
{
	expect_read(self, self->file, FORM_FILE, 0);
	EXPECT_STREQ(KID, self->got.kid);
	EXPECT_EQ(KF_HASH_SHA1, self->got.hash);
}

TEST_F(blob, bare_ones_are_taken_by_their_alphabet)
{
	expect_read(self, self->hex, FORM_HEX, 0);
	expect_read(self, self->base64, FORM_BASE64, 0);
	EXPECT_EQ(KF_HASH_NONE, self->got.hash);
	EXPECT_STREQ("", self->got.kid);
	byok_blob_deinit(&self->got);
	ASSERT_EQ(0, byok_blob_read(BYTES_OF(self->raw), &self->got, &self->e));
	EXPECT_EQ(FORM_BINARY, self->got.form);
}

/* "text" as a JSON string, owned by the caller. */
static char *quoted(const char *text)
{
	json_t *value = json_string(text);
	char *dump = json_dumps(value, JSON_ENCODE_ANY);

	json_decref(value);
	return dump;
}

TEST_F(blob, the_layers_come_off_and_are_told)
{
	char *string = quoted(self->file), *twice = quoted(string), *marked = NULL, *request = NULL;

	expect_read(self, string, FORM_FILE, 1u << MEND_STRING);
	EXPECT_EQ(0, read_text(self, twice));
	ASSERT_LT(0, asprintf(&marked, "\xef\xbb\xbf%s", self->file));
	expect_read(self, marked, FORM_FILE, 1u << MEND_MARK);
	ASSERT_LT(0, asprintf(&request, "{\"key\":{\"kty\":\"RSA-HSM\",\"key_hsm\":%s}}", string));
	expect_read(self, request, FORM_FILE, 1u << MEND_REQUEST);
	free(string);
	free(twice);
	free(marked);
	free(request);
}

/* Each costs a copy of the whole; eight are more than anybody has. */
TEST_F(blob, a_ninth_layer_is_one_too_many)
{
	char *text = strdup(self->hex);

	ASSERT_NOT_NULL(text);
	for (int layer = 1; layer <= 9; layer++) {
		char *outer = quoted(text);

		free(text);
		text = outer;
		EXPECT_EQ(layer <= 8 ? 0 : -EBADMSG, read_text(self, text));
	}
	free(text);
}

TEST_F(blob, what_nearly_is_a_file_is_mended)
{
	char *text = NULL;

	ASSERT_LT(0, asprintf(&text, "{\"schema_version\":\"1.0.0\",\"header\":{\"kid\":\"" KID "\",\"alg\":\"dir\","
			      "\"enc\":\"CKM_RSA_AES_KEY_WRAP\"},\"ciphertext\":\"%s\",\"generator\":\"g\"}", self->hex));
	expect_read(self, text, FORM_FILE, 1u << MEND_CIPHERTEXT);
	EXPECT_STREQ(KID, self->got.kid);
	EXPECT_STREQ("g", self->got.generator);
	free(text);
	ASSERT_LT(0, asprintf(&text, "{\"header\":{\"kid\":\"x\",\"alg\":\"RSA\"},\"ciphertext\":\"%s\"}", self->base64));
	expect_read(self, text, FORM_FILE, 1u << MEND_HEADER);
	EXPECT_STREQ("", self->got.kid);
	free(text);
}

TEST_F(blob, what_is_no_wrapped_key_is_refused)
{
	static const char *const rows[] = {
		"", "{}", "[]", "\"\"", "{\"key_hsm\":\"\"}", "{\"key\":{\"key_hsm\":7}}", "abc",
		"{\"header\":{},\"ciphertext\":\"\"}", "{\"header\":{},\"ciphertext\":\"AAAA\"}",
		"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "eyJhbGciOiJkaXIifQ..AAAA.BBBB.CCCC",
	};
	char odd[sizeof(self->hex)];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (read_text(self, rows[i]) != -EBADMSG)
			TEST_FAIL("row %zu is taken: %s", i, rows[i]);
	(void)snprintf(odd, sizeof(odd), "%.*s", (int)(2 * sizeof(self->raw) - 1), self->hex);
	EXPECT_EQ(-EBADMSG, read_text(self, odd));
	EXPECT_EQ(-EBADMSG, byok_blob_read(BYTES(self->raw, 271), &self->got, &self->e));
	EXPECT_STREQ("cannot make out a wrapped key", self->e.what);
	EXPECT_NULL(self->got.p);
}

TEST(the_length_tells_whether_it_fits_a_modulus)
{
	EXPECT_TRUE(byok_blob_fits(256, 256));
	EXPECT_TRUE(byok_blob_fits(272, 256));
	EXPECT_FALSE(byok_blob_fits(264, 256));
	EXPECT_FALSE(byok_blob_fits(273, 256));
	EXPECT_FALSE(byok_blob_fits(255, 256));
	EXPECT_FALSE(byok_blob_fits(272, 512));
}

TEST(the_length_tells_what_may_be_inside)
{
	EXPECT_STREQ("AES-128", byok_blob_guess(24, 0));
	EXPECT_STREQ("AES-256", byok_blob_guess(40, 0));
	EXPECT_NULL(byok_blob_guess(15, 0));
	EXPECT_NULL(byok_blob_guess(24, 9));
	EXPECT_STREQ("EC P-256 or P-256K", byok_blob_guess(152, 0));
	EXPECT_NULL(byok_blob_guess(100000, 0));
}
