/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fields in the order of struct state; variable ones behind a 16-bit length, lists behind a count.
 * Decoding leaves nothing to check later: what comes out of state_decode() is in range, or there is
 * no state. The store has made sure of integrity; a blob that fails here is our own mistake or an
 * edited file, and either is refused as a whole.
 */
#include "vreader/card/codec.h"

#include "format/kek_statement.h"
#include "format/keys.h"
#include "format/kid.h"
#include "format/shared.h"

enum {
	CODEC_VERSION = 6,		/* 1 knew no KEKs, 2 only method rsa, 4 no PINs or batches; otherwise the same */
	CODEC_SHARED = 4,		/* since then SHARED keys stand at the end */
	CODEC_ORIGIN = 6,		/* and where each comes from; before, the maker */
	PRESENT = 1,
};

static const uint8_t codec_magic[4] = { 'K', 'F', 'V', 'C' };

/* --- encode --- */

static void put_field(struct packer *p, struct bytes b)
{
	if (b.n > UINT16_MAX)
		pack_fail(p);
	pack_be16(p, (uint16_t)b.n);
	pack_bytes(p, b);
}

static void put_key(struct packer *p, const struct card_key *key)
{
	pack_u8(p, (uint8_t)card_key_type(key));
	put_field(p, card_key_private(key));
	put_field(p, card_key_spki(key));
}

static void put_pin(struct packer *p, const struct pin *pin)
{
	put_field(p, blob_bytes(pin->value));
	pack_u8(p, pin->tries);
}

static void put_numbers(struct packer *p, const struct number_list *list)
{
	put_field(p, BYTES(list->v, list->n));
}

static void put_kek(struct packer *p, const struct kek_rule *kek)
{
	put_field(p, blob_bytes(kek->name));
	pack_u8(p, (uint8_t)kek->hash);
	put_numbers(p, &kek->key_types);
	put_numbers(p, &kek->purposes);
	pack_u8(p, kek->disabled);
	pack_u8(p, kek->refusals);
}

static void put_container(struct packer *p, const struct container *container)
{
	pack_u8(p, container->key ? PRESENT : 0);
	if (!container->key)
		return;
	put_key(p, container->key);
	pack_u8(p, (uint8_t)container->purpose);
	pack_u8(p, (uint8_t)container->origin);
	pack_u8(p, container->policy);
	pack_u8(p, container->used);
	pack_be(p, container->not_after, 8);
	pack_bytes(p, BYTES_OF(container->exchange_id));
	put_field(p, blob_bytes(container->cert));
	if (container->purpose == KF_PURPOSE_KEK)
		put_kek(p, &container->kek);
}

static void put_offer(struct packer *p, const struct offer *offer)
{
	pack_bytes(p, BYTES_OF(offer->sid));
	pack_bytes(p, BYTES_OF(offer->hash));
	pack_u8(p, offer->standing);
	if (offer->standing == STATE_NO_CONTAINER)
		put_key(p, offer->key);
	pack_u8(p, offer->target);
	pack_u8(p, offer->tries);
	pack_u8(p, offer->method);
	if (method_confirms((enum kf_method)offer->method)) {
		pack_u8(p, offer->opened);
		pack_bytes(p, BYTES_OF(offer->opening));
	}
	pack_be16(p, offer->next);
	pack_be16(p, offer->count);
}

static void put_receipt(struct packer *p, const struct stored_receipt *receipt)
{
	pack_bytes(p, BYTES_OF(receipt->sid));
	pack_be16(p, receipt->number);
	put_field(p, blob_bytes(receipt->der));
}

int state_encode(const struct state *state, struct packer *out)
{
	pack_bytes(out, BYTES_OF(codec_magic));
	pack_be16(out, CODEC_VERSION);
	put_field(out, BYTES(state->serial, strlen(state->serial)));
	put_key(out, state->device);
	put_field(out, blob_bytes(state->device_cert));
	pack_u8(out, (uint8_t)state->n_injectors);
	for (size_t i = 0; i < state->n_injectors; i++)
		put_field(out, BYTES(state->injectors[i].spki, state->injectors[i].spki_len));
	put_pin(out, &state->pin);
	put_pin(out, &state->puk);
	for (size_t i = 0; i < APP_CONTAINERS; i++)
		put_container(out, &state->containers[i]);
	pack_u8(out, (uint8_t)state->n_offers);
	for (size_t i = 0; i < state->n_offers; i++)
		put_offer(out, &state->offers[i]);
	pack_u8(out, (uint8_t)state->n_receipts);
	for (size_t i = 0; i < state->n_receipts; i++)
		put_receipt(out, &state->receipts[i]);
	pack_be(out, state->counter, 8);
	for (size_t i = 0; i < STATE_SHARED; i++)
		put_field(out, blob_bytes(state->shared[i]));
	for (size_t i = 0; i < STATE_SHARED; i++)
		pack_u8(out, state->shared[i] ? (uint8_t)state->shared_origin[i] : 0);
	return pack_end(out);
}

