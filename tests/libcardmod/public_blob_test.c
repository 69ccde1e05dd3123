// SPDX-License-Identifier: LGPL-2.1-or-later
/* tests/libcardmod/public_blob_test.c - Public keys, compared number by number with OpenSSL's. */
#include "libcardmod/public_blob.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "keyferry/cardmod.h"
#include "tests/harness.h"
#include "tests/keys/keys.h"

#include <openssl/core_names.h>

FIXTURE(public_blob)
{
	EVP_PKEY *key;
	uint8_t spki[SPKI_MAX], blob[PUBLIC_BLOB_MAX];
	struct packer in, out;
};

FIXTURE_SETUP(public_blob)
{
	self->in = pack_begin(self->spki, sizeof(self->spki));
	self->out = pack_begin(self->blob, sizeof(self->blob));
}

FIXTURE_TEARDOWN(public_blob) { EVP_PKEY_free(self->key); }

static void make(struct fixture_public_blob *self, enum kf_key_type type)
{
	ASSERT_EQ(0, some_key(type, &self->key));
	ASSERT_EQ(0, key_spki(self->key, &self->in));
}

TEST_F(public_blob, rsa_is_little_endian_behind_its_headers)
{
	uint8_t n[256];
	BIGNUM *bn = NULL;

	make(self, KF_KEY_RSA_2048);
	ASSERT_EQ(0, public_blob_pack(pack_done(&self->in), KF_PURPOSE_DECRYPT, &self->out));
	struct unpacker u = unpack_begin(pack_done(&self->out));

	EXPECT_EQ(0x06, unpack_u8(&u));
	EXPECT_EQ(0x02, unpack_u8(&u));
	EXPECT_EQ(0, unpack_le16(&u));
	EXPECT_EQ(0xa400, unpack_le32(&u));
	EXPECT_EQ(0x31415352, unpack_le32(&u));
	EXPECT_EQ(2048, unpack_le32(&u));
	EXPECT_EQ(65537, unpack_le32(&u));
	ASSERT_EQ(1, EVP_PKEY_get_bn_param(self->key, OSSL_PKEY_PARAM_RSA_N, &bn));
	ASSERT_EQ(256, BN_bn2lebinpad(bn, n, 256));
	BN_free(bn);
	EXPECT_BYTES_EQ(BYTES_OF(n), unpack_rest(&u));
}

TEST_F(public_blob, a_signature_key_says_so)
{
	make(self, KF_KEY_RSA_2048);
	ASSERT_EQ(0, public_blob_pack(pack_done(&self->in), KF_PURPOSE_SIGN, &self->out));
	EXPECT_EQ(0x24, self->blob[5]);
}

TEST_F(public_blob, ec_is_big_endian_behind_magic_and_length)
{
	static const struct {
		enum kf_key_type type;
		enum kf_purpose purpose;
		uint32_t magic, size;
	} rows[] = {
		{ KF_KEY_EC_P256, KF_PURPOSE_SIGN, 0x31534345, 32 },
		{ KF_KEY_EC_P384, KF_PURPOSE_SIGN, 0x33534345, 48 },
		{ KF_KEY_EC_P521, KF_PURPOSE_SIGN, 0x35534345, 66 },
		{ KF_KEY_EC_P256, KF_PURPOSE_DERIVE, 0x314b4345, 32 },
		{ KF_KEY_EC_P384, KF_PURPOSE_DERIVE, 0x334b4345, 48 },
		{ KF_KEY_EC_P521, KF_PURPOSE_DERIVE, 0x354b4345, 66 },
		/* what a key that derives becomes when the card has offered it */
		{ KF_KEY_EC_P256, KF_PURPOSE_EXCHANGE, 0x314b4345, 32 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct unpacker u;
		uint8_t point[133];
		size_t n;

		self->in.n = self->out.n = 0;
		make(self, rows[i].type);
		ASSERT_EQ(0, public_blob_pack(pack_done(&self->in), rows[i].purpose, &self->out));
		u = unpack_begin(pack_done(&self->out));
		EXPECT_EQ(rows[i].magic, unpack_le32(&u));
		EXPECT_EQ(rows[i].size, unpack_le32(&u));
		ASSERT_EQ(1, EVP_PKEY_get_octet_string_param(self->key, OSSL_PKEY_PARAM_PUB_KEY,
							     point, sizeof(point), &n));
		EXPECT_BYTES_EQ(BYTES(point + 1, n - 1), unpack_rest(&u));
		EVP_PKEY_free(self->key);
		self->key = NULL;
	}
}

TEST_F(public_blob, bytes_that_are_no_key_are_refused)
{
	make(self, KF_KEY_EC_P256);
	EXPECT_EQ(-EBADMSG, public_blob_pack(BYTES(self->spki, self->in.n - 1), KF_PURPOSE_SIGN,
					     &self->out));
	EXPECT_EQ(-EBADMSG, public_blob_pack(BYTES_NONE, KF_PURPOSE_SIGN, &self->out));
}

TEST(a_point_becomes_a_blob_and_the_blob_that_point)
{
	uint8_t point[97] = { 4, 1, 2, 3 }, blob[128], back[97];
	struct packer b = pack_begin(blob, sizeof(blob)), p = pack_begin(back, sizeof(back));

	EXPECT_EQ(-EOPNOTSUPP, public_blob_pack_point(KF_KEY_X25519, BYTES(point, 32), &b));
	EXPECT_EQ(-EOPNOTSUPP, public_blob_pack_point(KF_KEY_EC_P384, BYTES(point, 96), &b));
	ASSERT_EQ(0, public_blob_pack_point(KF_KEY_EC_P384, BYTES_OF(point), &b));
	ASSERT_EQ(8 + 96, pack_done(&b).n);
	EXPECT_EQ(-EBADMSG, public_blob_take_point(pack_done(&b), KF_KEY_EC_P256, &p));
	EXPECT_EQ(-EBADMSG, public_blob_take_point(pack_done(&b), KF_KEY_X25519, &p));
	EXPECT_EQ(-EBADMSG, public_blob_take_point(BYTES(blob, 8 + 95), KF_KEY_EC_P384, &p));
	ASSERT_EQ(0, public_blob_take_point(pack_done(&b), KF_KEY_EC_P384, &p));
	EXPECT_BYTES_EQ(BYTES_OF(point), pack_done(&p));
}
