/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/pem.h"
#include "tests/harness.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

static struct bytes der_of_key(const char *curve)
{
	EVP_PKEY *key = EVP_EC_gen(curve);
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(key, &der);

	EVP_PKEY_free(key);
	ASSERT_LT(0, n);
	return BYTES(der, (size_t)n);
}

static struct bytes der_of_certificate(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	unsigned char *der = NULL;
	int n;

	ASSERT_TRUE(X509_gmtime_adj(X509_getm_notBefore(cert), 0));
	ASSERT_TRUE(X509_gmtime_adj(X509_getm_notAfter(cert), 60));
	ASSERT_TRUE(X509_set_pubkey(cert, key));
	ASSERT_LT(0, X509_sign(cert, key, EVP_sha256()));
	n = i2d_X509(cert, &der);
	X509_free(cert);
	EVP_PKEY_free(key);
	ASSERT_LT(0, n);
	return BYTES(der, (size_t)n);
}

static void der_free(struct bytes der)
{
	OPENSSL_free((void *)(uintptr_t)der.p);
}

TEST(a_point_comes_out_of_pem_and_der)
{
	struct bytes der = der_of_key("P-384"), pem, one, two;

	ASSERT_EQ(0, pem_wrap("PUBLIC KEY", der, &pem));
	EXPECT_TRUE(bytes_have_prefix(pem, BYTES("-----BEGIN PUBLIC KEY-----\n", 27)));
	ASSERT_EQ(0, pem_take_point(der, &one, NULL));
	ASSERT_EQ(0, pem_take_point(pem, &two, NULL));
	EXPECT_BYTES_EQ(one, two);
	EXPECT_EQ(97, one.n);
	EXPECT_EQ(4, one.p[0]);
	pem_free(one);
	pem_free(two);
	pem_free(pem);
	der_free(der);
}

TEST(what_is_no_ec_key_is_refused_in_words)
{
	struct kf_error e = KF_ERROR_INIT;
	struct bytes point = BYTES_NONE;

	EXPECT_EQ(-EBADMSG, pem_take_point(BYTES("nonsense", 8), &point, &e));
	EXPECT_NE(0, strlen(e.why));
	EXPECT_NULL(point.p);
}

TEST(a_certificate_comes_out_of_pem_and_der)
{
	struct bytes der = der_of_certificate(), pem, out;

	ASSERT_EQ(0, pem_wrap("CERTIFICATE", der, &pem));
	ASSERT_EQ(0, pem_take_certificate(pem, &out, NULL));
	EXPECT_BYTES_EQ(der, out);
	pem_free(out);
	ASSERT_EQ(0, pem_take_certificate(der, &out, NULL));
	EXPECT_BYTES_EQ(der, out);
	pem_free(out);
	EXPECT_EQ(-EBADMSG, pem_take_certificate(BYTES(der.p, der.n - 1), &out, NULL));
	pem_free(pem);
	der_free(der);
}

TEST(the_first_of_a_chain_ends_where_the_second_begins)
{
	struct bytes one = der_of_certificate(), two = der_of_certificate();
	uint8_t chain[2048];
	struct packer p = pack_begin(chain, sizeof(chain));

	pack_bytes(&p, one);
	pack_bytes(&p, two);
	EXPECT_EQ(one.n, pem_first_certificate(pack_done(&p)));
	EXPECT_EQ(0, pem_first_certificate(BYTES("nonsense", 8)));
	EXPECT_EQ(0, pem_first_certificate(BYTES_NONE));
	der_free(one);
	der_free(two);
}

TEST(one_of_two_certificates_is_not_guessed)
{
	struct bytes der = der_of_certificate(), pem = BYTES_NONE, out = BYTES_NONE;
	struct kf_error e = KF_ERROR_INIT;
	uint8_t both[4096];
	struct packer p = pack_begin(both, sizeof(both));

	ASSERT_EQ(0, pem_wrap("CERTIFICATE", der, &pem));
	pack_bytes(&p, pem);
	pack_bytes(&p, pem);
	EXPECT_EQ(-EBADMSG, pem_take_certificate(pack_done(&p), &out, &e));
	EXPECT_NOT_NULL(strstr(e.why, "more than one certificate"));
	EXPECT_NULL(out.p);
	pem_free(pem);
	der_free(der);
}
