// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/byok/wrap_test.c - What goes out, for whom, and that it opens. Other programs open
 * it in tests/tools/byok.sh.
 *
 * Faces: libserver/byok/target.c libserver/byok/format.c libserver/byok/file.c libserver/byok/unwrap.c
 */
#include "format/ossl.h"
#include "format/wrapped.h"
#include "libserver/byok/envelope.h"
#include "libserver/byok/kek.h"
#include "libserver/byok/target.h"
#include "tests/harness.h"
#include "tests/keys/keys.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#define KID "https://card.vault.localhost:8443/keys/kek2048/051928341be67dcba03f0e04104d9047"

struct receiver {
	EVP_PKEY *key;
	struct kf_byok_kek *kek;
};

static struct receiver receiver_of(enum kf_key_type type)
{
	struct receiver r = { 0 };
	uint8_t spki[SPKI_MAX];
	struct packer p = pack_begin(spki, sizeof(spki));

	r.key = prepared_rsa(key_type_bits(type), 1);
	ASSERT_NOT_NULL(r.key);
	ASSERT_EQ(0, key_spki(r.key, &p));
	ASSERT_EQ(0, kf_byok_kek_new(spki, p.n, &r.kek, NULL));
	return r;
}

static void receiver_deinit(struct receiver *r)
{
	kf_byok_kek_free(r->kek);
	EVP_PKEY_free(r->key);
}

static struct kf_byok_target *pair_target(enum kf_key_type type)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	struct kf_byok_target *target = NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n;

	ASSERT_EQ(0, some_key(type, &key));
	ASSERT_EQ(1, PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
	n = BIO_get_mem_data(bio, &text);
	ASSERT_EQ(0, kf_byok_target_from_pem(text, (size_t)n, NULL, 0, &target, NULL));
	EXPECT_EQ(type, kf_byok_target_type(target));
	BIO_free(bio);
	return target;
}

static struct kf_byok_target *aes_target(size_t n)
{
	static const uint8_t key[32] = { 1, 2, 3 };
	struct kf_byok_target *target = NULL;

	ASSERT_EQ(0, kf_byok_target_from_raw(key, n, &target, NULL));
	return target;
}

/* What the receiver gets out of @blob. */
static struct bytes opened(const struct receiver *r, struct bytes blob, enum kf_hash hash, bool direct,
			   struct secret *out)
{
	_cleanup_(secret_deinit) struct secret aes = SECRET_INIT;
	size_t k = (size_t)EVP_PKEY_get_size(r->key);

	ASSERT_EQ(0, secret_init(out, 4096));
	if (direct) {
		ASSERT_EQ(k, blob.n);
		ASSERT_EQ(0, oaep_open(r->key, hash, blob, out));
		return secret_bytes(out);
	}
	ASSERT_EQ(0, secret_init(&aes, k));
	ASSERT_EQ(0, oaep_open(r->key, hash, bytes_slice(blob, 0, k), &aes));
	ASSERT_EQ(32, aes.n);
	ASSERT_EQ(0, kwp_open(secret_bytes(&aes), bytes_slice(blob, k, blob.n), out));
	return secret_bytes(out);
}

static void expect_opens(const struct receiver *r, const struct kf_byok_target *target,
			 struct kf_byok_plan plan)
{
	_cleanup_(secret_deinit) struct secret plain = SECRET_INIT;
	struct kf_error e = KF_ERROR_INIT;
	uint8_t *blob = NULL;
	size_t len = 0;

	ASSERT_EQ(0, kf_byok_plan_settle(&plan, r->kek, kf_byok_target_type(target), &e));
	ASSERT_EQ(0, kf_byok_wrap(r->kek, target, &plan, &blob, &len, &e));
	EXPECT_BYTES_EQ(secret_bytes(&target->plain),
			opened(r, BYTES(blob, len), plan.hash, plan.mode == KF_BYOK_MODE_DIRECT, &plain));
	free(blob);
}

static struct kf_byok_plan plan_of(enum kf_byok_format format)
{
	return (struct kf_byok_plan){ .size = sizeof(struct kf_byok_plan), .format = format };
}

