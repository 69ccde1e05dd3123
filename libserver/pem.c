// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/pem.c - OpenSSL reads from the caller's memory in place and writes into a memory BIO
 * that wipes itself.
 */
#include "libserver/pem.h"
#include "base/error.h"
#include "libserver/cert.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

/* scrypt as in RFC 7914's interactive example: 16 MiB, well under a second. */
enum { SCRYPT_N = 16384, SCRYPT_R = 8, SCRYPT_P = 1 };

OSSL_CLEANUP(PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free)
OSSL_CLEANUP(X509_SIG, X509_SIG_free)

struct pem_ask {
	struct bytes passphrase;
	bool asked;
};

static int give_passphrase(char *buf, int size, int rwflag, void *arg)
{
	struct pem_ask *ask = arg;

	(void)rwflag;
	ask->asked = true;
	if (ask->passphrase.n == 0 || ask->passphrase.n > (size_t)size)
		return -1;
	memcpy(buf, ask->passphrase.p, ask->passphrase.n);
	return (int)ask->passphrase.n;
}

static size_t count(struct bytes text, const char *needle)
{
	size_t n = 0, len = strlen(needle);

	for (size_t at = 0; at + len <= text.n; at++)
		if (bytes_have_prefix(bytes_slice(text, at, len), BYTES(needle, len)))
			n++;
	return n;
}

bool pem_is_encrypted(struct bytes pem)
{
	return count(pem, "-----BEGIN ENCRYPTED PRIVATE KEY-----") > 0 ||
	       count(pem, "\nProc-Type: 4,ENCRYPTED") > 0;
}

static int pem_failed(const struct pem_ask *ask, struct kf_error *e)
{
	if (ask->asked && ask->passphrase.n == 0)
		return error_why(e, -ENOKEY, "the key file is encrypted", "give its passphrase",
				 "the private key is encrypted and there is no passphrase");
	if (ask->asked)
		return error_why(e, -EKEYREJECTED, "the key file is encrypted", "try again",
				 "the passphrase does not open the private key");
	return error_why(e, -EBADMSG, "PEM: PKCS#8, RSAPrivateKey or ECPrivateKey",
			 "check that it is the right file", "there is no private key in it");
}

int pem_private_key(struct bytes pem, struct bytes passphrase, EVP_PKEY **out,
		    struct kf_error *e)
{
	struct pem_ask ask = { .passphrase = passphrase };
	_cleanup_(BIO_free_allp) BIO *bio = NULL;
	EVP_PKEY *key;

	if (pem.n == 0 || pem.n > INT32_MAX)
		return pem_failed(&ask, e);
	if (count(pem, "PRIVATE KEY-----") > 2)		/* one BEGIN, one END */
		return error_why(e, -EBADMSG, "one key a file", "name a file with one key",
				 "there is more than one private key in it");
	bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	if (!bio)
		return -ENOMEM;
	key = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, &ask);
	ERR_clear_error();
	if (!key)
		return pem_failed(&ask, e);
	*out = key;
	return 0;
}

/* OpenSSL's own PEM writer would use PBKDF2 with 2048 rounds. */
static int write_encrypted(BIO *bio, EVP_PKEY *key, struct bytes passphrase)
{
	_cleanup_(PKCS8_PRIV_KEY_INFO_freep) PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(key);
	_cleanup_(X509_SIG_freep) X509_SIG *sealed = NULL;
	X509_ALGOR *pbe = PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), NULL, 0, NULL, SCRYPT_N,
						SCRYPT_R, SCRYPT_P);

	if (plain && pbe)
		sealed = PKCS8_set0_pbe((const char *)passphrase.p, (int)passphrase.n, plain, pbe);
	if (!sealed) {
		X509_ALGOR_free(pbe);
		return -EIO;
	}
	return PEM_write_bio_PKCS8(bio, sealed) == 1 ? 0 : -EIO;
}

int pem_private_key_write(EVP_PKEY *key, struct bytes passphrase, struct secret *out)
{
	_cleanup_(BIO_free_allp) BIO *bio = BIO_new(BIO_s_secmem());
	char *text = NULL;
	struct packer p = { .p = out->p, .cap = out->cap, .n = out->n };
	long n;
	int r = 0;

	if (!bio)
		return -ENOMEM;
	if (passphrase.n > 0)
		r = write_encrypted(bio, key, passphrase);
	else if (PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
		r = -EIO;
	n = BIO_get_mem_data(bio, &text);
	if (r == 0 && n <= 0)
		r = -EIO;
	if (r == 0) {
		pack_bytes(&p, BYTES(text, (size_t)n));
		out->n = p.n;
		r = pack_end(&p);
	}
	ERR_clear_error();
	return r;
}
