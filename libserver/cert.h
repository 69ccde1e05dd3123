/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/cert.h - Certificates as this library judges them: the device certificate's profile
 * (docs/formats.md 2), and the path to a root with an optional revocation list. The clock is the
 * server's own.
 */
#pragma once

#include "format/ossl.h"
#include "keyferry/error.h"
#include "keyferry/types.h"
#include "libserver/json/object.h"

#include <openssl/x509.h>

OSSL_CLEANUP(X509, X509_free)
OSSL_CLEANUP(X509_CRL, X509_CRL_free)
OSSL_CLEANUP(BIO, BIO_free_all)

/*
 * One certificate or list, DER or PEM, owned by the caller; @what names it in errors: "root
 * certificate". PEM with more than one is refused: which was meant? Return: 0, -EBADMSG.
 */
int cert_parse(struct bytes data, const char *what, X509 **out, struct kf_error *e);
int crl_parse(struct bytes data, X509_CRL **out, struct kf_error *e);

/* The whole DER. Return: 0, -ENOMEM. */
int cert_der(X509 *cert, struct blob *out);
int crl_der(X509_CRL *crl, struct blob *out);

/* What a device certificate says of its card. */
struct device_facts {
	char serial[KF_SERIAL_MAX + 1];
	bool is_virtual;
};

/* The profile of docs/formats.md 2, path not included. Return: 0, -EACCES. */
int cert_check_device(X509 *cert, struct device_facts *out, struct kf_error *e);

/* A self-signed CA certificate: its own signature costs as much as all else of a path, and is looked at
 * once, when a root is taken. Return: 0, -EACCES. */
int cert_check_root(X509 *root, struct kf_error *e);

/*
 * A path of one step from @cert to @root, which cert_check_root() took, valid now, not on @crl (NULL: no list). @device: an
 * unknown critical extension of @cert has been looked at by cert_check_device(). Return: 0, -EACCES.
 */
int cert_check_path(X509 *cert, X509 *root, X509_CRL *crl, bool device, struct kf_error *e);

/* SHA-256 or stronger, as for certificates. Return: 0, -EACCES. */
int crl_check_strength(X509_CRL *crl, struct kf_error *e);

/* Whether @crl was issued and signed by @root. */
bool crl_is_of(X509_CRL *crl, X509 *root);