/* OpenSSL's strictness is none to speak of, so the form is looked at byte by byte elsewhere. */
static void expect_pkcs8(const struct kf_byok_target *target)
{
	const uint8_t *at = target->plain.p;
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key =
		d2i_PrivateKey(key_type_is_rsa(target->type) ? EVP_PKEY_RSA : EVP_PKEY_EC, NULL, &at,
			       (long)target->plain.n);
	uint8_t spki[SPKI_MAX];
	struct packer p = pack_begin(spki, sizeof(spki));
	size_t n = 0;
	const uint8_t *public = kf_byok_target_public(target, &n);

	ASSERT_NOT_NULL(key);
	EXPECT_TRUE(at == target->plain.p + target->plain.n);
	ASSERT_EQ(0, key_spki(key, &p));
	EXPECT_BYTES_EQ(BYTES(public, n), pack_done(&p));
	EXPECT_NULL(kf_byok_target_check_value(target));
}

TEST_TIMEOUT(every_type_of_target_travels, 60)
{
	static const enum kf_key_type types[] = {
		KF_KEY_RSA_2048, KF_KEY_EC_P256, KF_KEY_EC_P384, KF_KEY_EC_P521, KF_KEY_EC_P256K,
	};
	struct receiver r = receiver_of(KF_KEY_RSA_2048);

	kf_byok_kek_take_unattested(r.kek);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct kf_byok_target *target = pair_target(types[i]);

		expect_pkcs8(target);
		expect_opens(&r, target, plan_of(KF_BYOK_AZURE));
		kf_byok_target_free(target);
	}
	for (size_t n = 16; n <= 32; n += 8) {
		struct kf_byok_target *target = aes_target(n);
		size_t len = 1;

		EXPECT_NULL(kf_byok_target_public(target, &len));
		EXPECT_EQ(0, len);
		EXPECT_NOT_NULL(kf_byok_target_check_value(target));
		expect_opens(&r, target, plan_of(KF_BYOK_AZURE));
		kf_byok_target_free(target);
	}
	receiver_deinit(&r);
}

/* Sizes of a PrivateKeyInfo as PKCS #11 wants it: without the curve inside, with the public key. */
TEST(a_pkcs8_is_as_long_as_it_should_be)
{
	struct kf_byok_target *p256 = pair_target(KF_KEY_EC_P256);
	struct kf_byok_target *p521 = pair_target(KF_KEY_EC_P521);

	EXPECT_EQ(138, p256->plain.n);
	EXPECT_EQ(241, p521->plain.n);
	kf_byok_target_free(p256);
	kf_byok_target_free(p521);
}

/* openssl enc -aes-128-ecb -K 01020300.. of sixteen zero bytes */
TEST(the_check_value_is_that_of_pkcs11)
{
	struct kf_byok_target *target = NULL;
	uint8_t key[16] = { 0 };

	ASSERT_EQ(0, kf_byok_target_from_raw(key, 16, &target, NULL));
	EXPECT_BYTES_EQ(BYTES("\x66\xe9\x4b", 3), BYTES(kf_byok_target_check_value(target), 3));
	kf_byok_target_free(target);
}

TEST(what_is_no_aes_key_is_none)
{
	struct kf_byok_target *target = NULL;
	uint8_t key[64] = { 0 };
	struct kf_error e;

	for (size_t n = 0; n <= sizeof(key); n++)
		if (n != 16 && n != 24 && n != 32)
			EXPECT_EQ(-EINVAL, kf_byok_target_from_raw(key, n, &target, &e));
	EXPECT_STREQ("there are 64 bytes in it", e.why);
}

TEST(nothing_is_wrapped_for_a_kek_nobody_vouches_for)
{
	struct receiver r = receiver_of(KF_KEY_RSA_2048);
	struct kf_byok_target *target = aes_target(32);
	struct kf_byok_plan plan = plan_of(KF_BYOK_AZURE);
	struct kf_error e = KF_ERROR_INIT;
	uint8_t hash[KF_DIGEST_SIZE], *blob = NULL;
	size_t len = 0;

	EXPECT_EQ(KF_GRADE_NONE, kf_byok_kek_grade(r.kek));
	EXPECT_EQ(-EACCES, kf_byok_wrap(r.kek, target, &plan, &blob, &len, &e));
	EXPECT_STREQ("SECURITY section 8", e.rule);
	memcpy(hash, kf_byok_kek_hash(r.kek), sizeof(hash));
	hash[31] ^= 1;
	EXPECT_EQ(-EACCES, kf_byok_kek_expect(r.kek, hash, &e));
	EXPECT_EQ(-EACCES, kf_byok_wrap(r.kek, target, &plan, &blob, &len, &e));
	EXPECT_NULL(blob);
	hash[31] ^= 1;
	EXPECT_EQ(0, kf_byok_kek_expect(r.kek, hash, &e));
	EXPECT_EQ(KF_GRADE_U, kf_byok_kek_grade(r.kek));
	EXPECT_EQ(0, kf_byok_wrap(r.kek, target, &plan, &blob, &len, &e));
	EXPECT_EQ(256 + 40, len);
	free(blob);
	kf_byok_target_free(target);
	receiver_deinit(&r);
}

