/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libclient/offer.c - The card's signed offer, relayed as it is; the server judges it. */
#include "libclient/blob.h"

struct kf_signed_offer {
	uint32_t target;
	uint32_t exchange;
	uint8_t sid[KF_SID_SIZE];
	struct kf_blob *statement;
	struct kf_blob *chain;
};

DEFINE_CLEANUP(struct kf_signed_offer *, kf_signed_offer_free);

static int offer_new(struct call *call, struct kf_signed_offer **out)
{
	_cleanup_(kf_signed_offer_freep) struct kf_signed_offer *offer = calloc(1, sizeof(*offer));
	const struct kf_offer *reply = call_reply(call);
	int r;

	if (!offer)
		return call_no_memory(call);
	offer->target = reply->container;
	offer->exchange = reply->exchange_container;
	memcpy(offer->sid, reply->sid, KF_SID_SIZE);
	r = blob_new(call, call_get(call, kf_offer, statement), &offer->statement);
	if (r == 0)
		r = blob_new(call, call_get(call, kf_offer, chain), &offer->chain);
	if (r == 0)
		*out = take_ptr(offer);
	return r;
}

KF_EXPORT int kf_offer(struct kf_context *context, uint32_t target, enum kf_method method,
		       enum kf_key_type exchange_type, uint32_t n_items,
		       const uint8_t nonce[KF_NONCE_SIZE], struct kf_signed_offer **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_offer *offer = call_begin_card(&call, context, KF_OFFER);
	int r;

	if (!context || !nonce || !out)
		return -EINVAL;
	offer->container = target;
	offer->method = method;
	offer->exchange_type = exchange_type;
	offer->n_items = n_items;
	memcpy(offer->nonce, nonce, KF_NONCE_SIZE);
	r = call_run(&call, "cannot get an offer from the card");
	return r < 0 ? r : offer_new(&call, out);
}

KF_EXPORT int kf_offer_existing(struct kf_context *context, uint32_t exchange, uint32_t target,
				enum kf_method method, uint32_t n_items,
				const uint8_t nonce[KF_NONCE_SIZE], struct kf_signed_offer **out)
{
	_cleanup_(call_end) struct call call = CALL_INIT;
	struct kf_offer *offer = call_begin_card(&call, context, KF_OFFER);
	int r;

	if (!context || !nonce || !out)
		return -EINVAL;
	offer->container = target;
	offer->method = method;
	offer->flags = KF_OFFER_EXISTING;
	offer->exchange_container = exchange;
	offer->n_items = n_items;
	memcpy(offer->nonce, nonce, KF_NONCE_SIZE);
	r = call_run(&call, "cannot get an offer under the key in container %u", exchange);
	return r < 0 ? r : offer_new(&call, out);
}

KF_EXPORT struct kf_signed_offer *kf_signed_offer_free(struct kf_signed_offer *offer)
{
	if (!offer)
		return NULL;
	offer->statement = kf_blob_free(offer->statement);
	offer->chain = kf_blob_free(offer->chain);
	free(offer);
	return NULL;
}

KF_EXPORT uint32_t kf_signed_offer_target(const struct kf_signed_offer *offer)
{
	return offer->target;
}

KF_EXPORT uint32_t kf_signed_offer_exchange(const struct kf_signed_offer *offer)
{
	return offer->exchange;
}

KF_EXPORT const uint8_t *kf_signed_offer_sid(const struct kf_signed_offer *offer)
{
	return offer->sid;
}

KF_EXPORT const uint8_t *kf_signed_offer_statement(const struct kf_signed_offer *offer, size_t *len)
{
	*len = kf_blob_size(offer->statement);
	return kf_blob_data(offer->statement);
}

KF_EXPORT const uint8_t *kf_signed_offer_chain(const struct kf_signed_offer *offer, size_t *len)
{
	*len = kf_blob_size(offer->chain);
	return kf_blob_data(offer->chain);
}
