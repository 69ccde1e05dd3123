/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faces: vreader/card/unwrap.c
 *
 * byok_golden.json at the card: blobs by other people's programs, good and broken, and what this card
 * does with those that are a matter of policy (docs/formats.md 11 says the same in words). What is
 * wrong in the JSON around a blob is not the card's to judge.
 */
#include "format/ossl.h"
#include "format/wrapped.h"
#include "tests/harness.h"
#include "tests/vreader/card/tray.h"
#include "vreader/card/command.h"
#include "vreader/card/kek.h"
#include "vreader/card/tlv.h"

#include <jansson.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TARGET = 1, KEK_AT = 15 };

FIXTURE(golden)
{
	struct tray tray;
	json_t *json;
};

static json_t *load(void)
{
	const char *named = getenv("KF_VECTORS"), *tree = getenv("KF_SRC");
	char path[512];

	(void)snprintf(path, sizeof(path), named ? "%s/byok_golden.json" : "%s/../shared/vectors/byok_golden.json",
		       named ? named : tree ? tree : ".");
	return json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
}

FIXTURE_SETUP(golden)
{
	self->json = load();
	if (!self->json)
		SKIP("no byok_golden.json; KF_VECTORS=FOLDER names where it is");
	tray_init(&self->tray, 0);
}

FIXTURE_TEARDOWN(golden)
{
	json_decref(self->json);
	tray_deinit(&self->tray);
}

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "";
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

static int kek_bits(const json_t *test)
{
	return (int)json_integer_value(json_object_get(test, "kek"));
}

/* The KEK that @test was made for, as the maker of a rig's card would load it. */
static void put_kek(struct fixture_golden *self, const json_t *test)
{
	static uint8_t buf[4096];
	char bits[16];
	const json_t *kek;
	struct bytes pkcs8;
	const uint8_t *at;
	EVP_PKEY *key;
	struct container *c = &self->tray.card->state->containers[KEK_AT];

	(void)snprintf(bits, sizeof(bits), "%d", kek_bits(test));
	kek = json_object_get(json_object_get(self->json, "keks"), bits);
	pkcs8 = unhex(text_of(kek, "pkcs8"), buf, sizeof(buf));
	at = pkcs8.p;
	key = d2i_AutoPrivateKey(NULL, &at, (long)pkcs8.n);
	ASSERT_NOT_NULL(key);
	tray_put_kek(&self->tray, KEK_AT, TRAY_RSA, KF_HASH_SHA1, text_of(kek, "kid"));
	c->key = card_key_unref(c->key);
	ASSERT_EQ(0, card_key_new(key, &c->key));
	EVP_PKEY_free(key);
}

static enum kf_key_type type_of(const json_t *test, size_t c2)
{
	static const struct { const char *crv; enum kf_key_type type; } curves[] = {
		{ "P-256", KF_KEY_EC_P256 }, { "P-384", KF_KEY_EC_P384 }, { "P-521", KF_KEY_EC_P521 },
		{ "P-256K", KF_KEY_EC_P256K },
	};
	enum kf_key_type guess = wrapped_type(c2);

	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		if (strcmp(text_of(test, "crv"), curves[i].crv) == 0)
			return curves[i].type;
	}
	if (strcmp(text_of(test, "kty"), "oct-HSM") == 0)
		return key_type_is_aes(guess) ? guess : KF_KEY_AES_256;
	return key_type_is_rsa(guess) ? guess : KF_KEY_RSA_2048;
}

static uint16_t unwrap(struct fixture_golden *self, const json_t *test)
{
	static uint8_t blob_buf[8192], buf[8192];
	struct bytes blob = unhex(text_of(test, "ciphertext"), blob_buf, sizeof(blob_buf));
	size_t modulus = (size_t)kek_bits(test) / 8;
	enum kf_key_type type = type_of(test, blob.n > modulus ? blob.n - modulus : 0);
	struct packer p = pack_begin(buf, sizeof(buf));

	state_empty_container(self->tray.card->state, TARGET);
	tlv_put_number(&p, 0x80, TARGET, 1);
	tlv_put_number(&p, 0x81, type, 1);
	tlv_put_number(&p, 0x82, key_type_is_aes(type) ? KF_PURPOSE_CIPHER : KF_PURPOSE_SIGN, 1);
	tlv_put_number(&p, 0x83, 0, 1);
	tlv_put(&p, 0x85, blob);
	return tray_send(&self->tray, 0x80, INS_UNWRAP, KEK_AT, pack_done(&p));
}

/* What this card does where it could do otherwise. */
static bool takes_by_policy(const char *name)
{
	return strstr(name, "zero bytes") || strstr(name, "scalar one") || strstr(name, "attributes");
}

TEST_F_TIMEOUT(golden, the_card_does_as_the_file_says, 120)
{
	const json_t *test;
	size_t i, n = 0;

	ASSERT_EQ(SW_OK, tray_verify(&self->tray, TRAY_PIN));
	json_array_foreach(json_object_get(self->json, "tests"), i, test) {
		const char *name = text_of(test, "name"), *result = text_of(test, "result");
		const struct container *c = &self->tray.card->state->containers[TARGET];
		uint8_t spki[1024];
		uint16_t sw;
		bool takes;

		if (strncmp(name, "json:", 5) == 0)
			continue;
		put_kek(self, test);
		sw = unwrap(self, test);
		c = &self->tray.card->state->containers[TARGET];
		takes = strcmp(result, "policy") == 0 ? takes_by_policy(name) : strcmp(result, "valid") == 0;
		if ((sw == SW_OK) != takes || (sw != SW_OK && sw != SW_REFUSED && sw != SW_DATA))
			TEST_FAIL("%s, %s: %04x", result, name, sw);
		if (strcmp(result, "policy") == 0)
			TEST_LOG("policy: %s: %s", name, sw == SW_OK ? "taken" : "refused");
		if (sw == SW_OK && *text_of(test, "publicSpki"))
			EXPECT_BYTES_EQ(unhex(text_of(test, "publicSpki"), spki, sizeof(spki)), card_key_spki(c->key));
		n++;
	}
	EXPECT_GT(n, 60u);
}