/* --- decode --- */

static struct bytes take_field(struct unpacker *u, size_t min, size_t max)
{
	struct bytes b = unpack_bytes(u, unpack_be16(u));

	if (b.n < min || b.n > max)
		unpack_fail(u);
	return b;
}

static uint8_t take_up_to(struct unpacker *u, uint8_t max)
{
	uint8_t v = unpack_u8(u);

	if (v > max) {
		unpack_fail(u);
		v = 0;
	}
	return v;
}

/* All takers below return a negative errno only when out of memory; bad bytes stick to @u. */

static int take_blob(struct unpacker *u, size_t min, size_t max, struct blob **out)
{
	struct bytes b = take_field(u, min, max);

	return b.n != 0 ? blob_new(b, out) : 0;
}

static int take_key(struct unpacker *u, struct card_key **out)
{
	uint8_t type = unpack_u8(u);
	struct bytes private = take_field(u, 1, KEY_PLAIN_MAX);
	struct bytes spki = take_field(u, 1, SPKI_MAX);
	int r;

	if (u->bad)
		return 0;
	r = card_key_restore(type, private, spki, out);
	if (r == -EBADMSG) {
		unpack_fail(u);
		return 0;
	}
	return r;
}

static int take_pin(struct unpacker *u, struct pin *pin)
{
	struct bytes value = take_field(u, APP_PIN_MIN, APP_PIN_MAX);
	int r;

	if (u->bad)
		return 0;
	r = pin_set(pin, value);
	pin->tries = take_up_to(u, pin->max);
	return r;
}

static struct number_list take_numbers(struct unpacker *u)
{
	struct number_list list = { 0 };
	struct bytes b = take_field(u, 1, sizeof(list.v));

	if (!u->bad) {
		memcpy(list.v, b.p, b.n);
		list.n = b.n;
	}
	return list;
}

static int take_kek(struct unpacker *u, struct kek_rule *kek)
{
	struct bytes name = take_field(u, 1, KF_KID_MAX);

	kek->hash = (enum kf_hash)unpack_u8(u);
	kek->key_types = take_numbers(u);
	kek->purposes = take_numbers(u);
	kek->disabled = take_up_to(u, 1);
	kek->refusals = unpack_u8(u);
	if (!kid_is_valid(name) || !hash_name(kek->hash) ||
	    !kek_allows_sense(&kek->key_types, &kek->purposes))
		unpack_fail(u);
	return u->bad ? 0 : blob_new(name, &kek->name);
}

static int take_container(struct unpacker *u, struct container *container)
{
	int r;

	if (take_up_to(u, PRESENT) == 0)
		return 0;
	r = take_key(u, &container->key);
	if (r < 0)
		return r;
	container->purpose = take_up_to(u, KF_PURPOSE_CIPHER);
	container->origin = take_up_to(u, KF_ORIGIN_FACTORY);
	if (container->origin < KF_ORIGIN_GENERATED)
		unpack_fail(u);
	container->policy = take_up_to(u, STATE_POLICY_PIN);
	container->used = take_up_to(u, 1);
	container->not_after = unpack_be(u, 8);
	unpack_copy(u, container->exchange_id, sizeof(container->exchange_id));
	if (!u->bad && !container_may_hold(card_key_type(container->key), container->purpose))
		unpack_fail(u);
	r = take_blob(u, 0, KF_CERT_MAX, &container->cert);
	if (r == 0 && container->purpose == KF_PURPOSE_KEK)
		r = take_kek(u, &container->kek);
	return r;
}

/* The key of a standing offer is its container's, which has been read before. */
static int take_offer_key(struct unpacker *u, const struct state *state, struct offer *offer)
{
	const struct container *container;

	if (offer->standing == STATE_NO_CONTAINER)
		return take_key(u, &offer->key);
	container = offer->standing < APP_CONTAINERS ? &state->containers[offer->standing] : NULL;
	if (!container || !container->key || container->purpose != KF_PURPOSE_EXCHANGE)
		unpack_fail(u);
	else
		offer->key = card_key_ref(container->key);
	return 0;
}

static int take_offer(struct unpacker *u, const struct state *state, struct offer *offer)
{
	int r;

	unpack_copy(u, offer->sid, sizeof(offer->sid));
	unpack_copy(u, offer->hash, sizeof(offer->hash));
	offer->standing = unpack_u8(u);
	r = take_offer_key(u, state, offer);
	offer->target = unpack_u8(u);
	offer->tries = take_up_to(u, APP_TRIES);
	offer->method = unpack_u8(u);
	if (method_confirms((enum kf_method)offer->method)) {
		offer->opened = take_up_to(u, 1);
		unpack_copy(u, offer->opening, sizeof(offer->opening));
	}
	offer->next = unpack_be16(u);
	offer->count = unpack_be16(u);
	if (!u->bad && r == 0 &&
	    !key_type_serves(card_key_type(offer->key), (enum kf_method)offer->method))
		unpack_fail(u);
	if (!target_is_valid(offer->target))
		unpack_fail(u);
	if (offer->next == 0 || offer->next > KF_ITEMS_MAX ||
	    offer->count > KF_ITEMS_MAX || (offer->count != 0 && offer->next > offer->count))
		unpack_fail(u);
	return r;
}

