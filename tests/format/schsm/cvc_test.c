/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Certificates made here and read back; tests/peer has certificates that another implementation made.
 *
 * Faces: format/schsm/cvc_key.c
 */
#include "format/schsm/cvc.h"
#include "format/der.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "tests/format/mutate.h"
#include "tests/format/schsm/hex.h"
#include "tests/keys/keys.h"

FIXTURE(cvc)
{
	EVP_PKEY *issuer, *holder;
	struct cvc_own_key issuer_key, holder_key;
	struct cvc_key_store store;
	struct cvc fields, cvc;
	uint8_t buf[CVC_MAX];
	struct packer p;
};

FIXTURE_VARIANT(cvc)
{
	const char *issuer, *holder;
	enum cvc_algorithm algorithm;
};

FIXTURE_VARIANT_ADD(cvc, brainpool) { "brainpoolP256r1", "brainpoolP256r1", CVC_ECDSA_SHA256 };
FIXTURE_VARIANT_ADD(cvc, p256_sha1) { "prime256v1", "prime256v1", CVC_ECDSA_SHA1 };
FIXTURE_VARIANT_ADD(cvc, p521_sha512) { "secp521r1", "prime256v1", CVC_ECDSA_SHA512 };
FIXTURE_VARIANT_ADD(cvc, p384_sha384) { "secp384r1", "secp521r1", CVC_ECDSA_SHA384 };
FIXTURE_VARIANT_ADD(cvc, rsa_v15) { NULL, "secp256k1", CVC_RSA_V15_SHA256 };
FIXTURE_VARIANT_ADD(cvc, rsa_pss) { NULL, NULL, CVC_RSA_PSS_SHA256 };

/* @rsa: which of the prepared ones, without a group. */
static EVP_PKEY *pair_on(const char *group, unsigned int rsa)
{
	EVP_PKEY *key = group ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", group) : prepared_rsa(2048, rsa);

	ASSERT_NOT_NULL(key);
	return key;
}

static const uint8_t from[] = { 2, 6, 0, 1, 0, 1 }, to[] = { 3, 6, 1, 2, 3, 1 };
/* [TR-03110-3 C.4]: a role of terminals, and one byte of rights */
static const uint8_t chat[] = { 0x06, 0x09, 0x04, 0x00, 0x7f, 0x00, 0x07, 0x03,
				0x01, 0x02, 0x02, 0x53, 0x01, 0x00 };
static const uint8_t extension[] = { 0x73, 0x07, 0x06, 0x03, 0x2b, 0x06, 0x01, 0x80, 0x00 };

FIXTURE_SETUP(cvc)
{
	self->issuer = pair_on(variant->issuer, 0);
	self->holder = pair_on(variant->holder, 1);
	self->issuer_key = (struct cvc_own_key){ self->issuer, variant->algorithm };
	self->fields = (struct cvc){
		.car = BYTES("DETESTCA00001", 13),
		.chr = BYTES("DETEST0100001", 13),
		.chat = BYTES_OF(chat),
		.from = BYTES_OF(from),
		.to = BYTES_OF(to),
	};
	ASSERT_EQ(0, cvc_key_describe(self->holder, CVC_NO_ALGORITHM, &self->store, &self->fields.key));
	self->holder_key = (struct cvc_own_key){ self->holder, self->fields.key.algorithm };
	self->p = pack_begin(self->buf, sizeof(self->buf));
}

FIXTURE_TEARDOWN(cvc)
{
	EVP_PKEY_free(self->issuer);
	EVP_PKEY_free(self->holder);
}

static void build(struct fixture_cvc *self)
{
	ASSERT_EQ(0, cvc_build(&self->fields, cvc_sign_with(&self->issuer_key), &self->p));
	ASSERT_EQ(0, cvc_parse(pack_done(&self->p), &self->cvc));
}

static void make_request(struct fixture_cvc *self)
{
	self->fields.chat = self->fields.from = self->fields.to = BYTES_NONE;
	ASSERT_EQ(0, cvc_build(&self->fields, cvc_sign_with(&self->holder_key), &self->p));
	ASSERT_EQ(0, cvc_parse(pack_done(&self->p), &self->cvc));
}

