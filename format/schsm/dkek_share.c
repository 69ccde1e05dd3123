/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format/schsm/dkek_share.c - OpenSSL's old password file, "Salted__", with a count of rounds that
 * EVP_BytesToKey() would take in one call that tells nobody how far it is; so the loop is ours.
 */
#include "format/schsm/dkek_share_own.h"
#include "format/aes.h"
#include "format/ossl.h"

enum {
	MD5_SIZE = 16,
	BLOCKS = 3,			/* of MD5: an AES-256 key and an IV */
	SEALED_SIZE = DKEK_SIZE + AES_BLOCK,
};

static const uint8_t magic[] = { 'S', 'a', 'l', 't', 'e', 'd', '_', '_' };

/* Text and digests of the derivation, in locked memory. */
struct stretch {
	EVP_MD_CTX *ctx;
	struct secret *keys;		/* BLOCKS * MD5_SIZE */
	size_t rounds;
	unsigned int told;
};

/* MD5 of up to three parts into @out. */
static int md5(EVP_MD_CTX *ctx, struct bytes a, struct bytes b, struct bytes c, uint8_t *out)
{
	return EVP_DigestInit_ex2(ctx, NULL, NULL) == 1 && EVP_DigestUpdate(ctx, a.p, a.n) == 1 &&
	       EVP_DigestUpdate(ctx, b.p, b.n) == 1 && EVP_DigestUpdate(ctx, c.p, c.n) == 1 &&
	       EVP_DigestFinal_ex(ctx, out, NULL) == 1 ? 0 : -EIO;
}

/* The same of what is one digest already: nearly all of the work. */
static int md5_again(EVP_MD_CTX *ctx, uint8_t at[static MD5_SIZE])
{
	return EVP_DigestInit_ex2(ctx, NULL, NULL) == 1 && EVP_DigestUpdate(ctx, at, MD5_SIZE) == 1 &&
	       EVP_DigestFinal_ex(ctx, at, NULL) == 1 ? 0 : -EIO;
}

static void tell(struct stretch *s, size_t block, size_t round, struct dkek_progress progress)
{
	unsigned int percent =
		(unsigned int)((block * s->rounds + round) / (BLOCKS * (s->rounds / 100)));

	if (percent > s->told && progress.told)
		progress.told(progress.context, percent);
	s->told = percent;
}

/* D(i) = MD5^n(D(i-1) || password || salt) */
static int stretch_block(struct stretch *s, size_t block, struct bytes password, struct bytes salt,
			 struct dkek_progress progress)
{
	uint8_t *at = s->keys->p + block * MD5_SIZE;
	struct bytes before = block != 0 ? BYTES(at - MD5_SIZE, MD5_SIZE) : BYTES_NONE;
	int r = md5(s->ctx, before, password, salt, at);

	for (size_t round = 1; r == 0 && round < s->rounds; round++) {
		r = md5_again(s->ctx, at);
		if (round % (s->rounds / 100) == 0)
			tell(s, block, round, progress);
	}
	tell(s, block, s->rounds, progress);
	return r;
}

static int stretch(struct bytes password, struct bytes salt, size_t rounds,
		   struct dkek_progress progress, struct secret *keys)
{
	_cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = NULL;
	struct stretch s = { .keys = keys, .rounds = rounds };
	int r = secret_init(keys, BLOCKS * MD5_SIZE);

	if (r < 0)
		return r;
	keys->n = BLOCKS * MD5_SIZE;
	ossl_begin();
	s.ctx = ctx = EVP_MD_CTX_new();
	if (!ctx || EVP_DigestInit_ex2(ctx, EVP_md5(), NULL) != 1)
		return ossl_end(-EIO);
	for (size_t block = 0; r == 0 && block < BLOCKS; block++)
		r = stretch_block(&s, block, password, salt, progress);
	return ossl_end(r);
}

static int crypt_share(const struct secret *keys, bool encrypt, struct bytes text,
		       struct packer *out)
{
	return aes_cbc(BYTES(keys->p, 32), encrypt, BYTES(keys->p + 32, AES_BLOCK), text, out);
}

int share_open(struct bytes file, struct bytes password, size_t rounds, struct dkek_progress progress,
	       struct secret *out)
{
	_cleanup_(secret_deinit) struct secret keys = SECRET_INIT, plain = SECRET_INIT;
	struct unpacker u = unpack_begin(file);
	bool ours = bytes_equal(unpack_bytes(&u, sizeof(magic)), BYTES_OF(magic));
	struct bytes salt = unpack_bytes(&u, DKEK_SALT_SIZE), sealed = unpack_bytes(&u, SEALED_SIZE);
	uint8_t padding[AES_BLOCK];
	struct packer p;
	int r;

	if (unpack_end(&u) < 0 || !ours)
		return -EBADMSG;
	r = secret_init(&plain, SEALED_SIZE);
	if (r == 0)
		r = stretch(password, salt, rounds, progress, &keys);
	if (r < 0)
		return r;
	p = pack_begin(plain.p, plain.cap);
	r = crypt_share(&keys, false, sealed, &p);
	if (r < 0)
		return r;
	memset(padding, AES_BLOCK, sizeof(padding));
	if (!bytes_equal_ct(BYTES(plain.p + DKEK_SIZE, AES_BLOCK), BYTES_OF(padding)))
		return -EKEYREJECTED;
	return secret_set(out, BYTES(plain.p, DKEK_SIZE));
}

int share_seal(struct bytes share, const uint8_t salt[static DKEK_SALT_SIZE], struct bytes password,
	       size_t rounds, struct dkek_progress progress, struct packer *out)
{
	_cleanup_(secret_deinit) struct secret keys = SECRET_INIT, plain = SECRET_INIT;
	struct packer p;
	int r;

	if (share.n != DKEK_SIZE)
		return -EINVAL;
	r = secret_init(&plain, SEALED_SIZE);
	if (r == 0)
		r = stretch(password, BYTES(salt, DKEK_SALT_SIZE), rounds, progress, &keys);
	if (r < 0)
		return r;
	p = pack_begin(plain.p, plain.cap);
	pack_bytes(&p, share);
	memset(pack_reserve(&p, AES_BLOCK), AES_BLOCK, AES_BLOCK);
	pack_bytes(out, BYTES_OF(magic));
	pack_bytes(out, BYTES(salt, DKEK_SALT_SIZE));
	r = crypt_share(&keys, true, pack_done(&p), out);
	return r < 0 ? r : pack_end(out);
}

int dkek_share_open(struct bytes file, struct bytes password, struct dkek_progress progress,
		    struct secret *out)
{
	return share_open(file, password, DKEK_ROUNDS, progress, out);
}

int dkek_share_seal(struct bytes share, const uint8_t salt[static DKEK_SALT_SIZE],
		    struct bytes password, struct dkek_progress progress, struct packer *out)
{
	return share_seal(share, salt, password, DKEK_ROUNDS, progress, out);
}
