/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PROCESS ITEM (docs/card-application.md 5.4) and the receipts it leaves. The steps below are the
 * page's, in its order, which SECURITY section 4 fixes: the try is spent before the MAC is looked
 * at, and nothing but the try changes until the one commit at the end.
 */
#include "format/hash.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "format/receipt.h"
#include "format/seal.h"
#include "vreader/card/command.h"
#include "vreader/card/offer.h"
#include "vreader/card/session.h"
#include "vreader/card/tlv.h"

#include <openssl/err.h>

/* Step 1. */
CHECK(process_check)
{
	if (item_parse(request->data, &request->process.item) < 0)
		return SW_DATA;
	request->process.session = session_find(card, request->number);
	return request->process.session ? SW_OK : SW_NO_OBJECT;
}

/* Step 4. Where the item claims to stand plays no part: the keys are those of where it must. */
static bool mac_is_right(const struct item_keys *keys, const struct item *item)
{
	uint8_t mac[ITEM_MAC_SIZE];

	if (item_mac(keys, item->body_der, mac) < 0)
		return false;
	return bytes_equal_ct(BYTES_OF(mac), item->mac);
}

/* Step 5, fields. */
static bool fields_are_right(const struct state *state, const struct offer *offer,
			     const struct item_body *b, uint8_t function)
{
	return b->suite == SUITE_AES256_CBC_CMAC &&
	       (uint8_t)b->method == offer->method &&
	       (uint8_t)b->function == function &&
	       memcmp(b->sid, offer->sid, KF_SID_SIZE) == 0 &&
	       b->number == offer->next &&
	       b->count >= b->number && b->count <= KF_ITEMS_MAX &&
	       (offer->count == 0 || b->count == offer->count) &&
	       strcmp(b->serial, state->serial) == 0 &&
	       memcmp(b->exchange, card_key_hash(offer->key), KF_DIGEST_SIZE) == 0 &&
	       b->container == offer->target &&
	       b->pin == (b->policy.pin_needed ? KF_PIN_USER : 0) &&
	       key_type_is_made(b->key_type) && key_type_suits(b->key_type, b->purpose);
}

/* Step 5, sender. Without injector keys everybody may send, and no one can claim to be someone. */
static bool sender_is_right(const struct state *state, const struct item *item)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	const struct injector *injector;
	enum kf_key_type type;

	if (state->n_injectors == 0)
		return !item->body.sender.present && item->signature.n == 0;
	if (!item->body.sender.present)
		return false;
	injector = state_find_injector(state, BYTES_OF(item->body.sender.digest));
	if (!injector || spki_parse(BYTES(injector->spki, injector->spki_len), &key, &type) < 0)
		return false;
	return ecdsa_verify(key, item->signed_der, BYTES_NONE, item->signature) == 0;
}

/* Step 6. Return: 0 and a key that was proved whole, or a negative errno. */
static int open_key(const struct item_keys *keys, const struct item_body *b, struct card_key **out)
{
	_cleanup_(secret_deinit) struct secret plain = SECRET_INIT;
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;
	int r = secret_init(&plain, KF_ITEM_MAX);

	if (r == 0)
		r = item_decrypt(keys, b->iv, b->ciphertext, &plain);
	if (r == 0)
		r = key_plain_decode(secret_bytes(&plain), b->key_type, &pkey);
	if (r < 0)
		return r;
	return card_key_new(pkey, out);
}

/* Steps 4 to 6. Return: 0 and the key, or %SW_REFUSED whatever is wrong. */
static int open_item(const struct vcard *card, const struct request *request,
		     const struct offer *offer, struct card_key **out)
{
	const struct item *item = &request->process.item;
	struct item_keys keys = ITEM_KEYS_INIT;
	struct item_place place = {
		.method = (enum kf_method)offer->method,
		.function = (enum kf_function)request->p1,
		.number = offer->next,
	};
	bool good;

	memcpy(place.h, offer->hash, sizeof(place.h));
	good = item_keys_derive(&keys, &request->process.session->s1, &place) == 0 &&
	       mac_is_right(&keys, item) &&
	       fields_are_right(card->state, offer, &item->body, request->p1) &&
	       sender_is_right(card->state, item) &&
	       open_key(&keys, &item->body, out) == 0;
	item_keys_deinit(&keys);
	ERR_clear_error();
	return good ? 0 : SW_REFUSED;
}

/* Step 7. */
static bool may_replace(const struct container *container, const struct spki_hash *replaces)
{
	if (!container->key)
		return !replaces->present;
	return replaces->present && !container_is_reserved(container) &&
	       memcmp(replaces->digest, card_key_hash(container->key), KF_DIGEST_SIZE) == 0;
}

/* --- step 8 --- */

static void install_key(struct container *container, struct card_key *key, const struct item_body *b)
{
	container->key = card_key_unref(container->key);
	container->cert = blob_unref(container->cert);
	*container = (struct container){
		.key = card_key_ref(key),
		.purpose = b->purpose,
		.origin = b->sender.present ? KF_ORIGIN_INJECTED : KF_ORIGIN_INJECTED_OPEN,
		.policy = b->policy.pin_needed ? STATE_POLICY_PIN : 0,
		.not_after = b->policy.not_after,
	};
}

