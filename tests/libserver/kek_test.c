// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/kek_test.c - Which public keys are KEKs, in which words others are not, and whose
 * word for one counts.
 *
 * Faces: libserver/byok/kek.c libserver/byok/attestation.c
 */
#include "libserver/byok/kek.h"
#include "format/hash.h"
#include "format/ossl.h"
#include "libserver/json/kek.h"
#include "tests/keys/keys.h"
#include "tests/libserver/fakecard.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>

enum key_form { FORM_SPKI, FORM_PKCS1, FORM_PRIVATE, FORM_CERTIFICATE };

static char *pem_of(EVP_PKEY *key, enum key_form form)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *text;
	int r = 0;
	long n;

	if (form == FORM_SPKI)
		r = PEM_write_bio_PUBKEY(bio, key);
	else if (form == FORM_PKCS1)
		r = PEM_ASN1_write_bio((i2d_of_void *)i2d_PublicKey, PEM_STRING_RSA_PUBLIC, bio, key,
				       NULL, NULL, 0, NULL, NULL);
	else if (form == FORM_PRIVATE)
		r = PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	ASSERT_EQ(1, r);
	n = BIO_get_mem_data(bio, &data);
	text = calloc(1, (size_t)n + 1);	/* strndup() looks for a NUL that is not there */
	ASSERT_TRUE(text != NULL);
	memcpy(text, data, (size_t)n);
	BIO_free(bio);
	return text;
}

static void expect_refused(const char *pem, int code, const char *word)
{
	struct kf_byok_kek *kek = NULL;
	struct kf_error e = KF_ERROR_INIT;
	int r = kf_byok_kek_new(pem, strlen(pem), &kek, &e);

	EXPECT_NULL(kek);
	if (r != code || !strstr(e.why, word))
		TEST_FAIL("%d, not \"%s\": %s", r, word, e.why);
	EXPECT_STREQ("cannot take the KEK", e.what);
	EXPECT_NE(0, strlen(e.next));
}

static void expect_key_refused(EVP_PKEY *key, enum key_form form, const char *word)
{
	char *pem = pem_of(key, form);

	expect_refused(pem, -EINVAL, word);
	free(pem);
	EVP_PKEY_free(key);
}

static EVP_PKEY *rsa_with(unsigned int bits, unsigned long exponent)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *e = BN_new();
	EVP_PKEY *key = NULL;

	ASSERT_EQ(1, BN_set_word(e, exponent));
	ASSERT_EQ(1, EVP_PKEY_keygen_init(ctx));
	ASSERT_EQ(1, EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits));
	ASSERT_EQ(1, EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, e));
	ASSERT_EQ(1, EVP_PKEY_generate(ctx, &key));
	BN_free(e);
	return key;
}

static EVP_PKEY *key_of(enum kf_key_type type)
{
	EVP_PKEY *key = NULL;

	ASSERT_EQ(0, some_key(type, &key));
	return key;
}

TEST(a_public_rsa_key_is_taken_as_pem_and_as_der)
{
	EVP_PKEY *key = key_of(KF_KEY_RSA_2048);
	char *pem = pem_of(key, FORM_SPKI);
	uint8_t spki[SPKI_MAX], hash[KF_DIGEST_SIZE];
	struct packer p = pack_begin(spki, sizeof(spki));
	struct kf_byok_kek *a = NULL, *b = NULL;

	ASSERT_EQ(0, key_spki(key, &p));
	ASSERT_EQ(0, sha256(pack_done(&p), hash));
	ASSERT_EQ(0, kf_byok_kek_new(pem, strlen(pem), &a, NULL));
	ASSERT_EQ(0, kf_byok_kek_new(spki, p.n, &b, NULL));
	EXPECT_EQ(KF_KEY_RSA_2048, kf_byok_kek_type(a));
	EXPECT_BYTES_EQ(BYTES_OF(hash), BYTES(kf_byok_kek_hash(a), KF_DIGEST_SIZE));
	EXPECT_BYTES_EQ(BYTES_OF(hash), BYTES(kf_byok_kek_hash(b), KF_DIGEST_SIZE));
	EXPECT_NULL(kf_byok_kek_name(a));
	kf_byok_kek_free(a);
	kf_byok_kek_free(b);
	EVP_PKEY_free(key);
	free(pem);
}

