/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A key wrapped for a fleet, opened as a card opens it, and the answers by which it is believed.
 *
 * Faces: libserver/schsm/fleet.c libserver/schsm/ticket.c libserver/schsm/challenge.c
 * Faces: libserver/schsm/answer.c libserver/schsm/receipt.c libserver/json/fleet.c libserver/schsm/adopt.c
 */
#include "base/cleanup.h"
#include "format/aes.h"
#include "format/ossl.h"
#include "format/schsm/allowed.h"
#include "format/schsm/curve.h"
#include "format/schsm/cvc.h"
#include "format/schsm/dkek_blob.h"
#include "keyferry/server.h"
#include "libserver/json/fleet.h"
#include "tests/harness.h"
#include "tests/keys/keys.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <unistd.h>

FIXTURE(fleet)
{
	char dir[40], path[64], archive[64];
	struct kf_state *state;
	struct kf_fleet *fleet;
	struct dkek dkek;
	struct kf_error e;
	EVP_PKEY *key;
	struct kf_keypair *pair;
	struct kf_fleet_seal want;
	struct fleet_cargo cargo;
	struct dkek_key opened;
	struct fleet_receipt receipt;
};

FIXTURE_SETUP(fleet)
{
	uint8_t share[2][DKEK_SIZE];

	(void)snprintf(self->dir, sizeof(self->dir), "/tmp/kf-fleet-XXXXXX");
	ASSERT_NOT_NULL(mkdtemp(self->dir));
	(void)snprintf(self->path, sizeof(self->path), "%s/s", self->dir);
	(void)snprintf(self->archive, sizeof(self->archive), "%s/a", self->dir);
	ASSERT_EQ(0, kf_state_init(self->path, NULL, 0, &self->e));
	ASSERT_EQ(0, kf_state_open(self->path, NULL, 0, &self->state, &self->e));
	self->cargo = FLEET_CARGO_INIT;
	self->receipt = FLEET_RECEIPT_INIT;
	self->opened = DKEK_KEY_INIT;
	self->dkek = DKEK_INIT;
	ASSERT_EQ(0, dkek_init(&self->dkek));
	ASSERT_EQ(0, kf_fleet_new(&self->fleet, &self->e));
	for (size_t i = 0; i < 2; i++) {
		memset(share[i], 0x31 + 7 * (int)i, DKEK_SIZE);
		share[i][3] = 9;
		ASSERT_EQ(0, dkek_add_share(&self->dkek, BYTES_OF(share[i])));
		ASSERT_EQ(0, kf_fleet_add_share(self->fleet, share[i], DKEK_SIZE, &self->e));
	}
	self->want = (struct kf_fleet_seal){
		.size = sizeof(self->want), .fleet = self->fleet, .container = 7,
	};
}

FIXTURE_TEARDOWN(fleet)
{
	char line[80];

	kf_state_close(self->state);
	kf_fleet_free(self->fleet);
	kf_keypair_free(self->pair);
	EVP_PKEY_free(self->key);
	dkek_deinit(&self->dkek);
	dkek_key_deinit(&self->opened);
	fleet_cargo_deinit(&self->cargo);
	fleet_receipt_deinit(&self->receipt);
	(void)snprintf(line, sizeof(line), "rm -rf %s", self->dir);
	EXPECT_EQ(0, system(line));	/* NOLINT(cert-env33-c) */
}

static void take_pair(struct fixture_fleet *self, enum kf_key_type type)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *pem;
	long n;

	ASSERT_EQ(0, some_key(type, &self->key));
	ASSERT_EQ(1, PEM_write_bio_PrivateKey(bio, self->key, NULL, NULL, 0, NULL, NULL));
	n = BIO_get_mem_data(bio, &pem);
	ASSERT_EQ(0, kf_keypair_from_pem(pem, (size_t)n, NULL, 0, &self->pair, &self->e));
	BIO_free(bio);
	self->want.pair = self->pair;
}

