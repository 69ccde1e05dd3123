/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Known answers by others for what opens a blob: Wycheproof's OAEP, KW and KWP, NIST's KWP. They lie
 * in $KF_VECTORS, or beside this tree, and partly in Debian's python3-cryptography-vectors.
 */
#include "format/wrapped.h"
#include "format/ossl.h"
#include "tests/format/wrapping.h"
#include "tests/harness.h"

#include <jansson.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- where they are --- */

static const char *vectors_at(const char *name)
{
	static char path[512];
	const char *named = getenv("KF_VECTORS"), *tree = getenv("KF_SRC");
	const char *const roots[] = { named, NULL, "/usr/lib/python3/dist-packages/cryptography_vectors/keywrap/kwtestvectors" };

	for (size_t i = 0; i < 3; i++) {
		if (i == 1 && tree)
			(void)snprintf(path, sizeof(path), "%s/../shared/vectors/%s", tree, name);
		else if (i == 2)
			(void)snprintf(path, sizeof(path), "%s/%s", roots[2], strrchr(name, '/') + 1);
		else
			(void)snprintf(path, sizeof(path), "%s/%s", roots[i] ? roots[i] : "", name);
		if (access(path, R_OK) == 0)
			return path;
	}
	return NULL;
}

static json_t *load(const char *name)
{
	const char *path = vectors_at(name);
	json_t *json;

	if (!path)
		return NULL;
	json = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	ASSERT_NOT_NULL(json);
	return json;
}

static struct bytes unhex(const char *text, uint8_t *buf, size_t cap)
{
	size_t n = strlen(text) / 2;

	ASSERT_LE(n, cap);
	for (size_t i = 0; i < n; i++) {
		unsigned int byte;

		ASSERT_EQ(1, sscanf(text + 2 * i, "%2x", &byte));
		buf[i] = (uint8_t)byte;
	}
	return BYTES(buf, n);
}

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "";
}

FIXTURE(opening)
{
	struct secret text;
	uint8_t a[8192], b[8192], c[8192];
};

FIXTURE_SETUP(opening)
{
	ASSERT_EQ(0, secret_init(&self->text, 8192));
}

FIXTURE_TEARDOWN(opening)
{
	secret_deinit(&self->text);
}

/* --- OAEP --- */

static enum kf_hash hash_of(const char *name)
{
	static const char *const names[] = { "", "SHA-1", "SHA-256", "SHA-384", "SHA-512" };

	for (int i = KF_HASH_SHA1; i <= KF_HASH_SHA512; i++) {
		if (strcmp(names[i], name) == 0)
			return (enum kf_hash)i;
	}
	return KF_HASH_NONE;
}

static size_t try_oaep(struct fixture_opening *self, const json_t *group)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	struct bytes pkcs8 = unhex(text_of(group, "privateKeyPkcs8"), self->a, sizeof(self->a));
	const uint8_t *at = pkcs8.p;
	bool ours = strcmp(text_of(group, "sha"), text_of(group, "mgfSha")) == 0;
	enum kf_hash hash = hash_of(text_of(group, "sha"));
	const json_t *test;
	size_t i, n = 0;

	key = d2i_AutoPrivateKey(NULL, &at, (long)pkcs8.n);
	ASSERT_NOT_NULL(key);
	json_array_foreach(json_object_get(group, "tests"), i, test) {
		struct bytes ct = unhex(text_of(test, "ct"), self->b, sizeof(self->b));
		struct bytes msg = unhex(text_of(test, "msg"), self->c, sizeof(self->c));
		bool opens = ours && strcmp(text_of(test, "result"), "valid") == 0 &&
			     text_of(test, "label")[0] == '\0';
		int r = oaep_open(key, hash, ct, &self->text);

		if (r != (opens ? 0 : -EBADMSG) ||
		    (opens && !bytes_equal(msg, secret_bytes(&self->text))))
			TEST_FAIL("tcId %lld: %d", json_integer_value(json_object_get(test, "tcId")), r);
		n++;
	}
	return n;
}

