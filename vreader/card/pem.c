/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OpenSSL's own callback asks on the terminal, whatever stdin is. */
#include "vreader/card/pem.h"

#include "base/cleanup.h"
#include "format/ossl.h"

#include <openssl/err.h>
#include <openssl/pem.h>

OSSL_CLEANUP(BIO, BIO_free_all)

static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

/* Over the caller's memory, so that no second buffer holds a key. */
static BIO *bio_over(struct bytes pem)
{
	return pem.n <= PEM_TEXT_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
}

EVP_PKEY *pem_private_key(struct bytes pem)
{
	_cleanup_(BIO_free_allp) BIO *bio = bio_over(pem);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

	ERR_clear_error();
	return key;
}

EVP_PKEY *pem_public_key(struct bytes pem)
{
	_cleanup_(BIO_free_allp) BIO *bio = bio_over(pem);
	EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL) : NULL;

	ERR_clear_error();
	return key;
}

X509 *pem_cert(struct bytes pem)
{
	_cleanup_(BIO_free_allp) BIO *bio = bio_over(pem);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;

	ERR_clear_error();
	return cert;
}
