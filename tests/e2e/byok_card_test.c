/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/e2e/byok_card_test.c - A KEK made, keys wrapped for it and imported, through libkeyferry, broker,
 * driver, reader and card; and what stops each who may not.
 */
#include "format/hash.h"
#include "format/kek_receipt.h"
#include "format/kek_statement.h"
#include "format/ossl.h"
#include "tests/e2e/stage.h"
#include "tests/format/wrapping.h"
#include "tests/keys/keys.h"

#include <keyferry/keyferry.h>

#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#define READER "virtual:reader"
#define NAME "https://card.example/keys/kek/051928341be67dcba03f0e04104d9047"

struct party {
	struct kf_client *client;
	struct kf_context *context;
};

FIXTURE(byok)
{
	struct stage stage;
	char grants[2][64];
	struct party admin, user;
	EVP_PKEY *kek;
	uint32_t kek_at;
	uint8_t blob[WRAPPING_MAX];
};

static void party_join(struct stage *stage, uid_t uid, struct party *out)
{
	ASSERT_EQ(0, kf_client_new("byok-test", &out->client));
	ASSERT_EQ(0, kf_client_connect_fd(out->client, stage_dial(stage, uid)));
	ASSERT_EQ(0, kf_context_open(out->client, READER, 0, &out->context));
}

static void party_leave(struct party *party)
{
	party->context = kf_context_close(party->context);
	party->client = kf_client_free(party->client);
}

static int make_kek(struct fixture_byok *self, struct party *who, const char *puk, struct kf_blob **attestation)
{
	const struct kf_kek_spec spec = {
		.number = KF_CONTAINER_ANY, .key_type = KF_KEY_RSA_2048, .hash = KF_HASH_SHA1,
		.key_types = 1u << KF_KEY_RSA_2048 | 1u << KF_KEY_EC_P256K | 1u << KF_KEY_AES_256,
		.purposes = 1u << KF_PURPOSE_SIGN | 1u << KF_PURPOSE_CIPHER, .name = NAME,
	};

	return kf_kek_create(who->context, &spec, puk, strlen(puk), 0, &self->kek_at, attestation);
}

/* The public half out of the attestation, as a sender would take it. */
static EVP_PKEY *public_half(const struct kf_blob *attestation)
{
	struct signed_statement s;
	struct kek_statement statement;
	const uint8_t *at;

	ASSERT_EQ(0, signed_statement_parse(BYTES(kf_blob_data(attestation), kf_blob_size(attestation)), &s));
	ASSERT_EQ(0, kek_statement_parse(s.statement, &statement));
	EXPECT_STREQ(NAME, statement.name);
	EXPECT_EQ(KF_ORIGIN_GENERATED, statement.origin);
	at = s.key.p;
	return d2i_PUBKEY(NULL, &at, (long)s.key.n);
}

FIXTURE_SETUP(byok)
{
	struct rig *rig = &self->stage.rig;
	struct kf_blob *attestation = NULL;

	self->stage = (struct stage){ 0 };
	rig_open(rig);
	if (!rig_has_uids(rig))
		SKIP("needs root, to be several uids");
	rig_make_card(rig);
	(void)snprintf(self->grants[0], sizeof(self->grants[0]), "%u:look,use,inject",
		       (unsigned)rig->uid[RIG_STRANGER]);
	(void)snprintf(self->grants[1], sizeof(self->grants[1]), "%u:look,kek",
		       (unsigned)rig->uid[RIG_SERVER]);
	rig->service_args[0] = rig->service_args[2] = "--grant";
	rig->service_args[1] = self->grants[0];
	rig->service_args[3] = self->grants[1];
	rig_start(rig);
	party_join(&self->stage, rig->uid[RIG_SERVER], &self->admin);
	party_join(&self->stage, rig->uid[RIG_STRANGER], &self->user);
	ASSERT_EQ(0, make_kek(self, &self->admin, RIG_PUK, &attestation));
	self->kek = public_half(attestation);
	ASSERT_NOT_NULL(self->kek);
	kf_blob_free(attestation);
}

