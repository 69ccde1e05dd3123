/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A key without its certificate is what a kill between two writes leaves; the certificate is then made
 * anew for the same key.
 */
#include "vreader/schsm/issuer.h"

#include "format/ossl.h"
#include "format/schsm/cvc.h"
#include "vreader/card/keyfile.h"

#include <stdlib.h>
#include <time.h>

enum { VALID_YEARS = 25, CLOCK_SKEW = 86400, CERT_MAX = 512 };

static const char root_name[] = ISSUER_MARK "ROOT00001";
static const char issuer_name[] = ISSUER_MARK "DICA00001";

/* Roles in the vendor's own scheme, id-sc-hsm 3 1 1; the octet is that of a root, an issuer, a device. */
#define ROLE(octet) \
	{ 0x06, 0x0b, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x81, 0xc3, 0x1f, 0x03, 0x01, 0x01, 0x53, 0x01, octet }
static const uint8_t root_role[] = ROLE(0xc0);
static const uint8_t issuer_role[] = ROLE(0x80);
static const uint8_t device_role[] = ROLE(0x00);

struct cert {
	uint8_t der[CERT_MAX];
	size_t n;
};

/* One link of the chain: a key, and the certificate that another link gave it. */
struct link {
	EVP_PKEY *key;
	struct cert cert;
};

struct issuer {
	struct link root, issuer;
};

struct issuer *issuer_free(struct issuer *issuer)
{
	if (!issuer)
		return NULL;
	EVP_PKEY_free(issuer->root.key);
	EVP_PKEY_free(issuer->issuer.key);
	free(issuer);
	return NULL;
}

static struct bytes cert_bytes(const struct cert *cert)
{
	return BYTES(cert->der, cert->n);
}

struct bytes issuer_root(const struct issuer *issuer)
{
	return cert_bytes(&issuer->root.cert);
}

int issuer_make_pair(EVP_PKEY **out)
{
	ossl_begin();
	*out = EVP_EC_gen("brainpoolP256r1");
	return ossl_end(*out ? 0 : -EIO);
}

/* --- certificates --- */

/* YYMMDD, a digit a byte. */
static void put_date(uint8_t out[static CVC_DATE_SIZE], time_t t, int years)
{
	struct tm tm;
	int parts[3];

	(void)gmtime_r(&t, &tm);
	parts[0] = (tm.tm_year + years) % 100;
	parts[1] = tm.tm_mon + 1;
	parts[2] = tm.tm_mday;
	for (size_t i = 0; i < 3; i++) {
		out[2 * i] = (uint8_t)(parts[i] / 10);
		out[2 * i + 1] = (uint8_t)(parts[i] % 10);
	}
}

/* @signer may be the key itself: then it is a root. */
static int certify(EVP_PKEY *key, struct bytes name, struct bytes role, EVP_PKEY *signer,
		   struct bytes signer_name, struct packer *out)
{
	uint8_t from[CVC_DATE_SIZE], to[CVC_DATE_SIZE];
	struct cvc_own_key own = { .key = signer, .algorithm = CVC_ECDSA_SHA256 };
	struct cvc fields = {
		.car = signer_name, .chr = name, .chat = role,
		.from = BYTES_OF(from), .to = BYTES_OF(to),
	};
	struct cvc_key_store store;
	time_t now = time(NULL) - CLOCK_SKEW;
	int r = cvc_key_describe(key, CVC_ECDSA_SHA256, &store, &fields.key);

	put_date(from, now, 0);
	put_date(to, now, VALID_YEARS);
	return r < 0 ? r : cvc_build(&fields, cvc_sign_with(&own), out);
}

static int make_cert(struct link *link, const char *name, struct bytes role, EVP_PKEY *signer)
{
	struct packer p = pack_begin(link->cert.der, sizeof(link->cert.der));
	int r = certify(link->key, BYTES(name, strlen(name)), role, signer,
			BYTES(root_name, strlen(root_name)), &p);

	link->cert.n = p.n;
	return r;
}

int issuer_certify(const struct issuer *issuer, EVP_PKEY *device, const char *serial,
		   struct packer *out)
{
	char name[CVC_NAME_MAX + 1];
	int r;