TEST_F(cvc, a_certificate_comes_back_field_by_field)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;

	self->fields.extensions = BYTES_OF(extension);
	build(self);
	EXPECT_BYTES_EQ(self->fields.car, self->cvc.car);
	EXPECT_BYTES_EQ(self->fields.chr, self->cvc.chr);
	EXPECT_BYTES_EQ(self->fields.chat, self->cvc.chat);
	EXPECT_BYTES_EQ(self->fields.from, self->cvc.from);
	EXPECT_BYTES_EQ(self->fields.to, self->cvc.to);
	EXPECT_BYTES_EQ(self->fields.extensions, self->cvc.extensions);
	EXPECT_BYTES_EQ(pack_done(&self->p), self->cvc.whole);
	EXPECT_FALSE(cvc_is_request(&self->cvc));
	ASSERT_EQ(0, cvc_key_load(&self->cvc.key, NULL, &key));
	EXPECT_EQ(1, EVP_PKEY_eq(self->holder, key));
	EXPECT_EQ(0, cvc_verify(&self->cvc, self->issuer, variant->algorithm));
}

TEST_F(cvc, a_signature_over_another_body_is_refused)
{
	build(self);
	((uint8_t *)(uintptr_t)self->cvc.chr.p)[3] ^= 1;
	EXPECT_EQ(-EBADMSG, cvc_verify(&self->cvc, self->issuer, variant->algorithm));
	((uint8_t *)(uintptr_t)self->cvc.chr.p)[3] ^= 1;
	EXPECT_EQ(0, cvc_verify(&self->cvc, self->issuer, variant->algorithm));
	((uint8_t *)(uintptr_t)self->cvc.signature.p)[self->cvc.signature.n - 1] ^= 1;
	EXPECT_EQ(-EBADMSG, cvc_verify(&self->cvc, self->issuer, variant->algorithm));
}

TEST_F(cvc, a_signature_of_another_length_is_refused)
{
	build(self);
	self->cvc.signature.n++;		/* into what is left of the buffer */
	EXPECT_EQ(-EBADMSG, cvc_verify(&self->cvc, self->issuer, variant->algorithm));
	self->cvc.signature.n -= 2;
	EXPECT_EQ(-EBADMSG, cvc_verify(&self->cvc, self->issuer, variant->algorithm));
	self->cvc.signature = BYTES_NONE;
	EXPECT_EQ(-EBADMSG, cvc_verify(&self->cvc, self->issuer, variant->algorithm));
}

TEST_F(cvc, another_algorithm_than_the_issuers_is_refused)
{
	bool rsa = variant->issuer == NULL;

	build(self);
	EXPECT_EQ(-EINVAL, cvc_verify(&self->cvc, self->issuer,
				      rsa ? CVC_ECDSA_SHA256 : CVC_RSA_V15_SHA256));
	EXPECT_EQ(-EINVAL, cvc_verify(&self->cvc, self->issuer, CVC_NO_ALGORITHM));
	EXPECT_EQ(-EBADMSG, cvc_verify(&self->cvc, self->issuer,
				       rsa ? CVC_RSA_V15_SHA1 : CVC_ECDSA_SHA224));
}

/* A signer that has signed already. */
static int give(void *context, struct bytes text, struct packer *signature)
{
	(void)text;
	pack_bytes(signature, *(struct bytes *)context);
	return 0;
}

/* Written again from the fields alone, so that no field has a second form. */
static int again(struct bytes der, struct packer *p)
{
	struct cvc cvc;
	int r = cvc_parse(der, &cvc);

	return r < 0 ? r : cvc_build(&cvc, (struct cvc_signer){ give, &cvc.signature }, p);
}

static int voucher_again(struct bytes der, struct packer *p)
{
	uint8_t buf[CVC_MAX];
	struct packer request = pack_begin(buf, sizeof(buf));
	struct cvc_voucher voucher;
	int r = cvc_voucher_parse(der, &voucher);

	if (r < 0)
		return r;
	ASSERT_EQ(0, again(voucher.request.whole, &request));
	return cvc_voucher_build(pack_done(&request), voucher.car,
				 (struct cvc_signer){ give, &voucher.signature }, p);
}

TEST_F(cvc, no_truncation_is_taken)
{
	self->fields.extensions = BYTES_OF(extension);
	build(self);
	expect_strict(pack_done(&self->p), again);
	pack_u8(&self->p, 0);
	EXPECT_EQ(-EBADMSG, cvc_parse(pack_done(&self->p), &self->cvc));
}