TEST_F_TIMEOUT(opening, c33_oaep_is_wycheproofs, 60)
{
	static const char *const files[] = {
		"wycheproof/rsa_oaep_2048_sha1_mgf1sha1_test.json",
		"wycheproof/rsa_oaep_2048_sha256_mgf1sha1_test.json",
		"wycheproof/rsa_oaep_2048_sha256_mgf1sha256_test.json",
		"wycheproof/rsa_oaep_2048_sha384_mgf1sha384_test.json",
		"wycheproof/rsa_oaep_2048_sha512_mgf1sha512_test.json",
		"wycheproof/rsa_oaep_3072_sha256_mgf1sha256_test.json",
		"wycheproof/rsa_oaep_4096_sha256_mgf1sha256_test.json",
		"wycheproof/rsa_oaep_4096_sha512_mgf1sha512_test.json",
		"wycheproof/rsa_oaep_misc_subset_test.json",
	};
	size_t n = 0;

	for (size_t f = 0; f < sizeof(files) / sizeof(files[0]); f++) {
		json_t *json = load(files[f]), *group;
		size_t i;

		if (!json)
			SKIP("no Wycheproof vectors; KF_VECTORS=FOLDER names where they are");
		json_array_foreach(json_object_get(json, "testGroups"), i, group)
			n += try_oaep(self, group);
		json_decref(json);
	}
	EXPECT_GT(n, 250u);
}

/* --- KWP, KW --- */

static size_t try_kwp(struct fixture_opening *self, const json_t *group, bool padded)
{
	const json_t *test;
	size_t i, n = 0;

	json_array_foreach(json_object_get(group, "tests"), i, test) {
		struct bytes key = unhex(text_of(test, "key"), self->a, sizeof(self->a));
		struct bytes ct = unhex(text_of(test, "ct"), self->b, sizeof(self->b));
		struct bytes msg = unhex(text_of(test, "msg"), self->c, sizeof(self->c));
		bool opens = padded && strcmp(text_of(test, "result"), "valid") == 0;
		int r = kwp_open(key, ct, &self->text);

		if (r != (opens ? 0 : -EBADMSG) ||
		    (opens && !bytes_equal(msg, secret_bytes(&self->text))))
			TEST_FAIL("tcId %lld: %d", json_integer_value(json_object_get(test, "tcId")), r);
		n++;
	}
	return n;
}

static size_t try_kwp_file(struct fixture_opening *self, const char *name, bool padded)
{
	json_t *json = load(name), *group;
	size_t i, n = 0;

	if (!json)
		SKIP("no Wycheproof vectors; KF_VECTORS=FOLDER names where they are");
	json_array_foreach(json_object_get(json, "testGroups"), i, group)
		n += try_kwp(self, group, padded);
	json_decref(json);
	return n;
}

TEST_F(opening, c37_kwp_is_wycheproofs)
{
	EXPECT_EQ(254u, try_kwp_file(self, "wycheproof/aes_kwp_test.json", true));
}

/* Without padding [RFC 3394] it is another mechanism: even what is right there opens nothing here. */
TEST_F(opening, c37_no_vector_of_kw_opens_as_kwp)
{
	EXPECT_EQ(165u, try_kwp_file(self, "wycheproof/aes_wrap_test.json", false));
}

/* K = hex, C = hex, then P = hex or FAIL. */
static size_t try_nist(struct fixture_opening *self, FILE *file)
{
	struct bytes key = BYTES_NONE, ct = BYTES_NONE, msg;
	static char line[16384], value[16384];
	size_t n = 0;

	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "K = %16383s", value) == 1)
			key = unhex(value, self->a, sizeof(self->a));
		if (sscanf(line, "C = %16383s", value) == 1)
			ct = unhex(value, self->b, sizeof(self->b));
		if (sscanf(line, "P = %16383s", value) == 1) {
			msg = unhex(value, self->c, sizeof(self->c));
			EXPECT_EQ(0, kwp_open(key, ct, &self->text));
			EXPECT_BYTES_EQ(msg, secret_bytes(&self->text));
			n++;
		}
		if (strncmp(line, "FAIL", 4) == 0) {
			EXPECT_EQ(-EBADMSG, kwp_open(key, ct, &self->text));
			n++;
		}
	}
	return n;
}

