// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/cert.c - OpenSSL walks the path and checks signatures; the profile is checked here
 * extension by extension, because OpenSSL has no purpose for it. The virtual extension is critical
 * and unknown to OpenSSL: the path check lets it pass only after the profile check has found every
 * critical extension to be one it knows.
 */
#include "libserver/cert.h"
#include "base/error.h"
#include "format/keys.h"
#include "format/numbers.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#define OID_DEVICE "2.25.315007932491006175092051259904916213513.1"
#define OID_VIRTUAL "2.25.315007932491006175092051259904916213513.2"
#define RULE "device certificate profile, docs/formats.md 2"
#define NEXT "ask the card's maker for a proper certificate"

OSSL_CLEANUP(BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free)
OSSL_CLEANUP(EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free)
OSSL_CLEANUP(ASN1_OBJECT, ASN1_OBJECT_free)
OSSL_CLEANUP(X509_STORE, X509_STORE_free)
OSSL_CLEANUP(RSA_PSS_PARAMS, RSA_PSS_PARAMS_free)
OSSL_CLEANUP(X509_STORE_CTX, X509_STORE_CTX_free)

static bool is_der(struct bytes data)
{
	return data.n > 0 && data.p[0] == 0x30;	/* SEQUENCE; PEM is text */
}

/* OpenSSL's own would ask at the terminal for the passphrase of an "encrypted certificate". */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static int unreadable(const char *what, struct kf_error *e)
{
	return error_why(e, -EBADMSG, "X.509, DER or PEM", "check that it is the right file",
			 "the %s cannot be read", what);
}

/* Taking the first would silently trust, or revoke, something else than was meant. */
static int check_alone(struct bytes data, const char *label, const char *what, struct kf_error *e)
{
	if (data.n == 0 || data.n > INT32_MAX)
		return unreadable(what, e);
	if (is_der(data) || bytes_count(data, label) <= 2)	/* one BEGIN, one END */
		return 0;
	return error_why(e, -EBADMSG, "one object a file", "name a file with the one that is meant",
			 "there is more than one in the file of the %s", what);
}

int cert_parse(struct bytes data, const char *what, X509 **out, struct kf_error *e)
{
	_cleanup_(X509_freep) X509 *cert = NULL;
	const uint8_t *at = data.p;
	int r = check_alone(data, "CERTIFICATE-----", what, e);

	if (r < 0)
		return r;
	ossl_begin();
	if (is_der(data)) {
		cert = d2i_X509(NULL, &at, (long)data.n);
		if (cert && at != data.p + data.n)
			return unreadable(what, e);
	} else {
		_cleanup_(BIO_free_allp) BIO *bio = BIO_new_mem_buf(data.p, (int)data.n);

		cert = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
	}
	/* A certificate comes also without memory for its key, and then has none, or half of one. */
	if (ossl_end(-EBADMSG) == -ENOMEM)
		return -ENOMEM;
	if (!cert)
		return unreadable(what, e);
	*out = take_ptr(cert);
	return 0;
}

int crl_parse(struct bytes data, X509_CRL **out, struct kf_error *e)
{
	static const char what[] = "revocation list";
	_cleanup_(X509_CRL_freep) X509_CRL *crl = NULL;
	const uint8_t *at = data.p;
	int r = check_alone(data, "X509 CRL-----", what, e);

	if (r < 0)
		return r;
	ossl_begin();
	if (is_der(data)) {
		crl = d2i_X509_CRL(NULL, &at, (long)data.n);
		if (crl && at != data.p + data.n)
			return unreadable(what, e);
	} else {
		_cleanup_(BIO_free_allp) BIO *bio = BIO_new_mem_buf(data.p, (int)data.n);

		crl = bio ? PEM_read_bio_X509_CRL(bio, NULL, no_passphrase, NULL) : NULL;
	}
	if (!crl)
		return ossl_end(-EBADMSG) == -ENOMEM ? -ENOMEM : unreadable(what, e);
	ERR_clear_error();
	*out = take_ptr(crl);
	return 0;
}