TEST_TIMEOUT(byok_52_what_is_no_kek_is_called_by_its_name, 60)
{
	EVP_PKEY *key = key_of(KF_KEY_RSA_2048);
	char *pem = pem_of(key, FORM_SPKI), *twice = NULL;

	expect_key_refused(key_of(KF_KEY_RSA_2048), FORM_PKCS1, "old PKCS #1 form");
	expect_key_refused(key_of(KF_KEY_RSA_2048), FORM_PRIVATE, "it is a private key");
	expect_key_refused(rsa_with(1024, 65537), FORM_SPKI, "1024 bits is too short");
	expect_key_refused(rsa_with(2048, 3), FORM_SPKI, "exponent is too small");
	expect_key_refused(rsa_with(2056, 65537), FORM_SPKI, "2056 bits");
	expect_key_refused(key_of(KF_KEY_EC_P256), FORM_SPKI, "not an RSA key");
	expect_refused("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", -EINVAL,
		       "certificate");
	expect_refused("-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----\n", -EBADMSG,
		       "not of a public key");
	expect_refused("-----BEGIN PUBLIC KEY-----\nA!\n-----END PUBLIC KEY-----\n", -EBADMSG, "base64");
	expect_refused("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", -EBADMSG,
		       "no public key in form");
	expect_refused("", -EBADMSG, "no whole PEM block");
	expect_refused("0", -EBADMSG, "no public key in form");
	ASSERT_LT(0, asprintf(&twice, "%s%s", pem, pem));
	expect_refused(twice, -EBADMSG, "more than one");
	free(twice);
	free(pem);
	EVP_PKEY_free(key);
}

/* --- attestation --- */

FIXTURE(attested)
{
	struct fakecard card, sibling;
	struct kf_server *server;
	EVP_PKEY *key, *other;
	struct kf_byok_kek *kek;
	struct kek_statement s;
	struct kf_error e;
};

FIXTURE_SETUP(attested)
{
	uint8_t spki[SPKI_MAX];
	struct packer p = pack_begin(spki, sizeof(spki));

	fakecard_init(&self->card, NULL);
	fakecard_init_sibling(&self->sibling, &self->card,
			      &(struct fakecard_style){ .serial = "FAKE-2" });
	ASSERT_EQ(0, kf_server_new(&self->server, NULL));
	kf_server_allow_virtual(self->server, 1);
	self->key = prepared_rsa(2048, 0);
	self->other = prepared_rsa(2048, 1);
	ASSERT_TRUE(self->key && self->other);
	ASSERT_EQ(0, key_spki(self->key, &p));
	ASSERT_EQ(0, kf_byok_kek_new(spki, p.n, &self->kek, NULL));
	self->s = (struct kek_statement){
		.level = KF_LEVEL_VIRTUAL, .serial = "FAKE-1", .kek_type = KF_KEY_RSA_2048,
		.origin = KF_ORIGIN_GENERATED, .container = 3, .name = "https://v/keys/k",
		.hash = KF_HASH_SHA256, .key_types = { .n = 2, .v = { KF_KEY_EC_P256, KF_KEY_AES_256 } },
		.purposes = { .n = 2, .v = { KF_PURPOSE_SIGN, KF_PURPOSE_CIPHER } },
	};
	ASSERT_EQ(0, sha256(blob_bytes(&self->card.cert_der), self->s.device));
	memcpy(self->s.kek, kf_byok_kek_hash(self->kek), KF_DIGEST_SIZE);
}

