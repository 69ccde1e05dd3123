/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MANAGE SECURITY ENVIRONMENT and PERFORM SECURITY OPERATION (docs/card-application.md 4.8, 4.9).
 * The purpose is judged twice: when a key is selected, and again when it is about to be used, since
 * the container may have changed hands between the two.
 */
#include "vreader/card/command.h"
#include "vreader/card/tlv.h"

static enum kf_purpose template_purpose(uint8_t p2)
{
	switch (p2) {
	case 0xb6: return KF_PURPOSE_SIGN;
	case 0xb8: return KF_PURPOSE_DECRYPT;
	case 0xa6: return KF_PURPOSE_DERIVE;
	default:   return KF_PURPOSE_NONE;
	}
}

static bool algorithm_fits_purpose(enum algorithm alg, enum kf_purpose purpose)
{
	return algorithm_suits(alg, KF_KEY_RSA_2048, purpose) ||
	       algorithm_suits(alg, KF_KEY_EC_P256, purpose);
}

CHECK(mse_check)
{
	struct unpacker u = unpack_begin(request->data);
	enum kf_purpose purpose = template_purpose(request->p2);
	const struct container *container;

	request->select.algorithm = (enum algorithm)tlv_take_number(&u, 0x80, 1);
	request->select.container = (uint8_t)tlv_take_number(&u, 0x84, 1);
	if (unpack_end(&u) < 0 || !algorithm_fits_purpose(request->select.algorithm, purpose))
		return SW_DATA;
	if (request->select.container >= APP_CONTAINERS)
		return SW_NO_OBJECT;
	container = &card->state->containers[request->select.container];
	if (!container->key)
		return SW_NO_OBJECT;
	if (container->purpose != purpose)
		return SW_CONDITIONS;
	if (!algorithm_suits(request->select.algorithm, card_key_type(container->key), purpose))
		return SW_DATA;
	return SW_OK;
}

RUN(mse_run)
{
	(void)out;
	card->selection = request->select;
	return SW_OK;
}

/* The selected container if it may do @purpose, else NULL. */
static const struct container *selected(const struct card *card, enum kf_purpose purpose)
{
	const struct container *container = &card->state->containers[card->selection.container];

	if (card->selection.algorithm == ALG_NONE || !container->key ||
	    container->purpose != purpose ||
	    !algorithm_suits(card->selection.algorithm, card_key_type(container->key), purpose))
		return NULL;
	return container;
}

static bool needs_pin(const struct container *container)
{
	return (container->policy & STATE_POLICY_PIN) != 0;
}

/* "Used" is on the disk before the key works: CONVERT TO EXCHANGE relies on it. */
static int mark_used(struct card *card)
{
	_cleanup_(state_freep) struct state *next = NULL;
	int r;

	if (card->state->containers[card->selection.container].used)
		return 0;
	r = card_begin(card, &next);
	if (r < 0)
		return r;
	next->containers[card->selection.container].used = true;
	return card_commit(card, &next);
}

static const struct card_key *selected_key(const struct card *card)
{
	return card->state->containers[card->selection.container].key;
}

static int result(int r)
{
	if (r == -EBADMSG)
		return SW_DATA;
	return r < 0 ? r : SW_OK;
}

CHECK(sign_check)
{
	const struct container *container = selected(card, KF_PURPOSE_SIGN);

	if (!container)
		return SW_CONDITIONS;
	if (request->data.n != algorithm_hash_size(card->selection.algorithm))
		return SW_DATA;
	request->pin_needed = needs_pin(container);
	return SW_OK;
}

RUN(sign_run)
{
	int r = mark_used(card);

	if (r != 0)
		return r;
	return result(card_key_sign(selected_key(card), card->selection.algorithm, request->data,
				    out));
}

static int cryptogram_check(const struct card_key *key, struct request *request)
{
	struct unpacker u = unpack_begin(request->data);
	uint8_t padding = unpack_u8(&u);	/* [7816-8 padding indicator] */

	request->input = unpack_rest(&u);
	if (unpack_end(&u) < 0 || padding != 0x00 ||
	    request->input.n != key_type_size(card_key_type(key)))
		return SW_DATA;
	return SW_OK;
}

static int point_check(const struct card_key *key, struct request *request)
{
	struct unpacker u = unpack_begin(request->data);
	struct unpacker a6 = unpack_begin(tlv_take(&u, 0xa6));
	struct unpacker k = unpack_begin(tlv_take(&a6, 0x7f49));

	request->input = tlv_take(&k, 0x86);
	if (unpack_end(&u) < 0 || unpack_end(&a6) < 0 || unpack_end(&k) < 0 ||
	    request->input.n != 1 + 2 * key_type_size(card_key_type(key)))
		return SW_DATA;
	return SW_OK;
}

CHECK(decipher_check)
{
	const struct container *rsa = selected(card, KF_PURPOSE_DECRYPT);
	const struct container *ec = selected(card, KF_PURPOSE_DERIVE);

	if (rsa) {
		request->pin_needed = needs_pin(rsa);
		return cryptogram_check(rsa->key, request);
	}
	if (ec) {
		request->pin_needed = needs_pin(ec);
		return point_check(ec->key, request);
	}
	return SW_CONDITIONS;
}

RUN(decipher_run)
{
	int r = mark_used(card);

	if (r != 0)
		return r;
	if (card->selection.algorithm == ALG_ECDH)
		return result(card_key_agree(selected_key(card), request->input, out));
	return result(card_key_decipher(selected_key(card), card->selection.algorithm,
					request->input, out));
}