static int blob_from_openssl(uint8_t *der, int len, struct blob *out)
{
	int r;

	if (len <= 0)
		return ossl_end(-ENOMEM);
	r = blob_set(out, BYTES(der, (size_t)len));
	OPENSSL_free(der);
	return r;
}

int cert_der(X509 *cert, struct blob *out)
{
	uint8_t *der = NULL;
	int len = i2d_X509(cert, &der);

	return blob_from_openssl(der, len, out);
}

int crl_der(X509_CRL *crl, struct blob *out)
{
	uint8_t *der = NULL;
	int len = i2d_X509_CRL(crl, &der);

	return blob_from_openssl(der, len, out);
}

bool crl_is_of(X509_CRL *crl, X509 *root)
{
	EVP_PKEY *key = X509_get0_pubkey(root);
	bool is = key && X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(root)) == 0 &&
		  X509_CRL_verify(crl, key) == 1;

	ERR_clear_error();
	return is;
}

/* --- how strongly a list is signed --- */

/* RSASSA-PSS says its hash in its parameters; without it there, it is SHA-1 [RFC 4055 3.1]. */
static int pss_hash(const X509_ALGOR *algorithm)
{
	const ASN1_TYPE *params = algorithm->parameter;
	_cleanup_(RSA_PSS_PARAMS_freep) RSA_PSS_PARAMS *pss = NULL;

	if (params && params->type == V_ASN1_SEQUENCE)
		pss = ASN1_item_unpack(params->value.sequence, ASN1_ITEM_rptr(RSA_PSS_PARAMS));
	return pss && pss->hashAlgorithm ? OBJ_obj2nid(pss->hashAlgorithm->algorithm) : NID_sha1;
}

int crl_check_strength(X509_CRL *crl, struct kf_error *e)
{
	const X509_ALGOR *algorithm = NULL;
	int hash = NID_undef, nid = X509_CRL_get_signature_nid(crl);
	const EVP_MD *md;

	ossl_begin();
	X509_CRL_get0_signature(crl, NULL, &algorithm);
	if (nid == NID_rsassaPss)
		hash = pss_hash(algorithm);
	else if (OBJ_find_sigid_algs(nid, &hash, NULL) != 1)
		hash = NID_undef;
	md = hash == NID_undef ? NULL : EVP_get_digestbynid(hash);
	if ((md && EVP_MD_get_size(md) >= 32) || nid == NID_ED25519 || nid == NID_ED448)
		return ossl_end(0);
	if (ossl_end(-EACCES) == -ENOMEM)
		return -ENOMEM;
	return error_why(e, -EACCES, "docs/formats.md 2: SHA-256 or stronger",
			 "ask the maker for a list with a stronger signature",
			 "the revocation list's signature is weaker than SHA-256");
}

/* --- the profile --- */

__attribute__((format(printf, 2, 3)))
static int refuse(struct kf_error *e, const char *format, ...)
{
	char why[KF_ERROR_TEXT_MAX];
	va_list args;

	if (ossl_end(-EACCES) == -ENOMEM)
		return -ENOMEM;		/* and nothing about the certificate */
	va_start(args, format);
	error_text_vset(why, format, args);
	va_end(args);
	return error_why(e, -EACCES, RULE, NEXT, "%s", why);
}

static bool is_p256(EVP_PKEY *key)
{
	enum kf_key_type type;

	return key && key_type_of(key, &type) == 0 && type == KF_KEY_EC_P256;
}

static int check_subject(X509 *cert, char serial[static KF_SERIAL_MAX + 1], struct kf_error *e)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_serialNumber, -1);
	const ASN1_STRING *value;
	struct bytes text;

	if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_serialNumber, at) >= 0)
		return refuse(e, "its subject does not have exactly one serial number");
	value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	text = BYTES(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
	if ((ASN1_STRING_type(value) != V_ASN1_PRINTABLESTRING &&
	     ASN1_STRING_type(value) != V_ASN1_UTF8STRING) || !serial_is_valid(text))
		return refuse(e, "the serial number in its subject is not one");
	memset(serial, 0, KF_SERIAL_MAX + 1);
	memcpy(serial, text.p, text.n);
	return 0;
}

