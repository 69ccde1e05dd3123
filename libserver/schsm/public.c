/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libserver/schsm/public.c - Four forms, told apart by trying. */
#include "libserver/schsm/public.h"
#include "format/ossl.h"
#include "format/schsm/cvc.h"
#include "libserver/cert.h"

int public_of(struct bytes der, EVP_PKEY **out)
{
	_cleanup_(X509_freep) X509 *cert = NULL;
	struct cvc_voucher voucher;
	struct cvc cvc;
	int r;

	if (cvc_voucher_parse(der, &voucher) == 0)
		r = cvc_key_load(&voucher.request.key, NULL, out);
	else if (cvc_parse(der, &cvc) == 0)
		r = cvc_key_load(&cvc.key, NULL, out);
	else
		r = cert_parse(der, "certificate", &cert, NULL);
	if (r < 0 || !cert)
		return r == -ENOMEM || r == 0 ? r : -EBADMSG;
	*out = X509_get_pubkey(cert);
	return *out ? 0 : -EBADMSG;
}
