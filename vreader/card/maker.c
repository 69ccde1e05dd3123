/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The root is an ordinary P-256 certificate authority of path length 0, so that `openssl ca` can
 * issue a revocation list with its files. A root.key without root.pem is what a kill between the
 * two writes leaves; the certificate is then made anew for the same key.
 */
#include "vreader/card/maker.h"

#include "format/keys.h"
#include "format/ossl.h"
#include "vreader/card/keyfile.h"
#include "vreader/card/pem.h"
#include "vreader/state/store.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

/* [formats 1]: the arc U, with 1 for the device usage and 2 for the mark of a virtual card */
#define OID_ARC "2.25.315007932491006175092051259904916213513"
#define OID_DEVICE OID_ARC ".1"
#define OID_VIRTUAL OID_ARC ".2"

enum {
	VALID_DAYS = 25 * 365,
	CLOCK_SKEW = 300,		/* seconds that a server's clock may be behind */
	CERT_SERIAL_LEN = 16,
};

static const char key_name[] = "root.key";
static const char cert_name[] = "root.pem";

struct maker {
	EVP_PKEY *key;
	X509 *cert;
};

OSSL_CLEANUP(X509, X509_free)
OSSL_CLEANUP(X509_EXTENSION, X509_EXTENSION_free)
OSSL_CLEANUP(ASN1_OBJECT, ASN1_OBJECT_free)
OSSL_CLEANUP(ASN1_OCTET_STRING, ASN1_OCTET_STRING_free)
OSSL_CLEANUP(BIO, BIO_free_all)

struct maker *maker_free(struct maker *maker)
{
	if (!maker)
		return NULL;
	EVP_PKEY_free(maker->key);
	X509_free(maker->cert);
	free(maker);
	return NULL;
}

/* --- certificates --- */

static bool set_random_serial(X509 *cert)
{
	_cleanup_(BN_clear_freep) BIGNUM *n = NULL;
	uint8_t buf[CERT_SERIAL_LEN];

	if (RAND_bytes(buf, sizeof(buf)) != 1)
		return false;
	buf[0] = (buf[0] & 0x7f) | 0x40;	/* positive, and always of the same length */
	n = BN_bin2bn(buf, sizeof(buf), NULL);
	return n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
}

static bool set_times(X509 *cert)
{
	return X509_time_adj_ex(X509_getm_notBefore(cert), 0, -CLOCK_SKEW, NULL) &&
	       X509_time_adj_ex(X509_getm_notAfter(cert), VALID_DAYS, 0, NULL);
}

static bool set_name(X509_NAME *name, const char *field, const char *value)
{
	return X509_NAME_add_entry_by_txt(name, field, MBSTRING_ASC, (const uint8_t *)value, -1, -1,
					  0);
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	_cleanup_(X509_EXTENSION_freep) X509_EXTENSION *extension = NULL;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&ctx);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	return extension && X509_add_ext(cert, extension, -1);
}

/* The mark nobody can overlook: critical, so a verifier that does not know it refuses the card. */
static bool add_virtual_mark(X509 *cert)
{
	static const uint8_t null_der[] = { 0x05, 0x00 };
	_cleanup_(ASN1_OBJECT_freep) ASN1_OBJECT *oid = OBJ_txt2obj(OID_VIRTUAL, 1);
	_cleanup_(ASN1_OCTET_STRING_freep) ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	_cleanup_(X509_EXTENSION_freep) X509_EXTENSION *extension = NULL;

	if (!oid || !value || !ASN1_OCTET_STRING_set(value, null_der, sizeof(null_der)))
		return false;
	extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);
	return extension && X509_add_ext(cert, extension, -1);
}

static bool fill_root(X509 *cert, EVP_PKEY *key)
{
	return X509_set_version(cert, X509_VERSION_3) && set_random_serial(cert) &&
	       set_times(cert) &&
	       set_name(X509_get_subject_name(cert), "CN", "keyferry virtual card maker") &&
	       X509_set_issuer_name(cert, X509_get_subject_name(cert)) &&
	       X509_set_pubkey(cert, key) &&
	       add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	       add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	       add_extension(cert, cert, NID_subject_key_identifier, "hash") &&
	       X509_sign(cert, key, EVP_sha256()) > 0;
}

