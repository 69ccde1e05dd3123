// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/byok/receipt_test.c - What proves an import, and that nothing else does. The card's DEVICE
 * key is ours here, so each field can be another one and the signature hold.
 */
#include "libserver/byok/kek.h"
#include "format/hash.h"
#include "format/kek_receipt.h"
#include "format/ossl.h"
#include "tests/keys/keys.h"
#include "tests/libserver/fakecard.h"

#define KID	"https://v/keys/k/0123456789abcdef0123456789abcdef"

FIXTURE(receipt)
{
	struct fakecard card, sibling;
	struct kf_byok_kek *kek;
	EVP_PKEY *key;			/* what was sent */
	uint8_t blob[408], spki[SPKI_MAX], spki_hash[KF_DIGEST_SIZE], der[2048];
	struct packer p;		/* the signed receipt */
	struct kek_receipt r;
	struct kf_byok_proof_request q;
	struct kf_byok_proof *proof;
	struct kf_error e;
};

FIXTURE_SETUP(receipt)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *kek = NULL;
	struct packer p = pack_begin(self->spki, sizeof(self->spki));

	fakecard_init(&self->card, NULL);
	fakecard_init_sibling(&self->sibling, &self->card, &(struct fakecard_style){ .serial = "FAKE-2" });
	ASSERT_EQ(0, some_key(KF_KEY_RSA_2048, &kek));
	ASSERT_EQ(0, key_spki(kek, &p));
	ASSERT_EQ(0, kf_byok_kek_new(self->spki, p.n, &self->kek, NULL));
	self->kek->trust = KEK_ATTESTED;
	self->kek->statement = (struct kek_statement){
		.level = KF_LEVEL_VIRTUAL, .serial = "FAKE-1", .kek_type = KF_KEY_RSA_2048,
		.origin = KF_ORIGIN_GENERATED, .container = 3, .name = KID, .hash = KF_HASH_SHA1,
		.key_types = { .n = 3, .v = { KF_KEY_EC_P256, KF_KEY_EC_P384, KF_KEY_AES_256 } },
		.purposes = { .n = 2, .v = { KF_PURPOSE_SIGN, KF_PURPOSE_CIPHER } },
	};
	ASSERT_EQ(0, sha256(blob_bytes(&self->card.cert_der), self->kek->statement.device));
	ASSERT_EQ(1, EVP_PKEY_up_ref(self->card.device_key));
	self->kek->device = self->card.device_key;

	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &self->key));
	p = pack_begin(self->spki, sizeof(self->spki));
	ASSERT_EQ(0, key_spki(self->key, &p));
	ASSERT_EQ(0, sha256(pack_done(&p), self->spki_hash));
	memset(self->blob, 0x3c, sizeof(self->blob));
	self->r = (struct kek_receipt){
		.serial = "FAKE-1", .kek_origin = KF_ORIGIN_GENERATED, .hash = KF_HASH_SHA1, .container = 5,
		.pin = KF_PIN_USER, .key_type = KF_KEY_EC_P256, .purpose = KF_PURPOSE_SIGN,
		.policy = { .pin_needed = true }, .origin = KF_ORIGIN_INJECTED_OPEN, .counter = 9,
		.evidence = pack_done(&p),
	};
	memcpy(self->r.device, self->kek->statement.device, KF_DIGEST_SIZE);
	memcpy(self->r.kek, self->kek->hash, KF_DIGEST_SIZE);
	ASSERT_EQ(0, sha256(BYTES_OF(self->blob), self->r.blob));
	self->q = (struct kf_byok_proof_request){
		.size = sizeof(self->q), .blob = self->blob, .blob_len = sizeof(self->blob), .kid = KID,
		.key_type = KF_KEY_EC_P256, .purpose = KF_PURPOSE_SIGN, .public_hash = self->spki_hash,
	};
}

FIXTURE_TEARDOWN(receipt)
{
	kf_byok_proof_free(self->proof);
	kf_byok_kek_free(self->kek);
	EVP_PKEY_free(self->key);
	fakecard_deinit(&self->sibling);
	fakecard_deinit(&self->card);
}

static void sign(struct fixture_receipt *self, EVP_PKEY *signer)
{
	uint8_t inner[1024], signature[ECDSA_SIG_MAX];
	struct packer p = pack_begin(inner, sizeof(inner)), sig = pack_begin(signature, sizeof(signature));

	kek_receipt_pack(&p, &self->r);
	ASSERT_EQ(0, pack_end(&p));
	ASSERT_EQ(0, ecdsa_sign(signer, pack_done(&p), BYTES_NONE, &sig));
	self->p = pack_begin(self->der, sizeof(self->der));
	signed_receipt_pack(&self->p, &(struct signed_receipt){ pack_done(&p), pack_done(&sig) });
	ASSERT_EQ(0, pack_end(&self->p));
}