static int seal(struct fixture_fleet *self)
{
	_cleanup_(freep) char *text = NULL;
	size_t len = 0;
	int r = kf_state_fleet_seal(self->state, &self->want, &text, &len, &self->e);

	if (r < 0)
		return r;
	fleet_cargo_deinit(&self->cargo);
	self->cargo = FLEET_CARGO_INIT;
	EXPECT_TRUE(fleet_is_cargo(BYTES(text, len)));
	EXPECT_FALSE(fleet_is_receipt(BYTES(text, len)));
	ASSERT_EQ(0, fleet_cargo_parse(BYTES(text, len), &self->cargo, &self->e));
	ASSERT_EQ(0, fleet_cargo_check(&self->cargo, &self->e));
	dkek_key_deinit(&self->opened);
	ASSERT_EQ(0, dkek_blob_open(&self->dkek, blob_bytes(&self->cargo.blob), &self->opened));
	return 0;
}

static struct bytes list_of(struct fixture_fleet *self)
{
	struct dkek_blob blob;

	ASSERT_EQ(0, dkek_blob_parse(blob_bytes(&self->cargo.blob), &blob));
	return blob.algorithms;
}

static int bring(struct fixture_fleet *self, struct bytes answer)
{
	struct kf_fleet_proof *proof = NULL;
	_cleanup_(freep) char *text = NULL;
	size_t len = 0;
	int r;

	memcpy(self->receipt.sid, self->cargo.sid, KF_SID_SIZE);
	self->receipt.container = self->cargo.container;
	ASSERT_EQ(0, blob_set(&self->receipt.answer, answer));
	ASSERT_EQ(0, fleet_receipt_write(&self->receipt, &text, &len, &self->e));
	EXPECT_TRUE(fleet_is_receipt(BYTES(text, len)));
	r = kf_state_fleet_receipt(self->state, text, len, &proof, &self->e);
	if (r == 0) {
		EXPECT_EQ(self->cargo.key_type, kf_fleet_proof_value(proof, KF_FLEET_PROOF_TYPE));
		EXPECT_EQ(self->cargo.purpose, kf_fleet_proof_value(proof, KF_FLEET_PROOF_PURPOSE));
		EXPECT_EQ(self->cargo.grade, kf_fleet_proof_value(proof, KF_FLEET_PROOF_GRADE));
		EXPECT_EQ(self->cargo.container, kf_fleet_proof_value(proof, KF_FLEET_PROOF_CONTAINER));
	}
	kf_fleet_proof_free(proof);
	return r;
}

/* A good answer is believed; with any byte changed, cut, or for another cargo it is not. */
static void expect_believed(struct fixture_fleet *self, struct bytes answer)
{
	uint8_t bent[FLEET_ANSWER_MAX];

	EXPECT_EQ(0, bring(self, answer));
	for (size_t i = 0; i < answer.n; i += 7) {
		memcpy(bent, answer.p, answer.n);
		bent[i] ^= 1;
		EXPECT_EQ(-EACCES, bring(self, BYTES(bent, answer.n)));
	}
	EXPECT_EQ(-EACCES, bring(self, BYTES(answer.p, answer.n - 1)));
	ASSERT_EQ(0, seal(self));
	EXPECT_EQ(-EACCES, bring(self, answer));
}

static struct bytes sign(struct fixture_fleet *self, uint8_t *buf, int padding)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx =
		EVP_PKEY_CTX_new_from_pkey(NULL, self->opened.pair, NULL);
	uint8_t digest[KF_DIGEST_SIZE];
	size_t n = FLEET_ANSWER_MAX;

	ASSERT_EQ(0, proof_digest(self->cargo.sid, self->cargo.input.p, blob_bytes(&self->cargo.blob),
				  digest));
	ASSERT_EQ(1, EVP_PKEY_sign_init(ctx));
	if (padding != 0)
		ASSERT_EQ(1, EVP_PKEY_CTX_set_rsa_padding(ctx, padding));
	if (padding == RSA_PKCS1_PSS_PADDING)
		ASSERT_EQ(1, EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST));
	ASSERT_EQ(1, EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()));
	ASSERT_EQ(1, EVP_PKEY_sign(ctx, buf, &n, digest, sizeof(digest)));
	return BYTES(buf, n);
}

