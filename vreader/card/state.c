/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two versions of the state exist while a command runs. They are the case where one key really has
 * two owners, so keys and blobs are counted; everything else is copied by value.
 */
#include "vreader/card/state.h"

#include "format/hash.h"
#include "format/kid.h"
#include "format/shared.h"

#include <stdlib.h>

int state_new(struct state **out)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return -ENOMEM;
	state->pin.max = APP_PIN_TRIES;
	state->puk.max = APP_PUK_TRIES;
	*out = state;
	return 0;
}

static void state_share(struct state *state)
{
	(void)card_key_ref(state->device);
	(void)blob_ref(state->device_cert);
	(void)blob_ref(state->pin.value);
	(void)blob_ref(state->puk.value);
	for (size_t i = 0; i < STATE_SHARED; i++)
		(void)blob_ref(state->shared[i]);
	for (size_t i = 0; i < APP_CONTAINERS; i++) {
		(void)card_key_ref(state->containers[i].key);
		(void)blob_ref(state->containers[i].cert);
		(void)blob_ref(state->containers[i].kek.name);
	}
	for (size_t i = 0; i < state->n_offers; i++)
		(void)card_key_ref(state->offers[i].key);
	for (size_t i = 0; i < state->n_receipts; i++)
		(void)blob_ref(state->receipts[i].der);
}

