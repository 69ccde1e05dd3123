/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PROCESS ITEM (docs/card-application.md 5.4) and the receipts it leaves. The steps below are the
 * page's, in its order, which SECURITY section 4 fixes: the try is spent before the MAC is looked
 * at, and nothing but the try changes until the one commit at the end.
 */
#include "format/hash.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "format/pin_item.h"
#include "format/receipt.h"
#include "format/seal.h"
#include "format/secret_mark.h"
#include "format/shared.h"
#include "format/shared_item.h"
#include "vreader/card/command.h"
#include "vreader/card/offer.h"
#include "vreader/card/session.h"
#include "vreader/card/tlv.h"

#include <openssl/err.h>

/*
 * Step 1. An item about PINs comes to a card whose user has none to give: its sender and the PIN that
 * is sealed in it stand for that.
 */
CHECK(process_check)
{
	const struct session *session = session_find(card, request->number);
	const struct offer *offer;

	if (item_parse(request->data, &request->process.item) < 0)
		return SW_DATA;
	if (!session)
		return SW_NO_OBJECT;
	request->process.session = session;
	offer = state_find_offer(card->state, session->sid);
	request->pin_needed = !function_is_about_pins((enum kf_function)request->p1) ||
			      (offer && offer->target != KF_CONTAINER_PINS);
	return SW_OK;
}

/* Step 4. Where the item claims to stand plays no part: the keys are those of where it must. */
static bool mac_is_right(const struct item_keys *keys, const struct item *item)
{
	uint8_t mac[ITEM_MAC_SIZE];

	if (item_mac(keys, item->body_der, mac) < 0)
		return false;
	return bytes_equal_ct(BYTES_OF(mac), item->mac);
}

/* An item that loads a SHARED key, which is in no container. */
static bool is_about_shared(const struct item_body *b)
{
	return b->container == KF_CONTAINER_SHARED;
}

/* Step 5, what is about a SHARED key; nor does that [SECURITY section 4]. */
static bool shared_fields_are_right(const struct item_body *b)
{
	return b->function == KF_FUNCTION_IMPORT_SECRET && b->key_type == KF_KEY_AES_256 &&
	       b->purpose == KF_PURPOSE_SHARED && b->pin == 0 && !b->policy.pin_needed &&
	       b->policy.not_after == 0 && b->sender.present;
}

/* Step 5, what is about a key. */
static bool key_fields_are_right(const struct item_body *b)
{
	if (is_about_shared(b))
		return shared_fields_are_right(b);
	return b->container < APP_CONTAINERS &&
	       b->pin == (b->policy.pin_needed ? KF_PIN_USER : 0) &&
	       key_type_function(b->key_type) == b->function &&
	       key_type_suits(b->key_type, b->purpose);
}

/* Step 5, what is about a PIN; it never comes from somebody unknown [SECURITY section 4]. */
static bool pin_fields_are_right(const struct item_body *b)
{
	return b->container == KF_CONTAINER_PINS && !b->replaces.present &&
	       (b->pin == KF_PIN_USER || b->pin == KF_PIN_PUK) && b->key_type == KF_KEY_NONE &&
	       b->purpose == KF_PURPOSE_NONE && !b->policy.pin_needed &&
	       b->policy.not_after == 0 && b->sender.present;
}

/* Step 5, container. */
static bool container_is_offered(const struct offer *offer, const struct item_body *b)
{
	return offer->target == KF_CONTAINER_BATCH ? b->container < APP_CONTAINERS
						   : b->container == offer->target;
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
	       container_is_offered(offer, b) &&
	       (function_is_about_pins(b->function) ? pin_fields_are_right(b)
						    : key_fields_are_right(b));
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

/**
 * struct opened - what was in an item: a key, or an order about PINs
 * @plain:	@order borrows from it
 * @proof:	of a secret key, for the receipt
 * @shared:	a SHARED key, likewise borrowed; @info has its mark
 */
struct opened {
	struct secret plain;
	struct card_key *key;
	struct pin_item order;
	struct shared_item shared;
	struct shared_info info;
	uint8_t proof[ITEM_MAC_SIZE];
};

#define OPENED_INIT ((struct opened){ .plain = SECRET_INIT })

static void opened_deinit(struct opened *opened)
{
	opened->key = card_key_unref(opened->key);
	secret_deinit(&opened->plain);
}

/* Step 6. Return: 0 and a key that was proved whole, or a negative errno. */
static int open_key(const struct item_body *b, struct opened *out)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;
	int r = key_plain_decode(secret_bytes(&out->plain), b->key_type, &pkey);

	return r < 0 ? r : card_key_new(pkey, &out->key);
}