FIXTURE_TEARDOWN(byok)
{
	EVP_PKEY_free(self->kek);
	party_leave(&self->admin);
	party_leave(&self->user);
	rig_close(&self->stage.rig);
}

static size_t wrap(struct fixture_byok *self, struct bytes plain)
{
	const struct wrapping w = { .kek = self->kek };

	return wrapping_make(&w, plain, self->blob);
}

static size_t wrap_key(struct fixture_byok *self, EVP_PKEY *key)
{
	uint8_t plain[WRAPPING_MAX];

	return wrap(self, BYTES(plain, wrapping_pkcs8(key, plain)));
}

static int import(struct fixture_byok *self, enum kf_key_type type, enum kf_purpose purpose, const char *kid,
		  size_t n, struct kf_imported **out)
{
	const struct kf_byok_spec spec = {
		.kid = kid, .kek = KF_CONTAINER_ANY, .number = KF_CONTAINER_ANY, .key_type = type,
		.purpose = purpose,
	};

	return kf_byok_import(self->user.context, &spec, self->blob, n, out);
}

static void give_pin(struct fixture_byok *self)
{
	ASSERT_EQ(0, kf_pin_verify(self->user.context, KF_PIN_USER, RIG_PIN, strlen(RIG_PIN), 0));
}

static void expect_signature(struct fixture_byok *self, uint32_t number, EVP_PKEY *key, uint32_t padding)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	const uint8_t digest[32] = { 7 };
	struct kf_blob *sig = NULL;

	ASSERT_EQ(0, kf_sign(self->user.context, number, padding, KF_HASH_SHA256, digest, 32, &sig));
	ASSERT_EQ(1, EVP_PKEY_verify_init(ctx));
	ASSERT_EQ(1, EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()));
	EXPECT_EQ(1, EVP_PKEY_verify(ctx, kf_blob_data(sig), kf_blob_size(sig), digest, 32));
	kf_blob_free(sig);
}

static void expect_public(const struct kf_imported *imported, EVP_PKEY *key)
{
	uint8_t *der = NULL;
	int n = i2d_PUBKEY(key, &der);
	size_t len;
	const uint8_t *said = kf_imported_public_key(imported, &len);

	EXPECT_BYTES_EQ(BYTES(der, (size_t)n), BYTES(said, len));
	OPENSSL_free(der);
}

TEST_F_TIMEOUT(byok, wrapped_keys_come_in_and_work, 60)
{
	EVP_PKEY *rsa = prepared_rsa(2048, 0), *ec = EVP_EC_gen("secp256k1");
	struct kf_imported *imported = NULL;
	struct signed_receipt outer;
	struct kek_receipt receipt;
	const uint8_t *der;
	size_t n;

	give_pin(self);
	/* in other letters, without version, and the type told by the length */
	ASSERT_EQ(0, import(self, KF_KEY_NONE, KF_PURPOSE_SIGN, "HTTPS://card.example/keys/KEK",
			    wrap_key(self, rsa), &imported));
	EXPECT_EQ((uint32_t)KF_KEY_RSA_2048, kf_imported_value(imported, KF_IMPORTED_TYPE));
	EXPECT_EQ((uint32_t)KF_GRADE_A_VIRTUAL, kf_imported_value(imported, KF_IMPORTED_GRADE));
	EXPECT_EQ(self->kek_at, kf_imported_value(imported, KF_IMPORTED_KEK));
	expect_public(imported, rsa);
	der = kf_imported_receipt(imported, &n);
	ASSERT_EQ(0, signed_receipt_parse(BYTES(der, n), &outer));
	ASSERT_EQ(0, kek_receipt_parse(outer.receipt, &receipt));
	EXPECT_EQ(KF_ORIGIN_INJECTED_OPEN, receipt.origin);
	expect_signature(self, kf_imported_value(imported, KF_IMPORTED_NUMBER), rsa, KF_PADDING_PKCS1);
	imported = kf_imported_free(imported);

	ASSERT_EQ(0, import(self, KF_KEY_EC_P256K, KF_PURPOSE_SIGN, NAME, wrap_key(self, ec), &imported));
	expect_public(imported, ec);
	expect_signature(self, kf_imported_value(imported, KF_IMPORTED_NUMBER), ec, KF_PADDING_NONE);
	kf_imported_free(imported);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
}

