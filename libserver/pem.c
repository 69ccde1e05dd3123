// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/pem.c - Text and DER are read by ourselves in locked memory, OpenSSL only decrypts: its
 * decoder leaves parts of the key on the heap. It writes into a memory BIO that wipes itself.
 */
#include "libserver/pem.h"
#include "base/error.h"
#include "libserver/armour.h"
#include "libserver/cert.h"
#include "libserver/private_key.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

/* scrypt as in RFC 7914's interactive example: 16 MiB, well under a second. */
enum { HEADERS_MAX = 256, SCRYPT_N = 16384, SCRYPT_R = 8, SCRYPT_P = 1 };

#define ENCRYPTED "Proc-Type: 4,ENCRYPTED"

OSSL_CLEANUP(PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free)
OSSL_CLEANUP(X509_ALGOR, X509_ALGOR_free)
OSSL_CLEANUP(X509_SIG, X509_SIG_free)

struct pem_ask {
	struct bytes passphrase;
};

static int give_passphrase(char *buf, int size, int rwflag, void *arg)
{
	struct pem_ask *ask = arg;

	(void)rwflag;
	if (ask->passphrase.n == 0 || ask->passphrase.n > (size_t)size)
		return -1;
	memcpy(buf, ask->passphrase.p, ask->passphrase.n);
	return (int)ask->passphrase.n;
}

bool pem_is_encrypted(struct bytes pem)
{
	return bytes_count(pem, "-----BEGIN ENCRYPTED PRIVATE KEY-----") > 0 ||
	       bytes_count(pem, "\n" ENCRYPTED) > 0;
}

static int no_key(struct kf_error *e)
{
	return error_why(e, -EBADMSG, "PEM: PKCS#8, RSAPrivateKey or ECPrivateKey",
			 "check that it is the right file", "there is no private key in it");
}

/* EncryptedPrivateKeyInfo [RFC 5958 3]. Return: 0, -EKEYREJECTED, -EBADMSG. */
static int open_pbes(struct secret *der, struct bytes passphrase)
{
	const uint8_t *at = der->p;
	_cleanup_(X509_SIG_freep) X509_SIG *sealed = d2i_X509_SIG(NULL, &at, (long)der->n);
	const X509_ALGOR *algorithm;
	const ASN1_OCTET_STRING *box;
	uint8_t *plain = NULL;
	int n = 0, r;

	if (!sealed || at != der->p + der->n)
		return -EBADMSG;
	X509_SIG_get0(sealed, &algorithm, &box);
	if (!PKCS12_pbe_crypt(algorithm, (const char *)passphrase.p, (int)passphrase.n,
			      ASN1_STRING_get0_data(box), ASN1_STRING_length(box), &plain, &n, 0))
		return -EKEYREJECTED;
	r = secret_set(der, BYTES(plain, (size_t)n));	/* shorter than what it came from */
	OPENSSL_clear_free(plain, (size_t)n);
	return r;
}

/* "Proc-Type: 4,ENCRYPTED" [RFC 1421 4.6.1.1]; OpenSSL decrypts in place. */
static int open_headers(const struct armour *armour, struct secret *der, struct bytes passphrase)
{
	struct pem_ask ask = { .passphrase = passphrase };
	char headers[HEADERS_MAX] = "";
	EVP_CIPHER_INFO cipher;
	long n = (long)der->n;
	size_t at = 0;

	for (size_t i = 0; i < armour->headers.n && at < sizeof(headers) - 1; i++)
		if (armour->headers.p[i] != '\r')
			headers[at++] = (char)armour->headers.p[i];
	if (armour->headers.n >= sizeof(headers) || PEM_get_EVP_CIPHER_INFO(headers, &cipher) != 1)
		return -EBADMSG;
	if (PEM_do_header(&cipher, der->p, &n, give_passphrase, &ask) != 1)
		return -EKEYREJECTED;
	return secret_resize(der, (size_t)n);
}

static int open_block(const struct armour *armour, bool encrypted, struct bytes passphrase,
		      struct secret *der)
{
	int r = armour_decode(armour, der);

	ossl_begin();
	if (r == 0 && encrypted && armour->headers.n > 0)
		r = open_headers(armour, der, passphrase);
	else if (r == 0 && encrypted)
		r = open_pbes(der, passphrase);
	return ossl_end(r);
}

static const struct label_row {
	const char *label;
	enum private_key_form form;
	bool encrypted;
} label_rows[] = {
	{ "PRIVATE KEY", PRIVATE_KEY_PKCS8, false },
	{ "ENCRYPTED PRIVATE KEY", PRIVATE_KEY_PKCS8, true },
	{ "RSA PRIVATE KEY", PRIVATE_KEY_RSA, false },
	{ "EC PRIVATE KEY", PRIVATE_KEY_EC, false },
};

static const struct label_row *find_block(struct bytes pem, struct armour *out)
{
	while (armour_next(&pem, out))
		for (size_t i = 0; i < sizeof(label_rows) / sizeof(label_rows[0]); i++)
			if (armour_is(out, label_rows[i].label))
				return &label_rows[i];
	return NULL;
}