/* The same of a key without a public half, for which a proof stands in the receipt. */
static int open_secret(const struct item_keys *keys, const struct item_body *b, struct opened *out)
{
	int r = card_key_new_secret(b->key_type, secret_bytes(&out->plain), &out->key);

	return r < 0 ? r : item_proof(keys, secret_bytes(&out->plain), out->proof);
}

static int open_shared(const struct item_keys *keys, struct opened *out)
{
	_cleanup_(secret_deinit) struct secret key = SECRET_INIT;
	int r = shared_item_decode(secret_bytes(&out->plain), &out->shared);

	if (r == 0)
		r = secret_init(&key, SHARED_KEY_SIZE);
	if (r == 0)
		r = secret_set(&key, out->shared.key);
	if (r == 0)
		r = shared_info_describe(&key, out->shared.method, &out->info);
	return r < 0 ? r : item_proof(keys, out->shared.key, out->proof);
}

static int open_order(const struct item_body *b, struct opened *out)
{
	bool sets = b->function == KF_FUNCTION_CHANGE_AUTHENTICATOR;
	int r = pin_item_decode(secret_bytes(&out->plain), &out->order);

	if (r < 0)
		return r;
	if (!pin_item_makes_sense(b->function, b->pin, out->order.authenticator) ||
	    out->order.fresh.n > (sets ? APP_PIN_MAX : 0) ||
	    out->order.fresh.n < (sets ? APP_PIN_MIN : 0))
		return -EBADMSG;
	return 0;
}

static int open_plain(const struct item_keys *keys, const struct item_body *b, struct opened *out)
{
	int r = secret_init(&out->plain, KF_ITEM_MAX);

	if (r == 0)
		r = item_decrypt(keys, b->iv, b->ciphertext, &out->plain);
	if (r < 0)
		return r;
	if (function_is_about_pins(b->function))
		return open_order(b, out);
	if (is_about_shared(b))
		return open_shared(keys, out);
	return b->function == KF_FUNCTION_IMPORT_SECRET ? open_secret(keys, b, out)
							: open_key(b, out);
}

/* Steps 4 to 6. Return: 0 and what was in it, or %SW_REFUSED whatever is wrong. */
static int open_item(const struct card *card, const struct request *request,
		     const struct offer *offer, struct opened *out)
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
	       open_plain(&keys, &item->body, out) == 0;
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

/* Step 7. What a SHARED key is replaced by has to know it by its mark. Return: 0, or the status word. */
static int may_share(const struct state *state, const struct spki_hash *replaces,
		     const struct opened *opened)
{
	const struct blob *held = state_shared(state, opened->shared.method);
	_cleanup_(secret_deinit) struct secret key = SECRET_INIT;
	struct shared_info info = { 0 };
	int r;

	if (!held)
		return replaces->present ? SW_CONDITIONS : 0;
	r = secret_init(&key, SHARED_KEY_SIZE);
	if (r == 0)
		r = secret_set(&key, blob_bytes(held));
	if (r == 0)
		r = shared_info_describe(&key, opened->shared.method, &info);
	if (r < 0)
		return r;
	return replaces->present && memcmp(replaces->digest, info.mark, sizeof(info.mark)) == 0
		       ? 0 : SW_CONDITIONS;
}

/* Step 7. Return: 0, or the status word; an order about PINs has spent a try of a PIN then. */
static int may_be_done(struct card *card, const struct item_body *b, const struct opened *opened)
{
	if (function_is_about_pins(b->function))
		return pin_order_prove(card, &opened->order);
	if (is_about_shared(b))
		return may_share(card->state, &b->replaces, opened);
	return may_replace(&card->state->containers[b->container], &b->replaces) ? 0
										  : SW_CONDITIONS;
}

/* --- step 8 --- */

/* What came under a maker's key is no better kept than that one, whoever signed it. */
static enum kf_origin origin_of(const struct state *state, const struct item_body *b)
{
	if (method_is_shared(b->method) && state_shared_origin(state, b->method) == KF_ORIGIN_FACTORY)
		return KF_ORIGIN_FACTORY;
	return b->sender.present ? KF_ORIGIN_INJECTED : KF_ORIGIN_INJECTED_OPEN;
}

