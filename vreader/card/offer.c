/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * OFFER and LIST PENDING (docs/card-application.md 5.1, 5.8). A statement says what is true at this
 * moment; sid, H and key go to the disk in one commit before it leaves the card.
 */
#include "vreader/card/offer.h"

#include "format/hash.h"
#include "format/shared.h"
#include "format/statement.h"
#include "vreader/card/command.h"
#include "vreader/card/session.h"
#include "vreader/card/tlv.h"

static const uint8_t key_types[] = {
	KF_KEY_RSA_2048, KF_KEY_RSA_3072, KF_KEY_RSA_4096,
	KF_KEY_EC_P256, KF_KEY_EC_P384, KF_KEY_EC_P521,
};

static const uint8_t exchange_types[] = {
	KF_KEY_RSA_2048, KF_KEY_RSA_3072, KF_KEY_RSA_4096,
	KF_KEY_EC_P256, KF_KEY_EC_P384, KF_KEY_X25519,
};

/* What items bring besides: never generated, for nobody could say which it is. */
static const uint8_t secret_types[] = { KF_KEY_AES_128, KF_KEY_AES_192, KF_KEY_AES_256 };

struct bytes offer_key_types(void)
{
	return BYTES_OF(key_types);
}

static bool method_is_known(const struct state *state, enum kf_method method)
{
	return !method_is_shared(method) || state_shared(state, method);
}

struct number_list offer_methods(const struct state *state)
{
	struct number_list list = { 0 };

	for (int method = KF_METHOD_SHARED; method <= KF_METHOD_ECDH; method++)
		if (method_is_known(state, (enum kf_method)method))
			list.v[list.n++] = (uint8_t)method;
	return list;
}

struct bytes offer_exchange_types(void)
{
	return BYTES_OF(exchange_types);
}

int offer_spend_try(struct card *card, const uint8_t sid[static KF_SID_SIZE])
{
	_cleanup_(state_freep) struct state *next = NULL;
	struct offer *offer;
	bool exhausted;
	int r = card_begin(card, &next);

	if (r < 0)
		return r;
	offer = state_find_offer(next, sid);
	if (!offer)
		return SW_REFUSED;
	exhausted = offer->tries == 0;
	if (exhausted)
		state_forget_offer(next, offer);
	else
		offer->tries--;
	r = card_commit(card, &next);
	if (r != 0 || !exhausted)
		return r;
	session_forget_gone(card);
	return SW_REFUSED;
}

static int standing_check(const struct card *card, const struct request *request)
{
	const struct container *container;

	if (request->offer.standing == STATE_NO_CONTAINER)
		return SW_OK;
	container = &card->state->containers[request->offer.standing];
	if (!container->key)
		return SW_NO_OBJECT;
	if (container->purpose != KF_PURPOSE_EXCHANGE ||
	    card_key_type(container->key) != request->offer.type)
		return SW_CONDITIONS;
	return SW_OK;
}

static bool is_no_container(uint8_t number)
{
	return number >= APP_CONTAINERS;
}

/* PINs and SHARED keys are set for senders the card knows [SECURITY section 4], and a container must not hold what nothing replaces. */
static bool target_may_be_offered(const struct state *state, uint8_t target)
{
	if (target == KF_CONTAINER_PINS || target == KF_CONTAINER_SHARED)
		return state->n_injectors != 0;
	if (target == KF_CONTAINER_BATCH)
		return true;		/* each item is judged by what its container holds then */
	return !container_is_reserved(&state->containers[target]);
}

CHECK(offer_check)
{
	struct unpacker u = unpack_begin(request->data);
	bool standing;

	request->offer.nonce = tlv_take(&u, 0x80);
	request->offer.target = (uint8_t)tlv_take_number(&u, 0x81, 1);
	request->offer.method = (uint8_t)tlv_take_number(&u, 0x82, 1);
	request->offer.type = (enum kf_key_type)tlv_take_number(&u, 0x83, 1);
	request->offer.standing = STATE_NO_CONTAINER;
	standing = tlv_is_next(&u, 0x84);
	if (standing)
		request->offer.standing = (uint8_t)tlv_take_number(&u, 0x84, 1);

	if (unpack_end(&u) < 0 || request->offer.nonce.n != KF_NONCE_SIZE ||
	    !key_type_serves(request->offer.type, (enum kf_method)request->offer.method))
		return SW_DATA;
	if (standing && method_is_shared((enum kf_method)request->offer.method))
		return SW_DATA;
	if (!method_is_known(card->state, (enum kf_method)request->offer.method) ||
	    !target_is_valid(request->offer.target) ||
	    (standing && is_no_container(request->offer.standing)))
		return SW_NO_OBJECT;
	if (!target_may_be_offered(card->state, request->offer.target))
		return SW_CONDITIONS;
	return standing_check(card, request);
}

static struct spki_hash held_by(const struct state *state, uint8_t target)
{
	const struct card_key *key = is_no_container(target) ? NULL : state->containers[target].key;
	struct spki_hash hash = { .present = key != NULL };

	if (key)
		memcpy(hash.digest, card_key_hash(key), sizeof(hash.digest));
	return hash;
}