FIXTURE_TEARDOWN(attested)
{
	kf_byok_kek_free(self->kek);
	EVP_PKEY_free(self->key);
	EVP_PKEY_free(self->other);
	kf_server_free(self->server);
	fakecard_deinit(&self->sibling);
	fakecard_deinit(&self->card);
}

static struct kek_file file_of(struct fixture_attested *self, EVP_PKEY *signer, EVP_PKEY *key)
{
	struct kek_file file = KEK_FILE_INIT;
	uint8_t der[KEK_STATEMENT_MAX], signature[ECDSA_SIG_MAX], spki[SPKI_MAX], whole[2048];
	struct packer p = pack_begin(der, sizeof(der)), sig = pack_begin(signature, sizeof(signature));
	struct packer k = pack_begin(spki, sizeof(spki)), w = pack_begin(whole, sizeof(whole));

	kek_statement_pack(&p, &self->s);
	ASSERT_EQ(0, pack_end(&p));
	ASSERT_EQ(0, ecdsa_sign(signer, pack_done(&p), BYTES_NONE, &sig));
	ASSERT_EQ(0, key_spki(key, &k));
	signed_statement_pack(&w, &(struct signed_statement){ pack_done(&p), pack_done(&sig),
								      pack_done(&k) });
	ASSERT_EQ(0, blob_set(&file.statement, pack_done(&w)));
	ASSERT_EQ(0, blob_set(&file.device_certificate, blob_bytes(&self->card.cert_der)));
	(void)snprintf(file.serial, sizeof(file.serial), "%s", self->s.serial);
	(void)snprintf(file.name, sizeof(file.name), "%s", self->s.name);
	return file;
}

static int attest_file(struct fixture_attested *self, struct kek_file *file, const char *device)
{
	struct kf_byok_attestation a = {
		.size = sizeof(a), .root = self->card.root_der.p, .root_len = self->card.root_der.n,
		.device = device,
	};
	char *text = NULL;
	int r;

	ASSERT_EQ(0, kek_file_write(file, &text, &a.len, NULL));
	a.json = text;
	self->e = (struct kf_error)KF_ERROR_INIT;
	r = kf_byok_kek_attest(self->kek, self->server, &a, &self->e);
	free(text);
	kek_file_deinit(file);
	return r;
}

static int attest(struct fixture_attested *self)
{
	struct kek_file file = file_of(self, self->card.device_key, self->key);

	return attest_file(self, &file, "FAKE-1");
}

static void expect_why(struct fixture_attested *self, int r, const char *word)
{
	EXPECT_EQ(-EACCES, r);
	if (!strstr(self->e.why, word))
		TEST_FAIL("not \"%s\": %s", word, self->e.why);
	EXPECT_STREQ("cannot trust the KEK", self->e.what);
	EXPECT_EQ(KF_GRADE_NONE, kf_byok_kek_grade(self->kek));
}

TEST_F(attested, a_card_we_know_vouches_for_its_kek)
{
	struct kf_byok_plan plan = { .size = sizeof(plan), .format = KF_BYOK_AZURE };
	struct kek_file file;
	char fingerprint[HEX_DIGEST_SIZE];

	EXPECT_EQ(0, attest(self));
	EXPECT_STREQ("", self->e.why);
	EXPECT_EQ(KF_GRADE_A_VIRTUAL, kf_byok_kek_grade(self->kek));
	EXPECT_STREQ("https://v/keys/k", kf_byok_kek_name(self->kek));
	/* From now on only what the card does is planned. */
	EXPECT_EQ(0, kf_byok_plan_settle(&plan, self->kek, KF_KEY_EC_P256, NULL));
	EXPECT_EQ(KF_HASH_SHA256, plan.hash);
	plan.hash = KF_HASH_SHA1;
	EXPECT_EQ(-EINVAL, kf_byok_plan_settle(&plan, self->kek, KF_KEY_EC_P256, &self->e));
	EXPECT_NOT_NULL(strstr(self->e.why, "with SHA-256, and not with SHA-1"));
	plan.hash = KF_HASH_NONE;
	EXPECT_EQ(-EINVAL, kf_byok_plan_settle(&plan, self->kek, KF_KEY_EC_P384, &self->e));
	EXPECT_NOT_NULL(strstr(self->e.why, "no key of type p384"));
	hex_print(BYTES_OF(self->s.device), fingerprint);
	file = file_of(self, self->card.device_key, self->key);
	EXPECT_EQ(0, attest_file(self, &file, fingerprint));
}

