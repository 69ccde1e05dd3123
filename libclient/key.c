/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libclient/key.c - Using the private keys in containers. */
#include "libclient/blob.h"

KF_EXPORT int kf_sign(struct kf_context *context, uint32_t number, uint32_t padding,
		      enum kf_hash hash, const uint8_t *digest, size_t len, struct kf_blob **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_sign *sign = call_begin_card(&call, context, KF_SIGN);
	int r;

	if (!context || !digest || !out)
		return -EINVAL;
	sign->container = number;
	sign->padding = padding;
	sign->hash = hash;
	call_set(&call, kf_sign, digest, BYTES(digest, len));
	r = call_run(&call, "cannot sign with the key in container %u", number);
	if (r < 0)
		return r;
	return blob_new(&call, call_get(&call, kf_sign, signature), out);
}

KF_EXPORT int kf_decrypt(struct kf_context *context, uint32_t number, uint32_t padding,
			 enum kf_hash hash, const uint8_t *input, size_t len, struct kf_blob **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_decrypt *decrypt = call_begin_card(&call, context, KF_DECRYPT);
	int r;

	if (!context || !input || !out)
		return -EINVAL;
	decrypt->container = number;
	decrypt->padding = padding;
	decrypt->hash = hash;
	call_set(&call, kf_decrypt, input, BYTES(input, len));
	r = call_run(&call, "cannot decrypt with the key in container %u", number);
	if (r < 0)
		return r;
	return blob_new_secret(&call, call_get(&call, kf_decrypt, output), out);
}

KF_EXPORT int kf_agree(struct kf_context *context, uint32_t number, const uint8_t *peer, size_t len,
		       struct kf_blob **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_agree *agree = call_begin_card(&call, context, KF_AGREE);
	int r;

	if (!context || !peer || !out)
		return -EINVAL;
	agree->container = number;
	call_set(&call, kf_agree, peer, BYTES(peer, len));
	r = call_run(&call, "cannot agree on a secret with the key in container %u", number);
	if (r < 0)
		return r;
	return blob_new_secret(&call, call_get(&call, kf_agree, secret), out);
}
