// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/keypair_test.c - Which private keys are taken, and in which words others are not.
 *
 * Faces: libserver/pem.c
 */
#include "keyferry/server.h"
#include "format/hash.h"
#include "format/keys.h"
#include "libserver/pem.h"
#include "tests/keys/keys.h"
#include "tests/libserver/fakecard.h"

#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

static int take(const char *pem, const char *passphrase, struct kf_error *e)
{
	struct kf_keypair *pair = NULL;
	int r = kf_keypair_from_pem(pem, strlen(pem), passphrase,
				    passphrase ? strlen(passphrase) : 0, &pair, e);

	EXPECT_EQ(r == 0, pair != NULL);
	kf_keypair_free(pair);
	return r;
}

TEST(every_type_of_the_card_is_taken)
{
	static const enum kf_key_type types[] = {
		KF_KEY_RSA_2048, KF_KEY_EC_P256, KF_KEY_EC_P384, KF_KEY_EC_P521,
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct kf_keypair *pair = NULL;
		EVP_PKEY *key = NULL;
		char *pem;

		ASSERT_EQ(0, some_key(types[i], &key));
		pem = fakecard_pem(key);
		ASSERT_EQ(0, kf_keypair_from_pem(pem, strlen(pem), NULL, 0, &pair, NULL));
		EXPECT_EQ(types[i], kf_keypair_type(pair));
		EXPECT_EQ(KF_PURPOSE_SIGN, kf_keypair_purpose(pair));
		EXPECT_EQ(key_type_is_rsa(types[i]) ? 0 : -EINVAL,
			  kf_keypair_set_purpose(pair, KF_PURPOSE_DECRYPT, NULL));
		EXPECT_EQ(key_type_is_ec(types[i]) ? 0 : -EINVAL,
			  kf_keypair_set_purpose(pair, KF_PURPOSE_DERIVE, NULL));
		EXPECT_EQ(-EINVAL, kf_keypair_set_purpose(pair, KF_PURPOSE_EXCHANGE, NULL));
		EXPECT_EQ(-EINVAL, kf_keypair_set_policy(pair, 1, -1, NULL));
		kf_keypair_free(pair);
		EVP_PKEY_free(key);
		free(pem);
	}
}

TEST(a_key_is_taken_from_der_as_from_pem)
{
	struct kf_error e = KF_ERROR_INIT;
	struct kf_keypair *pair = NULL;
	PKCS8_PRIV_KEY_INFO *info;
	EVP_PKEY *key = NULL;
	uint8_t *der = NULL;
	int n;

	ASSERT_EQ(0, key_generate(KF_KEY_EC_P384, &key));
	info = EVP_PKEY2PKCS8(key);
	n = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
	ASSERT_LT(0, n);
	ASSERT_EQ(0, kf_keypair_from_der(der, (size_t)n, &pair, &e));
	EXPECT_EQ(KF_KEY_EC_P384, kf_keypair_type(pair));
	EXPECT_EQ(KF_PURPOSE_SIGN, kf_keypair_purpose(pair));
	pair = kf_keypair_free(pair);
	EXPECT_EQ(-EBADMSG, kf_keypair_from_der(der, (size_t)n - 1, &pair, &e));
	EXPECT_NE(0, strlen(e.why));
	EXPECT_NULL(pair);
	OPENSSL_free(der);
	PKCS8_PRIV_KEY_INFO_free(info);
	EVP_PKEY_free(key);
}

TEST(an_encrypted_key_wants_its_passphrase)
{
	_cleanup_(secret_deinit) struct secret out = SECRET_INIT;
	struct kf_error e = KF_ERROR_INIT;
	EVP_PKEY *key = NULL;

	ASSERT_EQ(0, secret_init(&out, 4096));
	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &key));
	ASSERT_EQ(0, pem_private_key_write(key, BYTES("open sesame", 11), &out));
	out.p[out.n] = '\0';
	EXPECT_TRUE(pem_is_encrypted(secret_bytes(&out)));
	EXPECT_EQ(-ENOKEY, take((char *)out.p, NULL, &e));
	EXPECT_EQ(-EKEYREJECTED, take((char *)out.p, "open barley", &e));
	EXPECT_STREQ("cannot take the private key", e.what);
	EXPECT_EQ(0, take((char *)out.p, "open sesame", &e));
	EVP_PKEY_free(key);
}