	if (strlen(serial) > ISSUER_SERIAL_MAX)
		return -EINVAL;
	(void)snprintf(name, sizeof(name), ISSUER_MARK "%s00001", serial);
	r = certify(device, BYTES(name, strlen(name)), BYTES_OF(device_role), issuer->issuer.key,
		    BYTES(issuer_name, strlen(issuer_name)), out);
	pack_bytes(out, cert_bytes(&issuer->issuer.cert));
	return r < 0 ? r : pack_end(out);
}

/* --- for one card --- */

int issuer_new(struct issuer **out)
{
	_cleanup_(issuer_freep) struct issuer *issuer = calloc(1, sizeof(*issuer));
	int r;

	if (!issuer)
		return -ENOMEM;
	r = issuer_make_pair(&issuer->root.key);
	if (r == 0)
		r = issuer_make_pair(&issuer->issuer.key);
	if (r == 0)
		r = make_cert(&issuer->root, root_name, BYTES_OF(root_role), issuer->root.key);
	if (r == 0)
		r = make_cert(&issuer->issuer, issuer_name, BYTES_OF(issuer_role), issuer->root.key);
	if (r < 0)
		return r;
	*out = take_ptr(issuer);
	return 0;
}

/* --- in a directory --- */

/**
 * struct place - where a link is kept and what it is
 */
struct place {
	const char *key_file, *cert_file;
	const char *name;
	struct bytes role;
};

/* That the certificate is one for this key and by that signer. */
static int check_cert(const struct link *link, EVP_PKEY *signer)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	struct cvc cert;
	int r = cvc_parse(cert_bytes(&link->cert), &cert);

	if (r == 0)
		r = cvc_verify(&cert, signer, CVC_ECDSA_SHA256);
	if (r == 0)
		r = cvc_key_load(&cert.key, NULL, &key);
	if (r == 0 && EVP_PKEY_eq(key, link->key) != 1)
		r = -EBADMSG;
	return r == -EINVAL || r == -EOPNOTSUPP || r == -ENOKEY ? -EBADMSG : r;
}

static int load_cert(const char *dir, const char *file, struct cert *out)
{
	_cleanup_(secret_deinit) struct secret text = SECRET_INIT;
	struct packer p = pack_begin(out->der, sizeof(out->der));
	int r = keyfile_read(dir, file, 022, &text);

	if (r < 0)
		return r;
	pack_bytes(&p, secret_bytes(&text));
	out->n = p.n;
	return pack_end(&p) < 0 ? -EBADMSG : 0;
}

static int open_key(const char *dir, struct store *store, const char *file, EVP_PKEY **out)
{
	int r = keyfile_load(dir, file, out);

	if (r != -ENOENT)
		return r;
	r = issuer_make_pair(out);
	return r < 0 ? r : keyfile_save(store, file, *out);
}

/* @signer NULL: the link's own key. */
static int open_link(const char *dir, struct store *store, const struct place *place,
		     EVP_PKEY *signer, struct link *link)
{
	int r = open_key(dir, store, place->key_file, &link->key);

	if (r < 0)
		return r;
	if (!signer)
		signer = link->key;
	r = load_cert(dir, place->cert_file, &link->cert);
	if (r == 0)
		return check_cert(link, signer);
	if (r != -ENOENT)
		return r;
	r = make_cert(link, place->name, place->role, signer);
	return r < 0 ? r : store_put_file(store, place->cert_file, cert_bytes(&link->cert), 0644);
}

int issuer_open(const char *dir, struct issuer **out)
{
	const struct place root = {
		"schsm-root.key", "schsm-root.cvc", root_name, BYTES_OF(root_role),
	};
	const struct place issuing = {
		"schsm-issuer.key", "schsm-issuer.cvc", issuer_name, BYTES_OF(issuer_role),
	};
	_cleanup_(issuer_freep) struct issuer *issuer = calloc(1, sizeof(*issuer));
	_cleanup_(store_freep) struct store *store = NULL;
	int r;

	if (!issuer)
		return -ENOMEM;
	r = store_open(dir, STORE_CREATE, NULL, &store);	/* one maker at a time */
	if (r == 0)
		r = open_link(dir, store, &root, NULL, &issuer->root);
	if (r == 0)
		r = open_link(dir, store, &issuing, issuer->root.key, &issuer->issuer);
	if (r < 0)
		return r;
	*out = take_ptr(issuer);
	return 0;
}
