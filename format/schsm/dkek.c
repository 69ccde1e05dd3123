/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/schsm/dkek.h"
#include "base/cleanup.h"
#include "format/hash.h"

int dkek_init(struct dkek *dkek)
{
	int r = secret_init(&dkek->value, DKEK_SIZE);

	return r < 0 ? r : secret_resize(&dkek->value, DKEK_SIZE);
}

int dkek_add_share(struct dkek *dkek, struct bytes share)
{
	if (share.n != DKEK_SIZE)
		return -EINVAL;
	for (size_t i = 0; i < DKEK_SIZE; i++)
		dkek->value.p[i] ^= share.p[i];
	return 0;
}

int dkek_kcv(const struct dkek *dkek, uint8_t out[static DKEK_KCV_SIZE])
{
	uint8_t digest[KF_DIGEST_SIZE];
	int r = sha256(secret_bytes(&dkek->value), digest);

	if (r == 0)
		memcpy(out, digest, DKEK_KCV_SIZE);
	wipe(digest, sizeof(digest));
	return r;
}

/* SHA-256(DKEK || number), 32 bits of it; @text is scratch. */
static int derive(const struct dkek *dkek, uint8_t number, struct secret *text, struct secret *out)
{
	const uint8_t counter[] = { 0, 0, 0, number };
	struct packer p = pack_begin(text->p, text->cap);
	int r = secret_resize(out, KF_DIGEST_SIZE);

	if (r < 0)
		return r;
	pack_bytes(&p, secret_bytes(&dkek->value));
	pack_bytes(&p, BYTES_OF(counter));
	return sha256(pack_done(&p), out->p);
}

int dkek_keys(const struct dkek *dkek, struct secret *enc, struct secret *mac)
{
	_cleanup_(secret_deinit) struct secret text = SECRET_INIT;
	int r = secret_init(&text, DKEK_SIZE + 4);

	if (r == 0)
		r = derive(dkek, 1, &text, enc);
	if (r == 0)
		r = derive(dkek, 2, &text, mac);
	return r;
}
