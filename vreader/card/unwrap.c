/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * UNWRAP (docs/card-application.md 7.4), the only thing a KEK ever does. What check() judges is public;
 * from the moment the KEK is opened there are two answers, installed or refused [SECURITY section 6].
 */
#include "format/der.h"
#include "format/hash.h"
#include "format/kek_receipt.h"
#include "format/ossl.h"
#include "format/pkcs8.h"
#include "format/wrapped.h"
#include "vreader/card/command.h"
#include "vreader/card/tlv.h"

#include <openssl/err.h>

static bool target_is_free(const struct container *target, struct bytes replaces)
{
	if (!target->key)
		return replaces.n == 0;
	return !container_is_reserved(target) &&
	       bytes_equal(replaces, BYTES(card_key_hash(target->key), KF_DIGEST_SIZE));
}

/* The modulus out of the SubjectPublicKeyInfo, which is the card's own. */
static struct bytes modulus_of(const struct card_key *key)
{
	struct unpacker whole = unpack_begin(card_key_spki(key));
	struct unpacker spki = der_enter(&whole, DER_SEQUENCE);
	struct unpacker bits, pair;

	(void)der_take(&spki, DER_SEQUENCE);
	bits = der_enter(&spki, 0x03);
	unpack_skip(&bits, 1);
	pair = der_enter(&bits, DER_SEQUENCE);
	return der_big(&pair);
}

/* Step 3. */
static bool blob_fits(const struct card_key *kek, struct bytes blob)
{
	size_t size = key_type_size(card_key_type(kek));
	struct bytes n = modulus_of(kek);

	return n.n == size && wrapped_fits(blob.n, size) && memcmp(blob.p, n.p, size) < 0;
}

/* Steps 1 to 3. */
CHECK(unwrap_check)
{
	struct unpacker u = unpack_begin(request->data);
	struct bytes replaces = BYTES_NONE;
	const struct container *kek = named_container(card, request);

	request->unwrap.target = (uint8_t)tlv_take_number(&u, 0x80, 1);
	request->unwrap.type = (enum kf_key_type)tlv_take_number(&u, 0x81, 1);
	request->unwrap.purpose = (enum kf_purpose)tlv_take_number(&u, 0x82, 1);
	request->unwrap.policy = (uint8_t)tlv_take_number(&u, 0x83, 1);
	if (tlv_is_next(&u, 0x84)) {
		replaces = tlv_take(&u, 0x84);
		if (replaces.n != KF_DIGEST_SIZE)
			unpack_fail(&u);
	}
	request->unwrap.blob = tlv_take(&u, 0x85);
	if (unpack_end(&u) < 0 || (request->unwrap.policy & ~STATE_POLICY_PIN) != 0 ||
	    !key_type_suits(request->unwrap.type, request->unwrap.purpose))
		return SW_DATA;

	if (!kek->key || kek->purpose != KF_PURPOSE_KEK || request->unwrap.target >= APP_CONTAINERS)
		return SW_NO_OBJECT;
	if (kek->kek.disabled ||
	    !number_list_has(&kek->kek.key_types, (uint8_t)request->unwrap.type) ||
	    !number_list_has(&kek->kek.purposes, (uint8_t)request->unwrap.purpose) ||
	    !target_is_free(&card->state->containers[request->unwrap.target], replaces))
		return SW_CONDITIONS;
	return blob_fits(kek->key, request->unwrap.blob) ? SW_OK : SW_DATA;
}

/* Step 4: on the disk before the KEK works, so that no cut of the power takes it back. */
static int count_refusal(struct card *card, const struct request *request)
{
	_cleanup_(state_freep) struct state *next = NULL;
	struct kek_rule *kek;
	int r = card_begin(card, &next);

	if (r < 0)
		return r;
	kek = &next->containers[request->number].kek;
	if (kek->refusals < UINT8_MAX)
		kek->refusals++;
	r = card_commit(card, &next);
	if (r == 0 && named_container(card, request)->kek.refusals > APP_UNWRAP_FREE)
		card->memory.pause(card->memory.owner, APP_UNWRAP_PAUSE_MS);
	return r;
}

