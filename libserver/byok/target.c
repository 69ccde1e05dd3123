// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/byok/target.c - A key pair is read and proven as one for a card is, and written anew: what
 * is wrapped is never the bytes of somebody's file.
 */
#include "libserver/byok/target.h"
#include "base/error.h"
#include "format/aes.h"
#include "format/ossl.h"
#include "libserver/pem.h"
#include "libserver/private_key.h"

int target_from_raw(struct bytes key, struct kf_byok_target **out)
{
	_cleanup_(kf_byok_target_freep) struct kf_byok_target *target = NULL;
	struct key_mark mark;
	int r = aes_mark(key, &mark);

	if (r < 0)
		return r;
	target = calloc(1, sizeof(*target));
	if (!target)
		return -ENOMEM;
	target->type = mark.key_type;
	memcpy(target->check, mark.check, sizeof(target->check));
	r = secret_init(&target->plain, key.n);
	if (r == 0)
		r = secret_set(&target->plain, key);
	if (r < 0)
		return r;
	*out = take_ptr(target);
	return 0;
}

int target_from_pair(EVP_PKEY *key, struct kf_byok_target **out)
{
	_cleanup_(kf_byok_target_freep) struct kf_byok_target *target = calloc(1, sizeof(*target));
	struct packer spki;
	int r;

	if (!target)
		return -ENOMEM;
	spki = pack_begin(target->spki, sizeof(target->spki));
	r = key_type_of(key, &target->type);
	if (r == 0)
		r = key_spki(key, &spki);
	if (r == 0)
		r = secret_init(&target->plain, TARGET_PLAIN_MAX);
	if (r == 0)
		r = private_key_write(key, &target->plain);
	if (r < 0)
		return r;
	target->spki_len = spki.n;
	*out = take_ptr(target);
	return 0;
}

int kf_byok_target_from_pem(const void *pem, size_t len, const void *passphrase,
			    size_t passphrase_len, struct kf_byok_target **out, struct kf_error *e)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	int r = pem_private_key(BYTES(pem, len), BYTES(passphrase, passphrase_len), &key, e);

	if (r == 0)
		r = target_from_pair(key, out);
	return error_what(e, r, "cannot take the private key");
}

int kf_byok_target_from_raw(const void *key, size_t len, struct kf_byok_target **out,
			    struct kf_error *e)
{
	int r = target_from_raw(BYTES(key, len), out);

	if (r == -EINVAL)
		(void)error_why(e, r, "an AES key: 16, 24 or 32 bytes, and nothing else",
				"give the bytes themselves, not their hexadecimal or base64; a private "
				"key goes to --key",
				"there are %zu bytes in it", len);
	return error_what(e, r, "cannot take the AES key");
}

struct kf_byok_target *kf_byok_target_free(struct kf_byok_target *target)
{
	if (target)
		secret_deinit(&target->plain);
	free(target);
	return NULL;
}

enum kf_key_type kf_byok_target_type(const struct kf_byok_target *target)
{
	return target->type;
}

const uint8_t *kf_byok_target_public(const struct kf_byok_target *target, size_t *len)
{
	*len = target->spki_len;
	return target->spki_len ? target->spki : NULL;
}

const uint8_t *kf_byok_target_check_value(const struct kf_byok_target *target)
{
	return target->spki_len ? NULL : target->check;
}
