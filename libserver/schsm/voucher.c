// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/schsm/voucher.c - A SmartCard-HSM signs what it made, once, and nothing about what became of
 * it. So what is proved is a place of birth.
 */
#include "base/error.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "libserver/schsm/hsm.h"

#define RULE "a card's word for a key it made, docs/formats.md 16"

/* Named before it is verified, so that an honest mix-up is called one. */
static int check_name(const struct kf_hsm *hsm, struct bytes text, struct kf_error *e)
{
	struct cvc_voucher voucher;

	if (text.n > 2 * CVC_MAX || cvc_voucher_parse(text, &voucher) < 0)
		return error_why(e, -EBADMSG, RULE, "have the client write it: keyferry container attest",
				 "it is no voucher of a SmartCard-HSM");
	if (!bytes_equal(voucher.car, hsm->chain.device.chr))
		return error_why(e, -EACCES, RULE, "name that card, if it is enrolled",
				 "it is in the name of %.*s, not of card %s", (int)voucher.car.n,
				 (const char *)voucher.car.p, hsm->serial);
	return 0;
}

static int take_spki(EVP_PKEY *key, uint8_t **spki, size_t *len)
{
	uint8_t buf[SPKI_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct blob out = BLOB_INIT;
	int r = key_spki(key, &p);

	if (r == 0)
		r = blob_set(&out, pack_done(&p));
	if (r < 0)
		return r;
	*spki = out.p;
	*len = out.n;
	return 0;
}

int kf_hsm_attests(const struct kf_hsm *hsm, const void *voucher, size_t voucher_len, uint8_t **spki,
		   size_t *len, struct kf_error *e)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	int r = check_name(hsm, BYTES(voucher, voucher_len), e);

	if (r == 0) {
		r = device_chain_attests(&hsm->chain, BYTES(voucher, voucher_len), &key);
		if (r == -EACCES)
			(void)error_why(e, r, RULE, "do not trust this key",
					"a signature in it does not hold: the card's, or the key's own");
	}
	if (r == 0)
		r = take_spki(key, spki, len);
	return error_what(e, r, "card %s did not attest the key", hsm->serial);
}