TEST(what_is_not_one_private_key_is_refused)
{
	EVP_PKEY *key = NULL;
	char *pem, *two = NULL;

	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &key));
	pem = fakecard_pem(key);
	ASSERT_LT(0, asprintf(&two, "%s%s", pem, pem));
	EXPECT_EQ(-EBADMSG, take(two, NULL, NULL));
	EXPECT_EQ(-EBADMSG, take("", NULL, NULL));
	EXPECT_EQ(-EBADMSG, take("-----BEGIN PUBLIC KEY-----\n", NULL, NULL));
	for (size_t n = 1; n + 10 < strlen(pem); n += 13) {
		two[n] = '\0';
		EXPECT_EQ(-EBADMSG, take(two, NULL, NULL));
		two[n] = pem[n];
	}
	EVP_PKEY_free(key);
	free(pem);
	free(two);
}

static char *pem_of(EVP_PKEY *key)
{
	char *pem = fakecard_pem(key);

	EVP_PKEY_free(key);
	return pem;
}

TEST(types_the_card_does_not_know_are_refused)
{
	char *ed = pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
	char *small = pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024));
	char *koblitz = pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1"));

	EXPECT_EQ(-EOPNOTSUPP, take(ed, NULL, NULL));
	EXPECT_EQ(-EOPNOTSUPP, take(small, NULL, NULL));
	EXPECT_EQ(-EOPNOTSUPP, take(koblitz, NULL, NULL));
	free(ed);
	free(small);
	free(koblitz);
}

/*
 * What the card writes into its receipt is its own form of the public key: a hash of the form the
 * file happened to have would make every receipt look like that of another key.
 */
TEST(the_hash_is_that_of_the_form_the_card_writes)
{
	static const char *const rows[][2] = {
		{ OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "compressed" },
		{ OSSL_PKEY_PARAM_EC_ENCODING, "explicit" },
	};
	uint8_t spki[SPKI_MAX], hash[KF_DIGEST_SIZE];
	struct packer p = pack_begin(spki, sizeof(spki));
	EVP_PKEY *key = NULL;

	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &key));
	ASSERT_EQ(0, key_spki(key, &p));
	ASSERT_EQ(0, sha256(pack_done(&p), hash));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		EVP_PKEY *other = EVP_PKEY_dup(key);
		struct kf_keypair *pair = NULL;
		char *pem;

		ASSERT_EQ(1, EVP_PKEY_set_utf8_string_param(other, rows[i][0], rows[i][1]));
		pem = fakecard_pem(other);
		ASSERT_EQ(0, kf_keypair_from_pem(pem, strlen(pem), NULL, 0, &pair, NULL));
		EXPECT_MEMEQ(hash, kf_keypair_hash(pair), KF_DIGEST_SIZE);
		kf_keypair_free(pair);
		EVP_PKEY_free(other);
		free(pem);
	}
	EVP_PKEY_free(key);
}

TEST_TIMEOUT(a_key_the_card_would_refuse_silently_is_refused_in_words, 30)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *three = BN_new();
	EVP_PKEY *key = NULL;
	struct kf_error e = KF_ERROR_INIT;
	char *pem;

	BN_set_word(three, 3);
	ASSERT_EQ(1, EVP_PKEY_keygen_init(ctx));
	ASSERT_EQ(1, EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048));
	ASSERT_EQ(1, EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, three));
	ASSERT_EQ(1, EVP_PKEY_generate(ctx, &key));
	pem = pem_of(key);
	EXPECT_EQ(-EINVAL, take(pem, NULL, &e));
	EXPECT_NOT_NULL(strstr(e.why, "65537"));
	free(pem);
	BN_free(three);
	EVP_PKEY_CTX_free(ctx);
}

TEST(an_aes_key_is_taken_by_its_length)
{
	static const uint8_t bytes[33] = { 1, 2, 3 };
	struct kf_error e = KF_ERROR_INIT;

	for (size_t n = 0; n <= sizeof(bytes); n++) {
		struct kf_keypair *pair = NULL;
		int want = n == 16 || n == 24 || n == 32 ? 0 : -EINVAL;

		EXPECT_EQ(want, kf_keypair_from_raw(bytes, n, &pair, &e));
		EXPECT_EQ(want == 0, pair != NULL);
		if (!pair)
			continue;
		EXPECT_EQ(n, key_type_size(kf_keypair_type(pair)));
		EXPECT_EQ(KF_PURPOSE_CIPHER, kf_keypair_purpose(pair));
		EXPECT_EQ(-EINVAL, kf_keypair_set_purpose(pair, KF_PURPOSE_SIGN, NULL));
		EXPECT_EQ(0, kf_keypair_set_purpose(pair, KF_PURPOSE_CIPHER, NULL));
		kf_keypair_free(pair);
	}
}