/* All that the card can do now, not what it was asked for: who asks must not be able to hide the better. */
static void fill_abilities(struct statement *s, const struct state *state)
{
	s->methods = offer_methods(state);
	s->paddings = (struct number_list){ .n = 1, .v = { WRAP_OAEP_SHA256 } };
	s->suites = (struct number_list){ .n = 1, .v = { SUITE_AES256_CBC_CMAC } };
	s->key_types.n = sizeof(key_types) + sizeof(secret_types);
	memcpy(s->key_types.v, key_types, sizeof(key_types));
	memcpy(s->key_types.v + sizeof(key_types), secret_types, sizeof(secret_types));
	s->limit_item = KF_ITEM_MAX;
	s->limit_items = KF_ITEMS_MAX;
	s->limit_tries = APP_TRIES;
	s->n_injectors = state->n_injectors;
	for (size_t i = 0; i < state->n_injectors; i++)
		memcpy(s->injectors[i], state->injectors[i].hash, KF_DIGEST_SIZE);
}

/* Return: 0, -EIO. */
static int fill_statement(struct statement *s, const struct state *state,
			  const struct request *request, const struct offer *offer)
{
	*s = (struct statement){
		.level = KF_LEVEL_VIRTUAL,
		.exchange_type = card_key_type(offer->key),
		.purpose = KF_PURPOSE_EXCHANGE,
		.origin = KF_ORIGIN_GENERATED,
		.container = offer->target,
		.holds = held_by(state, offer->target),
	};
	if (method_is_shared((enum kf_method)offer->method)) {
		s->purpose = KF_PURPOSE_SHARED;
		s->origin = state_shared_origin(state, (enum kf_method)offer->method);
	}
	memcpy(s->serial, state->serial, sizeof(s->serial));
	memcpy(s->exchange, card_key_hash(offer->key), sizeof(s->exchange));
	memcpy(s->sid, offer->sid, sizeof(s->sid));
	memcpy(s->nonce, request->offer.nonce.p, sizeof(s->nonce));
	fill_abilities(s, state);
	if (offer->standing == STATE_NO_CONTAINER)
		return card_random(s->exchange_id, sizeof(s->exchange_id));
	memcpy(s->exchange_id, state->containers[offer->standing].exchange_id,
	       sizeof(s->exchange_id));
	return 0;
}

/* The answer of OFFER; offer->hash becomes H. */
static int put_statement(const struct state *state, const struct request *request,
			 struct offer *offer, struct packer *out)
{
	uint8_t der[STATEMENT_MAX], sig[ECDSA_SIG_MAX];
	struct packer p = pack_begin(der, sizeof(der)), sp = pack_begin(sig, sizeof(sig));
	struct statement s;
	int r = fill_statement(&s, state, request, offer);

	if (r == 0)
		r = sha256(blob_bytes(state->device_cert), s.device);
	if (r < 0)
		return r;
	statement_pack(&p, &s);
	if (pack_end(&p) < 0)
		return -EMSGSIZE;
	r = statement_hash(pack_done(&p), offer->hash);
	if (r == 0)
		r = card_key_attest(state->device, pack_done(&p), &sp);
	if (r < 0)
		return r;
	signed_statement_pack(out, &(struct signed_statement){
		.statement = pack_done(&p),
		.signature = pack_done(&sp),
		.key = card_key_spki(offer->key),
	});
	return 0;
}

/* The challenge is part of it, so it is single, and dies with the offer. */
static int shared_key(const struct state *state, enum kf_method method, struct card_key **out)
{
	struct bytes key = blob_bytes(state_shared(state, method));
	_cleanup_(secret_deinit) struct secret copy = SECRET_INIT;
	struct shared_info info = { 0 };
	int r = secret_init(&copy, SHARED_KEY_SIZE);

	if (r == 0)
		r = secret_set(&copy, key);
	if (r == 0)
		r = shared_info_describe(&copy, method, &info);
	if (r == 0 && method == KF_METHOD_DERIVED)
		r = card_random(info.challenge, sizeof(info.challenge));
	return r < 0 ? r : card_key_new_shared(key, &info, out);
}

static int exchange_key(struct card *card, const struct request *request, struct card_key **out)
{
	enum kf_method method = (enum kf_method)request->offer.method;

	if (method_is_shared(method))
		return shared_key(card->state, method, out);

	if (request->offer.standing == STATE_NO_CONTAINER)
		return card->memory.generate(request->offer.type, out);
	*out = card_key_ref(card->state->containers[request->offer.standing].key);
	return 0;
}

RUN(offer_run)
{
	_cleanup_(state_freep) struct state *next = NULL;
	_cleanup_(card_key_unrefp) struct card_key *key = NULL;
	struct offer offer = {
		.standing = request->offer.standing,
		.target = request->offer.target,
		.tries = APP_TRIES,
		.method = request->offer.method,
		.next = 1,
	};
	int r = card_begin(card, &next);

	if (r == 0)
		r = exchange_key(card, request, &key);
	if (r == 0)
		r = card_random(offer.sid, sizeof(offer.sid));
	if (r < 0)
		return r;
	offer.key = key;
	r = put_statement(card->state, request, &offer, out);
	if (r < 0)
		return r;
	state_add_offer(next, &offer);
	key = NULL;			/* the offer's now */
	r = card_commit(card, &next);
	if (r != 0)
		return r;
	session_forget_gone(card);	/* of the oldest offer, if there was no room */
	return SW_OK;
}

RUN(pending_run)
{
	(void)request;
	for (size_t i = 0; i < card->state->n_offers; i++) {
		const struct offer *offer = &card->state->offers[i];
		uint8_t buf[32];
		struct packer p = pack_begin(buf, sizeof(buf));

		tlv_put(&p, 0x80, BYTES_OF(offer->sid));
		tlv_put_number(&p, 0x81, offer->target, 1);
		tlv_put_number(&p, 0x82, offer->tries, 1);
		tlv_put_number(&p, 0x83, offer->next, 2);
		tlv_put(out, 0xe4, pack_done(&p));
	}
	return SW_OK;
}
