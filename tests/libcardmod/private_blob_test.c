// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libcardmod/private_blob_test.c - Key pairs in all the interface's forms come out as one and
 * the same PrivateKeyInfo, which OpenSSL reads and the server library takes.
 */
#include "libcardmod/private_blob.h"
#include "keyferry/server.h"
#include "tests/keys/keys.h"
#include "tests/libcardmod/blobs.h"

FIXTURE(blob)
{
	EVP_PKEY *key;
	uint8_t buf[BLOB_MAX];
	struct packer p;
	struct secret der;
};

FIXTURE_SETUP(blob)
{
	self->p = pack_begin(self->buf, sizeof(self->buf));
	ASSERT_EQ(0, secret_init(&self->der, PRIVATE_BLOB_DER_MAX));
}

FIXTURE_TEARDOWN(blob)
{
	EVP_PKEY_free(self->key);
	secret_deinit(&self->der);
}

static void expect_key(struct fixture_blob *self, enum kf_key_type want)
{
	const uint8_t *at = self->der.p;
	enum kf_key_type type = KF_KEY_NONE;
	struct kf_keypair *pair = NULL;
	EVP_PKEY *read;

	ASSERT_EQ(0, private_blob_parse(pack_done(&self->p), &self->der, &type));
	EXPECT_EQ(want, type);
	at = self->der.p;
	read = d2i_AutoPrivateKey(NULL, &at, (long)self->der.n);
	ASSERT_NOT_NULL(read);
	EXPECT_EQ(1, EVP_PKEY_eq(self->key, read));
	EXPECT_EQ(0, kf_keypair_from_der(self->der.p, self->der.n, &pair, NULL));
	EXPECT_EQ(want, kf_keypair_type(pair));
	kf_keypair_free(pair);
	EVP_PKEY_free(read);
}

TEST_F(blob, capi_rsa)
{
	ASSERT_EQ(0, some_key(KF_KEY_RSA_2048, &self->key));
	blob_capi(self->key, &self->p);
	expect_key(self, KF_KEY_RSA_2048);
}

TEST_F(blob, cng_rsa_full)
{
	ASSERT_EQ(0, some_key(KF_KEY_RSA_2048, &self->key));
	blob_cng_rsa(self->key, true, &self->p);
	expect_key(self, KF_KEY_RSA_2048);
}

TEST_F(blob, cng_rsa_of_primes_alone_is_completed)
{
	ASSERT_EQ(0, some_key(KF_KEY_RSA_2048, &self->key));
	blob_cng_rsa(self->key, false, &self->p);
	expect_key(self, KF_KEY_RSA_2048);
}

TEST_F(blob, every_ec_form)
{
	static const struct {
		enum kf_key_type type;
		uint32_t magic;
		int size;
	} rows[] = {
		{ KF_KEY_EC_P256, 0x32534345, 32 }, { KF_KEY_EC_P256, 0x324b4345, 32 },
		{ KF_KEY_EC_P384, 0x34534345, 48 }, { KF_KEY_EC_P384, 0x344b4345, 48 },
		{ KF_KEY_EC_P521, 0x36534345, 66 }, { KF_KEY_EC_P521, 0x364b4345, 66 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		self->p.n = 0;
		secret_clear(&self->der);
		ASSERT_EQ(0, key_generate(rows[i].type, &self->key));
		blob_ec(self->key, rows[i].magic, rows[i].size, &self->p);
		expect_key(self, rows[i].type);
		EVP_PKEY_free(self->key);
		self->key = NULL;
	}
}

/* No length is believed: each shorter blob, and one byte more, is refused. */
static void expect_exact(struct fixture_blob *self, size_t step)
{
	enum kf_key_type type;

	for (size_t n = 0; n < self->p.n; n += step)
		EXPECT_EQ(-EBADMSG, private_blob_parse(BYTES(self->buf, n), &self->der, &type));
	self->buf[self->p.n] = 0;
	EXPECT_EQ(-EBADMSG, private_blob_parse(BYTES(self->buf, self->p.n + 1), &self->der, &type));
}

TEST_F(blob, a_blob_of_another_length_is_refused)
{
	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &self->key));
	blob_ec(self->key, 0x32534345, 32, &self->p);
	expect_exact(self, 1);
	EVP_PKEY_free(self->key);
	ASSERT_EQ(0, some_key(KF_KEY_RSA_2048, &self->key));
	self->p.n = 0;
	blob_capi(self->key, &self->p);
	expect_exact(self, 7);
	self->p.n = 0;
	blob_cng_rsa(self->key, true, &self->p);
	expect_exact(self, 7);
	self->p.n = 0;
	blob_cng_rsa(self->key, false, &self->p);
	expect_exact(self, 7);
}

static int with_le32(struct fixture_blob *self, size_t at, uint32_t value)
{
	struct packer p = pack_begin(self->buf + at, 4);
	enum kf_key_type type;

	pack_le32(&p, value);
	return private_blob_parse(pack_done(&self->p), &self->der, &type);
}

TEST_F(blob, sizes_and_numbers_out_of_range_are_refused)
{
	ASSERT_EQ(0, some_key(KF_KEY_RSA_2048, &self->key));
	blob_cng_rsa(self->key, false, &self->p);
	EXPECT_EQ(-EOPNOTSUPP, with_le32(self, 4, 1024));
	EXPECT_EQ(0, with_le32(self, 4, 2048));
	EXPECT_EQ(-EBADMSG, with_le32(self, 12, 0xffffffff));
	EXPECT_EQ(-EBADMSG, with_le32(self, 12, 255));
	EXPECT_EQ(0, with_le32(self, 12, 256));
	EXPECT_EQ(-EBADMSG, with_le32(self, 0, 0x31415352));	/* public */
	EXPECT_EQ(0, with_le32(self, 0, 0x32415352));
	/* A prime of zeros has no inverse, and divides nothing. */
	memset(self->buf + 24 + 3 + 256, 0, 128);
	EXPECT_EQ(-EBADMSG, with_le32(self, 0, 0x32415352));
}

TEST_F(blob, numbers_that_do_not_belong_together_are_for_the_server_library)
{
	struct kf_keypair *pair = NULL;
	enum kf_key_type type;

	ASSERT_EQ(0, some_key(KF_KEY_RSA_2048, &self->key));
	blob_capi(self->key, &self->p);
	self->buf[100] ^= 1;		/* in n */
	ASSERT_EQ(0, private_blob_parse(pack_done(&self->p), &self->der, &type));
	EXPECT_EQ(-EINVAL, kf_keypair_from_der(self->der.p, self->der.n, &pair, NULL));
	EXPECT_NULL(pair);
}

TEST_F(blob, a_point_that_is_not_the_scalars_is_noticed)
{
	struct kf_keypair *pair = NULL;
	enum kf_key_type type;

	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &self->key));
	blob_ec(self->key, 0x32534345, 32, &self->p);
	self->buf[8] ^= 1;
	ASSERT_EQ(0, private_blob_parse(pack_done(&self->p), &self->der, &type));
	EXPECT_EQ(-EINVAL, kf_keypair_from_der(self->der.p, self->der.n, &pair, NULL));
	EXPECT_NULL(pair);
}
