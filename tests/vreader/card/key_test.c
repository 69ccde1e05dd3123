/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vreader/card/key.h"
#include "format/ossl.h"
#include "tests/harness.h"
#include "tests/vreader/card/tray.h"
#include "vreader/card/tlv.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

static struct card_key *card_key_of(enum tray_key which)
{
	struct card_key *key = NULL;

	ASSERT_EQ(0, card_key_new(tray_key(which), &key));
	return key;
}

static const struct sign_row {
	enum tray_key key;
	enum algorithm alg;
	const char *md;
	int padding;
} sign_rows[] = {
	{ TRAY_RSA, ALG_PKCS1_SHA256, "SHA256", RSA_PKCS1_PADDING },
	{ TRAY_RSA3072, ALG_PKCS1_SHA384, "SHA384", RSA_PKCS1_PADDING },
	{ TRAY_RSA4096, ALG_PKCS1_SHA512, "SHA512", RSA_PKCS1_PADDING },
	{ TRAY_RSA, ALG_PSS_SHA256, "SHA256", RSA_PKCS1_PSS_PADDING },
	{ TRAY_RSA, ALG_PSS_SHA384, "SHA384", RSA_PKCS1_PSS_PADDING },
	{ TRAY_RSA, ALG_PSS_SHA512, "SHA512", RSA_PKCS1_PSS_PADDING },
	{ TRAY_P256, ALG_ECDSA_SHA256, "SHA256", 0 },
	{ TRAY_P384, ALG_ECDSA_SHA384, "SHA384", 0 },
	{ TRAY_P521, ALG_ECDSA_SHA512, "SHA512", 0 },
	{ TRAY_P521, ALG_ECDSA_SHA256, "SHA256", 0 },
};

static int verify(const struct sign_row *row, struct bytes hash, struct bytes sig)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(tray_key(row->key), NULL);

	ASSERT_EQ(1, EVP_PKEY_verify_init(ctx));
	ASSERT_EQ(1, EVP_PKEY_CTX_set_signature_md(ctx, EVP_get_digestbyname(row->md)));
	if (row->padding != 0)
		ASSERT_EQ(1, EVP_PKEY_CTX_set_rsa_padding(ctx, row->padding));
	if (row->padding == RSA_PKCS1_PSS_PADDING)
		ASSERT_EQ(1, EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST));
	return EVP_PKEY_verify(ctx, sig.p, sig.n, hash.p, hash.n);
}

TEST(each_signature_is_one_openssl_verifies)
{
	for (size_t i = 0; i < sizeof(sign_rows) / sizeof(sign_rows[0]); i++) {
		_cleanup_(card_key_unrefp) struct card_key *key = card_key_of(sign_rows[i].key);
		uint8_t hash[64] = { 0x61 }, sig[CARD_KEY_SIGNATURE_MAX];
		struct packer out = pack_begin(sig, sizeof(sig));
		struct bytes h = BYTES(hash, algorithm_hash_size(sign_rows[i].alg));

		ASSERT_EQ(0, card_key_sign(key, sign_rows[i].alg, h, &out));
		EXPECT_EQ(1, verify(&sign_rows[i], h, pack_done(&out)));
		if (sign_rows[i].padding != 0)
			EXPECT_EQ(key_type_size(card_key_type(key)), out.n);
		hash[0] ^= 1;
		EXPECT_NE(1, verify(&sign_rows[i], h, pack_done(&out)));
	}
}

static size_t encrypt(EVP_PKEY *key, int padding, const char *md, uint8_t out[static 512])
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	size_t n = 512;

	ASSERT_EQ(1, EVP_PKEY_encrypt_init(ctx));
	ASSERT_EQ(1, EVP_PKEY_CTX_set_rsa_padding(ctx, padding));
	if (md)
		ASSERT_EQ(1, EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_get_digestbyname(md)));
	ASSERT_EQ(1, EVP_PKEY_encrypt(ctx, out, &n, (const uint8_t *)"cargo", 5));
	return n;
}

TEST(each_padding_opens_its_own_cryptograms_only)
{
	static const struct {
		enum algorithm alg;
		int padding;
		const char *md;
	} rows[] = {
		{ ALG_RSAES_PKCS1, RSA_PKCS1_PADDING, NULL },
		{ ALG_OAEP_SHA1, RSA_PKCS1_OAEP_PADDING, "SHA1" },
		{ ALG_OAEP_SHA256, RSA_PKCS1_OAEP_PADDING, "SHA256" },
		{ ALG_OAEP_SHA384, RSA_PKCS1_OAEP_PADDING, "SHA384" },
		{ ALG_OAEP_SHA512, RSA_PKCS1_OAEP_PADDING, "SHA512" },
	};
	_cleanup_(card_key_unrefp) struct card_key *key = card_key_of(TRAY_RSA);

	for (size_t i = 0; i < 5; i++) {
		uint8_t cryptogram[512], plain[512];
		size_t n = encrypt(tray_key(TRAY_RSA), rows[i].padding, rows[i].md, cryptogram);

		for (size_t j = 1; j < 5; j++) {	/* PKCS1 as a reader is not told apart */
			struct packer out = pack_begin(plain, sizeof(plain));

			EXPECT_EQ(i == j ? 0 : -EBADMSG,
				  card_key_decipher(key, rows[j].alg, BYTES(cryptogram, n), &out));
			EXPECT_BYTES_EQ(i == j ? BYTES("cargo", 5) : BYTES_NONE, pack_done(&out));
		}
	}
}