TEST_F_TIMEOUT(byok, an_aes_key_comes_in_and_seals, 60)
{
	static const uint8_t key[32] = { 0 }, zero[16], check[] = { 0xdc, 0x95, 0xc0 };
	uint8_t iv[KF_GCM_IV_SIZE], tag[KF_GCM_TAG_SIZE];
	struct kf_imported *imported = NULL;
	struct kf_container *container = NULL;
	struct kf_blob *out = NULL, *back = NULL;
	uint32_t at;
	size_t n;

	give_pin(self);
	ASSERT_EQ(0, import(self, KF_KEY_NONE, KF_PURPOSE_CIPHER, NAME, wrap(self, BYTES_OF(key)), &imported));
	at = kf_imported_value(imported, KF_IMPORTED_NUMBER);
	EXPECT_MEMEQ(check, kf_imported_check_value(imported, &n), 3);
	EXPECT_NULL(kf_imported_public_key(imported, &n));
	ASSERT_EQ(0, kf_container_read(self->user.context, at, &container));
	EXPECT_MEMEQ(check, kf_container_check_value(container, &n), 3);
	EXPECT_NULL(kf_container_public_key(container, &n));
	EXPECT_EQ((uint32_t)KF_PURPOSE_CIPHER, kf_container_purpose(container));
	ASSERT_EQ(0, kf_aes_cbc(self->user.context, at, 0, zero, zero, 16, &out));
	EXPECT_MEMEQ(check, kf_blob_data(out), 3);	/* which is what a check value is */
	out = kf_blob_free(out);
	ASSERT_EQ(0, kf_aes_gcm_encrypt(self->user.context, at, (const uint8_t *)"aad", 3,
					(const uint8_t *)"secret", 6, iv, tag, &out));
	ASSERT_EQ(0, kf_aes_gcm_decrypt(self->user.context, at, iv, tag, (const uint8_t *)"aad", 3,
					kf_blob_data(out), kf_blob_size(out), &back));
	EXPECT_MEMEQ("secret", kf_blob_data(back), 6);
	back = kf_blob_free(back);
	tag[0] ^= 1;
	EXPECT_EQ(-EREMOTEIO, kf_aes_gcm_decrypt(self->user.context, at, iv, tag, (const uint8_t *)"aad", 3,
						 kf_blob_data(out), kf_blob_size(out), &back));
	EXPECT_EQ((uint32_t)KF_REASON_TAG, kf_client_reason(self->user.client));
	kf_blob_free(out);
	kf_imported_free(imported);
	kf_container_free(container);
}

static void expect_refused(struct fixture_byok *self, int want, uint32_t reason, uint32_t detail, int got)
{
	if (got != want || kf_client_reason(self->user.client) != reason ||
	    (detail != 0 && kf_client_detail(self->user.client) != detail))
		TEST_FAIL("%d, reason %u, detail %u; not %d, %u, %u", got, kf_client_reason(self->user.client),
			  kf_client_detail(self->user.client), want, reason, detail);
}

