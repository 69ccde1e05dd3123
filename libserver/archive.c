// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/archive.c - CMS AuthEnvelopedData [RFC 5083]: AES-256-GCM, the content key by RSA-OAEP
 * with SHA-256, by OpenSSL, so that the openssl command opens it. The content goes from a struct
 * secret straight into the cipher.
 */
#include "libserver/archive.h"
#include "base/error.h"
#include "format/shared.h"
#include "libserver/pem.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#define RULE "archive recipient, SECURITY section 8"

enum { RECIPIENT_BITS = 2048, CONTENT_MAX = 8192 };

OSSL_CLEANUP(CMS_ContentInfo, CMS_ContentInfo_free)

/* --- recipient --- */

static int check_recipient(X509 *cert, struct kf_error *e)
{
	EVP_PKEY *key = X509_get0_pubkey(cert);

	ERR_clear_error();
	if (!key || !EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_get_bits(key) < RECIPIENT_BITS)
		return error_why(e, -EACCES, RULE, "make one with an RSA key of 3072 bits",
				 "the certificate's key is not RSA of 2048 bits or more");
	if (X509_get_ext_by_NID(cert, NID_key_usage, -1) < 0 ||
	    !(X509_get_key_usage(cert) & X509v3_KU_KEY_ENCIPHERMENT))
		return error_why(e, -EACCES, RULE,
				 "make one with -addext keyUsage=critical,keyEncipherment",
				 "the certificate's key usage does not say keyEncipherment");
	return 0;
}

/* Validity by this machine's clock; for the self-signed, whom no path check looks at. */
static int check_self_signed(X509 *cert, struct kf_error *e)
{
	if (X509_self_signed(cert, 1) != 1)
		return error_why(e, -EACCES, RULE, "name its root with --archive-root",
				 "the certificate is not self-signed and no root is given");
	if (X509_cmp_current_time(X509_get0_notBefore(cert)) >= 0 ||
	    X509_cmp_current_time(X509_get0_notAfter(cert)) <= 0)
		return error_why(e, -EACCES, RULE, "use a current certificate",
				 "the certificate is not valid now");
	return 0;
}

static int take_recipient(struct bytes cert, struct bytes root, struct kf_archive_recipient *out,
			  struct kf_error *e)
{
	_cleanup_(X509_freep) X509 *anchor = NULL;
	int r;

	r = cert_parse(cert, "archive certificate", &out->cert, e);
	if (r == 0 && root.n > 0)
		r = cert_parse(root, "archive root", &anchor, e);
	if (r == 0 && anchor)
		r = cert_check_root(anchor, e);
	if (r == 0)
		r = check_recipient(out->cert, e);
	if (r < 0)
		return r;
	if (anchor)
		return cert_check_path(out->cert, anchor, NULL, false, e);
	return check_self_signed(out->cert, e);
}

int kf_archive_recipient_new(const void *cert, size_t cert_len, const void *root, size_t root_len,
			     struct kf_archive_recipient **out, struct kf_error *e)
{
	_cleanup_(kf_archive_recipient_freep) struct kf_archive_recipient *recipient =
		calloc(1, sizeof(*recipient));
	int r;

	if (!recipient)
		return error_what(e, -ENOMEM, "cannot take the archive certificate");
	r = take_recipient(BYTES(cert, cert_len), root ? BYTES(root, root_len) : BYTES_NONE,
			   recipient, e);
	if (r < 0)
		return error_what(e, r, "cannot take the archive certificate");
	*out = take_ptr(recipient);
	return 0;
}

struct kf_archive_recipient *kf_archive_recipient_free(struct kf_archive_recipient *recipient)
{
	if (recipient)
		X509_free(recipient->cert);
	free(recipient);
	return NULL;
}

/* --- content --- */

static int put_text(struct secret *content, const char *text)
{
	struct packer p = { .p = content->p, .cap = content->cap, .n = content->n };

	pack_bytes(&p, BYTES(text, strlen(text)));
	content->n = p.n;
	return pack_end(&p);
}

/* What a shell takes, e.g. for openssl enc -K. */
static int put_hex(struct secret *content, const struct secret *key)
{
	struct packer p = { .p = content->p, .cap = content->cap, .n = content->n };

	shared_key_to_hex(key, &p);
	pack_u8(&p, '\n');
	content->n = p.n;
	return pack_end(&p);
}