TEST_F(fleet, an_rsa_key_signs)
{
	uint8_t buf[FLEET_ANSWER_MAX];

	take_pair(self, KF_KEY_RSA_2048);
	ASSERT_EQ(0, seal(self));
	EXPECT_EQ(1, EVP_PKEY_eq(self->key, self->opened.pair));
	EXPECT_EQ(KF_GRADE_U, self->cargo.grade);
	EXPECT_BYTES_EQ(allowed_by_default(KF_KEY_RSA_2048, KF_PURPOSE_SIGN), list_of(self));
	EXPECT_EQ(PROOF_SIGN_PKCS1, self->cargo.operation);
	expect_believed(self, sign(self, buf, RSA_PKCS1_PADDING));
}

TEST_F(fleet, an_rsa_key_signs_with_pss_if_it_may_no_more)
{
	static const uint8_t pss[] = { 0x40 };
	uint8_t buf[FLEET_ANSWER_MAX];

	take_pair(self, KF_KEY_RSA_2048);
	self->want.algorithms = pss;
	self->want.n_algorithms = 1;
	ASSERT_EQ(0, seal(self));
	EXPECT_BYTES_EQ(BYTES_OF(pss), list_of(self));
	expect_believed(self, sign(self, buf, RSA_PKCS1_PSS_PADDING));
}

TEST_F(fleet, an_ec_key_signs)
{
	uint8_t buf[FLEET_ANSWER_MAX];

	take_pair(self, KF_KEY_EC_P384);
	ASSERT_EQ(0, seal(self));
	expect_believed(self, sign(self, buf, 0));
}

/* What is no signature is sent as a hash for this cargo; the bare answer, which a forger could use, is none. */
static void expect_believed_as_hash(struct fixture_fleet *self, struct bytes answer)
{
	uint8_t sent[KF_DIGEST_SIZE];

	EXPECT_EQ(-EACCES, bring(self, answer));
	ASSERT_EQ(0, proof_answer(self->cargo.sid, answer, sent));
	expect_believed(self, BYTES_OF(sent));
}

TEST_F(fleet, an_rsa_key_decrypts)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	uint8_t buf[512];
	size_t n = sizeof(buf);

	take_pair(self, KF_KEY_RSA_3072);
	ASSERT_EQ(0, kf_keypair_set_purpose(self->pair, KF_PURPOSE_DECRYPT, &self->e));
	ASSERT_EQ(0, seal(self));
	EXPECT_EQ(PROOF_DECRYPT, self->cargo.operation);
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, self->opened.pair, NULL);
	ASSERT_EQ(1, EVP_PKEY_decrypt_init(ctx));
	ASSERT_EQ(1, EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING));
	ASSERT_EQ(1, EVP_PKEY_decrypt(ctx, buf, &n, self->cargo.input.p, self->cargo.input.n));
	expect_believed_as_hash(self, BYTES(buf, n));
}

TEST_F(fleet, an_ec_key_agrees)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *peer = NULL;
	struct curve curve;
	uint8_t buf[66];
	size_t n = sizeof(buf);

	take_pair(self, KF_KEY_EC_P521);
	ASSERT_EQ(0, kf_keypair_set_purpose(self->pair, KF_PURPOSE_DERIVE, &self->e));
	ASSERT_EQ(0, seal(self));
	EXPECT_EQ(PROOF_AGREE, self->cargo.operation);
	ASSERT_EQ(0, curve_of_key(self->opened.pair, &curve));
	ASSERT_EQ(0, curve_public_key(&curve, blob_bytes(&self->cargo.input), &peer));
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, self->opened.pair, NULL);
	ASSERT_EQ(1, EVP_PKEY_derive_init(ctx));
	ASSERT_EQ(1, EVP_PKEY_derive_set_peer(ctx, peer));
	ASSERT_EQ(1, EVP_PKEY_derive(ctx, buf, &n));
	expect_believed_as_hash(self, BYTES(buf, n));
}

TEST_F(fleet, an_aes_key_encrypts_or_decrypts)
{
	static const uint8_t aes[32] = { 5, 6, 7 }, zero[16], only_decrypt[] = { 0x11 };
	uint8_t buf[64];

	self->want.secret = aes;
	self->want.secret_len = sizeof(aes);
	for (int decrypt = 0; decrypt < 2; decrypt++) {
		struct packer p = pack_begin(buf, sizeof(buf));

		if (decrypt) {
			self->want.algorithms = only_decrypt;
			self->want.n_algorithms = 1;
		}
		ASSERT_EQ(0, seal(self));
		EXPECT_EQ(decrypt ? PROOF_CBC_DECRYPT : PROOF_CBC_ENCRYPT, self->cargo.operation);
		EXPECT_BYTES_EQ(BYTES_OF(aes), secret_bytes(&self->opened.secret));
		ASSERT_EQ(0, aes_cbc(BYTES_OF(aes), !decrypt, BYTES_OF(zero), blob_bytes(&self->cargo.input),
				     &p));
		expect_believed_as_hash(self, pack_done(&p));
	}
}