/* --- formats --- */

struct plan_row {
	enum kf_byok_format format;
	enum kf_key_type kek, target;
	enum kf_hash hash;
	enum kf_byok_mode mode;
	enum kf_hash settled;		/* KF_HASH_NONE: refused */
	enum kf_byok_mode settled_mode;
};

#define F KF_BYOK_MODE_FORMAT
#define H KF_BYOK_MODE_HYBRID
#define D KF_BYOK_MODE_DIRECT
#define NONE KF_HASH_NONE

TEST_TIMEOUT(byok_53_each_format_takes_what_its_receiver_takes, 60)
{
	static const struct plan_row rows[] = {
		{ KF_BYOK_AZURE, 1, KF_KEY_RSA_2048, 0, F, KF_HASH_SHA1, H },
		{ KF_BYOK_AZURE, 3, KF_KEY_AES_128, 0, F, KF_HASH_SHA1, H },
		{ KF_BYOK_AZURE, 1, KF_KEY_RSA_2048, KF_HASH_SHA256, F, KF_HASH_SHA256, H },
		{ KF_BYOK_AZURE, 1, KF_KEY_RSA_2048, KF_HASH_SHA512, F, NONE, F },
		{ KF_BYOK_AZURE, 1, KF_KEY_AES_256, 0, D, NONE, F },
		{ KF_BYOK_AWS, 1, KF_KEY_RSA_2048, 0, F, KF_HASH_SHA256, H },
		{ KF_BYOK_AWS, 1, KF_KEY_EC_P256, 0, F, KF_HASH_SHA256, H },
		{ KF_BYOK_AWS, 1, KF_KEY_EC_P256, KF_HASH_SHA1, D, KF_HASH_SHA1, D },
		{ KF_BYOK_AWS, 1, KF_KEY_AES_256, 0, F, KF_HASH_SHA256, D },
		{ KF_BYOK_AWS, 1, KF_KEY_AES_256, 0, H, NONE, F },
		{ KF_BYOK_AWS, 1, KF_KEY_AES_128, 0, F, NONE, F },
		{ KF_BYOK_AWS, 1, KF_KEY_RSA_2048, KF_HASH_SHA384, F, NONE, F },
		{ KF_BYOK_GCP, 2, KF_KEY_EC_P256, 0, F, KF_HASH_SHA256, H },
		{ KF_BYOK_GCP, 2, KF_KEY_AES_256, 0, F, KF_HASH_SHA256, H },
		{ KF_BYOK_GCP, 2, KF_KEY_AES_256, 0, D, KF_HASH_SHA256, D },
		{ KF_BYOK_GCP, 2, KF_KEY_AES_256, KF_HASH_SHA1, D, NONE, F },
		{ KF_BYOK_GCP, 1, KF_KEY_EC_P256, 0, F, NONE, F },
		{ KF_BYOK_VAULT, 3, KF_KEY_RSA_2048, 0, F, KF_HASH_SHA256, H },
		{ KF_BYOK_VAULT, 3, KF_KEY_RSA_2048, KF_HASH_SHA512, F, KF_HASH_SHA512, H },
		{ KF_BYOK_VAULT, 2, KF_KEY_RSA_2048, 0, F, NONE, F },
		{ KF_BYOK_VAULT, 3, KF_KEY_AES_256, 0, D, NONE, F },
		{ KF_BYOK_PKCS11, 1, KF_KEY_AES_192, 0, F, KF_HASH_SHA1, H },
		{ KF_BYOK_PKCS11, 1, KF_KEY_AES_192, KF_HASH_SHA384, D, KF_HASH_SHA384, D },
		{ (enum kf_byok_format)0, 1, KF_KEY_AES_192, 0, F, NONE, F },
	};
	struct receiver receivers[3];

	struct kf_byok_plan first = plan_of(KF_BYOK_AZURE);

	for (int i = 0; i < 3; i++) {
		receivers[i] = receiver_of((enum kf_key_type)(KF_KEY_RSA_2048 + i));
		EXPECT_EQ(-EACCES, kf_byok_plan_settle(&first, receivers[i].kek, KF_KEY_RSA_2048, NULL));
		kf_byok_kek_take_unattested(receivers[i].kek);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct plan_row *row = &rows[i];
		struct kf_byok_plan plan = plan_of(row->format);
		struct kf_error e = KF_ERROR_INIT;
		int r;

		plan.hash = row->hash;
		plan.mode = row->mode;
		r = kf_byok_plan_settle(&plan, receivers[row->kek - 1].kek, row->target, &e);
		if (r != (row->settled ? 0 : -EINVAL))
			TEST_FAIL("row %zu: %d %s", i, r, e.why);
		if (r == 0 && (plan.hash != row->settled || plan.mode != row->settled_mode))
			TEST_FAIL("row %zu: hash %d, mode %d", i, plan.hash, plan.mode);
	}
	for (int i = 0; i < 3; i++)
		receiver_deinit(&receivers[i]);
}