static int check_constraints(X509 *cert, struct kf_error *e)
{
	int critical = -1;
	_cleanup_(BASIC_CONSTRAINTS_freep) BASIC_CONSTRAINTS *constraints =
		X509_get_ext_d2i(cert, NID_basic_constraints, &critical, NULL);

	if (!constraints || critical != 1)
		return refuse(e, "it has no critical basic constraints");
	if (constraints->ca)
		return refuse(e, "it is a CA's certificate, not a card's");
	return 0;
}

static int check_usage(X509 *cert, struct kf_error *e)
{
	int at = X509_get_ext_by_NID(cert, NID_key_usage, -1);

	if (at < 0 || !X509_EXTENSION_get_critical(X509_get_ext(cert, at)) ||
	    X509_get_ext_by_NID(cert, NID_key_usage, at) >= 0 ||
	    X509_get_key_usage(cert) != X509v3_KU_DIGITAL_SIGNATURE)
		return refuse(e, "its key usage is not exactly digitalSignature, critical");
	return 0;
}

static int check_extended_usage(X509 *cert, struct kf_error *e)
{
	int critical = -1;
	_cleanup_(EXTENDED_KEY_USAGE_freep) EXTENDED_KEY_USAGE *usage =
		X509_get_ext_d2i(cert, NID_ext_key_usage, &critical, NULL);
	_cleanup_(ASN1_OBJECT_freep) ASN1_OBJECT *device = OBJ_txt2obj(OID_DEVICE, 1);

	if (!device)
		return -ENOMEM;
	if (!usage || critical != 1 || sk_ASN1_OBJECT_num(usage) != 1 ||
	    OBJ_cmp(sk_ASN1_OBJECT_value(usage, 0), device) != 0)
		return refuse(e, "its extended key usage is not exactly \"keyferry device\", "
				 "critical");
	return 0;
}

/* [formats 2]: critical, value DER NULL. */
static bool virtual_is_in_form(X509_EXTENSION *extension)
{
	static const uint8_t null[] = { 0x05, 0x00 };
	const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);

	return X509_EXTENSION_get_critical(extension) &&
	       bytes_equal(BYTES_OF(null), BYTES(ASN1_STRING_get0_data(value),
						 (size_t)ASN1_STRING_length(value)));
}

static int check_extensions(X509 *cert, bool *is_virtual, struct kf_error *e)
{
	_cleanup_(ASN1_OBJECT_freep) ASN1_OBJECT *virtual_oid = OBJ_txt2obj(OID_VIRTUAL, 1);

	if (!virtual_oid)
		return -ENOMEM;
	*is_virtual = false;
	for (int i = 0; i < X509_get_ext_count(cert); i++) {
		X509_EXTENSION *extension = X509_get_ext(cert, i);
		int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));

		if (OBJ_cmp(X509_EXTENSION_get_object(extension), virtual_oid) == 0) {
			if (*is_virtual || !virtual_is_in_form(extension))
				return refuse(e, "its virtual extension is malformed");
			*is_virtual = true;
		} else if (X509_EXTENSION_get_critical(extension) && nid != NID_key_usage &&
			   nid != NID_basic_constraints && nid != NID_ext_key_usage) {
			return refuse(e, "it has a critical extension that nobody here knows");
		}
	}
	return 0;
}

/* [formats 2]: SHA-256 or stronger; the path check would be content with 112 bits. */
static int check_signature_strength(X509 *cert, struct kf_error *e)
{
	int bits = 0;

	if (X509_get_signature_info(cert, NULL, NULL, &bits, NULL) != 1 || bits < 128)
		return refuse(e, "its signature is weaker than SHA-256");
	return 0;
}