TEST_F(cvc, a_voucher_comes_back_and_both_signatures_count)
{
	struct cvc_voucher voucher;
	uint8_t whole[CVC_MAX], *at;
	struct packer p = pack_begin(whole, sizeof(whole));

	make_request(self);
	ASSERT_EQ(0, cvc_voucher_build(pack_done(&self->p), BYTES("DETESTDEV", 9),
				       cvc_sign_with(&self->issuer_key), &p));
	ASSERT_EQ(0, cvc_voucher_parse(pack_done(&p), &voucher));
	EXPECT_BYTES_EQ(BYTES("DETESTDEV", 9), voucher.car);
	EXPECT_TRUE(cvc_is_request(&voucher.request));
	EXPECT_EQ(0, cvc_voucher_verify(&voucher, self->issuer, variant->algorithm));
	expect_strict(pack_done(&p), voucher_again);

	at = (uint8_t *)(uintptr_t)voucher.car.p;
	*at ^= 1;					/* the outer name is signed, too */
	EXPECT_EQ(-EBADMSG, cvc_voucher_verify(&voucher, self->issuer, variant->algorithm));
	*at ^= 1;
	EXPECT_EQ(0, cvc_voucher_verify(&voucher, self->issuer, variant->algorithm));
}

TEST_F(cvc, a_voucher_for_a_key_that_did_not_sign_is_refused)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *other = pair_on(variant->holder, 0);
	struct cvc_voucher voucher;
	uint8_t whole[CVC_MAX];
	struct packer p = pack_begin(whole, sizeof(whole));

	self->holder_key.key = other;
	make_request(self);
	ASSERT_EQ(0, cvc_voucher_build(pack_done(&self->p), BYTES("DETESTDEV", 9),
				       cvc_sign_with(&self->issuer_key), &p));
	ASSERT_EQ(0, cvc_voucher_parse(pack_done(&p), &voucher));
	EXPECT_EQ(-EBADMSG, cvc_voucher_verify(&voucher, self->issuer, variant->algorithm));
}

TEST_F(cvc, a_certificate_is_no_request_to_vouch_for)
{
	uint8_t whole[CVC_MAX];
	struct packer p = pack_begin(whole, sizeof(whole));
	struct cvc_voucher voucher;
	struct der_mark mark;

	build(self);
	EXPECT_EQ(-EINVAL, cvc_voucher_build(pack_done(&self->p), BYTES("X", 1),
					     cvc_sign_with(&self->issuer_key), &p));
	mark = der_begin(&p, 0x67);
	pack_bytes(&p, pack_done(&self->p));
	der_put(&p, 0x42, BYTES("X", 1));
	der_put(&p, 0x5f37, BYTES("12", 2));
	der_end(&p, mark);
	EXPECT_EQ(-EBADMSG, cvc_voucher_parse(pack_done(&p), &voucher));
}

/* As EF.C_DevAut has them: the device's and its issuer's. */
TEST_F(cvc, two_in_a_row_are_taken_one_by_one)
{
	struct unpacker u;

	build(self);
	ASSERT_EQ(0, cvc_build(&self->fields, cvc_sign_with(&self->issuer_key), &self->p));
	EXPECT_EQ(-EBADMSG, cvc_parse(pack_done(&self->p), &self->cvc));
	u = unpack_begin(pack_done(&self->p));
	EXPECT_EQ(0, cvc_take(&u, &self->cvc));
	EXPECT_EQ(0, cvc_take(&u, &self->cvc));
	EXPECT_EQ(0, cvc_verify(&self->cvc, self->issuer, variant->algorithm));
	EXPECT_EQ(0, unpack_end(&u));
	EXPECT_EQ(-EBADMSG, cvc_take(&u, &self->cvc));
}

TEST_F(cvc, an_extension_is_found_once)
{
	static const uint8_t oid[] = { 0x2b, 0x06, 0x01 }, other[] = { 0x2b, 0x06, 0x02 };
	static const uint8_t value[] = { 0x80, 0x00 };
	uint8_t twice[2 * sizeof(extension)];
	struct bytes found;

	build(self);
	EXPECT_EQ(-ENOENT, cvc_extension(&self->cvc, BYTES_OF(oid), &found));
	self->cvc.extensions = BYTES_OF(extension);
	EXPECT_EQ(-ENOENT, cvc_extension(&self->cvc, BYTES_OF(other), &found));
	ASSERT_EQ(0, cvc_extension(&self->cvc, BYTES_OF(oid), &found));
	EXPECT_BYTES_EQ(BYTES_OF(value), found);
	memcpy(twice, extension, sizeof(extension));
	memcpy(twice + sizeof(extension), extension, sizeof(extension));
	self->cvc.extensions = BYTES_OF(twice);
	EXPECT_EQ(-EBADMSG, cvc_extension(&self->cvc, BYTES_OF(oid), &found));
}

