/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/schsm/eac.h"
#include "format/aes.h"
#include "format/der.h"
#include "format/ossl.h"
#include "format/schsm/curve.h"

enum { SHA1_SIZE = 20 };

const uint8_t eac_oid[EAC_OID_SIZE] = { 0x04, 0x00, 0x7f, 0x00, 0x07, 0x02, 0x02, 0x03, 0x02, 0x02 };

int eac_ephemeral(EVP_PKEY *device, EVP_PKEY **out)
{
	struct curve curve;
	int r = curve_of_key(device, &curve);

	if (r < 0)
		return r;
	ossl_begin();
	*out = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve.group);
	return ossl_end(*out ? 0 : -EIO);
}

static int derive_z(EVP_PKEY *own, EVP_PKEY *peer, struct secret *z)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
	size_t n = z->cap;

	if (!ctx || EVP_PKEY_derive_init(ctx) != 1)
		return -EIO;
	if (EVP_PKEY_derive_set_peer_ex(ctx, peer, 1) != 1 || EVP_PKEY_derive(ctx, z->p, &n) != 1)
		return -EBADMSG;
	z->n = n;
	return 0;
}

/* SHA-1(Z || nonce || number), 16 bytes of it [TR-03110-3 A.2.3.2]; @z has room for what follows it. */
static int derive_key(struct secret *z, size_t size, const uint8_t *nonce, uint8_t number,
		      struct secret *keys)
{
	const uint8_t counter[] = { 0, 0, 0, number };
	struct packer p = pack_begin(z->p, z->cap);
	uint8_t digest[SHA1_SIZE];
	int r = -EIO;

	(void)pack_reserve(&p, size);
	pack_bytes(&p, BYTES(nonce, EAC_NONCE_SIZE));
	pack_bytes(&p, BYTES_OF(counter));
	ossl_begin();
	if (!p.bad && EVP_Digest(p.p, p.n, digest, NULL, EVP_sha1(), NULL) == 1) {
		memcpy(keys->p + keys->n, digest, SM_KEY_SIZE);
		keys->n += SM_KEY_SIZE;
		r = 0;
	}
	wipe(digest, sizeof(digest));
	return ossl_end(r);
}

int eac_agree(EVP_PKEY *own, struct bytes point, const uint8_t nonce[static EAC_NONCE_SIZE],
	      struct sm *sm)
{
	_cleanup_(secret_deinit) struct secret z = SECRET_INIT, keys = SECRET_INIT;
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *peer = NULL;
	struct curve curve;
	int r = curve_of_key(own, &curve);

	if (r == 0)
		r = curve_public_key(&curve, point, &peer);
	if (r == 0)
		r = secret_init(&z, CURVE_SIZE_MAX + EAC_NONCE_SIZE + 4);
	if (r == 0)
		r = secret_init(&keys, 2 * SM_KEY_SIZE);
	if (r < 0)
		return r;
	ossl_begin();
	r = ossl_end(derive_z(own, peer, &z));
	if (r == 0)
		r = derive_key(&z, curve.size, nonce, 1, &keys);
	if (r == 0)
		r = derive_key(&z, curve.size, nonce, 2, &keys);
	return r < 0 ? r : sm_begin(sm, secret_bytes(&keys));
}

/* The public key as an object of its own: only algorithm and point [TR-03110-3 D.3.3, D.2.3.3]. */
int eac_token(const struct sm *sm, struct bytes ephemeral, uint8_t out[static EAC_TOKEN_SIZE])
{
	uint8_t buf[32 + CURVE_POINT_MAX], mac[AES_BLOCK];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct der_mark mark = der_begin(&p, 0x7f49);
	int r;

	der_put(&p, DER_OID, BYTES_OF(eac_oid));
	der_put(&p, 0x86, ephemeral);
	der_end(&p, mark);
	r = pack_end(&p);
	if (r == 0)
		r = aes_cmac(BYTES(sm->keys.p + SM_KEY_SIZE, SM_KEY_SIZE), pack_done(&p), mac);
	if (r == 0)
		memcpy(out, mac, EAC_TOKEN_SIZE);
	return r;
}
