// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libserver/md_item.c - MDEncryptData. Every item has keys of its own, derived from S1, H and its number,
 * so neither a chosen IV nor a second item can weaken another.
 */
#include "base/error.h"
#include "format/der.h"
#include "format/hash.h"
#include "format/keys.h"
#include "format/ossl.h"
#include "format/seal.h"
#include "format/shared_item.h"
#include "libserver/master.h"
#include "libserver/md.h"

enum { BLOCK = 16 };

int md_check_pair(const struct kf_verified_offer *offer, const struct kf_keypair *pair,
		  const struct spki_hash *holds, struct kf_error *e)
{
	char text[HEX_DIGEST_SIZE];

	if (offer->statement.container == KF_CONTAINER_PINS)
		return error_why(e, -EACCES, "docs/card-application.md 5.1",
				 "make an offer for a container",
				 "the offer is about PINs, and takes no key");
	if (offer->statement.container == KF_CONTAINER_SHARED)
		return error_why(e, -EACCES, "docs/card-application.md 5.1",
				 "make an offer for a container",
				 "the offer is for the keys the card shares with a server");
	if (!kf_verified_offer_takes(offer, pair->type))
		return error_why(e, -EOPNOTSUPP, "key types the card attested",
				 "use a key of another type", "card %s takes no key of type %s",
				 offer->statement.serial, key_type_name(pair->type));
	if (offer->statement.container == KF_CONTAINER_BATCH)
		return pair->container < APP_CONTAINERS ? 0 :
		       error_why(e, -EINVAL, "docs/card-application.md 5.1",
				 "name a container for each key of a batch",
				 "the offer is for a batch, and the key has no container");
	if (pair->replaces.present == holds->present &&
	    (!holds->present ||
	     bytes_equal(BYTES_OF(pair->replaces.digest), BYTES_OF(holds->digest))))
		return 0;
	if (!holds->present)
		return error_why(e, -EACCES, "docs/card-application.md 5.4 step 7",
				 "seal without naming a key to replace",
				 "container %u of card %s is empty", offer->statement.container,
				 offer->statement.serial);
	hex_print(BYTES_OF(holds->digest), text);
	return error_why(e, -EACCES, "an occupied container is replaced only by name",
			 "offer an empty container, or say --replace with that hash",
			 "container %u of card %s holds key %s", offer->statement.container,
			 offer->statement.serial, text);
}

int md_check_order(const struct kf_verified_offer *offer, struct kf_error *e)
{
	if (offer->statement.container == KF_CONTAINER_PINS)
		return 0;
	return error_why(e, -EACCES, "docs/card-application.md 5.1",
			 "make an offer about PINs: keyferry offer --pins",
			 "the offer is for a key in container %u, and takes no order about PINs",
			 offer->statement.container);
}

int md_check_shared(const struct kf_verified_offer *offer, struct kf_error *e)
{
	if (offer->statement.container == KF_CONTAINER_SHARED)
		return 0;
	return error_why(e, -EACCES, "docs/card-application.md 5.1",
			 "make an offer for them: keyferry offer --shared-keys",
			 "the offer is not for the keys the card shares with a server");
}

/**
 * struct content - what an item is made of: a key, an order about PINs or a SHARED key; the others are NULL
 * @shared, @mark: the latter is what the card will show of it
 */
struct content {
	const struct kf_keypair *pair;
	const struct kf_pin_order *order;
	const struct kf_shared_order *shared;
	const struct secret *key;
	uint8_t mark[KF_DIGEST_SIZE];
};

static void describe_shared(struct item_body *body, const struct kf_shared_order *shared)
{
	body->function = KF_FUNCTION_IMPORT_SECRET;
	body->key_type = KF_KEY_AES_256;
	body->purpose = KF_PURPOSE_SHARED;
	body->replaces.present = shared->replaces != NULL;
	if (shared->replaces)
		memcpy(body->replaces.digest, shared->replaces, sizeof(body->replaces.digest));
}

static void describe_content(struct item_body *body, const struct content *content)
{
	const struct kf_keypair *pair = content->pair;

	if (content->shared) {
		describe_shared(body, content->shared);
		return;
	}
	if (!pair) {
		body->function = content->order->function;
		body->pin = content->order->target;
		return;
	}
	body->function = key_type_function(pair->type);
	if (body->container == KF_CONTAINER_BATCH)
		body->container = pair->container;
	body->replaces = pair->replaces;
	body->pin = pair->policy.pin_needed ? KF_PIN_USER : 0;
	body->key_type = pair->type;
	body->purpose = pair->purpose;
	body->policy = pair->policy;
}

static struct item_body body_for(const struct kf_md_key *key, const struct content *content)
{
	const struct statement *s = &key->offer->statement;
	struct item_body body = {
		.suite = SUITE_AES256_CBC_CMAC,
		.method = key->offer->method,
		.number = (uint32_t)key->cargo.n_items + 1,
		.count = key->items,
		.container = s->container,
		.sender = key->offer->sender,
	};