TEST(pkcs1_decryption_works)
{
	_cleanup_(card_key_unrefp) struct card_key *key = card_key_of(TRAY_RSA);
	uint8_t cryptogram[512], plain[512];
	size_t n = encrypt(tray_key(TRAY_RSA), RSA_PKCS1_PADDING, NULL, cryptogram);
	struct packer out = pack_begin(plain, sizeof(plain));

	ASSERT_EQ(0, card_key_decipher(key, ALG_RSAES_PKCS1, BYTES(cryptogram, n), &out));
	EXPECT_BYTES_EQ(BYTES("cargo", 5), pack_done(&out));
}

static size_t point_of(EVP_PKEY *key, uint8_t out[static 133])
{
	size_t n = 0;

	ASSERT_EQ(1, EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, out, 133, &n));
	return n;
}

TEST(both_sides_agree)
{
	static const enum tray_key keys[] = { TRAY_P256, TRAY_P384, TRAY_P521 };

	for (size_t i = 0; i < 3; i++) {
		_cleanup_(card_key_unrefp) struct card_key *ours = card_key_of(keys[i]), *theirs = NULL;
		uint8_t a_point[133], b_point[133], a[66], b[66];
		struct packer ap = pack_begin(a, sizeof(a)), bp = pack_begin(b, sizeof(b));
		_cleanup_(EVP_PKEY_freep) EVP_PKEY *other = NULL;
		size_t n;

		ASSERT_EQ(0, card_key_generate(card_key_type(ours), &theirs));
		ASSERT_EQ(0, card_key_open(theirs, &other));
		n = point_of(other, b_point);
		ASSERT_EQ(0, card_key_agree(ours, BYTES(b_point, n), &ap));
		n = point_of(tray_key(keys[i]), a_point);
		ASSERT_EQ(0, card_key_agree(theirs, BYTES(a_point, n), &bp));
		EXPECT_BYTES_EQ(pack_done(&ap), pack_done(&bp));
		EXPECT_EQ(key_type_size(card_key_type(ours)), ap.n);
	}
}

TEST(only_points_of_the_curve_are_agreed_with)
{
	_cleanup_(card_key_unrefp) struct card_key *key = card_key_of(TRAY_P256);
	uint8_t point[133], out_buf[66];
	struct packer out = pack_begin(out_buf, sizeof(out_buf));
	size_t n = point_of(tray_key(TRAY_DEVICE), point);

	point[n - 1] ^= 1;				/* off the curve */
	EXPECT_EQ(-EBADMSG, card_key_agree(key, BYTES(point, n), &out));
	point[n - 1] ^= 1;
	EXPECT_EQ(-EBADMSG, card_key_agree(key, BYTES(point, 33), &out));
	point[0] = 0x06;				/* hybrid form */
	EXPECT_EQ(-EBADMSG, card_key_agree(key, BYTES(point, n), &out));
	point[0] = 0x00;
	EXPECT_EQ(-EBADMSG, card_key_agree(key, BYTES(point, n), &out));
	memset(point, 0, sizeof(point));
	point[0] = 0x04;
	EXPECT_EQ(-EBADMSG, card_key_agree(key, BYTES(point, n), &out));
	memset(point + 1, 0xff, sizeof(point) - 1);	/* not reduced */
	EXPECT_EQ(-EBADMSG, card_key_agree(key, BYTES(point, n), &out));
	EXPECT_EQ(0u, out.n);
}

TEST(the_public_half_goes_out_as_7816_8_has_it)
{
	for (enum tray_key which = TRAY_RSA; which <= TRAY_P521; which++) {
		_cleanup_(card_key_unrefp) struct card_key *key = card_key_of(which);
		uint8_t buf[700], point[133];
		struct packer out = pack_begin(buf, sizeof(buf));
		struct unpacker u, inner;

		ASSERT_EQ(0, card_key_put_public(key, &out));
		u = unpack_begin(pack_done(&out));
		inner = unpack_begin(tlv_take(&u, 0x7f49));
		if (key_type_is_rsa(card_key_type(key))) {
			EXPECT_EQ(key_type_size(card_key_type(key)), tlv_take(&inner, 0x81).n);
			EXPECT_EQ(65537u, tlv_take_number(&inner, 0x82, 3));
		} else {
			size_t n = point_of(tray_key(which), point);

			EXPECT_BYTES_EQ(BYTES(point, n), tlv_take(&inner, 0x86));
		}
		EXPECT_EQ(0, unpack_end(&inner));
		EXPECT_EQ(0, unpack_end(&u));
	}
}

TEST(a_key_comes_back_from_its_bytes)
{
	for (enum tray_key which = TRAY_RSA; which <= TRAY_P521; which++) {
		_cleanup_(card_key_unrefp) struct card_key *key = card_key_of(which), *again = NULL;
		_cleanup_(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;

		ASSERT_EQ(0, card_key_restore(card_key_type(key), card_key_private(key),
					      card_key_spki(key), &again));
		ASSERT_EQ(0, card_key_open(again, &pkey));
		EXPECT_EQ(1, EVP_PKEY_eq(pkey, tray_key(which)));
		EXPECT_MEMEQ(card_key_hash(key), card_key_hash(again), KF_DIGEST_SIZE);
	}
	EXPECT_EQ(-EBADMSG, card_key_restore((enum kf_key_type)0x77, BYTES("x", 1), BYTES("x", 1),
					     &(struct card_key *){ NULL }));
}