static int verify(struct fixture_receipt *self)
{
	self->proof = kf_byok_proof_free(self->proof);
	self->e = (struct kf_error)KF_ERROR_INIT;
	self->q.receipt = self->der;
	self->q.receipt_len = self->p.n;
	return kf_byok_receipt_verify(self->kek, &self->q, &self->proof, &self->e);
}

static void expect_refused(struct fixture_receipt *self, const char *why)
{
	int r = verify(self);

	if (r != -EACCES || self->proof || !strstr(self->e.why, why))
		TEST_FAIL("%d, not \"%s\": %s", r, why, self->e.why);
	EXPECT_STREQ("the import is not proved", self->e.what);
	EXPECT_NE(0, strlen(self->e.rule));
	EXPECT_NE(0, strlen(self->e.next));
}

TEST_F(receipt, it_proves_a_key_pair)
{
	size_t n = 0;

	sign(self, self->card.device_key);
	ASSERT_EQ(0, verify(self));
	EXPECT_EQ((uint32_t)KF_KEY_EC_P256, kf_byok_proof_value(self->proof, KF_BYOK_PROOF_TYPE));
	EXPECT_EQ((uint32_t)KF_PURPOSE_SIGN, kf_byok_proof_value(self->proof, KF_BYOK_PROOF_PURPOSE));
	EXPECT_EQ(5u, kf_byok_proof_value(self->proof, KF_BYOK_PROOF_CONTAINER));
	EXPECT_EQ((uint32_t)KF_PIN_USER, kf_byok_proof_value(self->proof, KF_BYOK_PROOF_PIN));
	EXPECT_EQ(9u, kf_byok_proof_value(self->proof, KF_BYOK_PROOF_COUNTER));
	EXPECT_EQ((uint32_t)KF_GRADE_A_VIRTUAL, kf_byok_proof_value(self->proof, KF_BYOK_PROOF_GRADE));
	EXPECT_EQ(0u, kf_byok_proof_value(self->proof, (enum kf_byok_proof_fact)99));
	EXPECT_STREQ("FAKE-1", kf_byok_proof_serial(self->proof));
	EXPECT_BYTES_EQ(self->r.evidence, BYTES(kf_byok_proof_public(self->proof, &n), n));
	EXPECT_NULL(kf_byok_proof_check_value(self->proof));
	/* Nobody has to say what it should be. */
	self->q = (struct kf_byok_proof_request){
		.size = sizeof(self->q), .blob = self->blob, .blob_len = sizeof(self->blob),
	};
	EXPECT_EQ(0, verify(self));
	/* A file may name the KEK without its version. */
	self->q.kid = "HTTPS://v/keys/K";
	EXPECT_EQ(0, verify(self));
}

TEST_F(receipt, it_proves_an_aes_key)
{
	const struct key_mark mark = { .key_type = KF_KEY_AES_256, .check = { 1, 2, 3 } };
	uint8_t der[KEY_MARK_MAX], other[KF_CHECK_VALUE_SIZE] = { 1, 2, 4 };
	struct packer p = pack_begin(der, sizeof(der));
	size_t n = 1;

	key_mark_pack(&p, &mark);
	self->r.evidence = pack_done(&p);
	self->r.key_type = self->q.key_type = KF_KEY_AES_256;
	self->r.purpose = self->q.purpose = KF_PURPOSE_CIPHER;
	self->q.public_hash = NULL;
	self->q.check_value = mark.check;
	sign(self, self->card.device_key);
	ASSERT_EQ(0, verify(self));
	EXPECT_NULL(kf_byok_proof_public(self->proof, &n));
	EXPECT_EQ(0u, n);
	EXPECT_BYTES_EQ(BYTES_OF(mark.check), BYTES(kf_byok_proof_check_value(self->proof), KF_CHECK_VALUE_SIZE));
	self->q.check_value = other;
	expect_refused(self, "holds another key than was sent");
	self->q.check_value = NULL;
	self->q.public_hash = self->spki_hash;
	expect_refused(self, "holds another key than was sent");
}

