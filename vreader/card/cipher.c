/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CIPHER (docs/card-application.md 7.5). CBC comes without padding, so there is none to ask about; the
 * nonce of GCM is the card's own where it encrypts, because one used twice gives the key away.
 */
#include "format/aes.h"
#include "vreader/card/command.h"
#include "vreader/card/tlv.h"

static bool is_cbc(uint8_t how)
{
	return how == APP_CBC_ENCRYPT || how == APP_CBC_DECRYPT;
}

static int take_data(struct request *request)
{
	struct unpacker u = unpack_begin(request->data);
	size_t iv_size = is_cbc(request->p1) ? AES_BLOCK : GCM_IV_SIZE;
	bool bad = false;

	if (request->p1 != APP_GCM_ENCRYPT) {
		request->cipher.iv = tlv_take(&u, 0x80);
		bad |= request->cipher.iv.n != iv_size;
	}
	request->cipher.text = tlv_take(&u, 0x81);
	bad |= request->cipher.text.n > KF_CIPHER_MAX;
	if (request->p1 == APP_GCM_DECRYPT) {
		request->cipher.tag = tlv_take(&u, 0x82);
		bad |= request->cipher.tag.n != GCM_TAG_SIZE;
	}
	if (!is_cbc(request->p1)) {
		request->cipher.aad = tlv_take(&u, 0x83);
		bad |= request->cipher.aad.n > APP_AAD_MAX;
	} else {
		bad |= request->cipher.text.n == 0 || request->cipher.text.n % AES_BLOCK != 0;
	}
	return unpack_end(&u) < 0 || bad ? SW_DATA : SW_OK;
}

CHECK(cipher_check)
{
	const struct container *container = named_container(card, request);
	int sw;

	request->cipher.iv = request->cipher.tag = request->cipher.aad = BYTES_NONE;
	sw = take_data(request);
	if (sw != SW_OK)
		return sw;
	if (!container->key)
		return SW_NO_OBJECT;
	if (container->purpose != KF_PURPOSE_CIPHER ||
	    !key_type_is_aes(card_key_type(container->key)))
		return SW_CONDITIONS;
	request->pin_needed = (container->policy & STATE_POLICY_PIN) != 0;
	return SW_OK;
}

static int mark_used(struct card *card, unsigned int number)
{
	_cleanup_(state_freep) struct state *next = NULL;
	int r;

	if (card->state->containers[number].used)
		return 0;
	r = card_begin(card, &next);
	if (r < 0)
		return r;
	next->containers[number].used = true;
	return card_commit(card, &next);
}

static int gcm_encrypt(struct bytes key, const struct request *request, struct packer *out)
{
	_cleanup_(secret_deinit) struct secret text = SECRET_INIT;
	uint8_t iv[GCM_IV_SIZE], tag[GCM_TAG_SIZE];
	struct packer p;
	int r = secret_init(&text, KF_CIPHER_MAX);

	if (r == 0)
		r = card_random(iv, sizeof(iv));
	if (r < 0)
		return r;
	p = pack_begin(text.p, text.cap);
	r = aes_gcm_encrypt(key, BYTES_OF(iv), request->cipher.aad, request->cipher.text, &p, tag);
	if (r < 0)
		return r;
	tlv_put(out, 0x80, BYTES_OF(iv));
	tlv_put(out, 0x81, pack_done(&p));
	tlv_put(out, 0x82, BYTES_OF(tag));
	return 0;
}

static int work(struct bytes key, const struct request *request, struct packer *out)
{
	switch (request->p1) {
	case APP_GCM_ENCRYPT:
		return gcm_encrypt(key, request, out);
	case APP_GCM_DECRYPT:
		return aes_gcm_decrypt(key, request->cipher.iv, request->cipher.aad,
				       request->cipher.text, request->cipher.tag, out);
	default:
		return aes_cbc(key, request->p1 == APP_CBC_ENCRYPT, request->cipher.iv,
			       request->cipher.text, out);
	}
}

RUN(cipher_run)
{
	int r = mark_used(card, request->number);

	if (r != 0)
		return r;
	r = work(card_key_private(named_container(card, request)->key), request, out);
	if (r == -EBADMSG)
		return SW_REFUSED;
	return r < 0 ? r : SW_OK;
}