TEST_F(opening, c37_kwp_is_nists)
{
	const char *path = vectors_at("nist/KWP_AD_256.txt");
	FILE *file;

	if (!path)
		SKIP("no NIST vectors; apt-get install python3-cryptography-vectors brings some");
	file = fopen(path, "re");
	ASSERT_NOT_NULL(file);
	EXPECT_EQ(500u, try_nist(self, file));
	(void)fclose(file);
}

/* [RFC 5649 6], in any case. */
TEST_F(opening, c37_kwp_gives_the_answers_of_its_rfc)
{
	struct bytes key = unhex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", self->a, 64), ct;

	ct = unhex("138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a", self->b, 64);
	ASSERT_EQ(0, kwp_open(key, ct, &self->text));
	EXPECT_BYTES_EQ(unhex("c37b7e6492584340bed12207808941155068f738", self->c, 64),
			secret_bytes(&self->text));
	ct = unhex("afbeb0f07dfbf5419200f2ccb50bb24f", self->b, 64);
	ASSERT_EQ(0, kwp_open(key, ct, &self->text));
	EXPECT_BYTES_EQ(unhex("466f7250617369", self->c, 64), secret_bytes(&self->text));
	EXPECT_EQ(-EBADMSG, kwp_open(key, BYTES(self->b, 8), &self->text));
	EXPECT_EQ(-EINVAL, kwp_open(BYTES(self->a, 23), ct, &self->text));
}

/* [byok 1.4]: 1232 and 2384 for RSA 2048 and 4096; 152 for P-256. */
TEST(keys_are_known_by_their_length)
{
	static const struct { size_t len; enum kf_key_type type; } rows[] = {
		{ 24, KF_KEY_AES_128 }, { 32, KF_KEY_AES_192 }, { 40, KF_KEY_AES_256 }, { 48, KF_KEY_NONE },
		{ 72, KF_KEY_EC_P256K }, { 144, KF_KEY_EC_P256K }, { 80, KF_KEY_EC_P256 }, { 152, KF_KEY_EC_P256 },
		{ 88, KF_KEY_EC_P384 }, { 200, KF_KEY_EC_P384 }, { 112, KF_KEY_EC_P521 }, { 256, KF_KEY_EC_P521 },
		{ 64, KF_KEY_NONE }, { 160, KF_KEY_NONE }, { 192, KF_KEY_NONE }, { 208, KF_KEY_NONE },
		{ 1216, KF_KEY_RSA_2048 }, { 1232, KF_KEY_RSA_2048 }, { 1240, KF_KEY_RSA_2048 },
		{ 1800, KF_KEY_RSA_3072 }, { 1816, KF_KEY_RSA_3072 }, { 2384, KF_KEY_RSA_4096 },
		{ 2392, KF_KEY_RSA_4096 }, { 1500, KF_KEY_NONE }, { 640, KF_KEY_NONE }, { 0, KF_KEY_NONE },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (wrapped_type(rows[i].len) != rows[i].type)
			TEST_FAIL("%zu: type %d", rows[i].len, wrapped_type(rows[i].len));
	}
}

TEST(a_length_that_can_be_is_public)
{
	EXPECT_FALSE(wrapped_fits(0, 256));
	EXPECT_FALSE(wrapped_fits(256, 256));
	EXPECT_FALSE(wrapped_fits(256 + 8, 256));
	EXPECT_TRUE(wrapped_fits(256 + 16, 256));
	EXPECT_FALSE(wrapped_fits(256 + 17, 256));
	EXPECT_TRUE(wrapped_fits(256 + APP_WRAPPED_MAX, 256));
	EXPECT_FALSE(wrapped_fits(256 + APP_WRAPPED_MAX + 8, 256));
	EXPECT_TRUE(wrapped_fits(2896, 512));
}
