/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/agree.c - ECDH, HKDF and KBKDF by OpenSSL; what is ours is which bytes go in, and that a peer's
 * point is looked at before the private half meets it.
 */
#include "format/agree.h"
#include "format/kdf.h"
#include "format/ossl.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>

#define LABEL "keyferry/ecdh/"

enum { FACTS_MAX = 1 + 2 * (1 + AGREE_POINT_MAX) + KF_DIGEST_SIZE, POINT_UNCOMPRESSED = 0x04 };

size_t agree_point_size(enum kf_key_type type)
{
	size_t n = key_type_size(type);

	if (!key_type_agrees(type))
		return 0;
	return type == KF_KEY_X25519 ? n : 1 + 2 * n;
}

int agree_point(EVP_PKEY *key, struct packer *out)
{
	uint8_t *point = NULL;
	size_t n;

	ossl_begin();
	n = EVP_PKEY_get1_encoded_public_key(key, &point);
	if (n == 0)
		return ossl_end(-EIO);
	pack_bytes(out, BYTES(point, n));
	OPENSSL_free(point);
	return pack_end(out);
}

/*
 * [SP 800-56A 5.6.2.3]: the length and the first byte leave no room for infinity or a compressed point;
 * OpenSSL checks the rest, that it lies on the curve.
 */
static int peer_from_point(EVP_PKEY *own, enum kf_key_type type, struct bytes point, EVP_PKEY **out)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *peer = NULL;

	if (point.n != agree_point_size(type) || point.n == 0)
		return -EBADMSG;
	if (type != KF_KEY_X25519 && point.p[0] != POINT_UNCOMPRESSED)
		return -EBADMSG;
	peer = EVP_PKEY_new();
	if (!peer || EVP_PKEY_copy_parameters(peer, own) != 1)
		return -EIO;
	if (EVP_PKEY_set1_encoded_public_key(peer, point.p, point.n) != 1)
		return -EBADMSG;
	*out = take_ptr(peer);
	return 0;
}

/* [RFC 7748 6.1]: a point of small order gives zero whatever the private half is. */
static bool all_zero(const struct secret *z)
{
	uint8_t any = 0;

	for (size_t i = 0; i < z->n; i++)
		any |= z->p[i];
	return any == 0;
}

/* Return: 0, -EBADMSG @peer is no key of the curve, -EIO. */
static int derivation_begin(EVP_PKEY *own, EVP_PKEY *peer, EVP_PKEY_CTX **out)
{
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);

	if (!ctx || EVP_PKEY_derive_init(ctx) != 1)
		return -EIO;
	if (EVP_PKEY_derive_set_peer_ex(ctx, peer, 1) != 1)
		return -EBADMSG;
	*out = take_ptr(ctx);
	return 0;
}

/*
 * A point that is none costs a derivation, too, with the own public key for the peer's: by far the dearest
 * step, and one that was left out would tell by the clock what the answer does not [SECURITY section 6].
 */
static int raw_ecdh(EVP_PKEY *own, enum kf_key_type type, struct bytes point, struct secret *z)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *peer = NULL;
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	size_t n = z->cap;
	bool bad;
	int r = peer_from_point(own, type, point, &peer);

	if (r == 0)
		r = derivation_begin(own, peer, &ctx);
	bad = r == -EBADMSG;
	if (bad)
		r = derivation_begin(own, own, &ctx);
	if (r < 0)
		return r;
	if (EVP_PKEY_derive(ctx, z->p, &n) != 1)
		return -EBADMSG;
	z->n = n;
	return bad || all_zero(z) ? -EBADMSG : 0;
}

/* [SECURITY section 9, 4]: curve, both public keys, statement hash; lengths, so that no two read alike. */
static void pack_facts(struct packer *p, const struct agree_facts *facts)
{
	pack_u8(p, (uint8_t)facts->type);
	pack_u8(p, (uint8_t)facts->ephemeral.n);
	pack_bytes(p, facts->ephemeral);
	pack_u8(p, (uint8_t)facts->fixed.n);
	pack_bytes(p, facts->fixed);
	pack_bytes(p, BYTES(facts->h, KF_DIGEST_SIZE));
}

/* [RFC 5869]: salt H, info the label and all facts. */
static int s1_from_z(const struct secret *z, const struct agree_facts *facts, struct bytes context,
		     struct secret *s1)
{
	ossl_begin();
	_cleanup_(EVP_KDF_freep) EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	_cleanup_(EVP_KDF_CTX_freep) EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	uint8_t buf[sizeof(LABEL "s1") + FACTS_MAX];
	struct packer info = pack_begin(buf, sizeof(buf));

	pack_bytes(&info, BYTES(LABEL "s1", sizeof(LABEL "s1")));	/* with its NUL */
	pack_bytes(&info, context);

	OSSL_PARAM params[] = {
		param_text(OSSL_KDF_PARAM_DIGEST, "SHA256"),
		param_bytes(OSSL_KDF_PARAM_KEY, secret_bytes(z)),
		param_bytes(OSSL_KDF_PARAM_SALT, BYTES(facts->h, KF_DIGEST_SIZE)),
		param_bytes(OSSL_KDF_PARAM_INFO, pack_done(&info)),
		OSSL_PARAM_construct_end(),
	};

	if (!ctx || EVP_KDF_derive(ctx, s1->p, KF_S1_SIZE, params) != 1)
		return ossl_end(-EIO);
	s1->n = KF_S1_SIZE;
	return 0;
}

static int finish(const struct secret *z, const struct agree_facts *facts, struct agreed *out)
{
	uint8_t buf[FACTS_MAX];
	struct packer context = pack_begin(buf, sizeof(buf));
	int r;

	pack_facts(&context, facts);
	if (pack_end(&context) < 0)
		return -EIO;
	r = s1_from_z(z, facts, pack_done(&context), out->s1);
	if (r == 0)
		r = kbkdf(out->s1, LABEL "host", pack_done(&context), out->host, sizeof(out->host));
	if (r == 0)
		r = kbkdf(out->s1, LABEL "card", pack_done(&context), out->card, sizeof(out->card));
	if (r < 0)
		secret_clear(out->s1);
	return r;
}

int agree_ephemeral(EVP_PKEY *key, const struct agree_facts *facts, struct agreed *out)
{
	_cleanup_(secret_deinit) struct secret z = SECRET_INIT;
	int r = secret_init(&z, key_type_size(facts->type));

	if (r < 0)
		return r;
	ossl_begin();
	r = ossl_end(raw_ecdh(key, facts->type, facts->fixed, &z));
	return r < 0 ? r : finish(&z, facts, out);
}

int agree_static(EVP_PKEY *key, const struct agree_facts *facts, struct agreed *out)
{
	_cleanup_(secret_deinit) struct secret z = SECRET_INIT, spare = SECRET_INIT;
	size_t size = key_type_size(facts->type);
	int r = secret_init(&z, size);

	if (r == 0)
		r = secret_init(&spare, size);
	if (r < 0)
		return r;
	/* Drawn before the outcome is known, so that both outcomes do the same work. */
	ossl_begin();
	if (RAND_priv_bytes(spare.p, (int)size) != 1)
		return ossl_end(-EIO);
	spare.n = size;
	r = ossl_end(raw_ecdh(key, facts->type, facts->ephemeral, &z));
	if (r < 0 && r != -EBADMSG)
		return r;
	return finish(r < 0 ? &spare : &z, facts, out);
}
