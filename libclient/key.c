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

/* --- AES --- */

KF_EXPORT int kf_aes_cbc(struct kf_context *context, uint32_t number, uint32_t flags,
			 const uint8_t iv[KF_IV_SIZE], const uint8_t *input, size_t len,
			 struct kf_blob **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_cipher *cipher = call_begin_card(&call, context, KF_CIPHER);
	int r;

	if (!context || !iv || !input || !out)
		return -EINVAL;
	cipher->container = number;
	cipher->mode = KF_CHAIN_CBC;
	cipher->flags = flags;
	memcpy(cipher->iv, iv, KF_IV_SIZE);
	call_set(&call, kf_cipher, input, BYTES(input, len));
	r = call_run(&call, "cannot use the AES key in container %u", number);
	if (r < 0)
		return r;
	return blob_new_secret(&call, call_get(&call, kf_cipher, output), out);
}

KF_EXPORT int kf_aes_cmac(struct kf_context *context, uint32_t number, const uint8_t *input,
			  size_t len, uint8_t mac[KF_CMAC_SIZE])
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_cipher *cipher = call_begin_card(&call, context, KF_CIPHER);
	struct bytes made;
	int r;

	if (!context || !input || !mac)
		return -EINVAL;
	cipher->container = number;
	cipher->flags = KF_CIPHER_MAC;
	call_set(&call, kf_cipher, input, BYTES(input, len));
	r = call_run(&call, "cannot make a MAC with the AES key in container %u", number);
	if (r < 0)
		return r;
	made = call_get(&call, kf_cipher, output);
	if (made.n != KF_CMAC_SIZE)
		return call_reply_broken(&call, "the MAC has not the length of one");
	memcpy(mac, made.p, KF_CMAC_SIZE);
	return 0;
}

/* The reply's struct after one pass of GCM. */
static int run_gcm(struct call *call, struct kf_cipher *cipher, uint32_t number,
		   const uint8_t *aad, size_t aad_len, const uint8_t *input, size_t len)
{
	cipher->container = number;
	cipher->mode = KF_CHAIN_GCM;
	call_set(call, kf_cipher, aad, aad ? BYTES(aad, aad_len) : BYTES_NONE);
	call_set(call, kf_cipher, input, input ? BYTES(input, len) : BYTES_NONE);
	return call_run(call, "cannot use the AES key in container %u", number);
}

KF_EXPORT int kf_aes_gcm_encrypt(struct kf_context *context, uint32_t number, const uint8_t *aad,
				 size_t aad_len, const uint8_t *input, size_t len,
				 uint8_t iv[KF_GCM_IV_SIZE], uint8_t tag[KF_GCM_TAG_SIZE],
				 struct kf_blob **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_cipher *cipher = call_begin_card(&call, context, KF_CIPHER);
	const struct kf_cipher *reply;
	int r;

	if (!context || !iv || !tag || !out)
		return -EINVAL;
	r = run_gcm(&call, cipher, number, aad, aad_len, input, len);
	if (r < 0)
		return r;
	reply = call_reply(&call);
	r = blob_new(&call, call_get(&call, kf_cipher, output), out);
	if (r < 0)
		return r;
	memcpy(iv, reply->iv, KF_GCM_IV_SIZE);
	memcpy(tag, reply->tag, KF_GCM_TAG_SIZE);
	return 0;
}

KF_EXPORT int kf_aes_gcm_decrypt(struct kf_context *context, uint32_t number,
				 const uint8_t iv[KF_GCM_IV_SIZE],
				 const uint8_t tag[KF_GCM_TAG_SIZE], const uint8_t *aad,
				 size_t aad_len, const uint8_t *input, size_t len,
				 struct kf_blob **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_cipher *cipher = call_begin_card(&call, context, KF_CIPHER);
	int r;

	if (!context || !iv || !tag || !out)
		return -EINVAL;
	cipher->flags = KF_CIPHER_DECRYPT;
	memcpy(cipher->iv, iv, KF_GCM_IV_SIZE);
	memcpy(cipher->tag, tag, KF_GCM_TAG_SIZE);
	r = run_gcm(&call, cipher, number, aad, aad_len, input, len);
	if (r < 0)
		return r;
	return blob_new_secret(&call, call_get(&call, kf_cipher, output), out);
}