/* Every field another one, and signed by the card all the same. */
TEST_F(receipt, each_field_counts)
{
	enum { DEVICE, SERIAL, KEK, KEK_ORIGIN, HASH, BLOB, TYPE, TYPE_ALLOWED, PURPOSE, PIN, NO_PIN, NO_PIN_BUT,
	       NOT_AFTER, ORIGIN, FACTORY, N_FIELDS };
	static const char *const why[N_FIELDS] = {
		[DEVICE] = "another device certificate", [SERIAL] = "another serial", [KEK] = "another KEK",
		[KEK_ORIGIN] = "contradicts its attestation", [HASH] = "contradicts its attestation",
		[BLOB] = "unwrapped another blob", [TYPE] = "does not allow", [TYPE_ALLOWED] = "another type",
		[PURPOSE] = "does not allow", [PIN] = "contradict each other", [NO_PIN] = "without a PIN",
		[NO_PIN_BUT] = "contradict each other", [NOT_AFTER] = "an end", [ORIGIN] = "came another way",
		[FACTORY] = "came another way",
	};
	const struct kek_receipt good = self->r;

	for (int field = 0; field < N_FIELDS; field++) {
		struct kek_receipt *r = &self->r;

		*r = good;
		r->device[31] ^= field == DEVICE;
		r->serial[5] = field == SERIAL ? '7' : r->serial[5];
		r->kek[0] ^= field == KEK;
		r->kek_origin = field == KEK_ORIGIN ? KF_ORIGIN_FACTORY : r->kek_origin;
		r->hash = field == HASH ? KF_HASH_SHA256 : r->hash;
		r->blob[8] ^= field == BLOB;
		r->key_type = field == TYPE ? KF_KEY_RSA_2048 : field == TYPE_ALLOWED ? KF_KEY_EC_P384 : r->key_type;
		r->purpose = field == PURPOSE ? KF_PURPOSE_DERIVE : r->purpose;
		r->pin = field == PIN || field == NO_PIN ? 0 : r->pin;
		r->policy.pin_needed = field != NO_PIN && field != NO_PIN_BUT;
		r->policy.not_after = field == NOT_AFTER ? 1 : 0;
		r->origin = field == ORIGIN ? KF_ORIGIN_GENERATED : field == FACTORY ? KF_ORIGIN_FACTORY : r->origin;
		sign(self, self->card.device_key);
		expect_refused(self, why[field]);
	}
	self->r = good;
	self->r.pin = 0;
	self->r.policy.pin_needed = false;
	self->q.allow_no_pin = 1;
	sign(self, self->card.device_key);
	EXPECT_EQ(0, verify(self));
}

TEST_F(receipt, another_key_than_was_sent_is_none)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *other = NULL;
	uint8_t spki[SPKI_MAX];
	struct packer p = pack_begin(spki, sizeof(spki));

	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &other));
	ASSERT_EQ(0, key_spki(other, &p));
	self->r.evidence = pack_done(&p);
	sign(self, self->card.device_key);
	expect_refused(self, "holds another key than was sent");
	self->q.public_hash = NULL;
	EXPECT_EQ(0, verify(self));
	/* Of another type than the receipt says, and none at all. */
	EVP_PKEY_free(other);
	ASSERT_EQ(0, key_generate(KF_KEY_EC_P384, &other));
	p = pack_begin(spki, sizeof(spki));
	ASSERT_EQ(0, key_spki(other, &p));
	self->r.evidence = pack_done(&p);
	sign(self, self->card.device_key);
	expect_refused(self, "public value in it is malformed");
	self->r.evidence = BYTES("\x30\x00", 2);
	sign(self, self->card.device_key);
	expect_refused(self, "public value in it is malformed");
}

TEST_F(receipt, what_was_asked_for_counts)
{
	sign(self, self->card.device_key);
	self->blob[0] ^= 1;
	expect_refused(self, "unwrapped another blob");
	self->blob[0] ^= 1;
	self->q.blob_len--;
	expect_refused(self, "unwrapped another blob");
	self->q.blob_len++;
	self->q.kid = "https://v/keys/other";
	expect_refused(self, "another KEK than " KID);
	self->q.kid = KID;
	self->q.key_type = KF_KEY_EC_P384;
	expect_refused(self, "another type");
	self->q.key_type = KF_KEY_EC_P256;
	self->q.purpose = KF_PURPOSE_DERIVE;
	expect_refused(self, "another use");
	self->q.purpose = KF_PURPOSE_SIGN;
	self->q.check_value = self->blob;
	expect_refused(self, "holds another key than was sent");
	self->q.check_value = NULL;
	self->q.size--;
	EXPECT_EQ(-EINVAL, verify(self));
}

TEST_F(receipt, only_the_card_that_attested_can_prove)
{
	sign(self, self->sibling.device_key);
	expect_refused(self, "signature does not hold");
	sign(self, self->card.device_key);
	self->kek->trust = KEK_FINGERPRINT;
	expect_refused(self, "no card has attested this KEK");
}

TEST_F(receipt, each_bit_counts)
{
	size_t n;

	sign(self, self->card.device_key);
	n = self->p.n;
	for (size_t bit = 0; bit < 8 * n; bit++) {
		int r;

		self->der[bit / 8] ^= (uint8_t)(1u << bit % 8);
		r = verify(self);
		if (r != -EBADMSG && r != -EACCES)
			TEST_FAIL("bit %zu: %d", bit, r);
		self->der[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (self->p.n = 0; self->p.n < n; self->p.n++)
		EXPECT_EQ(-EBADMSG, verify(self));
	EXPECT_EQ(0, verify(self));
}