TEST_F(fleet, a_key_that_may_prove_nothing_proves_nothing)
{
	static const uint8_t aes[16] = { 1 }, cmac[] = { 0x18 };

	self->want.secret = aes;
	self->want.secret_len = sizeof(aes);
	self->want.algorithms = cmac;
	self->want.n_algorithms = 1;
	ASSERT_EQ(0, seal(self));
	EXPECT_EQ(PROOF_NONE, self->cargo.operation);
	EXPECT_EQ(-ENODATA, bring(self, BYTES("x", 1)));
}

TEST_F(fleet, a_key_that_could_leave_is_refused_unless_insisted)
{
	static const uint8_t with_wrap[] = { 0x30, 0x92 };

	take_pair(self, KF_KEY_EC_P256);
	self->want.algorithms = with_wrap;
	self->want.n_algorithms = 0;		/* the empty list */
	EXPECT_EQ(-EACCES, seal(self));
	EXPECT_NOT_NULL(strstr(self->e.why, "its list is empty"));
	self->want.n_algorithms = 2;
	EXPECT_EQ(-EACCES, seal(self));
	EXPECT_NOT_NULL(strstr(self->e.why, "WRAP (92)"));
	self->want.allow_rewrap = 1;
	EXPECT_EQ(0, seal(self));
	EXPECT_BYTES_EQ(BYTES_OF(with_wrap), list_of(self));
}

TEST_F(fleet, a_dkek_that_is_none_is_refused_and_one_that_is_known_is_grade_c)
{
	uint8_t share[DKEK_SIZE];

	take_pair(self, KF_KEY_EC_P256);
	for (uint8_t i = 0; i < DKEK_SIZE; i++)
		share[i] = i;
	self->fleet = kf_fleet_free(self->fleet);
	ASSERT_EQ(0, kf_fleet_new(&self->fleet, &self->e));
	self->want.fleet = self->fleet;
	EXPECT_NULL(kf_fleet_check_value(self->fleet));
	EXPECT_EQ(-EINVAL, seal(self));			/* no share */
	EXPECT_EQ(-EINVAL, kf_fleet_add_share(self->fleet, share, 31, &self->e));
	ASSERT_EQ(0, kf_fleet_add_share(self->fleet, share, DKEK_SIZE, &self->e));
	EXPECT_EQ(KF_GRADE_C, kf_fleet_grade(self->fleet));
	EXPECT_MEMEQ("\x63\x0d\xcd\x29", kf_fleet_check_value(self->fleet), 4);
	ASSERT_EQ(0, kf_fleet_add_share(self->fleet, share, DKEK_SIZE, &self->e));
	EXPECT_EQ(-EACCES, seal(self));			/* the same share twice */
	EXPECT_NOT_NULL(strstr(self->e.why, "cancel"));
}

TEST_F(fleet, a_host_that_saw_shares_makes_grade_c)
{
	take_pair(self, KF_KEY_EC_P256);
	EXPECT_EQ(KF_GRADE_U, kf_fleet_grade(self->fleet));
	kf_fleet_set_on_host(self->fleet, 1);
	ASSERT_EQ(0, seal(self));
	EXPECT_EQ(KF_GRADE_C, self->cargo.grade);
}

