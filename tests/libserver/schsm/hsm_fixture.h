/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tests/libserver/schsm/hsm_fixture.h - A SmartCard-HSM made of keys: root, issuer and device with their
 * certificates, and the voucher for a key it has made.
 */
#pragma once

#include "format/der.h"
#include "format/ossl.h"
#include "format/schsm/cvc.h"
#include "tests/harness.h"

#include <string.h>

/* Rights of a root, an issuer, a device. */
enum { HSM_ROOT = 0xc0, HSM_ISSUER = 0x80, HSM_DEVICE = 0x00 };

/**
 * struct fakehsm - one card
 * @mark:	what its names begin with: two letters and four more
 * @until:	last day of its own certificate
 * @padding, @root_padding: bytes of an extension that makes the device's certificate or the root's longer
 */
struct fakehsm {
	const char *mark;
	uint8_t until[CVC_DATE_SIZE];
	size_t padding, root_padding;
	EVP_PKEY *root, *issuer, *device;
	uint8_t root_buf[3 * CVC_MAX], chain_buf[3 * CVC_MAX];
	struct bytes root_cert, chain;
};

static inline struct bytes fakehsm_name(const struct fakehsm *hsm, const char *rest, char buf[static 17])
{
	return BYTES(buf, (size_t)snprintf(buf, 17, "%s%s00001", hsm->mark, rest));
}

static inline void fakehsm_certify(const struct fakehsm *hsm, EVP_PKEY *key, const char *name, uint8_t role,
				   EVP_PKEY *signer, const char *signer_name, struct packer *out)
{
	static const uint8_t from[] = { 2, 0, 0, 1, 0, 1 };
	const uint8_t chat[] = { 0x06, 0x0b, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x81, 0xc3, 0x1f,
				 0x03, 0x01, 0x01, 0x53, 0x01, role };
	static const uint8_t always[] = { 9, 9, 1, 2, 3, 1 };
	struct cvc_own_key own = { signer, CVC_ECDSA_SHA256 };
	uint8_t extensions[2 * CVC_MAX + 16];
	struct packer extension = pack_begin(extensions, sizeof(extensions));
	size_t padding = role == HSM_ROOT ? hsm->root_padding : role == HSM_DEVICE ? hsm->padding : 0;
	char chr[17], car[17];
	struct cvc_key_store store;
	struct cvc fields = {
		.chr = fakehsm_name(hsm, name, chr), .car = fakehsm_name(hsm, signer_name, car),
		.chat = BYTES_OF(chat), .from = BYTES_OF(from),
		.to = role == HSM_DEVICE ? BYTES_OF(hsm->until) : BYTES_OF(always),
	};

	if (padding != 0) {
		struct der_mark mark = der_begin(&extension, 0x73);

		der_put(&extension, DER_OID, BYTES("\x2b\x06\x01", 3));
		pack_zero(&extension, padding);
		der_end(&extension, mark);
		ASSERT_EQ(0, pack_end(&extension));
		fields.extensions = pack_done(&extension);
	}
	ASSERT_EQ(0, cvc_key_describe(key, CVC_NO_ALGORITHM, &store, &fields.key));
	ASSERT_EQ(0, cvc_build(&fields, cvc_sign_with(&own), out));
}

/* Certificates anew, as @hsm is now. */
static inline void fakehsm_build(struct fakehsm *hsm, const char *serial)
{
	struct packer root = pack_begin(hsm->root_buf, sizeof(hsm->root_buf)),
		      chain = pack_begin(hsm->chain_buf, sizeof(hsm->chain_buf));

	fakehsm_certify(hsm, hsm->root, "ROOT", HSM_ROOT, hsm->root, "ROOT", &root);
	fakehsm_certify(hsm, hsm->device, serial, HSM_DEVICE, hsm->issuer, "ISS", &chain);
	fakehsm_certify(hsm, hsm->issuer, "ISS", HSM_ISSUER, hsm->root, "ROOT", &chain);
	hsm->root_cert = pack_done(&root);
	hsm->chain = pack_done(&chain);
}

/* @device NULL: a random one. @serial has 5 characters at most. */
static inline void fakehsm_init(struct fakehsm *hsm, const char *mark, const char *serial, EVP_PKEY *device)
{
	*hsm = (struct fakehsm){ .mark = mark, .until = { 9, 9, 1, 2, 3, 1 } };
	hsm->root = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "brainpoolP256r1");
	hsm->issuer = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "brainpoolP256r1");
	hsm->device = device ? device : EVP_PKEY_Q_keygen(NULL, NULL, "EC", "brainpoolP256r1");
	fakehsm_build(hsm, serial);
}

/* The word of @hsm, under the name @serial, that it made @key; the request in it signed by @signer. */
static inline struct bytes fakehsm_vouch(const struct fakehsm *hsm, const char *serial, EVP_PKEY *key,
					 EVP_PKEY *signer, uint8_t *buf, size_t cap)
{
	struct cvc_own_key own = { signer, CVC_NO_ALGORITHM }, device = { hsm->device, CVC_ECDSA_SHA256 };
	uint8_t request_buf[CVC_MAX];
	struct packer request = pack_begin(request_buf, sizeof(request_buf)), out = pack_begin(buf, cap);
	struct cvc fields = { .chr = BYTES("UTKF00002", 9), .car = BYTES("UTCA00001", 9) };
	struct cvc_key_store store;
	char name[17];

	ASSERT_EQ(0, cvc_key_describe(key, CVC_NO_ALGORITHM, &store, &fields.key));
	own.algorithm = EVP_PKEY_is_a(signer, "RSA") ? CVC_RSA_V15_SHA256 : CVC_ECDSA_SHA256;
	ASSERT_EQ(0, cvc_build(&fields, cvc_sign_with(&own), &request));
	ASSERT_EQ(0, cvc_voucher_build(pack_done(&request), fakehsm_name(hsm, serial, name),
				       cvc_sign_with(&device), &out));
	return pack_done(&out);
}

static inline void fakehsm_deinit(struct fakehsm *hsm)
{
	EVP_PKEY_free(hsm->root);
	EVP_PKEY_free(hsm->issuer);
	EVP_PKEY_free(hsm->device);
}