/* [formats 9]: a header, an empty line, the key as PEM; an AES key in hexadecimal. */
static int write_content(const struct archive_label *label, const struct kf_keypair *pair,
			 struct secret *content)
{
	char header[512], sid[2 * KF_SID_SIZE + 1], hash[HEX_DIGEST_SIZE];
	int r;

	hex_print(BYTES(label->sid, KF_SID_SIZE), sid);
	hex_print(BYTES_OF(pair->hash), hash);
	(void)snprintf(header, sizeof(header),
		       "keyferry-archive: 1\nserial: %s\ncontainer: %u\nsid: %s\nkey-type: %s\n"
		       "public-key-sha256: %s\n\n", label->serial,
		       label->container, sid, key_type_name(pair->type), hash);
	r = put_text(content, header);
	if (r < 0)
		return r;
	return pair->key ? pem_private_key_write(pair->key, BYTES_NONE, content)
			 : put_hex(content, &pair->secret);
}

/* --- envelope --- */

static int use_oaep(CMS_RecipientInfo *recipient)
{
	EVP_PKEY_CTX *ctx = CMS_RecipientInfo_get0_pkey_ctx(recipient);

	if (!ctx || EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1 ||
	    EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) != 1 ||
	    EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) != 1)
		return -EIO;
	return 0;
}

/* Written straight into the cipher: CMS_final() would read through buffers that nobody wipes. */
static int encrypt_content(CMS_ContentInfo *cms, const struct secret *content)
{
	BIO *cipher = CMS_dataInit(cms, NULL);	/* a chain that ends in the CMS's own memory */
	bool good;

	if (!cipher)
		return -EIO;
	good = BIO_write(cipher, content->p, (int)content->n) == (int)content->n &&
	       BIO_flush(cipher) == 1 && CMS_dataFinal(cms, cipher) == 1;
	BIO_free_all(cipher);
	return good ? 0 : -EIO;
}

static int envelope(X509 *cert, const struct secret *content, uint8_t **der, size_t *len)
{
	_cleanup_(CMS_ContentInfo_freep) CMS_ContentInfo *cms =
		CMS_encrypt(NULL, NULL, EVP_aes_256_gcm(), CMS_PARTIAL | CMS_BINARY);
	_cleanup_(BIO_free_allp) BIO *out = BIO_new(BIO_s_mem());
	CMS_RecipientInfo *recipient;
	struct blob blob = BLOB_INIT;
	uint8_t *at = NULL;
	long n;
	int r;

	if (!cms || !out)
		return -ENOMEM;
	recipient = CMS_add1_recipient_cert(cms, cert, CMS_KEY_PARAM);
	if (!recipient || use_oaep(recipient) < 0 || encrypt_content(cms, content) < 0 ||
	    i2d_CMS_bio(out, cms) != 1)
		return -EIO;
	n = BIO_get_mem_data(out, &at);
	if (n <= 0)
		return -EIO;
	r = blob_set(&blob, BYTES(at, (size_t)n));
	if (r < 0)
		return r;
	*der = blob.p;
	*len = blob.n;
	return 0;
}

int archive_seal(const struct kf_archive_recipient *recipient, const struct archive_label *label,
		 const struct kf_keypair *pair, int allow_signing_key, uint8_t **der, size_t *len,
		 struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret content = SECRET_INIT;
	int r;

	if (pair->purpose == KF_PURPOSE_SIGN && !allow_signing_key) {
		(void)error_why(e, -EACCES, "signing keys have no copies, SECURITY section 8",
				"leave the archive away, or insist with --archive-signing-key",
				"a copy of a key that only signs makes its signatures deniable");
		return error_what(e, -EACCES, "cannot archive the key");
	}
	r = secret_init(&content, CONTENT_MAX);
	if (r == 0)
		r = write_content(label, pair, &content);
	if (r == 0)
		r = envelope(recipient->cert, &content, der, len);
	ERR_clear_error();
	return error_what(e, r, "cannot archive the key");
}

int kf_archive_seal(const struct kf_archive_recipient *recipient,
		    const struct kf_verified_offer *offer, const struct kf_keypair *pair,
		    int allow_signing_key, uint8_t **der, size_t *len, struct kf_error *e)
{
	bool batch = offer->statement.container == KF_CONTAINER_BATCH;
	const struct archive_label label = {
		.serial = offer->statement.serial,
		.container = batch ? pair->container : offer->statement.container,
		.sid = offer->statement.sid,
	};

	return archive_seal(recipient, &label, pair, allow_signing_key, der, len, e);
}