TEST_F(fleet, requests_that_make_no_sense_are_refused)
{
	static const uint8_t aes[17] = { 1 };
	const struct kf_fleet_seal good = self->want;

	EXPECT_EQ(-EINVAL, seal(self));			/* no key */
	take_pair(self, KF_KEY_EC_P256);
	self->want.container = 0;
	EXPECT_EQ(-EINVAL, seal(self));
	self->want.container = 254;
	EXPECT_EQ(-EINVAL, seal(self));
	self->want.container = 7;
	self->want.secret = aes;			/* two keys */
	EXPECT_EQ(-EINVAL, seal(self));
	self->want = good;
	self->want.secret = aes;
	self->want.secret_len = 17;
	EXPECT_EQ(-EINVAL, seal(self));
	self->want = good;
	self->want.pair = self->pair;
	self->want.serial = "not a serial";
	EXPECT_EQ(-EINVAL, seal(self));
	self->want.serial = NULL;
	self->want.label = "";
	EXPECT_EQ(-EINVAL, seal(self));
	self->want.label = NULL;
	self->want.size--;
	EXPECT_EQ(-EINVAL, seal(self));
}

TEST_F(fleet, a_receipt_of_another_card_container_or_cargo_is_refused)
{
	uint8_t buf[FLEET_ANSWER_MAX];
	struct bytes answer;

	take_pair(self, KF_KEY_EC_P256);
	self->want.serial = "SC-1";
	self->want.label = "my key";
	ASSERT_EQ(0, seal(self));
	EXPECT_STREQ("SC-1", self->cargo.serial);
	EXPECT_STREQ("my key", self->cargo.label);
	answer = sign(self, buf, 0);
	EXPECT_EQ(-EACCES, bring(self, answer));		/* no serial */
	(void)snprintf(self->receipt.serial, sizeof(self->receipt.serial), "SC-2");
	EXPECT_EQ(-EACCES, bring(self, answer));
	(void)snprintf(self->receipt.serial, sizeof(self->receipt.serial), "SC-1");
	EXPECT_EQ(0, bring(self, answer));
	self->cargo.container = 8;
	EXPECT_EQ(-EACCES, bring(self, answer));
	self->cargo.container = 7;
	self->cargo.sid[0] ^= 1;
	EXPECT_EQ(-ENOENT, bring(self, answer));
}

TEST_F(fleet, a_cargo_that_contradicts_its_blob_is_refused)
{
	take_pair(self, KF_KEY_EC_P256);
	ASSERT_EQ(0, seal(self));
	self->cargo.kcv[0] ^= 1;
	EXPECT_EQ(-EBADMSG, fleet_cargo_check(&self->cargo, &self->e));
	self->cargo.kcv[0] ^= 1;
	self->cargo.key_type = KF_KEY_RSA_2048;
	EXPECT_EQ(-EBADMSG, fleet_cargo_check(&self->cargo, &self->e));
	self->cargo.key_type = KF_KEY_EC_P256;
	self->cargo.operation = PROOF_NONE;
	EXPECT_EQ(-EBADMSG, fleet_cargo_check(&self->cargo, &self->e));
	self->cargo.operation = PROOF_SIGN_ECDSA;
	self->cargo.blob.n--;
	EXPECT_EQ(-EBADMSG, fleet_cargo_check(&self->cargo, &self->e));
	self->cargo.blob.n++;
	EXPECT_EQ(0, fleet_cargo_check(&self->cargo, &self->e));
}

/* --- what a card has wrapped --- */

/* The request for a certificate that lies beside a key, signed by it. */
static struct bytes request_of(EVP_PKEY *key, uint8_t *buf, size_t cap)
{
	struct cvc_key_store store;
	struct cvc_own_key own = { .key = key };
	struct cvc fields = { .chr = BYTES("DETEST00001", 11) };
	struct packer p = pack_begin(buf, cap);

	ASSERT_EQ(0, cvc_key_describe(key, CVC_NO_ALGORITHM, &store, &fields.key));
	own.algorithm = fields.key.algorithm;
	ASSERT_EQ(0, cvc_build(&fields, cvc_sign_with(&own), &p));
	return pack_done(&p);
}

static struct bytes wrapped_by_card(struct fixture_fleet *self, struct bytes list, uint8_t *buf, size_t cap)
{
	static const uint8_t random[DKEK_RANDOM_SIZE] = { 1 };
	struct dkek_key key = DKEK_KEY_INIT;		/* borrows */
	struct packer p = pack_begin(buf, cap);

	key.pair = self->key;
	ASSERT_EQ(0, dkek_type_of(self->key, &key.type));
	ASSERT_EQ(0, dkek_blob_make(&self->dkek, &key, list, random, &p));
	return pack_done(&p);
}