TEST_F_TIMEOUT(byok, what_does_not_fit_is_told_and_what_does_not_open_is_not, 60)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *ec = EVP_EC_gen("secp256k1"), *other = prepared_rsa(2048, 0);
	const struct wrapping wrong = { .kek = other };
	uint8_t plain[WRAPPING_MAX];
	size_t n = wrap_key(self, ec), pkcs8 = wrapping_pkcs8(ec, plain);
	struct kf_imported *imported = NULL;
	const enum kf_key_type t = KF_KEY_EC_P256K;

	expect_refused(self, -EPERM, KF_REASON_PIN_NEEDED, 0, import(self, t, KF_PURPOSE_SIGN, NAME, n, &imported));
	give_pin(self);
	expect_refused(self, -ENOENT, KF_REASON_BYOK, KF_BYOK_KEK_UNKNOWN,
		       import(self, t, KF_PURPOSE_SIGN, "https://other.example/keys/kek", n, &imported));
	expect_refused(self, -EINVAL, KF_REASON_BYOK, KF_BYOK_PURPOSE,
		       import(self, t, KF_PURPOSE_DERIVE, NAME, n, &imported));
	expect_refused(self, -EINVAL, KF_REASON_BYOK, KF_BYOK_KEY_TYPE,
		       import(self, KF_KEY_EC_P384, KF_PURPOSE_SIGN, NAME, n, &imported));
	expect_refused(self, -EINVAL, KF_REASON_BYOK, KF_BYOK_BLOB,
		       import(self, t, KF_PURPOSE_SIGN, NAME, n - 1, &imported));
	self->blob[n - 1] ^= 1;
	expect_refused(self, -EREMOTEIO, KF_REASON_BYOK_REFUSED, 0,
		       import(self, t, KF_PURPOSE_SIGN, NAME, n, &imported));
	do {	/* until C1 is below the KEK's modulus, too: else it is told early */
		n = wrapping_make(&wrong, BYTES(plain, pkcs8), self->blob);
	} while (self->blob[0] >= 0x80);
	expect_refused(self, -EREMOTEIO, KF_REASON_BYOK_REFUSED, 0,
		       import(self, t, KF_PURPOSE_SIGN, NAME, n, &imported));
	n = wrap_key(self, ec);
	ASSERT_EQ(0, kf_kek_set(self->admin.context, self->kek_at, KF_KEK_DISABLE, RIG_PUK, strlen(RIG_PUK), 0));
	expect_refused(self, -EINVAL, KF_REASON_BYOK, KF_BYOK_KEK_DISABLED,
		       import(self, t, KF_PURPOSE_SIGN, NAME, n, &imported));
	ASSERT_EQ(0, kf_kek_set(self->admin.context, self->kek_at, KF_KEK_ENABLE, RIG_PUK, strlen(RIG_PUK), 0));
	give_pin(self);			/* another client had a turn */
	EXPECT_EQ(0, import(self, t, KF_PURPOSE_SIGN, NAME, n, &imported));
	kf_imported_free(imported);
}

TEST_F_TIMEOUT(byok, a_kek_is_the_administrators, 60)
{
	struct kf_blob *attestation = NULL, *out = NULL;
	const uint8_t digest[32] = { 1 }, text[256] = { 2 };
	struct kf_keks *keks = NULL;

	/* not without the right, however well one knows the PUK */
	EXPECT_EQ(-EACCES, make_kek(self, &self->user, RIG_PUK, &attestation));
	EXPECT_EQ(KF_RIGHT_KEK, kf_client_detail(self->user.client));
	EXPECT_EQ(-EACCES, kf_kek_set(self->user.context, self->kek_at, KF_KEK_DELETE, RIG_PUK, strlen(RIG_PUK), 0));
	/* and not without the PUK */
	EXPECT_EQ(-EKEYREJECTED, kf_kek_set(self->admin.context, self->kek_at, KF_KEK_DELETE, "not-the-puk", 11, 0));
	EXPECT_EQ(-EEXIST, make_kek(self, &self->admin, RIG_PUK, &attestation));	/* the name is taken */
	/* it does nothing else for anybody */
	give_pin(self);
	EXPECT_EQ(-EREMOTEIO, kf_sign(self->user.context, self->kek_at, KF_PADDING_PKCS1, KF_HASH_SHA256, digest,
				      32, &out));
	EXPECT_EQ(-EREMOTEIO, kf_decrypt(self->user.context, self->kek_at, KF_PADDING_OAEP, KF_HASH_SHA1, text,
					 256, &out));
	ASSERT_EQ(0, kf_kek_list(self->user.context, &keks));
	ASSERT_EQ(1u, kf_keks_count(keks));
	EXPECT_STREQ(NAME, kf_kek_name(kf_keks_at(keks, 0)));
	kf_keks_free(keks);
	ASSERT_EQ(0, kf_kek_set(self->admin.context, self->kek_at, KF_KEK_DELETE, RIG_PUK, strlen(RIG_PUK), 0));
	EXPECT_EQ(-ENOENT, kf_kek_attest(self->user.context, self->kek_at, &out));
}
