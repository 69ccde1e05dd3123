/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/schsm_public.c - The public half of a key, from whatever lies beside it: the voucher that
 * the card answered when it made the key [cards 2.3], a bare request or certificate of that kind, or an
 * X.509 certificate that came later and took its place. Only the first says anything about where the
 * key is from.
 */
#include "driver/card/schsm.h"

#include "format/der.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "format/schsm/cvc.h"

#include <openssl/x509.h>

OSSL_CLEANUP(X509, X509_free)

static int x509_key(struct bytes der, EVP_PKEY **out)
{
	_cleanup_(X509_freep) X509 *cert = NULL;
	const unsigned char *at = der.p;
	EVP_PKEY *key;

	ossl_begin();
	cert = d2i_X509(NULL, &at, (long)der.n);
	if (!cert || at != der.p + der.n)
		return ossl_end(-EBADMSG);
	key = X509_get0_pubkey(cert);
	if (!key || !EVP_PKEY_up_ref(key))
		return ossl_end(-EBADMSG);
	*out = key;
	return 0;
}

static int voucher_key(const struct schsm *schsm, struct bytes file, struct schsm_public *out)
{
	struct cvc_voucher voucher;
	int r = cvc_voucher_parse(file, &voucher);

	if (r == 0)
		r = cvc_key_load(&voucher.request.key, NULL, &out->key);
	if (r < 0)
		return r;
	out->vouched = schsm->device &&
		       cvc_voucher_verify(&voucher, schsm->device,
					  (enum cvc_algorithm)schsm->device_algorithm) == 0;
	return 0;
}

int schsm_public_parse(const struct schsm *schsm, struct bytes file, struct schsm_public *out)
{
	struct schsm_public public = { 0 };
	struct cvc cvc;
	int r;

	if (file.n == 0)
		return -EBADMSG;
	if (file.p[0] == SCHSM_TAG_X509) {
		r = x509_key(file, &public.key);
		public.x509 = r == 0;
	} else if (file.p[0] == SCHSM_TAG_VOUCHER) {
		r = voucher_key(schsm, file, &public);
	} else {
		r = cvc_parse(file, &cvc);
		if (r == 0)
			r = cvc_key_load(&cvc.key, NULL, &public.key);
	}
	if (r < 0)
		return r == -ENOMEM || r == -EIO ? r : -EBADMSG;
	*out = public;
	return 0;
}

void schsm_public_deinit(struct schsm_public *p)
{
	EVP_PKEY_free(p->key);
	*p = (struct schsm_public){ 0 };
}

enum kf_key_type schsm_key_type(const EVP_PKEY *key)
{
	enum kf_key_type type;

	return key_type_of((EVP_PKEY *)(uintptr_t)key, &type) == 0 ? type : KF_KEY_OTHER;
}

/* The first of 2F02: the device's own certificate, or with some emulators a request for one. */
static int take_own(struct unpacker *u, struct cvc *out)
{
	struct unpacker probe = *u;
	struct cvc_voucher voucher;
	struct bytes whole;
	int r;

	if (u->left == 0 || u->p[0] != SCHSM_TAG_VOUCHER)
		return cvc_take(u, out);
	whole = der_take_whole(&probe, SCHSM_TAG_VOUCHER);
	r = cvc_voucher_parse(whole, &voucher);
	if (r < 0)
		return r;
	*out = voucher.request;
	*u = probe;
	return 0;
}

static void name_from(struct bytes chr, struct schsm *out)
{
	struct bytes serial = cvc_serial(chr);

	if (serial.n == 0)
		return;
	memcpy(out->info.serial, serial.p, serial.n);
	out->info.serial_len = (uint32_t)serial.n;
}

int schsm_device_parse(struct bytes file, struct schsm *out)
{
	struct unpacker u = unpack_begin(file);
	struct cvc own, issuer;
	bool issued;
	int r = take_own(&u, &own);

	if (r < 0)
		return r;
	name_from(own.chr, out);
	issued = u.left != 0 && cvc_take(&u, &issuer) == 0;
	r = cvc_key_load(&own.key, issued ? &issuer.key : NULL, &out->device);
	out->device_algorithm = own.key.algorithm;
	return r == -ENOMEM || r == -EIO ? r : 0;
}
