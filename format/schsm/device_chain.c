/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/device_chain.c - From the root down, each key loaded with the numbers of the one above, where its
 * own certificate leaves them out, and each signature by the algorithm of the key that made it.
 */
#include "format/schsm/device_chain.h"
#include "format/ossl.h"

/* X of BE x 32 times the generator of secp256k1: the device key of pico-hsm [card dossier 10, 11.3]. */
static const uint8_t fixed_x[] = {
	0x33, 0x59, 0xf5, 0x23, 0x4c, 0xe6, 0x2e, 0x0e, 0xb8, 0x04, 0x60, 0x04, 0x6d, 0x8f, 0xd1, 0xaa,
	0xe0, 0x18, 0xcc, 0x8b, 0x9e, 0x68, 0x7b, 0x40, 0xaa, 0x2c, 0x04, 0x7e, 0x35, 0x24, 0x09, 0xb4,
};

/* Digits compare as they stand: YYMMDD, of this century. */
static bool is_good_on(const struct cvc *cvc, struct bytes today)
{
	return today.n == 0 || (today.n == CVC_DATE_SIZE &&
				memcmp(cvc->from.p, today.p, CVC_DATE_SIZE) <= 0 &&
				memcmp(today.p, cvc->to.p, CVC_DATE_SIZE) <= 0);
}

static int refused(int r)
{
	return r == -EBADMSG || r == -EINVAL || r == -EOPNOTSUPP || r == -ENOKEY ? -EACCES : r;
}

/* @cvc by @issuer, whose key @key is; @domain has the numbers that @cvc may lack. */
static int check_one(const struct cvc *cvc, const struct cvc *issuer, EVP_PKEY *key,
		     const struct cvc_key *domain, struct bytes today, EVP_PKEY **out)
{
	int r;

	if (cvc_is_request(cvc) || !cvc_may_issue(issuer) || !bytes_equal(cvc->car, issuer->chr) ||
	    !is_good_on(cvc, today))
		return -EACCES;
	r = cvc_verify(cvc, key, issuer->key.algorithm);
	if (r == 0)
		r = cvc_key_load(&cvc->key, domain, out);
	return refused(r);
}

/* The root by the issuer's CAR, if it is one: self-signed. Return: 0, -ENOENT, -EACCES, -EIO, -ENOMEM. */
static int find_root(const struct device_roots *roots, struct bytes name, struct cvc *root, EVP_PKEY **key)
{
	for (size_t i = 0; i < roots->n; i++) {
		if (cvc_parse(roots->roots[i], root) == 0 && bytes_equal(root->chr, name)) {
			int r = cvc_key_load(&root->key, NULL, key);

			if (r == 0 && (cvc_is_request(root) || !bytes_equal(root->car, root->chr) ||
				       !is_good_on(root, roots->today)))
				return -EACCES;
			return r == 0 ? refused(cvc_verify(root, *key, root->key.algorithm)) : refused(r);
		}
	}
	return -ENOENT;
}

static bool is_marked(struct bytes name)
{
	return bytes_have_prefix(name, BYTES(DEVICE_VIRTUAL_MARK, sizeof(DEVICE_VIRTUAL_MARK) - 1));
}

static int parse_file(struct bytes file, struct device_chain *chain)
{
	struct unpacker u = unpack_begin(file);

	if (cvc_take(&u, &chain->device) < 0 || cvc_take(&u, &chain->issuer) < 0)
		return -EBADMSG;
	return unpack_end(&u);
}

int device_chain_verify(struct bytes file, const struct device_roots *roots, struct device_chain *out)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *root_key = NULL, *issuer_key = NULL;
	struct device_chain chain = DEVICE_CHAIN_INIT;
	const struct cvc_key *domain;
	struct cvc root;
	int r = parse_file(file, &chain);

	if (r == 0)
		r = find_root(roots, chain.issuer.car, &root, &root_key);
	if (r == 0)
		r = check_one(&chain.issuer, &root, root_key, &root.key, roots->today, &issuer_key);
	if (r < 0)
		return r;
	domain = cvc_key_has_domain(&chain.issuer.key) ? &chain.issuer.key : &root.key;
	if (cvc_may_issue(&chain.device))	/* what it vouched for would be an issuer's word */
		return -EACCES;
	r = check_one(&chain.device, &chain.issuer, issuer_key, domain, roots->today, &chain.key);
	if (r < 0)
		return r;
	chain.is_virtual = is_marked(chain.device.chr) || is_marked(chain.issuer.chr) || is_marked(root.chr);
	chain.fixed = bytes_equal(bytes_slice(chain.device.key.point, 1, sizeof(fixed_x)),
				  BYTES_OF(fixed_x));
	*out = chain;
	return 0;
}

int device_chain_attests(const struct device_chain *chain, struct bytes text, EVP_PKEY **out)
{
	struct cvc_voucher voucher;
	int r;

	if (cvc_voucher_parse(text, &voucher) < 0)
		return -EBADMSG;
	if (!bytes_equal(voucher.car, chain->device.chr))
		return -EACCES;
	r = cvc_voucher_verify(&voucher, chain->key, chain->device.key.algorithm);
	if (r == 0)
		r = cvc_key_load(&voucher.request.key, NULL, out);
	return refused(r);
}

void device_chain_deinit(struct device_chain *chain)
{
	EVP_PKEY_free(chain->key);
	*chain = DEVICE_CHAIN_INIT;
}
