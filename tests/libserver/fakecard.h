/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/libserver/fakecard.h - A maker and a card, as far as a server can tell: certificates,
 * statements, receipts, and opening what was sealed. Made of format/ and OpenSSL, so that the
 * library is judged by the formats and not by itself. Every part can be bent before it is signed.
 */
#pragma once

#include "format/item.h"
#include "format/pin_item.h"
#include "format/receipt.h"
#include "format/shared.h"
#include "format/statement.h"
#include "libserver/cert.h"
#include "libserver/json/offer.h"
#include "tests/harness.h"

/* What a device certificate looks like; all zero is a proper virtual card's. */
struct fakecard_style {
	const char *serial;		/* NULL: "FAKE-1" */
	bool chip;
	bool is_ca, no_usage, other_extended_usage, not_critical_virtual, unknown_critical;
	bool expired, rsa_key, no_serial, two_serials, soft_usage, soft_constraints, soft_extended;
	bool weak_signature;
	bool rsa_root, pss;		/* the root's key, and how it signs */
};

struct fakecard {
	EVP_PKEY *root_key, *device_key, *exchange;
	X509 *root, *cert;
	struct blob root_der, cert_der;
	struct statement statement;	/* of the last offer */
	uint8_t h[KF_DIGEST_SIZE];
	uint8_t confirmation[CONFIRMATION_SIZE];	/* of the cargo that was opened last */
	enum kf_method shared;		/* by a SHARED key, or %KF_METHOD_NONE */
	uint8_t master;			/* of it, times 32 */
	struct shared_info info;	/* of the last offer */
	bool pss;
};

/* A key read once for all tests of a program. */
EVP_PKEY *fakecard_exchange_key(void);		/* RSA-3072, borrowed */
/* PEM of a fresh or shared key; the caller frees. */
char *fakecard_pem(EVP_PKEY *key);

void fakecard_init(struct fakecard *card, const struct fakecard_style *style);
/* Another card under the same root. */
void fakecard_init_sibling(struct fakecard *card, const struct fakecard *of,
			   const struct fakecard_style *style);
/* A fresh EXCHANGE key of @type, by whose method it offers from now on. */
void fakecard_use(struct fakecard *card, enum kf_key_type type);
/* A SHARED key from a master of @master times 32, for @method, by which it offers from now on. */
void fakecard_share(struct fakecard *card, enum kf_method method, uint8_t master);
void fakecard_deinit(struct fakecard *card);

/* A revocation list of the root, with @revoked on it or not. DER, the caller frees. */
struct blob fakecard_crl(const struct fakecard *card, bool revoked, long age_seconds);
struct blob fakecard_crl_signed(const struct fakecard *card, bool revoked, long age_seconds,
				const EVP_MD *md);

/* Changes facts before they are signed, or the file afterwards. */
struct fakecard_bend {
	void (*statement)(struct statement *s);
	void (*file)(struct offer_file *file);
};

/* An offer for @nonce; @bend may be NULL. The caller frees the text. */
char *fakecard_offer(struct fakecard *card, const uint8_t nonce[static KF_NONCE_SIZE],
		     const struct fakecard_bend *bend);

/* An item opened by the card, as docs/card-application.md 5.4 says: a key, or an order about PINs. */
struct fakecard_opened {
	struct item_body body;
	EVP_PKEY *key;
	struct pin_item order;
	uint8_t plain[PIN_ITEM_SIZE];	/* what the order borrows from */
	uint8_t secret[32];		/* an AES key */
	uint8_t proof[ITEM_MAC_SIZE];	/* that it is here */
	bool sender_is_valid;
};

/* Return: 0, or -EBADMSG where the card would refuse. @injector may be NULL. */
int fakecard_open(struct fakecard *card, const char *cargo, size_t number, EVP_PKEY *injector,
		  struct fakecard_opened *out);

struct fakecard_receipt_bend {
	void (*receipt)(struct receipt *r);
	bool other_key;				/* signed by somebody else */
};

/* The receipt file for all items of @cargo, or only those up to @upto (0: all). */
char *fakecard_receipt(struct fakecard *card, const char *cargo, size_t upto,
		       const struct fakecard_receipt_bend *bend);
