/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/device_chain.h - Whose device key that is: EF.C_DevAut of a SmartCard-HSM holds the device's
 * certificate and that of its issuer, whose own is signed by a root [card dossier 2.7]. Which roots count
 * is the caller's to say; what the certificates say of themselves proves nothing.
 */
#pragma once

#include "format/schsm/cvc.h"

/* How the holders of virtual cards' certificates begin. ZZ: a country that ISO 3166 leaves to its users. */
#define DEVICE_VIRTUAL_MARK "ZZVIRT"

/**
 * struct device_chain - a verified one
 * @device, @issuer: borrowed from the file
 * @key:	device key, owned
 * @fixed:	its private half is known to everybody: that of an emulator. It attests nothing
 * @is_virtual:	a name in it says so
 */
struct device_chain {
	struct cvc device, issuer;
	EVP_PKEY *key;
	bool fixed, is_virtual;
};

#define DEVICE_CHAIN_INIT ((struct device_chain){ 0 })

/**
 * struct device_roots - what a chain may end in
 * @roots:	@n self-signed certificates, each with the numbers of its curve
 * @today:	CVC_DATE_SIZE digits; empty: nobody asks whether a certificate is still good
 */
struct device_roots {
	const struct bytes *roots;
	size_t n;
	struct bytes today;
};

/*
 * Root and issuer have roles that may issue, the device has none. Return: 0; -EBADMSG the file is not in
 * form; -ENOENT no root has issued it; -EACCES a signature does not hold, a name or a role does not fit, or a
 * certificate is out of date; -EIO, -ENOMEM.
 */
int device_chain_verify(struct bytes file, const struct device_roots *roots, struct device_chain *out);

/*
 * Whether the device says that it made the key in @voucher itself: both signatures, and its own name.
 * Return: 0 and the key, owned; -EBADMSG; -EACCES; -EIO, -ENOMEM.
 */
int device_chain_attests(const struct device_chain *chain, struct bytes voucher, EVP_PKEY **out);

void device_chain_deinit(struct device_chain *chain);