	describe_content(&body, content);
	memcpy(body.sid, s->sid, sizeof(body.sid));
	memcpy(body.serial, s->serial, sizeof(body.serial));
	memcpy(body.exchange, s->exchange, sizeof(body.exchange));
	memcpy(body.iv, key->iv, sizeof(body.iv));
	return body;
}

static int encode_shared(const struct content *content, struct secret *plain)
{
	const struct shared_item item = { content->shared->method, secret_bytes(content->key) };
	int r = secret_init(plain, SHARED_ITEM_SIZE);

	return r < 0 ? r : shared_item_encode(&item, plain);
}

static int encode_content(const struct content *content, struct secret *plain)
{
	if (content->shared)
		return encode_shared(content, plain);
	return content->pair ? keypair_plain(content->pair, plain)
			     : pin_order_encode(content->order, plain);
}

/* @proof: what the card will show of the plaintext, if that is a secret key. */
static int encrypt_content(const struct item_keys *keys, const struct kf_md_key *key,
			   const struct content *content, struct packer *out, uint8_t *proof)
{
	_cleanup_(secret_deinit) struct secret plain = SECRET_INIT;
	int r = encode_content(content, &plain);

	if (r == 0)
		r = item_encrypt(keys, key->iv, &plain, out);
	if (r == 0)
		r = item_proof(keys, secret_bytes(content->key ? content->key : &plain), proof);
	return r;
}

static int sign_item(const struct kf_md_key *key, struct bytes body, struct bytes mac_der,
		     struct packer *out)
{
	if (!key->offer->sender.present)
		return 0;
	if (!key->server->injector)
		return -ENOKEY;
	return ecdsa_sign(key->server->injector, body, mac_der, out);
}

/* [formats 5]: Item is body, MAC over its DER, signature over body and MAC as they stand. */
static int finish_item(const struct kf_md_key *key, const struct item_keys *keys,
		       struct bytes body_der, struct packer *out)
{
	uint8_t mac[ITEM_MAC_SIZE], mac_der_buf[ITEM_MAC_SIZE + 2], signature_buf[ECDSA_SIG_MAX];
	struct packer mac_der = pack_begin(mac_der_buf, sizeof(mac_der_buf));
	struct packer signature = pack_begin(signature_buf, sizeof(signature_buf));
	int r;

	r = item_mac(keys, body_der, mac);
	if (r < 0)
		return r;
	der_put(&mac_der, DER_OCTETS, BYTES_OF(mac));
	r = sign_item(key, body_der, pack_done(&mac_der), &signature);
	if (r < 0)
		return r;
	item_pack(out, body_der, mac, pack_done(&signature));
	return pack_end(out);
}

static int make_item(const struct kf_md_key *key, const struct content *content,
		     struct item_body *body, struct packer *out, uint8_t *proof)
{
	_cleanup_(item_keys_deinit) struct item_keys keys = ITEM_KEYS_INIT;
	struct item_place place = {
		.method = body->method, .function = body->function, .number = body->number,
	};
	uint8_t sealed_buf[KEY_PLAIN_MAX + BLOCK], body_buf[KF_ITEM_MAX];
	struct packer sealed = pack_begin(sealed_buf, sizeof(sealed_buf));
	struct packer body_der = pack_begin(body_buf, sizeof(body_buf));
	int r;

	memcpy(place.h, key->offer->h, sizeof(place.h));
	r = item_keys_derive(&keys, &key->s1, &place);
	if (r == 0)
		r = encrypt_content(&keys, key, content, &sealed, proof);
	if (r < 0)
		return r;
	body->ciphertext = pack_done(&sealed);
	item_body_pack(&body_der, body);
	body->ciphertext = BYTES_NONE;
	r = pack_end(&body_der);
	return r < 0 ? r : finish_item(key, &keys, pack_done(&body_der), out);
}

/* Cargo and ticket get their entry together, or neither. */
static int note_item(struct kf_md_key *key, const struct content *content,
		     const struct item_body *body, struct bytes item, const uint8_t *proof)
{
	struct cargo_item *cargo = &key->cargo.items[key->cargo.n_items];
	struct ticket_item *ticket = &key->ticket.items[key->ticket.n_items];
	int r;

	*ticket = (struct ticket_item){
		.function = body->function, .method = body->method, .container = body->container,
		.pin = body->pin, .key_type = body->key_type, .purpose = body->purpose,
		.policy = body->policy, .sender = body->sender, .grade = key->offer->grade,
	};
	if (content->pair)
		memcpy(ticket->key, content->pair->hash, sizeof(ticket->key));
	if (content->shared)
		memcpy(ticket->key, content->mark, sizeof(ticket->key));
	memcpy(ticket->proof, proof, sizeof(ticket->proof));
	r = sha256(item, ticket->sha256);
	if (r < 0)
		return r;
	r = blob_set(&cargo->item, item);
	if (r < 0)
		return r;
	cargo->number = body->number;
	cargo->function = body->function;
	cargo->key_type = body->key_type;
	cargo->purpose = body->purpose;
	cargo->container = body->container;
	cargo->pin = content->order ? body->pin : 0;
	memcpy(cargo->iv, body->iv, sizeof(cargo->iv));
	key->cargo.n_items++;
	key->ticket.n_items++;
	if (content->pair) {
		key->holds.present = true;
		memcpy(key->holds.digest, content->pair->hash, sizeof(key->holds.digest));
	}
	return 0;
}

