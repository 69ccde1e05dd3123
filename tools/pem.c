/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tools/pem.c - OpenSSL does the parsing; what it says on its error queue is of no use to a person
 * and is dropped.
 */
#include "tools/pem.h"
#include "base/error.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

static int copy_out(const void *p, size_t n, struct bytes *out)
{
	void *copy = malloc(n ? n : 1);

	if (!copy)
		return -ENOMEM;
	if (n != 0)
		memcpy(copy, p, n);
	*out = BYTES(copy, n);
	return 0;
}

int pem_wrap(const char *label, struct bytes der, struct bytes *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n;
	int r = -ENOMEM;

	if (bio && PEM_write_bio(bio, label, "", der.p, (long)der.n) > 0) {
		n = BIO_get_mem_data(bio, &text);
		r = copy_out(text, (size_t)n, out);
	}
	BIO_free(bio);
	return r;
}

/* OpenSSL's own would ask at the terminal for the passphrase of an "encrypted certificate". */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static X509 *certificate_read(struct bytes text)
{
	const unsigned char *p = text.p;
	BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;

	if (!cert) {
		cert = d2i_X509(NULL, &p, (long)text.n);
		if (cert && p != text.p + text.n) {	/* bytes left over */
			X509_free(cert);
			cert = NULL;
		}
	}
	BIO_free(bio);
	ERR_clear_error();
	return cert;
}

int pem_take_certificate(struct bytes text, struct bytes *out, struct kf_error *e)
{
	unsigned char *der = NULL;
	X509 *cert;
	int n, r;

	if (text.n > 0 && text.p[0] != 0x30 && bytes_count(text, "CERTIFICATE-----") > 2)
		return error_why(e, -EBADMSG, "one certificate beside a key",
				 "name a file with the key's own certificate",
				 "there is more than one certificate in it");
	cert = certificate_read(text);
	n = cert ? i2d_X509(cert, &der) : 0;
	X509_free(cert);
	if (n <= 0)
		return error_why(e, -EBADMSG, "X.509", "check that it is the right file",
				 "it is no certificate in PEM or DER");
	r = copy_out(der, (size_t)n, out);
	OPENSSL_free(der);
	return r;
}

static EVP_PKEY *public_key_read(struct bytes text)
{
	const unsigned char *p = text.p;
	BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
	EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL) : NULL;

	if (!key)
		key = d2i_PUBKEY(NULL, &p, (long)text.n);
	BIO_free(bio);
	ERR_clear_error();
	return key;
}

int pem_take_point(struct bytes text, struct bytes *out, struct kf_error *e)
{
	EVP_PKEY *key = public_key_read(text);
	unsigned char point[256];
	size_t n = 0;
	int r = -EBADMSG;

	if (key && EVP_PKEY_is_a(key, "EC") &&
	    EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
					   "uncompressed") > 0 &&
	    EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
					    &n) > 0)
		r = copy_out(point, n, out);
	EVP_PKEY_free(key);
	ERR_clear_error();
	if (r == -EBADMSG)
		return error_why(e, r, "docs/card-application.md 4.9", "give the peer's EC public key",
				 "it is no EC public key in PEM or DER");
	return r;
}

size_t pem_first_certificate(struct bytes chain)
{
	const unsigned char *p = chain.p;
	X509 *cert = chain.n ? d2i_X509(NULL, &p, (long)chain.n) : NULL;

	X509_free(cert);
	ERR_clear_error();
	return cert ? (size_t)(p - chain.p) : 0;
}

void pem_free(struct bytes bytes)
{
	free((void *)(uintptr_t)bytes.p);
}