/* An item that was installed gives its try back, or a batch would die of its own length. */
static void advance_offer(struct state *next, struct offer *offer, const struct item_body *b)
{
	if (b->number == b->count) {
		state_forget_offer(next, offer);
		return;
	}
	offer->count = (uint16_t)b->count;
	offer->next++;
	offer->tries++;
}

static int fill_receipt(struct receipt *r, const struct state *next, const struct request *request,
			const struct card_key *key)
{
	const struct item_body *b = &request->process.item.body;

	*r = (struct receipt){
		.number = b->number,
		.function = b->function,
		.method = b->method,
		.container = b->container,
		.pin = b->pin,
		.key_type = card_key_type(key),
		.purpose = b->purpose,
		.policy = b->policy,
		.sender = b->sender,
		.result = RECEIPT_INSTALLED,
		.counter = next->counter,
		.evidence = card_key_spki(key),
	};
	memcpy(r->serial, next->serial, sizeof(r->serial));
	memcpy(r->sid, b->sid, sizeof(r->sid));
	memcpy(r->exchange, b->exchange, sizeof(r->exchange));
	r->confirms = method_confirms(b->method);
	if (r->confirms)
		memcpy(r->confirmation, request->process.session->confirmation,
		       sizeof(r->confirmation));
	if (sha256(blob_bytes(next->device_cert), r->device) < 0)
		return -EIO;
	return sha256(request->data, r->item);
}

/* Signs the receipt into @out and keeps the same bytes. */
int receipt_keep(struct state *next, const struct stored_receipt *stored, struct bytes receipt,
		 struct packer *out)
{
	uint8_t sig[ECDSA_SIG_MAX];
	struct packer sp = pack_begin(sig, sizeof(sig));
	struct stored_receipt kept = *stored;
	int r = card_key_attest(next->device, receipt, &sp);

	if (r < 0)
		return r;
	signed_receipt_pack(out, &(struct signed_receipt){ receipt, pack_done(&sp) });
	if (pack_end(out) < 0)
		return -EMSGSIZE;
	r = blob_new(pack_done(out), &kept.der);
	if (r < 0)
		return r;
	state_add_receipt(next, &kept);
	return 0;
}

static int add_receipt(struct state *next, const struct receipt *r, struct packer *out)
{
	uint8_t der[RECEIPT_MAX];
	struct packer p = pack_begin(der, sizeof(der));
	struct stored_receipt stored = { .number = (uint16_t)r->number };

	receipt_pack(&p, r);
	if (pack_end(&p) < 0)
		return -EMSGSIZE;
	memcpy(stored.sid, r->sid, sizeof(stored.sid));
	return receipt_keep(next, &stored, pack_done(&p), out);
}

static int install(struct vcard *card, const struct request *request, struct card_key *key,
		   struct packer *out)
{
	_cleanup_(state_freep) struct state *next = NULL;
	const struct session *session = request->process.session;
	const struct item_body *b = &request->process.item.body;
	struct receipt receipt;
	int r = card_begin(card, &next);

	if (r < 0)
		return r;
	install_key(&next->containers[b->container], key, b);
	next->counter++;
	advance_offer(next, state_find_offer(next, session->sid), b);
	r = fill_receipt(&receipt, next, request, key);
	if (r == 0)
		r = add_receipt(next, &receipt, out);
	if (r == 0)
		r = card_commit(card, &next);
	if (r != 0)
		return r;
	card_forget_selection(card, b->container);
	if (b->number == b->count)
		session_destroy_all(card, b->sid);
	return SW_OK;
}

RUN(process_run)
{
	_cleanup_(card_key_unrefp) struct card_key *key = NULL;
	const struct session *session = request->process.session;
	const struct offer *offer;
	int r = offer_spend_try(card, session->sid);	/* steps 2 and 3 */

	if (r != 0)
		return r;
	offer = state_find_offer(card->state, session->sid);
	r = open_item(card, request, offer, &key);
	if (r != 0)
		return r;
	if (!may_replace(&card->state->containers[offer->target],
			 &request->process.item.body.replaces))
		return SW_CONDITIONS;
	return install(card, request, key, out);
}

/* --- GET RECEIPT (5.5) --- */

CHECK(get_receipt_check)
{
	struct unpacker u = unpack_begin(request->data);
	struct bytes sid = tlv_take(&u, 0x80);
	uint16_t number = (uint16_t)tlv_take_number(&u, 0x81, 2);
	const struct stored_receipt *stored;

	if (unpack_end(&u) < 0 || sid.n != KF_SID_SIZE)
		return SW_DATA;
	stored = state_find_receipt(card->state, sid.p, number);
	if (!stored)
		return SW_NO_OBJECT;
	request->stored = blob_bytes(stored->der);
	return SW_OK;
}

RUN(get_receipt_run)
{
	(void)card;
	pack_bytes(out, request->stored);
	return SW_OK;
}
