/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/cvc.h - Card-verifiable certificates [TR-03110-3 C, D.2, D.3]: certificate, certificate
 * request, and the authenticated request that a SmartCard-HSM answers GENERATE KEY PAIR with, in
 * which the device key vouches for a new key. Reading accepts one encoding only.
 */
#pragma once

#include "base/bytes.h"
#include "format/schsm/curve.h"

enum {
	CVC_NAME_MAX = 16,		/* CAR, CHR */
	CVC_MAX = 2048,			/* one certificate; RSA-4096 needs 1150 */
	CVC_SIGNATURE_MAX = 512,
	CVC_DATE_SIZE = 6,		/* YYMMDD, a digit a byte */
};

/* What a key signs with, and how: the last two bytes of id-TA [TR-03110-3 A.6.4.1]. */
enum cvc_algorithm {
	CVC_NO_ALGORITHM = 0,
	CVC_RSA_V15_SHA1 = 0x0101,
	CVC_RSA_V15_SHA256 = 0x0102,
	CVC_RSA_PSS_SHA1 = 0x0103,
	CVC_RSA_PSS_SHA256 = 0x0104,
	CVC_RSA_V15_SHA512 = 0x0105,
	CVC_RSA_PSS_SHA512 = 0x0106,
	CVC_ECDSA_SHA1 = 0x0201,
	CVC_ECDSA_SHA224 = 0x0202,
	CVC_ECDSA_SHA256 = 0x0203,
	CVC_ECDSA_SHA384 = 0x0204,
	CVC_ECDSA_SHA512 = 0x0205,
};

/**
 * struct cvc_key - a public key [TR-03110-3 D.3]; all numbers are borrowed
 * @n, @e:	of an RSA key
 * @domain:	of an EC key; all empty if they are the issuer's
 * @point:	of an EC key
 */
struct cvc_key {
	enum cvc_algorithm algorithm;
	struct bytes n, e;
	struct curve_claim domain;
	struct bytes point;
};

static inline bool cvc_key_is_rsa(const struct cvc_key *key)
{
	return key->algorithm >> 8 == 1;
}

static inline bool cvc_key_has_domain(const struct cvc_key *key)
{
	return key->domain.p.n != 0;
}

/**
 * struct cvc - a certificate, or a request for one; all of it is borrowed
 * @whole:	7F21 with its head
 * @body:	7F4E with its head: what @signature is over
 * @car:	who issued it; may be empty in a request
 * @chr:	whose it is
 * @chat:	what 7F4C holds; empty in a request
 * @from, @to:	CVC_DATE_SIZE digits; empty in a request
 * @extensions:	what 65 holds, a row of 73; empty if left out
 * @signature:	plain: r || s, or RSA's number
 */
struct cvc {
	struct bytes whole, body, car, chr, chat, from, to, extensions, signature;
	struct cvc_key key;
};

/* A request lacks role and dates. */
static inline bool cvc_is_request(const struct cvc *cvc)
{
	return cvc->chat.n == 0;
}

/* Whether its role lets the holder issue certificates: a root or an issuer, not what they issue for. */
bool cvc_may_issue(const struct cvc *cvc);

/*
 * The card's name: what its certificates are numbered by is left out, as OpenSC does. Empty if that is no
 * serial.
 */
struct bytes cvc_serial(struct bytes chr);

/**
 * struct cvc_voucher - an authenticated request, 67
 * @request:	for the new key, signed by it
 * @signed_part: 7F21 and 42 with their heads: what @signature is over
 * @car:	who vouches
 */
struct cvc_voucher {
	struct cvc request;
	struct bytes signed_part, car, signature;
};

/* The next certificate or request in a row of them. Return: 0, -EBADMSG. */
int cvc_take(struct unpacker *u, struct cvc *out);
/* Return: 0; -EBADMSG, also for bytes behind it. */
int cvc_parse(struct bytes der, struct cvc *out);
int cvc_voucher_parse(struct bytes der, struct cvc_voucher *out);

/* What 73 with @oid holds behind the OID. Return: 0; -ENOENT; -EBADMSG if it is there twice. */
int cvc_extension(const struct cvc *cvc, struct bytes oid, struct bytes *out);

/*
 * The key for OpenSSL. @domain has the numbers of the curve if @key is without them; it may be NULL.
 *
 * Return: 0 and a key owned by the caller; -EBADMSG for a point that is none or an RSA key that is
 * none of ours (1024 to 4096 bits, odd exponent from 3); -EOPNOTSUPP for an unknown curve; -ENOKEY
 * if the numbers are nowhere; -EIO, -ENOMEM.
 */
int cvc_key_load(const struct cvc_key *key, const struct cvc_key *domain, EVP_PKEY **out);

/**
 * struct cvc_key_store - what a struct cvc_key that was made of an OpenSSL key borrows from
 */
struct cvc_key_store {
	struct curve curve;
	uint8_t point[CURVE_POINT_MAX];
	uint8_t n[512], e[8];
};

/*
 * Describes the public half of @key, curve and all, with SHA-256 for its algorithm unless @algorithm
 * says otherwise.
 *
 * Return: 0, -EOPNOTSUPP for a key no certificate can name, -EINVAL if @algorithm is for other keys,
 * -EIO, -ENOMEM.
 */
int cvc_key_describe(EVP_PKEY *key, enum cvc_algorithm algorithm, struct cvc_key_store *store,
		     struct cvc_key *out);

/* Whether @signature of @key fits @text. Return: 0, -EBADMSG, -EINVAL, -EIO, -ENOMEM. */
int cvc_signature_verify(EVP_PKEY *key, enum cvc_algorithm algorithm, struct bytes text,
			 struct bytes signature);
/* Return: 0, -EBADMSG, and as above. */
int cvc_verify(const struct cvc *cvc, EVP_PKEY *issuer, enum cvc_algorithm algorithm);
/* Both signatures: that of the new key over the request, that of @device over all. */
int cvc_voucher_verify(const struct cvc_voucher *voucher, EVP_PKEY *device,
		       enum cvc_algorithm algorithm);

/**
 * struct cvc_signer - whoever signs: a key that OpenSSL has, or one that it has not
 * @sign:	packs the plain signature of @text. Return: 0 or what the caller is to get.
 */
struct cvc_signer {
	int (*sign)(void *context, struct bytes text, struct packer *signature);
	void *context;
};

/* A key of OpenSSL's that signs. */
struct cvc_own_key {
	EVP_PKEY *key;
	enum cvc_algorithm algorithm;
};

/* Borrows @own. */
struct cvc_signer cvc_sign_with(struct cvc_own_key *own);

/*
 * Writes a certificate, or a request if @fields->chat is empty; @fields' body, signature and whole are not
 * looked at.
 *
 * Return: 0; -EINVAL if fields are missing or no name is one; -EMSGSIZE; what the signer returned.
 */
int cvc_build(const struct cvc *fields, struct cvc_signer signer, struct packer *out);
/* Puts a voucher round @request, a whole 7F21. Return: likewise. */
int cvc_voucher_build(struct bytes request, struct bytes car, struct cvc_signer signer,
		      struct packer *out);