TEST(oaep_alone_is_refused_where_it_has_no_room)
{
	struct receiver r = receiver_of(KF_KEY_RSA_2048);
	struct kf_byok_target *p521 = pair_target(KF_KEY_EC_P521), *p256 = pair_target(KF_KEY_EC_P256);
	struct kf_byok_plan plan = plan_of(KF_BYOK_AWS);
	struct kf_error e = KF_ERROR_INIT;
	uint8_t *blob = NULL;
	size_t len = 0;

	plan.mode = KF_BYOK_MODE_DIRECT;
	kf_byok_kek_take_unattested(r.kek);
	EXPECT_EQ(-EMSGSIZE, kf_byok_wrap(r.kek, p521, &plan, &blob, &len, &e));
	EXPECT_NOT_NULL(strstr(e.why, "241 bytes long"));
	expect_opens(&r, p256, plan);
	kf_byok_target_free(p256);
	kf_byok_target_free(p521);
	receiver_deinit(&r);
}

TEST(the_formats_have_names)
{
	enum kf_byok_format format;

	for (int i = KF_BYOK_AZURE; i <= KF_BYOK_PKCS11; i++) {
		const char *name = kf_byok_format_name((enum kf_byok_format)i);

		ASSERT_NOT_NULL(name);
		EXPECT_EQ(0, kf_byok_format_from_name(name, &format));
		EXPECT_EQ(i, format);
	}
	EXPECT_EQ(-EINVAL, kf_byok_format_from_name("Azure", &format));
	EXPECT_NULL(kf_byok_format_name((enum kf_byok_format)6));
}

/* --- the outer form --- */

static struct kf_byok_label label_of(const char *kid)
{
	return (struct kf_byok_label){ .size = sizeof(struct kf_byok_label), .kid = kid,
				       .hash = KF_HASH_SHA1, .generator = "a test" };
}

TEST(a_byok_file_comes_back_as_it_was_written)
{
	struct kf_byok_label label = label_of(KID);
	uint8_t blob[272] = { 7 }, *text = NULL;
	struct kf_byok *byok = NULL;
	size_t len = 0, n = 0;

	ASSERT_EQ(0, kf_byok_write(KF_BYOK_AZURE, &label, blob, sizeof(blob), &text, &len, NULL));
	ASSERT_EQ(0, kf_byok_parse(text, len, 0, &byok, NULL));
	EXPECT_STREQ(KID, kf_byok_kid(byok));
	EXPECT_STREQ("a test", kf_byok_generator(byok));
	EXPECT_EQ(KF_HASH_SHA1, kf_byok_hash(byok));
	EXPECT_EQ(0, kf_byok_ignored(byok));
	EXPECT_BYTES_EQ(BYTES_OF(blob), BYTES(kf_byok_blob(byok, &n), 272));
	EXPECT_EQ(272, n);
	kf_byok_free(byok);
	EXPECT_EQ(-EINVAL, kf_byok_parse(text, len, 2, &byok, NULL));
	free(text);
	label.hash = KF_HASH_SHA256;
	ASSERT_EQ(0, kf_byok_write(KF_BYOK_AZURE, &label, blob, sizeof(blob), &text, &len, NULL));
	EXPECT_EQ(-EBADMSG, kf_byok_parse(text, len, 0, &byok, NULL));
	ASSERT_EQ(0, kf_byok_parse(text, len, KF_BYOK_NAMED_HASHES, &byok, NULL));
	EXPECT_EQ(KF_HASH_SHA256, kf_byok_hash(byok));
	kf_byok_free(byok);
	free(text);
}