static bool fill_device(X509 *cert, const struct maker *maker, EVP_PKEY *device, const char *serial)
{
	return X509_set_version(cert, X509_VERSION_3) && set_random_serial(cert) &&
	       set_times(cert) &&
	       set_name(X509_get_subject_name(cert), "serialNumber", serial) &&
	       X509_set_issuer_name(cert, X509_get_subject_name(maker->cert)) &&
	       X509_set_pubkey(cert, device) &&
	       add_extension(cert, maker->cert, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(cert, maker->cert, NID_key_usage, "critical,digitalSignature") &&
	       add_extension(cert, maker->cert, NID_ext_key_usage, "critical," OID_DEVICE) &&
	       add_virtual_mark(cert) &&
	       add_extension(cert, maker->cert, NID_subject_key_identifier, "hash") &&
	       add_extension(cert, maker->cert, NID_authority_key_identifier, "keyid:always") &&
	       X509_sign(cert, maker->key, EVP_sha256()) > 0;
}

static int cert_pem(X509 *cert, struct packer *out)
{
	_cleanup_(BIO_free_allp) BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n;

	if (!bio || !PEM_write_bio_X509(bio, cert))
		return -EIO;
	n = BIO_get_mem_data(bio, &text);
	pack_bytes(out, BYTES(text, (size_t)n));
	return pack_end(out);
}

int cert_to_pem(struct bytes der, struct packer *out)
{
	_cleanup_(X509_freep) X509 *cert = NULL;
	const uint8_t *p = der.p;

	cert = d2i_X509(NULL, &p, (long)der.n);
	if (!cert) {
		ERR_clear_error();
		return -EBADMSG;
	}
	return cert_pem(cert, out);
}

int maker_root_pem(const struct maker *maker, struct packer *out)
{
	return cert_pem(maker->cert, out);
}

int maker_issue(const struct maker *maker, EVP_PKEY *device, const char *serial, struct packer *out)
{
	_cleanup_(X509_freep) X509 *cert = X509_new();
	uint8_t *der = NULL;
	int n;

	if (!cert || !fill_device(cert, maker, device, serial))
		return -EIO;
	n = i2d_X509(cert, &der);
	if (n <= 0)
		return -EIO;
	pack_bytes(out, BYTES(der, (size_t)n));
	OPENSSL_free(der);
	return pack_end(out);
}

/* --- the root --- */

static int make_cert(struct maker *maker)
{
	maker->cert = X509_new();
	return maker->cert && fill_root(maker->cert, maker->key) ? 0 : -EIO;
}

int maker_new(struct maker **out)
{
	_cleanup_(maker_freep) struct maker *maker = calloc(1, sizeof(*maker));
	int r;

	if (!maker)
		return -ENOMEM;
	r = key_generate(KF_KEY_EC_P256, &maker->key);
	if (r == 0)
		r = make_cert(maker);
	if (r < 0)
		return r;
	*out = take_ptr(maker);
	return 0;
}

static int load_cert(const char *dir, const struct maker *maker, X509 **out)
{
	_cleanup_(secret_deinit) struct secret pem = SECRET_INIT;
	_cleanup_(X509_freep) X509 *cert = NULL;
	int r = keyfile_read(dir, cert_name, 022, &pem);

	if (r < 0)
		return r;
	cert = pem_cert(secret_bytes(&pem));
	r = cert && X509_check_private_key(cert, maker->key) == 1 && X509_check_ca(cert) == 1 ?
		0 : -EBADMSG;
	ERR_clear_error();
	if (r == 0)
		*out = take_ptr(cert);
	return r;
}

static int save_cert(struct store *store, X509 *cert)
{
	uint8_t pem[PEM_TEXT_MAX];
	struct packer p = pack_begin(pem, sizeof(pem));
	int r = cert_pem(cert, &p);

	if (r < 0)
		return r;
	return store_put_file(store, cert_name, pack_done(&p), 0644);
}

static int load_or_make_key(const char *dir, struct store *store, struct maker *maker)
{
	int r = keyfile_load(dir, key_name, &maker->key);

	if (r != -ENOENT)
		return r;
	r = key_generate(KF_KEY_EC_P256, &maker->key);
	return r < 0 ? r : keyfile_save(store, key_name, maker->key);
}

static int load_or_make_cert(const char *dir, struct store *store, struct maker *maker)
{
	int r = load_cert(dir, maker, &maker->cert);

	if (r != -ENOENT)
		return r;
	r = make_cert(maker);
	return r < 0 ? r : save_cert(store, maker->cert);
}

int maker_open(const char *dir, struct maker **out)
{
	_cleanup_(maker_freep) struct maker *maker = calloc(1, sizeof(*maker));
	_cleanup_(store_freep) struct store *store = NULL;
	int r;

	if (!maker)
		return -ENOMEM;
	r = store_open(dir, STORE_CREATE, NULL, &store);	/* one maker at a time */
	if (r == 0)
		r = load_or_make_key(dir, store, maker);
	if (r == 0)
		r = load_or_make_cert(dir, store, maker);
	if (r < 0)
		return r;
	*out = take_ptr(maker);
	return 0;
}
