/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/keys.h"
#include "format/ossl.h"
#include "tests/harness.h"
#include "vreader/card/pem.h"

#include <openssl/pem.h>
#include <unistd.h>

OSSL_CLEANUP(BIO, BIO_free_all)

static char passphrase[] = "secret";

/* A key as PEM, behind @passphrase if there is one. Return: bytes that @bio keeps. */
static struct bytes key_pem(BIO *bio, EVP_PKEY *key, char *with)
{
	char *text;
	long n;

	ASSERT_EQ(1, PEM_write_bio_PKCS8PrivateKey(bio, key, with ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
						   with));
	n = BIO_get_mem_data(bio, &text);
	return BYTES(text, (size_t)n);
}

TEST(a_key_is_read_and_an_encrypted_one_is_refused_without_a_word)
{
	_cleanup_(BIO_free_allp) BIO *open_pem = BIO_new(BIO_s_mem()), *shut_pem = BIO_new(BIO_s_mem());
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL, *back = NULL;
	int ends[2];
	char byte;

	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &key));
	back = pem_private_key(key_pem(open_pem, key, NULL));
	ASSERT_NOT_NULL(back);
	EXPECT_EQ(1, EVP_PKEY_eq(key, back));
	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(STDERR_FILENO, dup2(ends[1], STDERR_FILENO));	/* where it would ask without a terminal */
	ASSERT_EQ(0, close(ends[1]));
	EXPECT_NULL(pem_private_key(key_pem(shut_pem, key, passphrase)));
	ASSERT_EQ(0, close(STDERR_FILENO));
	EXPECT_EQ((ssize_t)0, read(ends[0], &byte, 1));
}

TEST(what_is_no_pem_of_that_kind_is_none)
{
	_cleanup_(BIO_free_allp) BIO *bio = BIO_new(BIO_s_mem());
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	static uint8_t text[PEM_TEXT_MAX + 1];
	struct bytes pem;

	ASSERT_EQ(0, key_generate(KF_KEY_EC_P256, &key));
	pem = key_pem(bio, key, NULL);
	EXPECT_NULL(pem_public_key(pem));
	EXPECT_NULL(pem_cert(pem));
	for (size_t n = 0; n + 2 < pem.n; n += 7)
		EXPECT_NULL(pem_private_key(BYTES(pem.p, n)));
	memcpy(text, pem.p, pem.n);
	EXPECT_NULL(pem_private_key(BYTES_OF(text)));	/* more than a file may have */
}
