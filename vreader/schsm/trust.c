/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MANAGE SECURITY ENVIRONMENT and PSO: VERIFY CERTIFICATE. A chain of certificates is handed in link by
 * link, each verified with the key before it; it begins at the root that the card was made under and is
 * forgotten with the power. Nothing on this card is opened by it yet (docs/cards/schsm.md).
 */
#include "format/ossl.h"
#include "vreader/card/tlv.h"
#include "vreader/schsm/command.h"

void hsm_trust_drop(struct hsm_trust *trust)
{
	for (size_t i = 0; i < trust->n; i++)
		trust->certs[i] = blob_unref(trust->certs[i]);
	*trust = (struct hsm_trust){ 0 };
}

/* Certificate 1 is the root, 2 and on those that were verified. */
static struct bytes cert_at(const struct hsm *hsm, size_t number)
{
	return number == 1 ? blob_bytes(hsm->state->root) : blob_bytes(hsm->trust.certs[number - 2]);
}

static size_t find_holder(const struct hsm *hsm, struct bytes name)
{
	struct cvc cert;

	for (size_t i = 1; i <= 1 + hsm->trust.n; i++) {
		if (cvc_parse(cert_at(hsm, i), &cert) == 0 && bytes_equal(cert.chr, name))
			return i;
	}
	return 0;
}

HSM_RUN(hsm_choose_issuer)
{
	struct unpacker u = unpack_begin(request->data);
	struct bytes name = tlv_take(&u, 0x83);
	size_t found;

	(void)out;
	if (unpack_end(&u) < 0)
		return SW_DATA;
	found = find_holder(hsm, name);
	if (found == 0)
		return SW_NO_OBJECT;
	hsm->trust.issuer = found;
	return SW_OK;
}

/* The chain has one curve, that of its root, for whoever leaves the numbers out. */
static int issuer_key(const struct hsm *hsm, enum cvc_algorithm *algorithm, EVP_PKEY **out)
{
	struct cvc root, issuer = { 0 };
	int r = cvc_parse(cert_at(hsm, 1), &root);

	if (r == 0)
		r = cvc_parse(cert_at(hsm, hsm->trust.issuer), &issuer);
	if (r < 0)
		return r;
	*algorithm = issuer.key.algorithm;
	return cvc_key_load(&issuer.key, &root.key, out);
}

static int verify(const struct hsm *hsm, struct bytes whole)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	enum cvc_algorithm algorithm = CVC_NO_ALGORITHM;
	struct cvc cert, issuer;
	int r = cvc_parse(whole, &cert);

	if (r == 0)
		r = cvc_parse(cert_at(hsm, hsm->trust.issuer), &issuer);
	if (r == 0 && !bytes_equal(cert.car, issuer.chr))
		r = -EBADMSG;
	if (r == 0)
		r = issuer_key(hsm, &algorithm, &key);
	return r < 0 ? r : cvc_verify(&cert, key, algorithm);
}

static int remember(struct hsm_trust *trust, struct bytes whole)
{
	if (trust->n == HSM_TRUSTED_MAX)
		return SW_FULL;
	if (blob_new(whole, &trust->certs[trust->n]) < 0)
		return -ENOMEM;
	trust->n++;
	return SW_OK;
}

/* Body and signature come without the 7F21 round them. */
HSM_RUN(hsm_verify_cert)
{
	uint8_t buf[HSM_DATA_MAX + 8];
	struct packer whole = pack_begin(buf, sizeof(buf));
	int r;

	(void)out;
	if (hsm->trust.issuer == 0)
		return SW_CONDITIONS;
	tlv_put(&whole, 0x7f21, request->data);
	r = verify(hsm, pack_done(&whole));
	if (r == -EBADMSG || r == -EINVAL || r == -EOPNOTSUPP)
		return SW_DATA;
	return r < 0 ? r : remember(&hsm->trust, pack_done(&whole));
}