static int adopt(struct fixture_fleet *self, const struct kf_fleet_adopt *want)
{
	_cleanup_(freep) char *text = NULL;
	size_t len = 0;
	int r = kf_state_fleet_adopt(self->state, want, &text, &len, &self->e);

	if (r < 0)
		return r;
	fleet_cargo_deinit(&self->cargo);
	self->cargo = FLEET_CARGO_INIT;
	ASSERT_EQ(0, fleet_cargo_parse(BYTES(text, len), &self->cargo, &self->e));
	ASSERT_EQ(0, fleet_cargo_check(&self->cargo, &self->e));
	return dkek_blob_open(&self->dkek, blob_bytes(&self->cargo.blob), &self->opened);
}

TEST_F(fleet, a_key_that_a_card_wrapped_becomes_a_cargo_and_proves_itself)
{
	static const uint8_t list[] = { 0x70 };
	uint8_t blob[DKEK_BLOB_MAX], cert[CVC_MAX], buf[FLEET_ANSWER_MAX];
	struct bytes wrapped, beside, answer;

	take_pair(self, KF_KEY_EC_P256);
	wrapped = wrapped_by_card(self, BYTES_OF(list), blob, sizeof(blob));
	beside = request_of(self->key, cert, sizeof(cert));

	const struct kf_fleet_adopt want = {
		.size = sizeof(want), .blob = wrapped.p, .blob_len = wrapped.n, .cert = beside.p,
		.cert_len = beside.n, .container = 9, .label = "wrapped",
	};

	ASSERT_EQ(0, adopt(self, &want));
	EXPECT_EQ(KF_GRADE_U, self->cargo.grade);
	EXPECT_EQ(KF_PURPOSE_SIGN, self->cargo.purpose);
	EXPECT_BYTES_EQ(beside, blob_bytes(&self->cargo.certificate));
	answer = sign(self, buf, 0);
	EXPECT_EQ(0, bring(self, answer));
	buf[answer.n - 1] ^= 1;
	EXPECT_EQ(-EACCES, bring(self, answer));
}

TEST_F(fleet, what_a_card_wrapped_is_judged_like_what_we_wrap)
{
	static const uint8_t list[] = { 0x70 };
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *rsa = prepared_rsa(2048, 0);
	uint8_t blob[DKEK_BLOB_MAX], cert[CVC_MAX];
	struct kf_fleet_adopt want = { .size = sizeof(want), .container = 9 };
	struct bytes part;

	EXPECT_EQ(-EINVAL, adopt(self, &want));
	take_pair(self, KF_KEY_EC_P256);
	part = request_of(self->key, cert, sizeof(cert));
	want.cert = part.p;
	want.cert_len = part.n;
	part = wrapped_by_card(self, BYTES_NONE, blob, sizeof(blob));
	want.blob = part.p;
	want.blob_len = part.n;
	EXPECT_EQ(-EACCES, adopt(self, &want));		/* no list */
	want.allow_rewrap = 1;
	EXPECT_EQ(0, adopt(self, &want));
	want.allow_rewrap = 0;
	part = wrapped_by_card(self, BYTES_OF(list), blob, sizeof(blob));
	want.blob_len = part.n - 1;
	EXPECT_EQ(-EBADMSG, adopt(self, &want));
	want.blob_len = part.n;
	want.cert_len--;
	EXPECT_EQ(-EBADMSG, adopt(self, &want));
	part = request_of(rsa, cert, sizeof(cert));		/* of another kind of key */
	want.cert_len = part.n;
	EXPECT_EQ(-EBADMSG, adopt(self, &want));
	want.container = 0;
	EXPECT_EQ(-EINVAL, adopt(self, &want));
}

TEST_F(fleet, an_aes_key_that_a_card_wrapped_cannot_be_proved)
{
	static const uint8_t aes[16] = { 1 };
	struct kf_fleet_adopt want = { .size = sizeof(want), .container = 9, .cert = "x", .cert_len = 1 };

	self->want.secret = aes;
	self->want.secret_len = sizeof(aes);
	ASSERT_EQ(0, seal(self));
	want.blob = self->cargo.blob.p;
	want.blob_len = self->cargo.blob.n;
	EXPECT_EQ(-EOPNOTSUPP, adopt(self, &want));
}