int state_copy(const struct state *state, struct state **out)
{
	struct state *copy = malloc(sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	*copy = *state;
	state_share(copy);
	*out = copy;
	return 0;
}

static void container_clear(struct container *container)
{
	container->key = card_key_unref(container->key);
	container->cert = blob_unref(container->cert);
	container->kek.name = blob_unref(container->kek.name);
	*container = (struct container){ 0 };
}

struct state *state_free(struct state *state)
{
	if (!state)
		return NULL;
	state->device = card_key_unref(state->device);
	state->device_cert = blob_unref(state->device_cert);
	state->pin.value = blob_unref(state->pin.value);
	state->puk.value = blob_unref(state->puk.value);
	for (size_t i = 0; i < STATE_SHARED; i++)
		state->shared[i] = blob_unref(state->shared[i]);
	for (size_t i = 0; i < APP_CONTAINERS; i++)
		container_clear(&state->containers[i]);
	for (size_t i = 0; i < state->n_offers; i++)
		state->offers[i].key = card_key_unref(state->offers[i].key);
	for (size_t i = 0; i < state->n_receipts; i++)
		state->receipts[i].der = blob_unref(state->receipts[i].der);
	free(state);
	return NULL;
}

bool container_may_hold(enum kf_key_type type, enum kf_purpose purpose)
{
	if (purpose == KF_PURPOSE_EXCHANGE)
		return key_type_is_rsa(type) || key_type_agrees(type);
	if (purpose == KF_PURPOSE_KEK)
		return key_type_is_rsa(type);
	return key_type_suits(type, purpose);
}

bool container_is_reserved(const struct container *container)
{
	return container->key && (container->purpose == KF_PURPOSE_EXCHANGE ||
				  container->purpose == KF_PURPOSE_KEK ||
				  container->purpose == KF_PURPOSE_SHARED);
}

void state_empty_container(struct state *state, unsigned int index)
{
	assert(index < APP_CONTAINERS);
	for (size_t i = state->n_offers; i > 0; i--) {
		if (state->offers[i - 1].standing == index)
			state_forget_offer(state, &state->offers[i - 1]);
	}
	container_clear(&state->containers[index]);
}

static size_t shared_at(enum kf_method method)
{
	assert(method_is_shared(method));
	return method == KF_METHOD_SHARED ? 0 : 1;
}

const struct blob *state_shared(const struct state *state, enum kf_method method)
{
	return state->shared[shared_at(method)];
}

enum kf_origin state_shared_origin(const struct state *state, enum kf_method method)
{
	return state->shared_origin[shared_at(method)];
}

void state_forget_shared(struct state *state, enum kf_method method,
			 const uint8_t sid[static KF_SID_SIZE])
{
	for (size_t i = state->n_offers; i > 0; i--) {
		struct offer *offer = &state->offers[i - 1];

		if (offer->method == (uint8_t)method && memcmp(offer->sid, sid, KF_SID_SIZE) != 0)
			state_forget_offer(state, offer);
	}
}

int state_set_shared(struct state *state, enum kf_method method, struct bytes key,
		     enum kf_origin origin)
{
	struct blob **at = &state->shared[shared_at(method)];
	struct blob *blob;
	int r;

	assert(key.n == SHARED_KEY_SIZE);
	r = blob_new(key, &blob);
	if (r < 0)
		return r;
	(void)blob_unref(*at);
	*at = blob;
	state->shared_origin[shared_at(method)] = origin;
	return 0;
}

unsigned int state_find_kek(const struct state *state, struct bytes name)
{
	for (unsigned int i = 0; i < APP_CONTAINERS; i++) {
		const struct container *container = &state->containers[i];

		if (container->key && container->purpose == KF_PURPOSE_KEK &&
		    kid_equal(blob_bytes(container->kek.name), name))
			return i;
	}
	return STATE_NO_CONTAINER;
}

int pin_set(struct pin *pin, struct bytes value)
{
	struct blob *blob;
	int r;

	assert(value.n >= APP_PIN_MIN && value.n <= APP_PIN_MAX);
	r = blob_new(value, &blob);
	if (r < 0)
		return r;
	(void)blob_unref(pin->value);
	pin->value = blob;
	pin->tries = pin->max;
	return 0;
}

struct offer *state_find_offer(struct state *state, const uint8_t sid[static KF_SID_SIZE])
{
	for (size_t i = 0; i < state->n_offers; i++) {
		if (memcmp(state->offers[i].sid, sid, KF_SID_SIZE) == 0)
			return &state->offers[i];
	}
	return NULL;
}

void state_forget_offer(struct state *state, struct offer *offer)
{
	size_t i = (size_t)(offer - state->offers);

	assert(i < state->n_offers);
	offer->key = card_key_unref(offer->key);
	for (state->n_offers--; i < state->n_offers; i++)
		state->offers[i] = state->offers[i + 1];
	state->offers[state->n_offers] = (struct offer){ 0 };
}

void state_add_offer(struct state *state, const struct offer *offer)
{
	if (state->n_offers == APP_PENDING_MAX)
		state_forget_offer(state, &state->offers[0]);
	state->offers[state->n_offers++] = *offer;
}

const struct stored_receipt *state_find_receipt(const struct state *state,
					 const uint8_t sid[static KF_SID_SIZE], uint16_t number)
{
	for (size_t i = state->n_receipts; i-- > 0;) {
		const struct stored_receipt *receipt = &state->receipts[i];

		if (receipt->number == number && memcmp(receipt->sid, sid, KF_SID_SIZE) == 0)
			return receipt;
	}
	return NULL;
}

void state_add_receipt(struct state *state, const struct stored_receipt *receipt)
{
	if (state->n_receipts == APP_RECEIPTS_MAX) {
		(void)blob_unref(state->receipts[0].der);
		for (size_t i = 0; i + 1 < APP_RECEIPTS_MAX; i++)
			state->receipts[i] = state->receipts[i + 1];
		state->n_receipts--;
	}
	state->receipts[state->n_receipts++] = *receipt;
}

const struct injector *state_find_injector(const struct state *state, struct bytes hash)
{
	for (size_t i = 0; i < state->n_injectors; i++) {
		if (bytes_equal(BYTES_OF(state->injectors[i].hash), hash))
			return &state->injectors[i];
	}
	return NULL;
}

int state_add_injector(struct state *state, struct bytes spki)
{
	struct injector *injector = &state->injectors[state->n_injectors];
	struct packer p;

	if (state->n_injectors == APP_INJECTORS_MAX)
		return -ENOSPC;
	p = pack_begin(injector->spki, sizeof(injector->spki));
	pack_bytes(&p, spki);
	if (spki.n == 0 || pack_end(&p) < 0)
		return -EINVAL;
	if (sha256(spki, injector->hash) < 0)
		return -ENOMEM;
	injector->spki_len = spki.n;
	state->n_injectors++;
	return 0;
}
