/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libserver/enrolled.h - An enrolled card: the certificate a key is meant for, and what it is
 * checked against, now and whenever it is used.
 */
#pragma once

#include "libserver/cert.h"
#include "libserver/server.h"

/**
 * struct kf_enrolled - one card
 * @crl:	or NULL
 * @der:	certificate, as it stands in offers
 * @digest:	its SHA-256; @fingerprint is the same in hexadecimal
 * @key:	DEVICE key, borrowed from @cert
 * @any_genuine: stands for no particular card: taken from the offer itself
 */
struct kf_enrolled {
	X509 *cert, *root;
	X509_CRL *crl;
	struct blob der;
	struct device_facts facts;
	uint8_t digest[KF_DIGEST_SIZE];
	char fingerprint[HEX_DIGEST_SIZE];
	EVP_PKEY *key;
	bool allow_virtual;
	bool any_genuine;
};

DEFINE_CLEANUP(struct kf_enrolled *, kf_enrolled_free);

/* Everything but today's checks, so that a card that would be refused can still be shown. */
int enrolled_load(struct bytes cert, struct bytes root, struct bytes crl, bool allow_virtual,
		  struct kf_enrolled **out, struct kf_error *e);

/* Path, validity, revocation, virtual: as of now. Return: 0, -EACCES. */
int enrolled_check(const struct kf_enrolled *card, struct kf_error *e);