TEST_F(attested, another_card_does_not)
{
	struct kek_file file = file_of(self, self->card.device_key, self->key);

	expect_why(self, attest_file(self, &file, "FAKE-2"), "it is of card FAKE-1");
	file = file_of(self, self->sibling.device_key, self->key);
	expect_why(self, attest_file(self, &file, "FAKE-1"), "signature does not hold");
	file = file_of(self, self->card.device_key, self->key);
	ASSERT_EQ(0, blob_set(&file.device_certificate, blob_bytes(&self->sibling.cert_der)));
	expect_why(self, attest_file(self, &file, "FAKE-2"), "signature does not hold");
	kf_server_allow_virtual(self->server, 0);
	expect_why(self, attest(self), "virtual");
}

TEST_F(attested, nor_for_another_key)
{
	struct kek_file file = file_of(self, self->card.device_key, self->other);

	expect_why(self, attest_file(self, &file, "FAKE-1"), "another key");
	self->s.kek[0] ^= 1;
	expect_why(self, attest(self), "another key");
	self->s.kek[0] ^= 1;
	self->s.kek_type = KF_KEY_RSA_3072;
	expect_why(self, attest(self), "another key");
}

TEST_F(attested, nor_against_its_certificate)
{
	self->s.level = KF_LEVEL_CHIP;
	expect_why(self, attest(self), "certificate contradicts");
	self->s.level = KF_LEVEL_VIRTUAL;
	self->s.device[5] ^= 1;
	expect_why(self, attest(self), "certificate contradicts");
	self->s.device[5] ^= 1;
	(void)snprintf(self->s.serial, sizeof(self->s.serial), "FAKE-3");
	expect_why(self, attest(self), "certificate contradicts");
}

TEST_F(attested, nor_for_one_that_was_known_outside)
{
	self->s.origin = KF_ORIGIN_FACTORY;
	expect_why(self, attest(self), "loaded into the card from outside");
}

TEST_F(attested, copies_have_to_be_the_same)
{
	struct kek_file file = file_of(self, self->card.device_key, self->key);

	(void)snprintf(file.name, sizeof(file.name), "https://v/keys/other");
	expect_why(self, attest_file(self, &file, "FAKE-1"), "serial or name");
	file = file_of(self, self->card.device_key, self->key);
	(void)snprintf(file.serial, sizeof(file.serial), "FAKE-9");
	expect_why(self, attest_file(self, &file, "FAKE-1"), "serial or name");
}

TEST_F(attested, what_is_not_in_form_is_not_even_weighed)
{
	struct kek_file file = file_of(self, self->card.device_key, self->key);
	struct kf_byok_attestation none = { .size = sizeof(none), .json = "{}", .len = 2 };

	file.statement.n--;
	EXPECT_EQ(-EBADMSG, attest_file(self, &file, "FAKE-1"));
	EXPECT_EQ(-EINVAL, kf_byok_kek_attest(self->kek, self->server, &none, &self->e));
	none.root = self->card.root_der.p;
	none.root_len = self->card.root_der.n;
	none.device = "FAKE-1";
	EXPECT_EQ(-EBADMSG, kf_byok_kek_attest(self->kek, self->server, &none, &self->e));
	EXPECT_EQ(KF_GRADE_NONE, kf_byok_kek_grade(self->kek));
}