TEST(byok_52_no_file_is_written_with_a_bad_identifier_or_blob)
{
	static const char *const bad[] = { NULL, "", "kek2048", "http://v/keys/k", "https://v/keys/../k" };
	struct kf_byok_label label = label_of(KID);
	uint8_t blob[4096 + 8] = { 7 }, *text = NULL;
	struct kf_error e = KF_ERROR_INIT;
	size_t len = 0;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct kf_byok_label other = label_of(bad[i]);

		EXPECT_EQ(-EINVAL, kf_byok_write(KF_BYOK_AZURE, &other, blob, 272, &text, &len, &e));
		EXPECT_STREQ("docs/byok.md 2", e.rule);
	}
	EXPECT_EQ(-EINVAL, kf_byok_write(KF_BYOK_AZURE, &label, blob, 264, &text, &len, &e));
	EXPECT_EQ(-EINVAL, kf_byok_write(KF_BYOK_AZURE, &label, blob, 273, &text, &len, &e));
	EXPECT_EQ(-EINVAL, kf_byok_write(KF_BYOK_AZURE, &label, blob, sizeof(blob), &text, &len, &e));
	EXPECT_NULL(text);
}

TEST(the_other_forms_are_bytes_and_base64)
{
	struct kf_byok_label label = label_of(NULL);
	uint8_t *out = NULL;
	size_t len = 0;

	ASSERT_EQ(0, kf_byok_write(KF_BYOK_AWS, &label, "\xfb\xff", 2, &out, &len, NULL));
	EXPECT_BYTES_EQ(BYTES("\xfb\xff", 2), BYTES(out, len));
	free(out);
	ASSERT_EQ(0, kf_byok_write(KF_BYOK_VAULT, &label, "\xfb\xff", 2, &out, &len, NULL));
	EXPECT_STREQ("+/8=\n", (char *)out);
	EXPECT_EQ(5, len);
	free(out);
}

/* --- opening, on a rig --- */

struct rig {
	struct receiver r;
	char *pem;
	uint8_t blob[4096];
	size_t len;
	struct kf_error e;
};

static void rig_init(struct rig *rig)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n;

	rig->r = receiver_of(KF_KEY_RSA_2048);
	ASSERT_EQ(1, PEM_write_bio_PrivateKey(bio, rig->r.key, NULL, NULL, 0, NULL, NULL));
	n = BIO_get_mem_data(bio, &text);
	rig->pem = calloc(1, (size_t)n + 1);	/* strndup() looks for a NUL that is not there */
	ASSERT_TRUE(rig->pem != NULL);
	memcpy(rig->pem, text, (size_t)n);
	BIO_free(bio);
}

static void rig_deinit(struct rig *rig)
{
	receiver_deinit(&rig->r);
	free(rig->pem);
}

/* What is inside @plain, under an AES key of @aes_len bytes. */
static void rig_seal(struct rig *rig, enum kf_hash hash, size_t aes_len, struct bytes plain)
{
	uint8_t aes[64] = { 3 };
	struct packer p = pack_begin(rig->blob, sizeof(rig->blob));

	ASSERT_EQ(0, oaep_wrap(rig->r.key, hash, BYTES(aes, aes_len), &p));
	if (aes_len == 16 || aes_len == 24 || aes_len == 32)
		ASSERT_EQ(0, kwp_wrap(BYTES(aes, aes_len), plain, &p));
	else
		pack_zero(&p, kwp_size(plain.n));
	rig->len = p.n;
}