static int take_receipt(struct unpacker *u, struct stored_receipt *receipt)
{
	unpack_copy(u, receipt->sid, sizeof(receipt->sid));
	receipt->number = unpack_be16(u);
	return take_blob(u, 1, UINT16_MAX, &receipt->der);
}

static void take_card_serial(struct unpacker *u, char serial[static KF_SERIAL_MAX + 1])
{
	struct bytes b = take_field(u, 1, KF_SERIAL_MAX);
	struct packer p = pack_begin((uint8_t *)serial, KF_SERIAL_MAX);

	pack_bytes(&p, b);
	if (!serial_is_valid(b))
		unpack_fail(u);
}

static int take_identity(struct unpacker *u, struct state *state)
{
	size_t n;
	int r;

	take_card_serial(u, state->serial);
	r = take_key(u, &state->device);
	if (r < 0)
		return r;
	if (!u->bad && card_key_type(state->device) != KF_KEY_EC_P256)
		unpack_fail(u);
	r = take_blob(u, 1, KF_CERT_MAX, &state->device_cert);
	if (r < 0)
		return r;
	n = take_up_to(u, APP_INJECTORS_MAX);
	for (size_t i = 0; i < n && r == 0; i++) {
		struct bytes spki = take_field(u, 1, STATE_INJECTOR_SPKI_MAX);

		if (!u->bad)
			r = state_add_injector(state, spki);
	}
	return r;
}

static int take_offers(struct unpacker *u, struct state *state)
{
	size_t n = take_up_to(u, APP_PENDING_MAX);
	int r = 0;

	for (size_t i = 0; i < n && r == 0 && !u->bad; i++)
		r = take_offer(u, state, &state->offers[state->n_offers++]);
	return r;
}

static int take_receipts(struct unpacker *u, struct state *state)
{
	size_t n = take_up_to(u, APP_RECEIPTS_MAX);
	int r = 0;

	for (size_t i = 0; i < n && r == 0 && !u->bad; i++)
		r = take_receipt(u, &state->receipts[state->n_receipts++]);
	return r;
}

/* None, or one of the one length. */
static int take_shared(struct unpacker *u, struct state *state)
{
	int r = 0;

	for (size_t i = 0; i < STATE_SHARED && r == 0; i++) {
		r = take_blob(u, 0, SHARED_KEY_SIZE, &state->shared[i]);
		if (state->shared[i] && blob_bytes(state->shared[i]).n != SHARED_KEY_SIZE)
			unpack_fail(u);
	}
	return r;
}

static void take_origins(struct unpacker *u, uint16_t version, struct state *state)
{
	for (size_t i = 0; i < STATE_SHARED; i++) {
		enum kf_origin origin = version < CODEC_ORIGIN ? KF_ORIGIN_FACTORY
							       : (enum kf_origin)unpack_u8(u);

		if (!state->shared[i])
			origin = version < CODEC_ORIGIN ? KF_ORIGIN_NONE : origin;
		if (state->shared[i] ? origin != KF_ORIGIN_FACTORY && origin != KF_ORIGIN_INJECTED
				     : origin != KF_ORIGIN_NONE)
			unpack_fail(u);
		state->shared_origin[i] = origin;
	}
}

static int take_state(struct unpacker *u, uint16_t version, struct state *state)
{
	uint64_t counter;
	int r = take_identity(u, state);

	if (r == 0)
		r = take_pin(u, &state->pin);
	if (r == 0)
		r = take_pin(u, &state->puk);
	for (size_t i = 0; i < APP_CONTAINERS && r == 0; i++)
		r = take_container(u, &state->containers[i]);
	if (r == 0)
		r = take_offers(u, state);
	if (r == 0)
		r = take_receipts(u, state);
	counter = unpack_be(u, 8);
	if (counter > UINT32_MAX)
		unpack_fail(u);
	state->counter = (uint32_t)counter;
	if (r == 0 && version >= CODEC_SHARED)
		r = take_shared(u, state);
	if (r == 0)
		take_origins(u, version, state);
	return r;
}

int state_decode(struct bytes blob, struct state **out)
{
	_cleanup_(state_freep) struct state *state = NULL;
	struct unpacker u = unpack_begin(blob);
	uint16_t version;
	int r;

	if (!bytes_equal(unpack_bytes(&u, sizeof(codec_magic)), BYTES_OF(codec_magic)))
		return -EBADMSG;
	version = unpack_be16(&u);
	if (version == 0 || version > CODEC_VERSION)
		return -EPROTONOSUPPORT;
	r = state_new(&state);
	if (r < 0)
		return r;
	r = take_state(&u, version, state);
	if (r < 0)
		return r;
	if (unpack_end(&u) < 0)
		return -EBADMSG;
	*out = take_ptr(state);
	return 0;
}