TEST_F(cvc, fields_that_make_no_certificate_are_not_written)
{
	static const uint8_t day[] = { 2, 6, 1, 13, 0, 1 };
	const struct cvc good = self->fields;
	struct cvc_signer signer = cvc_sign_with(&self->issuer_key);

	self->fields.chr = BYTES("12345678901234567", 17);
	EXPECT_EQ(-EINVAL, cvc_build(&self->fields, signer, &self->p));
	self->fields.chr = BYTES("DE\nTEST", 7);
	EXPECT_EQ(-EINVAL, cvc_build(&self->fields, signer, &self->p));
	self->fields.chr = BYTES_NONE;
	EXPECT_EQ(-EINVAL, cvc_build(&self->fields, signer, &self->p));
	self->fields = good;
	self->fields.car = BYTES_NONE;
	EXPECT_EQ(-EINVAL, cvc_build(&self->fields, signer, &self->p));
	self->fields = good;
	self->fields.to = BYTES_OF(day);
	EXPECT_EQ(-EINVAL, cvc_build(&self->fields, signer, &self->p));
	self->fields = good;
	self->fields.key.algorithm = (enum cvc_algorithm)0x0206;
	EXPECT_EQ(-EINVAL, cvc_build(&self->fields, signer, &self->p));
	self->fields = good;
	self->p = pack_begin(self->buf, 100);
	EXPECT_EQ(-EMSGSIZE, cvc_build(&self->fields, signer, &self->p));
}

TEST(curve_numbers_are_inherited_and_missed)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *pair = pair_on("brainpoolP256r1", 0), *key = NULL;
	struct cvc_key_store store;
	struct cvc_key whole, bare;

	ASSERT_EQ(0, cvc_key_describe(pair, CVC_NO_ALGORITHM, &store, &whole));
	bare = whole;
	bare.domain = (struct curve_claim){ 0 };
	EXPECT_EQ(-ENOKEY, cvc_key_load(&bare, NULL, &key));
	EXPECT_EQ(-ENOKEY, cvc_key_load(&bare, &bare, &key));
	ASSERT_EQ(0, cvc_key_load(&bare, &whole, &key));
	EXPECT_EQ(1, EVP_PKEY_eq(pair, key));
}

TEST(numbers_of_no_known_curve_are_refused)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *pair = pair_on("prime256v1", 0), *key = NULL;
	struct cvc_key_store store;
	struct cvc_key described;
	struct curve_claim claim;

	ASSERT_EQ(0, cvc_key_describe(pair, CVC_NO_ALGORITHM, &store, &described));
	store.curve.b[5] ^= 1;
	EXPECT_EQ(-EOPNOTSUPP, cvc_key_load(&described, NULL, &key));
	store.curve.b[5] ^= 1;
	claim = described.domain;
	described.domain.a = BYTES_NONE;	/* a blob may leave it out, a certificate not */
	EXPECT_EQ(-EOPNOTSUPP, cvc_key_load(&described, NULL, &key));
	described.domain = claim;
	/* (x, y) times a generator that somebody chose: the point is on the curve, the generator is none */
	store.curve.g[64] ^= 1;
	EXPECT_EQ(-EOPNOTSUPP, cvc_key_load(&described, NULL, &key));
}

TEST(an_rsa_key_that_is_none_is_refused)
{
	static uint8_t n[513];
	static const uint8_t three[] = { 3 }, four[] = { 4 }, one[] = { 1 }, nine[9] = { 1, [8] = 1 };
	struct cvc_key key = { .algorithm = CVC_RSA_V15_SHA256 };
	EVP_PKEY *loaded = NULL;

	memset(n, 0xff, sizeof(n));
	key.n = BYTES(n, 128);
	key.e = BYTES_OF(three);
	ASSERT_EQ(0, cvc_key_load(&key, NULL, &loaded));
	EVP_PKEY_free(loaded);
	key.e = BYTES_OF(four);
	EXPECT_EQ(-EBADMSG, cvc_key_load(&key, NULL, &loaded));
	key.e = BYTES_OF(one);
	EXPECT_EQ(-EBADMSG, cvc_key_load(&key, NULL, &loaded));
	key.e = BYTES_OF(nine);
	EXPECT_EQ(-EBADMSG, cvc_key_load(&key, NULL, &loaded));
	key.e = BYTES_OF(three);
	key.n = BYTES(n, 127);
	EXPECT_EQ(-EBADMSG, cvc_key_load(&key, NULL, &loaded));
	key.n = BYTES(n, 513);
	EXPECT_EQ(-EBADMSG, cvc_key_load(&key, NULL, &loaded));
	n[127] = 0xfe;
	key.n = BYTES(n, 128);
	EXPECT_EQ(-EBADMSG, cvc_key_load(&key, NULL, &loaded));
}