int cert_check_device(X509 *cert, struct device_facts *out, struct kf_error *e)
{
	struct device_facts facts = { 0 };
	int r;

	ossl_begin();
	if (X509_get_version(cert) != X509_VERSION_3)
		return refuse(e, "it is not of X.509 version 3");
	if (!is_p256(X509_get0_pubkey(cert)))
		return refuse(e, "its key is not on P-256");
	r = check_signature_strength(cert, e);
	if (r == 0)
		r = check_subject(cert, facts.serial, e);
	if (r == 0)
		r = check_constraints(cert, e);
	if (r == 0)
		r = check_usage(cert, e);
	if (r == 0)
		r = check_extended_usage(cert, e);
	if (r == 0)
		r = check_extensions(cert, &facts.is_virtual, e);
	ERR_clear_error();
	if (r == 0)
		*out = facts;
	return r;
}

/* --- the path --- */

/* Only asked about a device certificate that passed check_extensions(). */
static int let_known_critical_pass(int ok, X509_STORE_CTX *ctx)
{
	return ok || (X509_STORE_CTX_get_error(ctx) == X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION &&
		      X509_STORE_CTX_get_error_depth(ctx) == 0);
}

static int path_failed(X509_STORE_CTX *ctx, struct kf_error *e)
{
	int error = X509_STORE_CTX_get_error(ctx);

	if (error == X509_V_ERR_OUT_OF_MEM || ossl_end(-EACCES) == -ENOMEM)
		return -ENOMEM;
	switch (error) {
	case X509_V_ERR_CERT_REVOKED:
		return error_why(e, -EACCES, "the enrolled revocation list",
				 "do not use this card; ask its maker", "it was revoked");
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_UNABLE_TO_GET_CRL:
		return error_why(e, -EACCES, "a revocation list, once enrolled, is kept current",
				 "enroll a newer one with keyferry server crl",
				 "the revocation list is too old or of another issuer");
	default:
		return error_why(e, -EACCES, "path to the enrolled root, docs/formats.md 2",
				 "check certificate, root and this machine's clock", "%s",
				 X509_verify_cert_error_string(error));
	}
}

static bool store_fill(X509_STORE *store, X509 *root, X509_CRL *crl)
{
	X509_VERIFY_PARAM *param = X509_STORE_get0_param(store);

	X509_VERIFY_PARAM_set_depth(param, 0);		/* no certificate in between */
	X509_VERIFY_PARAM_set_auth_level(param, 2);	/* no SHA-1, no RSA below 2048 */
	if (X509_STORE_add_cert(store, root) != 1)
		return false;
	if (!crl)
		return true;
	return X509_STORE_add_crl(store, crl) == 1 &&
	       X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK) == 1;
}

int cert_check_root(X509 *root, struct kf_error *e)
{
	ossl_begin();
	if (X509_check_ca(root) == 1 && X509_self_signed(root, 1) == 1)
		return 0;
	if (ossl_end(-EACCES) == -ENOMEM)
		return -ENOMEM;
	return error_why(e, -EACCES, "path to the enrolled root, docs/formats.md 2",
			 "name the maker's root certificate as root",
			 "the root is not a self-signed CA certificate");
}

int cert_check_path(X509 *cert, X509 *root, X509_CRL *crl, bool device, struct kf_error *e)
{
	_cleanup_(X509_STORE_freep) X509_STORE *store = X509_STORE_new();
	_cleanup_(X509_STORE_CTX_freep) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int r = crl ? crl_check_strength(crl, e) : 0;

	if (r < 0)
		return r;
	ossl_begin();
	if (!store || !ctx || !store_fill(store, root, crl) ||
	    X509_STORE_CTX_init(ctx, store, cert, NULL) != 1)
		return ossl_end(-ENOMEM);
	if (device)
		X509_STORE_CTX_set_verify_cb(ctx, let_known_critical_pass);
	if (X509_verify_cert(ctx) != 1)
		r = path_failed(ctx, e);
	ERR_clear_error();
	return r;
}
