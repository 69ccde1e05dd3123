// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tests/libserver/private_key_test.c - Whatever OpenSSL writes a key as is read as that key; whatever
 * is changed in it makes no other.
 */
#include "format/keys.h"
#include "format/ossl.h"
#include "libserver/pem.h"
#include "libserver/private_key.h"
#include "tests/keys/keys.h"
#include "tests/libserver/fakecard.h"

#include <openssl/core_names.h>
#include <openssl/pem.h>

#define WORDS "open sesame"

static bool same_key(EVP_PKEY *a, EVP_PKEY *b)
{
	return a && b && EVP_PKEY_eq(a, b) == 1;
}

static int read_text(struct bytes text, bool encrypted, EVP_PKEY **out, struct kf_error *e)
{
	return pem_private_key(text, encrypted ? BYTES(WORDS, strlen(WORDS)) : BYTES_NONE, out, e);
}

static void expect_read(BIO *bio, EVP_PKEY *key, bool encrypted)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *got = NULL;
	struct kf_error e = KF_ERROR_INIT;
	char *text;
	long n = BIO_get_mem_data(bio, &text);

	EXPECT_EQ(encrypted, pem_is_encrypted(BYTES(text, (size_t)n)));
	EXPECT_EQ(0, read_text(BYTES(text, (size_t)n), encrypted, &got, &e));
	EXPECT_STREQ("", e.why);
	EXPECT_TRUE(same_key(key, got));
	if (encrypted) {
		EVP_PKEY *none = NULL;

		EXPECT_EQ(-ENOKEY, pem_private_key(BYTES(text, (size_t)n), BYTES_NONE, &none, &e));
		EXPECT_EQ(-EKEYREJECTED, pem_private_key(BYTES(text, (size_t)n), BYTES("x", 1), &none,
							 &e));
	}
	BIO_free(bio);
}

/* PEM's own writer of each form; the words are the passphrase, NULL: none. */
static BIO *written(EVP_PKEY *key, int form)
{
	BIO *bio = BIO_new(BIO_s_mem());
	unsigned char words[] = WORDS;
	const int n = (int)strlen(WORDS);
	int r = 0;

	switch (form) {
	case 0:
		r = PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
		break;
	case 1:
		r = PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL);
		break;
	case 2:
		r = PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_256_cbc(), WORDS, n, NULL, NULL);
		break;
	case 3:
		r = PEM_write_bio_PKCS8PrivateKey_nid(bio, key, NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
						      WORDS, n, NULL, NULL);
		break;
	case 4:
		r = PEM_write_bio_PrivateKey_traditional(bio, key, EVP_aes_256_cbc(), words, n, NULL,
							 NULL);
		break;
	default:
		r = PEM_write_bio_PrivateKey_traditional(bio, key, EVP_des_ede3_cbc(), words, n, NULL,
							 NULL);
		break;
	}
	ASSERT_EQ(1, r);
	return bio;
}

TEST_TIMEOUT(every_form_of_every_type_is_read, 60)
{
	static const enum kf_key_type types[] = {
		KF_KEY_RSA_2048, KF_KEY_EC_P256, KF_KEY_EC_P384, KF_KEY_EC_P521,
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;

		ASSERT_EQ(0, some_key(types[i], &key));
		for (int form = 0; form < 6; form++)
			expect_read(written(key, form), key, form >= 2);
	}
}

TEST(an_ec_key_may_say_its_curve_and_point_in_any_way)
{
	static const char *const rows[][2] = {
		{ OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "compressed" },
		{ OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "hybrid" },
		{ OSSL_PKEY_PARAM_EC_ENCODING, "explicit" },
	};
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	BIO *bio = BIO_new(BIO_s_mem()), *rest = NULL;
	char *text;
	long n;

	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &key));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(EVP_PKEY_freep) EVP_PKEY *other = EVP_PKEY_dup(key);

		ASSERT_EQ(1, EVP_PKEY_set_utf8_string_param(other, rows[i][0], rows[i][1]));
		expect_read(written(other, 0), key, false);
		expect_read(written(other, 1), key, false);
	}
	/* As "openssl ecparam -genkey" writes it. */
	rest = written(key, 1);
	ASSERT_LT(0, BIO_puts(bio, "-----BEGIN EC PARAMETERS-----\r\nBggqhkjOPQMBBw==\r\n"
				   "-----END EC PARAMETERS-----\r\n"));
	n = BIO_get_mem_data(rest, &text);
	ASSERT_LT(0, BIO_write(bio, text, (int)n));
	BIO_free(rest);
	expect_read(bio, key, false);
}

#define PKCS8_P256(whole, octets, inner) "\x30" whole "\x02\x01\x00\x30\x13" \
	"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01" P256 "\x04" octets "\x30" inner \
	"\x02\x01\x01\x04\x20" "0123456789abcdef0123456789abcdef"
#define P256 "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
#define P384 "\x06\x05\x2b\x81\x04\x00\x22"