int pem_private_key(struct bytes pem, struct bytes passphrase, EVP_PKEY **out,
		    struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret der = SECRET_INIT;
	const struct label_row *row;
	struct armour armour;
	bool encrypted;
	int r;

	if (bytes_count(pem, "PRIVATE KEY-----") > 2)		/* one BEGIN, one END */
		return error_why(e, -EBADMSG, "one key a file", "name a file with one key",
				 "there is more than one private key in it");
	row = pem.n > SECRET_MAX ? NULL : find_block(pem, &armour);
	if (!row || (armour.headers.n > 0 &&
		     !bytes_have_prefix(armour.headers, BYTES(ENCRYPTED, strlen(ENCRYPTED)))))
		return no_key(e);
	encrypted = row->encrypted || armour.headers.n > 0;
	if (encrypted && passphrase.n == 0)
		return error_why(e, -ENOKEY, "the key file is encrypted", "give its passphrase",
				 "the private key is encrypted and there is no passphrase");
	r = open_block(&armour, encrypted, passphrase, &der);
	if (r == -EBADMSG)
		return no_key(e);
	if (r == 0)
		r = private_key_parse(secret_bytes(&der), row->form, out, e);
	/* A wrong passphrase may well open to something: one time in 256 its padding looks right. */
	if (r == -EKEYREJECTED || (encrypted && r == -EBADMSG))
		return error_why(e, -EKEYREJECTED, "the key file is encrypted", "try again",
				 "the passphrase does not open the private key");
	return r;
}

/* OpenSSL's own PEM writer would use PBKDF2 with 2048 rounds. */
static X509_ALGOR *new_lock(void)
{
	return PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), NULL, 0, NULL, SCRYPT_N, SCRYPT_R, SCRYPT_P);
}

static int write_encrypted(BIO *bio, EVP_PKEY *key, struct bytes passphrase)
{
	_cleanup_(PKCS8_PRIV_KEY_INFO_freep) PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(key);
	_cleanup_(X509_SIG_freep) X509_SIG *sealed = NULL;
	X509_ALGOR *pbe = new_lock();

	if (plain && pbe)
		sealed = PKCS8_set0_pbe((const char *)passphrase.p, (int)passphrase.n, plain, pbe);
	if (!sealed) {
		X509_ALGOR_free(pbe);
		return -EIO;
	}
	return PEM_write_bio_PKCS8(bio, sealed) == 1 ? 0 : -EIO;
}

static int take_text(BIO *bio, struct secret *out)
{
	struct packer p = { .p = out->p, .cap = out->cap, .n = out->n };
	char *text = NULL;
	long n = BIO_get_mem_data(bio, &text);

	if (n <= 0)
		return -EIO;
	pack_bytes(&p, BYTES(text, (size_t)n));
	out->n = p.n;
	return pack_end(&p);
}

int pem_private_key_write(EVP_PKEY *key, struct bytes passphrase, struct secret *out)
{
	_cleanup_(BIO_free_allp) BIO *bio = BIO_new(BIO_s_secmem());
	int r = 0;

	if (!bio)
		return ossl_end(-ENOMEM);
	ossl_begin();
	if (passphrase.n > 0)
		r = write_encrypted(bio, key, passphrase);
	else if (PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
		r = -EIO;
	return ossl_end(r == 0 ? take_text(bio, out) : r);
}

/* --- what is no private key --- */

static int encrypt(X509_SIG *sealed, struct bytes plain, struct bytes passphrase)
{
	_cleanup_(X509_ALGOR_freep) X509_ALGOR *lock = new_lock();
	X509_ALGOR *algorithm;
	ASN1_OCTET_STRING *box;
	uint8_t *text = NULL;
	int n = 0;

	if (!lock || !PKCS12_pbe_crypt(lock, (const char *)passphrase.p, (int)passphrase.n, plain.p,
				       (int)plain.n, &text, &n, 1))
		return -EIO;
	X509_SIG_getm(sealed, &algorithm, &box);
	ASN1_STRING_set0(box, text, n);
	return X509_ALGOR_copy(algorithm, lock) == 1 ? 0 : -EIO;
}

int pem_seal(struct bytes plain, const char *label, struct bytes passphrase, struct secret *out)
{
	_cleanup_(BIO_free_allp) BIO *bio = BIO_new(BIO_s_mem());
	_cleanup_(X509_SIG_freep) X509_SIG *sealed = X509_SIG_new();
	unsigned char *der = NULL;
	int n = 0, r;

	if (!bio || !sealed)
		return ossl_end(-ENOMEM);
	ossl_begin();
	r = encrypt(sealed, plain, passphrase);
	if (r == 0)
		n = i2d_X509_SIG(sealed, &der);
	if (r == 0 && (n <= 0 || PEM_write_bio(bio, label, "", der, n) <= 0))
		r = -EIO;
	OPENSSL_free(der);
	return ossl_end(r == 0 ? take_text(bio, out) : r);
}

static bool find_sealed(struct bytes pem, const char *label, struct armour *out)
{
	return armour_next(&pem, out) && armour_is(out, label) && out->headers.n == 0;
}

bool pem_is_sealed(struct bytes pem, const char *label)
{
	struct armour armour;

	return find_sealed(pem, label, &armour);
}

int pem_open(struct bytes pem, const char *label, struct bytes passphrase, struct secret *out)
{
	struct armour armour;
	int r;

	if (!find_sealed(pem, label, &armour))
		return -EBADMSG;
	r = armour_decode(&armour, out);
	ossl_begin();
	if (r == 0)
		r = open_pbes(out, passphrase);
	return ossl_end(r);
}