static int rig_open(struct rig *rig, struct kf_byok_target **out)
{
	const struct kf_byok_unwrap_request q = {
		.size = sizeof(q), .kek = rig->pem, .kek_len = strlen(rig->pem), .hash = KF_HASH_SHA1,
		.blob = rig->blob, .blob_len = rig->len,
	};

	rig->e = (struct kf_error)KF_ERROR_INIT;
	return kf_byok_unwrap(&q, out, &rig->e);
}

static void expect_why(struct rig *rig, const char *word)
{
	struct kf_byok_target *target = NULL;

	EXPECT_EQ(-EBADMSG, rig_open(rig, &target));
	EXPECT_NULL(target);
	if (!strstr(rig->e.why, word))
		TEST_FAIL("not \"%s\": %s", word, rig->e.why);
}

static void expect_inside(struct rig *rig, struct bytes plain, enum kf_key_type type)
{
	struct kf_byok_target *target = NULL;

	rig_seal(rig, KF_HASH_SHA1, 32, plain);
	if (rig_open(rig, &target) != 0) {
		TEST_FAIL("%s", rig->e.why);
		return;
	}
	EXPECT_EQ(type, kf_byok_target_type(target));
	kf_byok_target_free(target);
}

TEST_TIMEOUT(a_rig_opens_what_a_card_would, 60)
{
	struct kf_byok_target *p256 = pair_target(KF_KEY_EC_P256);
	uint8_t padded[256] = { 0 };
	struct rig rig;

	rig_init(&rig);
	memcpy(padded, p256->plain.p, p256->plain.n);
	for (size_t zeros = 0; zeros <= 7; zeros++)
		expect_inside(&rig, BYTES(padded, p256->plain.n + zeros), KF_KEY_EC_P256);
	rig_seal(&rig, KF_HASH_SHA1, 32, BYTES(padded, p256->plain.n + 8));
	expect_why(&rig, "no AES key and no PKCS #8");
	expect_inside(&rig, BYTES(padded, 32), KF_KEY_AES_256);
	expect_inside(&rig, BYTES(padded, 16), KF_KEY_AES_128);
	for (size_t aes = 16; aes <= 24; aes += 8) {
		struct kf_byok_target *target = NULL;

		rig_seal(&rig, KF_HASH_SHA1, aes, secret_bytes(&p256->plain));
		EXPECT_EQ(0, rig_open(&rig, &target));
		kf_byok_target_free(target);
	}
	kf_byok_target_free(p256);
	rig_deinit(&rig);
}

TEST_TIMEOUT(byok_29_to_43_a_rig_says_what_is_wrong, 60)
{
	struct kf_byok_target *p256 = pair_target(KF_KEY_EC_P256);
	struct bytes good = secret_bytes(&p256->plain);
	uint8_t zeros[64] = { 0 };
	struct rig rig;

	rig_init(&rig);
	rig_seal(&rig, KF_HASH_SHA384, 32, good);
	expect_why(&rig, "with SHA-384, and not with SHA-1");
	rig_seal(&rig, KF_HASH_SHA1, 32, good);
	rig.blob[255] ^= 1;
	expect_why(&rig, "the RSA part does not open");
	rig_seal(&rig, KF_HASH_SHA1, 20, good);
	expect_why(&rig, "holds 20 bytes");
	rig_seal(&rig, KF_HASH_SHA1, 32, good);
	for (size_t i = 256; i < 408; i += 8) {
		rig.blob[i] ^= 0x80;
		expect_why(&rig, "RFC 5649");
		rig.blob[i] ^= 0x80;
	}
	rig.len = 300;
	expect_why(&rig, "no blob under a KEK of 2048 bits");
	rig_seal(&rig, KF_HASH_SHA1, 32, BYTES(zeros, 15));
	expect_why(&rig, "15 bytes");
	rig_seal(&rig, KF_HASH_SHA1, 32, BYTES(zeros, 48));
	expect_why(&rig, "no AES key and no PKCS #8");
	rig_seal(&rig, KF_HASH_SHA1, 32, BYTES("-----BEGIN PRIVATE KEY-----\nAAAAAAAA", 36));
	expect_why(&rig, "PEM");
	kf_byok_target_free(p256);
	rig_deinit(&rig);
}