TEST(a_curve_said_twice_is_the_same_twice)
{
	static const char agrees[] = PKCS8_P256("\x4d", "\x33", "\x31") "\xa0\x0a" P256;
	static const char differs[] = PKCS8_P256("\x4a", "\x30", "\x2e") "\xa0\x07" P384;
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL, *none = NULL;

	EXPECT_EQ(0, private_key_parse(BYTES(agrees, sizeof(agrees) - 1), PRIVATE_KEY_PKCS8, &key,
				       NULL));
	EXPECT_EQ(-EBADMSG, private_key_parse(BYTES(differs, sizeof(differs) - 1), PRIVATE_KEY_PKCS8,
					      &none, NULL));
	EXPECT_NULL(none);
}

static int der_of(EVP_PKEY *key, uint8_t **der)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	int n = i2d_PKCS8_PRIV_KEY_INFO(info, der);

	PKCS8_PRIV_KEY_INFO_free(info);
	return n;
}

/* For a key: no change of a byte, and no cut, may yield another one, nor anything but a clean no. */
static void expect_no_other_key(const uint8_t *der, size_t n, enum private_key_form form,
				EVP_PKEY *key)
{
	uint8_t *copy = malloc(n);

	ASSERT_NOT_NULL(copy);
	for (size_t i = 0; i < n; i++) {
		_cleanup_(EVP_PKEY_freep) EVP_PKEY *got = NULL;
		int r = private_key_parse(BYTES(der, i), form, &got, NULL);

		EXPECT_EQ(-EBADMSG, r);
		memcpy(copy, der, n);
		copy[i] ^= 0x01;
		r = private_key_parse(BYTES(copy, n), form, &got, NULL);
		EXPECT_TRUE(r == 0 ? same_key(key, got)
				   : r == -EBADMSG || r == -EINVAL || r == -EOPNOTSUPP);
	}
	free(copy);
}

TEST_TIMEOUT(no_change_makes_another_key, 60)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *ec = NULL, *got = NULL;
	struct kf_error e = KF_ERROR_INIT;
	uint8_t *der = NULL, *own = NULL;
	int n;

	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &ec));
	n = der_of(ec, &der);
	ASSERT_LT(0, n);
	expect_no_other_key(der, (size_t)n, PRIVATE_KEY_PKCS8, ec);
	der[n - 1] ^= 1;		/* the public point it says it has */
	EXPECT_EQ(-EINVAL, private_key_parse(BYTES(der, (size_t)n), PRIVATE_KEY_PKCS8, &got, &e));
	EXPECT_NOT_NULL(strstr(e.why, "do not belong together"));
	OPENSSL_free(der);
	n = i2d_PrivateKey(ec, &own);	/* ECPrivateKey */
	ASSERT_LT(0, n);
	expect_no_other_key(own, (size_t)n, PRIVATE_KEY_EC, ec);
	OPENSSL_free(own);
}

/* RFC 8017's version 1 has a list of further primes, which no item could carry. */
TEST(a_key_with_more_primes_is_refused_in_words)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL, *got = NULL;
	struct kf_error e = KF_ERROR_INIT;
	uint8_t *der = NULL;
	int n;

	ASSERT_EQ(1, EVP_PKEY_keygen_init(ctx));
	ASSERT_EQ(1, EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048));
	ASSERT_EQ(1, EVP_PKEY_CTX_set_rsa_keygen_primes(ctx, 3));
	ASSERT_EQ(1, EVP_PKEY_generate(ctx, &key));
	n = der_of(key, &der);
	EXPECT_EQ(-EINVAL, private_key_parse(BYTES(der, (size_t)n), PRIVATE_KEY_PKCS8, &got, &e));
	EXPECT_NOT_NULL(strstr(e.why, "two primes"));
	OPENSSL_free(der);
}

/* [RFC 8017 A.1.2]: with version 1 the list is not left out; the numbers alone would pass. */
TEST(a_key_that_only_claims_more_primes_is_refused)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL, *got = NULL;
	struct kf_error e = KF_ERROR_INIT;
	uint8_t *der = NULL, *version;
	int n;

	ASSERT_EQ(0, some_key(KF_KEY_RSA_2048, &key));
	n = i2d_PrivateKey(key, &der);	/* RSAPrivateKey */
	ASSERT_LT(0, n);
	version = der + 4;		/* behind SEQUENCE with a length of two bytes */
	ASSERT_EQ(0, memcmp(version, "\x02\x01\x00", 3));
	EXPECT_EQ(0, private_key_parse(BYTES(der, (size_t)n), PRIVATE_KEY_RSA, &got, &e));
	EVP_PKEY_free(take_ptr(got));
	version[2] = 1;
	EXPECT_EQ(-EINVAL, private_key_parse(BYTES(der, (size_t)n), PRIVATE_KEY_RSA, &got, &e));
	EXPECT_NOT_NULL(strstr(e.why, "two primes"));
	version[2] = 2;
	EXPECT_EQ(-EBADMSG, private_key_parse(BYTES(der, (size_t)n), PRIVATE_KEY_RSA, &got, &e));
	EXPECT_NULL(got);
	OPENSSL_clear_free(der, (size_t)n);
}