static void install_key(struct container *container, struct card_key *key, enum kf_origin origin,
			const struct item_body *b)
{
	container->key = card_key_unref(container->key);
	container->cert = blob_unref(container->cert);
	*container = (struct container){
		.key = card_key_ref(key),
		.purpose = b->purpose,
		.origin = origin,
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

/* What was done, in the state that is going to be in force. Return: 0, -ENOMEM. */
static int do_item(struct state *next, const struct item_body *b, const struct opened *opened)
{
	if (function_is_about_pins(b->function))
		return pin_order_apply(next, b->pin, &opened->order);
	if (is_about_shared(b)) {
		state_forget_shared(next, opened->shared.method, b->sid);
		return state_set_shared(next, opened->shared.method, opened->shared.key,
					origin_of(next, b));
	}
	install_key(&next->containers[b->container], opened->key, origin_of(next, b), b);
	return 0;
}

/* And in what is volatile: nobody gets in by a PIN that was set for somebody else. */
static void after_item(struct card *card, const struct item_body *b)
{
	if (b->function == KF_FUNCTION_AUTHENTICATE)
		card->pin_verified = true;
	else if (b->function == KF_FUNCTION_CHANGE_AUTHENTICATOR)
		card->pin_verified &= b->pin != KF_PIN_USER;
	else if (is_about_shared(b))
		session_forget_gone(card);	/* of offers by the key that was */
	else
		card_forget_selection(card, b->container);
	if (b->number == b->count)
		session_destroy_all(card, b->sid);
}

static int fill_receipt(struct receipt *r, const struct state *next, const struct request *request,
			struct bytes evidence)
{
	const struct item_body *b = &request->process.item.body;

	*r = (struct receipt){
		.number = b->number,
		.function = b->function,
		.method = b->method,
		.container = b->container,
		.pin = b->pin,
		.key_type = b->key_type,
		.purpose = b->purpose,
		.policy = b->policy,
		.sender = b->sender,
		.result = RECEIPT_INSTALLED,
		.counter = next->counter,
		.evidence = evidence,
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

/* Tells what the state holds now; of what has no public key into @buf. */
static struct bytes evidence_of(const struct state *next, const struct item_body *b,
				const struct opened *opened, struct packer *buf)
{
	const struct pin *pin = b->pin == KF_PIN_PUK ? &next->puk : &next->pin;

	struct secret_mark secret = { .key = BYTES_NONE };
	uint8_t der[SHARED_MARK_DER_MAX];
	struct packer key = pack_begin(der, sizeof(der));

	if (b->function == KF_FUNCTION_IMPORT_KEYPAIR)
		return card_key_spki(opened->key);
	if (b->function == KF_FUNCTION_IMPORT_SECRET) {
		if (is_about_shared(b))
			shared_mark_pack(&key, &opened->info);
		secret.key = is_about_shared(b) ? pack_done(&key) : card_key_spki(opened->key);
		memcpy(secret.proof, opened->proof, sizeof(secret.proof));
		secret_mark_pack(buf, &secret);
		return pack_done(buf);
	}
	pin_mark_pack(buf, &(struct pin_mark){ b->pin, pin->tries });
	return pack_done(buf);
}

static int install(struct card *card, const struct request *request, const struct opened *opened,
		   struct packer *out)
{
	_cleanup_(state_freep) struct state *next = NULL;
	const struct session *session = request->process.session;
	const struct item_body *b = &request->process.item.body;
	uint8_t mark[SECRET_MARK_MAX];
	struct packer mp = pack_begin(mark, sizeof(mark));
	struct receipt receipt;
	int r = card_begin(card, &next);

	if (r == 0)
		r = do_item(next, b, opened);
	if (r < 0)
		return r;
	next->counter++;
	advance_offer(next, state_find_offer(next, session->sid), b);
	r = fill_receipt(&receipt, next, request, evidence_of(next, b, opened, &mp));
	if (r == 0)
		r = add_receipt(next, &receipt, out);
	if (r == 0)
		r = card_commit(card, &next);
	if (r != 0)
		return r;
	after_item(card, b);
	return SW_OK;
}

RUN(process_run)
{
	_cleanup_(opened_deinit) struct opened opened = OPENED_INIT;
	const struct session *session = request->process.session;
	int r = offer_spend_try(card, session->sid);	/* steps 2 and 3 */

	if (r != 0)
		return r;
	r = open_item(card, request, state_find_offer(card->state, session->sid), &opened);
	if (r == 0)
		r = may_be_done(card, &request->process.item.body, &opened);
	return r != 0 ? r : install(card, request, &opened, out);
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