static int check_turn(const struct kf_md_key *key, struct kf_error *e)
{
	if (key->cargo.n_items == key->items)
		return error_why(e, -EPROTO, "items of one session key", "get a new offer",
				 "all %u items of this session key are made", key->items);
	if (!key->mode_is_set || !key->iv_is_set)
		return error_why(e, -EPROTO, "CKP_CHAINING_MODE, CKP_INITIALIZATION_VECTOR",
				 "set both before each item; an IV serves one",
				 "chaining mode or initialisation vector is not set");
	return 0;
}

static int seal_content(struct kf_md_key *key, const struct content *content, uint8_t **item,
			size_t *len, struct kf_error *e)
{
	uint8_t buf[KF_ITEM_MAX], proof[ITEM_MAC_SIZE];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct item_body body = body_for(key, content);
	int r;

	key->iv_is_set = false;
	r = make_item(key, content, &body, &p, proof);
	if (r == -EMSGSIZE || (r == 0 && p.n > key->offer->statement.limit_item))
		r = error_why(e, -EOPNOTSUPP, "the limits the card attested", "use a smaller key",
			      "the item would be longer than the card takes");
	if (r == 0)
		r = note_item(key, content, &body, pack_done(&p), proof);
	if (r == 0)
		r = md_hand_out(&key->cargo.items[key->cargo.n_items - 1].item, item, len);
	return r;
}

int kf_md_encrypt_data(struct kf_md_key *key, enum kf_function function,
		       const struct kf_keypair *pair, uint8_t **item, size_t *len,
		       struct kf_error *e)
{
	int r = 0;

	if (function != key_type_function(pair->type))
		r = error_why(e, -EOPNOTSUPP, "docs/card-application.md 1.2",
			      "import a key pair as such, an AES key as a secret key",
			      "function %u does not bring a key of type %s", (unsigned int)function,
			      key_type_name(pair->type));
	if (r == 0)
		r = check_turn(key, e);
	if (r == 0)
		r = md_check_pair(key->offer, pair, &key->holds, e);
	if (r == 0)
		r = seal_content(key, &(struct content){ .pair = pair }, item, len, e);
	return error_what(e, r, "cannot seal the key");
}

int kf_md_encrypt_pin(struct kf_md_key *key, const struct kf_pin_order *order, uint8_t **item,
		      size_t *len, struct kf_error *e)
{
	int r = check_turn(key, e);

	if (r == 0)
		r = md_check_order(key->offer, e);
	if (r == 0)
		r = seal_content(key, &(struct content){ .order = order }, item, len, e);
	return error_what(e, r, "cannot seal the order about a PIN");
}

/* The hash of what the card will call it. */
static int shared_mark_hash(const struct secret *key, enum kf_method method, uint8_t *out)
{
	uint8_t der[SHARED_MARK_DER_MAX];
	struct packer p = pack_begin(der, sizeof(der));
	struct shared_info info = { 0 };
	int r = shared_info_describe(key, method, &info);

	if (r < 0)
		return r;
	shared_mark_pack(&p, &info);
	return sha256(pack_done(&p), out);
}

static int seal_shared(struct kf_md_key *handle, const struct kf_shared_order *order, uint8_t **item,
		       size_t *len, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret key = SECRET_INIT;
	struct content content = { .shared = order, .key = &key };
	int r = master_derive(handle->server, order->method, KF_ORIGIN_INJECTED,
			      handle->offer->statement.serial, &key, e);

	if (r == 0)
		r = shared_mark_hash(&key, order->method, content.mark);
	return r < 0 ? r : seal_content(handle, &content, item, len, e);
}

int kf_md_encrypt_shared(struct kf_md_key *key, enum kf_method method, const uint8_t *replaces,
			 uint8_t **item, size_t *len, struct kf_error *e)
{
	const struct kf_shared_order order = { method, replaces };
	int r = check_turn(key, e);

	if (r == 0)
		r = md_check_shared(key->offer, e);
	if (r == 0 && !method_is_shared(method))
		r = error_why(e, -EINVAL, "docs/card-application.md 1.1",
			      "methods shared and derived have one each",
			      "method %s works with no SHARED key", method_name(method));
	if (r == 0)
		r = seal_shared(key, &order, item, len, e);
	return error_what(e, r, "cannot seal the SHARED key");
}