/* Step 8. Return: 0 and a key that was proved whole, or a negative errno. */
static int read_key(struct bytes plain, enum kf_key_type type, struct card_key **out)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;
	int r;

	if (key_type_is_aes(type))
		return card_key_new_secret(type, plain, out);
	r = pkcs8_decode(plain, type, &pkey);
	return r < 0 ? r : card_key_new(pkey, out);
}

/* Steps 5 to 8. Return: 0 and the key, %SW_REFUSED whatever is wrong with it, or a negative errno. */
static int open_blob(const struct card *card, const struct request *request,
		     struct card_key **out)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *kek = NULL;
	_cleanup_(secret_deinit) struct secret plain = SECRET_INIT;
	int r = card_key_open(named_container(card, request)->key, &kek);

	if (r == 0)
		r = secret_init(&plain, APP_WRAPPED_MAX);
	if (r < 0)
		return r;
	r = wrapped_open(kek, named_container(card, request)->kek.hash, request->unwrap.blob, &plain);
	if (r < 0 && r != -EBADMSG)
		return r;
	if (r == 0)
		r = read_key(secret_bytes(&plain), request->unwrap.type, out);
	ERR_clear_error();
	return r < 0 ? SW_REFUSED : 0;
}

/* --- step 9 --- */

/* What a KEK protected is no better kept than the KEK. */
static enum kf_origin origin_under(const struct container *kek)
{
	return kek->origin == KF_ORIGIN_FACTORY ? KF_ORIGIN_FACTORY : KF_ORIGIN_INJECTED_OPEN;
}

static void install_key(struct state *next, const struct request *request, struct card_key *key)
{
	struct container *target = &next->containers[request->unwrap.target];
	struct container *kek = &next->containers[request->number];

	state_empty_container(next, request->unwrap.target);
	*target = (struct container){
		.key = card_key_ref(key),
		.purpose = request->unwrap.purpose,
		.origin = origin_under(kek),
		.policy = request->unwrap.policy,
	};
	if (kek->kek.refusals > 0)	/* its own try; whoever has the public half makes good blobs */
		kek->kek.refusals--;
	next->counter++;
}

static int fill_receipt(struct kek_receipt *r, const struct state *next,
			const struct request *request)
{
	const struct container *kek = &next->containers[request->number];
	const struct container *target = &next->containers[request->unwrap.target];
	bool pin_needed = target->policy & STATE_POLICY_PIN;

	*r = (struct kek_receipt){
		.kek_origin = kek->origin,
		.hash = kek->kek.hash,
		.container = request->unwrap.target,
		.pin = pin_needed ? KF_PIN_USER : 0,
		.key_type = card_key_type(target->key),
		.purpose = target->purpose,
		.policy = { .pin_needed = pin_needed },
		.origin = target->origin,
		.counter = next->counter,
		.evidence = card_key_spki(target->key),
	};
	memcpy(r->serial, next->serial, sizeof(r->serial));
	memcpy(r->kek, card_key_hash(kek->key), sizeof(r->kek));
	if (sha256(blob_bytes(next->device_cert), r->device) < 0)
		return -EIO;
	return sha256(request->unwrap.blob, r->blob);
}

/* A receipt is found again by what the sender has, too: the blob. */
static int keep_receipt(struct state *next, const struct request *request, struct packer *out)
{
	struct stored_receipt stored = { .number = 0 };
	struct kek_receipt receipt;
	uint8_t der[RECEIPT_MAX];
	struct packer p = pack_begin(der, sizeof(der));
	int r = fill_receipt(&receipt, next, request);

	if (r < 0)
		return r;
	kek_receipt_pack(&p, &receipt);
	if (pack_end(&p) < 0)
		return -EMSGSIZE;
	memcpy(stored.sid, receipt.blob, sizeof(stored.sid));
	return receipt_keep(next, &stored, pack_done(&p), out);
}

RUN(unwrap_run)
{
	_cleanup_(state_freep) struct state *next = NULL;
	_cleanup_(card_key_unrefp) struct card_key *key = NULL;
	int r = count_refusal(card, request);

	if (r == 0)
		r = open_blob(card, request, &key);
	if (r == 0)
		r = card_begin(card, &next);
	if (r != 0)
		return r;
	install_key(next, request, key);
	r = keep_receipt(next, request, out);
	if (r == 0)
		r = card_commit(card, &next);
	if (r != 0)
		return r;
	card_forget_selection(card, request->unwrap.target);
	return SW_OK;
}
